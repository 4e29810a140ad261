import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type CacheService, startCacheService } from '../helpers/cache-service.js';
import type { ActionResult } from '../helpers/run-action.js';
import { startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

let service: CacheService;
let scene: Scene;

beforeEach(async () => {
  [service, scene] = await Promise.all([startCacheService(), startScene({ transport: 'local' })]);
});

afterEach(async () => {
  await Promise.all([service.stop(), scene.stop()]);
});

const run = (inputs: Record<string, string> = {}, env: Record<string, string> = {}): Promise<ActionResult> =>
  scene.run(inputs, { ...service.env, ...env });

async function backedUp(inputs: Record<string, string> = {}): Promise<string> {
  const result = await run(inputs);
  expect([result.code, result.outputs['backup-ok']]).toEqual([0, 'true']);
  return result.outputs['backup-id'] ?? '';
}

/** As somebody with a shell on the host does. */
function removeByHand(id: string): void {
  for (const file of scene.files().filter((name) => name.startsWith(id))) rmSync(join(scene.directory, file));
}

const problemsOf = (result: ActionResult) => reportOf(result).problems.map(({ level, code }) => [level, code]);

/** The newest ledger, out of what was uploaded. */
function saved(): {
  text: string;
  ledger: { backups: { id: string; onHost: boolean }[]; runs: { command: string }[] };
} {
  const text = execFileSync('tar', ['--zstd', '-xO'], { input: service.archives().at(-1), encoding: 'utf8' });
  return { text, ledger: JSON.parse(text) };
}

test('a backup that somebody has removed is missed, until a person says that it is right', async () => {
  const first = await backedUp();
  const second = await backedUp();
  expect(problemsOf(await run({ command: 'verify' }))).toEqual([]);
  removeByHand(first);

  const verified = await run({ command: 'verify' });
  expect(verified).toMatchObject({
    code: 1,
    outputs: { 'error-code': 'E_NOT_FOUND', 'backup-ok': 'false', healthy: 'false', 'backup-id': second },
  });
  expect(problemsOf(verified)).toEqual([['error', 'E_NOT_FOUND']]);
  expect(verified.visible).toContain(`${second} is intact`);
  expect(verified.annotations.map(({ message }) => message).join()).toContain(`${first} has vanished from`);

  const third = await run();
  expect(third).toMatchObject({ code: 0, outputs: { 'backup-ok': 'true' } });
  expect(problemsOf(third)).toEqual([['warning', 'E_NOT_FOUND']]);

  const health = await run({ command: 'health' });
  expect(health.outputs).toMatchObject({ 'error-code': 'E_UNHEALTHY', healthy: 'false' });
  expect(problemsOf(health)).toContainEqual(['error', 'E_NOT_FOUND']);

  const dry = await run({ command: 'accept', backup: first, 'dry-run': 'true' });
  expect(dry.visible).toContain(`would accept that ${first} is gone`);
  const accepted = await run({ command: 'accept', backup: first });
  expect([accepted.code, problemsOf(accepted)]).toEqual([0, []]);
  expect(accepted.visible).toContain(`accepted that ${first} is gone`);
  expect(accepted.summary).toContain('## ✅ Accepted the loss of a backup of `app`');
  const after = await run({ command: 'verify' });
  expect([after.code, after.outputs['backup-ok'], problemsOf(after)]).toEqual([0, 'true', []]);
  // and by no other
  expect(await run({ command: 'accept', backup: first })).toMatchObject({ outputs: { 'error-code': 'E_NOT_FOUND' } });
});

test('a planted backup silences nothing, and an edited manifest makes no backup less than it was', async () => {
  const keep = { keep: '5' };
  const ids = [await backedUp(keep), await backedUp(keep), await backedUp(keep)];
  const [pinned = '', gone = '', newest = ''] = ids;
  await run({ command: 'pin', backup: pinned, pin: 'for ever' });
  const edit = (id: string, change: object, as = id) => {
    const text = JSON.stringify({ ...scene.manifest(id), ...change }).replaceAll(id, as);
    writeFileSync(join(scene.directory, `${as}.json`), text);
  };
  edit(pinned, { pinned: null, keep: { last: 1 } });
  const edited = await run({ command: 'verify' });
  expect([edited.code, problemsOf(edited)]).toEqual([0, [['warning', 'E_MANIFEST']]]);
  expect(edited.visible).toContain(`${pinned} in ${scene.directory}: no longer pinned`);

  const copy = `${newest.slice(0, -4)}${newest.endsWith('ffff') ? 'fffe' : 'ffff'}`;
  for (const file of scene.files().filter((name) => name.startsWith(newest))) {
    const text = join(scene.directory, file.replace(newest, copy));
    writeFileSync(text, readFileSync(join(scene.directory, file)));
  }
  edit(newest, { keep: { last: 1 } }, copy);
  for (const id of [pinned, gone]) removeByHand(id);
  for (const inputs of [{ command: 'verify' }, { command: 'health' }]) {
    const told = await run(inputs);
    expect(problemsOf(told)).toEqual(
      expect.arrayContaining([
        ['error', 'E_NOT_FOUND'],
        ['warning', 'E_NOT_FOUND'],
      ]),
    );
    expect(told.visible).toContain(`${pinned} has vanished from`);
    expect(told.visible).toContain(`${gone} is gone from`);
  }
  expect((await run({ command: 'accept', backup: pinned })).code).toBe(0);
  const doubtful = await run({ command: 'verify' });
  expect([doubtful.code, problemsOf(doubtful)]).toEqual([0, [['warning', 'E_NOT_FOUND']]]);
  expect((await run({ command: 'accept', backup: gone })).visible).toContain(`accepted that ${gone} is gone`);
  expect(problemsOf(await run({ command: 'verify' }))).toEqual([]);
});

test('a pin that was taken out of the manifest, so that the next rotation deletes the backup, is missed', async () => {
  const first = await backedUp({ keep: '1', pin: 'for ever' });
  const path = join(scene.directory, `${first}.json`);
  writeFileSync(path, JSON.stringify({ ...scene.manifest(first), pinned: null }));
  await run({ command: 'prune', keep: '1' });
  const second = await run({ keep: '1' });
  expect([second.code, second.outputs.kept, scene.files().some((name) => name.startsWith(first))]).toEqual([
    0,
    '1',
    false,
  ]);
  expect(problemsOf(second)).toEqual([['warning', 'E_MANIFEST']]);
  const verified = await run({ command: 'verify' });
  expect([verified.code, problemsOf(verified)]).toEqual([1, [['error', 'E_NOT_FOUND']]]);
  expect(verified.visible).toContain(`${first} has vanished from`);
});

test('a pin that `unpin` has ended is not missed', async () => {
  const [first, second] = [await backedUp(), await backedUp()];
  await run({ command: 'pin', backup: first, pin: 'for ever' });
  expect((await run({ command: 'unpin', backup: first })).code).toBe(0);
  expect(saved().text).not.toContain('"pinned":true');
  expect(problemsOf(await run({ command: 'verify', backup: second }))).toEqual([]);
});

test('a backup that was replaced, with everything beside it, is told; what a rotation or a person deletes is not', async () => {
  const ids = [await backedUp(), await backedUp(), await backedUp({ keep: '2' }), await backedUp({ keep: '2' })];
  const [, , third = '', fourth = ''] = ids;
  const deleted = await run({ command: 'delete', backup: third });
  expect(deleted.code).toBe(0);
  const restored = await run({ command: 'restore', confirm: 'app.db' });
  expect(restored.code).toBe(0);
  const quiet = await run({ command: 'verify' });
  expect(saved().ledger.runs).toContainEqual(
    expect.objectContaining({ command: 'restore', ms: Number(restored.outputs['restore-ms']) }),
  );
  expect([quiet.code, problemsOf(quiet)]).toEqual([0, []]);

  // the payload, its checksum and its manifest of another database, all of which agree
  const path = join(scene.directory, `${fourth}.json`);
  const manifest = scene.manifest(fourth);
  const payload = join(scene.directory, manifest.file);
  const other = execFileSync('zstd', ['-c'], {
    input: execFileSync('zstd', ['-dc', payload], { maxBuffer: 1e8 }),
    maxBuffer: 1e8,
  });
  const bytes = Buffer.concat([other, execFileSync('zstd', ['-c'], { input: '' })]);
  writeFileSync(payload, bytes);
  const sha256 = execFileSync('sha256sum', [payload], { encoding: 'utf8' }).slice(0, 64);
  writeFileSync(`${payload}.sha256`, `${sha256}  ${manifest.file}\n`);
  writeFileSync(path, JSON.stringify({ ...manifest, sha256, bytes: bytes.length }));

  const verified = await run({ command: 'verify', backup: fourth });
  expect(verified).toMatchObject({ code: 1, outputs: { 'error-code': 'E_CHECKSUM', 'backup-id': fourth } });
  expect(verified.visible).toContain(`${fourth} is intact`);
  expect(verified.visible).toContain('another SHA-256');
  const accepted = await run({ command: 'accept', backup: fourth });
  expect([accepted.code, problemsOf(accepted)]).toEqual([0, []]);
  expect(problemsOf(await run({ command: 'verify', backup: fourth }))).toEqual([]);
});

test('the loss of the directory is one finding, and the charts still show what there was', async () => {
  const ids = [await backedUp(), await backedUp(), await backedUp()];
  rmSync(scene.directory, { recursive: true });
  const verified = await run({ command: 'verify' });
  expect(verified.outputs['error-code']).toBe('E_STALE');
  expect(problemsOf(verified)).toEqual([
    ['error', 'E_NOT_FOUND'],
    ['error', 'E_STALE'],
  ]);
  expect(verified.summary.match(/no longer kept/g)).toHaveLength(2);

  const fourth = await run();
  expect(problemsOf(fourth)).toEqual([['warning', 'E_NOT_FOUND']]);
  expect(fourth.outputs.report).toContain('has no backups any more');
  for (const id of ids) expect(fourth.outputs.report).toContain(id);
  expect(fourth.visible).toContain('such a backup usually takes');
  expect(reportOf(fourth).remembered).toHaveLength(3);
  // of each size one that is there, and three that are grey; in which order is for seconds to say
  const bars = [...fourth.summary.matchAll(/bar \[(.*)\]/g)].map(([, sizes = '']) => sizes.split(', '));
  expect(bars.map((sizes) => sizes.filter((size) => size !== '0').length)).toEqual([1, 3, 1, 3]);
});

test('what is saved tells nothing of hosts, paths and tables; each run that may change something saves once', async () => {
  const ssh = await startScene({ mb: 0 });
  try {
    const bin = join(ssh.user.home, 'bin');
    mkdirSync(bin);
    for (const tool of ['tar', 'zstd', 'zstdmt']) {
      const script = `#!/bin/sh\nenv >>${bin}/env\nexec /usr/bin/${tool} "$@"\n`;
      writeFileSync(join(bin, tool), script, { mode: 0o755 });
    }
    const result = await ssh.run({}, { ...service.env, PATH: `${bin}:${process.env.PATH}` });
    expect(result.code).toBe(0);
    expect(readFileSync(join(bin, 'env'), 'utf8')).not.toMatch(/^INPUT_|PRIVATE KEY/m);
    const { text, ledger } = saved();
    const { inputs, user, directory } = ssh;
    const outside = [inputs.host, inputs.port, user.name, user.home, directory, ssh.database, hostname(), 'sqlite3'];
    for (const word of [...outside, ...reportOf(result).tables.map(({ name }) => JSON.stringify(name))]) {
      expect([word, text.includes(word ?? '')]).toEqual([word, false]);
    }
    expect(ledger.backups.map(({ id }) => id)).toEqual([result.outputs['backup-id']]);
    expect(service.keys()).toEqual([expect.stringMatching(/^db-backup-ledger-v1-app-[0-9a-f]{12}-\d{17}-1-1-backup$/)]);
  } finally {
    await ssh.stop();
  }
  // another host is another ledger
  const id = await backedUp();
  expect(saved().ledger.backups).toMatchObject([{ id, onHost: true }]);
  const keys = () => service.keys().length;
  const before = keys();
  await run({ command: 'list' });
  await run({ 'dry-run': 'true' });
  expect(keys()).toBe(before);
  await run({ command: 'pin', backup: id, pin: 'for ever' });
  await run({ command: 'prune' });
  expect(keys()).toBe(before + 2);
  expect(saved().ledger.runs.map(({ command }) => command)).toEqual(['prune', 'pin', 'backup']);
});

test('a copy that somebody has removed from the store is missed', async () => {
  const s3 = await startS3Double();
  try {
    const store = { ...s3.inputs, 's3-keep': '5' };
    const first = await backedUp(store);
    await backedUp(store);
    for (const key of s3.keys().filter((name) => name.includes(first))) s3.bucket.delete(key, null);
    const third = await run(store);
    expect([third.code, problemsOf(third)]).toEqual([0, [['warning', 'E_NOT_FOUND']]]);
    expect(third.visible).toContain(`${first} has vanished from s3://`);
    // who does not look there does not know
    expect(problemsOf(await run({ command: 'verify' }))).toEqual([]);
    expect(problemsOf(await run({ command: 'accept', backup: first }))).toEqual([]);
    expect(problemsOf(await run(store))).toEqual([]);
    expect(saved().text).not.toContain(s3.inputs['s3-bucket'] ?? 'shop-backups');
  } finally {
    await s3.stop();
  }
});

test('the first run that succeeds after one that failed says so', async () => {
  const failed = await run({ 'min-free': '900TiB' });
  expect(failed.outputs['error-code']).toBe('E_NOSPACE');
  const good = await run();
  expect(reportOf(good).notes).toEqual([
    expect.stringMatching(/^this backup succeeded; the previous one, of .*, failed with E_NOSPACE$/),
  ]);
  expect(reportOf(await run()).notes).toEqual([]);
});

describe('where it can not be kept', () => {
  const outcomeOf = ({ code, outputs, annotations }: ActionResult) => [
    code,
    annotations,
    outputs['backup-ok'],
    outputs['error-code'],
    outputs.kept,
  ];
  const GOOD = [0, [], 'true', '', '1'];

  test('no service, or `ledger: false`: all else works', async () => {
    const none = await scene.run();
    expect(outcomeOf(none)).toEqual(GOOD);
    expect(none.visible.match(/^ledger: .*$/gm)).toEqual([
      'ledger: this runner has no cache service, so nothing is remembered off the host; everything else works',
    ]);
    rmSync(scene.directory, { recursive: true });
    const off = await run({ ledger: 'false' });
    expect(outcomeOf(off)).toEqual(GOOD);
    expect(off.visible).not.toContain('ledger');
    expect(service.calls).toEqual([]);
  });

  test('a service that refuses: all else works, and nothing is saved over what could not be read', async () => {
    await backedUp();
    rmSync(scene.directory, { recursive: true });
    const before = service.keys();
    for (const env of [{ ACTIONS_RUNTIME_TOKEN: 'another' }, { ACTIONS_RESULTS_URL: 'http://127.0.0.1:1/' }]) {
      const result = await run({}, env);
      expect(outcomeOf(result)).toEqual(GOOD);
      expect(result.visible.match(/^ledger: it remembers nothing of app: Failed to restore/gm)).toHaveLength(1);
      rmSync(scene.directory, { recursive: true });
    }
    expect(service.keys()).toEqual(before);
  });

  test('a service that is silent costs 8 s at most, and the process ends', async () => {
    service.behave('silent');
    const started = performance.now();
    const result = await run();
    expect(outcomeOf(result)).toEqual(GOOD);
    expect(result.visible).toContain('did not answer within 8 s');
    expect(performance.now() - started).toBeLessThan(60_000);
  });

  test('a ledger that somebody else has written is as good as none', async () => {
    await backedUp();
    const [key = ''] = service.keys();
    const dir = scene.user.home;
    writeFileSync(join(dir, 'x'), '{"schema":1,"backups":[{"id":"::error::"},7],"runs":"##[error]"}');
    execFileSync('tar', ['--zstd', '-cf', join(dir, 'x.tar'), '-C', dir, 'x']);
    service.forge(`${key}-forged`, readFileSync(join(dir, 'x.tar')));
    const result = await run();
    expect([result.code, result.annotations, problemsOf(result)]).toEqual([0, [], []]);
    // nor does one that is no file at all end it
    execFileSync('mkfifo', [join(dir, 'fifo')]);
    const fifo = execFileSync('tar', ['--zstd', '-c', '-C', dir, 'fifo']);
    service.forge(`${key}-fifo`, fifo);
    const anew = await run();
    expect([anew.code, anew.annotations]).toEqual([0, []]);
    expect(anew.visible).toContain('it remembers nothing of app: the saved entry is not a ledger; it starts again');
    expect(saved().ledger.backups).toHaveLength(3);
  });
});
