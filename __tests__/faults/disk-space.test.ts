import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ageKey } from '../helpers/encryption-keys.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import {
  backupsIn,
  committedState,
  nothingLeft,
  refused,
  sqlite3,
  stateOf,
  succeeded,
  until,
} from '../helpers/outcome.js';
import { nowAndThen } from '../helpers/sample.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { createDatabase } from '../helpers/sqlite.js';
import { unmount } from '../helpers/unmount.js';

/** The backup directory is a small disk of its own. */
let scene: Scene;
let before: Record<string, string>;
const PAGE = 4096;
const filler = () => join(scene.directory, 'filler');

beforeAll(async () => {
  scene = await startScene({ mb: 8, wal: false });
  mkdirSync(scene.directory);
  const { uid, gid } = scene.user;
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=200m,uid=${uid},gid=${gid},mode=700`, 'tmpfs', scene.directory]);
  succeeded(await scene.run());
});
afterAll(async () => {
  await unmount(scene.directory);
  await scene.stop();
});
beforeEach(() => {
  before = backupsIn(scene.directory);
});
afterEach(async () => {
  rmSync(filler(), { recursive: true, force: true });
  remount('size=200m,nr_inodes=10000');
});

const remount = (options: string) => execFileSync('mount', ['-o', `remount,${options}`, scene.directory]);

/** Makes the disk so small that this many bytes are free. */
function leaveFree(bytes: number): void {
  const { blocks, bfree, bsize } = statfsSync(scene.directory);
  remount(`size=${(blocks - bfree) * bsize + bytes}`);
}

/** Writes a file until the disk is full, and gives back `spare` pages. */
function fill(spare = 0): void {
  const file = openSync(filler(), 'w');
  let size = 0;
  for (const chunk of [Buffer.alloc(1 << 20, 1), Buffer.alloc(PAGE, 1)]) {
    try {
      for (;;) size += writeSync(file, chunk, 0, chunk.length, size);
    } catch {
      // ENOSPC
    }
  }
  closeSync(file);
  truncateSync(filler(), size - (size % PAGE) - spare * PAGE);
  expect(statfsSync(scene.directory).bfree).toBe(spare);
}

test('what a run tells is left out on a full disk, which takes nothing from the run', async () => {
  const file = join(scene.directory, 'history.jsonl');
  const lines = () => readFileSync(file, 'utf8');
  const known = lines();
  fill();
  const result = await scene.run({ command: 'prune' });
  expect(result.code).toBe(0);
  for (const name of ['status.json', 'history.jsonl']) {
    expect(result.visible).toContain(`${scene.directory}/${name} could not be written`);
  }
  expect(lines()).toBe(known);
  rmSync(filler());
  expect((await scene.run({ command: 'prune' })).code).toBe(0);
  expect(lines()).toMatch(/^.*\n(?:.*\n)*\{"at":.*"command":"prune","result":"ok".*\}\n$/);
});

async function intact(): Promise<void> {
  rmSync(filler(), { recursive: true, force: true });
  expect(backupsIn(scene.directory)).toEqual(before);
  await nothingLeft(scene);
}

const goesOn = nowAndThen(3);
const worksAgain = async (inputs: Record<string, string> = {}) => {
  remount('size=200m,nr_inodes=10000');
  if (!goesOn()) return;
  await committedState(scene, succeeded(await scene.run(inputs)));
};

describe('found before the copy', () => {
  test('too little space: how much is needed, how much is free', async () => {
    leaveFree(5 << 20);
    const live = stateOf(scene.database);
    const message = refused(await scene.run(), 'E_NOSPACE');
    // The copy, a backup like the last one, and one MiB.
    expect(message).toMatch(/not enough space in \S*db-backups: 1[78]\.\d MB are needed .*, 5\.\d+ MB are free/);
    expect(message).toMatch(/Free some space, lower `keep`.*removed\. Nothing was kept/);
    expect(stateOf(scene.database)).toEqual(live);
    // a dry run goes by the same rule
    const foreseen = refused(await scene.run({ 'dry-run': 'true' }), 'E_NOSPACE');
    const needed = /not enough space in \S* 1[78]\.\d MB are needed/;
    expect(needed.exec(foreseen)?.[0]).toBe(needed.exec(message)?.[0]);
    const missing = { directory: join(scene.directory, 'not/there'), 'dry-run': 'true' };
    expect(refused(await scene.run(missing), 'E_NOSPACE')).toContain(`not enough space in ${scene.directory}:`);
    await intact();
    await worksAgain();
  });

  test('a full disk', async () => {
    fill();
    refused(await scene.run(), 'E_NOSPACE');
    await intact();
    await worksAgain();
  });

  test('min-free is left', async () => {
    leaveFree(60 << 20);
    expect(refused(await scene.run({ 'min-free': '50MiB' }), 'E_NOSPACE')).toMatch(/7\d\.\d MB are needed .*min-free/);
    await intact();
    succeeded(await scene.run({ 'min-free': '20MiB' }));
  });

  test('no free inodes', async () => {
    const { files, ffree } = statfsSync(scene.directory);
    remount(`nr_inodes=${files - ffree + 20}`);
    expect(refused(await scene.run(), 'E_NOSPACE')).toMatch(/40 inodes needed, \d+ free/);
    await intact();
    await worksAgain();
  });
});

describe('the disk fills in the middle', () => {
  /** Starts a run that stands still right before the copy, everything but the copy being ready. */
  async function beforeTheCopy(fault: (action: ReturnType<Scene['start']>) => Promise<void> | void) {
    await using lock = await holdLock(scene.database, EXCLUSIVE);
    const action = scene.start();
    await until(() =>
      scene.processes().some(({ command }) => command.startsWith('sqlite3') && command.includes('.backup')),
    );
    await until(() =>
      ['zstd', 'cat'].every((name) => scene.processes().some(({ command }) => command.startsWith(name))),
    );
    await fault(action);
    await lock.release();
    return action;
  }

  test('at the copy', async () => {
    const action = await beforeTheCopy(() => fill(600));
    expect(refused(await action.result(), 'E_NOSPACE')).toMatch(
      /the file system of \S*db-backups is full: .*; 0 KiB and \d+ inodes are free/,
    );
    await intact();
    await worksAgain();
  });

  test.each([
    ['', () => ({})],
    [', which is encrypted', () => ({ encrypt: 'age', 'encryption-recipients': ageKey().recipient })],
  ])('at the payload%s', async (_, encrypt) => {
    const database = join(dirname(scene.database), 'grown.db');
    rmSync(database, { force: true });
    await createDatabase(database, { wal: false, owner: scene.user.name });
    const inputs = { database, 'shrink-limit': 'none', ...encrypt() };
    succeeded(await scene.run(inputs));
    // The last backup was small, so a small one is expected, but what came is as large as the copy.
    sqlite3(database, 'INSERT INTO blobs (ver, data) SELECT 0, randomblob(4000) FROM blobs, blobs AS n LIMIT 2000');
    before = backupsIn(scene.directory);
    leaveFree(13 << 20);
    refused(await scene.run(inputs), 'E_NOSPACE');
    await intact();
    await worksAgain({ database });
  });

  test.each([
    ['the checksum file', 0],
    ['the manifest', 1],
  ])('at %s', async (_, spare) => {
    const action = await beforeTheCopy(({ kill }) => kill('SIGSTOP'));
    const work = () =>
      join(
        scene.directory,
        '.work',
        readdirSync(join(scene.directory, '.work')).find((name) => name.startsWith('app-')) ?? '',
      );
    await until(() => readdirSync(work()).includes('again') && !readdirSync(work()).includes('copy.db'));
    await until(() => !scene.processes().some(({ command }) => /^(zstd|tee|sha256sum)/.test(command)));
    fill(spare);
    action.kill('SIGCONT');
    const result = await action.result();
    refused(result, 'E_NOSPACE');
    expect(result.outputs['backup-id']).toBe('');
    await intact();
    await worksAgain();
  });

  test('no inode for the copy', async () => {
    const action = await beforeTheCopy(() => {
      mkdirSync(filler());
      try {
        for (let n = 0; ; n += 1) writeFileSync(join(filler(), String(n)), '');
      } catch {
        // ENOSPC
      }
    });
    refused(await action.result(), 'E_NOSPACE');
    await intact();
    await worksAgain();
  });
});
