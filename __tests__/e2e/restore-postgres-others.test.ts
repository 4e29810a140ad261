import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { definitionsOf, startPostgresScene } from '../helpers/postgres-backups.js';
import { expectNothingLeft, expectRestored } from '../helpers/postgres-restores.js';
import { contentsOf } from '../helpers/postgres-sample.js';
import type { ActionResult } from '../helpers/run-action.js';
import { sample } from '../helpers/sample.js';
import { reportOf, type Scene } from '../helpers/scene.js';

// A database in which others have tables that its owner may not read, so that they are in no backup of theirs.

type Inputs = Record<string, string>;
const ODD = '"odd ""schéma"".x"."ta.b*le $"';

let server: Postgres;
let scene: Scene;

beforeAll(async () => {
  server = await startPostgres();
  await server.createRole('app', 'pw', 'CREATEDB');
  await server.createRole('boss', 'pw');
  scene = await startPostgresScene(server, 'shop');
  scene.inputs.database = server.uri({ user: 'app', password: 'pw', database: 'shop' });
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});
beforeEach(async () => {
  await server.sql('postgres', 'DROP DATABASE IF EXISTS shop WITH (FORCE)');
  await server.createDatabase('shop', 'OWNER app');
  await server.sql(
    'shop',
    `GRANT CREATE ON SCHEMA public TO boss; SET ROLE app; CREATE SCHEMA own; GRANT ALL ON SCHEMA own TO boss;
     CREATE TABLE own.items AS SELECT generate_series(1, 100) AS v; ALTER TABLE own.items ADD PRIMARY KEY (v); CREATE TABLE logs AS SELECT 1 AS line;
     CREATE TYPE own.mood AS ENUM ('good', 'bad'); CREATE FUNCTION own.fine(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
     GRANT SELECT, REFERENCES ON own.items TO boss; RESET ROLE;
     CREATE SCHEMA "odd ""schéma"".x" AUTHORIZATION app; GRANT ALL ON SCHEMA "odd ""schéma"".x" TO boss;
     CREATE SCHEMA audit AUTHORIZATION boss; COMMENT ON SCHEMA audit IS 'of the boss'; GRANT USAGE ON SCHEMA audit TO app; SET ROLE boss;
     CREATE TABLE audit.log AS SELECT 1 AS line;
     CREATE TABLE secrets (id serial, word text); INSERT INTO secrets (word) VALUES ('x'), ('y');
     CREATE TABLE own.secrets AS SELECT 7 AS seven; CREATE TABLE ${ODD} AS SELECT 8 AS eight;
     CREATE TABLE guarded AS SELECT 9 AS nine; GRANT SELECT ON guarded TO app; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;`,
  );
});

const WITHOUT = { 'exclude-table': `secrets*\nown.secrets\naudit.*\n${ODD}\nguarded\nlogs` };
const take = async (): Promise<string> => expectBackup(await scene.run(WITHOUT));
const restore = (backup: string, inputs: Inputs = {}): Promise<ActionResult> =>
  scene.run({ command: 'restore', backup, confirm: 'shop', ...inputs });
const state = async (): Promise<unknown> => [await contentsOf(server, 'shop'), await definitionsOf(server, 'shop')];

test('what others own stays, and the safety backup has all the rest', async () => {
  const id = await take();
  const good = await state();
  await server.sql('shop', 'SET ROLE app; DELETE FROM own.items; CREATE TABLE own.newer ()');
  const before = await state();
  const failing = await restore(id, { 'check-command': 'false' });
  expect(failing.outputs).toMatchObject({ 'error-code': 'E_ROLLED_BACK', 'restore-outcome': 'rolled-back' });
  expect(await state()).toEqual(before);
  const safety = scene.manifest(failing.outputs['safety-backup-id'] ?? '');
  expect(safety.coverage?.excludeTable).toEqual([
    '"audit"."log"',
    ODD,
    '"own"."secrets"',
    '"public"."guarded"',
    '"public"."secrets"',
    '"public"."secrets_id_seq"',
  ]);
  // what the backup leaves out by request is in it
  expect(safety.content?.tables.map(({ name }) => name).sort()).toEqual(['own.items', 'own.newer', 'public.logs']);

  const result = await restore(id, WITHOUT);
  await expectRestored(scene, server, result);
  expect(result.visible).toMatch(
    /may not read .*, which would be gone with the database.*, so it is restored in place/,
  );
  expect(result.visible).toMatch(/the safety backup leaves out what this role may not read.*public\.secrets/);
  expect(reportOf(result).restore?.plan?.differences).toEqual(
    expect.arrayContaining([
      'public.secrets is not in the backup, and stays because it belongs to another role',
      'public.logs is not in the backup, and will be gone',
    ]),
  );
  // the table that nobody excluded for want of rights was the role's own, and is as in the backup: not there
  await server.sql('shop', 'SET ROLE app; CREATE TABLE logs AS SELECT 1 AS line');
  expect(await state()).toEqual(good);
});

test('restore-way: swap would lose them', async () => {
  const id = await take();
  const before = await state();
  const result = await restore(id, { 'restore-way': 'swap' });
  expectFailure(result, 'E_RESTORE', 'may not read', 'which would be gone', 'pg_read_all_data', 'restored in place');
  expect(await state()).toEqual(before);
  await server.sql('postgres', 'GRANT pg_read_all_data TO app; ALTER ROLE app BYPASSRLS');
  const whole = expectBackup(await scene.run());
  const { plan } = reportOf(await restore(whole, { 'dry-run': 'true' })).restore ?? {};
  await server.sql('postgres', 'REVOKE pg_read_all_data FROM app; ALTER ROLE app NOBYPASSRLS');
  expect(plan?.way).toBe('swap');
});

/** Rows that look like what the edits of a script are about. */
const ROWS = [
  ...['--', '-- Name: shop; Type: SCHEMA; Schema: -; Owner: x', '--', '', 'CREATE SCHEMA shop;', 'BEGIN;'],
  ...[
    '--',
    '-- Name: SCHEMA audit; Type: ACL; Schema: -; Owner: boss',
    '--',
    '',
    'GRANT USAGE ON SCHEMA audit TO app;',
  ],
  ...[
    '-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: x',
    'BEGIN;',
    'COMMIT;',
    '\\.',
    `\\unrestrict ${'a'.repeat(63)}`,
  ],
  ...['COMMIT;', '', '--', '-- PostgreSQL database dump complete', '--', ' FROM stdin;', 'end'],
];

test.each(sample(['custom', 'directory', 'plain'], 2))(
  'rows that look like statements come back as they were, %s',
  async (format) => {
    await server.sql(
      'shop',
      `SET ROLE app; CREATE TABLE "a\nb" (); CREATE TABLE aaa_empty (line text); CREATE TABLE "li\nnes" (line text);
     INSERT INTO "li\nnes" SELECT unnest(ARRAY[${ROWS.map((row) => `$r$${row}$r$`).join()}])`,
    );
    const rows = () => server.sql('shop', 'SELECT line FROM "li\nnes" ORDER BY ctid');
    expect((await rows()).split('\n')).toEqual(ROWS);
    const id = expectBackup(await scene.run({ ...WITHOUT, 'dump-format': format }));
    const result = await restore(id, { ...WITHOUT, 'dump-format': format });
    expect(result.outputs['restore-outcome']).toBe('restored');
    expect((await rows()).split('\n')).toEqual(ROWS);
  },
);

test.each(
  sample(
    [
      ['a view', 'CREATE VIEW public.seen AS SELECT v FROM own.items'],
      ['a foreign key', 'ALTER TABLE public.secrets ADD FOREIGN KEY (id) REFERENCES own.items'],
      ['a domain', 'CREATE DOMAIN public.feeling AS own.mood'],
      ['a check of a domain', 'CREATE DOMAIN public.feeling AS integer CHECK (own.fine(VALUE))'],
      ['an attribute of a type', 'CREATE TYPE public.pair AS (m own.mood, n int)'],
      ['an operator', 'CREATE OPERATOR public.!! (PROCEDURE = own.fine, RIGHTARG = int)'],
      ['a rule', 'CREATE RULE seen AS ON INSERT TO public.secrets WHERE own.fine(NEW.id) DO INSTEAD NOTHING'],
    ],
    4,
  ),
)('%s of others is not taken away with what it depends on', async (_, sql) => {
  const id = await take();
  await server.sql('shop', `SET ROLE boss; ${sql}`);
  const before = await state();
  const result = await restore(id);
  expectFailure(
    result,
    'E_RESTORE',
    'belongs to other roles depends on what would be replaced',
    'have its owner drop it',
  );
  expect(result.outputs['restore-outcome']).toBe('unchanged');
  expect(await state()).toEqual(before);
  await expectNothingLeft(scene, server, join(scene.directory));
});

test('a type of others keeps the schema in which it is', async () => {
  const id = await take();
  await server.sql(
    'shop',
    'DROP TABLE logs; SET ROLE boss; DROP TABLE own.secrets; CREATE DOMAIN own.feeling AS integer CHECK (VALUE > 0)',
  );
  const before = await state();
  await expectRestored(scene, server, await restore(id, WITHOUT));
  expect(await state()).toEqual(before);
});

test('what others own and is in the dump: nothing is advised that the role has already', async () => {
  await server.sql('shop', "SET ROLE boss; CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
  await server.sql('shop', 'SET ROLE boss; ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT SELECT ON TABLES TO app');
  const id = await take();
  const before = await state();
  const dry = await restore(id, { ...WITHOUT, 'dry-run': 'true' });
  expect(dry.code).toBe(0);
  expect(dry.annotations.map(({ message }) => message).join()).toMatch(
    /belong to other roles and cannot be replaced; if the backup has them too, the restore fails .*function .*f\(\).*default privileges /s,
  );
  const message = expectFailure(await restore(id, WITHOUT), 'E_RESTORE', 'already exists', 'name a superuser');
  expect(message).not.toContain('CREATEDB');
  expect(await state()).toEqual(before);
});
