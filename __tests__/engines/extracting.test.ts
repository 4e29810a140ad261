import { expect, test } from '@jest/globals';
import { nearest, noTable } from '../../src/engines/extracting.js';
import { tablesCalled } from '../../src/engines/postgres/extracting.js';
import { oneStatement } from '../../src/engines/sqlite/extracting.js';

test.each([
  ['CREATE TABLE t (a)', 'CREATE TABLE t (a)'],
  [
    `CREATE TABLE "a;b" (c DEFAULT ';' /* ; */, [d;] , \`e;\` -- ;\n)`,
    `CREATE TABLE "a;b" (c DEFAULT ';' , [d;] , \`e;\` )`,
  ],
  [`CREATE TABLE t (a DEFAULT 'it''s; "fine"')`, `CREATE TABLE t (a DEFAULT 'it''s; "fine"')`],
  // what the sqlite3 tool takes for itself stands on no line of its own, unless in quotes
  ['CREATE TABLE go(id,\ngo\n, x)', 'CREATE TABLE go(id, go , x)'],
  [
    'CREATE TABLE go(system, CHECK (1 +\ngo\n.system /*$(id)*/\n IS NOT NULL))',
    'CREATE TABLE go(system, CHECK (1 + go .system IS NOT NULL))',
  ],
  ['CREATE TABLE t(a, CHECK (a\n/\n.5 > 1)) -- the end', 'CREATE TABLE t(a, CHECK (a / .5 > 1))'],
  ['CREATE TABLE t("a\n.shell id\n")\tSTRICT', 'CREATE TABLE t("a\n.shell id\n") STRICT'],
  [
    `CREATE TABLE t$(é$1 INT/**/DEFAULT -1.5e-3,b CHECK(b<=x'00'or b->>'$.a'!=~0x1f))`,
    `CREATE TABLE t$(é$1 INT DEFAULT -1.5e-3,b CHECK(b<=x'00'or b->>'$.a'!=~0x1f))`,
  ],
])('one statement: %s', (text, printed) => {
  expect(oneStatement(text)).toBe(printed);
});

test.each([
  'CREATE TABLE t (a); DROP TABLE u',
  'CREATE TABLE t (a);\n.shell id',
  "CREATE TABLE t (a DEFAULT '''');--'",
  'CREATE TABLE t (a "b")" ; .shell id',
  'CREATE TABLE t (a) /* b */ ; .shell /* id */',
  "CREATE TABLE t (a) 'no end",
  'CREATE TABLE t (a) /* no end',
  'CREATE TABLE t (a) /*/',
  'CREATE TABLE t (a [b)',
  'CREATE TABLE t (a)\0.shell id',
  "CREATE TABLE t (a DEFAULT ($a('))); SELECT edit(1, 'id'); --')",
  "CREATE TABLE t AS SELECT edit('', 'id')",
  'CREATE TABLE t /* ( */ AS SELECT 1',
])('more than one, or the half of one: %s', (text) => {
  expect(() => oneStatement(text)).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
});

test('a table of PostgreSQL is found with its schema and without', () => {
  const listed = ['public orders app', 'archive orders app', 'public user data app', 'shop a.b app'];
  expect(tablesCalled('public.orders', listed)).toEqual([{ schema: 'public', table: 'orders' }]);
  expect(tablesCalled('orders', listed)).toHaveLength(2);
  expect(tablesCalled('user data', listed)).toEqual([{ schema: 'public', table: 'user data' }]);
  expect(tablesCalled('shop.a.b', listed)).toEqual([{ schema: 'shop', table: 'a.b' }]);
  expect(tablesCalled('app', listed)).toEqual([]);
  expect(tablesCalled('ORDERS', listed)).toEqual([]);
  // how a line is to be read is known where the manifest names the table
  expect(tablesCalled('data', ['public data x', 'public user data app'], ['public.data', 'public.user data'])).toEqual([
    { schema: 'public', table: 'data' },
  ]);
});

test('a table of PostgreSQL whose name has line breaks, which pg_restore lists as blanks', () => {
  const listed = ['public two lines app', 'my shop orders app'];
  const [two, orders] = [
    { schema: 'public', table: 'two\nlines' },
    { schema: 'my\nshop', table: 'orders' },
  ];
  const known = ['public.two\nlines', 'my\nshop.orders'];
  for (const name of ['two\nlines', 'public.two\nlines']) {
    expect(tablesCalled(name, listed)).toEqual([two]);
    expect(tablesCalled(name, listed, known)).toEqual([two]);
  }
  // as it is shown
  expect(tablesCalled('public.two lines', listed, known)).toEqual([two]);
  expect(tablesCalled('orders', listed, known)).toEqual([orders]);
  expect(tablesCalled('my\nshop.orders', listed)).toEqual([orders]);
  const both = [...known, 'public.two lines'];
  expect(tablesCalled('two lines', listed, both)).toEqual([{ schema: 'public', table: 'two lines' }]);
  expect(tablesCalled('two\nlines', listed, both)).toEqual([two]);
});

test('names that are nearly the same come first', () => {
  const names = ['public.zebra', 'public.orders', 'public.order_lines', 'public.users'];
  expect(nearest('oders', names)[0]).toBe('public.orders');
  expect(nearest('order', names).slice(0, 2)).toEqual(['public.order_lines', 'public.orders']);
  const error = noTable(
    'x',
    Array.from({ length: 20 }, (_, at) => `table${at}`),
  );
  expect(error.hint).toMatch(/^It has .*, and 12 others\.$/);
  expect(noTable('x', []).hint).toBe('It has no tables.');
});
