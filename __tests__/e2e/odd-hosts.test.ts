import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { nothingLeft, sqlite3, until } from '../helpers/outcome.js';
import { withSh } from '../helpers/posix-sh.js';
import { SWEEP } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { checkInvariant, createDatabase } from '../helpers/sqlite.js';
import { type Sshd, startSshd } from '../helpers/sshd.js';
import { createUser } from '../helpers/users.js';

const OPTIONS =
  'SetEnv "SHELLOPTS=noglob:noclobber:errexit:nounset:pipefail" "BASHOPTS=nullglob:failglob:dotglob:xpg_echo"';
/** A file system that is full, at /mnt. */
const FULL = [
  'unshare',
  '-m',
  'sh',
  '-c',
  'mount -t tmpfs -o size=16k none /mnt; cat /dev/zero >/mnt/full 2>/dev/null; exec "$@"',
  'full',
];

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ mb: 0.2 });
});
afterAll(() => scene.stop());
beforeEach(() => rmSync(scene.directory, { recursive: true, force: true }));

const inputsFor = (host: Sshd) => ({
  ...{ port: String(host.port), key: host.clientKey, 'known-hosts': host.knownHosts },
});

/** Folders for temporary files that belong to the user. */
const temporary = (uid = scene.user.uid) =>
  ['/tmp', '/var/tmp'].flatMap((place) =>
    readdirSync(place)
      .map((name) => join(place, name))
      .filter((path) => /\/db-backup\.\w+$/.test(path) && statSync(path, { throwIfNoEntry: false })?.uid === uid),
  );

/** A backup that is proven, and a restore with commands of the user that is taken back, as one of them does not end. */
async function makeAndTakeBack(host: Sshd): Promise<void> {
  const run = (more: Record<string, string>) => scene.run({ ...inputsFor(host), ...more });
  expectBackup(await run({ verify: 'restore' }));
  const commands = { 'stop-command': 'echo down', 'check-command': 'sleep 600', 'command-timeout': '3s' };
  const hanging = await run({ command: 'restore', confirm: 'app.db', ...commands, 'start-command': 'echo up' });
  expect(hanging.outputs).toMatchObject({ 'error-code': 'E_ROLLED_BACK', 'restore-outcome': 'rolled-back' });
  expect(hanging.visible).toMatch(/^ +down\n[\s\S]*^ +up\n/m);
  await checkInvariant(scene.database);
  await nothingLeft(scene);
  expect(temporary()).toEqual([]);
}

/** A backup, found again, proven and restored, with commands of the user of which one does not end. */
async function liveThrough(host: Sshd, inputs: Record<string, string> = {}): Promise<void> {
  const run = (more: Record<string, string>) => scene.run({ ...inputsFor(host), ...inputs, ...more });
  const dry = await run({ 'dry-run': 'true' });
  expect([dry.outputs['error-code'], dry.annotations]).toEqual(['', []]);
  const first = expectBackup(await run({ verify: 'restore' }));
  const list = await run({ command: 'list' });
  expect(reportOf(list).backups.map(({ id, state }) => [id, state])).toEqual([[first, 'ok']]);
  // the newest of two, and the other one is deleted
  await new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000)));
  const second = expectBackup(await run({ keep: '1', 'keep-made-under': 'false' }));
  expect(scene.files().filter((name) => name.endsWith('.json'))).toEqual([`${second}.json`, 'status.json']);
  const command = 'echo "here: $(pwd)"';
  const restore = { command: 'restore', confirm: 'app.db' };
  const around = { 'stop-command': 'echo down', 'start-command': 'echo up', 'command-timeout': '3s' };
  const restored = await run({ ...restore, ...around, 'check-command': command });
  expect([restored.outputs['error-code'], restored.outputs['restore-outcome']]).toEqual(['', 'restored']);
  expect(restored.visible).toMatch(/^ +down\n[\s\S]*^ +up\n[\s\S]*^ +here: \//m);
  const hanging = await run({ ...restore, ...around, 'check-command': 'sleep 600' });
  expect(hanging.outputs).toMatchObject({ 'error-code': 'E_ROLLED_BACK', 'restore-outcome': 'rolled-back' });
  await checkInvariant(scene.database);
  await nothingLeft(scene);
  expect(temporary()).toEqual([]);
}

describe.each<[string, () => ReturnType<typeof startSshd>]>([
  ['options of the account, where sh is bash', () => startSshd({ wrapper: withSh('bash'), extraConfig: OPTIONS })],
  ['options of the account, where sh is dash', () => startSshd({ wrapper: withSh('dash'), extraConfig: OPTIONS })],
  ['mksh for sh', () => startSshd({ wrapper: withSh('mksh') })],
  ['busybox for sh', () => startSshd({ wrapper: withSh('busybox') })],
  ['ksh93 for sh', () => startSshd({ wrapper: withSh('ksh93') })],
  ['a TMPDIR that is not there', () => startSshd({ extraConfig: 'SetEnv TMPDIR=/nonexistent' })],
  ['a TMPDIR that is full', () => startSshd({ wrapper: FULL, extraConfig: 'SetEnv TMPDIR=/mnt' })],
])('with %s', (what, start) => {
  let host: Sshd;
  beforeAll(async () => {
    host = await start();
  });
  afterAll(() => host.stop());

  test('all goes as ever', async () => {
    if (SWEEP || what.endsWith('sh is bash')) await liveThrough(host);
    else await makeAndTakeBack(host);
  });

  if (what.endsWith('sh is bash')) {
    test('the commands of the user have the options that he gave himself', async () => {
      const run = (more: Record<string, string>) => scene.run({ ...inputsFor(host), ...more });
      expectBackup(await run({}));
      const check = 'case $- in *f*) echo ours ;; *) exit 1 ;; esac; shopt -q dotglob';
      expect((await run({ command: 'restore', confirm: 'app.db', 'check-command': check })).outputs['error-code']).toBe(
        '',
      );
    });
  }
});

test('without HOME a relative path is one of the home of the account', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-homeless-'));
  chmodSync(folder, 0o755);
  const shell = join(folder, 'sh');
  writeFileSync(shell, '#!/bin/sh\nunset HOME\nexec /bin/sh "$@"\n', { mode: 0o755 });
  const user = await createUser({ shell });
  await createDatabase(join(user.home, 'app.db'), { mb: 0.1, owner: user.name });
  const id = expectBackup(await scene.run({ username: user.name, database: 'app.db' }));
  expect(existsSync(join(user.home, 'db-backups', `${id}.json`))).toBe(true);
  await user.remove();
  rmSync(folder, { recursive: true });
});

test.each(['sha256sum', 'xargs'])('without %s nothing is begun, and it is named', async (tool) => {
  const host = await startSshd({ wrapper: withoutCommands([tool]) });
  try {
    const result = await scene.run(inputsFor(host));
    expectFailure(result, 'E_TOOL_MISSING', `${tool} is not installed`, 'apt-get install');
    expect(existsSync(scene.directory)).toBe(false);
  } finally {
    await host.stop();
  }
});

describe('when every process on the host is killed, the next run sweeps what they left', () => {
  /** kill -9, all at once; `left` is asked before the post step looks. */
  async function killAll(running: ReturnType<Scene['start']>, left: () => string[]): Promise<void> {
    const { uid, gid } = scene.user;
    spawnSync('sh', ['-c', 'kill -KILL -1'], { uid, gid });
    await running.main;
    expect(left()).not.toEqual([]);
    expect((await running.result()).outputs['error-code']).toBe('E_REMOTE_LOST');
  }

  test('of a dry run', async () => {
    sqlite3(scene.database, 'PRAGMA journal_mode = delete');
    await using lock = await holdLock(scene.database, EXCLUSIVE);
    const running = scene.start({ command: 'restore', backup: scene.database, 'dry-run': 'true', 'lock-wait': '10m' });
    // in WAL mode nobody would have to wait, and the run could be over before it is killed
    const waits = () => scene.processes().some(({ command }) => command.startsWith('sqlite3'));
    await until(() => waits() && temporary().length > 0, 60_000);
    await killAll(running, temporary);
    await lock.release();
    expectBackup(await scene.run());
    expect(temporary()).toEqual([]);
  });

  test('of a command of the user', async () => {
    expectBackup(await scene.run());
    const once = join(scene.user.home, 'once');
    const check = `test -e ${once} || { touch ${once}; exec sleep 600; }`;
    const running = scene.start({ command: 'restore', confirm: 'app.db', 'check-command': check });
    await until(() => existsSync(once), 60_000);
    await killAll(running, () => scene.leftovers().filter((name) => name.startsWith('tmp.')));
    expectBackup(await scene.run());
    await nothingLeft(scene);
    expect(temporary()).toEqual([]);
  });
});
