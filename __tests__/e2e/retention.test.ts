import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, listing, SeededDirectory } from '../helpers/seed.js';
import { unmount } from '../helpers/unmount.js';

let scene: Scene;
let count = 0;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
});
afterAll(() => scene.stop());

const fresh = () => new SeededDirectory(scene, join(scene.user.home, `backups-${++count}`));
const unit = (id: string) => [`${id}.json`, `${id}.sqlite.zst`, `${id}.sqlite.zst.sha256`];
const isoDay = (date: Date) => date.toISOString().slice(0, 10);

describe('a rotation', () => {
  test('deletes exactly what the plan says, and touches nothing else', async () => {
    const dir = fresh();
    const lastOfYesterday = dir.backup(daysAgo(1, 10));
    const doomed = [dir.backup(daysAgo(1, 9)), dir.backup(daysAgo(3)), dir.backup(daysAgo(4)), dir.backup(daysAgo(5))];
    const twoDaysAgo = dir.backup(daysAgo(2));
    const pinned = dir.backup(daysAgo(6), { manifest: { pinned: { reason: 'audit', at: '2026-01-01T00:00:00Z' } } });
    const safety = dir.backup(daysAgo(6, 9), { manifest: { reason: 'safety' } });
    const unverified = dir.backup(daysAgo(6, 8), {
      manifest: { verified: { level: 'none', at: '2026-01-01T00:00:00Z' } },
    });
    const empty = dir.backup(daysAgo(7), { payload: '', manifest: { bytes: 300 } });
    const torn = dir.backup(daysAgo(8), { payload: 'short', manifest: { bytes: 300 } });
    const gone = dir.backup(daysAgo(9), { without: ['payload'] });
    const future = dir.backup(daysAgo(-2));
    const malformed = dir.backup(daysAgo(10), { without: ['manifest'] });
    dir.write(`${malformed}.json`, '{"schema": 1,');
    const other = dir.backup(daysAgo(11), { manifest: { identity: { path: '/srv/other.db' } } });
    const oldPayload = dir.backup(daysAgo(20), { without: ['manifest', 'sidecar'] });
    const oldSidecar = dir.backup(daysAgo(21), { without: ['manifest', 'payload'] });
    const youngOrphan = dir.backup(new Date(Date.now() - 3_600_000), { without: ['manifest'] });
    const strangers = ['app-staging', 'app.2', 'ap'].flatMap((name) =>
      [30, 31, 32].map((days) => dir.backup(daysAgo(days), { name })),
    );
    const linked = dir.backup(daysAgo(40), { without: ['payload'] });
    symlinkSync('/etc/passwd', join(dir.path, `${linked}.sqlite.zst`));
    const id = (days: number) => dir.backup(daysAgo(days), { without: ['payload', 'sidecar', 'manifest'] });
    const [folder, pipe, link] = [id(41), id(42), id(43)];
    mkdirSync(join(dir.path, `${folder}.json`));
    execFileSync('mkfifo', [join(dir.path, `${pipe}.json`)]);
    symlinkSync('/etc/shadow', join(dir.path, `${link}.json`));
    for (const name of [
      'notes.txt',
      `${lastOfYesterday}.json~`,
      `${oldPayload}.sqlite.zst.bak`,
      'app-20200101T000000Z-0001 copy.json',
      'app-20200101T000000Z-GGGG.json',
      'APP-20200101T000000Z-0001.json',
      'app-20200230T000000Z-0001.sqlite',
      // a line of `ls` within a name, that would make a verified backup an orphan's neighbour
      `app-20200101T000000Z-0001.x\n-rw------- 1 0 0 5 Jan 1 00:00 app-20200101T000000Z-0002.sqlite.zst`,
    ]) {
      dir.write(name, 'not ours');
    }
    const before = listing(dir.path);

    const result = await scene.run({ directory: dir.path, keep: 'last=2 daily=3' });
    const made = expectBackup(result);
    const after = listing(dir.path);
    const missing = Object.keys(before).filter((name) => after[name] === undefined);
    expect(missing.sort()).toEqual([...doomed.flatMap(unit), `${oldSidecar}.sqlite.zst.sha256`].sort());
    const changed = Object.keys(before).filter((name) => after[name] !== undefined && after[name] !== before[name]);
    expect(changed).toEqual([]);
    const added = Object.keys(after).filter((name) => before[name] === undefined && !name.startsWith('.work'));
    expect(added.sort()).toEqual([...unit(made), 'history.jsonl', 'status.json'].sort());

    const report = reportOf(result);
    const decided = Object.fromEntries(report.retention.map((one) => [one.id, one.keep ? one.reasons : 'deleted']));
    expect(decided).toEqual({
      [future]: ['dated in the future'],
      [made]: ['last 1 of 2', `daily ${isoDay(new Date())}`],
      [lastOfYesterday]: ['last 2 of 2', `daily ${isoDay(daysAgo(1))}`],
      [twoDaysAgo]: [`daily ${isoDay(daysAgo(2))}`],
      [pinned]: ['pinned: audit'],
      [safety]: ['safety backup'],
      [unverified]: ['not verified'],
      [empty]: [`damaged: ${empty}.sqlite.zst is empty`],
      [torn]: [`damaged: ${torn}.sqlite.zst has 5 bytes, but the manifest says 300`],
      [gone]: [`damaged: ${gone}.sqlite.zst is missing`],
      [linked]: [`damaged: ${linked}.sqlite.zst is missing`],
      ...Object.fromEntries([...doomed, oldSidecar].map((one) => [one, 'deleted'])),
    });
    expect(report).toMatchObject({ kept: 11, deleted: 5, ok: true });
    expect(report.backups.map((backup) => backup.id)).not.toEqual(expect.arrayContaining(doomed));
    expect(result.outputs).toMatchObject({ kept: '11', deleted: '5' });
    for (const one of doomed) {
      expect(result.visible).toContain(`delete ${one}: no rule keeps it`);
      expect(result.visible).toContain(`deleted ${one}.json`);
      expect(result.summary).toMatch(new RegExp(`\`${one}\` \\| \\*\\*deleted\\*\\* \\| no rule keeps it`));
    }
    expect(result.visible).toContain(`keep ${pinned}: pinned: audit`);
    expect(result.summary).toMatch(new RegExp(`\`${twoDaysAgo}\` \\| kept \\| daily`));

    const problems = report.problems.map((problem) => problem.message).join('\n');
    for (const said of [
      `${other} belongs to another database, "/srv/other.db"`,
      `${malformed}.json: text: expected JSON`,
      `${future} is dated in the future`,
      `${empty} is damaged`,
      `${torn} is damaged`,
      `${gone} is damaged`,
      `${oldPayload}.sqlite.zst: no manifest, so this is not a backup; it is kept, because it may be a good backup`,
      `${oldSidecar}.sqlite.zst.sha256: no manifest, so this is not a backup; it has no content`,
      `${youngOrphan}.sqlite.zst.sha256: no manifest, so this is not a backup; it is kept`,
      `${linked}.sqlite.zst is a symbolic link`,
      `${folder}.json is a directory`,
      `${pipe}.json is a fifo`,
      `${link}.json is a symbolic link`,
    ]) {
      expect(problems).toContain(said);
    }
    for (const stranger of [...strangers, 'app-20200101']) expect(result.outputs.report).not.toContain(stranger);
    expect(dir.status()).toMatchObject({ ok: true, errorCode: '', kept: 11, deleted: 5, backup: { id: made } });
    await nothingLeft(scene);
  });

  test('leaves to a workflow with other rules what those keep; keep-made-under: false does not', async () => {
    const dir = fresh();
    const nights = Array.from({ length: 14 }, (_, at) =>
      dir.backup(daysAgo(at + 1), { manifest: { keep: { last: 14 } } }),
    );
    const result = await scene.run({ directory: dir.path, keep: '5' });
    const made = expectBackup(result);
    expect(result.outputs).toMatchObject({ kept: '14', deleted: '1' });
    expect(dir.names()).not.toContain(`${nights[13]}.json`);
    expect(reportOf(result).retention).toContainEqual({
      ...{ id: nights[12], keep: true },
      reasons: ['last 14 of 14, by the rules it was made under'],
    });
    expect(dir.manifest(made)).toMatchObject({ keep: { last: 5 } });
    const smaller = await scene.run({ directory: dir.path, command: 'prune', keep: '5', 'keep-made-under': 'false' });
    expect(smaller.outputs).toMatchObject({ kept: '5', deleted: '9' });
    expect(dir.names()).toHaveLength(15);
  });

  test('keeps the backup of its own run: it is dated later than all others, also than those ahead of its clock', async () => {
    const dir = fresh();
    const ahead = new Date(Math.floor(Date.now() / 1000) * 1000 + 600_000); // within what clocks may differ
    dir.backup(ahead);
    dir.backup(daysAgo(2));
    const result = await scene.run({ directory: dir.path, keep: '1' });
    expect(dir.names()).toEqual(unit(expectBackup(result)));
    expect(Date.parse(result.outputs['created-at'] ?? '')).toBe(ahead.getTime() + 1000);
  });
});

describe('a rotation that is refused', () => {
  test.each([
    [
      'keep-minimum',
      { keep: '1', 'keep-minimum': '3' },
      'keep-minimum: 3 verified backups must remain, but the rules leave 1 of 4',
    ],
    [
      'max-delete',
      { keep: '1', 'max-delete': '2' },
      'max-delete: at most 2 deletions allowed, but the plan deletes 3 of 4 backups',
    ],
  ])('%s: the new backup is kept, nothing is deleted, the gate is closed', async (_name, inputs, said) => {
    const dir = fresh();
    for (const days of [1, 2, 3]) dir.backup(daysAgo(days));
    const before = listing(dir.path);
    const result = await scene.run({ directory: dir.path, ...inputs });
    expectFailure(result, 'E_POLICY', said, 'The backup on the host is good and was kept; nothing was rotated');
    const made = result.outputs['backup-id'] ?? '';
    expect(dir.names()).toEqual([...Object.keys(before), ...unit(made)].sort());
    expect(listing(dir.path)).toMatchObject(before);
    expect(result.outputs).toMatchObject({ kept: '4', deleted: '0' });
    expect(result.visible).toContain('would delete app-');
    expect(result.summary).toContain('was made, but the run failed: E_POLICY');
    expect(dir.status()).toMatchObject({ ok: false, errorCode: 'E_POLICY', deleted: 0, backup: { id: made } });
    await nothingLeft(scene);
    expectBackup(await scene.run({ directory: dir.path, keep: '2' }));
    expect(dir.names()).toHaveLength(6);
  });
});

/** While it is mounted on itself, no process here can delete a file. */
async function undeletable<T>(files: string[], work: () => Promise<T>): Promise<T> {
  for (const file of files) execFileSync('mount', ['--bind', file, file]);
  try {
    return await work();
  } finally {
    for (const file of files) await unmount(file);
  }
}

test('files that can not be deleted are named, and no manifest loses its payload', async () => {
  const dir = fresh();
  const [one, two, three] = [dir.backup(daysAgo(1)), dir.backup(daysAgo(2)), dir.backup(daysAgo(3))];
  const busy = [`${one}.json`, `${two}.sqlite.zst`];
  const result = await undeletable(
    busy.map((name) => join(dir.path, name)),
    () => scene.run({ directory: dir.path, keep: '1' }),
  );
  expectFailure(
    result,
    'E_ROTATE',
    '2 old files could not be deleted',
    ...busy,
    'busy',
    'The new backup is good and was kept',
  );
  const made = result.outputs['backup-id'] ?? '';
  // of `one` everything, since its manifest stayed; of `two` what came before the payload is gone
  expect(dir.names()).toEqual([...unit(made), ...unit(one), ...unit(two).slice(1)].sort());
  const report = reportOf(result);
  expect(report).toMatchObject({ ok: false, kept: 2, deleted: 2, backup: { id: made } });
  expect(report.backups.map((backup) => backup.id)).toEqual([made, one]);
  expect(result.summary).toContain('The plan was carried out only in part');
  expect(dir.status()).toMatchObject({ ok: false, errorCode: 'E_ROTATE', kept: 2, deleted: 2 });
  await nothingLeft(scene);

  // prune tries again, and meets the same
  const again = await undeletable([join(dir.path, `${one}.json`)], () =>
    scene.run({ directory: dir.path, command: 'prune', keep: '1' }),
  );
  expectFailure(again, 'E_ROTATE', `1 old file could not be deleted: ${one}.json`);
  expect(dir.status()).toMatchObject({ command: 'prune', errorCode: 'E_ROTATE', kept: 2, deleted: 0 });
  const last = await scene.run({ directory: dir.path, command: 'prune', keep: '1' });
  expect(last).toMatchObject({ code: 0, outputs: { 'error-code': '', 'backup-ok': 'false', kept: '1', deleted: '1' } });
  // what has lost its manifest may be a good backup: it stays until somebody names it
  expect(dir.names()).toEqual([...unit(made), ...unit(two).slice(1)].sort());
  expect(await scene.run({ directory: dir.path, command: 'delete', backup: two })).toMatchObject({ code: 0 });
  expect(dir.names()).toEqual(unit(made));
  expect(three).not.toBe('');
});
