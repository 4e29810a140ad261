import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { samplesIn } from '../helpers/promtool.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, SeededDirectory } from '../helpers/seed.js';

let scene: Scene;
let folder: string;
let count = 0;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
  folder = join(scene.user.home, 'textfiles');
  mkdirSync(folder);
  chownSync(folder, scene.user.uid, scene.user.gid);
});
afterAll(() => scene.stop());

const fresh = () => new SeededDirectory(scene, join(scene.user.home, `backups-${++count}`));
/** By name alone. */
const metricsIn = (file: string): Record<string, number> =>
  Object.fromEntries(
    Object.entries(samplesIn(readFileSync(file, 'utf8'))).map(([name, value]) => [
      name.replace('{target="app",engine="sqlite"', '').replace(/^db_backup_|\}$/g, ''),
      value,
    ]),
  );

test('each run that says so writes what it and the backups are', async () => {
  const dir = fresh();
  const file = join(folder, 'app.prom');
  const run = (inputs: Record<string, string> = {}) =>
    scene.run({ directory: dir.path, 'metrics-file': 'textfiles/app.prom', ...inputs });
  await run({ 'dry-run': 'true' });
  expect(readdirSync(folder)).toEqual([]);

  // before there is a good backup there is no time of one
  dir.backup(daysAgo(3), { manifest: { verified: { level: 'none', at: '2026-01-01T00:00:00Z' } } });
  expectFailure(await run({ database: '/srv/not/there.db', name: 'app' }), 'E_SOURCE_MISSING');
  expect(metricsIn(file)).toEqual({ last_run_timestamp_seconds: expect.any(Number), healthy: 0 });

  const good = await run({ keep: '1' });
  const { backup } = reportOf(good);
  const manifest = JSON.parse(readFileSync(join(dir.path, `${expectBackup(good)}.json`), 'utf8')) as Manifest;
  const ofGood = metricsIn(file);
  expect(ofGood).toEqual({
    ...{ last_run_timestamp_seconds: expect.any(Number), healthy: 1, backups: 2 },
    last_success_timestamp_seconds: Date.parse(manifest.createdAt) / 1000,
    ...{ last_size_bytes: manifest.bytes, database_bytes: manifest.databaseBytes },
    ...{ last_duration_seconds: manifest.durationMs / 1000, rows: backup?.rows },
  });
  expect(ofGood.rows).toBeGreaterThan(0);
  const { mode, uid } = statSync(file);
  expect([(mode & 0o777).toString(8), uid]).toEqual(['644', scene.user.uid]);

  // one that does not get as far as the catalogue leaves what is known of the backups
  expectFailure(await run({ database: '/srv/not/there.db', name: 'app' }), 'E_SOURCE_MISSING');
  const after = metricsIn(file);
  expect(after).toEqual({ ...ofGood, healthy: 0, last_run_timestamp_seconds: after.last_run_timestamp_seconds });

  await run({ command: 'verify', verify: 'restore' });
  expect(metricsIn(file)).toEqual({
    ...{ ...ofGood, last_run_timestamp_seconds: expect.any(Number) },
    'last_proof_timestamp_seconds,level="restore"': expect.any(Number),
    'last_proof_duration_seconds,level="restore"': expect.any(Number),
  });
  await run({ command: 'restore', confirm: 'app.db' });
  expect(metricsIn(file)).toMatchObject({ healthy: 1, backups: 3 });
  await run({ command: 'prune', keep: '1', 'keep-made-under': 'false' });
  expect(metricsIn(file)).toMatchObject({ healthy: 1 });
  expect(readdirSync(folder)).toEqual(['app.prom']);
  await nothingLeft(scene);
});

test.each<[string, (file: string) => void, string]>([
  [
    'a file of somebody else',
    (file) => writeFileSync(file, 'node_x 1\n'),
    'its content was not written by this action',
  ],
  [
    'a file that can not be read',
    (file) => writeFileSync(file, '# HELP db_backup_x\n', { mode: 0o600 }),
    'not written by this action',
  ],
  ['a folder', (file) => mkdirSync(file), 'it is not a regular file'],
  [
    'a symbolic link',
    (file) => {
      writeFileSync(`${file}.other`, '');
      chownSync(`${file}.other`, scene.user.uid, scene.user.gid);
      symlinkSync(`${file}.other`, file);
    },
    'it is not a regular file',
  ],
])('%s is left as it is, with a warning', async (_kind, make, why) => {
  const file = join(folder, `${++count}.prom`);
  make(file);
  const before = readdirSync(folder);
  const was = statSync(file).isFile() ? readFileSync(file, 'utf8') : '';
  const result = await scene.run({ 'metrics-file': file });
  expectBackup(result);
  expect(reportOf(result).problems.map(({ message }) => message)).toEqual([
    expect.stringContaining(`the metrics were not written to ${file}: `),
  ]);
  expect(result.visible).toContain(why);
  expect(readdirSync(folder)).toEqual(before);
  if (statSync(file).isFile()) expect(readFileSync(file, 'utf8')).toBe(was);
});

test('a folder that is not there, or is not ours to write, is a warning; an empty file is ours', async () => {
  for (const file of [join(folder, 'not/there.prom'), '/etc/db-backup.prom']) {
    const result = await scene.run({ 'metrics-file': file });
    expectBackup(result);
    expect(result.visible).toMatch(
      new RegExp(`the metrics were not written to ${file}: mktemp: .*(No such file|denied)`),
    );
  }
  const empty = join(folder, 'empty.prom');
  writeFileSync(empty, '');
  chownSync(empty, scene.user.uid, scene.user.gid);
  expectBackup(await scene.run({ 'metrics-file': empty }));
  expect(metricsIn(empty)).toMatchObject({ healthy: 1 });
  rmSync(empty);
});
