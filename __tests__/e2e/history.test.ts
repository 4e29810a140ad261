import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, SeededDirectory } from '../helpers/seed.js';

let scene: Scene;
let count = 0;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
});
afterAll(() => scene.stop());

/** A directory with a history that may be looked at. */
class History extends SeededDirectory {
  readonly file = join(this.path, 'history.jsonl');

  run(inputs: Record<string, string> = {}) {
    return scene.run({ directory: this.path, ...inputs });
  }
  get text(): string {
    return readFileSync(this.file, 'utf8');
  }
  get told(): unknown[] {
    return this.text
      .trimEnd()
      .split('\n')
      .map((line) => {
        const { command, result, backup, deletedIds } = JSON.parse(line) as Record<string, unknown>;
        return [command, result, backup, ...(deletedIds as string[])];
      });
  }
}
const fresh = () => new History(scene, join(scene.user.home, `backups-${++count}`));

test('each run that changed something, or tried to, has its one line; no other run has one', async () => {
  const dir = fresh();
  const [young, old] = [dir.backup(daysAgo(1)), dir.backup(daysAgo(2))];
  for (const inputs of [
    { command: 'list' },
    { command: 'health' },
    { 'dry-run': 'true' },
    { command: 'prune', 'dry-run': 'true' },
  ]) {
    await dir.run(inputs);
  }
  expect(dir.names()).not.toContain('history.jsonl');
  const made = expectBackup(await dir.run({ keep: '2', 'keep-made-under': 'false' }));
  expectFailure(await dir.run({ database: '/srv/not/there.db', name: 'app' }), 'E_SOURCE_MISSING');
  await dir.run({ command: 'verify', backup: young });
  await dir.run({ command: 'pin', backup: made, pin: 'why' });
  await dir.run({ command: 'delete', backup: young });
  await dir.run({ command: 'restore', confirm: 'app.db' });
  await dir.run({ command: 'prune', history: 'false' });
  expect(dir.told).toEqual([
    ['backup', 'ok', made, old],
    ['backup', 'E_SOURCE_MISSING', null],
    ['verify', 'E_CHECKSUM', young],
    ['pin', 'ok', made],
    ['delete', 'ok', young, young],
    ['restore', 'ok', made],
  ]);
  expect((statSync(dir.file).mode & 0o777).toString(8)).toBe('600');
  const list = await dir.run({ command: 'list' });
  const { history } = reportOf(list);
  expect(history.map(({ command }) => command)).toEqual(['restore', 'delete', 'pin', 'verify', 'backup', 'backup']);
  expect(history[0]).toMatchObject({
    restore: { outcome: 'restored', safety: expect.stringMatching(/^app-/) },
    by: { actor: 'octocat', url: 'https://github.com/owner/repo/actions/runs/1' },
  });
  expect(list.summary).toContain('<summary>The latest runs that changed something</summary>');
  await nothingLeft(scene);
});

test('runs that wait for each other, and one that does not get the lock, have a line each', async () => {
  const dir = fresh();
  const results = await Promise.all(Array.from({ length: 4 }, () => dir.run({ 'lock-wait': '2m' })));
  const ids = results.map(expectBackup);
  expect(dir.told.map((line) => (line as string[])[2]).sort()).toEqual(ids.sort());
  // the lock of somebody else
  const holder = spawn('flock', [join(dir.path, '.work', 'lock'), 'sh', '-c', 'echo held; read -r _'], {
    stdio: 'pipe',
  });
  await once(holder.stdout, 'data');
  expectFailure(await dir.run({ 'lock-wait': '1s' }), 'E_LOCKED');
  holder.stdin.end('\n');
  expect(dir.told.at(-1)).toEqual(['backup', 'E_LOCKED', null]);
});

test('it is rotated at 5 MB, and one old one is kept', async () => {
  const dir = fresh();
  const filling = `${'x'.repeat(99)}\n`.repeat(50_000);
  dir.write('history.jsonl', filling);
  dir.write('history.1.jsonl', 'older\n');
  expectBackup(await dir.run());
  expect(readFileSync(join(dir.path, 'history.1.jsonl'), 'utf8')).toBe(filling);
  expect(dir.told).toHaveLength(1);
  expectBackup(await dir.run());
  expect(dir.told).toHaveLength(2);
  // what was told before the rotation is still shown
  rmSync(join(dir.path, 'history.1.jsonl'));
  dir.write('history.1.jsonl', dir.text);
  dir.write('history.jsonl', '');
  chownSync(dir.file, scene.user.uid, scene.user.gid);
  expect(reportOf(await dir.run({ command: 'list' })).history).toHaveLength(2);
});

test('after a line that was cut off a new one begins, and what others wrote there does no harm', async () => {
  const dir = fresh();
  expectBackup(await dir.run());
  const [whole = ''] = dir.text.split('\n');
  const hostile = `{"at":1}\n##[error]x\n::error::x\n\u0000\u001b[2J\n${'y'.repeat(70_000)}\n${whole}\n`;
  appendFileSync(dir.file, hostile + whole.slice(0, 50));
  expectBackup(await dir.run());
  expect(dir.text.slice(whole.length + 1)).toMatch(
    new RegExp(`\\n${whole.slice(0, 50).replace(/[{["]/g, '.')}\\n\\{"at":.*\\}\\n$`),
  );
  appendFileSync(dir.file, 'ends in a blank ');
  expectBackup(await dir.run());
  expect(dir.text).toMatch(/\nends in a blank \n\{"at":.*\}\n$/);
  const list = await dir.run({ command: 'list' });
  expect(reportOf(list).history).toHaveLength(3);
  expect(list.visible).not.toMatch(/##\[error\]x|^::error::x/m);
});

test.each<[string, (file: string, other: string) => void]>([
  ['a symbolic link', (file, other) => symlinkSync(other, file)],
  ['a folder', (file) => mkdirSync(file)],
])('it is not written through %s, which takes nothing from the backup', async (_kind, make) => {
  for (const name of ['history.jsonl', 'history.1.jsonl']) {
    const dir = fresh();
    const other = join(scene.user.home, `other-${count}`);
    writeFileSync(other, 'as it was');
    chownSync(other, scene.user.uid, scene.user.gid);
    make(join(dir.path, name), other);
    const result = await dir.run();
    expectBackup(result);
    expect(result.visible).toContain(`${dir.path}/${name} is not a regular file, so the history was not written`);
    expect(readFileSync(other, 'utf8')).toBe('as it was');
    expect(reportOf(await dir.run({ command: 'list' })).history).toEqual([]);
  }
});
