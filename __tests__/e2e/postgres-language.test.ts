import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { drop, lockTable, startPostgresScene } from '../helpers/postgres-backups.js';
import { expectRefusal } from '../helpers/postgres-refusal.js';
import { bigTable } from '../helpers/postgres-sample.js';
import { comesTrue } from '../helpers/postgres-waiting.js';
import { sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';

// A server that speaks German: what it says tells us nothing.

type Inputs = Record<string, string>;
const secret = randomBytes(8).toString('hex');

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres({
    language: 'de_DE',
    settings: { max_connections: 20, max_standby_streaming_delay: 0 },
    hba: ['host rejected all 127.0.0.1/32 reject'],
  });
  for (const name of ['shop', 'rejected', 'closed', 'full', 'forbidden']) await server.createDatabase(name);
  for (const role of ['app', 'reader', 'asleep']) await server.createRole(role, secret);
  await server.sql(
    'shop',
    `ALTER DATABASE closed ALLOW_CONNECTIONS false;
     ALTER DATABASE "full" CONNECTION LIMIT 0;
     REVOKE CONNECT ON DATABASE forbidden FROM PUBLIC;
     ALTER ROLE asleep NOLOGIN;
     CREATE TABLE customers AS SELECT i AS id FROM generate_series(1, 10) i;
     ALTER TABLE customers OWNER TO app;`,
  );
  scene = await startPostgresScene(server, 'shop');
  expectBackup(await scene.run({ database: as('app') }));
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

const as = (user: string, database = 'shop', password = secret) => server.uri({ user, password, database });
const refused = (inputs: Inputs, code: string, ...says: (string | RegExp)[]) =>
  expectRefusal({ server, scene, secrets: [secret] }, () => scene.run(inputs), code, ...says);

test('the server of these tests does', async () => {
  await expect(server.sql('shop', 'SELECT 1 / 0')).rejects.toThrow('Division durch Null');
});

describe('a connection that it refuses', () => {
  test.each([
    [
      'a wrong password',
      () => as('app', 'shop', 'wrong'),
      'E_AUTH',
      'did not let app in: ',
      'fehlgeschlagen',
      'pg_hba.conf',
    ],
    ['a role that is not there', () => as('nobody'), 'E_AUTH', 'did not let nobody in: ', 'fehlgeschlagen'],
    ['a role that may not log in', () => as('asleep'), 'E_AUTH', 'did not let asleep in: ', 'Rolle »asleep«'],
    ['a line that rejects', () => as('app', 'rejected'), 'E_AUTH', 'did not let app in: ', 'lehnt Verbindung ab'],
    ['another user of the system', () => socket('app'), 'E_AUTH', 'did not let app in: ', 'Peer'],
    [
      'no such database',
      () => as('app', 'shops'),
      'E_SOURCE_MISSING',
      'there is no database "shops"',
      'existiert nicht',
    ],
    [
      'no right to connect',
      () => as('app', 'forbidden'),
      'E_PERM',
      'Berechtigung',
      '`GRANT CONNECT ON DATABASE forbidden TO app`',
    ],
    ['a database that takes nobody', () => as('app', 'closed'), 'E_CONNECT', 'refused the connection: ', 'akzeptiert'],
    ['a database that takes no more', () => as('app', 'full'), 'E_CONNECT', 'refused the connection: ', 'zu viele'],
  ] as [string, () => string, string, ...string[]][])('%s', async (_, database, code, ...says) => {
    await refused({ database: database() }, code, ...says);
  });

  const socket = (user: string) => `postgresql://${user}@/shop?host=${server.socketDirectory}&port=${server.port}`;

  test('a server that takes no more', async () => {
    await server.sql('postgres', 'ALTER SYSTEM SET max_connections = 5');
    await server.stop();
    await server.start();
    const held = [1, 2].map(() => server.sql('postgres', 'SELECT pg_sleep(600)').catch(() => {}));
    await comesTrue(server, 'postgres', "2 = (SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep')");
    await expectRefusal(
      { server, scene, secrets: [secret], sessions: await server.backendPids() },
      () => scene.run({ database: as('app') }),
      'E_CONNECT',
      'refused the connection: ',
      'Verbindung',
    );
    await server.sql(
      'postgres',
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'`,
    );
    await Promise.all(held);
    await server.sql('postgres', 'ALTER SYSTEM RESET max_connections');
    await server.stop();
    await server.start();
  });
});

describe('a dump that it does not take', () => {
  test('in a rehearsal by a role that may not make a database', () =>
    refused(
      { database: as('app'), verify: 'restore' },
      'E_RESTORE',
      /no database for the rehearsal could be made: .*keine Berechtigung/,
      '`ALTER ROLE app CREATEDB`',
    ));

  test('in a restore: it speaks English to a superuser', async () => {
    await server.createRole('leaver', null);
    await server.createDatabase('left');
    await server.sql('left', 'CREATE TABLE t AS SELECT 1 AS one; ALTER TABLE t OWNER TO leaver');
    const place = { database: server.uri({ database: 'left' }), name: 'left' };
    expectBackup(await scene.run(place));
    await server.sql('left', 'ALTER TABLE t OWNER TO postgres; DROP ROLE leaver');
    const result = await scene.run({ ...place, command: 'restore', confirm: 'left' });
    expectFailure(result, 'E_RESTORE', 'role "leaver" does not exist', 'Create it there, then restore again');
    expect(await server.sql('left', 'SELECT one FROM t')).toBe('1');
    await drop(server, 'left');
  });

  test('in a restore of a script in place: SQLSTATE alone', async () => {
    await server.createDatabase('plain', 'OWNER app');
    await server.sql('plain', 'SET ROLE app; CREATE TABLE t AS SELECT 1 AS one');
    const place = { database: as('app', 'plain'), name: 'plain', 'dump-format': 'plain' };
    expectBackup(await scene.run(place));
    await server.sql('plain', 'ALTER TABLE t OWNER TO postgres; GRANT SELECT ON t TO app');
    const result = await scene.run({ ...place, command: 'restore', confirm: 'plain' });
    expectFailure(result, 'E_RESTORE', 'existiert bereits', 'A restore in place can only replace what app owns');
    expect(await server.sql('plain', 'SELECT one FROM t')).toBe('1');
    await drop(server, 'plain');
  });
});

describe('what pg_dump may not do', () => {
  const reader = () => ({ database: as('reader', 'notes') });
  beforeAll(async () => {
    await server.createDatabase('notes');
    await server.sql(
      'notes',
      `CREATE TABLE notes AS SELECT i AS id FROM generate_series(1, 10) i;
       CREATE SEQUENCE numbers;
       CREATE SCHEMA inner_rooms;
       CREATE TABLE inner_rooms.t ();
       GRANT pg_read_all_data TO reader;`,
    );
    expectBackup(await scene.run({ ...reader(), name: 'notes' }));
  });
  afterAll(() => drop(server, 'notes'));

  test.each([
    ['a table', 'SELECT ON ALL SEQUENCES IN SCHEMA public', 'Tabelle notes'],
    ['a sequence', 'SELECT ON ALL TABLES IN SCHEMA public', 'Sequenz numbers'],
  ])('%s that it may not read', async (_, rest, says) => {
    await server.sql(
      'notes',
      `REVOKE pg_read_all_data FROM reader; GRANT USAGE ON SCHEMA inner_rooms TO reader;
      GRANT SELECT ON ALL TABLES IN SCHEMA inner_rooms TO reader; GRANT ${rest} TO reader`,
    );
    await refused(reader(), 'E_PERM', 'reader may not read everything in', says, '`GRANT pg_read_all_data TO reader`');
    await server.sql(
      'notes',
      `REVOKE ${rest} FROM reader; REVOKE USAGE ON SCHEMA inner_rooms FROM reader; GRANT pg_read_all_data TO reader`,
    );
  });

  test('a schema', async () => {
    await server.sql(
      'notes',
      'REVOKE pg_read_all_data FROM reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader',
    );
    await refused(reader(), 'E_PERM', 'Schema inner_rooms', '`GRANT pg_read_all_data TO reader`');
    await server.sql('notes', 'GRANT pg_read_all_data TO reader');
  });

  test('a large object', async () => {
    await server.sql('notes', 'SELECT lo_from_bytea(4711, NULL)');
    await server.sql('notes', `SELECT lo_from_bytea(4712, 'x')`);
    await refused(reader(), 'E_PERM', 'Large Object', 'GRANT SELECT ON LARGE OBJECT');
    await server.sql('notes', 'SELECT lo_unlink(oid) FROM pg_largeobject_metadata');
  });

  test('rows that are hidden from it', async () => {
    await server.sql('notes', 'ALTER TABLE notes ENABLE ROW LEVEL SECURITY');
    await refused(reader(), 'E_PERM', 'row-level security hides rows from reader', 'BYPASSRLS');
    await server.sql('notes', 'ALTER TABLE notes DISABLE ROW LEVEL SECURITY');
  });

  test.each(sample(['custom', 'directory'], 1))('a table that stays locked, in the format %s', async (format) => {
    const release = await lockTable(server, 'notes', 'notes');
    const sessions = await server.backendPids();
    await expectRefusal(
      { server, scene, sessions, secrets: [secret] },
      () => scene.run({ ...reader(), 'lock-wait': '1s', 'dump-format': format }),
      'E_BUSY',
      'stayed locked for 1 s (lock-wait): ',
      'raise `lock-wait`',
    );
    await release();
  });

  test('a table whose rows the replay on a standby takes away', async () => {
    await bigTable(server, 'notes', 200, { rows: 'same' });
    const standby = await server.standby();
    const action = scene.start({
      database: standby.uri({
        user: 'reader',
        password: secret,
        database: 'notes',
        parameters: { target_session_attrs: 'any' },
      }),
    });
    const copying = "EXISTS (SELECT FROM pg_stat_activity WHERE query ~ '^COPY public.big')";
    await comesTrue(standby, 'postgres', copying);
    await server.sql('notes', 'BEGIN; SELECT txid_current(); LOCK TABLE big; COMMIT');
    expectFailure(await action.result(), 'E_BUSY', 'Konflikt', 'max_standby_streaming_delay');
    await standby.remove();
    await server.sql('notes', 'DROP TABLE big');
  });

  test('a table whose data can not be read', async () => {
    const path = join(
      server.dataDirectory,
      await server.sql('notes', `CHECKPOINT; SELECT pg_relation_filepath('notes')`),
    );
    const sound = readFileSync(path);
    await server.stop();
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(24, 0xff), 0, 24, 0);
    closeSync(file);
    await server.start();
    await refused(reader(), 'E_SOURCE_CORRUPT', 'cannot read its own data', 'notes');
    await server.stop();
    writeFileSync(path, sound);
    await server.start();
  });
});
