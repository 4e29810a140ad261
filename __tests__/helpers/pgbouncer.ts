import { spawn } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Postgres } from './postgres.js';
import { ownerOfServers } from './postgres-programs.js';

export interface Pgbouncer {
  /** `uri` of the server, through the pooler. */
  uri(database: string): string;
  /** What it has said. */
  log(): string;
  stop(): Promise<void>;
}

/** Debian's PgBouncer before a server, which it enters as `admin`; who comes with that name and password is let in. `settings` are more lines. */
export async function startPgbouncer(
  server: Postgres,
  mode: 'transaction' | 'session',
  settings: string[] = [],
): Promise<Pgbouncer> {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-pgbouncer-'));
  const file = (name: string) => join(folder, name);
  const port = await freePort();
  writeFileSync(file('users'), `"admin" "${server.adminPassword}"\n`);
  writeFileSync(
    file('ini'),
    `[databases]
* = host=127.0.0.1 port=${server.port} user=admin password=${server.adminPassword}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${file('users')}
pool_mode = ${mode}
ignore_startup_parameters = extra_float_digits
logfile = ${file('log')}
${settings.join('\n')}
`,
  );
  writeFileSync(file('log'), '');
  const { uid, gid } = ownerOfServers();
  for (const path of [folder, file('users'), file('ini'), file('log')]) chownSync(path, uid, gid);
  const child = spawn('/usr/sbin/pgbouncer', ['-q', file('ini')], { uid, gid, stdio: 'ignore' });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  for (let tries = 0; !(await answers(port)); tries += 1) {
    if (tries === 200 || child.exitCode !== null)
      throw new Error(`pgbouncer does not start: ${readFileSync(file('log'), 'utf8')}`);
    await sleep(50);
  }
  return {
    uri: (database) => server.uri({ database }).replace(`:${server.port}/`, `:${port}/`),
    log: () => readFileSync(file('log'), 'utf8'),
    async stop() {
      child.kill('SIGTERM');
      await closed;
      rmSync(folder, { recursive: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const listener = createServer().listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as { port: number };
      listener.close(() => resolve(port));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
