import { execFileSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectFailure } from '../helpers/failure.js';
import { holdLock } from '../helpers/lock-holder.js';
import { backupsIn, nothingLeft, sqlite3, stateOf, succeeded } from '../helpers/outcome.js';
import type { ActionResult } from '../helpers/run-action.js';
import { sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { checkInvariant, createDatabase, startWriters } from '../helpers/sqlite.js';

let scene: Scene;
let folder: string;
/** One backup of each journal mode, of a database at `live(mode)`. */
const backups: Record<string, { id: string; commits: number; sum: number }> = {};
const MODES = ['wal', 'delete'] as const;
const live = (mode: string) => join(folder, `${mode}.db`);

beforeAll(async () => {
  scene = await startScene({ transport: 'local', mb: 1 });
  folder = dirname(scene.database);
  for (const mode of MODES) {
    await createDatabase(live(mode), { mb: 1, wal: mode === 'wal', owner: scene.user.name });
    const writers = await startWriters(live(mode), { pauseMs: 1 });
    await writers.stop();
    const id = succeeded(await scene.run({ database: live(mode), name: mode }));
    backups[mode] = { id, ...(await checkInvariant(live(mode))) };
  }
});
afterAll(() => scene.stop());

/** Restores the backup of a journal mode into its own database. */
function restore(mode: string, inputs: Record<string, string> = {}): Promise<ActionResult> {
  return scene.run({
    ...{ command: 'restore', database: live(mode), name: mode, backup: backups[mode]?.id ?? '' },
    confirm: basename(inputs['restore-to'] ?? live(mode)),
    'lock-wait': '20s',
    ...inputs,
  });
}

function done(result: ActionResult): ActionResult {
  const errors = result.annotations.filter(({ level }) => level === 'error').map(({ message }) => message);
  expect({
    errors,
    code: result.code,
    outcome: result.outputs['restore-outcome'] ?? reportOf(result).restore?.outcome,
  }).toEqual({
    errors: [],
    code: 0,
    outcome: 'restored',
  });
  return result;
}

const beside = (path: string) =>
  readdirSync(dirname(path)).filter((name) => name.startsWith(basename(path)) && name !== basename(path));

/** The database holds what was backed up, and nothing of the restore is left, on the host or beside it. */
async function isRestored(path: string, mode: string): Promise<void> {
  const { commits, sum } = await checkInvariant(path);
  expect({ commits, sum }).toEqual({ commits: backups[mode]?.commits, sum: backups[mode]?.sum });
  expect(beside(path).filter((name) => !/-(wal|shm)$/.test(name))).toEqual([]);
  await nothingLeft(scene);
}

describe.each(MODES)('a sound database in the mode %s', (mode) => {
  test('while two writers keep committing: no error, one whole state', async () => {
    const { inode, owner } = stateOf(live(mode));
    const writers = await startWriters(live(mode), { count: 2, pauseMs: 10 });
    const result = done(await restore(mode));
    const commits = await writers.stop();
    expect(commits).toBeGreaterThan(2);
    const after = await checkInvariant(live(mode));
    expect(after.commits).toBeGreaterThanOrEqual(backups[mode]?.commits ?? Number.NaN);
    expect(after.commits).toBeLessThan((backups[mode]?.commits ?? 0) + commits);
    expect(stateOf(live(mode))).toMatchObject({ inode, owner });
    expect(result.visible).toContain('in place: SQLite writes the backup into the live file');
    await nothingLeft(scene);
  });
});

/** The owner and mode that a database of the scene has. */
const properties = (path: string) => {
  const { owner, mode } = stateOf(path);
  return { owner, mode: mode & 0o777 };
};

test('a file whose group nobody here can give is not replaced: the plan says so, before anything is stopped', async () => {
  const path = live('delete');
  const copy = readFileSync(path);
  const { owner } = stateOf(path);
  const stopped = join(folder, 'stopped');
  overwrite(path, 100, Buffer.alloc(300, 0xee));
  execFileSync('chgrp', ['games', path]);
  const damaged = stateOf(path);
  try {
    for (const inputs of [
      { 'dry-run': 'true' },
      { 'stop-command': `touch '${stopped}'`, 'start-command': `touch '${stopped}'` },
    ]) {
      const message = expectFailure(await restore('delete', inputs), 'E_PERM', 'its group is games');
      expect(message).toContain(`usermod -aG games ${scene.user.name}`);
      expect(message).not.toContain('run-as');
    }
    expect(existsSync(stopped)).toBe(false);
    expect(stateOf(path)).toEqual(damaged);
    // a folder whose files get that group by themselves is enough
    execFileSync('chgrp', ['games', folder]);
    execFileSync('chmod', ['g+s', folder]);
    done(await restore('delete'));
    expect(execFileSync('stat', ['-c', '%G', path], { encoding: 'utf8' })).toBe('games\n');
  } finally {
    execFileSync('chmod', ['g-s', folder]);
    execFileSync('chgrp', [String(scene.user.gid), folder]);
    writeFileSync(path, copy);
    execFileSync('chgrp', [String(scene.user.gid), path]);
    expect(stateOf(path).owner).toBe(owner);
  }
});

describe.each(MODES)('a database in the mode %s that is damaged', (mode) => {
  const damages: [name: string, (path: string) => void][] = [
    ['header', (path) => overwrite(path, 0, Buffer.from('not a database at all'))],
    ['truncated', (path) => truncateSync(path, 300_000)],
    ['bad pages', (path) => [20, 30, 40].map((page) => overwrite(path, page * 4096, Buffer.alloc(4096, 0xee)))],
    ['schema page', (path) => overwrite(path, 100, Buffer.alloc(300, 0xee))],
    ['empty', (path) => truncateSync(path, 0)],
  ];

  test.each(mode === 'wal' ? sample(damages, 3) : sample(damages.slice(1, 4), 1))(
    '%s: replaced, and its files are kept as they were',
    async (_, damage) => {
      const before = properties(live(mode));
      damage(live(mode));
      writeFileSync(`${live(mode)}-journal`, 'of a writer that crashed');
      chownSync(`${live(mode)}-journal`, scene.user.uid, scene.user.gid);
      const bytes = readFileSync(live(mode));
      const result = done(await restore(mode));
      await isRestored(live(mode), mode);
      expect(properties(live(mode))).toEqual(before);
      expect(result.visible).toContain('is damaged: ');
      const id = reportOf(result).restore?.safetyBackupId ?? '';
      const { kind, file, verified } = scene.manifest(id);
      expect({ kind, verified: verified.level }).toEqual({ kind: 'tar', verified: 'none' });
      const out = mkdtempSync(join(folder, 'tar-'));
      execFileSync('tar', ['-xf', join(scene.directory, file), '-C', out]);
      expect(readdirSync(out).sort()).toEqual([basename(live(mode)), `${basename(live(mode))}-journal`]);
      expect(readFileSync(join(out, basename(live(mode))))).toEqual(bytes);
      rmSync(out, { recursive: true });
    },
  );
});

describe('pages of another size', () => {
  const repage = (path: string, mode: string) =>
    sqlite3(path, 'PRAGMA journal_mode = delete', 'PRAGMA page_size = 8192', 'VACUUM', `PRAGMA journal_mode = ${mode}`);

  test('in WAL mode the file is replaced', async () => {
    repage(live('wal'), 'wal');
    const { inode } = stateOf(live('wal'));
    const result = done(await restore('wal'));
    expect(result.visible).toContain('its page size differs');
    expect(stateOf(live('wal')).inode).not.toBe(inode);
    await isRestored(live('wal'), 'wal');
    expect(sqlite3(live('wal'), 'PRAGMA page_size').trim()).toBe('4096');
  });

  test('who is connected, and can not be seen by the login user, is found by his lock', async () => {
    repage(live('wal'), 'wal');
    await using holder = await holdLock(live('wal'), 'SELECT count(*) FROM a;');
    const message = expectFailure(await restore('wal', { 'lock-wait': '1s' }), 'E_TARGET_BUSY', 'cannot be seen');
    expect(message).toContain('The live database is as it was.');
    expect(sqlite3(live('wal'), 'PRAGMA page_size').trim()).toBe('8192');
    await nothingLeft(scene);
    await holder.release();
    done(await restore('wal'));
    await isRestored(live('wal'), 'wal');
  });

  test('otherwise SQLite restores it in place, under a program that is connected', async () => {
    repage(live('delete'), 'delete');
    const { inode } = stateOf(live('delete'));
    await using _ = await holdLock(live('delete'), 'SELECT count(*) FROM a;');
    expect(done(await restore('delete')).visible).toContain('in place: ');
    expect(stateOf(live('delete')).inode).toBe(inode);
    await isRestored(live('delete'), 'delete');
  });
});

describe('a missing database', () => {
  test('is made, with the folders on the way', async () => {
    const path = join(folder, 'not', 'yet', 'new.db');
    done(await restore('wal', { 'restore-to': path, 'allow-other-target': 'true' }));
    await isRestored(path, 'wal');
    expect(properties(path)).toEqual({ owner: `${scene.user.uid}:${scene.user.gid}`, mode: 0o600 });
    rmSync(join(folder, 'not'), { recursive: true });
  });

  test('a -wal that was left does not undo the restore', async () => {
    const path = live('wal');
    const id = backups.wal?.id ?? '';
    rmSync(path);
    done(await restore('wal')); // the very bytes of the backup, so that the -wal would fit
    sqlite3(path, 'PRAGMA journal_mode = wal');
    const holder = await holdLock(path, 'UPDATE blobs SET ver = ver + 1; INSERT INTO a (v) VALUES (7);');
    copyFileSync(`${path}-wal`, `${path}.wal`);
    await holder.release();
    done(await restore('wal'));
    rmSync(path);
    for (const name of beside(path)) if (/-(wal|shm)$/.test(name)) rmSync(join(folder, name));
    copyFileSync(`${path}.wal`, `${path}-wal`);
    rmSync(`${path}.wal`);
    chownSync(`${path}-wal`, scene.user.uid, scene.user.gid);
    done(await restore('wal', { backup: id }));
    await isRestored(path, 'wal');
  });
});

test('with the hot journal of a crashed writer: the plan leaves both as they are, and what it rolls back is saved', async () => {
  const path = live('delete');
  const rows = Number(sqlite3(path, 'SELECT count(*) FROM a'));
  const writer = await holdLock(path, 'PRAGMA cache_size = 1; BEGIN; DELETE FROM a; UPDATE blobs SET ver = ver + 1;');
  process.kill(writer.pid, 'SIGKILL');
  await writer.release();
  chownSync(`${path}-journal`, scene.user.uid, scene.user.gid);
  expect(() => execFileSync('sqlite3', ['-readonly', path, 'SELECT 1 FROM a'], { stdio: 'ignore' })).toThrow();
  const before = [stateOf(path), stateOf(`${path}-journal`)];
  const plan = reportOf(await restore('delete', { 'dry-run': 'true' })).restore?.plan;
  expect(plan).toMatchObject({ state: 'sound', way: 'in-place' });
  expect(plan?.tables).toContainEqual({ name: 'a', live: rows, backup: rows });
  expect([stateOf(path), stateOf(`${path}-journal`)]).toEqual(before);
  done(await restore('delete'));
  await isRestored(path, 'delete');
});

test.each([
  ['a copy', (path: string) => path],
  ['gzip', (path: string) => execFileSync('gzip', ['-k', path]) && `${path}.gz`],
])('what others left (%s) is restored as well, also where nothing tells its size', async (_, pack) => {
  const path = join(folder, 'old copy.db');
  sqlite3(path, 'CREATE TABLE kept (x)', 'INSERT INTO kept VALUES (1), (2)');
  const dump = pack(path);
  chownSync(dump, scene.user.uid, scene.user.gid);
  const result = done(await restore('wal', { backup: dump }));
  expect(reportOf(result).restore?.plan?.differences).toContain('table kept is only in the backup');
  expect(sqlite3(live('wal'), 'SELECT count(*) FROM kept').trim()).toBe('2');
  for (const name of new Set([path, dump])) rmSync(name);
  done(await restore('wal'));
  await isRestored(live('wal'), 'wal');
});

describe('somebody has it open', () => {
  test('a damaged one: E_TARGET_BUSY with the process; nothing is touched', async () => {
    overwrite(live('delete'), 30 * 4096, Buffer.alloc(4096, 0xee));
    await using holder = await holdLock(live('delete'), 'SELECT count(*) FROM sqlite_master;', {
      uid: scene.user.uid,
      gid: scene.user.gid,
    });
    const before = stateOf(live('delete'));
    const stored = backupsIn(scene.directory);
    expectFailure(await restore('delete'), 'E_TARGET_BUSY', `pid ${holder.pid} sqlite3`);
    expect(stateOf(live('delete'))).toEqual(before);
    expect(Object.keys(backupsIn(scene.directory))).toEqual(Object.keys(stored));
    await holder.release();
    done(await restore('delete'));
    await isRestored(live('delete'), 'delete');
  });
});

test('who has it locked is stopped first', async () => {
  const lock = await holdLock(live('delete'), 'BEGIN EXCLUSIVE;', { uid: scene.user.uid, gid: scene.user.gid });
  const result = done(
    await restore('delete', { 'lock-wait': '1s', 'stop-command': `kill ${lock.pid}`, 'start-command': 'true' }),
  );
  expect(result.visible).toContain('is locked, so it could not be read');
  await isRestored(live('delete'), 'delete');
});

describe('a check that fails afterwards: everything as it was', () => {
  const fails = { 'check-command': 'exit 3' };
  const rolledBack = (result: ActionResult) => {
    expect(result).toMatchObject({ code: 1, outputs: { 'error-code': 'E_ROLLED_BACK' } });
    expect(result.visible).toContain('The live database is as it was before the restore');
    expect(reportOf(result).restore?.outcome).toBe('rolled-back');
  };

  test.each(sample(MODES, 1))('in place, in the mode %s', async (mode) => {
    sqlite3(live(mode), 'CREATE TABLE newer (x)', 'INSERT INTO newer VALUES (1), (2)');
    const { inode, owner } = stateOf(live(mode));
    rolledBack(await restore(mode, fails));
    expect(sqlite3(live(mode), 'SELECT count(*) FROM newer').trim()).toBe('2');
    expect(stateOf(live(mode))).toMatchObject({ inode, owner });
    expect(beside(live(mode)).filter((name) => !/-(wal|shm)$/.test(name))).toEqual([]);
    await nothingLeft(scene);
    done(await restore(mode));
    await isRestored(live(mode), mode);
  });

  test('a damaged one, with what lay beside it', async () => {
    truncateSync(live('wal'), 200_000);
    for (const end of ['-wal', '-shm']) writeFileSync(`${live('wal')}${end}`, 'something');
    const before = stateOf(live('wal'));
    const result = await restore('wal', fails);
    rolledBack(result);
    expect(result.visible).toContain(
      'The damaged database is live again. The check can fail although the backup is good',
    );
    const { mtimeMs: _, ...after } = stateOf(live('wal'));
    expect(before).toMatchObject(after);
    expect(readFileSync(`${live('wal')}-wal`, 'utf8')).toBe('something');
    done(await restore('wal'));
    await isRestored(live('wal'), 'wal');
  });

  test('a missing one is missing again', async () => {
    rmSync(live('delete'));
    const result = await restore('delete', fails);
    rolledBack(result);
    expect(result.visible).not.toContain('is live again');
    expect(existsSync(live('delete'))).toBe(false);
    expect(beside(live('delete'))).toEqual([]);
    done(await restore('delete'));
    await isRestored(live('delete'), 'delete');
  });
});

describe('what is refused', () => {
  test.each([
    ['a folder', (path: string) => mkdirSync(path), 'is a directory. Name the database file in it. '],
    ['a text', (path: string) => writeFileSync(path, 'root:x:0:0:root:/root:/bin/bash\n'), 'is not a SQLite database'],
    ['an empty file', (path: string) => writeFileSync(path, ''), 'is empty (0 bytes)'],
    ['a link to nowhere', (path: string) => symlinkSync('itself', path), 'leads nowhere'],
  ])('%s in the place of another target', async (_, make, says) => {
    const path = join(folder, 'itself');
    make(path);
    if (!says.includes('nowhere')) chownSync(path, scene.user.uid, scene.user.gid);
    const result = await restore('wal', { 'restore-to': path, 'allow-other-target': 'true' });
    expectFailure(result, 'E_SOURCE_INVALID', says);
    rmSync(path, { recursive: true });
    await nothingLeft(scene);
  });

  test('a backup of other bytes than its manifest says, before anything is read', async () => {
    const { id = '' } = backups.delete ?? {};
    const file = join(scene.directory, scene.manifest(id).file);
    const bytes = readFileSync(file);
    overwrite(file, Math.floor(bytes.length / 2), Buffer.from([(bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 1]));
    const before = stateOf(live('delete'));
    expectFailure(await restore('delete'), 'E_CHECKSUM', 'the SHA-256 of');
    writeFileSync(file, bytes);
    expect(stateOf(live('delete'))).toEqual(before);
    await nothingLeft(scene);
  });

  test('a writer that never lets go: E_BUSY, and nothing is changed', async () => {
    const before = stateOf(live('delete'));
    await using _ = await holdLock(live('delete'), 'BEGIN IMMEDIATE;');
    const message = expectFailure(await restore('delete', { 'lock-wait': '1s', 'safety-backup': 'false' }), 'E_BUSY');
    expect(message).toContain('The live database is as it was.');
    expect({ ...stateOf(live('delete')), beside: [] }).toEqual(before);
    await nothingLeft(scene);
  });
});

describe('dry-run', () => {
  test.each(sample(MODES, 1))('shows both side by side, and leaves nothing (%s)', async (mode) => {
    sqlite3(live(mode), 'CREATE TABLE newer (x)', 'DELETE FROM a', 'DROP INDEX blobs_ver');
    const before = [stateOf(live(mode)), backupsIn(scene.directory)];
    const result = await restore(mode, { 'dry-run': 'true', confirm: '' });
    expect(result).toMatchObject({ code: 0 });
    const plan = reportOf(result).restore?.plan;
    expect(plan).toMatchObject({ state: 'sound', way: 'in-place' });
    expect(plan?.tables).toContainEqual({ name: 'a', live: 0, backup: backups[mode]?.commits });
    expect(plan?.tables).toContainEqual({ name: 'newer', live: 0, backup: null });
    expect(plan?.differences).toEqual([
      'table newer is only in the live database, and will be gone',
      'index blobs_ver is only in the backup',
    ]);
    expect([stateOf(live(mode)), backupsIn(scene.directory)]).toEqual(before);
    await nothingLeft(scene);
    done(await restore(mode));
  });
});

function overwrite(path: string, at: number, bytes: Buffer): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}
