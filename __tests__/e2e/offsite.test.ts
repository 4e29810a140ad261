import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { leftOnHost } from '../helpers/invariants.js';
import { withSh } from '../helpers/posix-sh.js';
import { sampleArgv } from '../helpers/processes.js';
import { type ActionResult, runAction } from '../helpers/run-action.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

// The copy in an S3 store, against a strict double; against real stores in offsite-servers.test.ts.

let scene: Scene;
let s3: S3Double;
/** 20 MB that do not compress: three parts. */
const DEBUG = { ACTIONS_STEP_DEBUG: 'true', RUNNER_DEBUG: '1' };
const BIG = { compression: 'none' };
beforeAll(async () => {
  [scene, s3] = await Promise.all([startScene({ mb: 20 }), startS3Double({ versioning: true })]);
});
afterEach(() => s3.clear());
afterAll(async () => {
  await scene.stop();
  await s3.stop();
});

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** Expects payload and manifest in the store as they are on the host, and nothing unfinished. */
function expectCopied(result: ActionResult, prefix = ''): string {
  const id = expectBackup(result);
  const { file, sha256: wanted } = scene.manifest(id);
  const keys = [`${prefix}app/${id}.json`, `${prefix}app/${file}`];
  expect(s3.keys()).toEqual(expect.arrayContaining(keys));
  const payload = s3.bucket.need(`${prefix}app/${file}`, null);
  expect(sha256(payload.body)).toBe(wanted);
  expect(payload.headers['x-amz-meta-sha256']).toBe(wanted);
  const manifest = s3.bucket.need(`${prefix}app/${id}.json`, null);
  expect(manifest.body.toString()).toBe(readFileSync(join(scene.directory, `${id}.json`), 'utf8'));
  expect([...s3.uploads]).toEqual([]);
  expect(result.outputs).toMatchObject({
    's3-uri': `s3://shop-backups/${prefix}app/${file}`,
    's3-version-id': payload.versionId ?? '',
  });
  return id;
}

const PARTS = { host: [1, 2], runner: [1, 2, 3, 4, 5] };

describe.each(['host', 'runner'] as const)('through the %s', (via) => {
  test('the payload, then the manifest, read back, before anything is rotated', async () => {
    await scene.run(BIG);
    const rules = { keep: '1', 'keep-made-under': 'false' };
    const result = await scene.run({ ...s3.inputs, ...BIG, 's3-upload-via': via, 's3-prefix': 'prod/db', ...rules });
    const id = expectCopied(result, 'prod/db/');
    expect(s3.keys()).toHaveLength(2);
    expect(Number(result.outputs.deleted)).toBeGreaterThan(0);
    expect(reportOf(result)).toMatchObject({ ok: true, kept: 1, offsite: { via, lockedUntil: null } });
    expect(result.visible).toMatch(/upload: 2\d(\.\d)? MB in /);
    expect(result.summary).toContain('Off-site');

    const puts = s3.requests.filter(({ method }) => method === 'PUT');
    const numbers = puts.map(({ query }) => Number(query.get('partNumber')));
    expect(numbers.slice(0, -1).sort()).toEqual(PARTS[via]);
    expect(puts.at(-1)?.key).toBe(`prod/db/app/${id}.json`);
    expect(s3.requests.filter(({ error }) => error !== null).map(({ method }) => method)).toEqual(
      // nothing is there before; whether the host reaches the store is asked without a signature
      via === 'host' ? ['HEAD', 'HEAD', 'HEAD'] : ['HEAD', 'HEAD'],
    );
    expect(await leftOnHost(scene)).toEqual([]);
  });

  test('a local host is its own runner', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dbb-local-'));
    try {
      const local = { transport: 'local', database: scene.database, directory: folder, 's3-upload-via': via };
      const id = expectBackup(await runAction({ ...local, ...s3.inputs, 'run-as': scene.user.name }));
      expect(s3.keys()).toEqual([`app/${id}.json`, `app/${id}.sqlite.zst`]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test.each(['bash', 'busybox'] as const)('the host uploads also where sh is %s', async (shell) => {
  const other = await startScene({ mb: 20, sshd: { wrapper: withSh(shell) } });
  try {
    const result = await other.run({ ...s3.inputs, ...BIG, 's3-upload-via': 'host' });
    const id = expectBackup(result);
    const { file, sha256: wanted } = other.manifest(id);
    expect(sha256(s3.bucket.need(`app/${file}`, null).body)).toBe(wanted);
    expect(await leftOnHost(other)).toEqual([]);
  } finally {
    await other.stop();
  }
});

test('the memory of the runner stays flat', async () => {
  const large = await startScene({ mb: 150 });
  const store = await startS3Double({ discard: true });
  try {
    // that store forgets what it was given, so there is nothing to rotate
    const inputs = { ...store.inputs, ...BIG, verify: 'checksum', 's3-upload-via': 'runner', 's3-keep': 'none' };
    const action = large.start(inputs);
    let peak = 0;
    const sampler = setInterval(() => {
      peak = Math.max(peak, peakKib(action.child.pid) * 1024);
    }, 50);
    const result = await action.result();
    clearInterval(sampler);
    expectBackup(result);
    expect(Number(result.outputs.bytes)).toBeGreaterThan(150_000_000);
    expect(peak).toBeGreaterThan(50_000_000);
    expect(peak).toBeLessThan(200_000_000);
  } finally {
    await large.stop();
    await store.stop();
  }
});

/** The most that a process has had in memory; 0 when it is gone. */
function peakKib(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

test('no key and no signed URL is on a command line, in a file of the host, or told', async () => {
  const argv = sampleArgv();
  const result = await scene.run({ ...s3.inputs, ...BIG, 's3-upload-via': 'host', 's3-session-token': '' }, DEBUG);
  const seen = argv.stop().join('\n');
  expectCopied(result);
  expect(seen).toContain('curl');
  const everything = {
    seen,
    log: result.log.replace(/^::add-mask::.*$/gm, ''),
    outputs: JSON.stringify(result.outputs),
  };
  const files = readdirSync(scene.directory, { recursive: true, encoding: 'utf8' }).filter(
    (name) => !/sqlite/.test(name),
  );
  const texts = [...files.map((name) => join(scene.directory, name))].filter((file) => statSync(file).isFile());
  const all = { ...everything, summary: result.summary, files: texts.map((file) => readFileSync(file, 'utf8')).join() };
  for (const [place, text] of Object.entries(all)) {
    for (const secret of ['X-Amz-Signature', s3.inputs['s3-secret-access-key'], s3.inputs['s3-access-key-id']]) {
      expect({ place, has: text.includes(secret ?? '?') }).toEqual({ place, has: false });
    }
  }
});

test('small backups, and buckets without versions', async () => {
  const plain = await startS3Double();
  try {
    const result = await scene.run({ ...plain.inputs, 's3-storage-class': 'STANDARD_IA', 's3-sse': 'AES256' });
    const id = expectBackup(result);
    expect(result.outputs).toMatchObject({ 's3-version-id': '' });
    const [manifest, payload] = plain.keys().map((key) => plain.bucket.need(key, null).headers);
    expect(payload).toMatchObject({ 'x-amz-storage-class': 'STANDARD_IA', 'x-amz-server-side-encryption': 'AES256' });
    expect(manifest).not.toHaveProperty('x-amz-storage-class');
    expect(plain.keys()).toEqual([`app/${id}.json`, `app/${id}.sqlite.zst`]);
  } finally {
    await plain.stop();
  }
});

describe('a backup that is young enough', () => {
  test('is copied when the store does not have it, and not sent twice', async () => {
    const id = expectBackup(await scene.run());
    const inputs = { ...s3.inputs, 'skip-if-younger-than': '1h' };
    expectCopied(await scene.run(inputs));
    const requests = s3.requests.length;
    const again = await scene.run(inputs);
    expect(expectCopied(again)).toBe(id);
    expect(reportOf(again).offsite).toMatchObject({ via: 'none' });
    expect(s3.requests.slice(requests).map(({ method }) => method)).toEqual(['GET', 'HEAD']);
  });

  test('of which the store has other bytes is not good enough, and they are not overwritten', async () => {
    const id = expectBackup(await scene.run());
    const body = Buffer.from('something else');
    s3.bucket.put(`app/${id}.sqlite.zst`, { body, bytes: body.length, md5: '' }, '', {});
    const result = await scene.run({ ...s3.inputs, 'skip-if-younger-than': '1h' });
    expectFailure(result, 'E_S3_VERIFY', 'it has 14 bytes', 'The backup on the host is good and was kept');
    expect(s3.keys()).toEqual([`app/${id}.sqlite.zst`]);
  });
});

describe('auto', () => {
  const without = async (wrapper: string[] | null, config = ''): Promise<ActionResult> => {
    const sshd = wrapper === null ? { extraConfig: config } : { wrapper };
    const other = await startScene({ sshd });
    try {
      return await other.run(s3.inputs);
    } finally {
      await other.stop();
    }
  };

  test('takes the host when it can', async () => {
    const result = await scene.run(s3.inputs);
    expectCopied(result);
    expect(reportOf(result).offsite?.via).toBe('host');
  });

  test('goes through the runner when the host has no curl, and says so', async () => {
    const script = 'mount --bind /dev/null /usr/bin/curl; exec "$@"';
    const result = await without(['unshare', '-m', 'sh', '-c', script, 'without-curl']);
    expectBackup(result);
    expect(reportOf(result).offsite?.via).toBe('runner');
    expect(result.visible).toContain('through the runner, because the host cannot upload: it has no curl');
  });

  test('goes through the runner when the host does not reach the store, and says so', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dbb-curl-'));
    chmodSync(folder, 0o755);
    const curl = '#!/bin/sh\necho "curl: (7) Failed to connect: Connection refused" >&2\nexit 7\n';
    writeFileSync(join(folder, 'curl'), curl, { mode: 0o755 });
    try {
      const config = `SetEnv PATH=${folder}:/usr/local/bin:/usr/bin:/bin`;
      const result = await without(null, config);
      expectBackup(result);
      expect(reportOf(result).offsite?.via).toBe('runner');
      expect(result.visible).toMatch(
        /because the host cannot upload: it does not reach the store: .*Connection refused/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test('a dry run says where the copy would go, and only looks', async () => {
  const result = await scene.run({ ...s3.inputs, 's3-prefix': 'p', 'dry-run': 'true' });
  expect(result.code).toBe(0);
  expect(result.visible).toContain('would copy it to s3://shop-backups/p/app/');
  expect(reportOf(result).checked.find(({ what }) => what === 'Store')?.found).toMatch(
    /^s3:\/\/shop-backups\/p\/app\/ can be read, and has 0 copies of this database/,
  );
  expect(s3.requests.map(({ method, query }) => [method, query.get('prefix')])).toEqual([['GET', 'p/app/']]);
});

test('an after-command that failed takes nothing from the copy, and the run has its one line in the history', async () => {
  const history = () => readFileSync(join(scene.directory, 'history.jsonl'), 'utf8').trimEnd().split('\n');
  const known = existsSync(join(scene.directory, 'history.jsonl')) ? history().length : 0;
  const result = await scene.run({ ...s3.inputs, 'after-command': 'exit 3' });
  expectFailure(result, 'E_HOOK', 'the application may still be in maintenance mode');
  const { offsite, backup } = reportOf(result);
  expect(offsite?.uri).toMatch(/^s3:\/\/shop-backups\/app\/app-/);
  expect(s3.keys()).toHaveLength(2);
  const lines = history()
    .slice(known)
    .map((line) => JSON.parse(line) as unknown);
  expect(lines).toEqual([expect.objectContaining({ result: 'E_HOOK', backup: backup?.id })]);
});
