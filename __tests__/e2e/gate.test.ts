import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, listing, SeededDirectory } from '../helpers/seed.js';

let scene: Scene;
let count = 0;
beforeAll(async () => {
  scene = await startScene();
});
afterAll(() => scene.stop());

const fresh = () => new SeededDirectory(scene, join(scene.user.home, `backups-${++count}`));

const NAMES = [
  'error-code',
  'backup-id',
  'backup-path',
  'sha256',
  'bytes',
  'database-bytes',
  'created-at',
  'duration-ms',
  'verified-level',
  'kept',
  'deleted',
  's3-uri',
  's3-version-id',
  'restore-outcome',
  'restore-ms',
  'safety-backup-id',
  'newest-age-seconds',
  'healthy',
  'report',
  'backup-ok',
];

describe('skip-if-younger-than', () => {
  test('a young backup whose bytes are right is good enough; flipped, it is E_CHECKSUM; older, a new one is taken', async () => {
    const dir = fresh();
    const first = await scene.run({ directory: dir.path });
    const id = expectBackup(first);
    const file = join(dir.path, `${id}.sqlite.zst`);
    const before = listing(dir.path);

    const skipped = await scene.run({ directory: dir.path, 'skip-if-younger-than': '1h' });
    expect(expectBackup(skipped)).toBe(id);
    expect(listing(dir.path)).toEqual(before);
    const same = ['sha256', 'bytes', 'database-bytes', 'created-at', 'backup-path', 'verified-level'];
    for (const name of same) expect(skipped.outputs[name]).toBe(first.outputs[name]);
    expect(skipped.outputs).toMatchObject({ kept: '1', deleted: '0' });
    expect(reportOf(skipped).skipped).toMatch(new RegExp(`: ${id} is .* old, and its bytes match its manifest$`));
    expect(skipped.visible).toContain('no new backup was needed');
    expect(skipped.summary).toContain('An existing backup of `app` is young enough');

    const bytes = readFileSync(file);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const flipped = await scene.run({ directory: dir.path, 'skip-if-younger-than': '1h' });
    expectFailure(flipped, 'E_CHECKSUM', `${id}.sqlite.zst is young enough, but its SHA-256 is`, 'Nothing was kept');
    expect(dir.status()).toMatchObject({ ok: false, errorCode: 'E_CHECKSUM' });
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(file, bytes);

    // what a restore has left behind is young, and not what anybody wants to go back to
    const manifest = join(dir.path, `${id}.json`);
    const text = readFileSync(manifest, 'utf8');
    writeFileSync(manifest, JSON.stringify({ ...JSON.parse(text), reason: 'safety' }));
    const other = expectBackup(await scene.run({ directory: dir.path, 'skip-if-younger-than': '1h' }));
    expect(other).not.toBe(id);
    for (const end of ['.json', '.sqlite.zst', '.sqlite.zst.sha256']) rmSync(join(dir.path, `${other}${end}`));
    writeFileSync(manifest, text);

    const taken = await scene.run({ directory: dir.path, 'skip-if-younger-than': '1s' });
    expect(expectBackup(taken)).not.toBe(id);
    expect(dir.names()).toHaveLength(6);
    expect(reportOf(taken).skipped).toBeNull();
    await nothingLeft(scene);
  });

  test.each([
    ['damaged', { payload: '', manifest: { bytes: 5 } }],
    ['of another database', { manifest: { identity: { path: '/srv/other.db' } } }],
    ['not verified', { manifest: { verified: { level: 'none', at: '2026-01-01T00:00:00Z' } } }],
  ] as const)('a young backup that is %s is not good enough, and is told of once', async (_what, options) => {
    const dir = fresh();
    const bad = dir.backup(new Date(Date.now() - 60_000), options as object);
    const result = await scene.run({ directory: dir.path, 'skip-if-younger-than': '1h' });
    expect(expectBackup(result)).not.toBe(bad);
    expect(reportOf(result).problems.filter((problem) => problem.message.startsWith(bad)).length).toBeLessThan(2);
  });
});

describe('the size against the recent backups', () => {
  const sized = (dir: SeededDirectory, databaseBytes: number) =>
    [1, 2, 3].map((days) => dir.backup(daysAgo(days), { manifest: { databaseBytes } }));

  test.each([
    ['shrink-limit', 100_000_000, {}, 'less than 50 % of 95.4 MiB, the median of the last 3 backups'],
    ['growth-limit', 300_000, { 'growth-limit': '100%' }, 'more than 100 % above 293.0 KiB, the median of the last 3'],
  ])(
    '%s: the new backup is kept, nothing is rotated, the gate is closed; none switches it off',
    async (limit, bytes, inputs, said) => {
      const dir = fresh();
      const ids = sized(dir, bytes);
      const result = await scene.run({ directory: dir.path, keep: '1', ...inputs });
      expectFailure(
        result,
        'E_SHRUNK',
        'the database has',
        said,
        'The backup is marked as suspect',
        'no good one was deleted',
        `\`${limit}: none\``,
      );
      const made = result.outputs['backup-id'];
      for (const id of [...ids, made]) expect(dir.names()).toContain(`${id}.json`);
      expect(result.outputs).toMatchObject({ kept: '4', deleted: '0' });
      expect(dir.status()).toMatchObject({ errorCode: 'E_SHRUNK', backup: { id: made } });
      await nothingLeft(scene);

      const off = await scene.run({ directory: dir.path, keep: '1', ...inputs, [limit]: 'none' });
      expectBackup(off);
      expect(dir.names()).toHaveLength(3);
    },
  );
});

describe('the outputs', () => {
  test.each<[string, Record<string, string>, string | null]>([
    ['a backup', {}, null],
    ['a dry run', { 'dry-run': 'true' }, null],
    ['list', { command: 'list' }, null],
    ['prune', { command: 'prune' }, null],
    ['a missing backup', { command: 'delete', backup: 'app-20260101T000000Z-0001' }, 'E_NOT_FOUND'],
    ['a missing source', { database: '/srv/not/there.db', name: 'app' }, 'E_SOURCE_MISSING'],
    ['a refused key', { username: 'nobody-of-that-name' }, 'E_AUTH'],
    ['a closed port', { port: '1' }, 'E_CONNECT'],
    ['a wrong input', { keep: 'seven' }, 'E_INPUT'],
  ])('of %s are all there, backup-ok once and last', async (_what, inputs, code) => {
    const result = await scene.run({ directory: 'of-every-path', ...inputs });
    expect(result.outputLines.map(([name]) => name)).toEqual(NAMES);
    expect(result.legacyOutputs).toEqual([]);
    expect(result.fileErrors).toEqual([]);
    const opened = Object.keys(inputs).length === 0;
    expect(result.outputs['backup-ok']).toBe(opened ? 'true' : 'false');
    expect(result.outputs['error-code']).toBe(code ?? '');
    expect(result.code).toBe(code === null ? 0 : 1);
    // the runner drops outputs of a job that hold a masked text: none may
    expect(result.masks.length).toBeGreaterThan(0);
    expect(Object.keys(result.jobOutputs).sort()).toEqual(NAMES.toSorted());
    const report = reportOf(result);
    expect(report).toMatchObject({ ok: code === null, errorCode: code ?? '', command: inputs.command ?? 'backup' });
    expect(result.summary).toContain(code ?? '##');
    if (code !== null) expectFailure(result, code);
  });

  test('an output file that can not be written fails the step, and opens no gate', async () => {
    const result = await scene.run({}, { GITHUB_OUTPUT: '/proc/version' });
    expect(result.code).toBe(1);
    expect(result.outputs).toEqual({});
    expect(result.annotations.at(-1)?.message).toContain('the outputs could not be written, so no gate opens');
  });

  test('a summary that can not be written is a warning', async () => {
    const result = await scene.run({}, { GITHUB_STEP_SUMMARY: '/proc/version' });
    expectBackup(result);
    const warnings = result.annotations.filter(({ level }) => level === 'warning').map(({ message }) => message);
    expect(warnings).toEqual([expect.stringContaining('the job summary could not be written')]);
  });

  test('no summary with summary: false, also when another input is wrong', async () => {
    const good = await scene.run({ summary: 'false' });
    expectBackup(good);
    expect(good.summary).toBe('');
    const bad = await scene.run({ summary: 'false', keep: 'seven' });
    expectFailure(bad, 'E_INPUT', 'keep: ');
    expect(bad.summary).toBe('');
  });
});
