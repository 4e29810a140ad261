import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { type Postgres, quoteIdentifier } from './postgres.js';
import { comesTrue } from './postgres-waiting.js';
import { type Scene, type SceneOptions, startScene } from './scene.js';

const run = promisify(execFile);

/**
 * A scene whose database is one of this PostgreSQL server; `inputs` name it with the password of `admin`. Without options for an sshd
 * has none, and the clients themselves come before Debian's wrapper around them, which is in Perl, and takes longer than they do.
 */
export async function startPostgresScene(
  server: Postgres,
  database: string,
  options: SceneOptions = {},
): Promise<Scene> {
  const transport = options.transport ?? ((options.sshd ?? options.shell) === undefined ? 'local' : 'ssh');
  const path = `${server.clientDirectory}:/usr/local/bin:/usr/bin:/bin`;
  const scene = await startScene({
    mb: 0.1,
    path,
    sshd: { extraConfig: `SetEnv PATH=${path}` },
    ...options,
    transport,
  });
  Object.assign(scene.inputs, { database: server.uri({ database }) });
  return scene;
}

export interface Bank {
  /** How many transfers have been committed. */
  committed(): Promise<number>;
  /** Ends the writers. */
  stop(): Promise<void>;
}

/**
 * Begins to write without a pause into a new schema `bank` of a database. What is committed together must be seen together: money moves
 * between two tables, each transfer is a row of a third one, and every tenth comes with a large object.
 */
export async function startBank(server: Postgres, database: string): Promise<Bank> {
  await server.sql(
    database,
    `CREATE SCHEMA bank;
     CREATE TABLE bank.current (id integer PRIMARY KEY, balance bigint NOT NULL);
     CREATE TABLE bank.savings (id integer PRIMARY KEY, balance bigint NOT NULL);
     CREATE TABLE bank.transfers (writer integer, number integer, amount bigint, receipt oid, PRIMARY KEY (writer, number));
     CREATE TABLE bank.closed ();
     INSERT INTO bank.current SELECT i, 1000 FROM generate_series(1, 50) i;
     INSERT INTO bank.savings SELECT i, 1000 FROM generate_series(1, 50) i;`,
  );
  const write = (writer: number) => `
    CREATE TEMPORARY TABLE of_this_session ();
    DO $do$
    DECLARE
      number integer := 0;
      money integer;
      account integer;
    BEGIN
      LOOP
        EXIT WHEN EXISTS (SELECT FROM bank.closed);
        number := number + 1;
        money := 1 + random() * 100;
        account := 1 + number % 50;
        UPDATE bank.current SET balance = balance - money WHERE id = account;
        UPDATE bank.savings SET balance = balance + money WHERE id = account;
        INSERT INTO bank.transfers VALUES (${writer}, number, money,
          CASE WHEN number % 10 = 0 THEN lo_from_bytea(0, 'receipt') END);
        COMMIT;
        PERFORM pg_sleep(0.001);
      END LOOP;
    END $do$`;
  const writers = Promise.all([1, 2].map((writer) => server.sql(database, write(writer))));
  writers.catch(() => {}); // stop() tells
  const committed = async () => Number(await server.sql(database, 'SELECT count(*) FROM bank.transfers'));
  await comesTrue(server, database, 'EXISTS (SELECT FROM bank.transfers)');
  return {
    committed,
    async stop() {
      await server.sql(database, 'INSERT INTO bank.closed DEFAULT VALUES');
      await writers;
    },
  };
}

/** Takes away what `startBank` made, after its end. */
export async function closeBank(server: Postgres, database: string): Promise<void> {
  await server.sql(
    database,
    'SELECT lo_unlink(receipt) FROM bank.transfers WHERE receipt IS NOT NULL; DROP SCHEMA bank CASCADE',
  );
}

export interface BankBooks {
  /** In all accounts; 100 000 in every snapshot. */
  money: number;
  transfers: number;
  /** Moved by them; in every snapshot equal to what the savings have gained. */
  moved: number;
  gained: number;
  receipts: number;
  /** Of `receipts`, those whose large object is there. */
  found: number;
}

/** The sums that `startBank` keeps. */
export async function booksOf(server: Postgres, database: string): Promise<BankBooks> {
  return JSON.parse(
    await server.sql(
      database,
      `SELECT json_build_object(
        'money', (SELECT sum(balance) FROM bank.current) + (SELECT sum(balance) FROM bank.savings),
        'gained', (SELECT sum(balance - 1000) FROM bank.savings),
        'transfers', count(*), 'moved', sum(amount), 'receipts', count(receipt),
        'found', count(*) FILTER (WHERE EXISTS (SELECT FROM pg_largeobject_metadata WHERE oid = receipt)))
       FROM bank.transfers`,
    ),
  ) as BankBooks;
}

/** Rows of every table that has its own, by schema and name as they are, in the order of the names. */
export async function rowsOf(server: Postgres, database: string): Promise<[name: string, rows: number][]> {
  const lines = await server.sql(
    database,
    `SELECT format('SELECT json_build_array(%L, count(*)) FROM ONLY %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE relkind = 'r' AND relpersistence <> 't' AND nspname !~ '^(pg_|information_schema$)' \\gexec`,
  );
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as [string, number])
    .sort(byName);
}

/** The tables of a manifest in the form of `rowsOf`. */
export function rowsTold(scene: Scene, id: string): [name: string, rows: number | null][] {
  const told = scene.manifest(id).content?.tables ?? [];
  return told.map(({ name, rows }): [string, number | null] => [name, rows]).sort(byName);
}

const byName = ([one]: [string, unknown], [other]: [string, unknown]) => (one < other ? -1 : 1);

/** All definitions: types, views, functions, triggers, grants, comments and so on, as pg_dump writes them. */
export async function definitionsOf(server: Postgres, database: string): Promise<string> {
  const args = ['--schema-only', '-d', server.uri({ database })];
  const { stdout } = await run(join(server.clientDirectory, 'pg_dump'), args, { maxBuffer: 64 * 1_048_576 });
  return stdout.replace(/^\\(un)?restrict .*$/gm, '');
}

/**
 * Restores a backup as the manifest tells a user to: its `recovery` lines as they are, typed by the login user. The database that they
 * make is then given the name `target`. Returns what they said.
 */
export async function recover(
  server: Postgres,
  { user, manifest }: Pick<Scene, 'user' | 'manifest'>,
  id: string,
  target: string,
  password = server.adminPassword,
  env: Record<string, string> = {},
): Promise<string> {
  const { recovery } = manifest(id);
  const said = await typeLines(user, recovery, { ...env, PGPASSWORD: password });
  const [, made = ''] = /CREATE DATABASE "([^"]+)"/.exec(recovery.join('\n')) ?? [];
  await server.sql('postgres', `ALTER DATABASE ${quoteIdentifier(made)} RENAME TO ${quoteIdentifier(target)}`);
  return said;
}

/** Has the login user type these lines, with the password in the environment. */
async function typeLines(user: Scene['user'], lines: string[], env: Record<string, string>): Promise<string> {
  const temporary = mkdtempSync(join(user.home, 'tmp.'));
  await run('chown', [user.name, temporary]);
  try {
    const { stdout, stderr } = await run('su', [user.name, '-s', '/bin/sh', '-c', `set -e\n${lines.join('\n')}`], {
      env: {
        ...{ PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8', TMPDIR: temporary },
        ...env,
      },
    });
    return `${stdout}${stderr}`;
  } finally {
    rmSync(temporary, { recursive: true });
  }
}

/** Loads a backup with the stock tools of this machine into a database that is there, on any server. */
export function loadPayload(server: Postgres, file: string, database: string): void {
  const [, kind = '', packed = ''] = /\.(dump|tar|sql)(?:\.(zst|gz))?$/.exec(basename(file)) ?? [];
  const unpack = { zst: 'zstd -dc', gz: 'gzip -dc' }[packed] ?? 'cat';
  const load = {
    dump: 'pg_restore --exit-on-error -d "$1"',
    sql: 'psql -X -q -v ON_ERROR_STOP=1 -d "$1"',
    tar: 'tar -xf - && pg_restore --exit-on-error -d "$1" dump',
  }[kind];
  const cwd = mkdtempSync(join(tmpdir(), 'dbb-load-'));
  try {
    execFileSync('sh', ['-c', `${unpack} "$0" | (${load})`, file, server.uri({ database })], { cwd, stdio: 'pipe' });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

/** Takes a database away, with whoever is in it. */
export async function drop(server: Postgres, database: string): Promise<void> {
  await server.sql('postgres', `DROP DATABASE ${quoteIdentifier(database)} WITH (FORCE)`);
}

/** Holds what pg_dump waits for, as soon as it resolves; to be released by the function that it returns. */
export async function lockTable(server: Postgres, database: string, table: string): Promise<() => Promise<void>> {
  const held = server.sql(database, `BEGIN; LOCK TABLE ${table}; SELECT pg_sleep(600)`).catch(() => 'ended');
  const holders = `FROM pg_locks WHERE relation = '${table}'::regclass AND mode = 'AccessExclusiveLock' AND granted`;
  await comesTrue(server, database, `EXISTS (SELECT ${holders})`);
  return async () => {
    await server.sql(database, `SELECT pg_terminate_backend(pid) ${holders}`);
    await held;
  };
}
