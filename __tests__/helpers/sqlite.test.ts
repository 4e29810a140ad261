import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { checkInvariant, createDatabase, restorePayload, startWriters } from './sqlite.js';

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'dbb-sqlite-'));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('writers commit and keep the invariant, in both journal modes', async () => {
  for (const wal of [true, false]) {
    const path = join(dir, `writers-${wal}.db`);
    await createDatabase(path, { mb: 1, wal, owner: 'nobody' });
    const writers = await startWriters(path, { count: 2, pauseMs: 10 });
    await checkInvariant(path);
    const commits = await writers.stop();
    expect(commits).toBeGreaterThanOrEqual(2);
    await expect(checkInvariant(path)).resolves.toMatchObject({ commits, blobs: 256 });
    expect(statSync(path).uid).not.toBe(0);
  }
});

test('the invariant fails on what a torn copy looks like', async () => {
  const path = join(dir, 'torn.db');
  await createDatabase(path);
  execFileSync('sqlite3', [path, 'INSERT INTO a (v) VALUES (5)']);
  await expect(checkInvariant(path)).rejects.toThrow('is torn: count a 1, b 0; sum a 5, b 0, blobs 0');
  execFileSync('sqlite3', [path, 'DELETE FROM a; UPDATE blobs SET ver = 1 WHERE id = 3']);
  await expect(checkInvariant(path)).rejects.toThrow('is torn: count a 0, b 0; sum a 0, b 0, blobs 1');
  await expect(checkInvariant(join(dir, 'missing.db'))).rejects.toThrow('does not exist');
});

test('a writer that fails is told', async () => {
  const path = join(dir, 'broken.db');
  await createDatabase(path);
  const writers = await startWriters(path, { pauseMs: 5 });
  execFileSync('sqlite3', ['-cmd', '.timeout 10000', path, 'DROP TABLE b']);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await expect(writers.stop()).rejects.toThrow(/no such table/);
});

test('payloads come back, broken ones are refused', async () => {
  const path = join(dir, 'source.db');
  await createDatabase(path);
  execFileSync('zstd', ['-q', path]);
  execFileSync('gzip', ['-k', path]);
  for (const ending of ['', '.zst', '.gz']) {
    await restorePayload(`${path}${ending}`, join(dir, `back${ending}`));
    await expect(checkInvariant(join(dir, `back${ending}`))).resolves.toMatchObject({ commits: 0, blobs: 256 });
  }
  cpSync(path, join(dir, 'lie.zst'));
  await expect(restorePayload(join(dir, 'lie.zst'), join(dir, 'lie'))).rejects.toThrow(/zstd -dc .* ended with 1/);
});
