import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseNamePattern, schemaCondition, tableCondition } from '../../src/engines/postgres/name-patterns.js';
import { type Postgres, quoteIdentifier, startPostgres } from '../helpers/postgres.js';

const run = promisify(execFile);

/** The search_path of the database is `app, public`: of what is in both, only the first is visible. */
const SCHEMAS = ['app', 'public', 'audit', 'App', 'a.b', 'x y', '[]', 'größe', '$s', 'a', '"q"', '^p|q'];
const TABLES = [
  ...['users', 'orders', 'order_items', 'audit_log', 'Users', 'USERS', 'a.b', 'a', 'b', 'ab', 'axb', 'x y', ' x', '-x'],
  ...['$1', 'a$', 'a$b', '[]', 'a[]', 'a[b]', '"', '"q"', 'it\'s "q"', '\\', 'a\\d', 'a1', '*', 'a*', '?', 'a?'],
  ...['.', '^a$'],
  ...['(a)', 'a|b', 'a+', '{2}', 'aa', 'größe', 'GRÖSSE', 'ÄB', 'äb', '表', '🐘', 'x=y', ';', '--', '%', '_'],
  ...['postgresql://h/d'],
];
const ELSEWHERE: Record<string, string[]> = {
  public: ['users', 'only_public', 'shared_log', 'a', '表'],
  audit: ['users', 'audit_log', 'log_2024', 'log_2025'],
  App: ['users', 'Users'],
  'a.b': ['users', 'c'],
  'x y': ['z'],
  '[]': ['[]'],
  größe: ['größe'],
  $s: ['$1'],
  a: ['a', 'b', 'a.b'],
  '"q"': ['"q"'],
  '^p|q': ['p'],
};

const PATTERNS = [
  ...['users', 'USERS', 'Users', '"Users"', '"USERS"', '"users"', 'U"sers"', '"U"SERS', 'nothing', 'only_public'],
  ...['*', '?', '??', '*.*', 'public.*', 'app.*', '"App".*', 'App.*', '*.users', '*.Users', '"*".users', 'a*'],
  ...['*log*', 'order*'],
  ...['audit.log_????', 'audit.log_202[45]', 'audit.log_202[^4]', 'audit.(users|audit_log)', 'a|b', 'users|orders'],
  ...['a(b|xb)'],
  ...['a.b', '"a.b"', '"a.b".users', '"a.b".*', 'a."a.b"', 'a"."b', '"a".b', 'a.?'],
  ...['$1', 'a$', 'a$b', '"a$"', '*$*', '$s.$1', '[]', 'a[]', '"a[b]"', 'a[b]', '"[]"."[]"', '[].[]', '[a]'],
  ...['["a"]', '[""]', '["]"', '[a-c]'],
  ...['""""', '"""q"""', '"it\'s ""q"""', "it's*", '"""q""".*', 'a""b', '""a', '*""', '"""a', '"a""'],
  ...['\\\\', '"\\"', 'a\\\\d', 'a\\d', '"a\\d"', '\\w+', '\\W', '"*"', '\\*', 'a\\*', '"a*"', '"?"', '\\?', '"."'],
  ...['\\.', '\\$1'],
  ...['"^a$"', '^a', '^a$', '"(a)"', '(a)', '()', '"a|b"', 'a+', '"a+"', 'a{2}', '"{2}"', '{2}', 'a{1,2}', '(a)\\1'],
  ...['größe', 'GRÖSSE', '"GRÖSSE"', 'gr??e', 'gr?e', '*ö*', 'äb', 'ÄB', '?b', '表', '??表', '*.表', '🐘', '[🐘表]'],
  ...['größe.größe'],
  ...['x y', '"x y"', '"x y".z', 'x y.z', ' x', '-x', '--', 'x=y', ';', '%', '_', "'", "''", 'postgresql://h/d'],
  ...['"^p|q".p', '^p|q.p'],
  ...['a(', 'a)', '[', '[a', 'a]', '*?', '+', '\\', 'a\\', '(?i)users', '***:users', '***=users', 'a{', 'a{3'],
  ...['a{2,1}', '\\x41'],
];

let server: Postgres;
/** Relations by oid, as `schema.name`. */
let relations: Map<string, string>;
const DATABASE = 'patterns';

beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase(DATABASE);
  const names = [...TABLES.map((name): [string, string] => ['app', name])].concat(
    Object.entries(ELSEWHERE).flatMap(([schema, tables]) => tables.map((name): [string, string] => [schema, name])),
  );
  await server.sql(
    DATABASE,
    [
      ...SCHEMAS.filter((name) => name !== 'public').map((name) => `CREATE SCHEMA ${quoteIdentifier(name)};`),
      ...names.map(([schema, name]) => `CREATE TABLE ${quoteIdentifier(schema)}.${quoteIdentifier(name)} (x int);`),
      `CREATE VIEW app.a_view AS SELECT 1;
       CREATE MATERIALIZED VIEW app.a_materialized AS SELECT 1;
       CREATE SEQUENCE app.a_sequence;
       CREATE TABLE app.a_parted (x int) PARTITION BY RANGE (x);
       CREATE TABLE audit.a_part PARTITION OF app.a_parted DEFAULT;
       CREATE INDEX a_index ON app.a (x);
       CREATE TYPE app.a_type AS (x int);
       ALTER DATABASE ${DATABASE} SET search_path = app, public;`,
    ].join('\n'),
  );
  const rows = await server.sql(
    DATABASE,
    `SELECT c.oid || ' ' || n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND n.nspname !~ '^(pg_|information_schema)'`,
  );
  relations = new Map(rows.split('\n').map((row) => [row.replace(/ .*/s, ''), row.replace(/^\d+ /, '')]));
});

afterAll(async () => {
  await server?.remove();
});

/** The relations in a dump made with these arguments; null when pg_dump finds that the pattern is no regular expression. */
async function dumped(...args: string[]): Promise<string[] | null> {
  try {
    const { stdout } = await run(
      join(server.clientDirectory, 'pg_dump'),
      ['-w', '--verbose', '--schema-only', ...args, '-d', server.uri({ database: DATABASE })],
      { maxBuffer: 64 * 1_048_576, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' } },
    );
    // 1259 is pg_class. `--schema=*` has the system catalogue in it as well.
    return sorted([...stdout.matchAll(/^-- TOC entry \d+ \(class 1259 OID (\d+)\)$/gm)].map(([, oid = '']) => oid));
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? error);
    if (said.includes('no matching schemas were found')) return [];
    if (said.includes('invalid regular expression')) return null;
    throw error;
  }
}

function sorted(oids: string[]): string[] {
  return oids.flatMap((oid) => relations.get(oid) ?? []).sort();
}

async function leftOut(pattern: string): Promise<string[] | null> {
  const rest = await dumped(`--exclude-table=${pattern}`);
  return rest && [...relations.values()].filter((name) => !rest.includes(name)).sort();
}

/** What a condition selects; null when the server takes the pattern for no regular expression. */
async function selected(condition: string, settings = ''): Promise<string[] | null> {
  try {
    const rows = await server.sql(
      DATABASE,
      `${settings} SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE ${condition}`,
    );
    return sorted(rows.split('\n'));
  } catch (error) {
    if (String(error).includes('invalid regular expression')) return null;
    throw error;
  }
}

/** The answers by pattern, a few at a time. */
async function forEach<T>(patterns: string[], ask: (pattern: string) => Promise<T>): Promise<Record<string, T>> {
  const answers: Record<string, T> = {};
  const rest = [...patterns];
  const worker = async () => {
    for (let pattern = rest.pop(); pattern !== undefined; pattern = rest.pop()) answers[pattern] = await ask(pattern);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  return answers;
}

describe('tableCondition', () => {
  test('selects what pg_dump leaves out', async () => {
    const expected = await forEach(PATTERNS, leftOut);
    const actual = await forEach(PATTERNS, (pattern) => selected(tableCondition(pattern)));
    expect(actual).toEqual(expected);
    // Otherwise the patterns would prove little.
    const names = Object.values(expected);
    expect(names.filter((found) => found === null).length).toBeGreaterThan(5);
    expect(names.filter((found) => found !== null && found.length > 0).length).toBeGreaterThan(80);
  });

  test('the dumps show what is left out', async () => {
    expect(await dumped()).toEqual([...relations.values()].sort());
    expect(await leftOut('*.users')).toEqual(['App.users', 'a.b.users', 'app.users', 'audit.users', 'public.users']);
    expect(await leftOut('users')).toEqual(['app.users']);
    expect(await leftOut('a_*')).toEqual(['app.a_materialized', 'app.a_parted', 'app.a_sequence', 'app.a_view']);
  });

  test('selects what pg_dump leaves out for random patterns', async () => {
    const token = fc.constantFrom(
      ...['a', 'b', 'A', 'users', 'app.', 'x y', '*', '?', '"', '""', '.', '$', '[', ']', '[]', '\\', '|', '('],
      ...[')', '+', '^'],
      ...["'", 'ö', '表', '-', '{2}', '[a-z]', '*.', '"a.b"', '\\d', '_'],
    );
    await fc.assert(
      fc.asyncProperty(fc.array(token, { minLength: 1, maxLength: 6 }), async (tokens) => {
        const pattern = tokens.join('');
        try {
          parseNamePattern(pattern, 'table');
        } catch {
          fc.pre(false);
        }
        const [expected, actual] = await Promise.all([leftOut(pattern), selected(tableCondition(pattern))]);
        expect({ pattern, names: actual }).toEqual({ pattern, names: expected });
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    [
      'other rules for literals',
      'SET standard_conforming_strings = off; SET escape_string_warning = off; SET backslash_quote = off;',
    ],
    [
      'a hostile search_path',
      `CREATE SCHEMA evil;
       CREATE FUNCTION evil.no(name, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
       CREATE OPERATOR evil.~ (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.no);
       CREATE FUNCTION evil.pg_table_is_visible(oid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
       SET search_path = evil, app, public, pg_catalog;`,
    ],
  ])('means the same under %s', async (_, settings) => {
    const patterns = ['users', '*', 'a\\\\d', '"it\'s ""q"""', '\\w+', '*.*', '"\\"'];
    for (const pattern of patterns) {
      const names = await selected(tableCondition(pattern), `BEGIN; ${settings}`);
      expect(names).not.toEqual([]);
      expect(names).toEqual(await selected(tableCondition(pattern)));
    }
  });
});

describe('schemaCondition', () => {
  test('selects what pg_dump takes', async () => {
    const patterns = [
      ...['app', 'App', '"App"', 'a*', '*', '?', '"a.b"', '"x y"', 'x y', '[]', '"[]"', 'größe', '*ö*', '$s', '(a)'],
      ...['app|audit', '"""q"""', '"^p|q"', '^p|q', 'a?b', 'nothing', 'pub*c', '[a-b]*', 'a(', '-x'],
    ];
    const expected = await forEach(patterns, (pattern) => dumped(`--schema=${pattern}`));
    expect(await forEach(patterns, (pattern) => selected(schemaCondition(pattern)))).toEqual(expected);
    expect(expected).toMatchObject({ nothing: [], '"a.b"': ['a.b.c', 'a.b.users'] });
  });
});

describe('parseNamePattern', () => {
  test.each(['users', 'audit.*', '"a.b"."c.d"', '-x', '*', 'a|b', '"""q"""', 'x y', ' '])(
    'takes %s as it is',
    (text) => {
      expect(parseNamePattern(text, 'table')).toBe(text);
    },
  );

  test.each(['app', '"a.b"', 'app_*', '-x'])('takes %s for a schema', (text) => {
    expect(parseNamePattern(text, 'schema')).toBe(text);
  });

  const EMPTY = 'expected a pattern, such as audit_* or app.sessions';
  const ONE_LINE = 'expected one pattern per line, without control characters';
  const QUOTE = 'a double quote is not closed; write a double quote inside a quoted name twice';
  const SIDES = 'expected a name on both sides of the dot';
  const PARTS = 'expected table or schema.table; put a name with a dot in it in double quotes';
  const SCHEMA = 'expected the name of a schema alone; put a name with a dot in it in double quotes';
  test.each([
    ['', 'table', EMPTY],
    ['a\nb', 'table', ONE_LINE],
    ['a\0', 'table', ONE_LINE],
    ['a\tb', 'schema', ONE_LINE],
    ['"a', 'table', QUOTE],
    ['a"', 'table', QUOTE],
    ['"a""', 'table', QUOTE],
    ['"a.b', 'schema', QUOTE],
    ['db.app.users', 'table', PARTS],
    ['a..b', 'table', PARTS],
    ['.users', 'table', SIDES],
    ['users.', 'table', SIDES],
    ['"".users', 'table', SIDES],
    ['""', 'table', SIDES],
    ['""', 'schema', SIDES],
    ['app.users', 'schema', SCHEMA],
    ['app.*', 'schema', SCHEMA],
    ['.', 'schema', SCHEMA],
  ] as const)('refuses %j for a %s', (text, parts, rule) => {
    expect(() => parseNamePattern(text, parts)).toThrow(new Error(rule));
  });
});
