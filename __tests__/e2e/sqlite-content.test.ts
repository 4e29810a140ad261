import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { committedState, nothingLeft, refused, restored, sqlite3, succeeded } from '../helpers/outcome.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { createDatabase } from '../helpers/sqlite.js';

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
});
afterAll(() => scene.stop());

/** A database of the login user, made by the tool. */
function made(name: string, ...statements: string[]): string {
  const path = join(dirname(scene.database), name);
  sqlite3(path, ...statements);
  chownSync(path, scene.user.uid, scene.user.gid);
  return path;
}

/** By Python, which can give a database functions and collations of its own. */
function madeByPython(name: string, script: string): string {
  const path = join(dirname(scene.database), name);
  execFileSync('/usr/bin/python3', [
    '-c',
    `import sqlite3\ndb = sqlite3.connect(${JSON.stringify(path)})\n${script}\ndb.commit()`,
  ]);
  chownSync(path, scene.user.uid, scene.user.gid);
  return path;
}

const tablesOf = (id: string) =>
  Object.fromEntries((scene.manifest(id).content?.tables ?? []).map(({ name, rows }) => [name, rows]));

describe('what is counted', () => {
  // by 50 in one statement
  test.each([1, 50, 51, 100])('%i tables', async (many) => {
    const names = Array.from({ length: many }, (_, nth) => `t${nth}`);
    const statements = names.flatMap((name, nth) => [
      `CREATE TABLE ${name} (x)`,
      nth % 7 === 3 ? `INSERT INTO ${name} VALUES (1)` : 'SELECT 1',
    ]);
    const id = succeeded(await scene.run({ database: made(`of-${many}.db`, ...statements), name: `of-${many}` }));
    expect(tablesOf(id)).toEqual(Object.fromEntries(names.map((name, nth) => [name, nth % 7 === 3 ? 1 : 0])));
  });

  test('tables with hostile names, each with its rows', async () => {
    const trap = join(mkdtempSync(join(tmpdir(), 'dbb-trap-')), 'touched');
    const names = [
      ...['', ' ', ' leading', "it's", 'a"b', '""', 'semi;colon', '--', '/* x', '[a]', '`a`', '%s\\n', '$(id)', '-x'],
      ...['new\nline', '\n', 'cr\rlf\n', 'tab\t', 'ünï 漢字 😀', 'end', '.quit', 'SELECT 1', 'x'.repeat(700)],
      ...[
        `.shell touch ${trap}`,
        `a\n.shell touch ${trap}\nb`,
        `'); DROP TABLE "end"; --`,
        `";\n.shell touch ${trap}\n--`,
      ],
    ];
    const statements = names.flatMap((name, rows) => {
      const table = `"${name.replaceAll('"', '""')}"`;
      return [
        `CREATE TABLE ${table} (x)`,
        `INSERT INTO ${table} WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT ${rows}`,
      ];
    });
    const id = succeeded(await scene.run({ database: made('hostile.db', ...statements), name: 'hostile' }));
    expect(tablesOf(id)).toEqual(Object.fromEntries(names.map((name, rows) => [name, rows])));
    expect(existsSync(trap)).toBe(false);
    rmSync(dirname(trap), { recursive: true });
  });

  test('tables of every kind; views, triggers, indexes and virtual tables are objects', async () => {
    const database = made(
      'kinds.db',
      'CREATE TABLE without (k TEXT PRIMARY KEY, v) WITHOUT ROWID',
      "INSERT INTO without VALUES ('a', 1), ('b', 2)",
      'CREATE TABLE made (a INTEGER PRIMARY KEY AUTOINCREMENT, b AS (a * 2) STORED, c AS (a + 1))',
      'INSERT INTO made (a) VALUES (1), (2), (3)',
      'CREATE INDEX made_sum ON made (a + b) WHERE a > 1',
      'CREATE VIEW seen AS SELECT * FROM made',
      'CREATE TRIGGER told AFTER INSERT ON made BEGIN SELECT 1; END',
      'CREATE VIRTUAL TABLE texts USING fts5 (body)',
      "INSERT INTO texts VALUES ('one'), ('two'), ('three'), ('four')",
      'CREATE TABLE "create virtual" (x)',
      'CREATE VIRTUAL TABLE places USING rtree (id, a, b)',
      'INSERT INTO places VALUES (1, 0, 1)',
    );
    const id = succeeded(await scene.run({ database }));
    const expected = Object.fromEntries(
      ['without', 'made', 'create virtual', 'places_node', 'places_parent', 'places_rowid']
        .concat(['config', 'content', 'data', 'docsize', 'idx'].map((part) => `texts_${part}`))
        .map((name) => [name, Number(sqlite3(database, `SELECT count(*) FROM "${name}"`))]),
    );
    expect(tablesOf(id)).toEqual(expected);
    expect(expected).toMatchObject({ without: 2, made: 3, texts_content: 4, places_rowid: 1 });
    expect(scene.manifest(id).content?.objects).toBe(Number(sqlite3(database, 'SELECT count(*) FROM sqlite_master')));
  });

  test('1200 tables', async () => {
    const statements = Array.from(
      { length: 1200 },
      (_, i) => `CREATE TABLE t${i} (x); INSERT INTO t${i} VALUES (${i})`,
    );
    const database = made('many.db', `BEGIN; ${statements.join(';')}; INSERT INTO t77 VALUES (1); COMMIT`);
    const result = await scene.run({ database });
    const tables = tablesOf(succeeded(result));
    expect(Object.keys(tables)).toHaveLength(1200);
    expect(tables).toMatchObject({ t0: 1, t77: 2, t1199: 1 });
    expect(result.summary).toMatch(/Contents: 1.200 tables, 1.201 rows/);
  });

  test.each(['UTF-16le', 'UTF-16be'])('%s: names as people read them', async (encoding) => {
    const database = made(`${encoding}.db`, `PRAGMA encoding = '${encoding}'`, 'CREATE TABLE "zähler" (x)');
    expect(tablesOf(succeeded(await scene.run({ database })))).toEqual({ zähler: 0 });
  });
});

describe('foreign keys are a matter of the data', () => {
  test('violations are counted and told, and the backup is good', async () => {
    const database = made(
      'orphans.db',
      'CREATE TABLE parent (id INTEGER PRIMARY KEY)',
      'CREATE TABLE child (p INTEGER REFERENCES parent (id))',
      'INSERT INTO parent VALUES (1)',
      'INSERT INTO child VALUES (1), (2), (3), (4)',
    );
    const result = await scene.run({ database });
    expect(scene.manifest(succeeded(result)).content).toMatchObject({ foreignKeyViolations: 3 });
    expect(reportOf(result).foreignKeyViolations).toBe(3);
    expect(result.summary).toMatch(/3 rows without the row they refer to/);
  });

  test('that can not be checked are a warning', async () => {
    const database = made(
      'mismatch.db',
      'CREATE TABLE parent (id)',
      'CREATE TABLE child (p REFERENCES parent (id))',
      'INSERT INTO child VALUES (2)',
    );
    const result = await scene.run({ database });
    succeeded(result);
    const warnings = result.annotations.filter(({ level }) => level === 'warning').map(({ message }) => message);
    expect(warnings).toEqual([expect.stringMatching(/foreign keys could not be checked: .*foreign key mismatch/)]);
  });
});

describe('the copy keeps what a dump would lose', () => {
  test.each([
    ['page_size', '512'],
    ['page_size', '65536'],
    ['auto_vacuum', '1'],
    ['auto_vacuum', '2'],
    ['application_id', '4711'],
    ['journal_mode', 'wal'],
  ])('%s %s', async (pragma, value) => {
    const database = made(
      `kept-${pragma}-${value}.db`,
      `PRAGMA ${pragma} = ${value}`,
      'CREATE TABLE t (x)',
      'INSERT INTO t VALUES (1), (2), (3)',
      'DELETE FROM t WHERE x = 2',
      'PRAGMA user_version = 42',
    );
    const id = succeeded(await scene.run({ database }));
    const settings = await restored(scene, id, (path) =>
      sqlite3(path, `PRAGMA ${pragma}`, 'PRAGMA user_version', 'SELECT group_concat(rowid) FROM t'),
    );
    expect(settings).toBe(`${value}\n42\n1,3\n`);
    expect(scene.manifest(id).content).toMatchObject({ pageSize: pragma === 'page_size' ? Number(value) : 4096 });
  });

  test('more than 100 MB', async () => {
    const database = join(dirname(scene.database), 'large.db');
    await createDatabase(database, { mb: 120, owner: scene.user.name });
    const id = succeeded(await scene.run({ database }));
    await committedState(scene, id);
    expect(scene.manifest(id).databaseBytes).toBe(statSync(database).size);
    rmSync(database);
  });
});

describe('what the tool on the host does not know', () => {
  test('a collation: the way out is `verify: checksum`', async () => {
    const database = madeByPython(
      'collation.db',
      `db.create_collation("german", lambda a, b: (a > b) - (a < b))
db.execute("CREATE TABLE t (x TEXT COLLATE german)")
db.execute("CREATE INDEX i ON t (x)")
db.execute("INSERT INTO t VALUES ('a')")`,
    );
    const message = refused(await scene.run({ database }), 'E_DUMP_FAILED');
    expect(message).toMatch(/no such collation sequence: german/);
    expect(message).toMatch(/does not know it.*Set `verify: checksum`.*Nothing was kept/);
    const result = await scene.run({ database, verify: 'checksum' });
    const id = succeeded(result);
    expect(result.outputs['verified-level']).toBe('checksum');
    expect(scene.manifest(id)).toMatchObject({ verified: { level: 'checksum' }, content: null });
    expect(await restored(scene, id, (path) => sqlite3(path, 'SELECT x FROM t NOT INDEXED'))).toBe('a\n');
    await nothingLeft(scene);
  });

  test('a function in an index is no obstacle', async () => {
    const database = madeByPython(
      'function.db',
      `db.create_function("ours", 1, lambda x: x, deterministic=True)
db.execute("CREATE TABLE t (x)")
db.execute("CREATE INDEX i ON t (ours(x))")
db.execute("INSERT INTO t VALUES ('a')")`,
    );
    expect(tablesOf(succeeded(await scene.run({ database })))).toEqual({ t: 1 });
  });

  test('a virtual table is no obstacle', async () => {
    const database = made(
      'module.db',
      'CREATE TABLE t (x)',
      'PRAGMA writable_schema = 1',
      "INSERT INTO sqlite_master VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING ours (x)')",
    );
    expect(tablesOf(succeeded(await scene.run({ database })))).toEqual({ t: 0 });
  });

  test('rows that break NOT NULL: told as what they are', async () => {
    const database = made(
      'null.db',
      'CREATE TABLE t (x)',
      'INSERT INTO t VALUES (NULL)',
      'PRAGMA writable_schema = 1',
      "UPDATE sqlite_master SET sql = 'CREATE TABLE t (x NOT NULL)'",
    );
    const message = refused(await scene.run({ database }), 'E_SOURCE_CORRUPT');
    expect(message).toMatch(/NULL value in t\.x.*Correct the rows, or set `verify: checksum`/);
    succeeded(await scene.run({ database, verify: 'checksum' }));
  });
});
