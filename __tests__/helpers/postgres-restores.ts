import { expect } from '@jest/globals';
import { leftOnHost } from './invariants.js';
import { type Postgres, quoteLiteral } from './postgres.js';
import type { ActionResult } from './run-action.js';
import type { Scene } from './scene.js';

/** What belongs to a database itself. */
export async function propertiesOf(server: Postgres, database: string): Promise<unknown> {
  const text = await server.sql(
    'postgres',
    `SELECT json_build_object('owner', pg_get_userbyid(datdba), 'encoding', encoding, 'collate', datcollate, 'ctype', datctype,
       'provider', datlocprovider, 'icu', daticulocale, 'limit', datconnlimit, 'open', datallowconn, 'tablespace', spcname,
       'comment', shobj_description(d.oid, 'pg_database'),
       'acl', (SELECT json_agg(acl::text ORDER BY acl::text) FROM unnest(datacl) acl),
       'settings', (SELECT json_agg(setrole::regrole || ': ' || setting ORDER BY setrole, setting)
          FROM pg_db_role_setting, unnest(setconfig) setting WHERE setdatabase = d.oid))
     FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = ${quoteLiteral(database)}`,
  );
  return text === '' ? null : JSON.parse(text);
}

/** The databases that restores have made on the way and left. */
export const leftDatabases = (server: Postgres): Promise<string> =>
  server.sql('postgres', "SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE 'db\\_backup\\_%'");

export async function expectRestored(
  scene: Scene,
  server: Postgres,
  result: ActionResult,
  directory = scene.directory,
): Promise<void> {
  expect(result.annotations.filter(({ level }) => level === 'error')).toEqual([]);
  expect({ code: result.code, ...result.outputs }).toMatchObject({
    code: 0,
    'error-code': '',
    'backup-ok': 'false',
    'restore-outcome': 'restored',
  });
  await expectNothingLeft(scene, server, directory);
}

/** Neither processes, files and the lock on the host nor databases on the server. */
export async function expectNothingLeft(scene: Scene, server: Postgres, directory = scene.directory): Promise<void> {
  expect(await leftOnHost(scene, directory)).toEqual([]);
  expect(await leftDatabases(server)).toBe('');
}
