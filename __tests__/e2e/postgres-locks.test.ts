import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type Postgres, quoteLiteral, startPostgres } from '../helpers/postgres.js';
import { definitionsOf, drop, recover, rowsOf, rowsTold, startPostgresScene } from '../helpers/postgres-backups.js';
import { expectRefusal, sessionsLeft } from '../helpers/postgres-refusal.js';
import { contentsOf, fillSample } from '../helpers/postgres-sample.js';
import { comesTrue } from '../helpers/postgres-waiting.js';
import { sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  await fillSample(server, 'shop');
  scene = await startPostgresScene(server, 'shop');
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
});

interface Lock {
  /** The session that has it. */
  pid: number;
  release(): Promise<void>;
}

/** Another session holds a table for itself alone. */
async function lock(table: string): Promise<Lock> {
  const before = await server.backendPids();
  const held = server.sql('shop', `SET statement_timeout = 0; BEGIN; LOCK TABLE ${table}; SELECT pg_sleep(600)`);
  held.catch(() => {}); // it is ended by release()
  const having = `SELECT pid FROM pg_locks WHERE relation = ${quoteLiteral(table)}::regclass AND mode = 'AccessExclusiveLock' AND granted`;
  let pid = '';
  while (pid === '') pid = await server.sql('shop', having);
  expect(before).not.toContain(Number(pid));
  return {
    pid: Number(pid),
    async release() {
      await server.sql('postgres', `SELECT pg_terminate_backend(${pid})`);
      await held.catch(() => {});
    },
  };
}

/** Returns when a pg_dump has waited for a lock for so long. */
async function dumpWaits(seconds: number): Promise<void> {
  const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ '^LOCK TABLE'
    AND application_name IN ('pg_dump', 'db-backup') AND clock_timestamp() - query_start > interval '${seconds} s'`;
  await comesTrue(server, 'postgres', `EXISTS (${waiting})`);
}

describe('another session holds a table', () => {
  test.each(sample(['custom', 'directory'], 1))(
    'for longer than lock-wait, in the format %s: E_BUSY',
    async (format) => {
      const held = await lock('shop.customers');
      const started = Date.now();
      await expectRefusal(
        { server, scene, sessions: [held.pid] },
        () => scene.run({ 'lock-wait': '2s', 'dump-format': format }),
        'E_BUSY',
        'stayed locked for 2 s (lock-wait): ',
        'LOCK TABLE shop.customers IN ACCESS SHARE MODE',
        'pg_stat_activity',
        'raise `lock-wait`',
      );
      expect(Date.now() - started).toBeGreaterThan(2000);
      await held.release();
    },
  );

  test.each(sample(['directory', 'custom'], 1))('and lets it go in time, in the format %s', async (format) => {
    const held = await lock('shop.customers');
    const action = scene.start({ 'lock-wait': '60s', 'dump-format': format });
    await dumpWaits(0.5);
    await held.release();
    expect(rowsTold(scene, expectBackup(await action.result()))).toEqual(await rowsOf(server, 'shop'));
    await nothingLeft(scene);
  });

  test('that is not in the backup', async () => {
    const held = await lock('shop.changes');
    const rows = (await rowsOf(server, 'postgres')).length;
    expect(rows).toBe(0);
    const id = expectBackup(await scene.run({ 'lock-wait': '1s', 'exclude-table': 'shop.changes', name: 'part' }));
    expect(rowsTold(scene, id).map(([name]) => name)).not.toContain('shop.changes');
    await held.release();
  });
});

/** Of the role in this database, of the role, or of the database; all are taken back after each test. */
const PLACES = ['ROLE admin IN DATABASE shop', 'ROLE admin', 'DATABASE shop'] as const;

describe('what the role and the database have set', () => {
  let rows: [string, number][];
  let plain: unknown;
  beforeAll(async () => {
    await server.sql('shop', 'ALTER DATABASE shop RESET ALL');
    rows = await rowsOf(server, 'shop');
    plain = contentOf(expectBackup(await scene.run({ name: 'plain' })));
  });
  afterEach(async () => {
    for (const place of PLACES) await server.sql('postgres', `ALTER ${place} RESET ALL`);
  });

  async function set(place: (typeof PLACES)[number], settings: Record<string, string>): Promise<void> {
    const lines = Object.entries(settings).map(([name, value]) => `ALTER ${place} SET ${name} = ${value};`);
    await server.sql('postgres', lines.join('\n'));
  }

  /** What the manifest tells of the content, without the roles and the settings, which the test changes. */
  function contentOf(id: string) {
    const { content } = scene.manifest(id) as { content: { properties?: string[] } | null };
    const properties = content?.properties?.filter((line) => !/^ALTER (DATABASE|ROLE) .* SET /.test(line));
    return { ...content, properties: properties?.map((line) => line.replaceAll('"shop"', 'shop')), roles: null };
  }

  /** The backup is whole, and its manifest is the same as without those settings. */
  async function expectWhole(id: string): Promise<void> {
    expect(contentOf(id)).toEqual(plain);
    expect(rowsTold(scene, id)).toEqual(rows);
    for (const place of PLACES) await server.sql('postgres', `ALTER ${place} RESET ALL`);
    await recover(server, scene, id, 'copy');
    expect(await contentsOf(server, 'copy')).toEqual(await contentsOf(server, 'shop'));
    expect(await definitionsOf(server, 'copy')).toBe(await definitionsOf(server, 'shop'));
    await drop(server, 'copy');
    await nothingLeft(scene);
    expect(await sessionsLeft(server)).toEqual([]);
  }

  test.each(sample(['custom', 'directory'], 1))(
    'timeouts, while a lock is waited for, in the format %s',
    async (format) => {
      const timeouts = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
      await set('ROLE admin', Object.fromEntries(timeouts.map((name) => [name, "'700ms'"])));
      await set('DATABASE shop', Object.fromEntries(timeouts.map((name) => [name, "'600ms'"])));
      const held = await lock('shop.customers');
      const action = scene.start({ 'lock-wait': '60s', 'dump-format': format });
      await dumpWaits(1.5);
      await held.release();
      await expectWhole(expectBackup(await action.result()));
    },
  );

  test.each<[string, Record<string, string>]>([
    [
      'transactions',
      {
        default_transaction_read_only: 'on',
        default_transaction_isolation: 'serializable',
        default_transaction_deferrable: 'on',
        row_security: 'off',
        session_replication_role: 'replica',
      },
    ],
    [
      'how texts are read and written',
      {
        standard_conforming_strings: 'off',
        backslash_quote: 'off',
        escape_string_warning: 'on',
        quote_all_identifiers: 'on',
        bytea_output: 'escape',
        client_encoding: 'LATIN1',
        array_nulls: 'off',
        row_security: 'on',
      },
    ],
    [
      'numbers and dates',
      {
        datestyle: "'German'",
        intervalstyle: "'sql_standard'",
        timezone: "'Asia/Kathmandu'",
        extra_float_digits: "'-15'",
        lc_numeric: "'C'",
        lc_messages: "'C'",
        client_min_messages: 'debug5',
      },
    ],
  ])('%s', async (_, settings) => {
    for (const place of PLACES) await set(place, settings);
    const inputs = { 'exclude-table-data': '"-x"\n^a\\\\d', name: 'settings' };
    // with patterns, which must be read as pg_dump reads them
    const part = expectBackup(await scene.run(inputs));
    expect(rowsTold(scene, part)).toEqual(rows.filter(([name]) => name !== 'public.-x'));
    const result = await scene.run();
    expect(result.annotations).toEqual([]);
    await expectWhole(expectBackup(result));
  });
});

test('nothing in the search_path stands in for a part of the system', async () => {
  await server.createDatabase('traps');
  await server.createRole('app', null);
  await server.sql('traps', TRAPS);
  await server.sql(
    'traps',
    'CREATE TABLE users AS SELECT 1 AS id; CREATE SCHEMA shop; CREATE TABLE shop.users AS TABLE users',
  );
  const path = 'traps, shop, public, pg_catalog';
  await server.sql('postgres', `ALTER ROLE admin IN DATABASE traps SET search_path = ${path}`);
  const database = server.uri({ database: 'traps' });
  // they catch whoever does not look out
  await expect(sqlAs(path, "SELECT current_setting('server_version')")).rejects.toThrow('a trap: current_setting');
  await expect(sqlAs(path, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'")).rejects.toThrow(
    'a trap: ',
  );
  for (const format of sample(['custom', 'directory', 'plain'], 2)) {
    const result = await scene.run({ database, 'dump-format': format, 'exclude-table-data': 'users' });
    const id = expectBackup(result);
    expect(result.annotations).toEqual([]);
    // of the two, shop.users is the one that is visible
    expect(rowsTold(scene, id)).toEqual([['public.users', 1], ...TABLES.map((name) => [`traps.${name}`, 0])]);
    expect(scene.manifest(id).content).toMatchObject({
      properties: [
        expect.stringMatching(/^CREATE DATABASE traps TEMPLATE template0 ENCODING 'UTF8' .* OWNER postgres;$/),
        `ALTER ROLE admin IN DATABASE traps SET search_path TO ${path.replace(/\w+/g, "'$&'")};`,
      ],
      roles: expect.arrayContaining(['CREATE ROLE app;']),
    });
  }
  await nothingLeft(scene);
  await drop(server, 'traps');
});

const sqlAs = (path: string, statement: string) => server.sql('traps', `SET search_path = ${path}; ${statement}`);

/** What our queries use, in a schema that comes before that of the system. Each function says so and fails. */
const TABLES = ['pg_class', 'pg_database', 'pg_depend', 'pg_extension', 'pg_namespace', 'pg_proc', 'pg_settings'];
const FUNCTIONS: Record<string, string> = {
  current_setting: 'text',
  set_config: 'text, text, boolean',
  encode: 'bytea, text',
  convert_to: 'text, name',
  getdatabaseencoding: '',
  current_database: '',
  pg_is_in_recovery: '',
  pg_export_snapshot: '',
  pg_database_size: 'name',
  pg_get_userbyid: 'oid',
  quote_ident: 'text',
  quote_literal: 'text',
  format: 'text, text, text',
  split_part: 'text, text, integer',
  clock_timestamp: '',
  has_function_privilege: 'text, text',
};
const OPERATORS = [
  ['||', 'text', 'text'],
  ['||', 'text', 'bigint'],
  ['||', 'text', 'boolean'],
  ['=', 'name', 'text'],
  ['=', 'name', 'name'],
  ['=', 'oid', 'oid'],
  ['=', '"char"', '"char"'],
  ['<>', 'name', 'name'],
  ['<>', '"char"', '"char"'],
  ['!~', 'name', 'name'],
  ['~', 'name', 'name'],
  ['+', 'bigint', 'bigint'],
];
const trap = (what: string, types: string, returns = 'text') => `
  CREATE FUNCTION traps.${what} (${types}) RETURNS ${returns} LANGUAGE plpgsql
  AS $f$ BEGIN RAISE EXCEPTION 'a trap: ${what}'; END $f$;`;
const TRAPS = [
  'CREATE SCHEMA traps; GRANT USAGE ON SCHEMA traps TO PUBLIC;',
  ...TABLES.map((name) => `CREATE TABLE traps.${name} (oid oid, nspname name, relname name, nonsense integer);`),
  ...Object.entries(FUNCTIONS).map(([name, types]) => trap(name, types)),
  ...OPERATORS.map(([operator = '', left = '', right = ''], index) =>
    [
      trap(
        `operator_${index}`,
        `${left}, ${right}`,
        operator === '||' ? 'text' : operator === '+' ? 'bigint' : 'boolean',
      ),
      `CREATE OPERATOR traps.${operator} (FUNCTION = traps.operator_${index}, LEFTARG = ${left}, RIGHTARG = ${right});`,
    ].join('\n'),
  ),
  `${trap('counting', 'bigint', 'bigint')} CREATE AGGREGATE traps.count(*) (SFUNC = traps.counting, STYPE = bigint);`,
].join('\n');
