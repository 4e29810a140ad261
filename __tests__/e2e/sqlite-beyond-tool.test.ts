import { execFileSync } from 'node:child_process';
import { chownSync, copyFileSync, existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { nothingLeft, refused, sqlite3, succeeded } from '../helpers/outcome.js';
import type { ActionResult } from '../helpers/run-action.js';
import { type Scene, startScene } from '../helpers/scene.js';

// What the tool on the host can not judge, or what REINDEX mends, is told at the time of the backup, and no restore is refused for it.

let scene: Scene;
beforeAll(async () => {
  scene = await startScene();
});
afterAll(() => scene.stop());

/** A database that Python has made, which can give it functions and collations of its own. */
function made(name: string, script: string): string {
  const path = join(dirname(scene.database), `${name}.db`);
  execFileSync('/usr/bin/python3', [
    '-c',
    `import sqlite3\ndb = sqlite3.connect(${JSON.stringify(path)})\n${script}\ndb.commit()`,
  ]);
  chownSync(path, scene.user.uid, scene.user.gid);
  return path;
}

const warnings = (result: ActionResult): string =>
  result.annotations
    .filter(({ level }) => level === 'warning')
    .map(({ message }) => message)
    .join('\n');

/** A connection that can not write asks for less of the schema. */
const read = (path: string, sql: string): string =>
  execFileSync('sqlite3', ['-batch', '-init', '/dev/null', '-readonly', path, sql], { encoding: 'utf8' });

/** Restored over the live database, into the place of none, and as a dump of others; `look` reads one value of it. */
async function restores(database: string, id: string, look: string, warned: RegExp): Promise<void> {
  const name = database.replace(/.*\/|\.db$/g, '');
  const before = read(database, look);
  const dump = join(scene.user.home, `${name}-foreign.db`);
  copyFileSync(database, dump);
  chownSync(dump, scene.user.uid, scene.user.gid);
  for (const [backup, first] of [
    [id, () => {}],
    [id, () => rmSync(database)],
    [dump, () => rmSync(database)],
  ] as const) {
    first();
    const inputs = { database, name, command: 'restore', backup, confirm: `${name}.db` };
    const planned = await scene.run({ ...inputs, 'dry-run': 'true' });
    expect({ code: planned.code, warnings: warnings(planned) }).toEqual({
      code: 0,
      warnings: expect.stringMatching(warned),
    });
    const result = await scene.run(inputs);
    expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'error-code': '' });
    expect(warnings(result)).toMatch(warned);
    expect(read(database, look)).toBe(before);
    await nothingLeft(scene);
  }
}

describe('a function of the application', () => {
  const SCRIPT = `db.create_function("ours", 1, lambda x: str(x)[::-1], deterministic=True)
db.execute("CREATE TABLE t (x)")
db.execute("INSERT INTO t VALUES ('a'), ('b')")
`;

  test.each([
    ['index', 'CREATE INDEX i ON t (ours(x))'],
    ['partial', "CREATE INDEX i ON t (x) WHERE ours(x) <> 'z'"],
  ])('in an %s: backed up with a warning, and restored', async (name, sql) => {
    const database = made(name, `${SCRIPT}db.execute(${JSON.stringify(sql)})`);
    const told =
      /not all indexes could be checked, since sqlite3 on the host does not know what the application does: .*unknown function: ours\(\)/;
    for (const verify of ['content', 'restore']) {
      const result = await scene.run({ database, name, verify });
      expect(warnings(result)).toMatch(told);
      expect(scene.manifest(succeeded(result)).verified.level).toBe(verify);
    }
    const id = succeeded(await scene.run({ database, name }));
    await restores(database, id, 'SELECT group_concat(x) FROM t NOT INDEXED', told);
  });

  test('in a check, and a check of a newer SQLite: no obstacle, and nothing to tell', async () => {
    const database = made(
      'checked',
      `db.execute("CREATE TABLE t (x CHECK (x))")
db.execute("INSERT INTO t VALUES (1), (2)")
db.execute("PRAGMA writable_schema = on")
db.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE t (x CHECK (json_valid(x, 6)) CHECK (ours(x)))'")`,
    );
    const result = await scene.run({ database, name: 'checked', verify: 'restore' });
    expect(warnings(result)).toBe('');
    await restores(
      database,
      succeeded(result),
      'SELECT group_concat(x) FROM t',
      /^(.* (will be made with the mode|has .* open is known only of) .*\n?)*$/,
    );
  });
});

test('an index that lacks rows: told each time, restored as it is, and mended by REINDEX', async () => {
  const database = made(
    'index-damage',
    `db.execute("CREATE TABLE t (x)")
db.execute("CREATE INDEX i ON t (x)")
db.execute("INSERT INTO t VALUES ('a')")
db.execute("PRAGMA writable_schema = on")
db.execute("CREATE TABLE kept AS SELECT * FROM sqlite_master WHERE name = 'i'")
db.execute("DELETE FROM sqlite_master WHERE name = 'i'")`,
  );
  sqlite3(
    database,
    "INSERT INTO t VALUES ('b'), ('c')",
    'PRAGMA writable_schema = on',
    'INSERT INTO sqlite_master SELECT * FROM kept',
  );
  expect(sqlite3(database, 'PRAGMA quick_check')).toBe('ok\n');
  const told = /the rows are sound, and an index is damaged: .*run REINDEX on the database: .*missing from index i/;
  for (const verify of ['content', 'restore']) {
    const result = await scene.run({ database, name: 'index-damage', verify });
    expect(warnings(result)).toMatch(told);
    succeeded(result);
  }
  const id = succeeded(await scene.run({ database, name: 'index-damage' }));
  await restores(database, id, 'SELECT group_concat(x) FROM t NOT INDEXED', told);
  sqlite3(database, 'REINDEX');
  expect(sqlite3(database, 'PRAGMA integrity_check')).toBe('ok\n');
});

describe('what the content can not be judged by, backed up with `verify: checksum` as the message says', () => {
  const told = /the content of the backup can not be checked here, and is restored as the bytes that were backed up/;

  test('rows that break NOT NULL', async () => {
    const database = made(
      'null',
      `db.execute("CREATE TABLE t (x)")
db.execute("INSERT INTO t VALUES (NULL), (1)")
db.execute("PRAGMA writable_schema = on")
db.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE t (x NOT NULL)'")`,
    );
    expect(refused(await scene.run({ database, name: 'null' }), 'E_SOURCE_CORRUPT')).toMatch(/set `verify: checksum`/);
    const id = succeeded(await scene.run({ database, name: 'null', verify: 'checksum' }));
    rmSync(database);
    const result = await scene.run({ database, name: 'null', command: 'restore', backup: id, confirm: 'null.db' });
    expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'error-code': '' });
    expect(warnings(result)).toMatch(told);
    expect(sqlite3(database, 'SELECT count(*) FROM t')).toBe('2\n');
    // and in the place of the live one, with which SQLite finds the same fault
    const again = await scene.run({ database, name: 'null', command: 'restore', backup: id, confirm: 'null.db' });
    expect(again.outputs).toMatchObject({ 'restore-outcome': 'restored', 'error-code': '' });
    expect(existsSync(database)).toBe(true);
    await nothingLeft(scene);
  });

  test('a collation of the application', async () => {
    const database = made(
      'collation',
      `db.create_collation("german", lambda a, b: (a > b) - (a < b))
db.execute("CREATE TABLE t (x TEXT COLLATE german)")
db.execute("CREATE INDEX i ON t (x)")
db.execute("INSERT INTO t VALUES ('a'), ('b')")`,
    );
    const id = succeeded(await scene.run({ database, name: 'collation', verify: 'checksum' }));
    await restores(database, id, 'SELECT group_concat(x) FROM t NOT INDEXED', told);
  });
});
