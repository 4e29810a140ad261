import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, listing, SeededDirectory, type SeedOptions } from '../helpers/seed.js';
import { SeededStore } from '../helpers/seeded-store.js';

// A payload whose manifest is lost may be the only good backup there is.

let scene: Scene;
let count = 0;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
});
afterAll(() => scene.stop());

const fresh = () => new SeededDirectory(scene, join(scene.user.home, `lost-${++count}`));
const unit = (id: string) => [`${id}.json`, `${id}.sqlite.zst`, `${id}.sqlite.zst.sha256`];
const PLAIN = 'SQLite format 3\0'.repeat(100);
const LOST: SeedOptions = { payload: zstdCompressSync(PLAIN), without: ['manifest'] };
const DONE = { code: 0, outputs: { 'error-code': '' } };

test('fourteen good ones: all are kept and adopted, and rotated later as any', async () => {
  const dir = fresh();
  const ids = Array.from({ length: 14 }, (_, at) => dir.backup(daysAgo(at + 1), LOST));
  const before = listing(dir.path);
  const dry = await scene.run({ directory: dir.path, command: 'prune', 'dry-run': 'true' });
  expect(dry.visible).toContain(`would adopt ${ids[0]}`);
  expect(listing(dir.path)).toEqual(before);

  const result = await scene.run({ directory: dir.path, keep: '5' });
  const made = expectBackup(result);
  expect(result.outputs).toMatchObject({ kept: '15', deleted: '0' });
  expect(dir.names()).toEqual([made, ...ids].flatMap(unit).sort());
  expect(listing(dir.path)).toMatchObject(before);
  for (const id of ids) expect(result.visible).toContain(`adopted ${id}`);
  expect(reportOf(result).retention.at(-1)).toEqual({
    ...{ id: ids[13], keep: true },
    reasons: ['its manifest was missing, and this run adopted it'],
  });
  expect(dir.manifest(ids[0] ?? '')).toMatchObject({
    ...{ verified: { level: 'checksum' }, databaseBytes: PLAIN.length, content: null },
    ...{ identity: { path: scene.database }, adopted: { at: expect.any(String) } },
  });
  const proof = await scene.run({ directory: dir.path, command: 'verify', backup: ids[0] ?? '', verify: 'checksum' });
  expect(proof).toMatchObject(DONE);
  // what was proven by its checksum alone does not pass for more
  const young = await scene.run({ directory: dir.path, 'skip-if-younger-than': '9d', 'dry-run': 'true' });
  expect(reportOf(young).skipped).toContain(made);

  expectFailure(await scene.run({ directory: dir.path, 'max-delete': '9' }), 'E_POLICY', 'the plan deletes 11 of 16');
  const next = await scene.run({ directory: dir.path, command: 'prune', 'max-delete': '11' });
  expect(next.outputs).toMatchObject({ kept: '5', deleted: '11' });
  await nothingLeft(scene);
});

test('an adopted one is proven and restored as any', async () => {
  const dir = fresh();
  const lost = expectBackup(await scene.run({ directory: dir.path }));
  rmSync(join(dir.path, `${lost}.json`));
  expectBackup(await scene.run({ directory: dir.path }));
  expect(dir.manifest(lost)).toMatchObject({ verified: { level: 'checksum' }, adopted: {} });
  const proof = await scene.run({ directory: dir.path, command: 'verify', backup: lost, verify: 'restore' });
  expect(expectBackup(proof)).toBe(lost);
  expect(dir.manifest(lost)).toMatchObject({ verified: { level: 'restore' }, adopted: {} });
});

test('those that can not prove what they are stay, are named, and go when somebody names them', async () => {
  const dir = fresh();
  const wrong = dir.backup(daysAgo(2), LOST);
  dir.write(`${wrong}.sqlite.zst.sha256`, `${'0a'.repeat(32)}  ${wrong}.sqlite.zst\n`);
  const torn = dir.backup(daysAgo(3), { payload: 'no zstd at all', without: ['manifest'] });
  const bare = dir.backup(daysAgo(4), { ...LOST, without: ['manifest', 'sidecar'] });
  const sealed = dir.backup(daysAgo(5), { without: ['manifest', 'payload', 'sidecar'] });
  for (const ending of ['', '.sha256']) dir.write(`${sealed}.sqlite.zst.age${ending}`, 'x');
  const other = dir.backup(daysAgo(6), { without: ['manifest', 'payload', 'sidecar'] });
  for (const ending of ['', '.sha256']) dir.write(`${other}.dump${ending}`, 'x');
  const empty = dir.backup(daysAgo(7), { payload: '', without: ['manifest'] });
  const young = dir.backup(new Date(Date.now() - 3_600_000), { payload: '', without: ['manifest'] });
  const before = listing(dir.path);
  const kept = Object.keys(before).filter((name) => !name.startsWith(empty));

  // what is swept stands in the plan, and counts
  expectFailure(
    await scene
      .run({ directory: dir.path, command: 'prune', 'max-delete': '1', keep: '1', pin: '' })
      .then(async (one) => {
        expect(one.outputs).toMatchObject({ deleted: '1' });
        return scene.run({ directory: dir.path, command: 'delete', backup: empty });
      }),
    'E_NOT_FOUND',
  );
  const result = await scene.run({ directory: dir.path, keep: '1' });
  const made = expectBackup(result);
  expect(dir.names()).toEqual([...kept.filter((name) => name !== 'status.json'), ...unit(made)].sort());
  const { retention, problems } = reportOf(result);
  expect(retention.map(({ id }) => id)).toEqual([made]);
  const said = problems.map(({ message }) => message).join('\n');
  expect(said).toContain(`${wrong} was not adopted: its bytes do not match ${wrong}.sqlite.zst.sha256`);
  expect(said).toContain(`${torn} was not adopted: ${torn}.sqlite.zst cannot be unpacked`);
  for (const id of [bare, sealed, other, young]) expect(said).toContain(`${id}.`);

  const dry = await scene.run({ directory: dir.path, command: 'delete', backup: bare, 'dry-run': 'true' });
  expect(dry).toMatchObject(DONE);
  for (const id of [wrong, torn, bare, sealed, other, young]) {
    const gone = await scene.run({ directory: dir.path, command: 'delete', backup: id });
    expect(gone).toMatchObject({ ...DONE, outputs: { ...DONE.outputs, deleted: '1' } });
  }
  expect(dir.names()).toEqual(unit(made));
});

describe('in the store', () => {
  let s3: S3Double;
  beforeAll(async () => {
    s3 = await startS3Double();
  });
  afterAll(() => s3.stop());

  test('they are kept; the host gives those back their manifest that it has', async () => {
    rmSync(scene.directory, { recursive: true, force: true });
    const store = new SeededStore(scene, s3);
    const host = new SeededDirectory(scene);
    const lost = [5, 6, 7].map((days) => store.copy(daysAgo(days), { without: ['manifest'] }));
    const known = host.backup(daysAgo(1), { manifest: { host: hostname() } });
    store.copyOf(known, { payload: `payload of ${known}\n`.repeat(20), without: ['manifest'] });
    const differs = host.backup(daysAgo(2));
    store.copyOf(differs, { payload: 'x', without: ['manifest'] });

    const result = await scene.run({ ...s3.inputs, keep: '9', 's3-keep': '1', 'max-delete': '1' });
    const made = expectBackup(result);
    const payload = (id: string) => `app/${id}.sqlite.zst`;
    const manifest = (id: string) => `app/${id}.json`;
    expect(s3.keys()).toEqual(
      [...[...lost, known, differs, made].map(payload), manifest(known), manifest(made)].sort(),
    );
    const { s3: inS3, problems } = reportOf(result);
    expect(inS3).toMatchObject({ backups: 2, deleted: 0 });
    expect(Object.fromEntries((inS3?.retention ?? []).map(({ id, reasons }) => [id, reasons]))).toEqual({
      [made]: ['last 1 of 1'],
      [known]: ['its manifest was missing, and this run put it back'],
    });
    expect(problems.map(({ message }) => message).join()).toContain(
      `${differs} in s3://shop-backups/app/ has no manifest`,
    );

    for (const id of lost) {
      const gone = await scene.run({ ...s3.inputs, command: 'delete', backup: id });
      expect(gone).toMatchObject(DONE);
      expect(reportOf(gone).s3).toMatchObject({ deleted: 1 });
      expect(s3.keys()).not.toContain(payload(id));
    }
  });
});
