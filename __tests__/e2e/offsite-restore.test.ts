import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { leftOnHost } from '../helpers/invariants.js';
import { sqlite3 } from '../helpers/outcome.js';
import { withSh } from '../helpers/posix-sh.js';
import { sampleArgv } from '../helpers/processes.js';
import { type ActionResult, runAction } from '../helpers/run-action.js';
import { BUCKET, type S3Double, startS3Double } from '../helpers/s3-double.js';
import { SWEEP, sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { temporaryPathsOf } from '../helpers/users.js';

// What is in an S3 store, put back and proven, against a strict double.

type Inputs = Record<string, string>;

let scene: Scene;
let s3: S3Double;
/** A backup with 1, 2, 3 rows in the table t, of some 4 MB that do not compress; in the store as on the host. */
let good: string;
let kept: { key: string; body: Buffer; etag: string; headers: Record<string, string> }[];
let files: string;

beforeAll(async () => {
  [scene, s3] = await Promise.all([startScene({ mb: 4, wal: false }), startS3Double()]);
  live('CREATE TABLE t (n)', 'INSERT INTO t VALUES (1), (2), (3)');
  good = expectBackup(await scene.run({ ...s3.inputs, compression: 'none', 's3-prefix': 'p' }));
  kept = s3.bucket.all();
  files = mkdtempSync(join(tmpdir(), 'dbb-kept-'));
  execFileSync('cp', ['-a', scene.directory, scene.database, files]);
});
beforeEach(() => {
  s3.clear();
  for (const { key, body, etag, headers } of kept)
    s3.bucket.put(key, { body, bytes: body.length, md5: '' }, etag, headers);
  execFileSync('rm', ['-rf', scene.directory, scene.database]);
  execFileSync('cp', ['-a', join(files, 'db-backups'), scene.directory]);
  execFileSync('cp', ['-a', join(files, 'app.db'), scene.database]);
  live('INSERT INTO t VALUES (4)');
});
afterEach(async () => {
  expect(await leftOnHost(scene)).toEqual([]);
  expect(temporary()).toEqual([]);
});
afterAll(async () => {
  await scene?.stop();
  await s3?.stop();
  rmSync(files, { recursive: true });
});

const asOwner = (command: string): string =>
  execFileSync('su', ['-s', '/bin/sh', scene.user.name, '-c', command], { encoding: 'utf8' });
const live = (...sql: string[]): void => {
  asOwner(`sqlite3 -bail '${scene.database}' ${sql.map((one) => `"${one}"`).join(' ')}`);
};
const content = (path = scene.database): string => sqlite3(path, 'SELECT group_concat(n) FROM t').trim();
const lose = (...ends: string[]): void => {
  for (const end of ends) rmSync(join(scene.directory, `${good}${end}`));
};
const store = (key: string, body: Buffer, headers: Record<string, string> = {}): string => {
  const md5 = createHash('md5').update(body).digest('hex');
  s3.bucket.put(key, { body, bytes: body.length, md5 }, md5, headers);
  return `s3://${BUCKET}/${key}`;
};
const uri = (): string => `s3://${BUCKET}/p/app/${good}.sqlite`;
const isPayload = ({ method, key }: { method: string; key: string }): boolean =>
  method === 'GET' && key.endsWith('.sqlite');
const payloads = () => s3.requests.filter(isPayload);
/** What is left of dry runs and curl. */
const temporary = (): string[] => temporaryPathsOf(scene.user.uid);
const inputs = (via = 'auto'): Inputs => ({ ...s3.inputs, 's3-prefix': 'p', 's3-upload-via': via });
const restore = (more: Inputs = {}): Promise<ActionResult> =>
  scene.run({ ...inputs(), command: 'restore', confirm: 'app.db', ...more });
const verify = (more: Inputs = {}): Promise<ActionResult> => scene.run({ ...inputs(), command: 'verify', ...more });

function expectRestored(result: ActionResult): void {
  expect(result.annotations.filter(({ level }) => level === 'error')).toEqual([]);
  expect({ code: result.code, ...result.outputs }).toMatchObject({
    ...{ code: 0, 'error-code': '', 'restore-outcome': 'restored', 'backup-id': good },
    ...{ 's3-uri': uri(), 'backup-path': uri() },
  });
  expect(content()).toBe('1,2,3');
}

describe.each(['host', 'runner'])('through the %s', (via) => {
  test('a restore of what s3:// names, which is not published on the host', async () => {
    const before = readdirSync(scene.directory).sort();
    const argv = sampleArgv();
    const result = await restore({ backup: uri(), 's3-upload-via': via });
    const seen = argv.stop().join('\n');
    expectRestored(result);
    expect(reportOf(result).offsite).toMatchObject({ via });
    expect(result.visible).toMatch(/fetch: 4\.\d+ MB in /);
    expect(result.summary).toContain(via === 'host' ? 'fetched by the host' : 'fetched through the runner');
    const safety = result.outputs['safety-backup-id'] ?? '?';
    expect(
      readdirSync(scene.directory)
        .filter((name) => !name.startsWith(safety))
        .sort(),
    ).toEqual(before);
    for (const text of [seen, result.log.replace(/^::add-mask::.*$/gm, '')])
      expect(text).not.toContain('X-Amz-Signature');
    if (via === 'host') expect(seen).toContain('curl');
  });

  test('what breaks off is taken up again where it ended', async () => {
    let cuts = 0;
    s3.fail(isPayload, { after: 1_000_000, before: () => cuts++ }, 2);
    s3.fail(isPayload, { status: 503, code: 'SlowDown' }, via === 'host' ? 2 : 1);
    expectRestored(await restore({ backup: uri(), 's3-upload-via': via }));
    expect(cuts).toBe(2);
    const ranges = payloads().map(({ headers }) => headers.range ?? '');
    expect(ranges.at(-1)).toMatch(/^bytes=[12]\d{6}-$/);
  });

  // what follows is not about the way
  if (via === 'runner') return;

  test('an object that is replaced while it is read', async () => {
    const other = (): void => void store(`p/app/${good}.sqlite`, Buffer.alloc(kept[1]?.body.length ?? 0));
    s3.fail(isPayload, { after: 1_000_000, before: other }, 1);
    const result = await restore({ backup: uri(), 's3-upload-via': via });
    expectFailure(result, 'E_CHECKSUM', 'it was replaced during the download', 'Do not rely on that copy');
    expect(content()).toBe('1,2,3,4');
  });

  test('other bytes than those that the manifest says are read by no tool', async () => {
    const [manifest, payload] = kept;
    const bytes = Buffer.from(payload?.body ?? '');
    bytes.writeUInt8(bytes.readUInt8(2_000_000) ^ 1, 2_000_000);
    store(payload?.key ?? '', bytes, payload?.headers);
    const result = await restore({ backup: uri(), 's3-upload-via': via });
    expectFailure(
      result,
      'E_CHECKSUM',
      'is not the object that was uploaded: the SHA-256 of the download is',
      'was removed before anything read it',
    );
    expect(content()).toBe('1,2,3,4');
    expect(manifest?.key).toMatch(/json$/);
  });

  test('a store that gives up in the middle', async () => {
    s3.fail(isPayload, { after: 1_000_000 }, 1);
    s3.fail(isPayload, {
      status: 503,
      code: 'ServiceUnavailable',
    });
    const result = await restore({ backup: uri(), 's3-upload-via': via });
    expectFailure(result, 'E_S3_UNAVAILABLE', /reading s3:.*HTTP 503 ServiceUnavailable/, 'Nothing was restored');
    expect(content()).toBe('1,2,3,4');
  });

  test('a token that expires in the middle', async () => {
    s3.fail(isPayload, { after: 1_000_000 }, 1);
    s3.fail(isPayload, { status: 400, code: 'ExpiredToken' });
    expectFailure(await verify({ backup: uri(), 's3-upload-via': via }), 'E_S3_AUTH', 'the credentials have expired');
  });

  test('a dry run leaves nothing, also where there is no backup directory', async () => {
    rmSync(scene.directory, { recursive: true });
    const result = await restore({ backup: uri(), 's3-upload-via': via, 'dry-run': 'true', confirm: '' });
    expect({ code: result.code, error: result.outputs['error-code'] }).toEqual({ code: 0, error: '' });
    expect(reportOf(result).restore?.plan?.tables).toContainEqual({ name: 't', live: 4, backup: 3 });
    expect([existsSync(scene.directory), content()]).toEqual([false, '1,2,3,4']);
  });

  test('a new, empty host, from the store alone', async () => {
    rmSync(scene.directory, { recursive: true });
    rmSync(scene.database);
    const result = await restore({ 's3-upload-via': via });
    expectRestored(result);
    expect(result.outputs['safety-backup-id']).toBe('');
    expect(result.annotations.map(({ message }) => message).join('\n')).toMatch(
      /there is no verified backup of app in .*: app-.* is used from s3:\/\/shop-backups\/p\/app\//,
    );
  });

  test('a proof, recorded in the manifest on the host', async () => {
    const result = await verify({ backup: uri(), verify: 'restore', 's3-upload-via': via });
    expect({ code: result.code, ...result.outputs }).toMatchObject({
      ...{ code: 0, 'error-code': '', 'verified-level': 'restore', 's3-uri': uri() },
    });
    expect(scene.manifest(good).verified.level).toBe('restore');
    expect(s3.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
  });
});

test.each(['bash', 'busybox'] as const)('also where sh is %s', async (shell) => {
  const other = await startScene({ user: scene.user, sshd: { wrapper: withSh(shell) } });
  try {
    for (const via of SWEEP ? ['host', 'runner'] : [shell === 'bash' ? 'host' : 'runner']) {
      const target = { database: scene.database, command: 'restore', confirm: 'app.db', backup: uri() };
      s3.fail(isPayload, { after: 1_000_000 }, 1);
      const result = await other.run({ ...inputs(via), ...target, 'safety-backup': 'false' });
      expectRestored(result);
      expect(reportOf(result).offsite?.via).toBe(via);
    }
  } finally {
    await other.stop();
  }
});

test.each(['host', 'runner'])('a local host, which fetches by the %s', async (via) => {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-local-'));
  try {
    const database = join(folder, 'app.db');
    const local = { transport: 'local', database, directory: join(folder, 'backups'), name: 'app' };
    const result = await runAction({ ...local, ...inputs(via), command: 'restore', confirm: 'app.db', backup: uri() });
    expect({ code: result.code, error: result.outputs['error-code'] }).toEqual({ code: 0, error: '' });
    expect(content(database)).toBe('1,2,3');
    expect(readdirSync(join(folder, 'backups', '.work')).filter((name) => !['lock', 'holder'].includes(name))).toEqual(
      [],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('through the runner the memory does not grow with the backup', async () => {
  const backup = store('large', randomBytes(150 << 20));
  const action = scene.start({ ...inputs('runner'), command: 'restore', confirm: 'app.db', backup });
  let peak = 0;
  const sampler = setInterval(() => {
    peak = Math.max(peak, peakKib(action.child.pid) * 1024);
  }, 50);
  expectFailure(
    await action.result(),
    'E_SOURCE_INVALID',
    's3://shop-backups/large is not a dump that this action knows',
  );
  clearInterval(sampler);
  expect(peak).toBeGreaterThan(50_000_000);
  expect(peak).toBeLessThan(200_000_000);
});

/** The most that a process has had in memory; 0 when it is gone. */
function peakKib(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

describe('what the host has lost', () => {
  test.each<[string, string[], Inputs, string]>(
    sample<[string, string[], Inputs, string]>(
      [
        ['an id without a manifest', ['.json'], {}, 'the manifest is missing'],
        ['an id without a payload', ['.sqlite'], {}, 'is damaged: '],
        ['an id of which there is nothing', ['.json', '.sqlite', '.sqlite.sha256'], {}, 'there is no backup '],
        ['the latest', ['.sqlite'], { backup: 'latest' }, 'there is no verified backup of app in '],
        [
          'what a deploy took',
          ['.json'],
          { backup: 'before-deploy:01234567' },
          'no deploy of the commit 01234567 took a verified backup',
        ],
      ],
      3,
    ),
  )('%s is restored from the store', async (_, ends, more, said) => {
    lose(...ends);
    const result = await restore({ backup: good, ...more });
    expectRestored(result);
    expect(reportOf(result).problems.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(new RegExp(`${said}.*: ${good}, made on ${hostname()}, is used from s3://`)),
    );
  });

  test('a backup whose bytes are not those of its manifest is taken from the store, where it is whole', async () => {
    const path = join(scene.directory, `${good}.sqlite`);
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(2_000_000) ^ 1, 2_000_000);
    writeFileSync(path, bytes);
    expectFailure(await verify(), 'E_CHECKSUM', 'the manifest says'); // it is the copy on the host that is to be proven
    const result = await restore({ backup: good });
    expectRestored(result);
    expect(result.visible).toMatch(/the SHA-256 of .*: using app-\S+ from s3:/i);
    s3.clear();
    expectFailure(await restore({ backup: good }), 'E_CHECKSUM', 'the manifest says');
  });

  test('a newer one that is damaged is not passed over for an older one', async () => {
    execFileSync('sleep', ['1']);
    live('DELETE FROM t WHERE n = 1');
    const newer = expectBackup(await scene.run({ ...inputs(), compression: 'none' }));
    rmSync(join(scene.directory, `${newer}.sqlite`));
    const result = await restore();
    expect({ code: result.code, id: result.outputs['backup-id'], rows: content() }).toEqual({
      code: 0,
      id: newer,
      rows: '2,3,4',
    });

    rmSync(join(scene.directory, `${newer}.sqlite`), { force: true });
    s3.fail(() => true, { status: 403, code: 'AccessDenied' });
    const alone = await restore();
    expect([alone.code, alone.outputs['backup-id'], content()]).toEqual([0, good, '1,2,3']);
    expect(alone.visible).toMatch(/could not check if the store has it: listing s3:.*AccessDenied/);
  });

  /** The backup of the store again, as if another host had taken it. */
  const alsoFrom = (host: string, hour: string): void => {
    const id = `app-20260101T${hour}0000Z-abcd`;
    const [payload, manifest] = ['.sqlite', '.json'].map((end) =>
      kept.find(({ key }) => key === `p/app/${good}${end}`),
    );
    if (!payload || !manifest) throw new Error('the store lacks it');
    const described = { ...JSON.parse(manifest.body.toString()), id, host, file: `${id}.sqlite` };
    store(`p/app/${id}.sqlite`, payload.body, payload.headers);
    store(`p/app/${id}.json`, Buffer.from(JSON.stringify({ ...described, createdAt: `2026-01-01T${hour}:00:00Z` })));
  };

  test('is not taken from another host as long as there is one of its own', async () => {
    rmSync(scene.directory, { recursive: true });
    alsoFrom('staging', '10');
    for (const end of ['.sqlite', '.json']) s3.bucket.delete(`p/app/${good}${end}`, null);
    const alone = await restore(); // a new host takes what there is
    expect([alone.outputs['error-code'], alone.outputs['backup-id']]).toEqual(['', 'app-20260101T100000Z-abcd']);
    expect(alone.visible).toContain('made on staging, is used from');

    alsoFrom('production', '11');
    rmSync(scene.directory, { recursive: true });
    const failure = expectFailure(await restore(), 'E_TARGET_MISMATCH', 'backups of 2 hosts (production, staging)');
    expect(failure).toContain('Give the id of the backup you mean');
    alsoFrom(hostname(), '09');
    expect((await restore()).outputs).toMatchObject({ 'error-code': '', 'backup-id': 'app-20260101T090000Z-abcd' });
  });

  test('and the store does not have either', async () => {
    lose('.json');
    s3.clear();
    expectFailure(
      await restore({ backup: good }),
      'E_MANIFEST',
      'the manifest is missing, nor in s3://shop-backups/p/app/',
    );
    expectFailure(await restore(), 'E_NOT_FOUND', 'nor in s3://shop-backups/p/app/');
  });

  test('is proven from the store; nothing is recorded of what is damaged on the host', async () => {
    lose('.sqlite');
    const result = await verify();
    expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'backup-id': good, 's3-uri': uri() });
    expect(result.visible).toMatch(/is damaged: .* is used from s3:/);
    expect(result.visible).toContain('the level is not recorded');
    const status = JSON.parse(readFileSync(join(scene.directory, 'status.json'), 'utf8'));
    expect(status).toMatchObject({ command: 'verify', ok: true });
    lose('.json', '.sqlite.sha256');
    expect((await verify()).outputs).toMatchObject({ 'error-code': '', 'backup-id': good });
    expectFailure(await verify({ 'max-age': '1s' }), 'E_STALE');
  });
});

describe('a proof on a host that has no backup directory', () => {
  beforeEach(() => rmSync(scene.directory, { recursive: true }));

  test('works in one that it makes, and leaves nothing in it', async () => {
    const result = await verify({ verify: 'restore' });
    expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'backup-id': good, 's3-uri': uri() });
    expect(scene.files()).toEqual([]);
  });

  test('tells Prometheus of the run when that is asked for', async () => {
    const result = await verify({ verify: 'restore', 'metrics-file': 'db.prom' });
    expect(result.outputs['error-code']).toBe('');
    const metrics = readFileSync(join(scene.user.home, 'db.prom'), 'utf8');
    expect(metrics).toContain('db_backup_healthy{target="app",engine="sqlite"} 1\n');
    expect(metrics).toContain('db_backup_backups{target="app",engine="sqlite"} 0\n');
  });

  test('makes none when there is nothing to prove, or when it is proven elsewhere', async () => {
    expect((await verify({ 'verify-on': 'runner' })).outputs).toMatchObject({ 'error-code': '', 'backup-id': good });
    s3.clear();
    expectFailure(await verify(), 'E_STALE', 'there is no backup of app');
    expect(existsSync(scene.directory)).toBe(false);
  });
});

describe('a proof on the runner', () => {
  test('goes straight from the store to the runner', async () => {
    const result = await verify({ backup: uri(), 'verify-on': 'runner', verify: 'restore', 's3-upload-via': 'host' });
    expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'verified-level': 'restore' });
    expect(scene.manifest(good).verified.level).toBe('restore');
    expect(payloads()).toHaveLength(1);
    expect(payloads()[0]?.query.has('X-Amz-Signature')).toBe(false);
  });

  test('takes the bytes from the store, when it has them, and else from the host', async () => {
    const result = await verify({ 'verify-on': 'runner', 's3-upload-via': 'host' });
    expect(result.outputs).toMatchObject({ 'error-code': '', 's3-uri': uri() });
    expect(result.visible).not.toContain('pull: ');
    expect(payloads()).toHaveLength(1);
    s3.fail(() => true, { status: 403, code: 'AccessDenied' });
    const without = await verify({ 'verify-on': 'runner' });
    expect(without.outputs).toMatchObject({ 'error-code': '', 's3-uri': '' });
    expect(without.visible).toContain('pull: ');
    expect(without.visible).toMatch(/is read from the host, because the store failed: .*AccessDenied/);
  });

  test('tells damage of the store, and leaves the host as it is', async () => {
    const before = readFileSync(join(scene.directory, `${good}.json`), 'utf8');
    const [, payload] = kept;
    store(payload?.key ?? '', Buffer.alloc(payload?.body.length ?? 0), payload?.headers);
    const result = await verify({ backup: uri(), 'verify-on': 'runner' });
    expectFailure(result, 'E_CHECKSUM', 'the SHA-256 of the download is', 'Do not rely on that copy');
    expect(readFileSync(join(scene.directory, `${good}.json`), 'utf8')).toBe(before);
  });
});

describe('a dump that this action did not make', () => {
  const dump = (): Buffer => {
    const path = join(scene.user.home, 'other.db');
    asOwner(`rm -f '${path}' && sqlite3 '${path}' 'CREATE TABLE t (n)' 'INSERT INTO t VALUES (7)'`);
    return readFileSync(path);
  };

  test('is recognised by its bytes, also from a bucket without s3-bucket', async () => {
    const backup = store('old/shop dump.bak', gzipSync(dump()));
    const result = await restore({ backup, 's3-bucket': '', 's3-prefix': '' });
    expect({ code: result.code, error: result.outputs['error-code'] }).toEqual({ code: 0, error: '' });
    expect(content()).toBe('7');
    expect(reportOf(result).restore?.from).toBe(backup);
  });

  test('is refused by its name in the store when it is none', async () => {
    const backup = store('old/notes.txt', Buffer.from('nothing to see\n'));
    expectFailure(await restore({ backup }), 'E_SOURCE_INVALID', 's3://shop-backups/old/notes.txt is not a dump that');
    expectFailure(await restore({ backup: store('old/empty', Buffer.alloc(0)) }), 'E_SOURCE_INVALID', 'is empty');
    expectFailure(await verify({ backup }), 'E_MANIFEST', 'there is no manifest beside s3://');
    expect(content()).toBe('1,2,3,4');
  });
});

test('what is not there, in that bucket or at all', async () => {
  expectFailure(
    await restore({ backup: `s3://${BUCKET}/p/none` }),
    'E_NOT_FOUND',
    's3://shop-backups/p/none does not exist',
  );
  expectFailure(
    await restore({ backup: 's3://other-bucket/p/none' }),
    'E_S3_BUCKET',
    'there is no bucket other-bucket',
  );
  expectFailure(await restore({ backup: `s3://${BUCKET}/p/app/${good}.json` }), 'E_INPUT', 'not that of its manifest');
  const wrong = { 's3-secret-access-key': 'wrong' };
  expectFailure(await restore({ backup: uri(), ...wrong }), 'E_S3_AUTH');
});

test('a manifest that does not belong to the payload', async () => {
  const [manifest, payload] = kept;
  store(payload?.key ?? '', Buffer.from('short'), payload?.headers);
  expectFailure(await restore({ backup: uri() }), 'E_CHECKSUM', 'it has 5 B');
  store(payload?.key ?? '', payload?.body ?? Buffer.alloc(0), { 'x-amz-meta-sha256': 'f'.repeat(64) });
  expectFailure(await restore({ backup: uri() }), 'E_CHECKSUM', `it was stored with the SHA-256 ${'f'.repeat(64)}`);
  store(manifest?.key ?? '', Buffer.from('{}'));
  expectFailure(await restore({ backup: uri() }), 'E_MANIFEST');
  expect(payloads()).toEqual([]);
});

describe('auto', () => {
  test('goes through the runner when the host does not reach the store; host says so', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dbb-curl-'));
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'curl'), '#!/bin/sh\necho "curl: (7) refused" >&2\nexit 7\n', { mode: 0o755 });
    const other = await startScene({ user: scene.user, sshd: { extraConfig: `SetEnv PATH=${folder}:/usr/bin:/bin` } });
    try {
      const target = { database: scene.database, command: 'restore', confirm: 'app.db', backup: uri() };
      const result = await other.run({ ...inputs(), ...target });
      expectRestored(result);
      expect(result.visible).toContain(
        'through the runner, because the host cannot download: it does not reach the store',
      );
      const alone = await other.run({ ...inputs('host'), ...target });
      expectFailure(alone, 'E_S3_UNAVAILABLE', 'the host cannot fetch directly', /[Nn]othing was changed/);
    } finally {
      await other.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
