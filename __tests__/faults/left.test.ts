import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Left } from '../../src/left.js';
import { sqlite3, until } from '../helpers/outcome.js';
import { listProcesses } from '../helpers/processes.js';
import type { ActionResult } from '../helpers/run-action.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, SeededDirectory } from '../helpers/seed.js';
import { SeededStore } from '../helpers/seeded-store.js';
import { type SlowTools, slowTools } from '../helpers/slow-tools.js';
import { unmount } from '../helpers/unmount.js';

// A failure that comes while something is being changed must not say that it was not.

let scene: Scene;
let slow: SlowTools;
let s3: S3Double;
beforeAll(async () => {
  slow = slowTools(['sync', 'rm']);
  [scene, s3] = await Promise.all([startScene({ sshd: { extraConfig: slow.config } }), startS3Double({ page: 3 })]);
});
beforeEach(() => {
  slow.fast();
  rmSync(scene.directory, { recursive: true, force: true });
  s3.clear();
});
afterAll(async () => {
  await Promise.all([scene.stop(), s3.stop()]);
  slow.remove();
});

const left = (result: ActionResult): Left | undefined => reportOf(result).error?.left;

/** The link is lost: every sshd of the login user is gone. */
function cut(): void {
  for (const { pid, command } of listProcesses()) {
    if (/sshd/.test(command) && command.includes(scene.user.name)) process.kill(pid, 'SIGKILL');
  }
}

/** The shell of the job that runs `rm` or `sync` now. */
async function jobOf(tool: RegExp): Promise<number> {
  const running = () => scene.processes().find(({ command }) => tool.test(command));
  await until(() => running() !== undefined);
  return running()?.ppid ?? Number.NaN;
}

function seed(count: number): string[] {
  const directory = new SeededDirectory(scene);
  return Array.from({ length: count }, (_, day) => directory.backup(daysAgo(day + 1)));
}

describe('while older ones are deleted', () => {
  test.each([
    ['the link is lost', () => cut()],
    ['the job on the host is ended', (job: number) => process.kill(job, 'SIGTERM')],
  ])('%s: a backup', async (_, end) => {
    seed(6);
    const action = scene.start({ keep: '2', 'max-delete': '100' });
    await action.line(/Publish and rotate/);
    slow.delay('rm', 3);
    end(await jobOf(/\/rm -f -- app-/));
    expect(left(await action.result())).toBe('backup-rotating');
  });

  test('the job on the host is ended: prune', async () => {
    seed(6);
    slow.delay('rm', 2);
    const action = scene.start({ command: 'prune', keep: '2' });
    process.kill(await jobOf(/\/rm -f -- app-/), 'SIGTERM');
    expect(left(await action.result())).toBe('changed-in-part');
  });

  test('one can not be deleted, with a store', async () => {
    const [newest = ''] = seed(3);
    const file = join(scene.directory, `${newest}.json`);
    execFileSync('mount', ['--bind', file, file]);
    try {
      const result = await scene.run({ ...s3.inputs, keep: '1', 's3-keep': 'none' });
      expect([result.outputs['error-code'], left(result)]).toEqual(['E_ROTATE', 'backup-rotating']);
      expect(reportOf(result).deleted).toBeGreaterThan(0);
    } finally {
      await unmount(file);
    }
  });

  test('a copy can not be deleted', async () => {
    const store = new SeededStore(scene, s3);
    const [, , third] = [1, 2, 3, 4].map((days) => store.copy(daysAgo(days)));
    s3.fail(({ method, key }) => method === 'DELETE' && key.endsWith(`${third}.sqlite.zst`), {
      status: 403,
      code: 'AccessDenied',
    });
    const result = await scene.run({ ...s3.inputs, keep: '50', 's3-keep': '1' });
    expect([result.outputs['error-code'], left(result)]).toEqual(['E_ROTATE', 'backup-rotating']);
  });
});

test('while a manifest is written: it is pinned, whatever became of the job', async () => {
  const [id = ''] = seed(1);
  slow.delay('sync', 3);
  const action = scene.start({ command: 'pin', backup: id, pin: 'because' });
  await until(() => scene.manifest(id).pinned !== null);
  process.kill(await jobOf(/\/sync /), 'SIGTERM');
  expect(left(await action.result())).toBe('changed-in-part');
});

test('while a proof is recorded', async () => {
  const id = (await scene.run()).outputs['backup-id'] ?? '';
  const before = scene.manifest(id).verified.at;
  slow.delay('sync', 4);
  const action = scene.start({ command: 'verify', backup: id, verify: 'restore' });
  await until(() => scene.manifest(id).verified.at !== before);
  cut();
  expect(left(await action.result())).toBe('changed-in-part');
});

test('while a restore goes back: the old state is live, and no lines are told that would overwrite it', async () => {
  const id = (await scene.run()).outputs['backup-id'] ?? '';
  sqlite3(scene.database, 'CREATE TABLE later (x); INSERT INTO later VALUES (1)');
  const isBack = () => {
    try {
      return sqlite3(scene.database, "SELECT count(*) FROM sqlite_master WHERE name = 'later'").trim() === '1';
    } catch {
      return false; // it is locked
    }
  };
  const action = scene.start({ command: 'restore', backup: id, confirm: 'app.db', 'check-command': 'exit 1' });
  await action.line(/rolling back/);
  slow.delay('sync', 2);
  // not more often: who reads it all the time keeps the restore from it
  for (let tries = 0; tries < 100 && !isBack(); tries++) await sleep(300);
  cut();
  await action.main;
  slow.fast();
  const result = await action.result();
  expect([result.outputs['error-code'], left(result)]).toEqual(['E_REMOTE_LOST', 'database-unknown']);
  expect(reportOf(result).recovery).toEqual([]);
  expect(isBack()).toBe(true);
});

test('a dry run that finds one young enough copies nothing', async () => {
  await scene.run();
  const result = await scene.run({ ...s3.inputs, 'dry-run': 'true', 'skip-if-younger-than': '1d' });
  expect([result.code, s3.keys()]).toEqual([0, []]);
  expect(result.visible).toContain('would copy it to s3://');
});
