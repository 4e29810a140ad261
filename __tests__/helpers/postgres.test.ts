import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Postgres, startPostgres } from './postgres.js';
import { bigTable, contentsOf, fillSample, SAMPLE_ROLES } from './postgres-sample.js';
import { leftAfter, processesMentioning } from './processes.js';
import { createUser } from './users.js';

const run = promisify(execFile);

/** `psql` as a user would call it, with nothing of the helper's own way in. */
async function ask(server: Postgres, uri: string, query: string, user?: { uid: number; gid: number }): Promise<string> {
  const args = ['-X', '-A', '-t', '-w', '-d', uri, '-c', query];
  const { stdout } = await run(join(server.clientDirectory, 'psql'), args, { ...user, env: {}, cwd: '/' });
  return stdout.trim();
}

/** Through a dump of the whole and into a new database. */
async function dumpAndRestore(server: Postgres, from: string, to: string): Promise<void> {
  const env = { PGHOST: server.host, PGPORT: String(server.port), PGUSER: 'admin', PGPASSWORD: server.adminPassword };
  const archive = join(server.socketDirectory, 'archive');
  await run(join(server.clientDirectory, 'pg_dump'), ['-Fc', '-f', archive], { env: { ...env, PGDATABASE: from } });
  await server.createDatabase(to, 'TEMPLATE template0');
  await run(join(server.clientDirectory, 'pg_restore'), ['-e', '-d', to, archive], { env });
}

describe('one server', () => {
  let server: Postgres;

  beforeAll(async () => {
    server = await startPostgres({ settings: { work_mem: '3MB' } });
  });

  afterAll(async () => {
    await server.remove();
  });

  test('logins: by password over TCP, by name over the socket, and no other', async () => {
    const password = 'p@ss:w/ord ?#%&=\'"\\ ü';
    await server.createRole('role @:/ ü', password);
    const user = await createUser();
    try {
      await server.createRole(user.name, null, 'CREATEDB');
      const who = 'SELECT current_user, rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user';
      await expect(ask(server, server.uri(), who)).resolves.toBe('admin|t|f');
      await expect(ask(server, server.uri({ user: 'role @:/ ü', password }), who)).resolves.toBe('role @:/ ü|f|f');
      await expect(ask(server, server.uri({ user: 'role @:/ ü', password: 'wrong' }), who)).rejects.toThrow(
        'password authentication failed',
      );
      await expect(ask(server, server.uri({ user: user.name }), who)).rejects.toThrow('no password supplied');
      const local = server.uri({ user: user.name, socket: true, parameters: { connect_timeout: '5' } });
      await expect(ask(server, local, who, user)).resolves.toBe(`${user.name}|f|t`);
      await expect(ask(server, local, who)).rejects.toThrow('Peer authentication failed');
      await expect(ask(server, server.uri({ user: 'postgres', socket: true }), who, user)).rejects.toThrow('Peer');
      expect(server.log()).toContain('connection authorized: user=admin');
    } finally {
      await user.remove();
    }
  });

  test('settings reach the server', async () => {
    await expect(server.sql('postgres', 'SHOW work_mem; SHOW fsync; SHOW shared_buffers')).resolves.toBe(
      '3MB\noff\n32MB',
    );
  });

  test.each([
    'x=y',
    '-x',
    'postgresql://u:p@elsewhere:1/db',
    `it's "quoted"`,
    'blanks and\nlines',
    'ünï — 漢字 😀',
    '$(id) `id` \\ %41',
  ])('a database of the name %j', async (name) => {
    await server.createDatabase(name, "OWNER admin TEMPLATE template0 ENCODING 'UTF8'");
    await expect(server.sql(name, 'SELECT current_database()')).resolves.toBe(name);
    await expect(ask(server, server.uri({ database: name }), 'SELECT current_database()')).resolves.toBe(name);
  });

  test('what psql says is in the error', async () => {
    await expect(server.sql('postgres', 'SELECT 1;\nSELECT nothing')).rejects.toThrow(
      /psql on postgres: .*:2: ERROR: {2}column "nothing" does not exist/,
    );
    await expect(server.sql('missing', 'SELECT 1')).rejects.toThrow('database "missing" does not exist');
  });

  test('sessions are known by database', async () => {
    await server.createDatabase('sessions');
    const session = ask(server, server.uri({ database: 'sessions' }), 'SELECT pg_sleep(60)').catch(() => 'ended');
    let pids: number[] = [];
    while (pids.length === 0) pids = await server.backendPids('sessions');
    expect(pids).toHaveLength(1);
    expect(await server.backendPids()).toEqual(expect.arrayContaining(pids));
    expect(await server.backendPids('postgres')).toEqual([]);
    process.kill(pids[0] as number, 'SIGTERM');
    await expect(session).resolves.toBe('ended');
  });

  test('the sample is the same after a dump and a restore, and a difference is seen', async () => {
    const name = `the "sample" x=y it's`;
    await fillSample(server, name);
    const contents = await contentsOf(server, name);
    expect(Object.keys(contents.tables).length).toBeGreaterThan(15);
    expect(contents.tables['shop.orders_2025']?.rows).toBe(973);
    expect(contents.tables['shop.changes']?.rows).toBe(101);
    expect(contents.sequences['shop.receipts']).toBe(1025);
    expect(contents.largeObjects['4711']).toMatch(/^20000 /);
    await expect(server.sql(name, 'SHOW statement_timeout')).resolves.toBe('90min');

    await dumpAndRestore(server, name, 'restored');
    expect(await contentsOf(server, 'restored')).toEqual(contents);

    await server.sql('restored', "UPDATE shop.customers SET extra = jsonb_set(extra, '{n}', '7') WHERE id = 150");
    const changed = await contentsOf(server, 'restored');
    expect(changed.tables['shop.customers']).not.toEqual(contents.tables['shop.customers']);
    expect(changed.tables['shop.orders_2025']).toEqual(contents.tables['shop.orders_2025']);
  });

  test('a second sample, in a database that is there, may belong to somebody else', async () => {
    await server.createRole('its owner', 'secret');
    await server.createDatabase('theirs');
    await fillSample(server, 'theirs', 'its owner');
    const owners = `SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'shop'::regnamespace`;
    await expect(server.sql('theirs', owners)).resolves.toBe('its owner');
    const reader = `SELECT has_table_privilege('${SAMPLE_ROLES.reader}', 'shop.customers', 'SELECT')`;
    await expect(server.sql('theirs', reader)).resolves.toBe('t');
  });

  test('big tables are as big as asked for, and as hard to compress', async () => {
    await server.createDatabase('big');
    await bigTable(server, 'big', 10);
    await bigTable(server, 'big', 10, { name: 'same', rows: 'same' });
    for (const table of ['big', 'same']) {
      const bytes = Number(await server.sql('big', `SELECT pg_table_size('${table}')`));
      expect(Math.abs(bytes / 10_485_760 - 1)).toBeLessThan(0.1);
    }
    const packed = async (table: string) => {
      const archive = join(server.socketDirectory, table);
      const args = ['-Fc', '-Z1', '-t', table, '-f', archive, '-d', server.uri({ database: 'big' })];
      await run(join(server.clientDirectory, 'pg_dump'), args);
      return statSync(archive).size;
    };
    expect(await packed('big')).toBeGreaterThan(7_000_000);
    expect(await packed('same')).toBeLessThan(500_000);
  });
});

test('rules of the test decide before the defaults', async () => {
  const server = await startPostgres({ hba: ['host all all 127.0.0.1/32 reject', 'local all admin trust'] });
  try {
    await expect(ask(server, server.uri(), 'SELECT 1')).rejects.toThrow('pg_hba.conf rejects connection');
    await expect(ask(server, server.uri({ user: 'admin', socket: true }), 'SELECT 1')).resolves.toBe('1');
    await expect(server.sql('postgres', 'SELECT 1')).resolves.toBe('1');
  } finally {
    await server.remove();
  }
});

test('stopped, crashed, killed or paused, a server keeps its port and its data, and leaves nothing', async () => {
  const server = await startPostgres();
  let segment: string | undefined;
  try {
    await server.sql('postgres', 'CREATE TABLE t AS SELECT 1 AS one');
    const first = server.pid;
    for (const end of [
      () => server.stop(),
      () => server.stop('immediate'),
      () => server.stop('kill'),
      () => {
        process.kill(server.pid, 'SIGSTOP');
        return server.stop();
      },
    ]) {
      await end();
      expect(processesMentioning(server.dataDirectory)).toEqual([]);
      expect(() => server.pid).toThrow('does not run');
      await expect(ask(server, server.uri(), 'SELECT 1')).rejects.toThrow('Connection refused');
      await server.start();
      await expect(server.start()).rejects.toThrow('the server runs');
      await expect(ask(server, server.uri(), 'TABLE t')).resolves.toBe('1');
    }
    expect(server.pid).not.toBe(first);
    segment = readFileSync(join(server.dataDirectory, 'postmaster.pid'), 'utf8').split(/\s+/)[7];
    expect(segment).toMatch(/^\d+$/);
    process.kill(server.pid, 'SIGKILL');
  } finally {
    await server.remove();
  }
  expect(await leftAfter(() => processesMentioning(server.dataDirectory))).toEqual([]);
  expect(existsSync(server.dataDirectory)).toBe(false);
  expect(existsSync(join(server.dataDirectory, '..'))).toBe(false);
  const segments = (await run('ipcs', ['-m'])).stdout.split('\n').map((line) => line.split(/\s+/)[1]);
  expect(segments).toContain('shmid');
  expect(segments).not.toContain(segment);
});

test('a standby follows in recovery, and goes with its primary', async () => {
  const server = await startPostgres();
  let standby: Postgres;
  try {
    await server.createDatabase('shop');
    standby = await server.standby();
    await expect(server.sql('shop', 'SELECT pg_is_in_recovery()')).resolves.toBe('f');
    await expect(standby.sql('shop', 'SELECT pg_is_in_recovery()')).resolves.toBe('t');
    await expect(ask(standby, standby.uri(), 'SELECT pg_is_in_recovery()')).resolves.toBe('t');
    await server.sql('shop', 'CREATE TABLE later AS SELECT 42 AS n');
    while ((await standby.sql('shop', "SELECT to_regclass('later')")) === '') await sleep(10);
    await expect(standby.sql('shop', 'TABLE later')).resolves.toBe('42');
  } finally {
    await server.remove();
  }
  const left = () => [server, standby].flatMap(({ dataDirectory }) => processesMentioning(dataDirectory));
  expect(await leftAfter(left)).toEqual([]);
  expect([server, standby].filter(({ dataDirectory }) => existsSync(dataDirectory))).toEqual([]);
});

test('a newer server than the clients of the system', async () => {
  const server = await startPostgres({ version: '18' });
  try {
    await expect(server.sql('postgres', 'SHOW server_version_num')).resolves.toMatch(/^18\d{4}$/);
    await expect(ask(server, server.uri(), 'SHOW server_version_num')).resolves.toMatch(/^18\d{4}$/);
    await fillSample(server, 'sample');
    expect((await contentsOf(server, 'sample')).tables['shop.customers']?.rows).toBe(200);
    await expect(dumpAndRestore(server, 'sample', 'copy')).rejects.toThrow(
      'aborting because of server version mismatch',
    );
  } finally {
    await server.remove();
  }
  expect(existsSync(join(server.dataDirectory, '..'))).toBe(false);
});

test('many start at the same time; a bad setting is an error that names it and leaves nothing', async () => {
  const servers = await Promise.all(Array.from({ length: 4 }, () => startPostgres()));
  try {
    expect(new Set(servers.map(({ port }) => port)).size).toBe(4);
    const dirs = await Promise.all(servers.map((one) => ask(one, one.uri(), 'SHOW data_directory')));
    expect(dirs).toEqual(servers.map(({ dataDirectory }) => dataDirectory));
  } finally {
    await Promise.all(servers.map((one) => one.remove()));
  }
  await expect(startPostgres({ settings: { max_connections: 'many' } })).rejects.toThrow(
    'invalid value for parameter "max_connections": "many"',
  );
  await expect(startPostgres({ version: '9' })).rejects.toThrow('there is no PostgreSQL 9');
});
