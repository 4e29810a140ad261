import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { byHand } from '../helpers/by-hand.js';
import { ageKey, type KeyPair } from '../helpers/encryption-keys.js';
import { withSh } from '../helpers/posix-sh.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { sample } from '../helpers/sample.js';

const ODD = 'Odd schéma; with "quotes"';

let server: Postgres;
let folder: string;
let key: KeyPair;
let inputs: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-extract-'));
  key = ageKey();
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.sql(
    'shop',
    `CREATE TABLE orders (id integer PRIMARY KEY, note text, amount numeric(30, 10), raw bytea);
     INSERT INTO orders SELECT i, E'line\\none \\\\ ''' || i, i / 7.0, decode(md5(i::text), 'hex') FROM generate_series(1, 200000) i;
     CREATE SCHEMA "${ODD.replaceAll('"', '""')}";
     CREATE TABLE "${ODD.replaceAll('"', '""')}"."-x; DROP TABLE orders" (a text);
     INSERT INTO "${ODD.replaceAll('"', '""')}"."-x; DROP TABLE orders" VALUES ('one'), (NULL), ('');
     CREATE SCHEMA archive;
     CREATE TABLE archive.twice (a integer);
     CREATE TABLE public.twice (a integer);
     INSERT INTO archive.twice VALUES (1);
     CREATE SCHEMA a;
     CREATE SCHEMA "a.x";
     CREATE TABLE a."x.c" (n integer);
     CREATE TABLE "a.x".c (n integer);
     CREATE TABLE "two
lines" (n integer);
     INSERT INTO "two
lines" VALUES (7);
     CREATE VIEW seen AS SELECT * FROM orders;`,
  );
  inputs = { transport: 'local', database: server.uri({ database: 'shop' }), directory: join(folder, 'backups') };
});
afterAll(async () => {
  await server?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const backUp = async (more: Record<string, string> = {}): Promise<void> => {
  const made = await byHand(['backup', '--quiet'], { ...inputs, ...more });
  expect({ code: made.code, stderr: made.stderr }).toMatchObject({ code: 0 });
};
const extract = (table: string, more: Record<string, string> = {}, ...options: string[]) =>
  byHand(['extract', 'latest', '--table', table, '--quiet', ...options], { ...inputs, ...more });

/** What the rows are, in one line. */
const sumOf = (database: string, table: string): Promise<string> =>
  server.sql(database, `SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t`);

let databases = 0;
/** Loads a script into a new database, and says what is in a table of it. */
async function loaded(script: Buffer, table: string, before = ''): Promise<string> {
  const name = `again${++databases}`;
  await server.createDatabase(name);
  await server.sql(name, before || 'SELECT');
  const file = join(folder, `${name}.sql`);
  writeFileSync(file, script);
  execFileSync(join(server.clientDirectory, 'psql'), [
    '-X',
    '-q',
    '-v',
    'ON_ERROR_STOP=1',
    '-f',
    file,
    server.uri({ database: name }),
  ]);
  return sumOf(name, table);
}

test('200 000 rows come out as they are, and load again', async () => {
  await backUp();
  const whole = await extract('orders');
  expect({ code: whole.code, stderr: whole.stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('ERROR') });
  expect(await loaded(whole.stdout, 'orders')).toBe(await sumOf('shop', 'orders'));
  expect(whole.stdout.toString()).not.toContain('twice');

  const rows = await extract('public.orders', {}, '--data-only');
  expect(rows.stdout.toString()).not.toContain('CREATE TABLE');
  const table = 'CREATE TABLE orders (id integer PRIMARY KEY, note text, amount numeric(30, 10), raw bytea)';
  expect(await loaded(rows.stdout, 'orders', table)).toBe(await sumOf('shop', 'orders'));
});

test('names are taken as they are, and never for more', async () => {
  const odd = await extract(`${ODD}.-x; DROP TABLE orders`);
  expect(odd.code).toBe(0);
  const quoted = `"${ODD.replaceAll('"', '""')}"."-x; DROP TABLE orders"`;
  const schema = `CREATE SCHEMA "${ODD.replaceAll('"', '""')}"`;
  expect(await loaded(odd.stdout, quoted, schema)).toBe(await sumOf('shop', quoted));

  const several = await extract('twice');
  expect(several).toMatchObject({ code: 2, stdout: Buffer.alloc(0) });
  expect(several.stderr).toMatch(
    /E_INPUT: table: there are 2 tables called twice.*(archive\.twice, public\.twice|public\.twice, archive\.twice)/,
  );
  expect((await extract('archive.twice')).stdout.toString()).toContain('CREATE TABLE archive.twice');

  const same = await extract('a.x.c');
  expect(same).toMatchObject({ code: 2, stdout: Buffer.alloc(0) });
  expect(same.stderr).toMatch(/cannot be told apart here.*`pg_restore -f -` and .*--schema='a' --table='x\.c'/);
  expect(same.stderr).toContain("--schema='a.x' --table='c'");
  expect(same.stderr).not.toContain('Name one');
  for (const name of ['two\nlines', 'public.two lines']) {
    const broken = await extract(name);
    expect({ code: broken.code, stderr: broken.stderr }).toMatchObject({ code: 0 });
    expect(broken.stdout.toString()).toContain('\n7\n');
  }

  for (const name of ['ordes', 'seen', "orders'; DROP TABLE orders; --", '$(touch /tmp/dbb-here)', '*']) {
    const none = await extract(name);
    expect({ ...none, stdout: none.stdout.toString() }).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr).toMatch(/E_NOT_FOUND: the backup has no table ".*"\. It has .*public\.orders/);
  }
});

test.each([
  ['a folder of pg_dump', { 'dump-format': 'directory', name: 'folder' }],
  ['one that is encrypted', { encrypt: 'age', name: 'closed' }],
])('out of %s', async (_, more) => {
  const keys = more.name === 'closed' ? { 'encryption-recipients': key.recipient } : {};
  await backUp({ ...more, ...keys });
  const { name } = more;
  const opened = await extract(
    'archive.twice',
    name === 'closed' ? { name, 'decryption-key': key.identity } : { name },
  );
  expect({ code: opened.code, stderr: opened.stderr }).toMatchObject({ code: 0 });
  expect(await loaded(opened.stdout, 'archive.twice', 'CREATE SCHEMA archive')).toBe(
    await sumOf('shop', 'archive.twice'),
  );
  if (name !== 'closed') return;
  const closed = await extract('archive.twice', { name });
  expect(closed).toMatchObject({ code: 1, stdout: Buffer.alloc(0) });
  expect(closed.stderr).toContain('E_DECRYPT');
});

test.each(sample(['dash', 'bash', 'busybox', 'mksh', 'ksh93'] as const, 2))('where sh is %s', async (shell) => {
  for (const format of ['custom', 'directory']) {
    const name = `${shell}-${format}`;
    await backUp({ name, 'dump-format': format });
    const args = ['extract', 'latest', '--table', 'archive.twice', '--quiet', '--data-only'];
    const out = await byHand(args, { ...inputs, name }, { wrapper: withSh(shell) });
    expect({ code: out.code, stderr: out.stderr }).toMatchObject({ code: 0 });
    expect(out.stdout.toString()).toMatch(/COPY archive\.twice \(a\) FROM stdin;\n1\n\\\.\n/);
  }
});

test('a script is refused, and so is a format that pg_restore does not write', async () => {
  await backUp({ 'dump-format': 'plain', name: 'script' });
  const script = await extract('orders', { name: 'script' });
  expect(script).toMatchObject({ code: 1, stdout: Buffer.alloc(0) });
  expect(script.stderr).toContain('is a script (dump-format: plain)');
  const csv = await extract('orders', {}, '--format', 'csv');
  expect(csv).toMatchObject({ code: 2, stdout: Buffer.alloc(0) });
  expect(csv.stderr).toContain('E_INPUT: format: expected sql with a PostgreSQL database');
});
