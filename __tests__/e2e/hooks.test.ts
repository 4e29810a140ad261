import { existsSync, lchownSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { leftOnHost } from '../helpers/invariants.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { nothingLeft, restored, sqlite3 } from '../helpers/outcome.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

let scene: Scene;
let said: string;
beforeAll(async () => {
  scene = await startScene({ transport: 'local', wal: false });
  said = join(scene.user.home, 'said');
});
afterAll(() => scene.stop());
beforeEach(() => {
  rmSync(said, { force: true });
});

/** What the commands have noted, in their order. */
const noted = (): string[] => (existsSync(said) ? readFileSync(said, 'utf8').trimEnd().split('\n') : []);
const HOOKS = { 'before-command': 'echo before >>said', 'after-command': 'echo after >>said' };
const NOTED = ['before', 'after'];
const AFTER =
  /^after-command ended with status 3; its last output: gone: the application may still be in maintenance mode$/;

/** As root, on what belongs to the login user. */
function live(...statements: string[]): string {
  return sqlite3(scene.database, ...statements).trim();
}

test('they are run around the dump, as the login user in its home, before anything is published', async () => {
  const add = (word: string) => `sqlite3 '${scene.database}' "INSERT INTO hooked VALUES ('${word}')"`;
  live('CREATE TABLE hooked (word)');
  const result = await scene.run({
    'before-command': `${add('before')}\nset -e; echo "$(id -un) $(pwd)"; flock -n db-backups/.work/lock true || echo locked`,
    'after-command': `${add('after')}\nls db-backups | grep -c '^app-' || true`,
  });
  const id = expectBackup(result);
  const rows = await restored(scene, id, (path) => sqlite3(path, 'SELECT word FROM hooked').trim());
  expect([rows, live('SELECT word FROM hooked')]).toEqual(['before', 'before\nafter']);
  const { name, home } = scene.user;
  const lines = ['running before-command', `  ${name} ${home}`, '  locked', 'running after-command', '  0'];
  const log = result.visible.split('\n');
  expect(log.filter((line) => lines.includes(line))).toEqual(lines);
  // before the proof
  expect(log.findIndex((line) => line.startsWith('read back: '))).toBeGreaterThan(log.indexOf('  0'));
  live('DROP TABLE hooked');
  await nothingLeft(scene);
});

test('the one after the dump may stand alone, and so may the one before', async () => {
  for (const [input, word] of [
    ['before-command', 'before'],
    ['after-command', 'after'],
  ] as const) {
    rmSync(said, { force: true });
    expectBackup(await scene.run({ [input]: HOOKS[input] }));
    expect(noted()).toEqual([word]);
  }
  await nothingLeft(scene);
});

test('before-command fails: there is no backup, and after-command is run all the same', async () => {
  const before = scene.files();
  const result = await scene.run({ ...HOOKS, 'before-command': 'echo before >>said; echo no; exit 7' });
  expectFailure(result, 'E_HOOK', 'before-command ended with status 7; its last output: no.', 'Nothing was kept');
  expect(noted()).toEqual(NOTED);
  expect(scene.files()).toEqual(before);
  await nothingLeft(scene);

  const both = await scene.run({ 'before-command': 'exit 7', 'after-command': 'echo gone; exit 3' });
  expect(both.annotations.map(({ message }) => message)).toContainEqual(expect.stringMatching(AFTER));
  expect([both.outputs['error-code'], both.outputs['backup-ok']]).toEqual(['E_HOOK', 'false']);
  expect(reportOf(both).problems.map(({ code, message }) => [code, message])).toEqual([
    ['E_HOOK', expect.stringMatching(AFTER)],
    ['E_HOOK', 'before-command ended with status 7, without any output'],
  ]);
  await nothingLeft(scene);
});

test('one that takes too long is ended, with what it has started', async () => {
  const result = await scene.run({ ...HOOKS, 'before-command': 'sleep 61 & sleep 62', 'command-timeout': '1s' });
  expectFailure(result, 'E_HOOK', 'before-command did not end within 1 s (command-timeout), and was stopped');
  expect(noted()).toEqual(['after']);
  await nothingLeft(scene);
});

test('after-command fails: the backup stays, rotates, and opens no gate', async () => {
  const old = expectBackup(await scene.run({}));
  const result = await scene.run({
    ...{ ...HOOKS, keep: '1', 'keep-made-under': 'false', 'max-delete': '9' },
    'after-command': 'echo gone; exit 3',
  });
  const message = expectFailure(
    result,
    'E_HOOK',
    'the application may still be in maintenance mode',
    'See its output in the log',
  );
  expect(message).toContain('after-command ended with status 3; its last output: gone');
  const id = result.outputs['backup-id'] ?? '';
  expect(scene.manifest(id)).toMatchObject({ verified: { level: 'content' } });
  expect(scene.files()).not.toContain(`${old}.json`);
  const [line] = readFileSync(join(scene.directory, 'history.jsonl'), 'utf8').trimEnd().split('\n').slice(-1);
  expect(JSON.parse(line ?? '')).toMatchObject({ result: 'E_HOOK', backup: id });
  expect(JSON.parse(readFileSync(join(scene.directory, 'status.json'), 'utf8'))).toMatchObject({
    ...{ ok: false, errorCode: 'E_HOOK', backup: { id } },
  });
  expect(result.summary).toContain('Backup of `app` was made, but the run failed: E_HOOK');
  await nothingLeft(scene);
});

test('the dump fails, or what it gave is no good: after-command is run once, and what failed is what is told', async () => {
  const holder = await holdLock(scene.database, EXCLUSIVE);
  const busy = await scene.run({ ...HOOKS, 'lock-wait': '1s' });
  await holder.release();
  expectFailure(busy, 'E_BUSY');
  expect(noted()).toEqual(NOTED);

  rmSync(said);
  const wrong = await scene.run({
    ...HOOKS,
    verify: 'restore',
    assert: 'SELECT 0',
    'after-command': 'echo after >>said; echo gone; exit 3',
  });
  expect(wrong.outputs['error-code']).toBe('E_ASSERT');
  expect(wrong.annotations.map(({ message }) => message)).toContainEqual(expect.stringMatching(AFTER));
  expect(noted()).toEqual(NOTED);
  await nothingLeft(scene);
});

test('what takes no backup runs none of them: a refusal before the dump, a young one, a dry run, which shows them', async () => {
  expectFailure(await scene.run({ ...HOOKS, database: '/srv/not/there.db', name: 'app' }), 'E_SOURCE_MISSING');
  expectBackup(await scene.run());
  expectBackup(await scene.run({ ...HOOKS, 'skip-if-younger-than': '1h' }));
  const dry = await scene.run({ ...HOOKS, 'dry-run': 'true' });
  expect(reportOf(dry).checked.filter(({ what }) => what.endsWith('-command'))).toEqual([
    { what: 'before-command', found: 'would run: echo before >>said' },
    { what: 'after-command', found: 'would run: echo after >>said' },
  ]);
  const restore = await scene.run({ ...HOOKS, command: 'restore', confirm: 'app.db' });
  expect(restore.outputs['restore-outcome']).toBe('restored');
  expect(restore.outputs['safety-backup-id']).toMatch(/^app-/);
  expect(noted()).toEqual([]);
  await nothingLeft(scene);
});

/** What a backup has left in `.work`, as the login user's. */
function leave(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(scene.directory, '.work', name);
    mkdirSync(join(path, '..'), { recursive: true });
    if (name.endsWith('/status')) symlinkSync(text, path);
    else writeFileSync(path, text);
    for (const one of [path, join(path, '..')]) lchownSync(one, scene.user.uid, scene.user.gid);
  }
}
const LEFT = 'hook.shop-20261120T101500Z-7f3a';

test('after a crash of the host the next run that takes the lock runs it first, and says so', async () => {
  const told = 'the after-command of a backup that was cut off (shop-20261120T101500Z-7f3a)';
  leave({ [LEFT]: '# 600\necho left >>said', 'after-x-20261101T000000Z-abcd/payload': 'of a run that was cut off' });
  const backup = await scene.run(HOOKS);
  expectBackup(backup);
  expect(noted()).toEqual(['left', ...NOTED]);
  expect(reportOf(backup).problems.map(({ message }) => message)).toEqual([
    `${told} had not been run, and was run first`,
  ]);

  rmSync(said);
  leave({ [LEFT]: '# 1\necho left >>said; sleep 63' });
  const prune = await scene.run({ command: 'prune' });
  expect(prune.code).toBe(0);
  expect(noted()).toEqual(['left']);
  expect(prune.visible).toContain(`${told} had not been run, and was run first, and ended with status 143`);
  expect(prune.visible).toContain('The application may still be in maintenance mode');
  expect(await leftOnHost(scene)).toEqual([]);
});

test.each([
  ['ended well', { status: '0 ', said: '' }, null],
  [
    'ended badly',
    { status: '4 ', said: 'oh\n' },
    'was run by itself, and ended with status 4. The application may still',
  ],
  [
    'was cut off by a crash',
    { command: 'x', process: '1 1 boot\n' },
    'was run by itself, and did not finish. The application may still',
  ],
])('one that %s is not run again', async (_how, files, says) => {
  leave({ ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`${LEFT}.d/${name}`, text])) });
  const result = await scene.run({ command: 'prune' });
  expect(result.code).toBe(0);
  const problems = reportOf(result).problems.map(({ message }) => message);
  expect(problems).toEqual(says === null ? [] : [expect.stringContaining(says)]);
  expect(await leftOnHost(scene)).toEqual([]);
});
