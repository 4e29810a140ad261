import { execFileSync, spawn } from 'node:child_process';
import { chownSync, copyFileSync, existsSync, linkSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { nothingLeft, refused, sqlite3, succeeded } from '../helpers/outcome.js';
import type { ActionResult } from '../helpers/run-action.js';
import { SWEEP } from '../helpers/sample.js';
import { type Scene, startScene } from '../helpers/scene.js';

// What the tool on the host can not judge, or what REINDEX mends, is told at the time of the backup, and no restore is refused for it.

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
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
  for (const [what, backup, first] of [
    ['live', id, () => {}],
    ['none', id, () => rmSync(database)],
    ['dump', dump, () => rmSync(database)],
  ] as const) {
    first();
    const inputs = { database, name, command: 'restore', backup, confirm: `${name}.db` };
    if (SWEEP || what === 'dump') {
      const planned = await scene.run({ ...inputs, 'dry-run': 'true' });
      expect({ code: planned.code, warnings: warnings(planned) }).toEqual({
        code: 0,
        warnings: expect.stringMatching(warned),
      });
    }
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
      /not all indexes could be checked, because sqlite3 on the host does not know what the application knows: .*unknown function: ours\(\)/;
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
      /^(.* (will be created with mode|processes of the same user were checked for having) .*\n?)*$/,
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
  const told = /the rows are sound, but an index is damaged: .*run REINDEX on the database: .*missing from index i/;
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
  const told = /the content of the backup cannot be checked here, so it is restored as the bytes that were backed up/;

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

describe('another name of the same file', () => {
  /** Holds a database in WAL mode open under this name, with a row that is in the -wal alone. */
  async function holdOpen(path: string, prefix: string[] = []) {
    const script = `import sqlite3, sys
db = sqlite3.connect(sys.argv[1]); db.execute("PRAGMA wal_autocheckpoint = 0"); db.execute("INSERT INTO t VALUES ('in the wal')"); db.commit()
print("open", flush=True); sys.stdin.read()`;
    const child = spawn(
      prefix[0] ?? '/usr/bin/python3',
      [...prefix.slice(1), ...(prefix.length > 0 ? ['/usr/bin/python3'] : []), '-c', script, path],
      {
        uid: prefix.length > 0 ? 0 : scene.user.uid,
        gid: prefix.length > 0 ? 0 : scene.user.gid,
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    await new Promise((resolve, reject) => {
      child.stdout.once('data', resolve);
      child.once('close', () => reject(new Error('it could not be opened')));
    });
    return async () => {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.stdin.end();
      await closed;
    };
  }

  const wal = (name: string) => made(name, 'db.execute("PRAGMA journal_mode = wal")\ndb.execute("CREATE TABLE t (x)")');

  test('a hard link: refused by backup, dry-run and restore, with what to do', async () => {
    const database = wal('linked');
    const id = succeeded(await scene.run({ database, name: 'linked' }));
    linkSync(database, join(dirname(database), 'other.db'));
    for (const inputs of [
      {},
      { 'dry-run': 'true' },
      { command: 'restore', confirm: 'linked.db' },
      { command: 'restore', backup: id, 'dry-run': 'true' },
    ] as Record<string, string>[]) {
      const message = refused(await scene.run({ database, name: 'linked', ...inputs }), 'E_SOURCE_INVALID');
      expect(message).toMatch(
        /linked\.db is one of 2 names of the same file \(hard links\): SQLite keeps -wal .*find \/ -xdev -samefile/,
      );
    }
    rmSync(join(dirname(database), 'other.db'));
    succeeded(await scene.run({ database, name: 'linked' }));
  });

  test('the mount of a single file; that of its folder is none', async () => {
    const database = wal('mounted');
    const place = mkdtempSync(join(tmpdir(), 'dbb-mount-'));
    chownSync(place, scene.user.uid, scene.user.gid);
    const as = (user: { uid: number; gid: number }) => [
      'setpriv',
      `--reuid=${user.uid}`,
      `--regid=${user.gid}`,
      '--clear-groups',
    ];
    const inside = (from: string, to: string) => [
      ...['unshare', '-m', 'sh', '-c', 'mount --bind "$1" "$2" && shift 2 && exec "$@"', 'sh', from, to],
      ...as(scene.user),
    ];
    writeFileSync(join(place, 'app.db'), '');
    const close = await holdOpen(join(place, 'app.db'), inside(database, join(place, 'app.db')));
    for (const inputs of [{}, { command: 'restore', confirm: 'mounted.db', backup: database }] as Record<
      string,
      string
    >[]) {
      const message = refused(await scene.run({ database, name: 'mounted', ...inputs }), 'E_SOURCE_INVALID');
      expect(message).toMatch(
        /mounted\.db is open in pid \d+ \(python3\S*\) under the name \S+app\.db, .*Mount the folder of the database/,
      );
    }
    await close();
    const closeFolder = await holdOpen(join(place, 'mounted.db'), inside(dirname(database), place));
    const id = succeeded(await scene.run({ database, name: 'mounted' }));
    await closeFolder();
    expect(scene.manifest(id).content?.tables).toEqual([{ name: 't', rows: expect.any(Number) }]);
    rmSync(place, { recursive: true });
    await nothingLeft(scene);
  });

  test('bytes that are reserved for checksums are told', async () => {
    const database = made('reserved', 'db.execute("CREATE TABLE t (x)")');
    sqlite3(database, '.filectrl reserve_bytes 8', 'VACUUM');
    const result = await scene.run({ database, name: 'reserved' });
    succeeded(result);
    expect(warnings(result)).toMatch(
      /the pages of .*reserved\.db have 8 reserved bytes, as for checksums \(cksumvfs\)/,
    );
  });
});
