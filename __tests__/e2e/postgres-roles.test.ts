import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PostgresContent } from '../../src/backups/manifest.js';
import { expectBackup } from '../helpers/failure.js';
import { type Postgres, quoteIdentifier, startPostgres } from '../helpers/postgres.js';
import {
  definitionsOf,
  drop,
  loadPayload,
  recover,
  rowsTold,
  startPostgresScene,
} from '../helpers/postgres-backups.js';
import { contentsOf, fillSample } from '../helpers/postgres-sample.js';
import { sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';

const NAME = `the "shop"'s`;
const DATABASE = quoteIdentifier(NAME);

let server: Postgres;
/** A server that has never heard of the other. */
let fresh: Postgres;
let scene: Scene;
beforeAll(async () => {
  [server, fresh] = await Promise.all([startPostgres(), startPostgres()]);
  await server.sql('postgres', ROLES);
  await fillSample(server, NAME);
  await server.sql(NAME, PROPERTIES);
  scene = await startPostgresScene(server, NAME);
  Object.assign(scene.inputs, { name: 'shop' });
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
  await fresh.remove();
});

const ROLES = `
CREATE ROLE "App's ""owner""" LOGIN PASSWORD 'not-in-the-backup' CONNECTION LIMIT 7 VALID UNTIL '2030-01-01Z';
CREATE ROLE app_reader NOINHERIT PASSWORD 'not-in-the-backup-either';
CREATE ROLE "漢字 admin" CREATEDB CREATEROLE REPLICATION BYPASSRLS IN ROLE pg_monitor;
GRANT app_reader TO "App's ""owner""" WITH ADMIN OPTION;
GRANT "App's ""owner""" TO "漢字 admin";
ALTER ROLE app_reader SET search_path = shop, "Odd, path";
ALTER ROLE app_reader SET application_name = 'two
-- lines; and

more''s';
COMMENT ON ROLE app_reader IS 'reads
-- and more

and "more\\';
`;

const PROPERTIES = `
ALTER DATABASE ${DATABASE} CONNECTION LIMIT 42;
ALTER DATABASE ${DATABASE} SET application_name = 'it''s \\ "quoted"';
REVOKE ALL ON DATABASE ${DATABASE} FROM PUBLIC;
GRANT CONNECT ON DATABASE ${DATABASE} TO PUBLIC;
GRANT CREATE ON DATABASE ${DATABASE} TO app_reader WITH GRANT OPTION;
ALTER ROLE "App's ""owner""" IN DATABASE ${DATABASE} SET search_path = "odd schéma", public;
COMMENT ON DATABASE ${DATABASE} IS 'It''s
two lines \\ and "quotes"';
ALTER TABLE empty_table OWNER TO "App's ""owner""";
`;

/** All roles but those of the system and the user who logs in, and all that belongs to the database itself. */
async function surroundings(of: Postgres, database: string): Promise<unknown> {
  const query = (text: string) => `(SELECT coalesce(json_agg(t), '[]') FROM (${text}) t)`;
  return JSON.parse(
    await of.sql(
      database,
      `SELECT json_build_object(
        'roles', ${query(`SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
          rolconnlimit, rolvaliduntil, rolconfig, shobj_description(oid, 'pg_authid') AS comment
          FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname`)},
        'memberships', ${query(`SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members
          WHERE roleid >= 16384 OR member >= 16384 ORDER BY 1, 2`)},
        'database', ${query(`SELECT datname, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datcollate, datctype,
          datconnlimit, shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = current_database()`)},
        'grants', ${query(`SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS who, privilege_type, is_grantable
          FROM pg_database, aclexplode(datacl) WHERE datname = current_database() ORDER BY 1, 2`)},
        'settings', ${query(`SELECT setrole::regrole::text, setconfig FROM pg_db_role_setting
          WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1`)})`,
    ),
  );
}

const payload = (id: string) => join(scene.directory, scene.manifest(id).file);
const contentOf = (id: string) => scene.manifest(id).content as PostgresContent;

/** What a user does on a new server, of which one role or another is there already. */
async function prepare(of: Postgres, { roles, properties }: PostgresContent): Promise<void> {
  await of.sql('postgres', `\\set ON_ERROR_STOP off\n${roles?.join('\n')}`);
  await of.sql('postgres', properties.join('\n'));
}

test('roles and properties of the manifest bring the database to a server that knows nothing of it', async () => {
  const id = expectBackup(await scene.run());
  await prepare(fresh, contentOf(id));
  loadPayload(fresh, payload(id), NAME);
  expect(await surroundings(fresh, NAME)).toEqual(await surroundings(server, NAME));
  expect(await definitionsOf(fresh, NAME)).toBe(await definitionsOf(server, NAME));
  expect(await contentsOf(fresh, NAME)).toEqual(await contentsOf(server, NAME));
});

test('no password is in it, nor its hash', async () => {
  const id = expectBackup(await scene.run());
  const manifest = readFileSync(join(scene.directory, `${id}.json`), 'utf8');
  expect(manifest).toContain('CREATE ROLE app_reader;');
  expect(manifest).not.toMatch(/PASSWORD '|SCRAM-SHA-256|not-in-the-backup/);
  const known = await server.sql('postgres', 'SELECT rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL');
  expect(known).toMatch(/^SCRAM-SHA-256/);
});

test('a role that may not read the roles: a warning, and the backup all the same', async () => {
  await server.createRole('humble', 'secret');
  await server.createDatabase('own', 'OWNER humble');
  await server.sql('own', 'SET ROLE humble; CREATE TABLE t AS SELECT 1 AS one');
  await server.sql('own', 'REVOKE SELECT ON pg_auth_members FROM PUBLIC');
  for (const format of sample(['custom', 'plain'], 1)) {
    const result = await scene.run({
      database: server.uri({ user: 'humble', password: 'secret', database: 'own' }),
      name: `own-${format}`,
      'dump-format': format,
    });
    const id = expectBackup(result);
    expect(result.annotations.map(({ level }) => level)).toEqual(['warning']);
    expect(result.annotations[0]?.message).toMatch(
      /^the roles of the server are not in this backup: .*permission denied for table pg_auth_members/,
    );
    expect(contentOf(id)).toMatchObject({ roles: null, tables: [{ name: 'public.t', rows: 1 }] });
    expect(contentOf(id).properties[0]).toContain(' OWNER humble;');
  }
});

test.each(sample(['custom', 'directory', 'plain'], 1))(
  'verify: checksum, %s: nothing is told of the content',
  async (format) => {
    const result = await scene.run({ 'dump-format': format, verify: 'checksum' });
    const id = expectBackup(result);
    expect(result.annotations).toEqual([]);
    expect(scene.manifest(id)).toMatchObject({ content: null, verified: { level: 'checksum' } });
    expect(result.outputs['verified-level']).toBe('checksum');
    await recover(server, scene, id, 'copy');
    expect(await contentsOf(server, 'copy')).toEqual(await contentsOf(server, NAME));
    await drop(server, 'copy');
  },
);

describe('a database in another encoding', () => {
  test.each([
    ['LATIN1', 'zähler', `U&'\\00E4\\00DF'`],
    ['EUC_JP', '漢字', `U&'\\6F22\\5B57'`],
    // bytes of no encoding
    ['SQL_ASCII', 't', `convert_from('\\xe4fc20ff', 'SQL_ASCII')`],
  ])('%s', async (encoding, table, text) => {
    const name = `in ${encoding}`;
    await server.createDatabase(name, `TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`);
    await server.sql(name, `CREATE TABLE "${table}" AS SELECT ${text} AS text`);
    for (const format of encoding === 'SQL_ASCII' ? sample(['custom', 'directory', 'plain'], 2) : ['custom']) {
      const inputs = { database: server.uri({ database: name }), name: `${encoding}-${format}`, 'dump-format': format };
      const id = expectBackup(await scene.run(inputs));
      expect(rowsTold(scene, id)).toEqual([[`public.${table}`, 1]]);
      await prepare(fresh, contentOf(id));
      loadPayload(fresh, payload(id), name);
      const hex = `SELECT encode(convert_to(text, getdatabaseencoding()), 'hex') FROM "${table}"`;
      expect(await fresh.sql(name, hex)).toBe(await server.sql(name, hex));
      expect(await fresh.sql(name, 'SHOW server_encoding')).toBe(encoding);
      await drop(fresh, name);
    }
  });
});
