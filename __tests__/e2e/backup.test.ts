import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { checkInvariant, restorePayload, startWriters } from '../helpers/sqlite.js';

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ mb: 20 });
});
afterAll(() => scene.stop());

describe('a backup of a database that is being written to', () => {
  test('is one committed state, proven, published and told', async () => {
    const writers = await startWriters(scene.database, { count: 2, pauseMs: 2 });
    const result = await scene.run();
    await writers.stop();
    expect(result.visible).toContain('SHA-256');
    expect(result.code).toBe(0);

    const id = result.outputs['backup-id'] ?? '';
    expect(scene.files()).toEqual([`${id}.json`, `${id}.sqlite.zst`, `${id}.sqlite.zst.sha256`, 'status.json']);
    expect(result.outputLines.at(-1)).toEqual(['backup-ok', 'true']);
    expect(result.outputLines.filter(([name]) => name === 'backup-ok')).toHaveLength(1);
    execFileSync('sha256sum', ['-c', `${id}.sqlite.zst.sha256`], { cwd: scene.directory });

    const folder = mkdtempSync(join(tmpdir(), 'dbb-restored-'));
    await restorePayload(join(scene.directory, `${id}.sqlite.zst`), join(folder, 'app.db'));
    const { commits } = await checkInvariant(join(folder, 'app.db'));
    expect(commits).toBeGreaterThan(0);
    rmSync(folder, { recursive: true });

    const manifest = scene.manifest(id);
    expect(manifest.content?.tables).toContainEqual({ name: 'a', rows: commits });
    expect(manifest.bytes).toBe(statSync(join(scene.directory, manifest.file)).size);
    expect(reportOf(result)).toMatchObject({ ok: true, kept: 1, deleted: 0 });
    expect(scene.leftovers()).toEqual([]);
    expect(scene.processes()).toEqual([]);
  });
});

test('a backup is dated later than every one before it, also when runs begin in the same second', async () => {
  const runs = await Promise.all([1, 2, 3, 4].map(() => scene.run()));
  const times = runs.map((run) => run.outputs['created-at'] ?? '');
  expect(new Set(times).size).toBe(4);
  const list = await scene.run({ command: 'list' });
  expect(reportOf(list).backups.map(({ createdAt }) => createdAt)).toEqual(
    expect.arrayContaining(times.toSorted().reverse()),
  );
});
