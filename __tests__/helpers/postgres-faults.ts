import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Postgres } from './postgres.js';
import { comesTrue } from './postgres-waiting.js';

/** A small database of about 3 MB in which `holdRows` can stop a dump. */
export async function fillHeld(server: Postgres, database: string): Promise<void> {
  const random = "(SELECT string_agg(md5(i::text || n::text), '') FROM generate_series(1, 30) n)";
  await server.createDatabase(database);
  await server.sql(
    database,
    `CREATE TABLE a_first (id integer PRIMARY KEY, data text);
     INSERT INTO a_first SELECT i, ${random} FROM generate_series(1, 1000) i;
     CREATE TABLE held (id integer PRIMARY KEY, data text);
     ALTER TABLE held ALTER data SET STORAGE EXTERNAL;
     INSERT INTO held SELECT i, ${random} FROM generate_series(1, 1000) i;
     INSERT INTO held VALUES (1001, repeat('beside the table', 1000));
     INSERT INTO held SELECT i, ${random} FROM generate_series(1002, 2000) i;
     CREATE TABLE z_last (id integer PRIMARY KEY);
     INSERT INTO z_last SELECT generate_series(1, 10);`,
  );
}

/** `await using` it: a session that is left would keep the tests from ending. */
export interface Hold extends AsyncDisposable {
  /** Ends that session, and with it the lock. */
  release(): Promise<void>;
}

/** A session of psql that has carried out `statements` in a transaction and stays. */
export async function holdSession(server: Postgres, database: string, statements: string): Promise<Hold> {
  const child: ChildProcess = spawn(
    join(server.clientDirectory, 'psql'),
    ['-X', '-q', '-A', '-t', '-w', '-v', 'ON_ERROR_STOP=1', '-d', server.uri({ database })],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (text: Buffer) => {
      if (text.includes('it is held')) resolve();
    });
    child.once('close', () => reject(new Error(`psql ended: ${statements}`)));
    child.stdin?.on('error', () => {}).write(`BEGIN;\n${statements};\n\\echo it is held\n`);
  });
  const release = async () => {
    child.stdin?.end();
    await ended;
  };
  return { release, [Symbol.asyncDispose]: release };
}

/**
 * Stops every dump of a database of `fillHeld` in the middle of the data of a table: the value that lies beside the table is found by an
 * index, and that one is locked. Nothing else needs it, so everything before goes on as ever.
 */
export async function holdRows(server: Postgres, database: string): Promise<Hold> {
  const toast = await server.sql(database, "SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'held'::regclass");
  return holdSession(server, database, `REINDEX TABLE ${toast}`);
}

/** Resolves with the backend's pid once a statement of a backup, of a backend that is not `other`, waits for a lock in this database. */
export async function waitsForLock(
  server: Postgres,
  database: string,
  statement: 'COPY' | 'LOCK',
  other = 0,
): Promise<number> {
  const waiting = `FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '${database}' AND query LIKE '${statement}%' AND pid <> ${other}`;
  await comesTrue(server, 'postgres', `EXISTS (SELECT ${waiting})`);
  return Number((await server.sql('postgres', `SELECT pid ${waiting}`)).split('\n')[0]);
}

/** Resolves with the sessions that are left in a database after at most 15 s. */
export async function sessionsLeft(server: Postgres, database: string): Promise<number[]> {
  for (const end = Date.now() + 15_000; ; await sleep(20)) {
    const left = await server.backendPids(database);
    if (left.length === 0 || Date.now() > end) return left;
  }
}

/** Tools that come first in the PATH of a host. */
export interface FakeTools {
  /** Line for sshd_config. */
  config: string;
  directory: string;
  /**
   * From now on this tool is a shell script. `$real` is what it stands for, `$here` the directory; for pg_dump it comes after the
   * answer to `--version`.
   */
  put(tool: string, script: string): void;
  /** From now on all tools are the real ones. */
  reset(): void;
  remove(): void;
}

/** The clients of PostgreSQL, where pg_dump tells a version so high that it is preferred to every other on the host. */
export function fakeTools(server: Postgres): FakeTools {
  const directory = mkdtempSync(join(tmpdir(), 'dbb-tools-'));
  chmodSync(directory, 0o755);
  const clients = ['psql', 'pg_restore', 'pg_dumpall', 'pg_dump'];
  const put = (tool: string, script: string) => {
    const real = clients.includes(tool) ? join(server.clientDirectory, tool) : `/usr/bin/${tool}`;
    const version =
      tool === 'pg_dump' ? `if [ "$1" = --version ]; then echo 'pg_dump (PostgreSQL) 99.1'; exit; fi\n` : '';
    rmSync(join(directory, tool), { force: true });
    const text = `#!/bin/sh\nreal=${real} here=${directory}\n${version}${script}\n`;
    writeFileSync(join(directory, tool), text, { mode: 0o755 });
  };
  const reset = () => {
    for (const name of readdirSync(directory)) rmSync(join(directory, name));
    for (const tool of clients.slice(0, 3)) symlinkSync(join(server.clientDirectory, tool), join(directory, tool));
    put('pg_dump', 'exec "$real" "$@"');
  };
  reset();
  return {
    config: `SetEnv PATH=${directory}:/usr/local/bin:/usr/bin:/bin`,
    directory,
    put,
    reset,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
