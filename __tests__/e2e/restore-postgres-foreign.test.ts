import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import type { ActionResult } from '../helpers/run-action.js';
import { reportOf, type Scene } from '../helpers/scene.js';

// What the scripts of old have left, in every form of pg_dump. Debian's client has known holes, so that each needs leave.

const COUNT = "SELECT string_agg(id || ':' || item, ',' ORDER BY id) FROM orders";
const DUMPED = '1:one,2:two';
const LIVE = '1:one,2:two,3:three';
const MORE = "INSERT INTO orders VALUES (3, 'three'); CREATE TABLE newer (id int REFERENCES orders)";

let server: Postgres;
let scene: Scene;
let plain: string;
beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.sql('shop', 'CREATE TABLE orders (id int PRIMARY KEY, item text)');
  await server.sql('shop', "INSERT INTO orders VALUES (1, 'one'), (2, 'two')");
  scene = await startPostgresScene(server, 'shop');
  dump('-Fc', '-f', file('shop.dump'));
  dump('-Ft', '-f', file('tar'));
  dump('-Fd', '-f', file('folder'));
  execFileSync('tar', ['-cf', file('folder.tar'), '-C', file('.'), 'folder']);
  dump('-f', file('shop.sql'));
  plain = readFileSync(file('shop.sql'), 'utf8');
  writeFileSync(file('shop.sql.gz'), gzipSync(plain));
  writeFileSync(file('old backup'), zstdCompressSync(readFileSync(file('shop.dump'))));
  await server.sql('shop', MORE);
}, 60_000);
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

const file = (name: string): string => join(scene.user.home, name);
function dump(...options: string[]): void {
  const tool = join(server.clientDirectory, 'pg_dump');
  execFileSync(tool, ['-d', server.uri({ database: 'shop' }), ...options]);
  execFileSync('chmod', ['-R', 'a+rX', scene.user.home]);
}
const restore = (backup: string, inputs: Record<string, string> = {}): Promise<ActionResult> =>
  scene.run({ command: 'restore', backup, confirm: 'shop', 'allow-unsafe-client': 'true', ...inputs });

test('a client with known holes restores nothing of others without leave', async () => {
  const result = await restore('~/shop.dump', { 'allow-unsafe-client': '' });
  expectFailure(result, 'E_TOOL_UNSAFE', 'CVE-', 'allow-unsafe-client: true', 'Nothing was restored');
  expect(await server.sql('shop', COUNT)).toBe(LIVE);
  await nothingLeft(scene);
});

test.each(['shop.dump', 'tar', 'folder.tar', 'shop.sql', 'shop.sql.gz', 'old backup'])('%s', async (name) => {
  const result = await restore(`~/${name}`);
  expect(result.annotations.filter(({ level }) => level === 'error')).toEqual([]);
  expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'backup-id': '', 'error-code': '' });
  expect(await server.sql('shop', COUNT)).toBe(DUMPED);
  expect(await server.sql('shop', "SELECT to_regclass('newer') IS NULL")).toBe('t');
  await nothingLeft(scene);

  expect(reportOf(result).restore).toMatchObject({ from: file(name) });
  expect(result.outputs['safety-backup-id']).toMatch(/^shop-/);
  await server.sql('shop', MORE);
});

describe('no command that stands in a script is run', () => {
  const attacks = (canary: string, head: string, key: string): Record<string, string> => ({
    'a shell': `\\! touch ${canary}\n`,
    'a pipe for rows': `SELECT 1 \\g |touch ${canary}\n`,
    'a pipe for output': `\\o |touch ${canary}\n`,
    'after its own end of the restriction': `${head}\\unrestrict ${key}\n\\! touch ${canary}\n`,
    'after another end of it': `\\unrestrict ${key}x\n\\! touch ${canary}\n`,
    'an early end': '\\q\n',
  });

  test.each(Object.keys(attacks('', '', '')))('%s', async (name) => {
    const canary = file('canary');
    const [head = '', key = ''] = /\\restrict (\w+)\n/.exec(plain) ?? [];
    expect(key).not.toBe('');
    const attack = attacks(canary, head, key)[name] ?? '';
    writeFileSync(file('attack.sql'), plain.replace('CREATE TABLE', `${attack}CREATE TABLE`));
    const result = await restore('~/attack.sql', { 'safety-backup': 'false' });
    expectFailure(result, 'E_RESTORE', 'backslash commands are restricted', 'The live database is as it was');
    expect(existsSync(canary)).toBe(false);
    expect(await server.sql('shop', COUNT)).toBe(LIVE);
    expect(await server.sql('postgres', "SELECT count(*) FROM pg_database WHERE datname LIKE 'db_backup%'")).toBe('0');
  });
});
