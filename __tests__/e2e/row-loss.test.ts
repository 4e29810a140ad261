import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { SeededDirectory } from '../helpers/seed.js';

// DELETE and DROP TABLE never shrink a SQLite file.

let scene: Scene;
let s3: S3Double;
let directory: SeededDirectory;
let count = 0;
beforeAll(async () => {
  [scene, s3] = await Promise.all([startScene({ transport: 'local' }), startS3Double()]);
});
afterAll(async () => {
  await scene.stop();
  await s3.stop();
});
beforeEach(() => {
  directory = new SeededDirectory(scene, join(scene.user.home, `rows-${++count}`));
  sql('DROP TABLE IF EXISTS users; DROP TABLE IF EXISTS sessions; DROP TABLE IF EXISTS news');
  sql('CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE sessions (id INTEGER PRIMARY KEY)');
  fill('users', 200);
  fill('sessions', 25);
});

const sql = (text: string) =>
  execFileSync('su', [scene.user.name, '-s', '/bin/sh', '-c', 'sqlite3 -batch "$0"', scene.database], { input: text });
const fill = (table: string, rows: number) =>
  sql(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO ${table} SELECT NULL FROM n`,
  );
const run = (inputs: Record<string, string> = {}) => scene.run({ directory: directory.path, keep: '1', ...inputs });
const REASON = 'before a loss of rows';

test('a loss is told with both numbers, and the backup that has the rows is pinned; the summary has every change', async () => {
  const before = expectBackup(await run());
  sql('DELETE FROM users; DROP TABLE sessions; CREATE TABLE news (id INTEGER PRIMARY KEY)');
  const result = await run();
  const after = expectBackup(result);
  const said = `rows were lost since ${before}: the table "sessions" with 25 rows is gone; the table "users" has 0 rows, down from 200 rows`;
  expect(result.annotations).toMatchObject([{ level: 'warning', message: expect.stringContaining(said) }]);
  expect(result.visible).toContain(`${before} is pinned`);
  expect(directory.manifest(before).pinned).toMatchObject({ reason: REASON });
  expect(reportOf(result).retention).toEqual([
    { id: after, keep: true, reasons: ['last 1 of 1'] },
    { id: before, keep: true, reasons: [`pinned: ${REASON}`] },
  ]);
  expect(reportOf(result).changes).toEqual({
    since: before,
    tables: [
      { name: 'sessions', change: 'gone', before: 25, after: null },
      { name: 'users', change: 'fewer', before: 200, after: 0 },
      { name: 'news', change: 'new', before: null, after: 0 },
    ],
  });
  expect(result.summary).toContain(`### Changed since the previous backup\n\nSince \`${before}\``);
  expect(result.summary).toMatch(/\| `users` \| fewer rows \| 200 \| 0 \|/);

  // said once: what follows is held against the new one
  const next = await run();
  expect(expectBackup(next)).not.toBe(after);
  expect(next.annotations).toEqual([]);
  expect(directory.names().filter((name) => name.startsWith(before))).toHaveLength(3);
});

test('the newest three of these pins are kept, and none that a person has set', async () => {
  const first = expectBackup(await run());
  expect(await run({ command: 'pin', backup: first, pin: 'mine' })).toMatchObject({ code: 0 });
  const lost: string[] = [];
  for (let nth = 0; nth < 4; nth++) {
    sql('DELETE FROM users');
    lost.push(expectBackup(await run({ 'keep-made-under': 'false' })));
    fill('users', 200);
    lost.push(expectBackup(await run({ 'keep-made-under': 'false' })));
  }
  const { backups } = reportOf(await run({ command: 'list' }));
  expect(Object.fromEntries(backups.map(({ id, pinned }) => [id, pinned]))).toEqual({
    [first]: 'mine',
    ...Object.fromEntries([1, 3, 5].map((at) => [lost[at], REASON])),
    [lost[7] ?? '']: null,
  });
});

test('on-row-loss: fail keeps the alarm until somebody answers it', async () => {
  const good = expectBackup(await run());
  sql('DELETE FROM users');
  const fail = { 'on-row-loss': 'fail' };
  for (let nth = 0; nth < 2; nth++) {
    const result = await run(fail);
    expectFailure(
      result,
      'E_SHRUNK',
      'the table "users" has 0 rows, down from 200 rows',
      'marked as suspect',
      '`row-loss-limit: none`',
    );
    expect(reportOf(result).backup).toMatchObject({ state: 'suspect' });
    expect(directory.names()).toContain(`${good}.json`);
  }
  expect(directory.manifest(good).pinned).toBeNull();
  const accepted = expectBackup(await run({ ...fail, 'row-loss-limit': 'none' }));
  expect(directory.manifest(accepted).accepted).toMatchObject({ by: 'row-loss-limit: none' });
  expect(directory.names()).not.toContain(`${good}.json`);
  expectBackup(await run(fail));
});

test('what goes is told by the compressed size as well, in a file that is as large as before', async () => {
  const good = expectBackup(await run());
  sql('CREATE TABLE kept AS SELECT * FROM blobs; DELETE FROM blobs');
  try {
    // doubled first, so that the pages that are free then are those of the old table
    sql('DELETE FROM kept');
    const result = await run();
    expectFailure(result, 'E_SHRUNK', 'the backup has', 'less than 50 % of', 'marked as suspect');
    expect(directory.names()).toContain(`${good}.json`);
    // who says that the size is right is not asked about the rows again
    const answered = await run({ 'shrink-limit': 'none' });
    expectBackup(answered);
    expect(answered.annotations).toEqual([]);
    expect(directory.names()).not.toContain(`${good}.json`);
  } finally {
    sql('DROP TABLE kept');
  }
});

test('by what the store has, where the host has lost its own', async () => {
  const before = expectBackup(await scene.run({ ...s3.inputs, directory: directory.path }));
  sql('DELETE FROM users');
  const elsewhere = join(scene.user.home, 'rows-new');
  const result = await scene.run({ ...s3.inputs, directory: elsewhere });
  expectBackup(result);
  expect(result.visible).toContain(`rows were lost since ${before}`);
  expect(result.visible).toContain(`${before} exists only in the bucket`);
});
