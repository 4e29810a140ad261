import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { leftAfter, processesMentioning } from '../helpers/processes.js';
import { type ActionResult, startAction } from '../helpers/run-action.js';
import { reportOf } from '../helpers/scene.js';
import { checkInvariant, createDatabase, restorePayload } from '../helpers/sqlite.js';

let folder: string;
let directory: string;
let temp: string;
let database: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-local-'));
  directory = join(folder, 'back ups');
  temp = join(folder, 'temp');
  mkdirSync(temp);
  database = join(folder, "app's.db");
  await createDatabase(database, { mb: 1 });
});
afterAll(() => rmSync(folder, { recursive: true }));

const start = (inputs: Record<string, string> = {}) =>
  startAction({ transport: 'local', database, directory, name: 'app', ...inputs }, { env: { RUNNER_TEMP: temp } });
const run = (inputs?: Record<string, string>): Promise<ActionResult> => start(inputs).result();

const backups = () =>
  existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => name !== '.work')
        .sort()
    : [];
const leftovers = () => readdirSync(join(directory, '.work')).filter((name) => !['lock', 'holder'].includes(name));
/** Shells and tools of ours, which work in the backup directory; not the action, nor who holds the database's lock. */
const working = () =>
  processesMentioning(directory).filter(({ command }) => !/dist\/index\.js|^sqlite3.*-bail/.test(command));

async function middleOf(inputs: Record<string, string>) {
  const running = start({ 'lock-wait': '10m', ...inputs });
  await running.line(/logged in as/);
  for (const end = Date.now() + 15_000; !processesMentioning(join(directory, '.work')).length; ) {
    if (Date.now() > end) throw new Error('the copy did not begin');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return running;
}

test('a backup and its list, without any input of ssh', async () => {
  const result = await run();
  const id = expectBackup(result);
  expect(result.annotations).toEqual([]);
  expect(backups()).toEqual([`${id}.json`, `${id}.sqlite.zst`, `${id}.sqlite.zst.sha256`, 'status.json']);
  execFileSync('sha256sum', ['-c', `${id}.sqlite.zst.sha256`], { cwd: directory });
  await restorePayload(join(directory, `${id}.sqlite.zst`), join(folder, 'restored.db'));
  await checkInvariant(join(folder, 'restored.db'));
  expect(reportOf(result).host).toBe('this machine');
  // What the program on the host says is for us alone, not for the log.
  expect(result.log).not.toMatch(/@[0-9a-f]{32}/);

  const list = await run({ command: 'list' });
  expect(list.code).toBe(0);
  expect(reportOf(list).backups.map((backup) => backup.id)).toEqual([id]);
  expect(await leftAfter(working, 15_000)).toEqual([]);
  expect(readdirSync(temp)).toEqual([]);
});

test('a failure there is told like any other', async () => {
  expectFailure(await run({ database: join(folder, 'missing.db') }), 'E_SOURCE_MISSING', 'missing.db');
  expect(existsSync(join(folder, 'missing.db'))).toBe(false);
  expect(readdirSync(temp)).toEqual([]);
});

test('the lock holds against a second run; SIGTERM ends the first one whole', async () => {
  const before = backups().filter((name) => name !== 'status.json');
  const unlock = (await holdLock(database, EXCLUSIVE)).release;
  const first = await middleOf({});

  const second = await run({ 'lock-wait': '1s' });
  expectFailure(second, 'E_LOCKED', 'another run holds the lock', 'https://github.com/owner/repo/actions/runs/1');

  first.kill('SIGTERM');
  const result = await first.result();
  expectFailure(result, 'E_CANCELLED', 'SIGTERM');
  expect(await leftAfter(working, 15_000)).toEqual([]);
  expect(leftovers()).toEqual([]);
  expect(backups().filter((name) => name !== 'status.json')).toEqual(before);
  expect(readdirSync(temp)).toEqual([]);
  await unlock();

  expectBackup(await run({ 'lock-wait': '1s' }));
});

test('SIGKILL of the action: the shell sees its requests end, and cleans up by itself', async () => {
  const unlock = (await holdLock(database, EXCLUSIVE)).release;
  const running = await middleOf({});
  running.kill('SIGKILL');
  expect((await running.main).signal).toBe('SIGKILL');
  expect(await leftAfter(working, 15_000)).toEqual([]);
  expect(leftovers()).toEqual([]);
  const { steps } = await running.result();
  expect(steps.post?.code).toBe(0);
  await unlock();
  expectBackup(await run({ 'lock-wait': '1s' }));
});
