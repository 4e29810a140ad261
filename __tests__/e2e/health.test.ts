import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { expectBackup } from '../helpers/failure.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import type { ActionResult } from '../helpers/run-action.js';
import { startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, listing, SeededDirectory } from '../helpers/seed.js';
import { SeededStore } from '../helpers/seeded-store.js';
import { createDatabase, sql } from '../helpers/sqlite.js';

// `command: health` with SQLite: what it finds, and that it writes nothing.

let scene: Scene;
let count = 0;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
});
afterAll(() => scene.stop());

const HOUR = 3_600_000;
const ago = (hours: number): Date => new Date(Date.now() - hours * HOUR);
const fresh = (): SeededDirectory => new SeededDirectory(scene, join(scene.user.home, `health-${++count}`));
const health = (directory: string, inputs: Record<string, string> = {}) =>
  scene.run({ command: 'health', directory, ...inputs });

const own = (path: string): void => chownSync(path, scene.user.uid, scene.user.gid);
/** Of the login user. */
function newFolder(): string {
  const folder = join(scene.user.home, `live-${++count}`);
  mkdirSync(folder);
  own(folder);
  return folder;
}

/** `error E_STALE` of each finding. */
const found = (result: ActionResult): string[] =>
  reportOf(result).problems.map(({ level, code }) => `${level} ${code}`);
/** The first with this code: what is wrong, and what to do. */
const finding = (result: ActionResult, code: string): string => {
  const one = reportOf(result).problems.find((problem) => problem.code === code);
  return `${one?.message}. ${one?.todo}`;
};

/** Green, whatever the warnings; each is an annotation with code and advice. */
function expectHealthy(result: ActionResult, ...warnings: string[]): void {
  expect(found(result)).toEqual(warnings.map((code) => `warning ${code}`));
  expect(result).toMatchObject({ code: 0, outputs: { healthy: 'true', 'error-code': '', 'backup-ok': 'false' } });
}

/** Red, with one code for all, and each finding told. */
function expectUnhealthy(result: ActionResult, ...problems: string[]): void {
  expect(found(result)).toEqual(problems);
  expect(result).toMatchObject({ code: 1, outputs: { healthy: 'false', 'error-code': 'E_UNHEALTHY' } });
  for (const { level, code, message, todo } of reportOf(result).problems) {
    const [first] = message.split(' (');
    expect(
      result.annotations.filter((one) => one.level === level && one.message.startsWith(`${code}: ${first}`)),
    ).toHaveLength(1);
    expect(todo).not.toBe('');
  }
  expect(result.visible).toContain('Nothing was changed.');
}

describe('a database with backups', () => {
  let healthy: ActionResult;
  let id: string;
  beforeAll(async () => {
    id = expectBackup(await scene.run({ verify: 'restore' }));
    healthy = await health(scene.directory);
  });

  test('is healthy: every figure is told', () => {
    expectHealthy(healthy);
    expect(healthy.annotations).toEqual([]);
    expect(healthy.steps.post).toBeNull(); // there is nothing to clean up
    const report = reportOf(healthy);
    const manifest = scene.manifest(id);
    expect(report).toMatchObject({ healthy: true, kept: 1, problems: [], backup: null });
    expect(report.tables).toEqual(manifest.content?.tables);
    expect(report.storage).toMatchObject({ backups: 1, averageBytes: manifest.bytes, largestBytes: manifest.bytes });
    expect(report.storage.directoryBytes).toBeGreaterThan(manifest.bytes);
    expect(report.health).toEqual({
      database: {
        ...{ bytes: manifest.databaseBytes, estimated: false, integrity: 'ok', pageSize: 4096 },
        ...{ pageCount: manifest.databaseBytes / 4096, freePages: 0, foreignKeyErrors: 0 },
        ...{ journalMode: 'wal', walBytes: expect.any(Number) },
      },
      lastRestored: { id, at: manifest.verified.at, ms: manifest.verified.ms },
      encryption: 'none',
      clocks: { hostAheadMs: expect.any(Number), storeAheadMs: null },
      room: { backupBytes: expect.any(Number), restoreBytes: expect.any(Number) },
    });
    expect(report.health?.room.backupBytes).toBeGreaterThan(manifest.bytes);
  });

  test('the summary has them, in words', () => {
    expect(healthy.summary).toMatch(/^## ✅ Health of `app`: the newest verified backup is \d+ seconds? old$/m);
    expect(healthy.summary).toContain('| Integrity | ok |');
    expect(healthy.summary).toMatch(/\| Last scratch restore \| `app-.*` on \d{4}-\d\d-\d\d, in /);
    expect(healthy.summary).toContain('| The newest is | not encrypted |');
  });

  test('writes nothing, not even beside a database that is being written to', async () => {
    await using _writer = await holdLock(scene.database, 'BEGIN IMMEDIATE; INSERT INTO a (v) VALUES (1);');
    const before = [listing(scene.directory), listing(scene.user.home), listing(join(scene.database, '..'))];
    expectHealthy(await health(scene.directory));
    expect([listing(scene.directory), listing(scene.user.home), listing(join(scene.database, '..'))]).toEqual(before);
  });

  test('takes no lock, and waits for none', async () => {
    await using _holder = await holdDirectory(scene);
    expectHealthy(await health(scene.directory, { 'lock-wait': '1s' }));
  });
});

describe('the backups', () => {
  test('none at all: an error, and no directory is made', async () => {
    const none = join(scene.user.home, 'never-made');
    const result = await health(none);
    expectUnhealthy(result, 'error E_STALE');
    expect(finding(result, 'E_STALE')).toContain(`there is no backup of app in ${none}`);
    expect(existsSync(none)).toBe(false);
    expect(result.summary).toContain('❌ `E_STALE` there is no backup of app');
  });

  test('too old, by max-age', async () => {
    const dir = fresh();
    dir.backup(ago(30));
    expectUnhealthy(await health(dir.path), 'error E_STALE');
    expectHealthy(await health(dir.path, { 'max-age': '31h' }));
    expectHealthy(await health(dir.path, { 'max-age': 'none' }));
  });

  test('a suspect one is a warning as long as a good one is young enough', async () => {
    const dir = fresh();
    dir.backup(ago(5));
    const suspect = dir.backup(ago(1), {
      manifest: { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'the database has 1.0 MiB' } },
    });
    const result = await health(dir.path);
    expectHealthy(result, 'E_SHRUNK');
    expect(finding(result, 'E_SHRUNK')).toContain(`\`command: accept\` with \`backup: ${suspect}\``);
    expectUnhealthy(await health(dir.path, { 'max-age': '4h' }), 'error E_STALE', 'warning E_SHRUNK');
  });

  test('one that is damaged, and one that is not verified', async () => {
    const dir = fresh();
    dir.backup(ago(5));
    const damaged = dir.backup(ago(2));
    truncateSync(join(dir.path, dir.manifest(damaged).file), 10);
    dir.backup(ago(1), { manifest: { verified: { level: 'none', at: ago(1).toISOString() } } as Partial<Manifest> });
    const result = await health(dir.path);
    expect(result.outputs.healthy).toBe('false');
    expect(found(result)).toContain('error E_CHECKSUM');
    expect(result.visible).toContain(damaged);
  });

  test('fewer than the rules should hold by now', async () => {
    const dir = fresh();
    for (const days of [0, 1, 6, 7]) dir.backup(daysAgo(days, 0));
    const result = await health(dir.path, { keep: 'daily=7', 'max-age': 'none' });
    expectHealthy(result, 'E_TOO_FEW');
    expect(finding(result, 'E_TOO_FEW')).toContain('daily=7: 4 backups');
  });

  test('what a run that was cut off has left: a folder, and the journal of a restore', async () => {
    const dir = fresh();
    dir.backup(ago(1));
    for (const name of ['app', 'after-app']) {
      mkdirSync(join(dir.path, '.work', `${name}-20261101T000000Z-dead`), { recursive: true });
    }
    own(join(dir.path, '.work'));
    expectHealthy(await health(dir.path), 'E_REMOTE_LOST');
    writeFileSync(join(dir.path, '.work', 'restore-app'), 'half a line');
    writeFileSync(join(dir.path, '.work', 'hook.app-20261101T000000Z-dead'), '# 600\ntouch never');
    const result = await health(dir.path);
    expectUnhealthy(result, 'error E_UNFINISHED', 'error E_HOOK', 'warning E_REMOTE_LOST');
    expect(existsSync(join(dir.path, '.work', 'app-20261101T000000Z-dead'))).toBe(true);
    expect(existsSync(join(dir.path, '.work', 'restore-app'))).toBe(true);
  });

  test('a directory that can not be written any more, and a work folder that others can write', async () => {
    const dir = fresh();
    dir.backup(ago(1));
    chmodSync(dir.path, 0o500);
    const result = await health(dir.path);
    expectUnhealthy(result, 'error E_PERM');
    chmodSync(dir.path, 0o700);
    mkdirSync(join(dir.path, '.work'));
    own(join(dir.path, '.work'));
    chmodSync(join(dir.path, '.work'), 0o777);
    expect((await health(dir.path)).outputs).toMatchObject({ 'error-code': 'E_PERM_UNSAFE', healthy: 'false' });
  });

  test('a restore that is going on is no finding', async () => {
    const database = join(newFolder(), 'app.db');
    await createDatabase(database, { wal: true, owner: scene.user.name });
    const directory = join(database, '..', 'backups');
    const id = expectBackup(await scene.run({ database, directory }));
    const looked = join(directory, '..', 'looked');
    const restore = scene.start({
      ...{ command: 'restore', database, directory, backup: id, confirm: 'app.db' },
      'check-command': `echo checking; while [ ! -e '${looked}' ]; do sleep 0.1; done`,
    });
    await restore.line(/^ {2}checking/);
    const result = await health(directory, { database });
    writeFileSync(looked, '');
    expectHealthy(result);
    expect((await restore.result()).outputs['restore-outcome']).toBe('restored');
  });

  test('no room for the next one', async () => {
    const dir = fresh();
    dir.backup(ago(1));
    const result = await health(dir.path, { 'min-free': '500TB' });
    expectUnhealthy(result, 'error E_NOSPACE', 'warning E_NOSPACE');
    expect(finding(result, 'E_NOSPACE')).toMatch(/not enough space for the next backup in .*: 500 TB needed, /);
  });

  test('for whom the newest is encrypted', async () => {
    const dir = fresh();
    const encryption = { method: 'age' as const, recipients: ['age1ql3z7hjy54'] };
    const at = ago(1);
    const id = dir.backup(at, { without: ['payload', 'sidecar', 'manifest'] });
    const file = `${id}.sqlite.zst.age`;
    dir.backup(at, { suffix: id.slice(-4), manifest: { encryption, file } });
    const result = await health(dir.path);
    expect(reportOf(result).health?.encryption).toEqual(encryption);
    expect(result.summary).toContain('encrypted with age for');
  });
});

describe('the live database', () => {
  const LARGE = { databaseBytes: 100_000_000 };

  /** A database of its own, and a directory with a good backup of it. */
  async function other(options: { mb?: number; wal?: boolean } = {}, manifest: Partial<Manifest> = {}) {
    const folder = newFolder();
    const database = join(folder, 'app.db');
    await createDatabase(database, { wal: true, ...options, owner: scene.user.name });
    const dir = fresh();
    dir.backup(ago(1), {
      manifest: { database, identity: { path: database }, databaseBytes: (options.mb ?? 1) * 1_100_000, ...manifest },
    });
    return { database, dir, look: (inputs = {}) => health(dir.path, { database, ...inputs }) };
  }

  test('is not there: an error, and the backups are looked at all the same', async () => {
    const dir = fresh();
    dir.backup(ago(30));
    const database = join(scene.user.home, 'gone.db');
    const result = await health(dir.path, { database });
    expect(found(result)).toEqual(['error E_SOURCE_MISSING', 'error E_STALE']);
    expect(reportOf(result).health?.database).toBeNull();
  });

  test('has shrunk, and lost rows, against the good backups', async () => {
    const { database, look } = await other({}, LARGE);
    const result = await look();
    expectUnhealthy(result, 'error E_SHRUNK');
    expect(finding(result, 'E_SHRUNK')).toContain('the live database has');
    expectHealthy(await look({ 'shrink-limit': 'none' }));
    expect(database).toBeDefined();
  });

  test('has nothing left in it', async () => {
    const { database, look } = await other();
    await sql(database, 'DROP TABLE a; DROP TABLE b; DROP TABLE blobs;');
    const result = await look({ 'shrink-limit': 'none', 'row-loss-limit': 'none' });
    expectUnhealthy(result, 'error E_EMPTY');
    expect(finding(result, 'E_EMPTY')).toContain('restore app-');
  });

  test('rows that are gone since the newest good backup', async () => {
    const home = newFolder();
    const database = join(home, 'app.db');
    await createDatabase(database, { owner: scene.user.name });
    const directory = join(home, 'backups');
    const id = expectBackup(await scene.run({ database, directory }));
    await sql(database, 'DELETE FROM blobs; DROP TABLE b;');
    const result = await health(directory, { database });
    expectUnhealthy(result, 'error E_SHRUNK');
    expect(finding(result, 'E_SHRUNK')).toMatch(/rows were lost since .*"blobs".* has 0 rows, down from 256/);
    expect(finding(result, 'E_SHRUNK')).toContain(`restore ${id}`);
    expectHealthy(await health(directory, { database, 'row-loss-limit': 'none' }));
  });

  test('is damaged: an error with what SQLite says of it', async () => {
    const { database, look } = await other();
    writeFileSync(database, Buffer.alloc(8192, 0x5a), { flag: 'r+', flush: true });
    expectUnhealthy(await look(), 'error E_SOURCE_INVALID');

    const torn = await other();
    await using file = await open(torn.database, 'r+');
    await file.write(Buffer.alloc(4096, 0x5a), 0, 4096, 20 * 4096);
    const second = await torn.look();
    expectUnhealthy(second, 'error E_SOURCE_CORRUPT');
    expect(reportOf(second).health?.database?.integrity).not.toBe('ok');
  });

  test('rows that point nowhere', async () => {
    const { database, look } = await other();
    await sql(database, 'CREATE TABLE c (a REFERENCES a (id)); INSERT INTO c VALUES (77), (78);');
    const result = await look();
    expectHealthy(result, 'E_UNHEALTHY');
    expect(finding(result, 'E_UNHEALTHY')).toContain('are violated in 2 rows');
    expect(reportOf(result).health?.database?.foreignKeyErrors).toBe(2);
  });

  test('a hot journal is not rolled back by a look', async () => {
    const { database, look } = await other({ mb: 8, wal: false });
    await using _holder = await holdLock(
      database,
      'PRAGMA cache_size = 5; BEGIN; UPDATE blobs SET ver = ver + 1; UPDATE blobs SET data = zeroblob(4000);',
      scene.user,
    );
    // as a crash leaves them
    const crashed = newFolder();
    for (const name of ['app.db', 'app.db-journal']) {
      copyFileSync(join(database, '..', name), join(crashed, name));
      own(join(crashed, name));
    }
    const before = listing(crashed);
    const dir = fresh();
    const result = await health(dir.path, { database: join(crashed, 'app.db'), 'max-age': 'none' });
    expect(found(result)).toEqual(['error E_STALE', 'warning E_UNHEALTHY']);
    expect(finding(result, 'E_UNHEALTHY')).toContain('a hot journal of a writer that crashed');
    expect(listing(crashed)).toEqual(before);
    // the other writer is at work: its journal is not hot, and it is waited for as by a backup
    expect(found(await look({ 'lock-wait': '1s' }))).toEqual(['warning E_BUSY']);
  });

  test('nor is the WAL of a process that crashed gathered in', async () => {
    const { database } = await other();
    const crashed = newFolder();
    {
      await using _holder = await holdLock(database, 'INSERT INTO a (v) VALUES (1);', scene.user);
      for (const name of ['app.db', 'app.db-wal']) {
        copyFileSync(join(database, '..', name), join(crashed, name));
        own(join(crashed, name));
      }
    }
    const before = listing(crashed);
    const dir = fresh();
    dir.backup(ago(1), {
      manifest: { database: join(crashed, 'app.db'), identity: { path: join(crashed, 'app.db') } },
    });
    const result = await health(dir.path, { database: join(crashed, 'app.db') });
    expectHealthy(result, 'E_UNHEALTHY');
    expect(finding(result, 'E_UNHEALTHY')).toContain('the WAL of a writer that crashed');
    expect(listing(crashed)).toEqual(before);
  });

  test('is locked by a writer, as by a long migration: a warning', async () => {
    const { database, look } = await other({ wal: false });
    await using _holder = await holdLock(database, EXCLUSIVE, scene.user);
    const result = await look({ 'lock-wait': '1s' });
    expectHealthy(result, 'E_BUSY');
  });

  test('large and not in WAL mode: not read to its end, so that no writer waits', async () => {
    const { database, look } = await other({ mb: 70, wal: false });
    const result = await look();
    expectHealthy(result);
    expect(reportOf(result).notes).toEqual([expect.stringContaining(`${database} was not read to its end`)]);
    expect(reportOf(result).health?.database).toMatchObject({ integrity: null, journalMode: 'rollback' });
    expect(reportOf(result).tables).toEqual([]);
  });

  test('a WAL that no checkpoint can empty, and pages that are free', async () => {
    const { database, look } = await other({ mb: 70, wal: true });
    await using _reader = await holdLock(database, 'BEGIN; SELECT count(*) FROM blobs;', scene.user);
    await sql(database, 'DELETE FROM blobs; INSERT INTO blobs (ver, data) SELECT 0, zeroblob(4000) FROM a; VACUUM;');
    const result = await look({ 'shrink-limit': 'none' });
    expect(reportOf(result).health?.database?.walBytes).toBeGreaterThan(0);
    expect(result.outputs.healthy).toBe('true');
  });
});

describe('the copies in a store', () => {
  test('as on the host: the clock is told, and nothing is written there', async () => {
    const s3 = await startS3Double();
    try {
      const dir = fresh();
      const store = new SeededStore(scene, s3);
      const at = ago(1);
      const id = dir.backup(at);
      store.copyOf(id, { payload: `payload of ${id}\n`.repeat(20) });
      const result = await health(dir.path, s3.inputs);
      expectHealthy(result);
      expect(reportOf(result).s3).toMatchObject({ backups: 1 });
      expect(Math.abs(reportOf(result).health?.clocks.storeAheadMs ?? Number.NaN)).toBeLessThan(60_000);
      expect(result.summary).toContain('| Clock of the store |');
      expect(s3.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);

      const newer = dir.backup(ago(0.5));
      const behind = await health(dir.path, s3.inputs);
      expectHealthy(behind, 'E_S3_VERIFY');
      expect(finding(behind, 'E_S3_VERIFY')).toContain(`the newest backup on the host, ${newer}, is not in s3://`);

      s3.fail(() => true, { status: 403, code: 'AccessDenied' });
      expectUnhealthy(await health(dir.path, s3.inputs), 'error E_S3_AUTH');
    } finally {
      await s3.stop();
    }
  });

  test('too old there, and a clock that is wrong', async () => {
    const s3 = await startS3Double({ clockAheadMs: 330_000 });
    try {
      const dir = fresh();
      dir.backup(ago(1));
      new SeededStore(scene, s3).copy(ago(40));
      const result = await health(dir.path, s3.inputs);
      expectUnhealthy(result, 'warning E_CLOCK', 'error E_STALE');
      expect(finding(result, 'E_CLOCK')).toMatch(/the clock of the store is 5 min \d+ s ahead/);
      expect(finding(result, 'E_STALE')).toContain('the newest backup of app is 40 h old');
    } finally {
      await s3.stop();
    }
  });
});

/** Another run that has the lock of the backup directory. */
async function holdDirectory(of: Scene): Promise<AsyncDisposable> {
  const { spawn } = await import('node:child_process');
  const child = spawn('flock', [join(of.directory, '.work/lock'), 'sh', '-c', 'echo held; read _'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await closed;
    },
  };
}
