import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { hashes, leftOnHost } from '../helpers/invariants.js';
import { startProxy } from '../helpers/proxy.js';
import type { ActionResult } from '../helpers/run-action.js';
import {
  type Fault,
  type S3Double,
  type S3DoubleOptions,
  type S3Request,
  startS3Double,
} from '../helpers/s3-double.js';
import { sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

// What goes wrong between here and an S3 store: the backup on the host is good and stays, nothing is rotated, nothing unfinished is left
// in the store, and the run is red with a code of its own.

type Match = (request: S3Request) => boolean;

let scene: Scene;
let s3: S3Double;
let before: Record<string, string>;
beforeAll(async () => {
  scene = await startScene();
  s3 = await startS3Double();
  expectBackup(await scene.run());
  expectBackup(await scene.run());
  before = hashes(scene.directory);
});
afterEach(() => {
  s3.clear();
  for (const name of Object.keys(hashes(scene.directory))) {
    if (before[name] === undefined) rmSync(join(scene.directory, name));
  }
});
afterAll(async () => {
  await scene.stop();
  await s3.stop();
});

const listing: Match = ({ key }) => key === '';
const beginning: Match = ({ method, query }) => method === 'POST' && query.has('uploads');
const part: Match = ({ method, query }) => method === 'PUT' && query.has('partNumber');
const completing: Match = ({ method, query }) => method === 'POST' && query.has('uploadId');
const looking: Match = ({ method, headers }) => method === 'HEAD' && headers.authorization !== undefined;
const manifest: Match = ({ method, key }) => method === 'PUT' && key.endsWith('.json');

/** With `keep: 1`, so that a rotation would delete what was there before. */
const run = (more: Record<string, string> = {}, store: S3Double = s3): Promise<ActionResult> =>
  scene.run({ ...store.inputs, 's3-upload-via': 'runner', keep: '1', 'keep-made-under': 'false', ...more });

/** The run failed, and left everything as it has to be. */
async function expectLeftWell(result: ActionResult, store: S3Double = s3): Promise<void> {
  const id = result.outputs['backup-id'] ?? '';
  expect(existsSync(join(scene.directory, `${id}.json`))).toBe(true);
  expect(hashes(scene.directory)).toMatchObject(before);
  expect(reportOf(result)).toMatchObject({ ok: false, deleted: 0, offsite: null, backup: { id } });
  expect(result.outputs).toMatchObject({ 's3-uri': '', 's3-version-id': '' });
  expect([...store.uploads]).toEqual([]);
  expect(store.keys().filter((key) => key.endsWith('.json'))).toEqual([]);
  expect(result.summary).toContain('was made, but the run failed');
  expect(await leftOnHost(scene)).toEqual([]);
}

const STAYS = 'The backup on the host is good and was kept; nothing was rotated.';
const DENIED: Fault = { status: 403, code: 'AccessDenied', message: 'User: arn:x is not authorized' };
const BUSY: Fault = { status: 503, code: 'SlowDown', message: 'Please reduce your request rate.' };
const EXPIRED: Fault = { status: 400, code: 'ExpiredToken', message: 'The provided token has expired.' };

describe('a refusal', () => {
  test.each<[string, Match, Fault, string, (string | RegExp)[]]>(
    sample<[string, Match, Fault, string, (string | RegExp)[]]>(
      [
        ['the list', listing, DENIED, 'E_S3_AUTH', ['the credentials do not allow that', '`s3:ListBucket`']],
        ['the beginning', beginning, DENIED, 'E_S3_AUTH', ['starting the upload', '`s3:PutObject`']],
        ['a part', part, DENIED, 'E_S3_AUTH', ['uploading part 1', 'is not authorized']],
        ['the manifest', manifest, DENIED, 'E_S3_AUTH', ['uploading s3://shop-backups/app/', '.json']],
        ['a token that expires in the middle', part, EXPIRED, 'E_S3_AUTH', ['the credentials have expired']],
        [
          'another region',
          listing,
          { status: 301, code: 'PermanentRedirect', headers: { 'x-amz-bucket-region': 'eu-west-3' } },
          'E_S3_BUCKET',
          ['is not in the region us-east-1, but in eu-west-3', '`s3-region`: eu-west-3'],
        ],
        [
          'a copy that is not there afterwards',
          looking,
          { status: 404, code: 'NotFound' },
          'E_S3_VERIFY',
          [/the off-site copy \S+ is not what was uploaded: it is missing/],
        ],
      ],
      4,
    ),
  )('of %s', async (_, match, fault, code, says) => {
    s3.fail(match, fault);
    const result = await run();
    expectFailure(result, code, ...says, STAYS);
    await expectLeftWell(result);
  });

  test.each<[string, Record<string, string>, string, (string | RegExp)[]]>(
    sample<[string, Record<string, string>, string, (string | RegExp)[]]>(
      [
        ['wrong bucket', { 's3-bucket': 'no-such' }, 'E_S3_BUCKET', ['there is no bucket no-such at http://127.0.0.1']],
        ['wrong region', { 's3-region': 'eu-1' }, 'E_S3_BUCKET', ['not in the region eu-1, but in us-east-1']],
        [
          'wrong secret',
          { 's3-secret-access-key': 'x' },
          'E_S3_AUTH',
          ['the signature is wrong', '`s3-secret-access-key`'],
        ],
        ['wrong key', { 's3-access-key-id': 'AKIDOTHER' }, 'E_S3_AUTH', ['does not know the access key']],
        ['no store', { 's3-endpoint': 'http://127.0.0.1:9' }, 'E_S3_UNAVAILABLE', [/tried 6 times.*ECONNREFUSED/]],
      ],
      3,
    ),
  )('of a %s', async (_, inputs, code, says) => {
    const result = await run(inputs);
    expectFailure(result, code, ...says, STAYS);
    await expectLeftWell(result);
  });

  test('for want of credentials', async () => {
    const keys = { 's3-access-key-id': '', 's3-secret-access-key': '' };
    const env = { AWS_EC2_METADATA_DISABLED: 'true' };
    const result = await scene.run(
      { ...s3.inputs, ...keys, 's3-upload-via': 'runner', keep: '1', 'keep-made-under': 'false' },
      env,
    );
    expectFailure(result, 'E_S3_AUTH', 'no credentials were found', 'aws-actions/configure-aws-credentials', STAYS);
    await expectLeftWell(result);
  });
});

test('the credentials of the default chain, as the step for OIDC leaves them', async () => {
  const { 's3-access-key-id': id = '', 's3-secret-access-key': secret = '', ...inputs } = s3.inputs;
  const env = { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: 'us-east-1' };
  expectBackup(await scene.run(inputs, env));
  expect(s3.keys()).toHaveLength(2);
});

describe('a failure that passes', () => {
  test.each<[string, Match, Fault, number]>(
    sample<[string, Match, Fault, number]>(
      [
        ['503 twice', () => true, BUSY, 2],
        ['a reset in the middle of a part', part, 'reset', 1],
        ['500 at the end', completing, { status: 500, code: 'InternalError' }, 2],
        ['an error in a 200 at the end', completing, 'error-in-200', 2],
        ['an answer that was lost at the end', completing, 'lost-answer', 1],
        ['an answer to the manifest that was lost', manifest, 'lost-answer', 1],
        ['a part that was damaged on the way', part, { status: 400, code: 'BadDigest' }, 1],
      ],
      4,
    ),
  )('%s', async (_, match, fault, times) => {
    s3.fail(match, fault, times);
    expectBackup(await run({ keep: '5' }));
    expect(s3.keys()).toHaveLength(2);
    expect([...s3.uploads]).toEqual([]);
  });
});

describe('a failure that does not', () => {
  test.each<[string, Match, Fault, (string | RegExp)[]]>(
    sample<[string, Match, Fault, (string | RegExp)[]]>(
      [
        ['503', part, BUSY, ['tried 6 times', 'reduce your request rate']],
        ['resets in the middle of parts', part, 'reset', [/ECONNRESET|EPIPE|socket hang up/]],
        ['errors in a 200 at the end', completing, 'error-in-200', ['completing the upload', 'internal error']],
      ],
      2,
    ),
  )('%s', async (_, match, fault, says) => {
    s3.fail(match, fault);
    const result = await run();
    expectFailure(result, 'E_S3_UNAVAILABLE', ...says, STAYS);
    await expectLeftWell(result);
  });

  test('silence ends after idle-timeout', async () => {
    s3.fail(part, 'hang');
    const result = await run({ 'idle-timeout': '2s' });
    expectFailure(result, 'E_S3_UNAVAILABLE', 'uploading part 1', 'timed out after 2000 ms', STAYS);
    await expectLeftWell(result);
  });
});

describe('a store', () => {
  const withStore = async (options: S3DoubleOptions, work: (store: S3Double) => Promise<void>): Promise<void> => {
    const store = await startS3Double(options);
    try {
      await work(store);
    } finally {
      await store.stop();
    }
  };

  test('whose clock is an hour ahead', async () => {
    await withStore({ clockAheadMs: 3_600_000 }, async (store) => {
      const result = await run({}, store);
      expectFailure(result, 'E_S3_AUTH', 'the clocks of the runner and the store differ', 'the store says', STAYS);
      await expectLeftWell(result, store);
    });
  });

  test.each(['ignored', 'refused'] as const)('by which conditions are %s', async (conditions) => {
    await withStore({ conditions }, async (store) => {
      expectBackup(await run({ keep: '5' }, store));
      expect(store.keys()).toHaveLength(2);
    });
  });

  test('that keeps other bytes than it was sent', async () => {
    await withStore({ damaging: true }, async (store) => {
      const result = await run({}, store);
      expectFailure(result, 'E_S3_VERIFY', /it has \d+ bytes, but \d+ were sent/, STAYS);
      await expectLeftWell(result, store);
    });
  });

  test.each<[Record<string, string>, string]>(
    sample<[Record<string, string>, string]>(
      [
        [{ 's3-object-lock': '30d' }, 'it is not locked'],
        [{ 's3-storage-class': 'STANDARD_IA' }, 'it has STANDARD, not STANDARD_IA'],
        [{ 's3-sse': 'AES256' }, 'does not report any encryption'],
      ],
      2,
    ),
  )('that overlooks %j', async (inputs, says) => {
    await withStore({ forgetful: true }, async (store) => {
      const result = await run(inputs, store);
      expectFailure(result, 'E_S3_UNSUPPORTED', `\`${Object.keys(inputs)[0]}\``, says, STAYS);
      expect(result.visible).toMatch(/s3:\S+ failed its check, but is still in the bucket: .* delete it there/);
      expect(result.visible).not.toContain('removed the unfinished upload');
      await expectLeftWell(result, store);
    });
  });

  test('that can not be asked afterwards: nothing is known of the object, and nobody is told to delete it', async () => {
    s3.fail(looking, { status: 403, code: 'AccessDenied' });
    const result = await run({});
    expectFailure(result, 'E_S3_AUTH', STAYS);
    expect(result.visible).not.toContain('rejected');
    s3.heal();
  });

  test.each<[Record<string, string>, Fault | null]>(
    sample<[Record<string, string>, Fault | null]>(
      [
        [{ 's3-object-lock': '30d' }, null],
        [{ 's3-storage-class': 'FROZEN' }, { status: 400, code: 'InvalidStorageClass' }],
        [{ 's3-sse': 'aws:kms' }, { status: 501, code: 'NotImplemented' }],
      ],
      2,
    ),
  )('that refuses %j', async (inputs, fault) => {
    if (fault !== null) s3.fail(beginning, fault);
    const result = await run(inputs);
    expectFailure(result, 'E_S3_UNSUPPORTED', `\`${Object.keys(inputs)[0]}\``, STAYS);
    await expectLeftWell(result);
  });
});

describe('an upload from the host', () => {
  const VIA = { 's3-upload-via': 'host' };

  test.each<[string, Fault]>(
    sample<[string, Fault]>(
      [
        ['503 twice', BUSY],
        ['resets', 'reset'],
      ],
      1,
    ),
  )('gets over %s', async (_, fault) => {
    s3.fail(part, fault, 2);
    expectBackup(await run({ ...VIA, keep: '5' }));
    expect(s3.keys()).toHaveLength(2);
  });

  test.each<[string, Fault, string, (string | RegExp)[]]>(
    sample<[string, Fault, string, (string | RegExp)[]]>(
      [
        ['a token that expires in the middle', EXPIRED, 'E_S3_AUTH', ['from the host', 'the credentials have expired']],
        ['503 for ever', BUSY, 'E_S3_UNAVAILABLE', ['tried 6 times', 'reduce your request rate']],
        ['resets for ever', 'reset', 'E_S3_UNAVAILABLE', ['curl on the host ended with']],
      ],
      2,
    ),
  )('ends with %s', async (_, fault, code, says) => {
    s3.fail(part, fault);
    const result = await run(VIA);
    expectFailure(result, code, ...says, STAYS);
    await expectLeftWell(result);
  });
});

describe.each(['host', 'runner'])('a run that is cancelled while it uploads through the %s', (via) => {
  test('removes what it had uploaded, and leaves the backup', async () => {
    s3.fail(part, 'hang');
    const action = scene.start({ ...s3.inputs, 's3-upload-via': via, keep: '1', 'keep-made-under': 'false' });
    await action.line(/published/);
    while (!s3.requests.some(part)) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(s3.uploads.size).toBe(1);
    const asked = Date.now();
    action.kill('SIGINT');
    await action.main;
    expect(Date.now() - asked).toBeLessThan(7_500); // then the runner sends the next signal
    const result = await action.result();
    expectFailure(result, 'E_CANCELLED');
    await expectLeftWell(result);
  });
});

test.each(['host', 'runner'])(
  'what a run that was killed has uploaded through the %s is removed by the post step',
  async (via) => {
    s3.fail(part, 'hang', 1);
    const action = scene.start({ ...s3.inputs, 's3-upload-via': via, keep: '1', 'keep-made-under': 'false' });
    await action.line(/published/);
    while (!s3.requests.some(part)) await new Promise((resolve) => setTimeout(resolve, 20));
    action.kill('SIGKILL');
    await action.main;
    expect(s3.uploads.size).toBe(1);
    const { steps, visible } = await action.result();
    expect(steps.post?.code).toBe(0);
    expect(visible).toContain('removed the unfinished upload from the bucket');
    expect([...s3.uploads]).toEqual([]);
    expect(s3.keys()).toEqual([]);
    expect(hashes(scene.directory)).toMatchObject(before);
    expect(await leftOnHost(scene)).toEqual([]);
  },
);

test('a connection to the host that is lost in the middle of an upload', async () => {
  const proxy = await startProxy(scene.sshd.port);
  try {
    s3.fail(part, 'hang');
    const lines = Object.values(scene.sshd.hostKeys).map((line) => `[127.0.0.1]:${proxy.port} ${line}`);
    const through = { port: String(proxy.port), 'known-hosts': lines.join('\n') };
    const action = scene.start({
      ...s3.inputs,
      ...through,
      's3-upload-via': 'host',
      keep: '1',
      'keep-made-under': 'false',
    });
    await action.line(/published/);
    while (!s3.requests.some(part)) await new Promise((resolve) => setTimeout(resolve, 20));
    proxy.cut();
    const result = await action.result();
    expectFailure(result, 'E_REMOTE_LOST');
    await expectLeftWell(result);
  } finally {
    await proxy.stop();
  }
});
