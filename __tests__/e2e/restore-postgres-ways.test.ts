import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type Postgres, quoteIdentifier, startPostgres } from '../helpers/postgres.js';
import { definitionsOf, drop, startPostgresScene } from '../helpers/postgres-backups.js';
import { expectNothingLeft, expectRestored } from '../helpers/postgres-restores.js';
import type { ActionResult } from '../helpers/run-action.js';
import { SWEEP, sample } from '../helpers/sample.js';
import { reportOf, type Scene } from '../helpers/scene.js';

type Inputs = Record<string, string>;

const control = (more = ''): string => `comment = 'of a test'\ndefault_version = '1'\n${more}`;
const EXTENSIONS = {
  // rows of its own, to which users add, as spatial_ref_sys of PostGIS
  'places.control': control("superuser = true\nschema = 'public'\nrelocatable = false"),
  'places--1.sql': `CREATE TABLE public.places (id int PRIMARY KEY, name text); INSERT INTO public.places VALUES (1, 'of the extension');
    GRANT SELECT ON public.places TO PUBLIC; SELECT pg_extension_config_dump('public.places', 'WHERE id > 1000');`,
  'pg_cron.control': control("schema = 'pg_catalog'\nrelocatable = false"),
  'pg_cron--1.sql': `DO $$ BEGIN
      IF current_database() <> current_setting('cron.database_name') THEN
        RAISE EXCEPTION 'can only create extension in database %', current_setting('cron.database_name');
      END IF;
    END $$;
    CREATE SCHEMA cron; CREATE SEQUENCE cron.jobid_seq; CREATE TABLE cron.job (id bigint PRIMARY KEY DEFAULT nextval('cron.jobid_seq'), command text);
    SELECT pg_extension_config_dump('cron.job', ''); SELECT pg_extension_config_dump('cron.jobid_seq', '');`,
  'fleeting.control': control('superuser = false'),
  'fleeting--1.sql': "CREATE FUNCTION fleeting() RETURNS int LANGUAGE sql AS 'SELECT 1';",
};

let server: Postgres;
let scene: Scene;

beforeAll(async () => {
  server = await startPostgres({ extensions: EXTENSIONS, settings: { 'cron.database_name': 'jobs' } });
  // it may make databases, and is no superuser
  await server.createRole('app', 'pw', 'CREATEDB');
  scene = await startPostgresScene(server, 'shop');
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

const app = (database: string): string => server.uri({ user: 'app', password: 'pw', database });
const backups = (database: string): string => join(scene.user.home, database);
const inputsOf = (database: string, inputs: Inputs): Inputs => ({
  ...{ database: app(database), directory: backups(database), name: 'shop' },
  ...inputs,
});
const backup = (database: string, inputs: Inputs = {}): Promise<ActionResult> => scene.run(inputsOf(database, inputs));
const restore = (database: string, inputs: Inputs = {}): Promise<ActionResult> =>
  scene.run(inputsOf(database, { command: 'restore', confirm: database, ...inputs }));
const restored = async (database: string, inputs: Inputs = {}): Promise<ActionResult> => {
  const result = await restore(database, inputs);
  await expectRestored(scene, server, result, backups(database));
  return result;
};
const extensionFiles = () => join(server.binDirectory, '../../../../share/postgresql', server.version, 'extension');
const wayOf = (result: ActionResult): string | undefined => reportOf(result).restore?.plan?.way;

/** What is refused is refused by the plan, also of a dry run, and nothing was begun. */
let asked = 0;
async function refused(database: string, inputs: Inputs, ...says: (string | RegExp)[]): Promise<void> {
  asked += 1;
  const dry = SWEEP || asked <= 2 ? [{ 'dry-run': 'true', confirm: '' }] : [];
  for (const more of [...dry, {}] as Inputs[]) {
    const result = await restore(database, {
      'stop-command': 'touch stopped',
      'start-command': 'true',
      ...inputs,
      ...more,
    });
    expectFailure(result, 'E_RESTORE', ...says, /[Nn]othing was changed/);
    expect(result.outputs['safety-backup-id']).toBe('');
    expect(result.visible).not.toContain('stop-command:');
  }
  await expectNothingLeft(scene, server, backups(database));
}

/** A database of the role, made anew, in which a superuser has made the extension. */
async function make(database: string, extension: string, more = ''): Promise<void> {
  await server.sql('postgres', `DROP DATABASE IF EXISTS ${quoteIdentifier(database)} WITH (FORCE)`);
  await server.createDatabase(database, 'OWNER app');
  await server.sql(
    database,
    `SET ROLE app; CREATE SCHEMA ext; CREATE TABLE items AS SELECT generate_series(1, 100) AS v; RESET ROLE;
     ${extension}; ${more}`,
  );
}
const rows = (database: string): Promise<string> => server.sql(database, 'SELECT count(*) FROM items');

describe('an extension that a superuser alone may create, of a role that may create databases', () => {
  beforeEach(() => make('shop', 'CREATE EXTENSION pageinspect SCHEMA ext'));

  test.each(sample(['custom', 'directory', 'plain'], 2))(
    'stays, and the rest is restored in place: %s',
    async (format) => {
      const directory = join(backups('shop'), format);
      expectBackup(await backup('shop', { directory, 'dump-format': format }));
      const good = await definitionsOf(server, 'shop');
      await server.sql(
        'shop',
        'SET ROLE app; DELETE FROM items; CREATE TABLE newer (); CREATE FUNCTION ext.newer() RETURNS int LANGUAGE sql RETURN 1',
      );
      const before = await definitionsOf(server, 'shop');
      const inputs = { directory, 'dump-format': format };
      const failing = await restore('shop', { ...inputs, 'check-command': 'false' });
      expect(failing.outputs).toMatchObject({ 'error-code': 'E_ROLLED_BACK', 'restore-outcome': 'rolled-back' });
      expect([await rows('shop'), await definitionsOf(server, 'shop')]).toEqual(['0', before]);
      const result = await restore('shop', inputs);
      await expectRestored(scene, server, result, directory);
      expect([await rows('shop'), await definitionsOf(server, 'shop')]).toEqual(['100', good]);
      expect(wayOf(result)).toBe('in-place');
      expect(result.visible).toMatch(
        /Only a superuser may create the extension pageinspect, and app is not one, so it is restored in place, .*what roles other than app own in .* stays \(of extensions: pageinspect\)/,
      );
    },
  );

  test('restore-way: swap is refused, and said why', async () => {
    expectBackup(await backup('shop'));
    await refused(
      'shop',
      { 'restore-way': 'swap' },
      'only a superuser may create the extension pageinspect',
      'restored in place',
    );
    // by a role that may it works
    const result = await restored('shop', {
      'restore-way': 'swap',
      database: server.uri({ database: 'shop' }),
      'allow-other-target': 'true',
    });
    expect(wayOf(result)).toBe('swap');
  });

  test('where the live database does not have it, it is said how it comes there', async () => {
    expectBackup(await backup('shop'));
    await server.sql('shop', 'DROP EXTENSION pageinspect; SET ROLE app; DELETE FROM items');
    await refused(
      'shop',
      {},
      'neither into a new database nor into',
      'CREATE EXTENSION "pageinspect"',
      'name a superuser',
    );
    await server.sql('shop', 'CREATE EXTENSION "pageinspect"');
    await restored('shop');
    expect(await rows('shop')).toBe('100');
    await drop(server, 'shop');
    await refused(
      'shop',
      {},
      'none can be created for the backup',
      'have a superuser create the database with the extension',
    );
    await refused('shop', { 'restore-way': 'in-place' }, 'there is no database', 'restore-way: in-place');
    await server.createDatabase('shop', 'OWNER app');
    await server.sql('shop', 'CREATE EXTENSION pageinspect');
    await restored('shop');
    expect(await rows('shop')).toBe('100');
  });
});

test('rows of users in a table of an extension that stays are those of the backup', async () => {
  await make('geo', 'CREATE EXTENSION places', "INSERT INTO places VALUES (2000, 'ours')");
  expectBackup(await backup('geo'));
  await server.sql(
    'geo',
    "DELETE FROM items; UPDATE places SET name = 'other' WHERE id > 1000; INSERT INTO places VALUES (3000, 'newer')",
  );
  await refused('geo', {}, 'may not write the rows of public.places', 'GRANT ALL ON public.places TO app');
  await server.sql('geo', 'GRANT ALL ON public.places TO app');
  const result = await restored('geo');
  expect(wayOf(result)).toBe('in-place');
  expect(await server.sql('geo', 'SELECT * FROM places ORDER BY id')).toBe('1|of the extension\n2000|ours');
  expect(await rows('geo')).toBe('100');
});

describe('an extension that can live in one database alone', () => {
  const admin = (database: string): Inputs => ({ database: server.uri({ database }) });

  test('is restored there in place, with its rows', async () => {
    await make('jobs', 'CREATE EXTENSION pg_cron', "INSERT INTO cron.job (command) VALUES ('a'), ('b')");
    expectBackup(await backup('jobs', admin('jobs')));
    await server.sql(
      'jobs',
      "DELETE FROM cron.job; INSERT INTO cron.job (command) VALUES ('newer'); DELETE FROM items",
    );
    const result = await restored('jobs', admin('jobs'));
    expect(wayOf(result)).toBe('in-place');
    expect(result.visible).toContain('The extension pg_cron can only be created in the database that');
    expect(
      await server.sql('jobs', "SELECT string_agg(command, '' ORDER BY id), nextval('cron.jobid_seq') FROM cron.job"),
    ).toBe('ab|3');
    expect(await rows('jobs')).toBe('100');
    await server.createDatabase('elsewhere');
    const to = { ...admin('jobs'), 'restore-to': server.uri({ database: 'elsewhere' }), confirm: 'elsewhere' };
    await refused('jobs', to, 'pg_cron can only be created in the database jobs', '`restore-to`');
  });
});

test('an extension of which the server has no files any more is named', async () => {
  await make('gone', 'SET ROLE app; CREATE EXTENSION fleeting');
  expectBackup(await backup('gone'));
  await server.sql('gone', 'DROP EXTENSION fleeting');
  for (const name of ['fleeting.control', 'fleeting--1.sql']) rmSync(join(extensionFiles(), name));
  await refused('gone', {}, 'the extension fleeting is not available on the server', 'Install the package');
});

test('a superuser may ask for it in place', async () => {
  await make('plain', 'SELECT 1');
  expectBackup(await backup('plain'));
  await server.sql('plain', 'DELETE FROM items; CREATE EXTENSION hstore');
  const result = await restored('plain', { database: server.uri({ database: 'plain' }), 'restore-way': 'in-place' });
  expect(wayOf(result)).toBe('in-place');
  expect(result.visible).toContain('As `restore-way` says, it is restored in place');
  expect([await rows('plain'), await server.sql('plain', 'SELECT count(*) FROM pg_extension')]).toEqual(['100', '1']);
  // neither does an odd file of an extension that nobody uses keep it from being restored
  writeFileSync(join(extensionFiles(), 'odd.control'), 'not what it should be');
  expect(wayOf(await restored('plain'))).toBe('swap');
  rmSync(join(extensionFiles(), 'odd.control'));
});
