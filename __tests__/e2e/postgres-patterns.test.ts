import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { backupsIn, nothingLeft } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { drop, recover, rowsOf, rowsTold, startPostgresScene } from '../helpers/postgres-backups.js';
import type { Scene } from '../helpers/scene.js';

const FORMATS = ['custom', 'directory', 'plain'];

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.sql(
    'shop',
    `CREATE SCHEMA app; CREATE SCHEMA "Audit"; CREATE SCHEMA void;
     CREATE TABLE public.orders AS SELECT generate_series(1, 3) AS id;
     CREATE TABLE public.sessions AS SELECT generate_series(1, 4) AS id;
     CREATE TABLE app.sessions AS SELECT generate_series(1, 5) AS id;
     CREATE TABLE app.events AS SELECT generate_series(1, 6) AS id;
     CREATE TABLE app.events_2026 AS SELECT generate_series(1, 7) AS id;
     CREATE TABLE app."it's ""Odd"" a.b" AS SELECT generate_series(1, 8) AS id;
     CREATE TABLE "Audit"."Log" AS SELECT generate_series(1, 9) AS id;
     CREATE TABLE "Audit".log AS SELECT generate_series(1, 10) AS id;
     CREATE VIEW app.all_events AS SELECT * FROM app.events;
     CREATE MATERIALIZED VIEW app.total AS SELECT count(*) FROM app.events_2026;
     SELECT lo_from_bytea(4711, 'large');`,
  );
  scene = await startPostgresScene(server, 'shop');
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
});

/** As manifests call it: what has a dot in its name is in quotes. */
const ODD = 'app."it\'s ""Odd"" a.b"';
const ALL: Record<string, number> = {
  'Audit.Log': 9,
  'Audit.log': 10,
  'app.events': 6,
  'app.events_2026': 7,
  [ODD]: 8,
  'app.sessions': 5,
  'public.orders': 3,
  'public.sessions': 4,
};
const tables = (rows: Record<string, number>) => Object.entries(rows).sort(([one], [two]) => (one < two ? -1 : 1));
const without = (...names: string[]) =>
  tables(Object.fromEntries(Object.entries(ALL).filter(([name]) => !names.includes(name))));
const only = (...names: string[]) => tables(Object.fromEntries(names.map((name) => [name, ALL[name] ?? 0])));

const thereIn = async (database: string) =>
  Object.fromEntries(
    (await rowsOf(server, database)).map(([name, rows]) => [name === 'app.it\'s "Odd" a.b' ? ODD : name, rows]),
  );

/** Takes a backup, restores it, and returns the tables that the manifest tells of and those that are there. */
async function both(inputs: Record<string, string>) {
  const id = expectBackup(await scene.run({ 'shrink-limit': 'none', ...inputs }));
  await recover(server, scene, id, 'copy');
  const found = { told: rowsTold(scene, id), there: tables(await thereIn('copy')) };
  await drop(server, 'copy');
  return found;
}

describe.each(FORMATS)('in the format %s', (format) => {
  const inputs = { 'dump-format': format };

  test('exclude-table: the tables are not there', async () => {
    // a pattern without a schema means what the search path finds
    const patterns = 'sessions\r\n\n  app.EVENTS_*\n"Audit"."Log"';
    const left = without('public.sessions', 'app.events_2026', 'Audit.Log');
    // what depends on them goes with them
    expect(await both({ ...inputs, 'exclude-table': `${patterns}\napp.total` })).toEqual({ told: left, there: left });
  });

  test('exclude-table-data: the tables are there, and empty', async () => {
    const names = ['app.events', 'app.events_2026', ODD];
    const found = await both({ ...inputs, 'exclude-table-data': 'app.events*\napp."it\'s ""Odd"" a.b"' });
    expect(found.told).toEqual(without(...names));
    expect(found.there).toEqual(tables({ ...ALL, ...Object.fromEntries(names.map((name) => [name, 0])) }));
  });

  test('schema: nothing else is there', async () => {
    const left = only('Audit.Log', 'Audit.log', 'app.events', 'app.events_2026', ODD);
    const patterns = { schema: 'ap?\n"Audit"', 'exclude-table': 'app.sess*\nnot_there' };
    expect(await both({ ...inputs, ...patterns })).toEqual({ told: left, there: left });
  });
});

test('large objects are in the backup of some schemas as well', async () => {
  const id = expectBackup(await scene.run({ schema: 'app', 'shrink-limit': 'none' }));
  await recover(server, scene, id, 'copy');
  expect(await server.sql('copy', "SELECT convert_from(lo_get(4711), 'UTF8')")).toBe('large');
  await drop(server, 'copy');
});

test.each([
  ['schema', 'no_such_schema', 'no matching schemas were found for pattern "no_such_schema"'],
  ['schema', 'app\nAudit', 'no matching schemas were found for pattern "Audit"'],
  ['exclude-table', 'app.(', 'invalid regular expression'],
])('%s: %j is E_INPUT, and leaves nothing', async (input, pattern, said) => {
  const before = backupsIn(scene.directory);
  const format = pattern === 'no_such_schema' ? 'directory' : 'custom';
  expectFailure(await scene.run({ [input]: pattern, 'dump-format': format }), 'E_INPUT', said);
  expect(backupsIn(scene.directory)).toEqual(before);
  await nothingLeft(scene);
});

test('schemas that hold nothing are E_EMPTY, whatever is in the others', async () => {
  const before = backupsIn(scene.directory);
  expectFailure(await scene.run({ schema: 'void' }), 'E_EMPTY', 'Nothing was kept');
  expect(backupsIn(scene.directory)).toEqual(before);
});
