import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { leftDatabases } from '../helpers/postgres-restores.js';
import type { ActionResult } from '../helpers/run-action.js';
import type { Scene } from '../helpers/scene.js';
import { journals, lostInCheck } from '../helpers/unfinished.js';

// A restore that was cut off is about what the database is, not about how the run that finds it gets there.

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  scene = await startPostgresScene(server, 'app');
  await server.sql(
    'postgres',
    `CREATE ROLE owner LOGIN CREATEDB PASSWORD 'owner'; CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT pg_read_all_data TO reader;
     CREATE ROLE blind LOGIN PASSWORD 'blind'; GRANT pg_read_all_data TO blind`,
  );
  for (const name of ['app', 'staging']) {
    await server.sql('postgres', `CREATE DATABASE ${name} OWNER owner`);
    await server.sql(name, 'SET ROLE owner; CREATE TABLE t AS SELECT 1 AS n');
  }
  expectBackup(await scene.run({ database: as('owner') }));
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

const as = (user: string, more: object = {}): string => server.uri({ user, password: user, database: 'app', ...more });
const lost = (inputs = {}) => lostInCheck(scene, { database: as('owner'), confirm: 'app', ...inputs });
const warnings = (result: ActionResult): string =>
  result.annotations.flatMap(({ level, message }) => (level === 'warning' ? [message] : [])).join('\n');

test('found by another role, through another name of the server: it is finished, and what that role may not do is told', async () => {
  const { clean } = await lost();
  const left = await leftDatabases(server);
  expect(left).toMatch(/^db_backup_old_\w+$/);
  const result = await scene.run({ database: as('reader', { host: 'localhost' }) });
  expectBackup(result);
  expect(warnings(result)).toMatch(/was cut off .*the database is the restored one/);
  expect(warnings(result)).toMatch(new RegExp(`As its owner: DROP DATABASE ${left}`));
  expect(journals(scene.directory)).toEqual([]);
  await clean();
  await server.sql('postgres', `DROP DATABASE ${left}`);
});

test('the same role through another name of the server: nothing is left', async () => {
  const { clean } = await lost();
  expectBackup(await scene.run({ database: as('owner', { host: 'localhost' }) }));
  expect(journals(scene.directory)).toEqual([]);
  expect(await leftDatabases(server)).toBe('');
  await clean();
});

test('of a database of another name: the backup goes on, and does not touch what is left there', async () => {
  const { journal, clean } = await lost({
    ...{ 'restore-to': as('owner', { database: 'staging' }), confirm: 'staging', 'allow-other-target': 'true' },
  });
  const left = await leftDatabases(server);
  const result = await scene.run({ database: as('owner') });
  expectBackup(result);
  expect(warnings(result)).toMatch(/about another database, so this run goes on/);
  expect(journals(scene.directory)).toEqual([journal]);
  expect(await leftDatabases(server)).toBe(left);
  await clean();
  expect(await leftDatabases(server)).toBe('');
});

test('of the same name on another server: the identifiers of the servers tell them apart', async () => {
  const { journal, clean } = await lost();
  const other = await startPostgres();
  try {
    await other.createDatabase('app');
    await other.sql('app', 'CREATE TABLE t AS SELECT 1 AS n');
    const result = await scene.run({ database: other.uri({ database: 'app' }) });
    expectBackup(result);
    expect(warnings(result)).toMatch(/about another database, so this run goes on/);
    expect(journals(scene.directory)).toEqual([journal]);
  } finally {
    await other.remove();
    await clean();
  }
  expect(await leftDatabases(server)).toBe('');
});

test('a copy of the whole server has its identifier, and is another one all the same', async () => {
  expectBackup(await scene.run({ database: as('owner') }));
  const staging = await server.standby();
  try {
    await staging.sql('postgres', 'SELECT pg_promote()');
    const { journal, clean } = await lost({
      ...{ 'restore-to': staging.uri({ user: 'owner', password: 'owner', database: 'app' }) },
    });
    expectFailure(
      await scene.run({ database: as('owner') }),
      'E_UNFINISHED',
      'it is unclear whether that is the database of this run',
    );
    expect(journals(scene.directory)).toEqual([journal]);
    await clean();
    expect(await leftDatabases(staging)).toBe('');
  } finally {
    await staging.remove();
  }
});

test('a role that may not know the identifier, and another name of the server: nobody can tell, and settle-unfinished does', async () => {
  expectBackup(await scene.run({ database: as('owner') })); // the newest one is of the other server
  const { clean } = await lost();
  const left = await leftDatabases(server);
  await server.sql('app', 'REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public');
  await server.sql('postgres', 'REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public');
  const database = as('blind', { host: 'localhost' });
  expectFailure(
    await scene.run({ database }),
    'E_UNFINISHED',
    'was cut off',
    'it is unclear whether that is the database of this run',
    'db_backup_old_',
    'settle-unfinished: true',
  );
  expect(await leftDatabases(server)).toBe(left);
  expectBackup(await scene.run({ database, 'settle-unfinished': 'true' }));
  expectBackup(await scene.run({ database }));
  expect(await leftDatabases(server)).toBe(left);
  await clean();
  await server.sql('postgres', `DROP DATABASE ${left}`);
});
