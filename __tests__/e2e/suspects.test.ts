import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, listing, SeededDirectory } from '../helpers/seed.js';
import { SeededStore } from '../helpers/seeded-store.js';

// An alarm holds for as long as nobody has said that the change is right.

let scene: Scene;
let count = 0;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
});
afterAll(() => scene.stop());

const fresh = () => new SeededDirectory(scene, join(scene.user.home, `suspects-${++count}`));
const LARGE = { databaseBytes: 100_000_000 };
/** A command that did its work: green, and the gate closed all the same. */
const DONE = { code: 0, outputs: { 'error-code': '', 'backup-ok': 'false' } };
const SUSPECT: Partial<Manifest> = {
  state: 'suspect',
  suspicion: { limit: 'shrink-limit', why: 'the database has 1.0 MiB, less than before' },
};

describe('five good backups, then the data is lost', () => {
  let dir: SeededDirectory;
  let good: string[];
  const suspects: string[] = [];
  const run = (inputs: Record<string, string> = {}) => scene.run({ directory: dir.path, keep: '5', ...inputs });
  const states = (result: Parameters<typeof reportOf>[0]) =>
    Object.fromEntries(reportOf(result).backups.map(({ id, state }) => [id, state]));
  beforeAll(() => {
    dir = fresh();
    good = [1, 2, 3, 4, 5].map((days) => dir.backup(daysAgo(days), { manifest: LARGE }));
  });

  test('every run is red, however many there are; the newest three of the suspect ones stay, and every good one', async () => {
    for (const nth of [1, 2, 3, 4]) {
      const result = await run();
      expectFailure(
        result,
        'E_SHRUNK',
        'less than 50 % of 95.4 MiB, the median of the last 5 backups',
        'marked as suspect',
        `\`command: accept\` with \`backup: ${result.outputs['backup-id']}\``,
        '`shrink-limit: none`',
      );
      suspects.unshift(result.outputs['backup-id'] ?? '');
      const report = reportOf(result);
      expect(report.backup).toMatchObject({ id: suspects[0], state: 'suspect' });
      expect(result.outputs.deleted).toBe(nth > 3 ? '1' : '0');
      expect(states(result)).toEqual(
        Object.fromEntries([...suspects.slice(0, 3).map((id) => [id, 'suspect']), ...good.map((id) => [id, 'ok'])]),
      );
      expect(report.retention).toContainEqual({
        ...{ id: suspects[0], keep: true },
        reasons: [expect.stringMatching(/^suspect: the database has/)],
      });
    }
    expect(dir.status()).toMatchObject({ ok: false, errorCode: 'E_SHRUNK', deleted: 1 });
    await nothingLeft(scene);
  });

  test('no gate opens for a young one, and nothing else takes it for a good one', async () => {
    // the newest good one is young enough too, and the alarm is newer
    const result = await run({ 'skip-if-younger-than': '30d' });
    expectFailure(result, 'E_SHRUNK');
    expect(result.visible).toContain('a newer backup is suspect: taking another one');
    suspects.unshift(result.outputs['backup-id'] ?? '');

    const dry = { 'dry-run': 'true' };
    const restore = await run({ command: 'restore', confirm: 'app.db', ...dry });
    expect(reportOf(restore).restore?.from ?? reportOf(restore).backup?.id).toBe(good[0]);
    const verify = await run({ command: 'verify', 'max-age': '100d', ...dry });
    expect(verify).toMatchObject(DONE);
    expect(verify.visible).toContain(`would verify ${good[0]}`);
    for (const one of [restore, verify])
      expect(one.visible).toContain(`the newest ${suspects[0]}, are newer and suspect`);
    expectFailure(await run({ command: 'verify', 'max-age': '1h', ...dry }), 'E_STALE');
    // proven, it is no better a gate
    const proof = await run({ command: 'verify', backup: suspects[0] ?? '' });
    expect(proof).toMatchObject(DONE);
    expect(reportOf(proof).backup).toMatchObject({ state: 'suspect', verifiedLevel: 'content' });

    const list = await run({ command: 'list' });
    expect(list).toMatchObject(DONE);
    expect(list.visible).toContain(`${suspects[0]}  `);
    expect(list.visible).toContain('suspect: the database has');
    expect(list.summary).toMatch(new RegExp(`\`${suspects[0]}\`.*⚠️ suspect`));
    expect(list.summary).toContain('8 backups of `app`, 3 suspect');
    expect(Number(list.outputs['newest-age-seconds'])).toBeGreaterThan(3_600);
  });

  test('accepted, it is a good one: the history begins anew with it, and the other suspect ones go', async () => {
    const [newest = ''] = suspects;
    const before = listing(dir.path);
    const dry = await run({ command: 'accept', backup: newest, 'dry-run': 'true' });
    expect(dry).toMatchObject(DONE);
    expect(dry.visible).toContain(`would accept ${newest}`);
    expect(listing(dir.path)).toEqual(before);

    const result = await run({ command: 'accept', backup: newest });
    expect(result).toMatchObject({ ...DONE, outputs: { ...DONE.outputs, 'backup-id': newest } });
    expect(result.summary).toContain(`\`${newest}\` of \`app\` was accepted`);
    expect(reportOf(result).backup).toMatchObject({ state: 'ok' });
    const young = await run({ 'skip-if-younger-than': '1h' });
    expect(expectBackup(young)).toBe(newest);

    const next = expectBackup(await run());
    // the others are only now not the newest of all
    const { backups } = reportOf(await run({ command: 'list' }));
    expect(backups.map(({ id, state }) => [id, state])).toEqual([
      [next, 'ok'],
      [newest, 'ok'],
      ...good.slice(0, 3).map((id) => [id, 'ok']),
    ]);
  });

  test('what is not suspect can not be accepted', async () => {
    const again = await run({ command: 'accept', backup: suspects[0] ?? '' });
    expect(again).toMatchObject(DONE);
    expect(again.visible).toContain('there is nothing to accept');
    const torn = dir.backup(daysAgo(9), { payload: 'short', manifest: { bytes: 300, ...SUSPECT } });
    expectFailure(await run({ command: 'accept', backup: torn }), 'E_POLICY', 'is not suspect but damaged');
    const missing = 'app-20260101T000000Z-0001';
    expectFailure(await run({ command: 'accept', backup: missing }), 'E_NOT_FOUND', missing);
    expectFailure(await run({ command: 'accept' }), 'E_INPUT', 'backup: required with command accept');
  });
});

test('a run with the limit set to none says that the change is right', async () => {
  const dir = fresh();
  for (const days of [1, 2, 3]) dir.backup(daysAgo(days), { manifest: LARGE });
  const run = (inputs: Record<string, string> = {}) => scene.run({ directory: dir.path, ...inputs });
  expectFailure(await run(), 'E_SHRUNK');
  const first = expectBackup(await run({ 'shrink-limit': 'none' }));
  const second = await run();
  expectBackup(second);
  expect(Object.fromEntries(reportOf(second).backups.map(({ id, state }) => [id, state]))).toMatchObject({
    [first]: 'ok',
  });
});

test('where there is no other, a suspect one is named and not taken', async () => {
  const dir = fresh();
  const only = dir.backup(daysAgo(1), { manifest: SUSPECT });
  const restore = await scene.run({ directory: dir.path, command: 'restore', 'dry-run': 'true' });
  expectFailure(restore, 'E_NOT_FOUND', `${only} is suspect: if it is right, accept it with \`command: accept\``);
  const verify = await scene.run({ directory: dir.path, command: 'verify' });
  expectFailure(verify, 'E_STALE', 'there is no backup');
  expect(verify.visible).toContain(`${only} is newer and suspect`);
});

test('growth is not limited by default: that takes an alarm back only where there is one', async () => {
  const dir = fresh();
  for (const days of [1, 2, 3]) dir.backup(daysAgo(days), { manifest: { databaseBytes: 100_000 } });
  const run = (inputs: Record<string, string> = {}) => scene.run({ directory: dir.path, ...inputs });
  const manifest = (id: string) => dir.manifest(id);
  const limit = { 'growth-limit': '100%' };
  expectFailure(await run(limit), 'E_SHRUNK', 'more than 100 % above', '`growth-limit: none`');
  const accepted = expectBackup(await run());
  expect(manifest(accepted).accepted).toMatchObject({ by: 'growth-limit: none' });
  const next = expectBackup(await run(limit));
  expect(manifest(next)).not.toMatchObject({ accepted: expect.anything() });
  expect(manifest(expectBackup(await run())).accepted).toBeUndefined();
});

describe('in the store', () => {
  let s3: S3Double;
  beforeAll(async () => {
    s3 = await startS3Double();
  });
  afterAll(() => s3.stop());

  test('an alarm does not wear off either where the host loses its directory before every run', async () => {
    const store = new SeededStore(scene, s3);
    const good = [1, 2, 3].map((days) => store.copy(daysAgo(days), { manifest: LARGE }));
    const suspects: string[] = [];
    for (let nth = 0; nth < 4; nth++) {
      rmSync(scene.directory, { recursive: true, force: true });
      const result = await scene.run({ ...s3.inputs, keep: '3' });
      expectFailure(result, 'E_SHRUNK', 'compared with the backups in s3://shop-backups/app/', 'marked as suspect');
      suspects.unshift(result.outputs['backup-id'] ?? '');
      // A host that lost its directory dates by its clock alone: in the same second neither would be the newer one.
      await new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000)));
    }
    const states = (backups: { id: string; state: string }[]) => backups.map(({ id, state }) => [id, state]);
    expect(states(reportOf(await scene.run({ ...s3.inputs, command: 'list' })).backups)).toEqual([
      ...suspects.slice(0, 3).map((id) => [id, 'suspect']),
      ...good.map((id) => [id, 'ok']),
    ]);
    expect(scene.manifest(suspects[0] ?? '')).toMatchObject({ state: 'suspect' });

    // accepted on the host, its copy counts too, also when the host does not have it any more
    expect(await scene.run({ command: 'accept', backup: suspects[0] ?? '' })).toMatchObject(DONE);
    const rules = { keep: '1', 's3-keep': '5', 'keep-made-under': 'false' };
    const next = expectBackup(await scene.run({ ...s3.inputs, ...rules }));
    expect(scene.files()).not.toContain(`${suspects[0]}.json`);
    const last = expectBackup(await scene.run({ ...s3.inputs, ...rules }));
    expect(states(reportOf(await scene.run({ ...s3.inputs, command: 'list' })).backups)).toEqual(
      [last, next, suspects[0], ...good.slice(0, 2)].map((id) => [id, 'ok']),
    );
  });
});
