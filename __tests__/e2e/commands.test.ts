import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { formatAge } from '../../src/reporting/format.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, listing, SeededDirectory } from '../helpers/seed.js';

let scene: Scene;
let count = 0;
beforeAll(async () => {
  scene = await startScene();
});
afterAll(() => scene.stop());

const fresh = () => new SeededDirectory(scene, join(scene.user.home, `backups-${++count}`));
const unit = (id: string) => [`${id}.json`, `${id}.sqlite.zst`, `${id}.sqlite.zst.sha256`];
const run = (dir: SeededDirectory, command: string, inputs: Record<string, string> = {}) =>
  scene.run({ directory: dir.path, command, ...inputs });

const GITHUB = { repository: 'o/r', ref: '', runId: '1', runUrl: '', actor: '', event: '' };

/** What a command that did its work must look like: green, and the gate closed all the same. */
const done = { code: 0, outputs: { 'error-code': '', 'backup-ok': 'false' }, legacyOutputs: [], fileErrors: [] };

describe('dry-run', () => {
  test('and list write nothing, with every command', async () => {
    const dir = fresh();
    const ids = [1, 2, 3].map((days) => dir.backup(daysAgo(days)));
    dir.backup(daysAgo(9), { without: ['manifest'] });
    await run(dir, 'unpin', { backup: ids[0] ?? '' }); // makes .work, as a directory in use has it
    const before = [listing(dir.path), listing(scene.user.home), listing(join(scene.database, '..'))];

    const dry = { 'dry-run': 'true' };
    const backup = await run(dir, 'backup', { ...dry, keep: '2' });
    expect(backup).toMatchObject(done);
    expect(backup.visible).toContain(`would copy ${scene.database}`);
    expect(backup.visible).toContain(`would keep ${ids[0]}: last 2 of 2`);
    expect(backup.visible).toContain(`would delete ${ids[1]}: no rule keeps it`);
    expect(backup.summary).toContain(
      'Dry run, nothing was changed: everything that a backup of `app` needs is in place, 2 would be deleted, 1 kept',
    );
    // What was looked at, and what it is, so that nobody takes the green for more.
    expect(reportOf(backup).checked.map(({ what, found }) => `${what}: ${found}`)).toEqual([
      `Login: ${scene.user.name}, at 127.0.0.1:${scene.sshd.port}, with a known host key`,
      "Clock of the host: same as the runner's",
      expect.stringMatching(new RegExp(`^Database, and the tool for it: ${scene.database} with sqlite3 3\\..* MB$`)),
      expect.stringMatching(/^Compression: .*\d/),
      'Encryption: none',
      `Backup directory: ${dir.path} exists, and only ${scene.user.name} can write to it; it has 3 backups of this database`,
      'Lock of the directory: free',
      expect.stringMatching(/^Space: .* free$/),
      'Not checked: if the whole database can be read, which only a backup shows',
    ]);
    expect(backup.visible.trimEnd().split('\n').at(-1)).toMatch(
      /^⚠ Dry run, nothing was changed: everything that a backup of app needs is in place/,
    );
    expect(backup.summary).toContain('### Checked\n\n| What a backup needs | Found |');
    expect(reportOf(backup)).toMatchObject({ dryRun: true, ok: true, backup: null, deleted: 0, kept: 3 });

    // a pinned backup fills no place of a rule
    const pinning = await run(dir, 'backup', { ...dry, keep: '2', pin: 'why' });
    expect(pinning.visible).toContain(`would keep ${ids[1]}: last 2 of 2`);

    const refused = await run(dir, 'backup', { ...dry, keep: '1', 'max-delete': '2' });
    expect(refused.visible).toContain(
      'the rotation would be refused: max-delete: at most 2 deletions allowed, but the plan deletes 3',
    );

    const skipping = await run(dir, 'backup', { ...dry, 'skip-if-younger-than': '9d' });
    expect(skipping).toMatchObject(done);
    expect(skipping.summary).toContain('no backup of `app` would be taken, because one is young enough');

    const prune = await run(dir, 'prune', { ...dry, keep: '2' });
    expect(prune).toMatchObject(done);
    expect(prune.visible).toContain(`would delete ${ids[2]}: no rule keeps it`);
    expect(prune.summary).toContain('of the backups of `app`, 1 would be deleted, 2 kept');
    expect(reportOf(prune).retention).toHaveLength(3);
    const prunes = await run(dir, 'prune', { ...dry, keep: '1', 'keep-minimum': '2' });
    expect(prunes).toMatchObject(done);
    expect(prunes.visible).toContain('this plan would be refused: keep-minimum');

    const deletes = await run(dir, 'delete', { ...dry, backup: ids[1] ?? '' });
    expect(deletes).toMatchObject(done);
    expect(deletes.visible).toContain(`would delete ${unit(ids[1] ?? '').join(', ')}`);
    expect(deletes.summary).toContain(`\`${ids[1]}\` would be deleted`);
    expect(deletes.outputs['backup-id']).toBe(ids[1]);

    const pins = await run(dir, 'pin', { ...dry, backup: ids[1] ?? '', pin: 'why' });
    expect(pins).toMatchObject(done);
    expect(pins.visible).toContain(`would pin ${ids[1]}: why`);
    expect((await run(dir, 'unpin', { ...dry, backup: ids[1] ?? '' })).visible).toContain(`would unpin ${ids[1]}`);

    expect(await run(dir, 'list')).toMatchObject(done);
    expect([listing(dir.path), listing(scene.user.home), listing(join(scene.database, '..'))]).toEqual(before);
    await nothingLeft(scene);
  });

  test.each([
    ['list', {}],
    ['backup', { 'dry-run': 'true' }],
    ['prune', { 'dry-run': 'true' }],
    ['prune', {}],
  ])('%s %j creates nothing where there is no directory', async (command, inputs) => {
    const before = listing(scene.user.home);
    const result = await scene.run({ directory: 'not/there', command, ...inputs });
    expect(result).toMatchObject(done);
    expect(result.visible).toContain(`${scene.user.home}/not/there does not exist`);
    expect(reportOf(result)).toMatchObject({ backups: [], kept: 0, directory: `${scene.user.home}/not/there` });
    expect(listing(scene.user.home)).toEqual(before);
  });

  test.each(['delete', 'pin', 'unpin'])(
    '%s of a backup where there is no directory creates nothing',
    async (command) => {
      const before = listing(scene.user.home);
      const backup = 'app-20260101T000000Z-0001';
      for (const dryRun of sample(['false', 'true'], 1)) {
        const inputs = { directory: 'not/there', command, backup, 'dry-run': dryRun };
        const result = await scene.run(command === 'pin' ? { ...inputs, pin: 'why' } : inputs);
        expectFailure(result, 'E_NOT_FOUND', backup, 'There are no backups at all', /Nothing was (changed|deleted)/);
      }
      expect(listing(scene.user.home)).toEqual(before);
    },
  );
});

test('list tells of every backup, good and bad, newest first', async () => {
  const dir = fresh();
  const pinned = { reason: 'audit of 2026', at: '2026-01-01T00:00:00Z' };
  const [old, torn, newest] = [
    dir.backup(daysAgo(3), { manifest: { pinned } }),
    dir.backup(daysAgo(2), { payload: 'x', manifest: { bytes: 2 } }),
    dir.backup(daysAgo(1), { manifest: { github: { ...GITHUB, sha: 'abcdef0123456789' } } }),
  ];
  const result = await run(dir, 'list');
  expect(result).toMatchObject(done);
  const report = reportOf(result);
  expect(report.backups.map((backup) => [backup.id, backup.state])).toEqual([
    [newest, 'ok'],
    [torn, 'damaged'],
    [old, 'ok'],
  ]);
  const age = Math.floor((Date.now() - daysAgo(1).getTime()) / 1000);
  expect(Number(result.outputs['newest-age-seconds'])).toBeGreaterThan(age - 60);
  expect(Number(result.outputs['newest-age-seconds'])).toBeLessThanOrEqual(age);
  expect(result.outputs).toMatchObject({ kept: '3', deleted: '0', 'backup-id': '', 'verified-level': 'none' });
  expect(result.visible).toMatch(
    new RegExp(`${newest}  .* B  tables: 2, rows: 12  commit: abcdef0  verified: content\\n`),
  );
  expect(report.backups[0]).toMatchObject({ tables: 2, rows: 12, commit: 'abcdef012345' });
  // it was made at a fixed hour of yesterday: 14 hours or a day, by when this runs
  const told = formatAge(Number(result.outputs['newest-age-seconds']) * 1000);
  expect(result.visible.trimEnd()).toMatch(
    new RegExp(`\\n⚠ 3 backups of app, 1 not verified, the newest is ${told} old, with 1 problem$`),
  );
  expect(result.visible).toMatch(
    new RegExp(`${torn}  2 B  tables: 2, rows: 12  damaged: ${torn}.sqlite.zst has 1 byte`),
  );
  expect(result.visible).toMatch(new RegExp(`${old} .*pinned: audit of 2026`));
  expect(result.summary).toContain('3 backups of `app`, 1 not verified');
  expect(result.summary).toContain('⚠️ damaged');
  expect(result.summary).toContain('audit of 2026');
});

describe('delete', () => {
  test('deletes the one backup, and nothing else', async () => {
    const dir = fresh();
    const [one, two] = [dir.backup(daysAgo(1)), dir.backup(daysAgo(2))];
    const result = await run(dir, 'delete', { backup: two });
    expect(result).toMatchObject(done);
    expect(result.outputs).toMatchObject({ 'backup-id': two, kept: '1', deleted: '1' });
    expect(dir.names()).toEqual(unit(one));
    expect(result.summary).toContain(`Deleted backup \`${two}\` of \`app\``);
    expect(dir.status()).toMatchObject({ command: 'delete', ok: true, deleted: 1 });
    await nothingLeft(scene);
  });

  test('refuses an unknown one, a pinned one, the last verified one, and to go below keep-minimum', async () => {
    const dir = fresh();
    const pinned = { reason: 'audit', at: '2026-01-01T00:00:00Z' };
    const keep = dir.backup(daysAgo(4), { manifest: { pinned } });
    const broken = dir.backup(daysAgo(2), { payload: '', manifest: { bytes: 1 } });
    const unknown = 'app-20200101T000000Z-0001';
    const refuse = async (backup: string, code: string, ...says: string[]) => {
      const before = listing(dir.path);
      expectFailure(await run(dir, 'delete', { backup }), code, ...says);
      const {
        '.work': _work,
        '.work/lock': _lock,
        '.work/holder': _holder,
        'history.jsonl': _history,
        'status.json': _status,
        ...after
      } = listing(dir.path);
      expect(before).toMatchObject(after);
      expect(dir.status()).toMatchObject({ command: 'delete', ok: false, errorCode: code });
    };
    await refuse(unknown, 'E_NOT_FOUND', unknown, `The newest are ${broken}, ${keep}`, 'Nothing was deleted');
    await refuse(keep, 'E_POLICY', `${keep} is pinned: audit`, '`command: unpin` first', 'Nothing was deleted');
    await run(dir, 'unpin', { backup: keep });
    await refuse(keep, 'E_POLICY', `${keep} is the last verified backup`, 'Take a new backup first');
    expect(await run(dir, 'delete', { backup: broken })).toMatchObject(done);
    const second = dir.backup(daysAgo(1));
    const tooFew = await run(dir, 'delete', { backup: second, 'keep-minimum': '2' });
    expectFailure(tooFew, 'E_POLICY', `deleting ${second} would leave 1 verified backup, fewer than keep-minimum (2)`);
    expect(dir.names()).toEqual([...unit(keep), ...unit(second)].sort());
    await nothingLeft(scene);
  });
});

describe('pin', () => {
  test('keeps every field of the manifest, survives prune, and ends with unpin', async () => {
    const dir = fresh();
    const [old] = [dir.backup(daysAgo(9)), dir.backup(daysAgo(1)), dir.backup(daysAgo(2))];
    const file = join(dir.path, `${old}.json`);
    const original = { ...JSON.parse(readFileSync(file, 'utf8')), later: { ever: ['new', 1.5, null] } };
    writeFileSync(file, JSON.stringify(original));

    const reason = 'vor dem Umzug ##[set-output name=backup-ok]true | <b>';
    const pinned = await run(dir, 'pin', { backup: old ?? '', pin: reason });
    expect(pinned).toMatchObject(done);
    const after = JSON.parse(readFileSync(file, 'utf8'));
    expect(after).toEqual({ ...original, pinned: { reason, at: expect.any(String) } });
    expect(Math.abs(Date.parse(after.pinned.at) - Date.now())).toBeLessThan(120_000);
    expect(pinned.outputs).toMatchObject({ 'backup-id': old, deleted: '0' });
    expect(reportOf(pinned).backups.at(-1)).toMatchObject({ id: old, pinned: reason });
    expect(pinned.summary).toContain(`Pinned backup \`${old}\``);

    const prune = await run(dir, 'prune', { keep: '1' });
    expect(prune).toMatchObject(done);
    expect(prune.outputs).toMatchObject({ kept: '2', deleted: '1' });
    expect(prune.summary).toContain('1 deleted, 2 kept');
    expect(dir.names()).toContain(`${old}.json`);

    expect(await run(dir, 'unpin', { backup: old ?? '' })).toMatchObject(done);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(original);
    expect(await run(dir, 'prune', { keep: '1' })).toMatchObject(done);
    expect(dir.names()).not.toContain(`${old}.json`);
    expect(dir.names()).toHaveLength(3);
    await nothingLeft(scene);
  });
});

describe('the manifest', () => {
  test.each([
    ['push', 'deploy', {}],
    ['schedule', 'scheduled', { pin: 'the first of the month' }],
    ['workflow_dispatch', 'manual', { verify: 'checksum', compression: 'none' }],
  ])('of a run by %s says all that the contract asks for', async (event, reason, inputs) => {
    const directory = join(scene.user.home, event);
    const since = Math.floor(Date.now() / 1000) * 1000;
    const result = await scene.run({ directory, ...inputs }, { GITHUB_EVENT_NAME: event });
    const id = expectBackup(result);
    const manifest = JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8'));
    const packed = !('compression' in inputs);
    const file = `${id}.sqlite${packed ? '.zst' : ''}`;
    const { createdAt, sha256, bytes, databaseBytes, durationMs, verified, recovery, tools } = manifest;
    expect(manifest).toEqual({
      schema: 1,
      id,
      name: 'app',
      engine: 'sqlite',
      kind: 'sqlite',
      file,
      createdAt: result.outputs['created-at'],
      host: hostname(),
      database: scene.database,
      identity: { path: scene.database },
      bytes: Number(result.outputs.bytes),
      sha256: result.outputs.sha256,
      databaseBytes: Number(result.outputs['database-bytes']),
      compression: packed ? 'zstd' : 'none',
      encryption: 'none',
      tools: packed
        ? { sqlite3: expect.stringMatching(/^3\.\d+\.\d+/), zstd: expect.stringContaining('v1.') }
        : { sqlite3: expect.stringMatching(/^3\.\d+\.\d+/) },
      content:
        event === 'workflow_dispatch'
          ? null
          : {
              tables: [
                { name: 'a', rows: 0 },
                { name: 'b', rows: 0 },
                { name: 'blobs', rows: 256 },
              ],
              pageSize: 4096,
              pageCount: databaseBytes / 4096,
              objects: 4,
              foreignKeyViolations: 0,
            },
      verified: { level: result.outputs['verified-level'], at: expect.any(String) },
      durationMs: Number(result.outputs['duration-ms']),
      github: {
        repository: 'owner/repo',
        sha: '0123456789abcdef0123456789abcdef01234567',
        ref: 'refs/heads/main',
        runId: '1',
        runUrl: 'https://github.com/owner/repo/actions/runs/1',
        actor: 'octocat',
        event,
      },
      pinned: 'pin' in inputs ? { reason: inputs.pin, at: expect.any(String) } : null,
      keep: { last: 5 },
      reason,
      recovery: expect.arrayContaining([`cd '${directory}' && sha256sum -c '${file}.sha256'`]),
      mac: null,
    });
    expect(createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Date.parse(createdAt)).toBeGreaterThanOrEqual(since);
    expect(durationMs).toBeGreaterThan(0);
    expect(Date.parse(verified.at) - since).toBeGreaterThanOrEqual(durationMs);
    expect(readFileSync(join(directory, file))).toHaveLength(bytes);
    expect(readFileSync(join(directory, `${file}.sha256`), 'utf8')).toBe(`${sha256}  ${file}\n`);
    expect(Object.keys(tools)).not.toContain('');
    expect(reportOf(result).recovery).toEqual(recovery);
  });
});
