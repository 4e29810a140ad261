import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { expectFailure } from '../helpers/failure.js';
import { holdLock } from '../helpers/lock-holder.js';
import { nothingLeft, sqlite3, stateOf, succeeded, temporaryFolders } from '../helpers/outcome.js';
import { withSh } from '../helpers/posix-sh.js';
import { type ActionResult, runAction } from '../helpers/run-action.js';
import { SWEEP } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { createDatabase, startWriters } from '../helpers/sqlite.js';
import { createUser, type TestUser } from '../helpers/users.js';

type Inputs = Record<string, string>;

function done(result: ActionResult): ActionResult {
  const errors = result.annotations.filter(({ level }) => level === 'error').map(({ message }) => message);
  expect({ errors, code: result.code, outcome: reportOf(result).restore?.outcome }).toEqual({
    errors: [],
    code: 0,
    outcome: 'restored',
  });
  return result;
}

const newest = { command: 'restore', backup: 'latest', 'lock-wait': '20s' };
const ofRestore = (path: string) =>
  readdirSync(dirname(path)).filter((name) => name.includes('.restore-') || name.includes('.before-'));
const count = (path: string, table: string) => Number(sqlite3(path, `SELECT count(*) FROM ${table}`));
const failed = (result: ActionResult, code: string) =>
  expect(result).toMatchObject({ code: 1, outputs: { 'error-code': code } });

describe('a database of another user, with run-as', () => {
  let scene: Scene;
  let owner: TestUser;
  let folder: string;
  let database: string;
  let sudoers: string;
  beforeAll(async () => {
    [scene, owner] = await Promise.all([startScene(), createUser()]);
    sudoers = `/etc/sudoers.d/${scene.user.name}`;
    mkdirSync('/etc/sudoers.d', { recursive: true });
    writeFileSync(sudoers, `${scene.user.name} ALL=(${owner.name}) NOPASSWD: ALL\n`, { mode: 0o440 });
    folder = mkdtempSync('/srv/dbb-owner-');
    chownSync(folder, owner.uid, owner.gid);
    chmodSync(folder, 0o700);
    database = join(folder, "the app's.db");
    await createDatabase(database, { mb: 1, wal: true, owner: owner.name });
    Object.assign(scene.inputs, { database, name: 'app', 'run-as': owner.name, confirm: "the app's.db" });
    succeeded(await scene.run({ confirm: '' }));
  });
  afterAll(async () => {
    rmSync(sudoers, { force: true });
    rmSync(folder, { recursive: true, force: true });
    await scene.stop();
    await owner.remove();
  });
  afterEach(async () => {
    expect(ofRestore(database)).toEqual([]);
    expect(temporaryFolders(owner.uid)).toEqual([]);
    await nothingLeft(scene);
  });
  const owned = () => expect(stateOf(database).owner).toBe(`${owner.uid}:${owner.gid}`);

  test('in place, while the owner writes; then back, from the safety backup', async () => {
    const id = scene.files()[0]?.replace(/\..*/, '') ?? '';
    const writers = await startWriters(database, { pauseMs: 10 });
    done(await scene.run({ ...newest, backup: id }));
    await writers.stop();
    owned();
    sqlite3(database, 'CREATE TABLE newer (x)', 'INSERT INTO newer VALUES (1)');
    failed(await scene.run({ ...newest, backup: id, 'check-command': 'false' }), 'E_ROLLED_BACK');
    expect(count(database, 'newer')).toBe(1);
    owned();
    done(await scene.run({ ...newest, backup: id }));
    expect(count(database, 'a')).toBe(0);
  });

  test('a damaged one: not while the owner has it open; afterwards it is replaced', async () => {
    const id = scene.files()[0]?.replace(/\..*/, '') ?? '';
    truncateSync(database, 200_000);
    const reader = await openAs(owner, database);
    expectFailure(await scene.run({ ...newest, backup: id }), 'E_TARGET_BUSY', `pid ${reader.pid} `);
    await reader.release();
    done(await scene.run({ ...newest, backup: id }));
    owned();
    expect(count(database, 'blobs')).toBe(256);
  });

  test('a missing one, in a folder that is not there', async () => {
    const path = join(folder, 'deeper', 'new.db');
    done(await scene.run({ ...newest, 'restore-to': path, confirm: 'new.db', 'allow-other-target': 'true' }));
    expect(stateOf(path).owner).toBe(`${owner.uid}:${owner.gid}`);
    expect(statSync(dirname(path))).toMatchObject({ uid: owner.uid, gid: owner.gid });
    expect(count(path, 'blobs')).toBe(256);
    rmSync(dirname(path), { recursive: true });
  });

  test('from the text of a dump, which the login user loads', async () => {
    const text = join(scene.user.home, 'old.sql');
    writeFileSync(
      text,
      execFileSync('sqlite3', [':memory:', 'CREATE TABLE blobs (n)', 'INSERT INTO blobs VALUES (1)', '.dump']),
    );
    const before = stateOf(database);
    done(await scene.run({ ...newest, backup: text }));
    expect(count(database, 'blobs')).toBe(1);
    expect(stateOf(database).owner).toBe(before.owner);
    const safety = reportOf(await scene.run({ command: 'list', confirm: '' })).backups[0]?.id ?? '';
    done(await scene.run({ ...newest, backup: safety }));
    expect(count(database, 'blobs')).toBe(256);
  });

  test('without it: E_SOURCE_OWNER', async () => {
    chmodSync(folder, 0o755);
    expectFailure(await scene.run({ ...newest, 'run-as': '' }), 'E_SOURCE_OWNER', `Set \`run-as: ${owner.name}\``);
    chmodSync(folder, 0o700);
  });
});

/** A process of that user with the file open. */
async function openAs(user: TestUser, path: string) {
  const { spawn } = await import('node:child_process');
  const child = spawn('sh', ['-c', 'exec <"$0" 3<&0; echo open; exec sleep 60', path], {
    ...{ uid: user.uid, gid: user.gid, stdio: ['ignore', 'pipe', 'inherit'] },
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return {
    pid: child.pid,
    release: () =>
      new Promise<void>((resolve) => {
        child.once('close', () => resolve());
        child.kill();
      }),
  };
}

describe.each([
  ['python3 instead of sqlite3', () => withoutCommands(['sqlite3'])],
  ['busybox sh', () => withSh('busybox')],
])('%s', (name, wrapper) => {
  let scene: Scene;
  let id: string;
  beforeAll(async () => {
    scene = await startScene({ sshd: { wrapper: wrapper() } });
    id = succeeded(await scene.run());
    Object.assign(scene.inputs, { ...newest, backup: id, confirm: 'app.db' });
  });
  afterAll(() => scene.stop());
  afterEach(async () => {
    expect(ofRestore(scene.database)).toEqual([]);
    await nothingLeft(scene);
  });

  test('in place under writers, and back', async () => {
    const { inode } = stateOf(scene.database);
    const writers = await startWriters(scene.database, { count: 2, pauseMs: 10 });
    done(await scene.run());
    await writers.stop();
    sqlite3(scene.database, 'CREATE TABLE newer (x)');
    failed(await scene.run({ 'check-command': 'false' }), 'E_ROLLED_BACK');
    expect(count(scene.database, 'newer')).toBe(0);
    expect(stateOf(scene.database).inode).toBe(inode);
    done(await scene.run());
    expect(sqlite3(scene.database, 'SELECT count(*) FROM a')).toBe('0\n');
  });

  test('a damaged one, a missing one', async () => {
    truncateSync(scene.database, 100_000);
    done(await scene.run());
    expect(count(scene.database, 'blobs')).toBe(256);
    rmSync(scene.database);
    done(await scene.run());
    expect(count(scene.database, 'blobs')).toBe(256);
  });

  // the shell makes no difference to these
  if (!name.startsWith('python3')) return;

  test('a dry run leaves nothing', async () => {
    sqlite3(scene.database, 'CREATE TABLE newer (x)');
    const before = stateOf(scene.database);
    const result = await scene.run({ 'dry-run': 'true' });
    expect(reportOf(result).restore?.plan).toMatchObject({ state: 'sound', way: 'in-place' });
    expect(result.visible).toContain('table newer is only in the live database, and will be gone');
    expect(stateOf(scene.database)).toEqual(before);
  });

  test('a writer that never lets go: E_BUSY', async () => {
    const before = stateOf(scene.database).sha256;
    await using _ = await holdLock(scene.database, 'BEGIN IMMEDIATE;');
    expectFailure(await scene.run({ 'lock-wait': '1s', 'safety-backup': 'false' }), 'E_BUSY', 'is as it was');
    expect(stateOf(scene.database).sha256).toBe(before);
  });
});

describe('on this machine, as root', () => {
  let folder: string;
  let owner: TestUser;
  beforeAll(async () => {
    owner = await createUser();
    folder = mkdtempSync(join(tmpdir(), 'dbb-root-'));
    chmodSync(folder, 0o755);
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await owner.remove();
  });
  let nth = 0;
  /** A database with one backup; returns how to run with it. */
  async function backedUp(path: string): Promise<(inputs?: Inputs) => Promise<ActionResult>> {
    await createDatabase(path, { mb: 0.2, wal: true, owner: owner.name });
    const common = { transport: 'local', directory: join(folder, `backups-${++nth}`), database: path, name: 'app' };
    succeeded(await runAction(common));
    return (inputs) => runAction({ ...common, ...newest, confirm: basename(path), ...inputs });
  }

  test.each([`it's a "live" db?x=1 #é%20 $(id) \\n.db`, '-dash.db', 'file:x.db'])('a file called %j', async (name) => {
    mkdirSync(join(folder, `names-${++nth}`));
    const path = join(folder, `names-${nth}`, name);
    const restore = await backedUp(path);
    sqlite3(path, 'DELETE FROM blobs');
    done(await restore());
    expect(count(path, 'blobs')).toBe(51);
    if (SWEEP || name.includes('$(id)')) {
      truncateSync(path, 8192);
      failed(await restore({ 'check-command': 'false' }), 'E_ROLLED_BACK');
      expect(statSync(path).size).toBe(8192);
      done(await restore());
      expect(count(path, 'blobs')).toBe(51);
    }
    expect(readdirSync(dirname(path))).toEqual([name]);
  });

  test('owner, group, mode and extended attributes are those of the old file', async () => {
    const path = join(folder, 'properties.db');
    const restore = await backedUp(path);
    chownSync(path, owner.uid, 0);
    chmodSync(path, 0o664);
    const python = (code: string) =>
      execFileSync('python3', ['-c', `import os, sys; p = sys.argv[1]; ${code}`, path], { encoding: 'utf8' });
    python(`os.setxattr(p, 'user.note', b'of the app')`);
    truncateSync(path, 8192);
    done(await restore());
    expect(count(path, 'blobs')).toBe(51);
    expect(statSync(path)).toMatchObject({ uid: owner.uid, gid: 0, mode: 0o100664 });
    expect(python(`print(os.getxattr(p, 'user.note'))`)).toBe("b'of the app'\n");
  });

  test('behind a symbolic link the file itself is replaced', async () => {
    mkdirSync(join(folder, 'real'));
    const real = join(folder, 'real', 'data.db');
    const link = join(folder, 'link.db');
    symlinkSync(real, link);
    await createDatabase(real, { mb: 0.2, wal: true, owner: owner.name });
    const common = { transport: 'local', directory: join(folder, 'linked'), database: link, name: 'app' };
    succeeded(await runAction(common));
    truncateSync(real, 8192);
    done(await runAction({ ...common, ...newest, confirm: 'link.db' }));
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(count(real, 'blobs')).toBe(51);
    rmSync(real);
    done(await runAction({ ...common, ...newest, confirm: 'link.db' }));
    expect(count(real, 'blobs')).toBe(51);
    expect(stateOf(real).owner).toBe('0:0');
    expect(readdirSync(join(folder, 'real'))).toEqual(['data.db']);
  });

  test('a missing one is given to the owner of its folder; who holds the deleted one is in the way', async () => {
    const home = join(folder, 'home');
    mkdirSync(home);
    chownSync(home, owner.uid, owner.gid);
    const path = join(home, 'app.db');
    const restore = await backedUp(path);
    const holder = await openAs(owner, path);
    rmSync(path);
    expectFailure(await restore(), 'E_TARGET_BUSY', `pid ${holder.pid} sleep (has the deleted file open)`);
    await holder.release();
    done(await restore());
    expect(stateOf(path).owner).toBe(`${owner.uid}:${owner.gid}`);
  });

  test('who is connected is told, and stays connected', async () => {
    const path = join(folder, 'connected.db');
    const restore = await backedUp(path);
    await using holder = await holdLock(path, 'SELECT count(*) FROM a;');
    const result = done(await restore());
    expect(result.visible).toContain(`in use by pid ${holder.pid} sqlite3`);
    expect(result.visible).toContain('restart the application after the restore');
  });
});
