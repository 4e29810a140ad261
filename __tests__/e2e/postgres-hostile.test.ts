import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type Postgres, quoteIdentifier, quoteLiteral, startPostgres } from '../helpers/postgres.js';
import { drop, recover, startPostgresScene } from '../helpers/postgres-backups.js';
import { ownerOfServers } from '../helpers/postgres-programs.js';
import { expectRestored, propertiesOf } from '../helpers/postgres-restores.js';
import { SWEEP, sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

// What the owner of a database may write into it, or a manifest may say: nothing of it is carried out, on the host, on the runner, or by
// the server for a more powerful role.

const FORMATS = ['custom', 'directory', 'plain'] as const;

let server: Postgres;
let scene: Scene;
let folder: string;
let trap: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-trap-'));
  chmodSync(folder, 0o777);
  trap = join(folder, 'touched');
  server = await startPostgres();
  scene = await startPostgresScene(server, 'app');
  await server.createRole('app', 'secret');
});
afterEach(async () => {
  await server.sql('postgres', 'DROP DATABASE IF EXISTS app WITH (FORCE)');
  expect(existsSync(trap)).toBe(false);
  expect(await superusers()).toBe('admin postgres');
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
  rmSync(folder, { recursive: true });
});

const superusers = () =>
  server.sql('postgres', "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolsuper");

/** The database `app` of the role `app`, with two rows. */
async function make(name = 'app'): Promise<void> {
  await server.createDatabase(name, 'OWNER app');
  await server.sql(name, 'CREATE TABLE items AS SELECT generate_series(1, 2) AS i; ALTER TABLE items OWNER TO app');
}

const settingsOf = async (database: string) =>
  ((await propertiesOf(server, database)) as { settings: string[] }).settings;

/** A value that no SQL could have written, as it comes into the settings. */
const store = (database: string, setting: string, value: string) =>
  server.sql(
    database,
    `SELECT set_config(${quoteLiteral(setting)}, ${quoteLiteral(value)}, false);
     ALTER DATABASE ${quoteIdentifier(database)} SET ${setting} FROM CURRENT`,
  );

/** What is kept of the search_path means the same as before. */
const pathIn = (database: string) => server.sql(database, 'SELECT current_schemas(false)::text');

describe('the search_path of a database', () => {
  const PATHS = () => [
    `"a\ncreate \\! touch ${trap}\nx", public`,
    `public;ALTER/**/ROLE/**/app/**/SUPERUSER;--`,
    `"x'; ALTER ROLE app SUPERUSER; --", "$user", PUBLIC, "Öffentlich ""\\"`,
    '',
  ];

  test.each([0, 1, 2, 3])('number %i is backed up, proven and restored as the text that it is', async (nth) => {
    const path = PATHS()[nth] ?? '';
    await make();
    await store('app', 'search_path', path);
    const meant = await pathIn('app');
    const inputs = { verify: 'restore', assert: 'SELECT count(*) = 2 FROM public.items' };
    const format = FORMATS[nth] ?? 'custom';
    const id = expectBackup(await scene.run({ ...inputs, 'dump-format': format }));
    // the other ways to read it: each of them once, and all for each path in a sweep
    const also = [
      { 'dry-run': 'true' },
      { ...inputs, command: 'verify' },
      { command: 'restore', backup: id, confirm: 'app', 'dry-run': 'true' },
    ];
    for (const run of SWEEP ? also : also.slice(nth, nth + 1)) expect(await scene.run(run)).toMatchObject({ code: 0 });
    const restore = { command: 'restore', backup: id, confirm: 'app', 'safety-backup': 'false' };
    // in the place of the live database, and of none
    const places = [async () => {}, () => drop(server, 'app')];
    for (const before of SWEEP ? places : [places[nth % 2] ?? places[0]]) {
      await before?.();
      await expectRestored(scene, server, await scene.run(restore));
      expect(await settingsOf('app')).toHaveLength(1);
      expect(await pathIn('app')).toBe(meant);
      expect(await server.sql('app', 'SELECT count(*) FROM public.items')).toBe('2');
    }
    await drop(server, 'app');
    await recover(server, scene, id, 'app');
    await drop(server, 'app');
  });

  test('that decides in an assert which table is meant', async () => {
    await make();
    await server.sql('app', 'CREATE SCHEMA "Odd ""; one"; CREATE TABLE "Odd ""; one".here AS SELECT 1 AS i');
    await server.sql('app', 'ALTER DATABASE app SET search_path TO "Odd ""; one", public');
    const inputs = { verify: 'restore', assert: 'SELECT count(*) = 1 FROM here\nSELECT count(*) = 2 FROM items' };
    expectBackup(await scene.run(inputs));
    expectBackup(await scene.run({ ...inputs, command: 'verify' }));
    await drop(server, 'app');
  });
});

test('lists of other settings, and settings with all that a text can hold', async () => {
  await make();
  const odd = `$$ $do$ \\ ' " \n\\! touch ${trap}\n@set state restored\n; ALTER ROLE app SUPERUSER; --`;
  for (const [setting, value] of [
    ['app.secret', odd],
    ['application_name', "o'neil"],
    ['temp_tablespaces', 'pg_default'],
    ['datestyle', 'SQL, DMY'],
  ] as const) {
    await store('app', setting, value);
  }
  await server.sql('app', `COMMENT ON DATABASE app IS ${quoteLiteral(odd)}`);
  await server.sql('app', 'ALTER DATABASE app SET standard_conforming_strings TO off');
  await server.sql('app', 'ALTER ROLE app IN DATABASE app SET search_path TO "a;b", public');
  await server.sql('app', `ALTER ROLE app IN DATABASE app SET local_preload_libraries TO 'a b', "c""d"`);
  const before = await propertiesOf(server, 'app');
  const id = expectBackup(await scene.run());
  const restore = { command: 'restore', backup: id, confirm: 'app', 'safety-backup': 'false' };
  for (const first of [async () => {}, () => drop(server, 'app')]) {
    await first();
    await expectRestored(scene, server, await scene.run(restore));
    expect(await propertiesOf(server, 'app')).toEqual(before);
  }
  await drop(server, 'app');
});

test('a comment and a setting of a megabyte: left out of the manifest, told, and carried over all the same', async () => {
  await make();
  await server.sql('app', "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE app IS %L', repeat('x', 1000000)); END $$");
  await server.sql(
    'app',
    "SELECT set_config('app.large', repeat('y', 1000000), false); ALTER DATABASE app SET app.large FROM CURRENT",
  );
  await server.sql('app', "DO $$ BEGIN EXECUTE format('COMMENT ON ROLE app IS %L', repeat('z', 20000)); END $$");
  const before = await propertiesOf(server, 'app');
  const result = await scene.run();
  const id = expectBackup(result);
  const told = result.annotations.map(({ message }) => message);
  expect(told).toEqual([
    expect.stringMatching(
      /^the roles of the server are not in this backup: the comment of one is too long for the manifest/,
    ),

    expect.stringMatching(/^2 settings or comments of the database itself are too long for the manifest/),
  ]);
  expect(reportOf(await scene.run({ command: 'list' })).backups.map(({ id }) => id)).toContain(id);
  expect(readFileSync(join(scene.directory, `${id}.json`)).length).toBeLessThan(100_000);
  await expectRestored(
    scene,
    server,
    await scene.run({ command: 'restore', backup: id, confirm: 'app', 'safety-backup': 'false' }),
  );
  expect(await propertiesOf(server, 'app')).toEqual(before);
  await server.sql('postgres', 'COMMENT ON ROLE app IS NULL');
  await drop(server, 'app');
});

describe('names', () => {
  const ODD = () => [
    `a\ncreate \\! touch ${trap}\nx`,
    `\\! touch ${trap}`,
    `'; ALTER ROLE app SUPERUSER; --`,
    `"; $$ \\gexec`,
    '@set state restored',
  ];

  test('of schemas, tables, columns, roles, tablespaces: in every format, restored beside and in place', async () => {
    await make();
    const roles = ODD().map((name) => name.slice(0, 60));
    const space = mkdtempSync(join(tmpdir(), 'dbb-space-'));
    const { uid, gid } = ownerOfServers();
    chownSync(space, uid, gid);
    for (const name of roles) {
      const quoted = quoteIdentifier(name);
      await server.sql('postgres', `CREATE ROLE ${quoted}`);
      await server.sql(
        'app',
        `CREATE SCHEMA ${quoted} AUTHORIZATION app; CREATE TABLE ${quoted}.${quoted} AS SELECT 1 AS ${quoted};
         ALTER TABLE ${quoted}.${quoted} OWNER TO app; GRANT SELECT ON ${quoted}.${quoted} TO ${quoted};
         GRANT CONNECT ON DATABASE app TO ${quoted}; ALTER ROLE ${quoted} IN DATABASE app SET work_mem TO '1MB'`,
      );
    }
    await server.sql(
      'postgres',
      `CREATE TABLESPACE ${quoteIdentifier(roles[0] ?? '')} LOCATION ${quoteLiteral(space)}`,
    );
    await server.sql('postgres', `ALTER DATABASE app SET TABLESPACE ${quoteIdentifier(roles[0] ?? '')}`);
    const before = await propertiesOf(server, 'app');
    // custom, an archive, and plain, which psql reads
    for (const format of sample(FORMATS, 2)) {
      const id = expectBackup(await scene.run({ 'dump-format': format, verify: 'restore' }));
      expect(scene.manifest(id).content?.tables).toHaveLength(1 + roles.length);
      const restore = { command: 'restore', backup: id, confirm: 'app', 'safety-backup': 'false' };
      await expectRestored(scene, server, await scene.run(restore));
      expect(await propertiesOf(server, 'app')).toEqual(before);
      const inPlace = { ...restore, database: server.uri({ database: 'app', user: 'app', password: 'secret' }) };
      await expectRestored(scene, server, await scene.run(inPlace));
    }
    await drop(server, 'app');
    await server.sql('postgres', `DROP TABLESPACE ${quoteIdentifier(roles[0] ?? '')}`);
    for (const name of roles) await server.sql('postgres', `DROP ROLE ${quoteIdentifier(name)}`);
    rmSync(space, { recursive: true });
  });
});

describe('functions and operators of others, where names of the system are looked for', () => {
  /** In the way of everything that a careless statement could mean; each makes the file. */
  const SHADOWS = () =>
    [
      ...['quote_ident(name)', 'format(text, name)', 'format(text, text)', 'pg_get_userbyid(oid)', 'concat(text)'],
      ...[
        'encode(bytea, text)',
        'decode(text, text)',
        'convert_to(text, name)',
        'convert_from(bytea, name)',
        'count(name)',
      ],
      ...[
        'split_part(text, text, integer)',
        'pg_terminate_backend(integer)',
        'txid_status(bigint)',
        'nameeq(name, name)',
      ],
    ]
      .map((of) => {
        const [, name = '', list = ''] = /^(\w+)\((.*)\)$/.exec(of) ?? [];
        return `CREATE FUNCTION evil.${name}(${list}) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN
          COPY (SELECT 1) TO PROGRAM 'cat >${trap}'; RETURN 'x'; END $f$;`;
      })
      .join('\n');
  const OPERATORS = () => `CREATE FUNCTION evil.eq(name, name) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
      COPY (SELECT 1) TO PROGRAM 'cat >${trap}'; RETURN $1::text OPERATOR(pg_catalog.=) $2::text; END $f$;
    CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.eq);
    CREATE VIEW evil.pg_database AS SELECT * FROM pg_catalog.pg_database WHERE evil.eq('x', 'x');
    CREATE VIEW evil.pg_roles AS SELECT * FROM pg_catalog.pg_roles WHERE evil.eq('x', 'x');
    CREATE VIEW evil.pg_stat_activity AS SELECT * FROM pg_catalog.pg_stat_activity WHERE evil.eq('x', 'x');`;

  const shadow = async (database: string) => {
    await server.sql(database, `CREATE SCHEMA evil; ${SHADOWS()} ${OPERATORS()}`);
    await server.sql('postgres', `ALTER DATABASE ${database} SET search_path = evil, public, pg_catalog`);
  };

  test('neither in the database itself nor in the one from which it is replaced', async () => {
    await make();
    await shadow('app');
    await shadow('postgres');
    // the trap is one
    await server.sql('app', 'SELECT oid FROM pg_database WHERE datname = current_database()');
    expect(existsSync(trap)).toBe(true);
    rmSync(trap);
    // an abandoned one, to be swept
    await server.createDatabase('db_backup_check_1700000000_0123abcd');
    const id = expectBackup(await scene.run({ verify: 'restore' }));
    expect(await server.sql('template1', "SELECT count(*) FROM pg_database WHERE datname LIKE 'db\\_backup\\_%'")).toBe(
      '0',
    );
    expectBackup(await scene.run({ command: 'verify', verify: 'restore' }));
    const restore = { command: 'restore', backup: id, confirm: 'app' };
    await expectRestored(
      scene,
      server,
      await scene
        .run({ ...restore, 'dry-run': 'true' })
        .then((result) => ({ ...result, outputs: { ...result.outputs, 'restore-outcome': 'restored' } })),
    );
    await expectRestored(scene, server, await scene.run(restore));
    expect(await scene.run({ ...restore, 'check-command': 'false' })).toMatchObject({
      outputs: { 'restore-outcome': 'rolled-back' },
    });
    await drop(server, 'app');
    await expectRestored(scene, server, await scene.run(restore));
    // in place: a role that may not create databases, and has its own way to look for names
    await server.sql('postgres', 'ALTER ROLE app NOSUPERUSER NOCREATEDB');
    const inPlace = {
      ...restore,
      database: server.uri({ database: 'app', user: 'app', password: 'secret' }),
      'safety-backup': 'false',
    };
    await scene.run(inPlace); // what belongs to admin is in the way of that
    await server.sql('postgres', 'ALTER DATABASE postgres RESET search_path; DROP SCHEMA evil CASCADE');
    await drop(server, 'app');
  });
});

describe('what the planner carries out for the role that asks', () => {
  /** As the owner: a function that makes the file when a superuser carries it out, in each place that counting a table looks at. */
  const TRAPS = () => `SET SESSION AUTHORIZATION app;
    CREATE FUNCTION public.evil2() RETURNS void VOLATILE LANGUAGE plpgsql AS $f$ BEGIN
      IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN COPY (SELECT 1) TO PROGRAM 'cat >${trap}'; END IF;
    END $f$;
    CREATE FUNCTION public.evil(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.evil2(); RETURN true; END $f$;
    CREATE TABLE public.partial (i int); INSERT INTO public.partial VALUES (1); CREATE INDEX ON public.partial (i) WHERE public.evil(1);
    CREATE TABLE public.expression (i int); INSERT INTO public.expression VALUES (1); CREATE INDEX ON public.expression ((public.evil(1)));
    CREATE TABLE public.statistic (i int); INSERT INTO public.statistic VALUES (1); CREATE STATISTICS public.s ON (public.evil(1)), i FROM public.statistic;`;

  test('is nothing of others: such tables are not counted, and restored all the same', async () => {
    await make();
    await server.sql('app', TRAPS());
    // the trap is one
    await server.sql('app', 'SELECT count(*) FROM ONLY public.partial');
    expect(existsSync(trap)).toBe(true);
    rmSync(trap);
    const result = await scene.run();
    const id = expectBackup(result);
    const counts = Object.fromEntries((scene.manifest(id).content?.tables ?? []).map(({ name, rows }) => [name, rows]));
    expect(counts).toEqual({
      'public.items': 2,
      'public.partial': null,
      'public.expression': null,
      'public.statistic': null,
    });
    expect(result.visible).toMatch(
      /the rows of 3 tables were not counted, because their indexes or statistics call functions/,
    );
    const restore = { command: 'restore', backup: id, confirm: 'app' };
    expect(await scene.run({ ...restore, 'dry-run': 'true' })).toMatchObject({ code: 0 });
    await expectRestored(scene, server, await scene.run(restore));
    expect(existsSync(trap)).toBe(false);
    // who owns them carries out what is his own
    const own = await scene.run({
      database: server.uri({ database: 'app', user: 'app', password: 'secret' }),
      name: 'own',
    });
    expect(
      scene
        .manifest(expectBackup(own))
        .content?.tables.map(({ rows }) => rows)
        .sort(),
    ).toEqual([1, 1, 1, 2]);
  });

  test('is no view that takes the place of a table when pg_dump has ended', async () => {
    await make();
    await server.sql('app', TRAPS().replace(/CREATE TABLE public\.partial.*$/s, ''));
    const swap = `SET SESSION AUTHORIZATION app; BEGIN; DROP TABLE public.items;
      CREATE VIEW public.items AS SELECT i FROM generate_series(1, 2) i WHERE public.evil(i); COMMIT;`;
    const running = scene.start();
    // it waits for the lock that pg_dump takes, as soon as there is one
    while (
      (await server.sql(
        'app',
        "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'items'",
      )) === '0'
    ) {
      if (running.child.exitCode !== null) break;
    }
    await server.sql('app', swap);
    await running.result();
    expect(existsSync(trap)).toBe(false);
  });
});

test('a database of the C library stays one where the cluster has another', async () => {
  await server.sql(
    'postgres',
    "UPDATE pg_database SET datlocprovider = 'i', daticulocale = 'en-US' WHERE datname = 'template0'",
  );
  await server.createDatabase('app', "OWNER app TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C.UTF-8'");
  await server.sql('app', 'CREATE TABLE items AS SELECT 1 AS i');
  const before = await propertiesOf(server, 'app');
  const id = expectBackup(await scene.run({ verify: 'restore' }));
  for (const first of [async () => {}, () => drop(server, 'app')]) {
    await first();
    await expectRestored(
      scene,
      server,
      await scene.run({ command: 'restore', backup: id, confirm: 'app', 'safety-backup': 'false' }),
    );
    expect(await propertiesOf(server, 'app')).toEqual(before);
  }
  await drop(server, 'app');
  await recover(server, scene, id, 'app');
  expect(await propertiesOf(server, 'app')).toMatchObject({ provider: 'c' });
  await server.sql(
    'postgres',
    "UPDATE pg_database SET datlocprovider = 'c', daticulocale = NULL WHERE datname = 'template0'",
  );
});

describe('a manifest that somebody has changed', () => {
  const EVIL = [
    'ALTER ROLE app SUPERUSER;',
    'ALTER DATABASE app SET search_path TO public; ALTER ROLE app SUPERUSER; --;',
    `ALTER DATABASE app SET search_path TO public';ALTER/**/ROLE/**/app/**/SUPERUSER;`,
    "COMMENT ON DATABASE app IS 'x'; ALTER ROLE app SUPERUSER; --';",
    "COMMENT ON DATABASE app IS 'x\\'; ALTER ROLE app SUPERUSER; --';",
    'GRANT CONNECT ON DATABASE app TO app; ALTER ROLE app SUPERUSER;',
    'GRANT admin TO app;',
    'ALTER DATABASE app OWNER TO app;',
    '\\! touch TRAP',
  ];

  test('about how the database is made: none of its SQL is carried out, and it is told', async () => {
    await make();
    await server.sql('app', "COMMENT ON DATABASE app IS 'kept'");
    const id = expectBackup(await scene.run());
    const path = join(scene.directory, `${id}.json`);
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest & { content: { properties: string[] } };
    const [create = '', ...others] = manifest.content.properties;
    const changed = (properties: string[]) =>
      writeFileSync(path, JSON.stringify({ ...manifest, content: { ...manifest.content, properties } }));
    changed([create, ...others, ...EVIL.map((line) => line.replace('TRAP', trap))]);
    await drop(server, 'app');
    const restore = { command: 'restore', backup: id, confirm: 'app' };
    const result = await scene.run(restore);
    await expectRestored(scene, server, result);
    expect(
      reportOf(result)
        .problems.map(({ message }) => message)
        .join(),
    ).toMatch(/the manifest has 9 statements about the database itself that this action did not write/);
    expect(await propertiesOf(server, 'app')).toMatchObject({ comment: 'kept', owner: 'app' });
    changed([
      `CREATE DATABASE app TEMPLATE template0 ENCODING 'UTF8'; ALTER ROLE app SUPERUSER; --' LC_COLLATE 'C' LC_CTYPE 'C' OWNER app;`,
    ]);
    await drop(server, 'app');
    await expectRestored(scene, server, await scene.run(restore));
    expectBackup(await scene.run({ command: 'verify', backup: id, verify: 'restore' }));
    await drop(server, 'app');
  });
});

describe('tools and servers that say what they like', () => {
  let tools: string;
  let hostile: Scene;
  beforeAll(async () => {
    tools = mkdtempSync(join(tmpdir(), 'dbb-tools-'));
    chmodSync(tools, 0o755);
    for (const tool of ['pg_dump', 'pg_restore', 'pg_dumpall']) {
      writeFileSync(join(tools, tool), `#!/bin/sh\necho 'pg_dump (PostgreSQL) 99.1'\n`, { mode: 0o755 });
    }
    // bash: it carries out what is in the subscript of a variable that it calculates with
    hostile = await startScene({
      shell: '/bin/bash',
      sshd: { extraConfig: `SetEnv PATH=${tools}:/usr/local/bin:/usr/bin:/bin` },
    });
  });
  afterAll(async () => {
    await hostile?.stop();
    rmSync(tools, { recursive: true });
  });

  test.each([
    ['a fact of ours', () => 'published app-20260101T000000Z-0000'],
    ['a state', () => 'state restored'],
    ['a number that is none', () => `server_version_num events[$(touch ${trap}; echo 0)]`],
    ['a size that is none', () => `source_bytes events[$(touch ${trap}; echo 0)]`],
    ['a text that is not in hex', () => `like 'x'; \\! touch ${trap}`],
  ])('%s: E_DUMP_FAILED', async (what, line) => {
    writeFileSync(join(tools, 'psql'), `#!/bin/sh\ncat <<'END'\nserver_version_num 150000\n${line()}\nEND\n`, {
      mode: 0o755,
    });
    const database = 'postgresql://app:secret@127.0.0.1/app';
    for (const inputs of SWEEP || what === 'a fact of ours' ? [{}, { 'dry-run': 'true' }] : [{}]) {
      const message = expectFailure(await hostile.run({ database, ...inputs }), 'E_DUMP_FAILED');
      expect(message).toContain('the server sent an unexpected answer');
    }
    await nothingLeft(hostile);
  });
});
