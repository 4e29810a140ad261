import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { backupsIn, nothingLeft, refused, succeeded, until } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { rowsOf, rowsTold, startPostgresScene } from '../helpers/postgres-backups.js';
import { bigTable } from '../helpers/postgres-sample.js';
import { comesTrue } from '../helpers/postgres-waiting.js';
import { leftAfter, processesOfUser } from '../helpers/processes.js';
import type { RunningAction } from '../helpers/run-action.js';
import { nowAndThen, sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';
import { unmount } from '../helpers/unmount.js';
import { createUser, type TestUser } from '../helpers/users.js';

// Two small disks of their own: that of the backup directory, and the one where temporary files go.

const MB = 1 << 20;
const ROOMY = 'size=200m,nr_inodes=10000';
let server: Postgres;
let scene: Scene;
let user: TestUser;
/** For `run-as`. */
let other: TestUser;
/** What is /var/tmp on the host. */
let temporary: string;
let before: Record<string, string>;

beforeAll(async () => {
  [server, user, other] = await Promise.all([startPostgres(), createUser(), createUser()]);
  await server.createDatabase('shop');
  await bigTable(server, 'shop', 8);
  temporary = mkdtempSync(join(tmpdir(), 'dbb-disk-'));
  mount(temporary, 'mode=1777');
  mkdirSync(join(user.home, 'db-backups'));
  mount(join(user.home, 'db-backups'), `uid=${user.uid},gid=${user.gid},mode=700`);
  scene = await startPostgresScene(server, 'shop', {
    user,
    sshd: {
      extraConfig: `SetEnv TMPDIR=${temporary}`,
      wrapper: ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /var/tmp && exec "$@"', temporary],
    },
  });
  const rule = `Defaults:${user.name} !use_pty\n${user.name} ALL=(${other.name}) NOPASSWD: /bin/sh -s, /usr/bin/sh -s\n`;
  mkdirSync('/etc/sudoers.d', { recursive: true });
  writeFileSync(`/etc/sudoers.d/${user.name}`, rule, { mode: 0o440 });
  succeeded(await scene.run());
});
afterAll(async () => {
  await scene?.stop();
  for (const disk of [join(user.home, 'db-backups'), temporary]) await unmount(disk);
  rmSync(temporary, { recursive: true });
  rmSync(`/etc/sudoers.d/${user.name}`, { force: true });
  await Promise.all([user, other].map((one) => one.remove()));
  await server?.remove();
});
beforeEach(() => {
  before = backupsIn(scene.directory);
});
afterEach(() => roomy());

const mount = (disk: string, options: string) =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', `${ROOMY},${options}`, 'tmpfs', disk]);
const remount = (disk: string, options: string) => execFileSync('mount', ['-o', `remount,${options}`, disk]);

function roomy(): void {
  for (const disk of [scene.directory, temporary]) {
    rmSync(join(disk, 'filler'), { recursive: true, force: true });
    remount(disk, ROOMY);
  }
}

/** Makes the disk so small that this many bytes are free. */
function leaveFree(disk: string, bytes: number): void {
  const { blocks, bfree, bsize } = statfsSync(disk);
  remount(disk, `size=${(blocks - bfree) * bsize + bytes}`);
}

/** Writes a file until the disk is full, and gives back `spare` pages. */
function fill(disk: string, spare = 0): void {
  const filler = join(disk, 'filler');
  const file = openSync(filler, 'w');
  let size = 0;
  for (const chunk of [Buffer.alloc(MB, 1), Buffer.alloc(4096, 1)]) {
    try {
      for (;;) size += writeSync(file, chunk, 0, chunk.length, size);
    } catch {
      // ENOSPC
    }
  }
  closeSync(file);
  truncateSync(filler, size - (size % 4096) - spare * 4096);
  expect(statfsSync(disk).bfree).toBe(spare);
}

/** Leaves only so many free. */
function leaveInodes(disk: string, count: number): void {
  const { files, ffree } = statfsSync(disk);
  remount(disk, `nr_inodes=${files - ffree + count}`);
}

/** Starts a run, has `strike` do its work when pg_dump is about to read the table, then lets that go on. */
async function struck(inputs: Record<string, string>, strike: (action: RunningAction) => void): Promise<RunningAction> {
  const holder = spawn(join(server.clientDirectory, 'psql'), ['-X', '-q', server.uri({ database: 'shop' })], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => holder.once('close', resolve));
  const held = new Promise((resolve) => holder.stdout.once('data', resolve));
  holder.stdin.write('BEGIN; LOCK TABLE big IN ACCESS EXCLUSIVE MODE;\n\\echo held\n');
  await held;
  const action = scene.start(inputs);
  const waiting = "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%')";
  await comesTrue(server, 'postgres', waiting, 30).catch(() => {}); // the result tells more
  strike(action);
  holder.stdin.end();
  await ended;
  return action;
}

async function failed(inputs: Record<string, string>, strike: () => void): Promise<string> {
  const action = await struck(inputs, strike);
  return refused(await action.result(), 'E_NOSPACE');
}

/** Nothing has come of the run, and nothing is left of it. */
async function nothingCame(): Promise<void> {
  rmSync(join(scene.directory, 'filler'), { recursive: true, force: true });
  expect(backupsIn(scene.directory)).toEqual(before);
  await nothingLeft(scene);
  // a `sleep 2` that outlives its shell holds nothing
  const others = () => processesOfUser(other.uid).filter(({ command }) => command !== 'sleep 2');
  expect(await leftAfter(others, 15_000)).toEqual([]);
  expect(readdirSync(temporary).filter((name) => name !== 'filler')).toEqual([]);
  let sessions = await server.backendPids();
  for (const end = Date.now() + 15_000; sessions.length > 0 && Date.now() < end; )
    sessions = await server.backendPids();
  expect(sessions).toEqual([]);
}

const goesOn = nowAndThen(3);

/** And with room the next run works. */
async function intact(inputs: Record<string, string>): Promise<void> {
  await nothingCame();
  roomy();
  if (!goesOn()) return;
  const id = succeeded(await scene.run(inputs));
  expect(rowsTold(scene, id)).toEqual(await rowsOf(server, 'shop'));
}

const CUSTOM = {};
const DIRECTORY = { 'dump-format': 'directory' };
const PLAIN = { 'dump-format': 'plain' };
const FREE_IT = 'Free some space, lower `keep` and run `prune`, or choose a `directory` on another disk.';
const REMOVED = 'What this run had written was removed.';

describe('the disk of the backup directory, before the dump', () => {
  test('is full', async () => {
    fill(scene.directory);
    const says = `not enough space in ${scene.directory}: 65.5 kB are needed`;
    refused(await scene.run(), 'E_NOSPACE', says, FREE_IT, REMOVED);
    await nothingCame();
  });

  test('has too little room: that of the newest backup and one MB', async () => {
    leaveFree(scene.directory, 3 * MB);
    const says = /not enough space in \S*db-backups: 7\.\d+ MB are needed .*, 3\.\d+ MB are free/;
    refused(await scene.run(), 'E_NOSPACE', says, FREE_IT, REMOVED);
    await nothingCame();
  });

  test('has too little room for the files of the directory format as well', async () => {
    leaveFree(scene.directory, 12 * MB);
    refused(await scene.run(DIRECTORY), 'E_NOSPACE', /2\d\.\d+ MB are needed .*, 12\.\d+ MB are free/, FREE_IT);
    await nothingCame();
  });

  test('has too few inodes', async () => {
    leaveInodes(scene.directory, 20);
    refused(await scene.run(), 'E_NOSPACE', /\S*db-backups is full: 40 inodes needed, 20 free/, FREE_IT);
    await nothingCame();
  });
});

describe('the disk of the backup directory, during the dump', () => {
  test.each(
    sample<[string, Record<string, string>, number]>(
      [
        ['is full at once', CUSTOM, 0],
        ['fills in the middle', CUSTOM, 600],
        ['fills in the middle', PLAIN, 600],
        ['fills in the middle', DIRECTORY, 600],
        ['has room for the dump, not for the tar of its files', DIRECTORY, 2800],
      ],
      3,
    ),
  )('%s: %j', async (_, inputs, spare) => {
    const message = await failed(inputs, () => fill(scene.directory, spare));
    expect(message).toMatch(/the file system of \S*db-backups is full: .*; 0 KiB and \d+ inodes are free/s);
    expect(message).toContain(`${FREE_IT} ${REMOVED}`);
    await intact(inputs);
  });

  test.each(sample([CUSTOM, DIRECTORY], 1))('has no inodes: %j', async (inputs) => {
    const message = await failed(inputs, () => {
      mkdirSync(join(scene.directory, 'filler'));
      try {
        for (let n = 0; ; n += 1) writeFileSync(join(scene.directory, 'filler', String(n)), '');
      } catch {
        // ENOSPC
      }
    });
    expect(message).toMatch(/the file system of \S*db-backups is full: .* and 0 inodes are free/s);
    await intact(inputs);
  });

  test.each([
    ['the checksum file', 0],
    ['the manifest', 1],
  ])('has no room for %s', async (_, spare) => {
    const work = join(scene.directory, '.work');
    const action = await struck(CUSTOM, ({ kill }) => kill('SIGSTOP'));
    const folder = () => join(work, readdirSync(work).find((name) => name.startsWith('shop-')) ?? '');
    // the proof has been made, and its result waits for the runner
    await until(() => readdirSync(folder()).includes('again'));
    await until(() => !scene.processes().some(({ command }) => /^(zstd|tee|sha256sum|.*pg_restore)/.test(command)));
    fill(scene.directory, spare);
    action.kill('SIGCONT');
    const result = await action.result();
    refused(result, 'E_NOSPACE', /\S*db-backups is full/, FREE_IT, REMOVED);
    expect(result.outputs['backup-id']).toBe('');
    await intact(CUSTOM);
  });
});

describe('the disk of /var/tmp, with run-as', () => {
  const asOther = (inputs: Record<string, string>) => ({ ...inputs, 'run-as': other.name });
  const CHEAPER = 'Free some space there, or use the `dump-format` custom, which does not need it.';

  test('is full before', async () => {
    fill(temporary);
    const says = 'not enough space in /var/tmp: 65.5 kB are needed';
    refused(
      await scene.run(asOther(CUSTOM)),
      'E_NOSPACE',
      says,
      'Free some space there: the database tools work there.',
      REMOVED,
    );
    await nothingCame();
  });

  test('has too little room for the files of the directory format', async () => {
    leaveFree(temporary, 4 * MB);
    const says = /not enough space in \/var\/tmp: 1\d\.\d+ MB are needed .*, 4\.\d+ MB are free/;
    refused(await scene.run(asOther(DIRECTORY)), 'E_NOSPACE', says, CHEAPER, REMOVED);
    await nothingCame();
  });

  test('has no inodes', async () => {
    leaveInodes(temporary, 0);
    refused(await scene.run(asOther(CUSTOM)), 'E_NOSPACE', /\/var\/tmp is full: 40 inodes needed, 0 free/, REMOVED);
    await intact(asOther(CUSTOM));
  });

  test('fills in the middle of the directory format', async () => {
    const message = await failed(asOther(DIRECTORY), () => fill(temporary, 600));
    expect(message).toMatch(/the file system of \/var\/tmp is full: .*; 0 KiB and \d+ inodes are free/s);
    expect(message).toContain(`${CHEAPER} ${REMOVED}`);
    await intact(asOther(DIRECTORY));
  });

  test('fills with what psql tells of the database', async () => {
    await server.createDatabase('long');
    // as much of them as a manifest takes of each
    const settings = Array.from(
      { length: 30 },
      (_, i) => `ALTER DATABASE long SET app.s${i} TO '${'long '.repeat(1500)}'`,
    );
    await server.sql('long', `CREATE TABLE t (); ${settings.join(';')}`);
    leaveFree(temporary, 120_000);
    const message = refused(
      await scene.run({ ...asOther(CUSTOM), database: server.uri({ database: 'long' }) }),
      'E_NOSPACE',
    );
    expect(message).toMatch(/the file system of \/var\/tmp is full: .*; 0 KiB and /);
    await nothingCame();
  });

  test('is full in the middle of a dump that needs none of it: good, and what is not known is told', async () => {
    const action = await struck(asOther(CUSTOM), () => fill(temporary));
    const result = await action.result();
    const { content } = scene.manifest(succeeded(result));
    expect(content).toMatchObject({ tables: [{ name: 'public.big', rows: null }], roles: null });
    expect(result.annotations.map(({ message }) => message)).toEqual([
      expect.stringContaining('the roles of the server are not in this backup'),
    ]);
    expect(result.visible).toContain('were not counted');
  });
});

test('a dry run needs little room for temporary files, and takes it where there is some', async () => {
  fill(temporary);
  const result = await scene.run({ 'dry-run': 'true' });
  expect([result.code, result.outputs['error-code']]).toEqual([0, '']);
  await nothingCame();
});
