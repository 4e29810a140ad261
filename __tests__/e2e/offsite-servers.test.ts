import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { S3Settings } from '../../src/settings/settings.js';
import { Bucket as Requests } from '../../src/stores/s3/bucket.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { KMS_KEY, minioProgram, startMinio } from '../helpers/minio.js';
import { sqlite3 } from '../helpers/outcome.js';
import { startRadosgw } from '../helpers/radosgw.js';
import { clientOf, type Policy, type S3Server } from '../helpers/s3-server.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

// The copy in stores that others have written.

type Inputs = Record<string, string>;

const minio = minioProgram();
const SERVERS: [string, () => Promise<S3Server>][] = [['Ceph', startRadosgw]];
if (minio !== null) SERVERS.push(['MinIO', () => startMinio(minio)]);
else test.skip('MinIO, which is not on this machine: `sh scripts/minio.sh` builds it', () => {});

let scene: Scene;
/** With 20 MB that do not compress: more than one part. */
let large: Scene;
beforeAll(async () => {
  [scene, large] = await Promise.all([startScene({ transport: 'local' }), startScene({ transport: 'local', mb: 20 })]);
}, 120_000);
afterAll(async () => {
  await scene?.stop();
  await large?.stop();
});

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe.each(SERVERS)('%s', (name, start) => {
  let server: S3Server;
  beforeAll(async () => {
    server = await start();
    await server.makeBucket('plain');
    await server.makeBucket('versioned', 'versioned');
    await server.makeBucket('locking', 'locking');
  }, 120_000);
  afterAll(() => server?.stop());

  const body = async (Bucket: string, Key: string): Promise<Buffer> => {
    const { Body } = await server.client.send(new GetObjectCommand({ Bucket, Key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  const open = (bucket: string, inputs = server.inputs): Requests => {
    const { 's3-access-key-id': accessKeyId = '', 's3-secret-access-key': secretAccessKey = '' } = inputs;
    const settings: S3Settings = {
      ...{ bucket, prefix: 'x', region: 'us-east-1', endpoint: server.endpoint, uploadVia: 'runner' },
      credentials: { accessKeyId, secretAccessKey, sessionToken: inputs['s3-session-token'] ?? null },
      ...{ storageClass: null, sse: null, kmsKeyId: null, objectLock: null, keep: null },
    };
    return new Requests(settings, new AbortController().signal, 10_000);
  };
  const unfinished = async (Bucket: string) =>
    (await server.client.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? [];

  test.each(['host', 'runner'])('the copy goes there through the %s, and comes back', async (via) => {
    const inputs = { ...server.inputs, 's3-bucket': 'versioned', 's3-prefix': via, 's3-upload-via': via };
    const result = await large.run(inputs);
    const id = expectBackup(result);
    const { file, sha256: wanted } = large.manifest(id);
    const key = `${via}/app/${file}`;
    const { Contents } = await server.client.send(new ListObjectsV2Command({ Bucket: 'versioned', Prefix: via }));
    expect(Contents?.map(({ Key }) => Key)).toEqual([`${via}/app/${id}.json`, key]);
    expect(sha256(await body('versioned', key))).toBe(wanted);
    const manifest = await body('versioned', `${via}/app/${id}.json`);
    expect(manifest.equals(readFileSync(join(large.directory, `${id}.json`)))).toBe(true);
    expect(await unfinished('versioned')).toEqual([]);
    const { VersionId } = await server.client.send(new HeadObjectCommand({ Bucket: 'versioned', Key: key }));
    const uri = `s3://versioned/${key}`;
    expect(result.outputs).toMatchObject({ 's3-uri': uri, 's3-version-id': VersionId });
    expect(reportOf(result).offsite?.via).toBe(via);

    rmSync(large.directory, { recursive: true });
    const sql = `sqlite3 '${large.database}' 'CREATE TABLE since_then (n)'`;
    execFileSync('su', ['-s', '/bin/sh', large.user.name, '-c', sql]);
    const back = await large.run({ ...inputs, command: 'restore', confirm: 'app.db' });
    expect({ code: back.code, ...back.outputs }).toMatchObject({
      ...{ code: 0, 'error-code': '', 'restore-outcome': 'restored', 'backup-id': id, 's3-uri': uri },
    });
    expect(reportOf(back).offsite?.via).toBe(via);
    expect(sqlite3(large.database, "SELECT count(*) FROM sqlite_master WHERE name = 'since_then'").trim()).toBe('0');
  });

  test('object lock: nobody deletes the version before its time', async () => {
    const lock = { 's3-object-lock': 'compliance 2d' };
    const result = await scene.run({ ...server.inputs, ...lock, 's3-bucket': 'locking', 's3-upload-via': 'host' });
    const id = expectBackup(result);
    const { lockedUntil, uri } = reportOf(result).offsite ?? {};
    expect(Date.parse(lockedUntil ?? '') - Date.now()).toBeGreaterThan(1.9 * 86_400_000);
    const Key = uri?.replace('s3://locking/', '');
    const VersionId = result.outputs['s3-version-id'];
    const deleting = new DeleteObjectCommand({ Bucket: 'locking', Key, VersionId });
    await expect(server.client.send(deleting)).rejects.toMatchObject({
      name: name === 'Ceph' ? 'AccessDenied' : 'InvalidRequest',
    });
    const manifest = await server.client.send(new HeadObjectCommand({ Bucket: 'locking', Key: `app/${id}.json` }));
    expect(manifest.ObjectLockMode).toBe('COMPLIANCE');
  });

  test.each<[Inputs, string, string]>([
    [{ 's3-bucket': 'plain', 's3-object-lock': '2d' }, 'E_S3_UNSUPPORTED', '`s3-object-lock`'],
    [{ 's3-bucket': 'plain', 's3-storage-class': 'STANDARD_IA' }, 'E_S3_UNSUPPORTED', '`s3-storage-class`'],
    name === 'Ceph'
      ? [{ 's3-bucket': 'plain', 's3-sse': 'AES256' }, 'E_S3_UNSUPPORTED', '`s3-sse`']
      : [{ 's3-bucket': 'plain', 's3-sse': 'aws:kms', 's3-kms-key-id': 'none' }, 'E_S3_UNSUPPORTED', '`s3-kms-key-id`'],
  ])('%j is refused', async (inputs, code, says) => {
    const result = await scene.run({ ...server.inputs, ...inputs });
    expectFailure(result, code, says, 'The backup on the host is good and was kept');
    expect(await unfinished('plain')).toEqual([]);
  });

  test.each<[Inputs, string, string]>([
    [{ bucket: 'not-there' }, 'E_S3_BUCKET', 'there is no bucket not-there'],
    [{ 's3-secret-access-key': 'x' }, 'E_S3_AUTH', 'the signature is wrong'],
    [{ 's3-access-key-id': 'NOBODY' }, 'E_S3_AUTH', 'does not know the access key'],
  ])('what it says to %j is understood', async ({ bucket = 'plain', ...inputs }, code, says) => {
    const store = open(bucket, { ...server.inputs, ...inputs });
    const message = expect.stringContaining(says);
    await expect(store.list('x/')).rejects.toMatchObject({ code, message });
    store.close();
  });

  // Ceph takes keys from a service of its own, which is more than a test starts
  if (name === 'MinIO') {
    test.each<[Inputs]>([[{ 's3-sse': 'AES256' }], [{ 's3-sse': 'aws:kms', 's3-kms-key-id': KMS_KEY }]])(
      '%j: it encrypts',
      async (inputs) => {
        const result = await large.run({ ...server.inputs, ...inputs, 's3-bucket': 'plain' });
        expectBackup(result);
        expect(result.outputs['s3-version-id']).toBe('');
        const Key = result.outputs['s3-uri']?.replace('s3://plain/', '');
        const head = await server.client.send(new HeadObjectCommand({ Bucket: 'plain', Key }));
        expect(head.ServerSideEncryption).toBe(inputs['s3-sse']);
      },
    );
  }

  describe('retention', () => {
    const twice = async (inputs: Inputs) => {
      const all = { ...server.inputs, ...inputs, 's3-prefix': 'rotated', 's3-keep': '1' };
      const first = expectBackup(await scene.run(all));
      const result = await scene.run(all);
      return { first, second: expectBackup(result), result, list: () => scene.run({ ...all, command: 'list' }) };
    };
    const versions = async (Bucket: string, id: string) => {
      const listing = new ListObjectVersionsCommand({ Bucket, Prefix: `rotated/app/${id}.` });
      return ((await server.client.send(listing)).Versions ?? []).length;
    };

    test.each([
      ['plain', false, 0],
      ['versioned', true, 2],
    ])('in a bucket that is %s', async (bucket, hidden, left) => {
      const { first, second, result, list } = await twice({ 's3-bucket': bucket });
      expect(reportOf(result).s3).toMatchObject({ deleted: 1, backups: 1, hidden });
      expect(result.outputs['s3-version-id'] !== '').toBe(hidden);
      expect(await versions(bucket, first)).toBe(left);
      const { s3, backups } = reportOf(await list());
      expect(s3?.backups).toBe(1);
      expect(backups.filter(({ places }) => places.includes('s3')).map(({ id }) => id)).toEqual([second]);
    });

    test('leaves what is locked', async () => {
      const { first, result } = await twice({ 's3-bucket': 'locking', 's3-object-lock': '1d' });
      const { s3 } = reportOf(result);
      expect(s3).toMatchObject({ deleted: 0, backups: 2 });
      const decision = s3?.retention.find(({ id }) => id === first);
      expect(decision?.reasons).toEqual([expect.stringMatching(/^locked until /)]);
    });
  });

  describe('the policies of docs/off-site.md', () => {
    const ROLES = ['writer', 'retention', 'reader'] as const;
    let who: Record<(typeof ROLES)[number], Inputs>;
    const copies: string[] = [];
    beforeAll(async () => {
      await server.makeBucket('shop-backups', 'locking');
      const docs = readFileSync(new URL('../../docs/off-site.md', import.meta.url), 'utf8');
      const policies = Object.fromEntries(ROLES.map((role) => [role, policyIn(docs, role)]));
      who = (await server.grant('shop-backups', policies)) as typeof who;
    });
    const as = (role: keyof typeof who, inputs: Inputs = {}): Inputs => ({
      ...{ ...who[role], 's3-bucket': 'shop-backups', 's3-prefix': 'production' },
      ...inputs,
    });
    /** What these keys are answered. */
    const asking = async (role: keyof typeof who, ask: (client: S3Client) => Promise<unknown>): Promise<string> => {
      const client = clientOf(who[role]);
      try {
        return await ask(client).then(
          () => 'done',
          ({ name }: Error) => name,
        );
      } finally {
        client.destroy();
      }
    };
    const deleting = (Key: string, VersionId?: string) => (client: S3Client) =>
      client.send(new DeleteObjectCommand({ Bucket, Key, VersionId }));
    const adding = (Key: string) => (client: S3Client) => client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
    const listing = (Prefix?: string) => (client: S3Client) =>
      client.send(new ListObjectsV2Command({ Bucket, Prefix }));
    const Bucket = 'shop-backups';
    const payload = (id: string): string => `production/app/${id}.sqlite.zst`;

    test('that of the writer is enough for backups, and deletes nothing', async () => {
      let version = '';
      for (const more of [{ 's3-upload-via': 'runner' }, { 's3-upload-via': 'host', 's3-object-lock': '1d' }]) {
        const result = await scene.run(as('writer', { ...more, 's3-keep': 'none' }));
        const id = expectBackup(result);
        expect(result.outputs['s3-uri']).toBe(`s3://shop-backups/${payload(id)}`);
        expect(reportOf(result).offsite?.lockedUntil === null).toBe(copies.length === 0);
        copies.push(id);
        version ||= result.outputs['s3-version-id'] ?? '';
      }
      const Key = payload(copies[0] ?? '');
      expect(version).not.toBe('');
      for (const ask of [
        deleting(Key),
        deleting(Key, version),
        adding('elsewhere/x'),
        listing('elsewhere/'),
        listing(),
      ]) {
        expect(await asking('writer', ask)).toBe('AccessDenied');
      }
      expectFailure(
        await scene.run(as('writer', { command: 'prune', 's3-keep': '1' })),
        'E_ROTATE',
        '`s3:DeleteObject`',
      );
    });

    test('what is not there and what may not be seen are told apart, also where the store answers 403 to both', async () => {
      const store = open('shop-backups', who.writer);
      expect(await store.head('production/app/none')).toBeNull();
      await expect(store.head('elsewhere/none')).rejects.toMatchObject({ code: 'E_S3_AUTH' });
      store.close();
      const head = (client: S3Client) => client.send(new HeadObjectCommand({ Bucket, Key: 'production/app/none' }));
      const answer = await head(clientOf(who.writer)).catch((error: unknown) => error);
      expect(answer).toMatchObject({ $metadata: { httpStatusCode: name === 'Ceph' ? 403 : 404 } });
    });

    test('that of retention is enough for prune, leaves what is locked, and adds nothing', async () => {
      const result = await scene.run(as('retention', { command: 'prune', 's3-keep': '1' }));
      expect({ code: result.code, error: result.outputs['error-code'] }).toEqual({ code: 0, error: '' });
      expect(reportOf(result).s3).toMatchObject({ deleted: 1, hidden: true });
      // a lock that it could not see would be hidden by a delete marker
      const third = expectBackup(await scene.run(as('writer', { 's3-keep': 'none' })));
      const again = await scene.run(as('retention', { command: 'prune', 's3-keep': '1' }));
      expect(reportOf(again).s3).toMatchObject({ deleted: 0, backups: 2 });
      copies.push(third);
      expect(await asking('retention', adding(payload('x')))).toBe('AccessDenied');
    });

    test('that of the reader is enough for a restore, and changes nothing', async () => {
      rmSync(scene.directory, { recursive: true });
      const back = await scene.run(as('reader', { command: 'restore', confirm: 'app.db' }));
      const id = copies.at(-1) ?? '';
      expect({ code: back.code, ...back.outputs }).toMatchObject({
        ...{ code: 0, 'restore-outcome': 'restored', 'backup-id': id, 's3-uri': `s3://shop-backups/${payload(id)}` },
      });
      expect(await asking('reader', deleting(payload(id)))).toBe('AccessDenied');
      expect(await asking('reader', adding(payload(id)))).toBe('AccessDenied');
    });
  });

  describe('an object', () => {
    const md5 = (text: string): string => createHash('md5').update(text).digest('base64');
    const storing = (sha256: string) => ({ sha256, storageClass: null });

    // Ceph overlooks the condition with versions, and with parts.
    test.each(['plain', 'versioned'])(
      'is never overwritten in a %s bucket; the same one is as good as done',
      async (bucket) => {
        const store = open(bucket);
        await store.putObject('x/one', 'first', md5('first'), storing('1'));
        await store.putObject('x/one', 'first', md5('first'), storing('1'));
        await expect(store.putObject('x/one', 'other', md5('other'), storing('2'))).rejects.toMatchObject({
          code: 'E_S3_VERIFY',
          message: expect.stringContaining('an object with that name already exists'),
        });
        const upload = await store.begin('x/one', storing('2'));
        const part = await store.putPart(upload, 1, Buffer.from('other'), md5('other'));
        await expect(store.complete(upload, [part], '2')).rejects.toMatchObject({ code: 'E_S3_VERIFY' });
        expect(await store.giveUp(upload)).toBe(true);
        expect(await store.get('x/one')).toBe('first');
        store.close();
      },
    );

    test('of which a part is not what its MD5 says is refused', async () => {
      const store = open('versioned');
      const upload = await store.begin('x/two', storing('1'));
      await expect(store.putPart(upload, 1, Buffer.from('a'), md5('b'))).rejects.toMatchObject({ code: 'E_S3_VERIFY' });
      const url = await store.signPart(upload, 1, md5('a'));
      const answer = await fetch(url, { method: 'PUT', body: 'b', headers: { 'content-md5': md5('b') } });
      expect(answer.status).toBe(403); // the MD5 is part of the signature
      expect(await store.giveUp(upload)).toBe(true);
      store.close();
    });

    test('is listed page by page, read and deleted', async () => {
      const store = open('versioned');
      const keys = Array.from({ length: 5 }, (_, at) => `x/list/${at}`);
      for (const key of keys) await store.putObject(key, key, md5(key), storing('1'));
      expect((await store.list('x/list/')).map(({ key }) => key)).toEqual(keys);
      await store.remove('x/list/0');
      await store.remove('x/list/0');
      expect(await store.get('x/list/0')).toBeNull();
      expect(await store.head('x/list/0')).toBeNull();
      expect(await store.list('x/list/')).toHaveLength(4);
      store.close();
    });
  });
});

/** The one in the section that is headed by that role. */
function policyIn(docs: string, role: string): Policy {
  const [, text] = new RegExp(`^### The ${role}\\b.*?^\`\`\`json\n(.*?)^\`\`\``, 'ms').exec(docs) ?? [];
  return JSON.parse(text ?? '') as Policy;
}
