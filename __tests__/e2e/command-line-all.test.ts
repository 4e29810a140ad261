import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { nameFor } from '../../src/command-line/all-databases.js';
import type { Report } from '../../src/reporting/report.js';
import { type CommandLineResult, commandLine } from '../helpers/command-line.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';

const HOSTILE = `a"b'; $(x)`;

let server: Postgres;
let folder: string;
let directory: string;
const config = (): string => join(folder, 'db-backup.yml');

const make = async (name: string, clauses = ''): Promise<void> => {
  await server.createDatabase(name, clauses);
  await server.sql(name, 'CREATE TABLE t (a int); INSERT INTO t VALUES (1)');
};
const serverUri = (): string => server.uri().replace(/\/postgres$/, '');
/** The server, without a database in its URI, and a database of its own behind it. */
const configure = (more = '', database = serverUri()): void =>
  writeFileSync(
    config(),
    `defaults: { transport: local, directory: ${directory} }
databases:
  shop:
    all: true
    database: ${database}
${more}`,
  );

beforeAll(async () => {
  server = await startPostgres();
  folder = mkdtempSync(join(tmpdir(), 'dbb-all-'));
  directory = join(folder, 'backups');
  await make('orders');
  await make(HOSTILE);
  await make('frozen', 'IS_TEMPLATE true');
  await make('closed');
  await server.sql('postgres', 'ALTER DATABASE closed ALLOW_CONNECTIONS false');
});
afterAll(async () => {
  await server.remove();
  rmSync(folder, { recursive: true });
});

const run = (command: string, ...args: string[]): Promise<CommandLineResult> =>
  commandLine([command, '--config', config(), '--json', ...args]);
const reportsOf = ({ stdout }: CommandLineResult): Report[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Report);
const outcomes = (result: CommandLineResult): [string, string][] =>
  reportsOf(result).map(({ name, errorCode }) => [name, errorCode]);

const hostile = nameFor('shop', HOSTILE);

test('each database of a server is backed up under a name of its own, new ones included', async () => {
  configure();
  const first = await run('backup');
  expect(outcomes(first)).toEqual([
    [hostile, ''],
    ['shop-orders', ''],
  ]);
  expect(first.code).toBe(0);
  expect(hostile).toMatch(/^shop-a-b-x-[0-9a-f]{8}$/);
  expect(first.stderr + first.stdout).not.toContain(server.adminPassword);
  expect(reportsOf(first).map(({ database }) => decodeURIComponent(database.replace(/.*\//, '')))).toEqual([
    HOSTILE,
    'orders',
  ]);

  await make('later');
  expect(outcomes(await run('backup'))).toEqual([
    [hostile, ''],
    ['shop-later', ''],
    ['shop-orders', ''],
  ]);
  const manifests = readdirSync(directory).filter((name) => name.endsWith('.json') && name !== 'status.json');
  expect(manifests.filter((name) => name.startsWith('shop-later-'))).toHaveLength(1);
  expect(manifests).toHaveLength(5);
});

test.each(['list', 'health', 'verify', 'prune'])('%s is about each of them', async (command) => {
  const result = await run(command);
  expect(outcomes(result)).toEqual([
    [hostile, ''],
    ['shop-later', ''],
    ['shop-orders', ''],
  ]);
  expect(result.code).toBe(0);
});

test('one is named by --target, and has to be where a command is about one backup', async () => {
  expect(outcomes(await run('list', '--target', 'shop-orders'))).toEqual([['shop-orders', '']]);
  const all = await run('restore');
  expect([all.code, all.stderr]).toEqual([
    2,
    expect.stringContaining('--target: restore takes one database: choose one of shop-DATABASE'),
  ]);
  await server.sql('orders', 'DELETE FROM t');
  const restored = await run('restore', '--target', 'shop-orders', '--confirm', 'orders');
  expect(outcomes(restored)).toEqual([['shop-orders', '']]);
  expect(await server.sql('orders', 'SELECT count(*) FROM t')).toBe('1');
  const unknown = await run('list', '--target', 'shop-nothing');
  expect(outcomes(unknown)).toEqual([['shop-nothing', '']]);
  expect(unknown.stderr).toContain(
    `shop-nothing: shop has no database of that name now; it has ${hostile}, shop-later, shop-orders`,
  );
});

test('two that would be called the same are refused, the others go on', async () => {
  await make(hostile.replace('shop-', ''));
  const result = await run('backup', '--dry-run');
  expect(outcomes(result).toSorted()).toEqual(
    [
      [hostile, 'E_INPUT'],
      [hostile, 'E_INPUT'],
      ['shop-later', ''],
      ['shop-orders', ''],
    ].toSorted(),
  );
  expect(result.code).toBe(2);
  await server.sql('postgres', `DROP DATABASE "${hostile.replace('shop-', '')}"`);

  configure(`  shop-later: { database: "${server.uri({ database: 'orders' })}" }\n`);
  expect(outcomes(await run('list', '--quiet'))).toEqual([
    [hostile, ''],
    ['shop-later', 'E_INPUT'],
    ['shop-orders', ''],
    ['shop-later', ''],
  ]);
});

test('a server that can not be asked is a failure of its own, and the others go on', async () => {
  configure(
    `  orders: { database: "${server.uri({ database: 'orders' })}" }\n`,
    'postgresql://nobody:wrong@127.0.0.1:1/',
  );
  const result = await run('backup');
  expect(outcomes(result)).toEqual([
    ['shop', 'E_CONNECT'],
    ['orders', ''],
  ]);
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/E_CONNECT: .* Nothing was kept, nothing was rotated/);
});

test('the database of the server itself is taken as soon as something is in it', async () => {
  configure('', server.uri({ database: 'orders' }));
  expect(outcomes(await run('list')).map(([name]) => name)).not.toContain('shop-postgres');
  await server.sql('postgres', 'CREATE TABLE kept (a int)');
  expect(outcomes(await run('list')).map(([name]) => name)).toContain('shop-postgres');
});

test('the server is asked as another user, by its socket', async () => {
  const socket = server.uri({ socket: true, user: 'postgres' }).replace('/postgres?', '/?');
  writeFileSync(
    config(),
    `databases: { shop: { all: true, transport: local, directory: ${directory}, run-as: postgres, database: "${socket}" } }\n`,
  );
  const names = outcomes(await run('list'));
  expect(names).toEqual(
    expect.arrayContaining([
      ['shop-orders', ''],
      [hostile, ''],
    ]),
  );
  expect(outcomes(await run('backup', '--target', 'shop-orders'))).toEqual([['shop-orders', '']]);
});

test('what is no server, and what is given for all of them', async () => {
  configure('', '/srv/app.db');
  expect((await run('list')).stderr).toMatch(/database: with `all: true` expected a server, as a postgresql:\/\/ URL/);
  configure();
  const given = await run('list', '--database', server.uri());
  expect([given.code, given.stderr]).toEqual([2, expect.stringContaining('database: --database gives it')]);
});
