import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Postgres, startPostgres } from './postgres.js';
import { environment, ownerOfServers } from './postgres-programs.js';

const run = promisify(execFile);

/** pgBackRest reads these beside its own file. */
const SECTIONS = '/etc/pgbackrest/conf.d';

export interface PhysicalOptions {
  /** Lines of postgresql.conf besides. */
  settings?: Record<string, string | number | boolean>;
  /** Lines of the section of the stanza besides, or instead: an empty value leaves one out. */
  section?: Record<string, string>;
}

/** A cluster of its own with WAL archiving into a pgBackRest repository of its own, which is found by the name of the stanza alone. */
export interface Physical {
  stanza: string;
  /** The server as the helper starts it; after a restore it is another process, for which `sql` works as well. */
  server: Postgres;
  dataDirectory: string;
  /** Holds the data directory, the repository and all else; belongs to the user of the server. */
  directory: string;
  repository: string;
  /** What pgBackRest prints, run by the user of the server. Throws with what it said when it ends with another status than 0. */
  backrest(...args: string[]): Promise<string>;
  sql(script: string, database?: string): Promise<string>;
  /** Of the superuser `postgres`, who comes by peer. */
  uri(database?: string): string;
  /** Of the postmaster that runs in the data directory, whoever started it; null when there is none. */
  postmaster(): number | null;
  /** A command by the user of the server. Throws as `backrest` does. */
  asOwner(command: string, ...args: string[]): Promise<string>;
  /** Ends every process and removes all. */
  remove(): Promise<void>;
}

/** Starts it, with its stanza made; needs root. */
export async function startPhysical(options: PhysicalOptions = {}): Promise<Physical> {
  const owner = ownerOfServers();
  const stanza = `dbb-${randomBytes(6).toString('hex')}`;
  const section = join(SECTIONS, `${stanza}.conf`);
  const server = await startPostgres({
    renamable: true,
    settings: {
      full_page_writes: 'on',
      synchronous_commit: 'on',
      track_commit_timestamp: 'on',
      archive_mode: 'on',
      archive_command: `pgbackrest --stanza=${stanza} archive-push %p`,
      max_wal_size: '256MB',
      ...options.settings,
    },
  });
  const { dataDirectory } = server;
  const directory = dirname(dataDirectory);
  const repository = join(directory, 'repository');

  async function asOwner(command: string, ...args: string[]): Promise<string> {
    try {
      const place = { ...owner, cwd: directory, env: environment(), maxBuffer: 64 * 1_048_576 };
      return (await run(command, args, place)).stdout;
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`${command} ${args.join(' ')}: ${`${stdout}${stderr}`.trim() || error}`);
    }
  }
  const backrest = (...args: string[]): Promise<string> => asOwner('pgbackrest', `--stanza=${stanza}`, ...args);

  function postmaster(): number | null {
    try {
      const pid = Number(readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[0]);
      process.kill(pid, 0);
      return pid;
    } catch {
      return null;
    }
  }

  async function remove(): Promise<void> {
    // of another parent than ours, once it was restored
    if (postmaster() !== null) {
      await asOwner(
        join(server.clientDirectory, 'pg_ctl'),
        ...['stop', '-D', dataDirectory, '-m', 'immediate', '-s', '-w'],
      ).catch(() => {});
    }
    await server.remove();
    rmSync(section, { force: true });
  }

  try {
    for (const folder of [repository, join(directory, 'locks')]) {
      mkdirSync(folder, { mode: 0o750 });
      chownSync(folder, owner.uid, owner.gid);
    }
    mkdirSync(SECTIONS, { recursive: true });
    const lines = Object.entries({
      'repo1-path': repository,
      'lock-path': join(directory, 'locks'),
      'log-level-file': 'off',
      'compress-type': 'zst',
      'start-fast': 'y',
      'pg1-path': dataDirectory,
      'pg1-port': String(server.port),
      'pg1-socket-path': server.socketDirectory,
      ...options.section,
    }).flatMap(([name, value]) => (value === '' ? [] : [`${name}=${value}\n`]));
    // whole at once: others read all sections at any time
    writeFileSync(`${section}.new`, `[${stanza}]\n${lines.join('')}`);
    chmodSync(`${section}.new`, 0o640);
    chownSync(`${section}.new`, owner.uid, owner.gid);
    renameSync(`${section}.new`, section);
    await backrest('stanza-create');
  } catch (error) {
    await remove();
    throw error;
  }

  return {
    ...{ stanza, server, dataDirectory, directory, repository, backrest, asOwner, postmaster, remove },
    sql: (script, database = 'postgres') => server.sql(database, script),
    uri: (database = 'postgres') =>
      `postgresql://postgres@/${encodeURIComponent(database)}?host=${encodeURIComponent(server.socketDirectory)}&port=${server.port}`,
  };
}
