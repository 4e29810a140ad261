import { chownSync, copyFileSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { nothingLeft, refused, restored, sqlite3, stateOf, succeeded } from '../helpers/outcome.js';
import { withSh } from '../helpers/posix-sh.js';
import type { ActionResult } from '../helpers/run-action.js';
import { inTurn, SWEEP } from '../helpers/sample.js';
import { type Scene, startScene } from '../helpers/scene.js';
import {
  checkInvariant,
  createDatabase,
  holdWithNewer,
  newerVersion,
  startWriters,
  withNewer,
} from '../helpers/sqlite.js';

// A schema that the tool on the host can not read, since a newer SQLite has written it: no damage, and a copy of the pages needs none.

const VERSION = newerVersion();
const ROWS = 'CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)';
const VIEW = "CREATE VIEW w AS SELECT group_concat(x, ',' order by x) FROM t";
const SAYS = new RegExp(
  `SQLite ${VERSION.replaceAll('.', '\\.')} has written the schema, and sqlite3 here has SQLite [0-9.]+, which does not understand it: w: near "order": syntax error`,
);

let scene: Scene;
let folder: string;
beforeAll(async () => {
  scene = await startScene();
  folder = dirname(scene.database);
});
afterAll(() => scene.stop());

/** A database of the application, by its SQLite. */
function made(name: string, ...statements: string[]): string {
  const path = join(folder, `${name}.db`);
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(path + end, { force: true });
  withNewer(path, 'SELECT 1', ...statements);
  chownSync(path, scene.user.uid, scene.user.gid);
  return path;
}

const warnings = (result: ActionResult): string =>
  result.annotations
    .filter(({ level }) => level === 'warning')
    .map(({ message }) => message)
    .join('\n');

const content = (path: string) => withNewer(path, 'SELECT (SELECT group_concat(x) FROM t), * FROM w');
const signedBy = (path: string) => readFileSync(path).readUInt32BE(96);
const sound = (path: string) => expect(withNewer(path, 'PRAGMA integrity_check')).toBe('[["ok"]]');
const reads = (path: string) => sqlite3(path, 'SELECT count(*) FROM sqlite_master');

const PLACES = [
  ['view', VIEW, 'w: near "order": syntax error'],
  ['trigger', `CREATE TRIGGER w AFTER INSERT ON t BEGIN ${VIEW.replace(/.* AS /, '')}; END`, 'w: near "order": syntax'],
  ['default', 'CREATE TABLE w (a DEFAULT 1_000_000)', 'w: unrecognized token: "1_000_000"'],
] as const;

describe.each(PLACES)('in a %s', (name, sql, words) => {
  const test = inTurn(
    PLACES.map(([place]) => place),
    name,
  );
  let database: string;
  beforeEach(() => {
    database = made(name, ROWS, sql);
    expect(() => reads(database)).toThrow(/malformed database schema/);
  });

  test.each([{}, { verify: 'restore' }, { 'dry-run': 'true' }] as Record<string, string>[])(
    'is E_TOOL_VERSION, with what to do, and nothing is kept: %j',
    async (inputs) => {
      const before = stateOf(database);
      const files = scene.files().filter((file) => file !== 'status.json');
      const message = refused(await scene.run({ database, name, ...inputs }), 'E_TOOL_VERSION');
      expect(message).toContain(words);
      expect(message).toContain(`Install sqlite3 ${VERSION} or newer on the host`);
      expect(message).toContain('set `verify: checksum`');
      expect(stateOf(database)).toEqual(before);
      expect(scene.files().filter((file) => file !== 'status.json')).toEqual(files);
      await nothingLeft(scene);
    },
  );

  test('with `verify: checksum` its pages are backed up as they are, with a warning', async () => {
    for (const dryRun of ['true', 'false']) {
      const result = await scene.run({ database, name, verify: 'checksum', 'dry-run': dryRun });
      expect(warnings(result)).toContain(words);
      expect(warnings(result)).toContain(`Install sqlite3 ${VERSION} or newer on the host`);
      expect(result.outputs).toMatchObject({ 'error-code': '' });
      if (dryRun === 'true') continue;
      const id = succeeded(result);
      expect(scene.manifest(id)).toMatchObject({ verified: { level: 'checksum' }, content: null });
      await restored(scene, id, (path) => {
        sound(path);
        expect(withNewer(path, 'SELECT sql FROM sqlite_master')).toBe(
          withNewer(database, 'SELECT sql FROM sqlite_master'),
        );
        expect(withNewer(path, 'SELECT * FROM t')).toBe('[[1],[2]]');
        expect(signedBy(path)).toBe(signedBy(database));
      });
    }
  });
});

test('the rows of other pages sizes and encodings, and what is in the -wal of an older file, are in the backup', async () => {
  const path = join(folder, 'wal.db');
  const before =
    "PRAGMA page_size = 1024; PRAGMA encoding = 'UTF-16le'; PRAGMA journal_mode = wal; PRAGMA user_version = 7";
  sqlite3(path, before, 'CREATE TABLE t (x)');
  chownSync(path, scene.user.uid, scene.user.gid);
  const old = signedBy(path);
  const close = await holdWithNewer(path, 'PRAGMA wal_autocheckpoint = 0', 'INSERT INTO t VALUES (1), (2)', VIEW);
  expect(signedBy(path)).toBe(old); // the new header is in the -wal alone
  for (const file of [`${path}-wal`, `${path}-shm`]) chownSync(file, scene.user.uid, scene.user.gid);
  expect(refused(await scene.run({ database: path, name: 'wal' }), 'E_TOOL_VERSION')).toMatch(SAYS);
  const id = succeeded(await scene.run({ database: path, name: 'wal', verify: 'checksum' }));
  await close();
  await restored(scene, id, (copy) => {
    sound(copy);
    expect(content(copy)).toBe('[["1,2","1,2"]]');
    expect(withNewer(copy, 'SELECT * FROM pragma_page_size, pragma_user_version, pragma_encoding')).toBe(
      '[[1024,7,"UTF-16le"]]',
    );
    expect(signedBy(copy)).toBeGreaterThan(old);
  });
});

test('one committed state, while others write', async () => {
  const path = join(folder, 'busy.db');
  await createDatabase(path, { mb: 20, wal: true });
  withNewer(path, 'SELECT 1', "CREATE VIEW w AS SELECT group_concat(v, ',' ORDER BY v) FROM a");
  chownSync(path, scene.user.uid, scene.user.gid);
  const writers = await startWriters(path, { count: 2 });
  const id = succeeded(await scene.run({ database: path, name: 'busy', verify: 'checksum' }));
  await writers.stop();
  await restored(scene, id, (copy) => {
    sound(copy);
    withNewer(copy, 'SELECT 1', 'DROP VIEW w');
    return checkInvariant(copy);
  });
});

test('the hot journal of a crashed writer: rolled back in the backup, and in what a restore saves', async () => {
  const path = join(folder, 'hot.db');
  const inputs = { database: path, name: 'hot', verify: 'checksum' };
  await createDatabase(path, { mb: 4, wal: false });
  withNewer(path, 'SELECT 1', "CREATE VIEW w AS SELECT group_concat(v, ',' ORDER BY v) FROM a");
  const crash = async () => {
    const writing = 'UPDATE blobs SET ver = 1, data = randomblob(4000)';
    const stop = await holdWithNewer(path, 'PRAGMA cache_size = 10; PRAGMA cache_spill = 10', `BEGIN; ${writing}`);
    await stop('SIGKILL');
    for (const file of [path, `${path}-journal`]) chownSync(file, scene.user.uid, scene.user.gid);
  };
  const isRolledBack = (id: string) =>
    restored(scene, id, async (copy) => {
      sound(copy);
      withNewer(copy, 'SELECT 1', 'DROP VIEW w');
      expect(await checkInvariant(copy)).toMatchObject({ sum: 0 });
    });
  await crash();
  const backup = succeeded(await scene.run(inputs));
  await isRolledBack(backup);
  await crash();
  const { verify: _, ...target } = inputs;
  const result = await scene.run({ ...target, command: 'restore', backup, confirm: 'hot.db' });
  expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'error-code': '' });
  await isRolledBack(result.outputs['safety-backup-id'] ?? '');
  sound(path);
  await nothingLeft(scene);
});

describe('a backup of it', () => {
  const name = 'kept';
  let database: string;
  let id: string;
  let manifest: string;
  beforeAll(async () => {
    database = made(name, ROWS, VIEW);
    id = succeeded(await scene.run({ database, name, verify: 'checksum' }));
    manifest = readFileSync(join(scene.directory, `${id}.json`), 'utf8');
  });
  beforeEach(() => {
    made(name, ROWS, VIEW);
    writeFileSync(join(scene.directory, `${id}.json`), manifest);
  });
  afterEach(() => nothingLeft(scene));

  test('is verified at the level checksum, and at a higher one is not called damaged', async () => {
    for (const verifyOn of ['host', 'runner']) {
      const inputs = { database, name, command: 'verify', backup: id, 'verify-on': verifyOn };
      for (const verify of SWEEP ? ['content', 'restore'] : [verifyOn === 'host' ? 'content' : 'restore']) {
        const message = refused(await scene.run({ ...inputs, verify }), 'E_TOOL_VERSION');
        expect(message).toMatch(SAYS);
        expect(message).toContain(`the backup needs a newer sqlite3 on the ${verifyOn}`);
        expect(scene.manifest(id).verified.level).toBe('checksum');
      }
      expect((await scene.run({ ...inputs, verify: 'checksum' })).outputs).toMatchObject({ 'error-code': '' });
    }
  });

  const restore = (inputs: Record<string, string> = {}) =>
    scene.run({ database, name, command: 'restore', backup: id, confirm: `${name}.db`, ...inputs });

  test('is restored over the live one, of which a backup is taken that can be restored as well', async () => {
    withNewer(database, 'SELECT 1', 'INSERT INTO t VALUES (3)');
    const planned = await restore({ 'dry-run': 'true' });
    expect(warnings(planned)).toMatch(SAYS);
    expect(planned.outputs).toMatchObject({ 'error-code': '' });
    const result = await restore();
    expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'error-code': '' });
    expect(warnings(result)).not.toMatch(/damage/);
    expect(content(database)).toBe('[["1,2","1,2"]]');
    const safety = result.outputs['safety-backup-id'] ?? '';
    expect(scene.manifest(safety).verified.level).toBe('checksum');
    // no application has written meanwhile, and it is no damage now either
    succeeded(await scene.run({ database, name, verify: 'checksum' }));
    expect((await restore({ backup: safety })).outputs).toMatchObject({ 'restore-outcome': 'restored' });
    sound(database);
    expect(content(database)).toBe('[["1,2,3","1,2,3"]]');
  });

  test('is restored into the place of none, of an older one, and as a dump of others', async () => {
    const dump = join(scene.user.home, 'foreign.db');
    copyFileSync(database, dump);
    chownSync(dump, scene.user.uid, scene.user.gid);
    const older = () => {
      sqlite3(database, 'CREATE TABLE other (x)');
      chownSync(database, scene.user.uid, scene.user.gid);
    };
    for (const [backup, there] of [
      [id, () => {}],
      [id, older],
      [dump, older],
    ] as const) {
      rmSync(database);
      there();
      const result = await restore({ backup });
      expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'error-code': '' });
      expect(warnings(result)).toMatch(SAYS);
      expect(content(database)).toBe('[["1,2","1,2"]]');
    }
  });

  test('where one that was proven to its content meets a host with an older tool', async () => {
    const path = join(scene.directory, `${id}.json`);
    const manifest = scene.manifest(id);
    const sizes = { pageSize: 4096, pageCount: 3, objects: 2, foreignKeyViolations: 0 };
    const proven = {
      content: { tables: [{ name: 't', rows: 2 }], ...sizes },
      verified: { ...manifest.verified, level: 'content' },
    };
    const file = openSync(path, 'w');
    writeSync(file, JSON.stringify({ ...manifest, ...proven }));
    rmSync(database);
    const result = await restore();
    expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'error-code': '' });
    expect(content(database)).toBe('[["1,2","1,2"]]');
  });

  test('over which an older backup is restored, and rolled back', async () => {
    const older = join(scene.user.home, 'older.db');
    rmSync(older, { force: true });
    sqlite3(older, 'CREATE TABLE other (x)');
    chownSync(older, scene.user.uid, scene.user.gid);
    const before = content(database);
    const result = await restore({ backup: older, 'check-command': 'false' });
    expect(result.outputs).toMatchObject({ 'restore-outcome': 'rolled-back', 'error-code': 'E_ROLLED_BACK' });
    sound(database);
    expect(content(database)).toBe(before);
    expect((await restore({ backup: older })).outputs).toMatchObject({ 'restore-outcome': 'restored' });
    expect(sqlite3(database, '.tables').trim()).toBe('other');
  });

  test('is put over one that is locked until the stop-command', async () => {
    withNewer(database, 'SELECT 1', 'INSERT INTO t VALUES (3)');
    await using lock = await holdLock(database, EXCLUSIVE, scene.user);
    const commands = { 'stop-command': `kill ${lock.pid}`, 'start-command': 'true' };
    const result = await restore({ 'lock-wait': '1s', ...commands });
    expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'error-code': '' });
    expect(content(database)).toBe('[["1,2","1,2"]]');
    expect(scene.manifest(result.outputs['safety-backup-id'] ?? '').verified.level).toBe('checksum');
  });

  test('is not put over one that somebody has open', async () => {
    const close = await holdWithNewer(database, 'BEGIN', 'SELECT * FROM t');
    expect(refused(await restore({ 'lock-wait': '1s' }), 'E_TARGET_BUSY')).toMatch(/`stop-command`/);
    await close();
    expect((await restore()).outputs).toMatchObject({ 'restore-outcome': 'restored' });
  });
});

/** What a view is, written over. */
function sqlOfView(select: string): string {
  const sql = `CREATE VIEW w AS ${select}`.replaceAll("'", "''");
  return `UPDATE sqlite_master SET sql = '${sql}' WHERE name = 'w'`;
}

describe('what is damaged, and says so in the same words', () => {
  test('a statement that its own SQLite can not read', async () => {
    const name = 'broken';
    const database = join(folder, `${name}.db`);
    sqlite3(
      database,
      ROWS,
      'CREATE VIEW w AS SELECT 1',
      'PRAGMA writable_schema = on',
      sqlOfView(VIEW.replace(/.* AS /, '')),
    );
    chownSync(database, scene.user.uid, scene.user.gid);
    for (const inputs of [{}, { verify: 'checksum' }, { 'dry-run': 'true' }] as Record<string, string>[]) {
      const message = refused(await scene.run({ database, name, ...inputs }), 'E_SOURCE_CORRUPT');
      expect(message).toMatch(/First open it with the SQLite of the application/);
    }
    const dump = join(scene.user.home, 'broken.db');
    copyFileSync(database, dump);
    chownSync(dump, scene.user.uid, scene.user.gid);
    const inputs = { database, name, command: 'restore', backup: dump, confirm: 'broken.db' };
    expect(refused(await scene.run(inputs), 'E_RESTORE')).toMatch(
      /malformed database schema.*install a sqlite3 as new as that on the host/,
    );
  });

  test.each([
    ['E_TOOL_VERSION', sqlOfView('SELECT 1 ORDER BY 1 UNION SELECT 2'), 'w: ORDER BY clause should come after UNION'],
    ['E_SOURCE_CORRUPT', 'INSERT INTO sqlite_master SELECT * FROM sqlite_master LIMIT 1', 'table t already exists'],
    ['E_SOURCE_CORRUPT', sqlOfView('SELECT'), 'incomplete input'],
  ])('%s: in a schema of a newer SQLite %j', async (code, sql, words) => {
    const database = made('edited', ROWS, 'CREATE VIEW w AS SELECT 1');
    const signature = readFileSync(database).subarray(96, 100);
    sqlite3(database, 'PRAGMA writable_schema = on', sql);
    writeSync(openSync(database, 'r+'), signature, 0, 4, 96);
    expect(refused(await scene.run({ database, name: 'edited' }), code)).toContain(words);
  });

  test('a schema of a newer SQLite whose page is torn', async () => {
    const database = made('torn', ROWS, VIEW);
    const file = openSync(database, 'r+');
    writeSync(file, Buffer.alloc(900, 0xff), 0, 900, 100);
    for (const verify of ['content', 'checksum']) {
      refused(await scene.run({ database, name: 'torn', verify }), 'E_SOURCE_CORRUPT');
    }
  });
});

test.each([
  ['Python instead of the sqlite3 tool', 'python3', withoutCommands(['sqlite3'])],
  ...(['bash', 'busybox', 'mksh', 'ksh93'] as const).map((shell) => [shell, 'sqlite3', withSh(shell)] as const),
])('with %s on the host', async (name, tool, wrapper) => {
  const other = await startScene({ user: scene.user, sshd: { wrapper: [...wrapper] } });
  try {
    const database = join(folder, 'elsewhere.db');
    rmSync(database, { force: true });
    sqlite3(database, 'PRAGMA journal_mode = wal', 'CREATE TABLE t (x)');
    // what the header says is in the -wal alone
    const close = await holdWithNewer(database, 'PRAGMA wal_autocheckpoint = 0', 'INSERT INTO t VALUES (1), (2)', VIEW);
    for (const end of ['', '-wal', '-shm']) chownSync(database + end, scene.user.uid, scene.user.gid);
    const inputs = { database, name: name.replace(/ .*/, '') };
    const message = refused(await other.run(inputs), 'E_TOOL_VERSION');
    expect(message).toMatch(
      new RegExp(`and ${tool} here has SQLite [0-9.]+, which does not understand it: w: near "order": syntax error`),
    );
    const backup = succeeded(await other.run({ ...inputs, verify: 'checksum' }));
    await close();
    await restored(other, backup, (copy) => expect(signedBy(copy)).toBe(signedBy(database)));
    withNewer(database, 'SELECT 1', 'INSERT INTO t VALUES (3)');
    const result = await other.run({ ...inputs, command: 'restore', backup, confirm: 'elsewhere.db' });
    expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'error-code': '' });
    expect(content(database)).toBe('[["1,2","1,2"]]');
    await nothingLeft(other);
  } finally {
    await other.stop();
  }
});
