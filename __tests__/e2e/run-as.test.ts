import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ageKey, PASSPHRASE } from '../helpers/encryption-keys.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import {
  backupsIn,
  committedState,
  nothingLeft,
  refused,
  sqlite3,
  stateOf,
  succeeded,
  temporaryFolders,
  until,
} from '../helpers/outcome.js';
import { leftAfter, listProcesses, processesOfUser } from '../helpers/processes.js';
import { sample } from '../helpers/sample.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { createDatabase, startWriters, withNewer } from '../helpers/sqlite.js';
import { createUser, type TestUser } from '../helpers/users.js';

/** The application's user, who is not the login user; the folder is 0700. */
let owner: TestUser;
let scene: Scene;
let folder: string;
let database: string;
let sudoers: string;
beforeAll(async () => {
  [scene, owner] = await Promise.all([startScene(), createUser()]);
  folder = mkdtempSync('/srv/dbb-owner-');
  chownSync(folder, owner.uid, owner.gid);
  chmodSync(folder, 0o700);
  database = join(folder, "the app's.db");
  await createDatabase(database, { mb: 20, wal: true, owner: owner.name });
  Object.assign(scene.inputs, { database, name: 'app' });
  sudoers = `/etc/sudoers.d/${scene.user.name}`;
  mkdirSync('/etc/sudoers.d', { recursive: true });
});
afterAll(async () => {
  rmSync(sudoers, { force: true });
  rmSync(folder, { recursive: true, force: true });
  await scene.stop();
  await owner.remove();
});

const temporary = () => temporaryFolders(owner.uid);
const allow = (line: string, defaults = '!use_pty') =>
  writeFileSync(sudoers, `Defaults:${scene.user.name} ${defaults}\n${line}\n`, { mode: 0o440 });

describe('a database of another user', () => {
  test('is refused, naming the owner and run-as; nothing is left beside it', async () => {
    chmodSync(folder, 0o755);
    const before = stateOf(database);
    const message = refused(await scene.run(), 'E_SOURCE_OWNER');
    chmodSync(folder, 0o700);
    expect(message).toContain(`belongs to ${owner.name}, and ${scene.user.name} is not ${owner.name}`);
    expect(message).toContain(`Set \`run-as: ${owner.name}\``);
    expect(stateOf(database)).toEqual(before);
    await nothingLeft(scene);
  });

  test('sudo refuses: what it said, and the line for sudoers, which then works', async () => {
    const message = refused(await scene.run({ 'run-as': owner.name }), 'E_PERM');
    expect(message).toContain(`sudo does not allow ${scene.user.name} to run \`sh -s\` as ${owner.name}: `);
    expect(message).toMatch(/sudo: a password is required|may not run sudo|not allowed/);
    const [line = ''] = /\S+ ALL=\(.*?\/usr\/bin\/sh -s/.exec(message) ?? [];
    allow(line);
    expect((await scene.run({ 'run-as': owner.name, 'dry-run': 'true' })).outputs).toMatchObject({ 'error-code': '' });
    await nothingLeft(scene);
  });

  test('a user who does not exist: what sudo said', async () => {
    allow(`${scene.user.name} ALL=(ALL) NOPASSWD: ALL`);
    expect(refused(await scene.run({ 'run-as': 'nobody-here' }), 'E_PERM')).toMatch(/unknown user/);
  });
});

describe('run-as', () => {
  test.each(sample(['use_pty', '!use_pty'], 1))(
    'with %s: one committed state; the owner goes on writing',
    async (defaults) => {
      allow(`${scene.user.name} ALL=(${owner.name}) NOPASSWD: /bin/sh -s, /usr/bin/sh -s`, defaults);
      const before = stateOf(database);
      const writers = await startWriters(database, { pauseMs: 5 });
      const result = await scene.run({ 'run-as': owner.name });
      await writers.stop();
      const id = succeeded(result);
      expect((await committedState(scene, id)).commits).toBeGreaterThan(0);
      expect(temporary()).toEqual([]);
      expect(execFileSync('stat', ['-c', '%a %U', scene.directory], { encoding: 'utf8' })).toBe(
        `700 ${scene.user.name}\n`,
      );
      const after = stateOf(database);
      expect({ inode: after.inode, owner: after.owner, mode: after.mode }).toEqual({
        inode: before.inode,
        owner: before.owner,
        mode: before.mode,
      });
      for (const name of after.beside) expect(stateOf(join(folder, name)).owner).toBe(before.owner);
      execFileSync('su', [owner.name, '-s', '/bin/sh', '-c', `sqlite3 "$0" 'UPDATE blobs SET ver = ver'`, database]);
      expect(result.visible).not.toContain('login scripts of');
      await nothingLeft(scene);
    },
  );

  test('the commands around a dump are those of the user who logs in', async () => {
    allow(`${scene.user.name} ALL=(${owner.name}) NOPASSWD: /bin/sh -s, /usr/bin/sh -s`);
    const said = join(scene.user.home, 'said');
    const hooks = { 'before-command': 'id -un >said', 'after-command': 'id -un >>said; exit 3' };
    refused(await scene.run({ 'run-as': owner.name, ...hooks }), 'E_HOOK');
    expect(readFileSync(said, 'utf8')).toBe(`${scene.user.name}\n`.repeat(2));
    await nothingLeft(scene);
  });

  test('the recovery commands, typed by root, restore the database of the owner', async () => {
    const id = succeeded(await scene.run({ 'run-as': owner.name }));
    const commits = Number(sqlite3(database, 'SELECT count(*) FROM a'));
    sqlite3(database, 'DELETE FROM a');
    const script = scene.manifest(id).recovery.join('\n');
    const said = execFileSync('sh', ['-e', '-c', script], { encoding: 'utf8', env: { PATH: process.env.PATH } });
    expect(said).toContain('\nok\n');
    expect(Number(sqlite3(database, 'SELECT count(*) FROM a'))).toBe(commits);
    expect(stateOf(database).owner).toBe(`${owner.uid}:${owner.gid}`);
    for (const name of readdirSync('/tmp').filter((name) => name.startsWith('tmp.'))) {
      if (readdirSync(join('/tmp', name)).includes('restored.db')) rmSync(join('/tmp', name), { recursive: true });
    }
  });

  test.each([
    ['age', 'age'],
    ['gpg, by a passphrase', 'gpg'],
  ])('encrypted with %s by the login user: proven, and restored for the owner', async (_, method) => {
    allow(`${scene.user.name} ALL=(${owner.name}) NOPASSWD: /bin/sh -s, /usr/bin/sh -s`);
    const { recipient, identity } = ageKey();
    const encrypt = method === 'age' ? { 'encryption-recipients': recipient } : { 'encryption-passphrase': PASSPHRASE };
    const decrypt = method === 'age' ? { 'decryption-key': identity } : { 'decryption-passphrase': PASSPHRASE };
    const as = { 'run-as': owner.name, ...decrypt };
    const id = succeeded(await scene.run({ 'run-as': owner.name, encrypt: method, ...encrypt }));
    expect(scene.manifest(id)).toMatchObject({ encryption: { method }, verified: { level: 'content' } });
    expect((await scene.run({ command: 'verify', backup: id, verify: 'restore', ...as })).outputs).toMatchObject({
      'error-code': '',
      'verified-level': 'restore',
    });
    const commits = sqlite3(database, 'SELECT count(*) FROM a');
    sqlite3(database, 'DELETE FROM a');
    const result = await scene.run({
      command: 'restore',
      confirm: "the app's.db",
      backup: id,
      encrypt: method,
      ...encrypt,
      ...as,
    });
    expect(result.outputs).toMatchObject({ 'error-code': '', 'restore-outcome': 'restored' });
    expect(sqlite3(database, 'SELECT count(*) FROM a')).toBe(commits);
    expect(stateOf(database).owner).toBe(`${owner.uid}:${owner.gid}`);
    expect(temporary()).toEqual([]);
    await nothingLeft(scene);
  });

  test('a missing database in the folder that only the owner may enter', async () => {
    const path = join(folder, 'no.db');
    expect(refused(await scene.run({ database: path, 'run-as': owner.name }), 'E_SOURCE_MISSING')).toContain(path);
    expect(readdirSync(folder).filter((name) => name.startsWith('no.db'))).toEqual([]);
  });

  test('that a newer SQLite has written: no damage, and restored as it was', async () => {
    allow(`${scene.user.name} ALL=(${owner.name}) NOPASSWD: ALL`);
    const newer = join(folder, 'newer.db');
    withNewer(newer, 'SELECT 1', 'CREATE TABLE t (x DEFAULT 1_000)', 'INSERT INTO t DEFAULT VALUES');
    chownSync(newer, owner.uid, owner.gid);
    const inputs = { 'run-as': owner.name, database: newer, name: 'newer' };
    refused(await scene.run(inputs), 'E_TOOL_VERSION');
    refused(await scene.run({ ...inputs, 'dry-run': 'true' }), 'E_TOOL_VERSION');
    const backup = succeeded(await scene.run({ ...inputs, verify: 'checksum' }));
    withNewer(newer, 'DELETE FROM t');
    const result = await scene.run({ ...inputs, command: 'restore', backup, confirm: 'newer.db' });
    expect(result.outputs).toMatchObject({ 'restore-outcome': 'restored', 'error-code': '' });
    expect(withNewer(newer, 'SELECT * FROM t')).toBe('[[1000]]');
    rmSync(newer);
    await nothingLeft(scene);
    expect(temporary()).toEqual([]);
  });

  test('a run-as that is the login user needs no sudo', async () => {
    rmSync(sudoers);
    succeeded(await scene.run({ database: scene.database, name: 'own', 'run-as': scene.user.name }));
  });

  test.each(['!use_pty', 'use_pty'])(
    'SIGTERM in the middle, %s: no process of either user is left',
    async (defaults) => {
      allow(`${scene.user.name} ALL=(${owner.name}) NOPASSWD: ALL`, defaults);
      const path = join(folder, `held-${defaults.length}.db`);
      await createDatabase(path, { wal: false, owner: owner.name });
      const before = backupsIn(scene.directory);
      await using lock = await holdLock(path, EXCLUSIVE);
      const action = scene.start({ database: path, 'run-as': owner.name });
      await until(() => processesOfUser(owner.uid).some(({ command }) => command.includes('.backup')));
      expect(temporary()).toHaveLength(1);
      action.kill('SIGTERM');
      refused(await action.result(), 'E_CANCELLED');
      const sudos = () => listProcesses().filter(({ command }) => command.startsWith(`sudo -n -H -u ${owner.name}`));
      expect(await leftAfter(() => [...processesOfUser(owner.uid), ...sudos()], 15_000)).toEqual([]);
      await nothingLeft(scene);
      expect(temporary()).toEqual([]);
      expect(backupsIn(scene.directory)).toEqual(before);
      await lock.release();
      succeeded(await scene.run({ database: path, 'run-as': owner.name }));
    },
  );

  test.each([0, 1])('a hash that is killed in the middle (%i): no success, nothing left', async (index) => {
    allow(`${scene.user.name} ALL=(${owner.name}) NOPASSWD: ALL`);
    const path = join(folder, `stage-${index}.db`);
    await createDatabase(path, { wal: false, owner: owner.name });
    const before = backupsIn(scene.directory);
    await using lock = await holdLock(path, EXCLUSIVE);
    const action = scene.start({ database: path, 'run-as': owner.name });
    const hashes = () => scene.processes().filter(({ command }) => command === 'sha256sum');
    await until(() => hashes().length === 2);
    process.kill(hashes()[index]?.pid ?? Number.NaN, 'SIGKILL');
    await lock.release();
    expect(refused(await action.result(), 'E_DUMP_FAILED')).toMatch(/exit status of source, .*137/);
    expect(await leftAfter(() => processesOfUser(owner.uid), 15_000)).toEqual([]);
    expect(temporary()).toEqual([]);
    expect(backupsIn(scene.directory)).toEqual(before);
    await nothingLeft(scene);
  });

  test('what a killed run left in /var/tmp is swept by the next one', async () => {
    const path = join(folder, 'killed.db');
    await createDatabase(path, { wal: false, owner: owner.name });
    await using lock = await holdLock(path, EXCLUSIVE);
    const action = scene.start({ database: path, 'run-as': owner.name });
    await until(() => processesOfUser(owner.uid).some(({ command }) => command.includes('.backup')));
    const [left = ''] = temporary();
    // with the one who would clean up after it: all at once
    spawnSync('sh', ['-c', 'kill -KILL -1'], { uid: owner.uid, gid: owner.gid });
    const result = await action.result();
    expect(result.outputs['backup-ok']).toBe('false');
    expect(temporary()).toEqual([left]);
    await lock.release();
    expect(await leftAfter(() => processesOfUser(owner.uid), 15_000)).toEqual([]);
    succeeded(await scene.run({ database: path, 'run-as': owner.name }));
    expect(temporary()).toEqual([]);
    await nothingLeft(scene);
  });
});
