import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import type { ActionResult } from '../helpers/run-action.js';
import { type S3Double, type S3DoubleOptions, type S3Request, startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, listing, SeededDirectory } from '../helpers/seed.js';
import { SeededStore } from '../helpers/seeded-store.js';

// What is in the store: list, rotation, prune, delete. Pages have three keys each.

let scene: Scene;
let s3: S3Double;
let versioned: S3Double;
let store: SeededStore;
let host: SeededDirectory;
beforeAll(async () => {
  [scene, s3, versioned] = await Promise.all([
    startScene({ transport: 'local' }),
    startS3Double({ page: 3 }),
    startS3Double({ page: 3, locking: true }),
  ]);
});
beforeEach(() => {
  rmSync(scene.directory, { recursive: true, force: true });
  store = new SeededStore(scene, s3);
});
afterEach(() => {
  s3.clear();
  versioned.clear();
});
afterAll(async () => {
  await scene.stop();
  await s3.stop();
  await versioned.stop();
});

const unit = (id: string, folder = 'app/') => [`${folder}${id}.json`, `${folder}${id}.sqlite.zst`];
const deletions = (double = s3) => double.requests.filter(({ method }) => method === 'DELETE').map(({ key }) => key);
const writes = (double = s3) => double.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD');
const run = (command: string, inputs: Record<string, string> = {}, double = s3) =>
  scene.run({ command, ...double.inputs, ...inputs });
const problemsOf = (result: ActionResult) =>
  reportOf(result)
    .problems.map(({ message }) => message)
    .join('\n');
const decidedInStore = (result: ActionResult) =>
  Object.fromEntries((reportOf(result).s3?.retention ?? []).map((one) => [one.id, one.keep ? one.reasons : 'deleted']));
const DENIED = { status: 403, code: 'AccessDenied', message: 'Access Denied' };
const deleting =
  (ending = '') =>
  ({ method, key }: S3Request) =>
    method === 'DELETE' && key.endsWith(ending);

function expectDone(result: ActionResult): void {
  expect({ code: result.code, error: result.outputs['error-code'] }).toEqual({ code: 0, error: '' });
}

describe('a rotation', () => {
  test('deletes exactly what the plan for the store says, and touches nothing else', async () => {
    const folder = new SeededStore(scene, s3, 'prod/db/');
    host = new SeededDirectory(scene);
    const doomed = [3, 4, 5, 6].map((days) => folder.copy(daysAgo(days)));
    const kept = folder.copy(daysAgo(1));
    const pinned = folder.copy(daysAgo(7), { manifest: { pinned: { reason: 'audit', at: '2026-01-01T00:00:00Z' } } });
    const pinnedOnHost = host.backup(daysAgo(8), {
      manifest: { pinned: { reason: 'mine', at: '2026-01-01T00:00:00Z' } },
    });
    folder.copyOf(pinnedOnHost, { payload: `payload of ${pinnedOnHost}\n`.repeat(20) });
    const elsewhere = folder.copy(daysAgo(0, 0), { manifest: { host: 'staging-1' } });
    const torn = folder.copy(daysAgo(9), { manifest: { bytes: 7 } });
    const unread = folder.copy(daysAgo(10), { without: ['manifest'] });
    folder.put(`app/${unread}.json`, '{"schema": 1,');
    const other = folder.copy(daysAgo(11), { manifest: { identity: { path: '/srv/other.db' } } });
    const orphan = folder.copy(daysAgo(12), { without: ['manifest'] });
    const young = folder.copy(new Date(Date.now() - 3_600_000), { without: ['manifest'] });
    for (const name of ['app-staging', 'app.2', 'ap'])
      for (const days of [30, 31, 32]) folder.copy(daysAgo(days), { name });
    const long = folder.copy(daysAgo(13), { without: ['manifest'] });
    folder.put(`app/${long}.json`, ' '.repeat((12 << 20) + 1));
    const [one = ''] = doomed;
    for (const key of [
      'app/',
      'app/notes.txt',
      `app/${one}.json~`,
      `app/old/${one}.json`,
      `app/${one}.sqlite.zst.bak`,
    ]) {
      folder.put(key, 'not ours');
    }
    new SeededStore(scene, s3, 'prod/').copy(daysAgo(40));
    new SeededStore(scene, s3).copy(daysAgo(40));
    const before = s3.keys();

    const result = await scene.run({ ...s3.inputs, 's3-prefix': '/prod/db/', keep: '9', 's3-keep': 'last=2' });
    const made = expectBackup(result);
    const gone = doomed.flatMap((id) => unit(id, 'prod/db/app/'));
    expect(before.filter((key) => !s3.keys().includes(key)).sort()).toEqual(gone.sort());
    expect(s3.keys().filter((key) => !before.includes(key))).toEqual(unit(made, 'prod/db/app/'));
    expect(deletions().sort()).toEqual(gone.sort());
    for (const id of doomed) {
      expect(deletions().indexOf(`prod/db/app/${id}.json`)).toBeLessThan(
        deletions().indexOf(`prod/db/app/${id}.sqlite.zst`),
      );
    }

    expect(decidedInStore(result)).toEqual({
      [made]: ['last 1 of 2'],
      [elsewhere]: ['made on another host, staging-1'],
      [kept]: ['last 2 of 2'],
      [pinned]: ['pinned: audit'],
      [pinnedOnHost]: ['pinned: mine'],
      [torn]: [expect.stringMatching(/^damaged: .* bytes, but the manifest says 7$/)],
      ...Object.fromEntries(doomed.map((id) => [id, 'deleted'])),
    });
    const report = reportOf(result);
    expect(report).toMatchObject({ ok: true, kept: 2, deleted: 0 });
    expect(report.s3).toMatchObject({ uri: 's3://shop-backups/prod/db/app/', backups: 6, deleted: 4, hidden: false });
    const places = Object.fromEntries(report.backups.map(({ id, places }) => [id, places]));
    expect(places).toMatchObject({ [made]: ['host', 's3'], [pinnedOnHost]: ['host', 's3'], [kept]: ['s3'] });
    expect(places).not.toHaveProperty([one]);
    expect(report.backup?.places).toEqual(['host', 's3']);
    for (const said of [
      `${other} belongs to another database, "/srv/other.db"`,
      `${unread}.json: text: expected JSON`,
      `${long}.json could not be read`,
      `${orphan}.sqlite.zst: no manifest, so this is not a backup; it is kept`,
      `${young}.sqlite.zst: no manifest, so this is not a backup; it is kept`,
      '1 backup in s3://shop-backups/prod/db/app/ were made on another host, staging-1',
    ]) {
      expect(problemsOf(result)).toContain(said);
    }
    expect(problemsOf(result)).not.toContain('sha256 is missing');
    expect(result.visible).toContain(`delete s3://shop-backups/prod/db/app/${one}: no rule keeps it`);
    expect(result.summary).toContain('### Retention in S3: 6 kept, 4 deleted');
    expect(result.summary).toMatch(new RegExp(`\`${one}\` \\| \\*\\*deleted\\*\\* \\| no rule keeps it`));
    expect(new SeededDirectory(scene).status()).toMatchObject({ ok: true, s3: { deleted: 4 } });
    await nothingLeft(scene);
  });

  test('has rules of its own, and the same as the host by default', async () => {
    const ids = [1, 2, 3].map((days) => store.copy(daysAgo(days)));
    expectBackup(await scene.run({ ...s3.inputs, keep: '1', 's3-keep': '3' }));
    expect(deletions()).toEqual(unit(ids[2] ?? ''));
    const kept = reportOf(await scene.run({ ...s3.inputs, keep: '1', 'dry-run': 'true' })).s3?.retention ?? [];
    expect(kept.filter(({ keep }) => keep)).toMatchObject([
      { reasons: ['last 2 of 3, by the rules it was made under'] },
    ]);
    const last = expectBackup(await scene.run({ ...s3.inputs, keep: '1', 'keep-made-under': 'false' }));
    expect(s3.keys()).toEqual(unit(last));
    expect(scene.files()).toHaveLength(4); // with status.json
  });

  test('is left to the bucket with none: nobody asks what is there', async () => {
    const old = [1, 2].map((days) => store.copy(daysAgo(days)));
    s3.fail(({ query }) => query.get('prefix') === 'app/', DENIED);
    const result = await scene.run({ ...s3.inputs, keep: '1', 's3-keep': 'none' });
    const made = expectBackup(result);
    expect(s3.keys()).toEqual([...old.toReversed(), made].flatMap((id) => unit(id)));
    expect(reportOf(result).s3).toBeNull();
    expect(result.visible).toContain('lifecycle rotates the off-site copies');
    s3.heal();
    expectDone(await run('prune', { keep: '1', 's3-keep': 'none' }));
    expect(deletions()).toEqual([]);
  });

  test('does not begin before the copy is proven', async () => {
    for (const days of [1, 2, 3]) store.copy(daysAgo(days));
    s3.fail(({ method, key }) => method === 'PUT' && key.endsWith('.json'), DENIED);
    expectFailure(await scene.run({ ...s3.inputs, keep: '1' }), 'E_S3_AUTH');
    expect(deletions()).toEqual([]);
  });

  test('is not done when the database has shrunk, also on a host that knows of no other backup', async () => {
    for (const days of [1, 2, 3]) store.copy(daysAgo(days), { manifest: { databaseBytes: 50_000_000 } });
    const result = await scene.run({ ...s3.inputs, keep: '1' });
    expectFailure(result, 'E_SHRUNK', 'compared with the backups in s3://shop-backups/app/', 'no good one was deleted');
    expect(deletions()).toEqual([]);
    expect(reportOf(result)).toMatchObject({ ok: false, s3: { backups: 4, deleted: 0 } });
  });

  test('is not done when the one on the host is not', async () => {
    for (const days of [1, 2, 3]) store.copy(daysAgo(days));
    host = new SeededDirectory(scene);
    for (const days of [1, 2]) host.backup(daysAgo(days), { manifest: { databaseBytes: 50_000_000 } });
    expectFailure(await scene.run({ ...s3.inputs, keep: '1' }), 'E_SHRUNK');
    rmSync(scene.directory, { recursive: true });
    host = new SeededDirectory(scene);
    for (const days of [1, 2]) host.backup(daysAgo(days));
    expectFailure(await scene.run({ ...s3.inputs, keep: '1', 's3-keep': '3', 'max-delete': '1' }), 'E_POLICY');
    expect(deletions()).toEqual([]);
  });

  test('is refused beyond max-delete, while that on the host was done', async () => {
    for (const days of [1, 2, 3, 4]) store.copy(daysAgo(days));
    const old = new SeededDirectory(scene).backup(daysAgo(1));
    const result = await scene.run({ ...s3.inputs, keep: '1', 'max-delete': '3' });
    expectFailure(
      result,
      'E_POLICY',
      'in s3://shop-backups/app/: max-delete: at most 3 deletions allowed, but the plan deletes 4 of 5',
    );
    expect(deletions()).toEqual([]);
    expect(scene.files()).not.toContain(`${old}.json`);
    expect(result.summary).toContain('### Retention plan in S3: 1 to keep, 4 to delete');
  });
});

describe('a store that fails', () => {
  const KEEP = { keep: '1' };

  test('in the middle of the deletions: no manifest without its payload, and the next run goes on', async () => {
    const [newest, second, third, fourth] = [1, 2, 3, 4].map((days) => store.copy(daysAgo(days)));
    s3.fail(deleting('.json'), { status: 503, code: 'SlowDown' }, 1);
    s3.fail(deleting(`${third}.sqlite.zst`), DENIED);
    const result = await run('prune', KEEP);
    expectFailure(
      result,
      'E_ROTATE',
      `2 old copies could not be deleted, the first at ${third}.sqlite.zst`,
      'Allow `s3:DeleteObject`',
      '`s3-keep: none`',
      'stays done',
    );
    const left = [...unit(fourth ?? ''), `app/${third}.sqlite.zst`, ...unit(newest ?? '')];
    expect(s3.keys()).toEqual(left);
    expect(reportOf(result)).toMatchObject({ ok: false, s3: { deleted: 2, backups: 2 } });
    expect(result.summary).toContain('The plan was carried out only in part: 2 of 3 deleted');
    expect(result.summary).toContain('2 backups in S3 had been deleted before the failure');
    expect(second).toBeDefined();

    s3.heal();
    expectDone(await run('prune', KEEP));
    // a payload that has lost its manifest may be a good backup: it stays until somebody names it
    expect(s3.keys()).toEqual([`app/${third}.sqlite.zst`, ...unit(newest ?? '')]);
    expectDone(await run('delete', { backup: third ?? '' }));
    expect(s3.keys()).toEqual(unit(newest ?? ''));
  });

  test.each([
    ['a manifest', '.json', 0],
    ['a payload', '.sqlite.zst', 1],
  ])('a run that is cancelled while %s is deleted says what it has not deleted', async (_, ending, done) => {
    const [newest, second, third, fourth] = [1, 2, 3, 4].map((days) => store.copy(daysAgo(days)));
    s3.fail(deleting(`${third}${ending}`), 'hang');
    const action = scene.start({ command: 'prune', ...s3.inputs, ...KEEP });
    while (!s3.requests.some(deleting(`${third}${ending}`))) await new Promise((resolve) => setTimeout(resolve, 20));
    action.kill('SIGINT');
    const result = await action.result();
    expectFailure(result, 'E_CANCELLED');
    const untouched = [...unit(fourth ?? ''), ...unit(third ?? '').slice(done), ...unit(newest ?? '')];
    expect(s3.keys()).toEqual(untouched);
    expect(problemsOf(result)).toContain(`2 old copies could not be deleted, the first at ${third}${ending}`);
    for (const key of unit(second ?? '')) expect(result.visible).toContain(`deleted s3://shop-backups/${key}`);
    expect(reportOf(result)).toMatchObject({ ok: false, s3: { deleted: 1 + done, backups: 3 - done } });
    await nothingLeft(scene);

    s3.heal();
    expectDone(await run('prune', KEEP));
    expect(s3.keys()).toEqual([...(done === 0 ? [] : [`app/${third}.sqlite.zst`]), ...unit(newest ?? '')]);
  });

  test.each<[string, S3DoubleOptions]>([['cuts its list off', { page: 3, losesToken: true }]])(
    '%s',
    async (_, options) => {
      const double = await startS3Double(options);
      try {
        const seeded = new SeededStore(scene, double);
        for (const days of [1, 2, 3]) seeded.copy(daysAgo(days));
        expectFailure(
          await run('list', {}, double),
          'E_S3_UNAVAILABLE',
          'the list is truncated',
          'Nothing was changed.',
        );
        const result = await scene.run({ ...double.inputs, keep: '1' });
        expectFailure(
          result,
          'E_ROTATE',
          'could not be listed, so none was deleted: listing s3://shop-backups/app/ failed',
        );
        expect(deletions(double)).toEqual([]);
        expect(scene.files()).toHaveLength(4);
        expect(new SeededDirectory(scene).status()).toMatchObject({ ok: false, errorCode: 'E_ROTATE' });
      } finally {
        await double.stop();
      }
    },
  );

  test('does not show the copy that it has just taken: nothing is deleted', async () => {
    for (const days of [1, 2]) store.copy(daysAgo(days));
    const known = s3.keys();
    s3.fail(({ method, key }) => method === 'GET' && key.endsWith('.json') && !known.includes(key), DENIED);
    const result = await scene.run({ ...s3.inputs, keep: '1' });
    expectFailure(
      result,
      'E_ROTATE',
      `the listing of s3://shop-backups/app/ does not have ${result.outputs['backup-id']}`,
    );
    expect(deletions()).toEqual([]);
  });

  test('does not let a manifest be read: that backup is left alone, the others rotate', async () => {
    const [newest, hidden, old] = [1, 2, 3].map((days) => store.copy(daysAgo(days)));
    s3.fail(({ method, key }) => method === 'GET' && key.endsWith(`${hidden}.json`), {
      ...{ status: 403, code: 'InvalidObjectState' },
      message: "The operation is not valid for the object's storage class",
    });
    const result = await run('prune', KEEP);
    expectDone(result);
    expect(deletions()).toEqual(unit(old ?? ''));
    expect(s3.keys()).toEqual([...unit(hidden ?? ''), ...unit(newest ?? '')]);
    expect(problemsOf(result)).toContain(`${hidden}.json could not be read`);
    expect(problemsOf(result)).toContain('storage class');
  });
});

describe('versions and locks', () => {
  const LOCKED = (days: number) => ({
    'x-amz-object-lock-mode': 'GOVERNANCE',
    'x-amz-object-lock-retain-until-date': daysAgo(-days, 10).toISOString(),
  });
  let seeded: SeededStore;
  beforeEach(() => {
    seeded = new SeededStore(scene, versioned);
  });

  test('where versions are kept, what is deleted is hidden, and said to be', async () => {
    const [newest, old] = [1, 2].map((days) => seeded.copy(daysAgo(days)));
    const result = await run('prune', { keep: '1' }, versioned);
    expectDone(result);
    expect(versioned.keys()).toEqual(unit(newest ?? ''));
    expect(
      versioned.requests.filter(({ method }) => method === 'DELETE').map(({ query }) => [...query.keys()]),
    ).toEqual([['x-id'], ['x-id']]);
    expect(reportOf(result).s3).toMatchObject({ deleted: 1, hidden: true });
    expect(result.visible).toContain('delete markers hide what was deleted');
    expect(result.summary).toContain('The bucket keeps versions');
    const again = await run('list', {}, versioned);
    expect(reportOf(again).backups.map(({ id }) => id)).toEqual([newest]);
    expect(old).toBeDefined();
  });

  test('what is locked stays, until when is said, and the run is green', async () => {
    const [newest, free, locked, held, ended] = [
      seeded.copy(daysAgo(1)),
      seeded.copy(daysAgo(2)),
      seeded.copy(daysAgo(3), { headers: LOCKED(5) }),
      seeded.copy(daysAgo(4), { headers: { 'x-amz-object-lock-legal-hold': 'ON' } }),
      seeded.copy(daysAgo(5), { headers: LOCKED(-1) }),
    ];
    const result = await run('prune', { keep: '1' }, versioned);
    expectDone(result);
    expect(versioned.keys()).toEqual([held, locked, newest].flatMap((id) => unit(id)));
    const until = daysAgo(-5, 10).toISOString().slice(0, 10);
    expect(decidedInStore(result)).toEqual({
      [newest]: ['last 1 of 1'],
      [free]: 'deleted',
      [locked]: [`locked until ${until} 10:00 UTC`],
      [held]: ['under legal hold'],
      [ended]: 'deleted',
    });
    expect(result.summary).toContain('### Retention in S3: 3 kept, 2 deleted');
    expectFailure(
      await run('delete', { backup: locked }, versioned),
      'E_POLICY',
      `${locked} is locked until ${until}`,
      'Nothing was deleted',
    );
  });

  test('of which only the refusal tells stays as well, and no stranger’s name passes for a lock', async () => {
    const [newest, locked, old] = [1, 2, 3].map((days) => store.copy(daysAgo(days)));
    const message = 'Access Denied because object protected by object lock.';
    s3.fail(deleting(`${locked}.json`), { ...DENIED, message });
    const result = await run('prune', { keep: '1' });
    expectDone(result);
    expect(s3.keys()).toEqual([...unit(locked ?? ''), ...unit(newest ?? '')]);
    expect(decidedInStore(result)).toMatchObject({
      [locked ?? '']: ['locked, according to the store'],
      [old ?? '']: 'deleted',
    });
    s3.heal();
    const user = 'User: arn:aws:iam::1:user/retention-policy is not authorized to perform: s3:DeleteObject';
    s3.fail(deleting(), { ...DENIED, message: user });
    expectFailure(await run('prune', { keep: '1' }), 'E_ROTATE', 'Allow `s3:DeleteObject`');
  });
});

describe('list', () => {
  test('says of each backup where it is', async () => {
    host = new SeededDirectory(scene);
    const both = host.backup(daysAgo(1));
    store.copyOf(both, { payload: `payload of ${both}\n`.repeat(20) });
    const [onHost, inStore] = [host.backup(daysAgo(3)), store.copy(daysAgo(2))];
    const broken = host.backup(daysAgo(4), { payload: '', manifest: { bytes: 20 } });
    store.copyOf(broken, { payload: 'x'.repeat(20) });
    const before = listing(scene.directory);
    const result = await run('list');
    expectDone(result);
    const { backups, newestAgeSeconds, s3: inS3, storage } = reportOf(result);
    expect(backups.map(({ id, places, state }) => [id, places, state])).toEqual([
      [both, ['host', 's3'], 'ok'],
      [inStore, ['s3'], 'ok'],
      [onHost, ['host'], 'ok'],
      [broken, ['host', 's3'], 'ok'],
    ]);
    expect(backups.map(({ path }) => path)).toEqual([
      join(scene.directory, `${both}.sqlite.zst`),
      `s3://shop-backups/app/${inStore}.sqlite.zst`,
      join(scene.directory, `${onHost}.sqlite.zst`),
      `s3://shop-backups/app/${broken}.sqlite.zst`,
    ]);
    expect(inS3).toMatchObject({ backups: 3, retention: [] });
    expect(storage).toMatchObject({ backups: 3 });
    expect(newestAgeSeconds).toBeGreaterThan(0);
    expect(result.visible).toMatch(new RegExp(`${both} .* in: host, S3`));
    expect(result.summary).toMatch(new RegExp(`\`${inStore}\` \\| S3 \\|`));
    expect(problemsOf(result)).toContain(`the SHA-256 of ${broken} there differs from the one on the host`);
    expect(writes()).toEqual([]);
    expect(listing(scene.directory)).toEqual(before);
  });

  test('shows what is in the store when the host has lost its directory', async () => {
    const ids = [1, 2].map((days) => store.copy(daysAgo(days)));
    const result = await run('list');
    expectDone(result);
    expect(reportOf(result).backups.map(({ id, places }) => [id, places])).toEqual(ids.map((id) => [id, ['s3']]));
    expect(Number(result.outputs['newest-age-seconds'])).toBeGreaterThan(3_600);
    expect(result.visible).toContain('2 backups of app in s3://shop-backups/app/');
  });

  test('a store that refuses is a red run that says so', async () => {
    s3.fail(({ method }) => method === 'GET', DENIED);
    const message = expectFailure(await run('list'), 'E_S3_AUTH', 'Allow `s3:ListBucket`', 'Nothing was changed.');
    expect(message).not.toContain('rotated');
  });
});

describe('a dry run', () => {
  test('of prune and backup prints both plans, and deletes nothing', async () => {
    host = new SeededDirectory(scene);
    const [onHost] = [2, 3].map((days) => host.backup(daysAgo(days)));
    const [newest, old] = [1, 2].map((days) => store.copy(daysAgo(days)));
    const before = [s3.keys(), listing(scene.directory)];
    for (const command of ['prune', 'backup']) {
      const result = await run(command, { keep: '1', 'dry-run': 'true' });
      expectDone(result);
      expect(result.visible).toContain(`would delete s3://shop-backups/app/${old}: no rule keeps it`);
      const isPrune = command === 'prune';
      expect(result.visible).toContain(`would ${isPrune ? 'keep' : 'delete'} s3://shop-backups/app/${newest}`);
      expect(result.visible).toContain(`would ${isPrune ? 'keep' : 'delete'} ${onHost}`);
      expect(reportOf(result).s3).toMatchObject({ deleted: 0, backups: 2 });
    }
    expect(writes()).toEqual([]);
    expect([s3.keys(), listing(scene.directory)]).toEqual(before);
    const refused = await run('prune', { keep: '1', 'max-delete': '1', 's3-keep': 'daily=1', 'dry-run': 'true' });
    expectDone(refused);
    expect(problemsOf(refused)).not.toContain('refused');
  });

  test('of delete says what would go in both places', async () => {
    host = new SeededDirectory(scene);
    const [doomed = ''] = [2, 3].map((days) => host.backup(daysAgo(days)));
    store.copyOf(doomed, { payload: 'x' });
    store.copy(daysAgo(1));
    const result = await run('delete', { backup: doomed, 'dry-run': 'true' });
    expectDone(result);
    expect(result.visible).toContain(`would delete s3://shop-backups/app/${doomed}.json`);
    expect(writes()).toEqual([]);
  });
});

describe('prune', () => {
  test('is refused on both sides before anything is deleted on one', async () => {
    host = new SeededDirectory(scene);
    for (const days of [1, 2]) host.backup(daysAgo(days));
    for (const days of [1, 2, 3]) store.copy(daysAgo(days));
    const before = listing(scene.directory);
    const result = await run('prune', { keep: '1', 's3-keep': 'last=1', 'max-delete': '1' });
    expectFailure(result, 'E_POLICY', 'in s3://shop-backups/app/: max-delete', 'Nothing was deleted');
    expect(deletions()).toEqual([]);
    const after = listing(scene.directory);
    expect(Object.keys(after).filter((name) => name.endsWith('.json') && name !== 'status.json')).toEqual(
      Object.keys(before).filter((name) => name.endsWith('.json')),
    );
  });
});

describe('delete', () => {
  test('deletes the backup in both places', async () => {
    host = new SeededDirectory(scene);
    const [doomed = '', other = ''] = [2, 1].map((days) => host.backup(daysAgo(days)));
    for (const id of [doomed, other]) store.copyOf(id, { payload: `payload of ${id}\n`.repeat(20) });
    const result = await run('delete', { backup: doomed });
    expectDone(result);
    expect(s3.keys()).toEqual(unit(other));
    expect(scene.files().filter((name) => name.startsWith('app-'))).toEqual([
      `${other}.json`,
      `${other}.sqlite.zst`,
      `${other}.sqlite.zst.sha256`,
    ]);
    expect(reportOf(result)).toMatchObject({ deleted: 1, kept: 1, s3: { deleted: 1, backups: 1 } });
    expect(reportOf(result).backups.map(({ id, places }) => [id, places])).toEqual([[other, ['host', 's3']]]);
  });

  test('finds it in the store alone, and does not take the last one there', async () => {
    const [last = '', doomed = ''] = [1, 2].map((days) => store.copy(daysAgo(days)));
    const result = await run('delete', { backup: doomed });
    expectDone(result);
    expect(s3.keys()).toEqual(unit(last));
    expect(reportOf(result).backup).toMatchObject({ id: doomed, places: ['s3'] });
    expectFailure(
      await run('delete', { backup: last }),
      'E_POLICY',
      `${last} is the last verified backup in s3://shop-backups/app/`,
    );
    const unknown = doomed.replace(/....$/, 'ffff');
    expectFailure(await run('delete', { backup: unknown }), 'E_NOT_FOUND', 'and s3://shop-backups/app/', last);
    expect(s3.keys()).toEqual(unit(last));
  });

  test('leaves what is pinned, where the host knows best', async () => {
    host = new SeededDirectory(scene);
    host.backup(daysAgo(1));
    store.copy(daysAgo(1));
    const pin = { pinned: { reason: 'audit', at: '2026-01-01T00:00:00Z' } };
    const pinned = host.backup(daysAgo(2), { manifest: pin });
    store.copyOf(pinned, { payload: 'x' });
    const unpinned = host.backup(daysAgo(3));
    store.copyOf(unpinned, { payload: 'x', manifest: pin });
    const stored = store.copy(daysAgo(4), { manifest: pin });
    for (const backup of [pinned, stored]) {
      expectFailure(await run('delete', { backup }), 'E_POLICY', `${backup} is pinned: audit`, 'Nothing was deleted');
    }
    expect(deletions()).toEqual([]);
    expectDone(await run('delete', { backup: unpinned }));
    expect(deletions()).toEqual(unit(unpinned));
  });

  test('a store that refuses: the copy is still listed, and the next run deletes it', async () => {
    host = new SeededDirectory(scene);
    const [doomed = ''] = [2, 1].map((days) => host.backup(daysAgo(days)));
    store.copyOf(doomed, { payload: 'x' });
    store.copy(daysAgo(1));
    s3.fail(deleting(), DENIED);
    const result = await run('delete', { backup: doomed });
    expectFailure(
      result,
      'E_ROTATE',
      `the copy of ${doomed} in s3://shop-backups/app/ could not be deleted`,
      'Run again',
    );
    expect(reportOf(result).backups.find(({ id }) => id === doomed)?.places).toEqual(['s3']);
    s3.heal();
    expectDone(await run('delete', { backup: doomed }));
    expect(s3.keys()).toHaveLength(2);
  });
});
