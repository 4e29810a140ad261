import { execFile, spawn } from 'node:child_process';
import { createHash, createHmac, pbkdf2Sync, randomBytes, randomInt } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { madeOnce } from './made-once.js';
import {
  environment,
  hasSystem,
  ownerOfServers,
  serverPrograms,
  systemPrograms,
  systemVersion,
} from './postgres-programs.js';
import { leftAfter, listProcesses } from './processes.js';

const run = promisify(execFile);

export interface PostgresOptions {
  /** `18`, which is in node_modules and has no clients; default: the newest in Debian's place. */
  version?: string;
  /** Lines of pg_hba.conf before the defaults, of which the first that fits decides. That of `sql()` stands before them. */
  hba?: string[];
  /** Lines of postgresql.conf. */
  settings?: Record<string, string | number | boolean>;
  /** `de_DE`: what the server says is in that language. Default: English. */
  language?: string;
  /** Files of extensions beside those of the system, by their names: the server is then a copy. */
  extensions?: Record<string, string>;
  /** The directory around the data directory belongs to the user of the servers, who may make folders beside it and rename it. */
  renamable?: boolean;
}

export interface UriOptions {
  /** Default: the superuser `admin`, with its password. */
  user?: string;
  password?: string;
  /** Default: `postgres`. */
  database?: string;
  /** Through the Unix socket instead of TCP. */
  socket?: boolean;
  parameters?: Record<string, string>;
}

/**
 * A PostgreSQL cluster of its own, run by the system user `postgres`. By default the socket takes peer, TCP scram-sha-256. It has two
 * superusers: `postgres`, who has no password and comes by peer only, and `admin`, who has one.
 */
export interface Postgres {
  /** The major version, for example `15`. */
  version: string;
  host: '127.0.0.1';
  /** Of TCP, and in the name of the socket. */
  port: number;
  /** Every user of the machine may connect there. */
  socketDirectory: string;
  dataDirectory: string;
  /** Holds `postgres`, `pg_ctl` and `initdb`. */
  binDirectory: string;
  /** Holds `psql`, `pg_dump` and the other clients, of the version in Debian's place. */
  clientDirectory: string;
  adminPassword: string;
  /** Of the postmaster, for signals; throws when it does not run. */
  readonly pid: number;
  uri(options?: UriOptions): string;
  /** Runs a script as the superuser `postgres`: rows by line, columns by `|`. Throws with what psql said at the first error. */
  sql(database: string, script: string): Promise<string>;
  /** `name` is taken literally; `clauses` is SQL, for example `OWNER x TEMPLATE template0 ENCODING 'LATIN1'`. */
  createDatabase(name: string, clauses?: string): Promise<void>;
  /** A role that may log in; without a password (null) by peer only. `attributes` is SQL, for example `CREATEDB`. */
  createRole(name: string, password: string | null, attributes?: string): Promise<void>;
  /** The sessions of clients, in all databases or in one, apart from the one that asks. */
  backendPids(database?: string): Promise<number[]>;
  /** What the server has said. */
  log(): string;
  /**
   * `fast` (the default) ends the sessions; `immediate` crashes, so that the next start recovers; `kill` is a SIGKILL for the postmaster.
   * Ends also what is paused by SIGSTOP, and resolves when no process is left.
   */
  stop(mode?: StopMode): Promise<void>;
  /** Starts again at the same port; throws when it runs. */
  start(): Promise<void>;
  /** A hot standby that follows this server and is removed with it, if not before. Not for servers newer than the clients. */
  standby(): Promise<Postgres>;
  /** Ends every process of it and removes the directory. */
  remove(): Promise<void>;
}

export type StopMode = 'fast' | 'immediate' | 'kill';
const STOP_SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const;

const FAST_SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  shared_buffers: '32MB',
  max_wal_size: '1GB',
  autovacuum: 'off',
  // for the few slow statements of the tests it costs more than it saves
  jit: 'off',
  listen_addresses: '127.0.0.1',
  // In the data directory: in /dev/shm a killed server leaves it behind.
  dynamic_shared_memory_type: 'mmap',
  log_connections: 'on',
};

/** Starts a new cluster; needs root. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const version = options.version ?? systemVersion();
  const directory = newDirectory();
  if (options.renamable === true) chownSync(directory, ownerOfServers().uid, ownerOfServers().gid);
  let binDirectory: string;
  try {
    binDirectory = serverPrograms(version, directory, options.extensions);
    await initialise(binDirectory, directory, options);
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  const adminPassword = randomBytes(8).toString('hex');
  const server = await startIn({ version, binDirectory, directory, adminPassword });
  try {
    await server.createRole('admin', adminPassword, 'SUPERUSER');
  } catch (error) {
    await server.remove();
    throw error;
  }
  return server;
}

async function initialise(binDirectory: string, directory: string, options: PostgresOptions): Promise<void> {
  const dataDirectory = join(directory, 'data');
  const version = options.version ?? systemVersion();
  if (hasSystem(version)) await copyCluster(version, binDirectory, dataDirectory);
  else await newCluster(binDirectory, dataDirectory);
  const { language } = options;
  const messages = language === undefined ? {} : { lc_messages: await makeLocale(language, directory) };
  const settings = Object.entries({ ...FAST_SETTINGS, ...messages, ...options.settings });
  appendFileSync(
    join(dataDirectory, 'postgresql.conf'),
    settings.map(([name, value]) => `${name} = ${quoteLiteral(String(value))}\n`).join(''),
  );
  const rules = [
    'local all,replication postgres peer',
    ...(options.hba ?? []),
    'local all all peer',
    'host all,replication all 127.0.0.1/32 scram-sha-256',
  ];
  writeFileSync(join(dataDirectory, 'pg_hba.conf'), `${rules.join('\n')}\n`);
}

async function newCluster(binDirectory: string, dataDirectory: string): Promise<void> {
  await run(
    join(binDirectory, 'initdb'),
    ['--no-sync', '--username=postgres', '--auth=peer', '--encoding=UTF8', '--locale=C.UTF-8', '-D', dataDirectory],
    { ...ownerOfServers(), cwd: '/', env: environment() },
  );
}

/** initdb takes a second, a copy of what it makes a tenth of that. */
async function copyCluster(version: string, binDirectory: string, dataDirectory: string): Promise<void> {
  const owner = ownerOfServers();
  const template = await madeOnce(`postgres-${version}`, async (path) => {
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, owner.uid, owner.gid);
    await newCluster(binDirectory, path);
  });
  await run('cp', ['-a', '--reflink=auto', `${template}/.`, dataDirectory]);
  // The first eight bytes are the number by which a cluster differs from all others; pg_resetwal makes the rest fit to them.
  const control = openSync(join(dataDirectory, 'global/pg_control'), 'r+');
  writeSync(control, Buffer.concat([randomBytes(7), Buffer.of(1)]));
  closeSync(control);
  await run(join(systemPrograms(version), 'pg_resetwal'), ['-f', '-D', dataDirectory], { ...owner, cwd: '/' });
}

/** Of the sources in Debian's package `locales`, for this server alone. Returns its name. */
async function makeLocale(language: string, directory: string): Promise<string> {
  const name = `${language}.UTF-8`;
  mkdirSync(join(directory, LOCALES));
  await run('localedef', ['-i', language, '-f', 'UTF-8', join(directory, LOCALES, name)]);
  return name;
}

/** The folder of a server's own locales, where it has any. */
const LOCALES = 'locales';

type Place = Pick<Postgres, 'version' | 'binDirectory' | 'adminPassword'> & { directory: string };

/** Starts the cluster that lies in `data` below the directory, and removes the directory when that fails. */
async function startIn({ version, binDirectory, directory, adminPassword }: Place): Promise<Postgres> {
  const owner = ownerOfServers();
  const clientDirectory = systemPrograms();
  const dataDirectory = join(directory, 'data');
  const socketDirectory = join(directory, 'socket');
  const logFile = join(directory, 'log');
  const locales = existsSync(join(directory, LOCALES)) ? { LOCPATH: join(directory, LOCALES) } : {};
  const standbys: Postgres[] = [];
  let postmaster: { pid: number; ended: Promise<void>; alive(): boolean } | null = null;
  let port: number | null = null;

  /** One attempt; null when the port is taken. */
  async function launch(onPort: number): Promise<typeof postmaster> {
    const from = readFileSync(logFile).length;
    const log = openSync(logFile, 'a');
    const child = spawn(
      join(binDirectory, 'postgres'),
      ['-D', dataDirectory, '-p', String(onPort), '-k', socketDirectory],
      { ...owner, cwd: directory, env: { ...environment(), ...locales }, stdio: ['ignore', log, log] },
    );
    closeSync(log);
    let failure = '';
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', (error) => {
        failure = error.message;
        resolve();
      });
    });
    const alive = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
    for (const end = Date.now() + 30_000; ; await sleep(5)) {
      // A killed server leaves its file, so the pid has to be ours.
      const lines = readIfThere(join(dataDirectory, 'postmaster.pid')).split('\n');
      if (child.pid !== undefined && Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready') {
        return { pid: child.pid, ended, alive };
      }
      if (alive() && Date.now() < end) continue;
      child.kill('SIGKILL');
      await ended;
      const said = readFileSync(logFile).subarray(from).toString();
      if (/could not create any TCP\/IP sockets/.test(said)) return null;
      throw new Error(
        `PostgreSQL ${version} did not start: ${failure || said.trim() || 'nothing in its log after 30 s'}`,
      );
    }
  }

  async function start(): Promise<void> {
    if (postmaster?.alive() === true) throw new Error('the server runs; stop() it before');
    postmaster = null;
    for (let attempt = 1; postmaster === null; attempt += 1) {
      // Below the ports that the kernel gives to clients: nobody else takes it while the server is stopped.
      const candidate: number = port ?? randomInt(15_000, 32_000);
      postmaster = await launch(candidate);
      if (postmaster !== null) port = candidate;
      else if (attempt === 20) throw new Error(`PostgreSQL ${version} found no free port, at last ${candidate}`);
      else await sleep(port === null ? 0 : 100);
    }
  }

  async function stop(mode: StopMode = 'fast'): Promise<void> {
    if (postmaster?.alive() === true) {
      signal(postmaster.pid, STOP_SIGNALS[mode]);
      for (const { pid } of ownProcesses()) signal(pid, 'SIGCONT');
      await postmaster.ended;
    }
    // After a SIGKILL the others notice by themselves, in a moment.
    for (const { pid } of await leftAfter(ownProcesses)) signal(pid, 'SIGKILL');
    await leftAfter(ownProcesses);
  }

  const ownProcesses = () => listProcesses().filter(({ cwd }) => cwd.startsWith(dataDirectory));

  async function remove(): Promise<void> {
    await Promise.all(standbys.map((standby) => standby.remove()));
    await stop('immediate');
    // Line 7 of the file that only a killed server leaves: key and id of its System V segment, which would stay for ever.
    const segment = readIfThere(join(dataDirectory, 'postmaster.pid')).split('\n')[6]?.trim().split(/\s+/)[1];
    if (segment !== undefined) await run('ipcrm', ['-m', segment]).catch(() => {});
    rmSync(directory, { recursive: true, force: true });
  }

  async function sql(database: string, script: string): Promise<string> {
    const running = run(join(clientDirectory, 'psql'), ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'], {
      ...owner,
      cwd: directory,
      maxBuffer: 64 * 1_048_576,
      // As a variable the name is taken literally; as an argument `x=y` and `postgresql://` would be something else.
      env: {
        ...environment(),
        PGHOST: socketDirectory,
        PGPORT: String(port),
        PGUSER: 'postgres',
        PGDATABASE: database,
        PGCLIENTENCODING: 'UTF8',
        PGOPTIONS: '-c client_min_messages=warning',
      },
    });
    // psql that could not connect does not read.
    running.child.stdin?.on('error', () => {}).end(script);
    try {
      return (await running).stdout.replace(/\n$/, '');
    } catch (error) {
      throw new Error(`psql on ${database}: ${(error as { stderr?: string }).stderr?.trim() || error}`);
    }
  }

  try {
    await start();
  } catch (error) {
    await remove();
    throw error;
  }
  if (port === null) throw new Error('no port');
  const fixedPort: number = port;

  return {
    version,
    host: '127.0.0.1',
    port: fixedPort,
    socketDirectory,
    dataDirectory,
    binDirectory,
    clientDirectory,
    adminPassword,
    get pid() {
      if (postmaster?.alive() !== true) throw new Error('the server does not run');
      return postmaster.pid;
    },
    uri(options = {}) {
      const user = options.user ?? 'admin';
      const password = options.password ?? (options.user === undefined && !options.socket ? adminPassword : undefined);
      const login = [user, ...(password === undefined ? [] : [password])].map(encodeURIComponent).join(':');
      const parameters = Object.entries({
        ...(options.socket ? { host: socketDirectory, port: String(fixedPort) } : {}),
        ...options.parameters,
      }).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
      const place = options.socket ? '' : `127.0.0.1:${fixedPort}`;
      const path = encodeURIComponent(options.database ?? 'postgres');
      return `postgresql://${login}@${place}/${path}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`;
    },
    sql,
    async createDatabase(name, clauses = '') {
      await sql('postgres', `CREATE DATABASE ${quoteIdentifier(name)} ${clauses}`);
    },
    async createRole(name, password, attributes = '') {
      const secret = password === null ? '' : `PASSWORD ${quoteLiteral(verifierOf(password))}`;
      await sql('postgres', `CREATE ROLE ${quoteIdentifier(name)} LOGIN ${secret} ${attributes}`);
    },
    async backendPids(database) {
      const where = database === undefined ? '' : `AND datname = ${quoteLiteral(database)}`;
      const answer = await sql(
        'postgres',
        `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ${where} ORDER BY 1`,
      );
      return answer.split('\n').filter(Boolean).map(Number);
    },
    log: () => readFileSync(logFile, 'utf8'),
    stop,
    start,
    async standby() {
      const place = newDirectory();
      try {
        await run(
          join(clientDirectory, 'pg_basebackup'),
          [
            '-h',
            socketDirectory,
            '-p',
            String(fixedPort),
            '-U',
            'postgres',
            '-c',
            'fast',
            '--no-sync',
            '-R',
            '-w',
          ].concat('-D', join(place, 'data')),
          { ...owner, cwd: place, env: environment() },
        );
      } catch (error) {
        rmSync(place, { recursive: true, force: true });
        throw error;
      }
      if (existsSync(join(directory, LOCALES))) {
        cpSync(join(directory, LOCALES), join(place, LOCALES), { recursive: true });
      }
      const standby = await startIn({ version, binDirectory, directory: place, adminPassword });
      standbys.push(standby);
      return standby;
    },
    remove,
  };
}

/** A directory for one server, with what has to be there before initdb. The path is short: that of a socket ends at 107 bytes. */
function newDirectory(): string {
  const { uid, gid } = ownerOfServers();
  const directory = mkdtempSync(join(tmpdir(), 'dbb-pg-'));
  chmodSync(directory, 0o755);
  for (const [name, mode] of [
    ['data', 0o700],
    ['socket', 0o755],
  ] as const) {
    mkdirSync(join(directory, name), { mode });
    chownSync(join(directory, name), uid, gid);
  }
  writeFileSync(join(directory, 'log'), '');
  return directory;
}

/** What the server keeps of a password: made with one round, not 4096, each of which every connection would pay for. */
function verifierOf(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, 1, 32, 'sha256');
  const key = (name: string) => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(key('Client Key')).digest('base64');
  return `SCRAM-SHA-256$1:${salt.toString('base64')}$${stored}:${key('Server Key').toString('base64')}`;
}

/** `"name"`, whatever the name. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `'text'`, whatever the text. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself in between.
  }
}
