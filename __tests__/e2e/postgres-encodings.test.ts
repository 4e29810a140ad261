import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { inTurn } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';

// Databases in other encodings than that of the server, and one in none (SQL_ASCII), whose bytes are no text.

let server: Postgres;
let scene: Scene;
const secret = 'secret';
beforeAll(async () => {
  server = await startPostgres();
  await server.createRole('owner', secret);
  await server.createDatabase('shop');
  scene = await startPostgresScene(server, 'shop');
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

interface Case {
  encoding: string;
  /** In hex, in that encoding. */
  names: [string, string];
  text: string;
}
const CASES: Case[] = [
  { encoding: 'SQL_ASCII', names: ['74e4', '74f6c3'], text: 'e4fc20ff5c41' },
  { encoding: 'LATIN1', names: ['74e4', '74f6'], text: 'e4df' },
  { encoding: 'EUC_JP', names: ['b4c1bbfa', 'a4a2'], text: 'b4c1bbfa' },
];

/** Everything is made and read as bytes: no client could say it. */
async function fill(name: string, { encoding, names, text }: Case): Promise<void> {
  await server.createDatabase(
    name,
    `OWNER owner TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
  );
  const raw = (hex: string) => `convert_from('\\x${hex}', '${encoding}')`;
  await server.sql(
    name,
    `DO $do$ BEGIN
       ${names
         .map(
           (hex, nth) => `EXECUTE format('CREATE TABLE %I (note text DEFAULT %L)', ${raw(hex)}, ${raw(text)});
       EXECUTE format('ALTER TABLE %I OWNER TO owner; INSERT INTO %1$I SELECT %L FROM generate_series(1, ${nth + 2})', ${raw(hex)}, ${raw(text)});`,
         )
         .join('\n')}
       EXECUTE format('ALTER DATABASE %I SET app.greeting = %L', current_database(), ${raw(text)});
     END $do$`,
  );
}

/** The tables with their rows and default, and what the database has set, in hex. */
const bytesOf = (name: string) =>
  server.sql(
    name,
    `SET client_encoding = SQL_ASCII;
     CREATE TEMPORARY TABLE found (line text);
     DO $do$ DECLARE t record; BEGIN
       FOR t IN SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
         EXECUTE format($f$INSERT INTO found SELECT encode(convert_to(%L, getdatabaseencoding()), 'hex') || ' ' || count(*) || ' ' || min(encode(convert_to(note, getdatabaseencoding()), 'hex')) FROM %s$f$, t.relname, t.oid::regclass);
       END LOOP;
     END $do$;
     SELECT line FROM found ORDER BY line COLLATE "C";
     SELECT encode(convert_to(pg_get_expr(adbin, adrelid), getdatabaseencoding()), 'hex') FROM pg_attrdef ORDER BY adrelid;
     SELECT encode(convert_to(current_setting('app.greeting'), getdatabaseencoding()), 'hex');`,
  );

describe.each(CASES)('$encoding', (one) => {
  const name = `in_${one.encoding.toLowerCase()}`;
  let sound: string;
  beforeAll(async () => {
    await fill(name, one);
    sound = await bytesOf(name);
    expect(sound).toContain(`${one.names[0]} 2 ${one.text}`);
  });

  inTurn(CASES, one).each([
    ['custom', 'admin'],
    ['directory', 'admin'],
    ['plain', 'admin'],
    ['custom', 'owner'],
  ])('%s, by %s: proven, and restored byte for byte', async (format, role) => {
    const place = {
      database:
        role === 'admin'
          ? server.uri({ database: name })
          : server.uri({ user: 'owner', password: secret, database: name }),
      name: `${one.encoding}-${format}-${role}`,
      'dump-format': format,
    };
    const backup = await scene.run({ ...place, verify: role === 'admin' ? 'restore' : 'content' });
    const id = expectBackup(backup);
    expect(
      scene
        .manifest(id)
        .content?.tables.map(({ rows }) => rows)
        .sort(),
    ).toEqual([2, 3]);
    await server.sql(
      name,
      `DO $do$ DECLARE t record; BEGIN
      FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('DELETE FROM %s', t.oid::regclass);
      END LOOP;
    END $do$`,
    );
    expect(await bytesOf(name)).not.toBe(sound);
    const result = await scene.run({ ...place, command: 'restore', backup: id, confirm: name });
    expect(result.annotations.filter(({ level }) => level === 'error')).toEqual([]);
    expect(result.outputs['restore-outcome']).toBe('restored');
    expect(await bytesOf(name)).toBe(sound);
    expect(await server.sql(name, 'SHOW server_encoding')).toBe(one.encoding);
    await nothingLeft(scene);
  });
});

test('names that are no text stay apart in a manifest; a setting that is none is said not to be in it', async () => {
  const place = { database: server.uri({ database: 'in_sql_ascii' }), name: 'told' };
  const result = await scene.run(place);
  const { content } = scene.manifest(expectBackup(result));
  expect(content?.tables.map(({ name }) => name)).toEqual(['public.t\\xe4', 'public.t\\xf6\\xc3']);
  expect(JSON.stringify(content)).not.toContain('app.greeting');
  expect(result.annotations.map(({ message }) => message).join()).toContain('not valid UTF-8');
});

test('names with a backslash are not taken for bytes', async () => {
  const names = ['a\\xe4', 'a\\x5cxe4', 'ä\\xe4', 'a\\', '\\xzz'];
  await server.createRole('maker', secret);
  await server.createDatabase('slashes', 'OWNER maker');
  const fill = names.map((name, nth) => `CREATE TABLE "${name}" AS SELECT generate_series(1, ${nth + 1}) AS n;`);
  await server.sql('slashes', `SET SESSION AUTHORIZATION maker; ${fill.join('')}`);
  const place = { database: server.uri({ user: 'maker', password: secret, database: 'slashes' }), name: 'slashes' };
  const id = expectBackup(await scene.run(place));
  const told = scene.manifest(id).content?.tables.map(({ name }) => name);
  expect(told).toEqual(expect.arrayContaining(['public.a\\x5cxe4', 'public.a\\', 'public.\\xzz']));
  expect(new Set(told).size).toBe(names.length);
  await server.sql('slashes', 'DELETE FROM "a\\xe4"');
  // the role may not create databases, so it is in place, where the server compares the names
  const result = await scene.run({ ...place, command: 'restore', backup: id, confirm: 'slashes' });
  expect(result.outputs['restore-outcome']).toBe('restored');
  expect(await server.sql('slashes', 'SELECT count(*) FROM "a\\xe4"')).toBe('1');
});
