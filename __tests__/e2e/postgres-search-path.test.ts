import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { definitionsOf, drop, recover, startPostgresScene } from '../helpers/postgres-backups.js';
import { expectNothingLeft, expectRestored, leftDatabases } from '../helpers/postgres-restores.js';
import { contentsOf } from '../helpers/postgres-sample.js';
import type { ActionResult } from '../helpers/run-action.js';
import { inTurn } from '../helpers/sample.js';
import { reportOf, type Scene } from '../helpers/scene.js';

// Functions whose text relies on the search_path of their database, in everything that is carried out while a dump is loaded.

type Inputs = Record<string, string>;
const FORMATS = ['custom', 'directory', 'plain'] as const;
const NOTE = 'it was loaded with the search_path of the database itself';
const PATH = `"it's \\ mine", other, public`;

let server: Postgres;
let scene: Scene;
let good: unknown;

beforeAll(async () => {
  server = await startPostgres();
  await server.createRole('app', 'pw', 'CREATEDB');
  scene = await startPostgresScene(server, 'shop');
  await make('shop');
  good = await stateOf('shop');
  // for what is restored below
  await Promise.all(FORMATS.map(async (format) => expectBackup(await scene.run(inputsOf(format)))));
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

async function make(database: string): Promise<void> {
  await server.createDatabase(database, 'OWNER app');
  await server.sql('postgres', `ALTER DATABASE ${database} SET search_path = ${PATH}`);
  await server.sql(
    database,
    `SET ROLE app;
     CREATE SCHEMA "it's \\ mine"; CREATE SCHEMA other;
     CREATE TABLE items AS SELECT generate_series(1, 100) AS v;
     CREATE FUNCTION total() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM items';
     CREATE MATERIALIZED VIEW mv AS SELECT total();
     CREATE TABLE other.kinds AS SELECT 'a' AS kind;
     CREATE FUNCTION known(text) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN EXISTS (SELECT FROM kinds WHERE kind = $1); END';
     CREATE TABLE public.things (kind text CHECK (known(kind))); INSERT INTO public.things VALUES ('a'), ('a');
     CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1';
     CREATE FUNCTION four_times(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN twice(twice($1)); END';
     CREATE TABLE computed (a int, b int GENERATED ALWAYS AS (four_times(a)) STORED); INSERT INTO computed VALUES (1), (2);
     CREATE INDEX ON items (four_times(v));
     CREATE DOMAIN kind AS text CHECK (known(VALUE)); CREATE TABLE public.typed (kind kind); INSERT INTO public.typed VALUES ('a');`,
  );
}

const app = (database: string): string => server.uri({ user: 'app', password: 'pw', database });
const directory = (format: string): string => join(scene.user.home, format);
const inputsOf = (format: string, inputs: Inputs = {}): Inputs => ({
  ...{ database: app('shop'), directory: directory(format), 'dump-format': format },
  ...inputs,
});
const restore = (format: string, inputs: Inputs = {}): Promise<ActionResult> =>
  scene.run(inputsOf(format, { command: 'restore', confirm: 'shop', ...inputs }));
const stateOf = async (database: string): Promise<unknown> => [
  await contentsOf(server, database),
  await definitionsOf(server, database),
];

describe.each(FORMATS)('a backup in the format %s', (format) => {
  const test = inTurn(FORMATS, format);

  test('is proven by a restore', async () => {
    const result = await scene.run(inputsOf(format, { verify: 'restore', assert: 'SELECT total() = 5050' }));
    const id = expectBackup(result);
    expect(result.outputs['verified-level']).toBe('restore');
    expect(reportOf(result).notes.join()).toContain(NOTE);
    expect(reportOf(result).problems).toEqual([]);
    expect(id).toMatch(/^shop-/);
    expectBackup(await scene.run(inputsOf(format, { command: 'verify', verify: 'restore' })));
    expect(await leftDatabases(server)).toBe('');
  });

  test.each(['swap', 'in-place'])('is restored: %s', async (way) => {
    await server.sql('shop', 'SET ROLE app; DELETE FROM items; REFRESH MATERIALIZED VIEW mv; DROP TABLE public.typed');
    const changed = await stateOf('shop');
    const failing = await restore(format, { 'restore-way': way, 'check-command': 'false' });
    expect(failing.outputs).toMatchObject({ 'error-code': 'E_ROLLED_BACK', 'restore-outcome': 'rolled-back' });
    expect(await stateOf('shop')).toEqual(changed);
    const result = await restore(format, { 'restore-way': way });
    await expectRestored(scene, server, result, directory(format));
    expect(reportOf(result).restore?.plan?.way).toBe(way);
    expect(reportOf(result).notes.join()).toContain(NOTE);
    expect(await stateOf('shop')).toEqual(good);
  });

  test('is restored where there is none, and by the commands that are printed', async () => {
    await drop(server, 'shop');
    await expectRestored(scene, server, await restore(format), directory(format));
    expect(await stateOf('shop')).toEqual(good);
    const made = await scene.run(inputsOf(format));
    const id = expectBackup(made);
    const manifest = (one: string) => reportOf(made).backup?.id === one && scene.manifest(join('..', format, one));
    await recover(server, { user: scene.user, manifest: manifest as Scene['manifest'] }, id, 'by_hand', 'pw');
    expect(await stateOf('by_hand')).toEqual(good);
    await drop(server, 'by_hand');
  });
});

test('through sudo as well', async () => {
  const sudoers = `/etc/sudoers.d/${scene.user.name}`;
  mkdirSync('/etc/sudoers.d', { recursive: true });
  const rule = `${scene.user.name} ALL=(postgres) NOPASSWD: /bin/sh -s, /usr/bin/sh -s`;
  writeFileSync(sudoers, `Defaults:${scene.user.name} !use_pty\n${rule}\n`, { mode: 0o440 });
  const good = await stateOf('shop');
  const database = `postgresql:///shop?host=${server.socketDirectory}&port=${server.port}`;
  const inputs = { database, 'run-as': 'postgres', directory: directory('sudo') };
  expectBackup(await scene.run({ ...inputs, verify: 'restore' }));
  for (const way of ['swap', 'in-place']) {
    await server.sql('shop', 'DELETE FROM items');
    const result = await scene.run({ ...inputs, command: 'restore', confirm: 'shop', 'restore-way': way });
    await expectRestored(scene, server, result, directory('sudo'));
    expect(reportOf(result).notes.join()).toContain(NOTE);
    expect(await stateOf('shop')).toEqual(good);
  }
  rmSync(sudoers);
});

test('what the search_path does not mend is told, and nothing is changed', async () => {
  await server.createDatabase('broken', 'OWNER app');
  await server.sql(
    'broken',
    `SET ROLE app; CREATE TABLE items AS SELECT 1 AS v; CREATE FUNCTION total() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(v) FROM items';
     CREATE MATERIALIZED VIEW mv AS SELECT total(); ALTER TABLE items RENAME TO goods;`,
  );
  const inputs = { database: app('broken'), directory: directory('broken'), name: 'broken' };
  expectBackup(await scene.run(inputs));
  expectFailure(await scene.run({ ...inputs, verify: 'restore' }), 'E_RESTORE', 'ALTER FUNCTION ... SET search_path');
  const before = await stateOf('broken');
  const seen = server.log().length;
  const result = await scene.run({ ...inputs, command: 'restore', confirm: 'broken' });
  expectFailure(result, 'E_RESTORE', 'relation "items" does not exist', 'search_path');
  expect(result.outputs['restore-outcome']).toBe('unchanged');
  expect(
    server
      .log()
      .slice(seen)
      .match(/relation "items" does not exist/g),
  ).toHaveLength(2);
  expect(await stateOf('broken')).toEqual(before);
  await expectNothingLeft(scene, server, directory('broken'));
});
