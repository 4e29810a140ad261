import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Store } from '../../src/offsite/store.js';
import type { S3Settings } from '../../src/settings/settings.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type Radosgw, startRadosgw } from '../helpers/radosgw.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

// The copy in a store that others have written: Ceph.

let scene: Scene;
let rgw: Radosgw;
beforeAll(async () => {
  [scene, rgw] = await Promise.all([startScene({ mb: 20 }), startRadosgw()]);
  await rgw.makeBucket('plain');
  await rgw.makeBucket('versioned', 'versioned');
  await rgw.makeBucket('locking', 'locking');
}, 120_000);
afterAll(async () => {
  await scene?.stop();
  await rgw?.stop();
});

const body = async (Bucket: string, Key: string): Promise<Buffer> => {
  const { Body } = await rgw.client.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
};
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe.each(['host', 'runner', 'auto'])('s3-upload-via: %s', (via) => {
  test('payload and manifest are there as they are on the host, and nothing unfinished', async () => {
    const inputs = { ...rgw.inputs, 's3-bucket': 'versioned', 's3-prefix': via, 's3-upload-via': via };
    const result = await scene.run({ ...inputs, compression: 'none' });
    const id = expectBackup(result);
    const { file, sha256: wanted } = scene.manifest(id);
    const { Contents } = await rgw.client.send(new ListObjectsV2Command({ Bucket: 'versioned', Prefix: via }));
    expect(Contents?.map(({ Key }) => Key)).toEqual([`${via}/app/${id}.json`, `${via}/app/${file}`]);
    expect(sha256(await body('versioned', `${via}/app/${file}`))).toBe(wanted);
    const manifest = await body('versioned', `${via}/app/${id}.json`);
    expect(manifest.equals(readFileSync(join(scene.directory, `${id}.json`)))).toBe(true);
    const { Uploads } = await rgw.client.send(new ListMultipartUploadsCommand({ Bucket: 'versioned' }));
    expect(Uploads ?? []).toEqual([]);

    const key = `${via}/app/${file}`;
    const { VersionId } = await rgw.client.send(new HeadObjectCommand({ Bucket: 'versioned', Key: key }));
    expect(result.outputs).toMatchObject({ 's3-uri': `s3://versioned/${key}`, 's3-version-id': VersionId });
    expect(reportOf(result).offsite?.via).toBe(via === 'runner' ? 'runner' : 'host');
  });
});

test('a bucket without versions', async () => {
  const result = await scene.run({ ...rgw.inputs, 's3-bucket': 'plain' });
  expectBackup(result);
  expect(result.outputs['s3-version-id']).toBe('');
});

test('object lock: nobody deletes the version before its time', async () => {
  const lock = { 's3-object-lock': 'compliance 2d' };
  const result = await scene.run({ ...rgw.inputs, ...lock, 's3-bucket': 'locking', 's3-upload-via': 'host' });
  const id = expectBackup(result);
  const { lockedUntil, uri } = reportOf(result).offsite ?? {};
  expect(Date.parse(lockedUntil ?? '') - Date.now()).toBeGreaterThan(1.9 * 86_400_000);
  const Key = uri?.replace('s3://locking/', '');
  const VersionId = result.outputs['s3-version-id'];
  await expect(rgw.client.send(new DeleteObjectCommand({ Bucket: 'locking', Key, VersionId }))).rejects.toMatchObject({
    name: 'AccessDenied',
  });
  const manifest = await rgw.client.send(new HeadObjectCommand({ Bucket: 'locking', Key: `app/${id}.json` }));
  expect(manifest.ObjectLockMode).toBe('COMPLIANCE');
});

test.each<[Record<string, string>, string, string]>([
  [{ 's3-bucket': 'plain', 's3-object-lock': '2d' }, 'E_S3_UNSUPPORTED', '`s3-object-lock`'],
  [{ 's3-bucket': 'plain', 's3-storage-class': 'STANDARD_IA' }, 'E_S3_UNSUPPORTED', '`s3-storage-class`'],
  [{ 's3-bucket': 'plain', 's3-sse': 'AES256' }, 'E_S3_UNSUPPORTED', '`s3-sse`'],
  [{ 's3-bucket': 'not-there' }, 'E_S3_BUCKET', 'there is no bucket not-there'],
  [{ 's3-bucket': 'plain', 's3-secret-access-key': 'x' }, 'E_S3_AUTH', 'the signature is wrong'],
  [{ 's3-bucket': 'plain', 's3-access-key-id': 'NOBODY' }, 'E_S3_AUTH', 'does not know the access key'],
])('%j is refused', async (inputs, code, says) => {
  const result = await scene.run({ ...rgw.inputs, ...inputs });
  expectFailure(result, code, says, 'The backup on the host is good and stays');
  const { Uploads } = await rgw.client.send(new ListMultipartUploadsCommand({ Bucket: 'plain' }));
  expect(Uploads ?? []).toEqual([]);
});

describe('retention', () => {
  const twice = async (inputs: Record<string, string>) => {
    const all = { ...rgw.inputs, ...inputs, 's3-prefix': 'rotated', 's3-keep': '1' };
    const first = expectBackup(await scene.run(all));
    const result = await scene.run(all);
    return {
      first,
      second: expectBackup(result),
      report: reportOf(result),
      list: () => scene.run({ ...all, command: 'list' }),
    };
  };
  const versions = async (Bucket: string, id: string) => {
    const { Versions } = await rgw.client.send(new ListObjectVersionsCommand({ Bucket, Prefix: `rotated/app/${id}.` }));
    return (Versions ?? []).length;
  };

  test.each([
    ['plain', false, 0],
    ['versioned', true, 2],
  ])('in a bucket that is %s', async (bucket, hidden, left) => {
    const { first, second, report, list } = await twice({ 's3-bucket': bucket });
    expect(report.s3).toMatchObject({ deleted: 1, backups: 1, hidden });
    expect(await versions(bucket, first)).toBe(left);
    const { s3, backups } = reportOf(await list());
    expect(s3?.backups).toBe(1);
    expect(backups.filter(({ places }) => places.includes('s3')).map(({ id }) => id)).toEqual([second]);
  });

  test('leaves what is locked', async () => {
    const { first, report } = await twice({ 's3-bucket': 'locking', 's3-object-lock': '1d' });
    expect(report.s3).toMatchObject({ deleted: 0, backups: 2 });
    expect(report.s3?.retention.find(({ id }) => id === first)?.reasons).toEqual([
      expect.stringMatching(/^locked until /),
    ]);
  });
});

describe('an object', () => {
  const open = (bucket = 'versioned'): Store => {
    const { 's3-access-key-id': accessKeyId = '', 's3-secret-access-key': secretAccessKey = '' } = rgw.inputs;
    const settings: S3Settings = {
      ...{ bucket, prefix: 'x', region: 'us-east-1', endpoint: rgw.endpoint, uploadVia: 'runner' },
      credentials: { accessKeyId, secretAccessKey, sessionToken: null },
      ...{ storageClass: null, sse: null, kmsKeyId: null, objectLock: null, keep: null },
    };
    return new Store(settings, new AbortController().signal, 10_000);
  };
  const md5 = (text: string): string => createHash('md5').update(text).digest('base64');
  const storing = (sha256: string) => ({ sha256, storageClass: null });

  // Ceph overlooks the condition with versions, and with parts.
  test.each(['plain', 'versioned'])(
    'is never overwritten in a %s bucket; the same one is as good as done',
    async (bucket) => {
      const store = open(bucket);
      await store.put('x/one', 'first', md5('first'), storing('1'));
      await store.put('x/one', 'first', md5('first'), storing('1'));
      await expect(store.put('x/one', 'other', md5('other'), storing('2'))).rejects.toMatchObject({
        code: 'E_S3_VERIFY',
        message: expect.stringContaining('there is another object under that name already'),
      });
      const upload = await store.begin('x/one', storing('2'));
      const part = await store.putPart(upload, 1, Buffer.from('other'), md5('other'));
      await expect(store.complete(upload, [part], '2')).rejects.toMatchObject({ code: 'E_S3_VERIFY' });
      expect(await store.abort(upload)).toBe(true);
      expect(await store.get('x/one')).toBe('first');
      store.close();
    },
  );

  test('of which a part is not what its MD5 says is refused', async () => {
    const store = open();
    const upload = await store.begin('x/two', storing('1'));
    await expect(store.putPart(upload, 1, Buffer.from('a'), md5('b'))).rejects.toMatchObject({ code: 'E_S3_VERIFY' });
    const url = await store.signPart(upload, 1, md5('a'));
    const answer = await fetch(url, { method: 'PUT', body: 'b', headers: { 'content-md5': md5('b') } });
    expect(answer.status).toBe(403); // the MD5 is part of the signature
    expect(await store.abort(upload)).toBe(true);
    store.close();
  });

  test('is listed page by page, read and deleted', async () => {
    const store = open();
    const keys = Array.from({ length: 5 }, (_, at) => `x/list/${at}`);
    for (const key of keys) await store.put(key, key, md5(key), storing('1'));
    expect((await store.list('x/list/')).map(({ key }) => key)).toEqual(keys);
    await store.delete('x/list/0');
    await store.delete('x/list/0');
    expect(await store.get('x/list/0')).toBeNull();
    expect(await store.head('x/list/0')).toBeNull();
    expect(await store.list('x/list/')).toHaveLength(4);
    store.close();
  });
});
