import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { leftOnHost } from '../helpers/invariants.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { expectRestored } from '../helpers/postgres-restores.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene } from '../helpers/scene.js';

// Host and server are gone: a new host, with a new server, and what is in the store.

const FORMATS = ['custom', 'directory', 'plain'] as const;

let s3: S3Double;
let server: Postgres;
let scene: Scene;
const ids = new Map<string, string>();
beforeAll(async () => {
  s3 = await startS3Double();
  const old = await startPostgres();
  try {
    await old.sql('postgres', 'CREATE DATABASE shop');
    await old.sql('shop', 'CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i');
    const host = await startPostgresScene(old, 'shop');
    for (const format of FORMATS) {
      const result = await host.run({ ...s3.inputs, 's3-prefix': format, 'dump-format': format, directory: format });
      ids.set(format, expectBackup(result));
    }
    await host.stop();
  } finally {
    await old.remove();
  }
  server = await startPostgres();
  scene = await startPostgresScene(server, 'shop');
});
beforeEach(() => server.sql('postgres', 'DROP DATABASE IF EXISTS shop WITH (FORCE)'));
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
  await s3?.stop();
});

describe.each(FORMATS)('a backup in the format %s', (format) => {
  const inputs = () => ({ ...s3.inputs, 's3-prefix': format, command: 'restore', confirm: 'shop', directory: format });

  test('is restored on a new, empty host from the store alone', async () => {
    const result = await scene.run(inputs());
    await expectRestored(scene, server, result, `${scene.user.home}/${format}`);
    expect(result.outputs).toMatchObject({ 'backup-id': ids.get(format), 'safety-backup-id': '' });
    expect(await server.sql('shop', 'SELECT count(*), sum(i) FROM t')).toBe('1000|500500');
    expect(reportOf(result).restore?.plan).toMatchObject({ state: 'missing', way: 'create' });
  });

  test('is proven there', async () => {
    const result = await scene.run({
      ...inputs(),
      command: 'verify',
      confirm: '',
      verify: 'restore',
      'restore-to': server.uri({ database: 'postgres' }),
    });
    expect(result.outputs).toMatchObject({
      'error-code': '',
      'verified-level': 'restore',
      'backup-id': ids.get(format),
    });
    expect(await leftOnHost(scene, `${scene.user.home}/${format}`)).toEqual([]);
  });
});

test('the copies are rotated by s3-keep; those of another server stay, and what is kept is whole', async () => {
  await server.sql('postgres', 'CREATE DATABASE shop');
  await server.sql('shop', 'CREATE TABLE t AS SELECT 7 AS i');
  const inputs = {
    ...s3.inputs,
    's3-prefix': 'directory',
    'dump-format': 'directory',
    directory: 'rotated',
    keep: '5',
  };
  const copies = () => s3.keys().filter((key) => key.startsWith('directory/'));
  const first = expectBackup(await scene.run({ ...inputs, 's3-keep': '1' }));
  const old = copies().filter((key) => !key.includes(first));
  expect(old.map((key) => key.includes(ids.get('directory') ?? '?'))).toEqual([true, true]);
  const result = await scene.run({ ...inputs, 's3-keep': '1' });
  const second = expectBackup(result);
  expect(copies().filter((key) => !key.includes(second))).toEqual(old);
  expect(reportOf(result)).toMatchObject({ kept: 2, deleted: 0, s3: { deleted: 1, backups: 1 } });
  await server.sql('postgres', 'DROP DATABASE shop WITH (FORCE)');
  const back = await scene.run({ ...inputs, command: 'restore', confirm: 'shop', directory: 'lost' });
  await expectRestored(scene, server, back, `${scene.user.home}/lost`);
  expect(back.outputs['backup-id']).toBe(second);
  expect(await server.sql('shop', 'SELECT i FROM t')).toBe('7');
});

test('a script that this action did not make; another server than that of the backup has to be meant', async () => {
  await server.sql('postgres', 'CREATE DATABASE shop');
  const script =
    '--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.u AS SELECT 7 AS i;\n\n--\n-- PostgreSQL database dump complete\n--\n';
  const body = gzipSync(script);
  s3.bucket.put('old/shop.sql.gz', { body, bytes: body.length, md5: '' }, '', {});
  const inputs = { ...s3.inputs, command: 'restore', confirm: 'shop', 's3-prefix': 'custom' };
  const result = await scene.run({
    ...inputs,
    backup: 's3://shop-backups/old/shop.sql.gz',
    'allow-unsafe-client': 'true',
  });
  await expectRestored(scene, server, result);
  expect(await server.sql('shop', 'SELECT i FROM u')).toBe('7');

  expectFailure(
    await scene.run({ ...inputs, backup: ids.get('custom') ?? '' }),
    'E_TARGET_MISMATCH',
    'allow-other-target',
  );
  await expectRestored(
    scene,
    server,
    await scene.run({ ...inputs, backup: ids.get('custom') ?? '', 'allow-other-target': 'true' }),
  );
  expect(await server.sql('shop', 'SELECT count(*) FROM t')).toBe('1000');
});
