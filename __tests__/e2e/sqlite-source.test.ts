import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { backupsIn, committedState, nothingLeft, refused, sqlite3, stateOf, succeeded } from '../helpers/outcome.js';
import { sample } from '../helpers/sample.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { createDatabase, startWriters } from '../helpers/sqlite.js';

let scene: Scene;
/** A folder of the login user, for sources of every kind. */
let folder: string;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
  folder = join(scene.user.home, 'srv');
  mkdirSync(folder);
  chownSync(folder, scene.user.uid, scene.user.gid);
});
afterAll(() => scene.stop());

const owned = (path: string) => {
  chownSync(path, scene.user.uid, scene.user.gid);
  return path;
};

describe('every form of `database` names the same file', () => {
  const FORMS: [form: string, of: (absolute: string) => string][] = [
    ['an absolute path', (absolute) => absolute],
    ['a path relative to the home', () => 'srv/forms.db'],
    ['~/', () => '~/srv/forms.db'],
    ['file: with a relative path', () => 'file:srv/forms.db'],
    ['file: with an absolute path and a query', (absolute) => `file:${absolute}?mode=ro`],
    ['file:// of Prisma', (absolute) => `file://${absolute}`],
    ['sqlite: with a relative path', () => 'sqlite:srv/forms.db'],
    ['sqlite: with an absolute path', (absolute) => `sqlite:${absolute}`],
    ['SQLAlchemy with three slashes', () => 'sqlite:///srv/forms.db'],
    ['SQLAlchemy with four slashes', (absolute) => `sqlite:///${absolute}`],
  ];
  beforeAll(async () => {
    await createDatabase(join(folder, 'forms.db'), { owner: scene.user.name });
    sqlite3(join(folder, 'forms.db'), 'CREATE TABLE only_here (x); INSERT INTO only_here VALUES (1), (2), (3)');
  });

  test.each(sample(FORMS, 5))('%s', async (_, of) => {
    const path = join(folder, 'forms.db');
    const manifest = scene.manifest(succeeded(await scene.run({ database: of(path) })));
    expect(manifest.identity).toEqual({ path });
    expect(manifest.content?.tables).toContainEqual({ name: 'only_here', rows: 3 });
  });

  test('a symbolic link: the -wal of the real file is in the backup', async () => {
    mkdirSync(join(folder, 'real'));
    owned(join(folder, 'real'));
    const real = join(folder, 'real', 'store.db');
    await createDatabase(real, { wal: true, owner: scene.user.name });
    symlinkSync(real, join(folder, 'current.db'));
    const writers = await startWriters(real, { pauseMs: 20 });
    const id = succeeded(await scene.run({ database: 'srv/current.db' }));
    await writers.stop();
    expect((await committedState(scene, id)).commits).toBeGreaterThan(0);
    expect(readdirSync(folder).filter((name) => name.startsWith('current.db'))).toEqual(['current.db']);
  });
});

describe('a source that is no database is refused, and nothing is created', () => {
  const CASES: [what: string, make: (path: string) => void, code: string, says: RegExp][] = [
    ['a missing path', () => {}, 'E_SOURCE_MISSING', /there is no database at .*Correct `database`.*Nothing was kept/],
    ['a dangling link', (path) => symlinkSync(`${path}-target`, path), 'E_SOURCE_MISSING', /there is no database at/],
    [
      'a directory',
      (path) => mkdirSync(path),
      'E_SOURCE_INVALID',
      /is a directory\. Name the database file in it\. Nothing/,
    ],
    ['a fifo', (path) => execFileSync('mkfifo', [path]), 'E_SOURCE_INVALID', /is not a regular file/],
    ['0 bytes', (path) => writeFileSync(owned0(path), ''), 'E_SOURCE_INVALID', /is empty \(0 bytes\)/],
    [
      'text',
      (path) => writeFileSync(owned0(path), 'x'.repeat(9000)),
      'E_SOURCE_INVALID',
      /does not start with the SQLite header/,
    ],
    [
      'random bytes',
      (path) => writeFileSync(owned0(path), randomBytes(8192)),
      'E_SOURCE_INVALID',
      /or it is encrypted/,
    ],
    [
      'no right to read it',
      (path) => {
        copyFileSync(scene.database, path);
        chmodSync(owned(path), 0o200);
      },
      'E_PERM',
      /may not read .*Correct the owner or the mode/,
    ],
    [
      'a folder that cannot be entered',
      (path) => {
        copyFileSync(scene.database, path);
        owned(path);
        chmodSync(dirname(path), 0o700);
        chownSync(dirname(path), 0, 0);
      },
      'E_PERM',
      /may not look into the folder/,
    ],
  ];
  const owned0 = (path: string) => {
    writeFileSync(path, '');
    return owned(path);
  };
  let before: Record<string, string>;
  beforeAll(async () => {
    succeeded(await scene.run());
    before = backupsIn(scene.directory);
  });

  test.each(CASES)('%s', async (what, make, code, says) => {
    const home = owned(mkdtemp(what));
    const path = join(home, 'a.db');
    make(path);
    const there = readdirSync(home);
    const message = refused(await scene.run({ database: path }), code);
    expect(message).toMatch(says);
    expect(message).toContain(path);
    expect(readdirSync(home)).toEqual(there);
    expect(backupsIn(scene.directory)).toEqual(before);
    await nothingLeft(scene);
  });

  const mkdtemp = (what: string) => {
    const path = join(folder, what.replaceAll(' ', '-'));
    mkdirSync(path);
    return path;
  };
});

describe('a valid database without a table', () => {
  test('is E_EMPTY, until the newest backup was empty as well', async () => {
    const path = join(folder, 'empty.db');
    sqlite3(path, 'PRAGMA user_version = 7');
    owned(path);
    const message = refused(await scene.run({ database: path }), 'E_EMPTY');
    expect(message).toMatch(/without a single table.*Nothing was kept, nothing was rotated/);
    refused(await scene.run({ database: path, verify: 'checksum' }), 'E_EMPTY');
    expect(scene.files().filter((name) => name.startsWith('empty-'))).toEqual([]);

    sqlite3(path, 'CREATE TABLE t (x)');
    const full = succeeded(await scene.run({ database: path }));
    sqlite3(path, 'DROP TABLE t');
    refused(await scene.run({ database: path }), 'E_EMPTY');

    const manifest = scene.manifest(full);
    writeFileSync(
      join(scene.directory, `${full}.json`),
      JSON.stringify({ ...manifest, content: { ...manifest.content, objects: 0, tables: [] } }),
    );
    const empty = scene.manifest(succeeded(await scene.run({ database: path })));
    expect(empty.content).toMatchObject({ objects: 0, tables: [] });
    await nothingLeft(scene);
  });
});

describe('the live database is left as it was', () => {
  test.each([true, false])(
    'WAL %s: bytes, inode, owner, mode, times; what lies beside belongs to the owner',
    async (wal) => {
      const path = join(folder, `quiet-${wal}.db`);
      await createDatabase(path, { wal, owner: scene.user.name });
      chmodSync(path, 0o640);
      const { beside, ...before } = stateOf(path);
      succeeded(await scene.run({ database: path }));
      const { beside: after, ...state } = stateOf(path);
      expect(state).toEqual(before);
      expect(beside).toEqual([]);
      // A reader of a database in WAL mode makes these two; as the owner's they are as good as the application's own.
      expect(after).toEqual(wal ? [`quiet-${wal}.db-shm`, `quiet-${wal}.db-wal`] : []);
      for (const name of after)
        expect(stateOf(join(folder, name))).toMatchObject({ owner: before.owner, mode: before.mode });
      const writers = await startWriters(path);
      expect(await writers.stop()).toBeGreaterThan(0);
    },
  );

  test('root may log in: the owner can write afterwards', async () => {
    const path = join(folder, 'by-root.db');
    await createDatabase(path, { wal: true, owner: scene.user.name });
    const directory = join(folder, 'backups-of-root');
    const result = await scene.run({ database: path, username: 'root', directory });
    expect(result.outputs['backup-ok']).toBe('true');
    execFileSync('su', [scene.user.name, '-s', '/bin/sh', '-c', `sqlite3 '${path}' "INSERT INTO a (v) VALUES (1)"`]);
    expect(sqlite3(path, 'SELECT count(*) FROM a')).toBe('1\n');
  });
});
