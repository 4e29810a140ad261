import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { sessionsLeft } from '../helpers/postgres-refusal.js';
import type { ActionResult } from '../helpers/run-action.js';
import { reportOf, type Scene } from '../helpers/scene.js';

// `command: doctor` with PostgreSQL: what a role may do, and the statements that give no more than is needed.

const PASSWORD = 'only-for-this-test';
const DATABASE = `the "shop"`;
let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase(DATABASE);
  await server.createRole('owner', PASSWORD);
  await server.sql(
    DATABASE,
    `CREATE SCHEMA inner_rooms; CREATE TABLE inner_rooms.customers AS SELECT 1 AS id; CREATE SEQUENCE inner_rooms.numbers; SELECT lo_create(0);
     ALTER SCHEMA inner_rooms OWNER TO owner; ALTER TABLE inner_rooms.customers OWNER TO owner; ALTER SEQUENCE inner_rooms.numbers OWNER TO owner;
     ALTER DATABASE "the ""shop""" OWNER TO owner;`,
  );
  scene = await startPostgresScene(server, DATABASE);
  Object.assign(scene.inputs, { name: 'shop' });
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
});

const doctor = (inputs: Record<string, string> = {}) => scene.run({ command: 'doctor', ...inputs });
const as = (user: string) => server.uri({ database: DATABASE, user, password: PASSWORD });
const rights = (result: ActionResult) => reportOf(result).checked.find(({ what }) => what === 'Rights in the database');
const statements = (result: ActionResult): string =>
  reportOf(result).setUp.find(({ title }) => title.includes('a role that may read'))?.text ?? '';

test('a superuser is a warning; the statements for a role of its own are enough for a backup, and for health', async () => {
  const result = await doctor();
  expect(result.code).toBe(0);
  expect(rights(result)).toMatchObject({ level: 'warning', found: expect.stringContaining('is a superuser') });
  const sql = statements(result);
  expect(sql).toContain('CREATE ROLE db_backup LOGIN;');
  expect(sql).toContain('GRANT CONNECT ON DATABASE "the ""shop""" TO db_backup;');
  await server.sql(DATABASE, `${sql}\nALTER ROLE db_backup PASSWORD '${PASSWORD}';`);

  const database = as('db_backup');
  expectBackup(await scene.run({ database, verify: 'content' }));
  const health = await scene.run({ command: 'health', database });
  expect(health.outputs.healthy).toBe('true');
  expect(reportOf(health).notes).toEqual([]);

  const again = await doctor({ database });
  expect(rights(again)).toMatchObject({
    level: 'ok',
    found: expect.stringMatching(/^db_backup does not own the database: .*; sees the sessions of others/),
  });
  expect(statements(again)).not.toContain('CREATE ROLE');
  expect(await sessionsLeft(server)).toEqual([]);
  expect(`${again.visible}${again.summary}`).not.toContain(PASSWORD);
});

test('an owner: whether a restore swaps or is one in place', async () => {
  expect(rights(await doctor({ database: as('owner') }))?.found).toMatch(
    /^owner owns the database and may not create others \(CREATEDB\): a restore is done in place/,
  );
  await server.sql('postgres', 'ALTER ROLE owner CREATEDB');
  expect(rights(await doctor({ database: as('owner') }))?.found).toMatch(
    /may create others: a restore loads beside it/,
  );
});

test('a role that may not read everything: how much, and the statements', async () => {
  await server.createRole('blind', PASSWORD);
  const result = await doctor({ database: as('blind') });
  expect(rights(result)).toMatchObject({
    level: 'warning',
    found: expect.stringMatching(/^blind may not read 2 tables or sequences: a backup fails/),
  });
  await server.sql(DATABASE, statements(result));
  expect(rights(await doctor({ database: as('blind') }))?.level).toBe('ok');
});

test('a server that is not there, and a password that is wrong, are rows', async () => {
  const database = server.uri({ database: DATABASE }).replace(`:${server.port}/`, ':1/');
  const result = await doctor({ database });
  expect(result).toMatchObject({ code: 1, outputs: { 'error-code': 'E_UNHEALTHY' } });
  expect(reportOf(result).checked.find(({ what }) => what === 'Database')).toMatchObject({
    ...{ level: 'error', code: 'E_CONNECT' },
  });
  const wrong = await doctor({ database: server.uri({ database: DATABASE, user: 'owner', password: 'not-it' }) });
  expect(reportOf(wrong).checked.find(({ what }) => what === 'Database')).toMatchObject({ code: 'E_AUTH' });
});
