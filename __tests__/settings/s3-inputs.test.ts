import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { InputName } from '../../src/settings/declared-inputs.js';
import { accepted, type Given, problems, reading } from './given-inputs.js';

const LOCAL: Given = { transport: 'local', database: '/srv/app.db' };
const S3: Given = { ...LOCAL, 's3-bucket': 'shop-backups', 's3-endpoint': 'https://s3.example.com' };

const REGIONS = ['AWS_REGION', 'AWS_DEFAULT_REGION'] as const;
const before = REGIONS.map((name) => [name, process.env[name]] as const);
beforeEach(() => {
  for (const name of REGIONS) delete process.env[name];
});
afterEach(() => {
  for (const [name, value] of before) if (value !== undefined) process.env[name] = value;
});

describe('the region', () => {
  const AWS: Given = { ...LOCAL, 's3-bucket': 'shop-backups' };

  test.each([
    [AWS, 'eu-west-3', 'eu-west-3'],
    [{ ...AWS, 's3-region': 'eu-north-1' }, 'eu-west-3', 'eu-north-1'],
    [S3, 'eu-west-3', 'eu-west-3'],
    [S3, undefined, 'us-east-1'],
  ])('of %j with AWS_REGION %j is %s', async (given, variable, region) => {
    if (variable !== undefined) process.env.AWS_REGION = variable;
    const { settings, warnings } = await accepted(given);
    expect(settings.s3?.region).toBe(region);
    expect(warnings).toEqual([]);
  });

  test('has to be known for AWS', async () => {
    expect(await problems(AWS)).toEqual([
      expect.stringMatching(/^s3-region: required without s3-endpoint: .*AWS_REGION/),
    ]);
  });
});

describe('the lock', () => {
  test.each([
    ['30d', 'GOVERNANCE'],
    ['governance 30d', 'GOVERNANCE'],
    ['compliance 30d', 'COMPLIANCE'],
  ])('%s', async (text, mode) => {
    const { settings } = await accepted({ ...S3, 's3-object-lock': text });
    expect(settings.s3?.objectLock).toEqual({ mode, ms: 30 * 86_400_000 });
  });
});

test('plain HTTP is for loopback', async () => {
  for (const host of ['127.0.0.1:9000', '127.1.2.3', 'localhost', '[::1]:80']) {
    const { settings } = await accepted({ ...S3, 's3-endpoint': `http://${host}` });
    expect(settings.s3?.endpoint).toMatch(/^http:/);
  }
});

const ENDPOINT = 'expected an https:// URL such as https://s3.example.com, or http:// for loopback only';
const BUCKET =
  'expected only the name of a bucket, 3 to 63 lower-case letters, digits, "." or "-"; the rest goes into s3-prefix';
const LOCK = 'expected a duration in days such as 30d, or with its mode: governance 30d, compliance 30d';

test.each<[InputName, string, string]>([
  ['s3-bucket', 's3://b/c', BUCKET],
  ['s3-bucket', 'Shop', BUCKET],
  ['s3-bucket', 'a', BUCKET],
  ['s3-prefix', 'a/../b', 'expected folders of letters'],
  ['s3-prefix', 'a//b', 'expected folders of letters'],
  ['s3-prefix', 'a b', 'expected folders of letters'],
  ['s3-region', 'eu central', 'expected the name of a region'],
  ['s3-endpoint', 's3.example.com', ENDPOINT],
  ['s3-endpoint', 'ftp://s3.example.com', ENDPOINT],
  ['s3-endpoint', 'http://s3.example.com', ENDPOINT],
  ['s3-endpoint', 'http://127.0.0.1.example.com', ENDPOINT],
  ['s3-endpoint', 'https://a@s3.example.com', `${ENDPOINT}, without user, query or fragment`],
  ['s3-endpoint', 'https://s3.example.com/?x', `${ENDPOINT}, without user, query or fragment`],
  ['s3-upload-via', 'both', 'expected one of auto, host, runner'],
  ['s3-storage-class', 'cold', 'expected a storage class in capitals'],
  ['s3-sse', 'aes', 'expected one of AES256, aws:kms, aws:kms:dsse'],
  ['s3-object-lock', '30', LOCK],
  ['s3-object-lock', '12h', LOCK],
  ['s3-object-lock', 'legal 3d', LOCK],
  ['s3-object-lock', '0d', `${LOCK}, from 1d to 36500d`],
])('%s: %j is refused', async (name, value, rule) => {
  const told = await problems({ ...S3, [name]: value });
  expect(told).toEqual([expect.stringMatching(new RegExp(`^${name}: `))]);
  expect(told[0]).toContain(rule);
});

test('a KMS key needs KMS', async () => {
  for (const sse of ['', 'AES256']) {
    const told = await problems({ ...S3, 's3-sse': sse, 's3-kms-key-id': 'alias/a' });
    expect(told).toEqual(['s3-kms-key-id: expected nothing unless s3-sse is aws:kms or aws:kms:dsse']);
  }
});

test.each<[Given, InputName]>([
  [{ 's3-access-key-id': 'A' }, 's3-secret-access-key'],
  [{ 's3-secret-access-key': 'A' }, 's3-access-key-id'],
  [{ 's3-session-token': 'A' }, 's3-access-key-id'],
])('%j alone is half a credential', async (given, lacking) => {
  expect(await problems({ ...S3, ...given })).toEqual([
    expect.stringMatching(new RegExp(`^${lacking}: required with `)),
  ]);
});

test('a bucket that is not set does not turn the copy off without a word', async () => {
  const { error } = await reading({ ...LOCAL, 's3-region': 'eu-central-1' });
  expect(error?.message).toMatch(/^s3-bucket: required, because s3-region is given; .* is probably not set/);
  expect(error?.hint).toContain('its secret or variable is not set');
});

test('other commands do not use them', async () => {
  const { settings, warnings } = await accepted({
    ...S3,
    command: 'pin',
    pin: 'x',
    backup: 'app-20261120T101500Z-7f3a',
  });
  expect(settings.s3).toBeNull();
  expect(warnings).toEqual(['s3-bucket', 's3-endpoint'].map((name) => `${name}: it has no effect with command pin`));
});

test.each(['list', 'delete', 'prune'])('%s takes where the store is, not how copies are made', async (command) => {
  const backup = command === 'delete' ? { backup: 'app-20261120T101500Z-7f3a' } : {};
  const { settings, warnings } = await accepted({
    ...S3,
    ...backup,
    command,
    's3-prefix': 'p',
    's3-object-lock': '30d',
  });
  expect(settings.s3).toMatchObject({ bucket: 'shop-backups', prefix: 'p', objectLock: null });
  expect(warnings).toEqual([`s3-object-lock: it has no effect with command ${command}`]);
});

describe('s3-keep', () => {
  test.each([
    [{}, { last: 5 }],
    [{ keep: 'daily=7' }, { daily: 7 }],
    [{ keep: 'daily=7', 's3-keep': 'monthly=12' }, { monthly: 12 }],
    [{ keep: 'daily=7', 's3-keep': 'none' }, null],
  ])('with %j is %j', async (given, keep) => {
    for (const command of ['backup', 'prune']) {
      const { settings, warnings } = await accepted({ ...S3, ...given, command });
      expect(settings.s3?.keep).toEqual(keep);
      expect(warnings).toEqual([]);
    }
  });

  test('none is not for keep, and 0 for neither', async () => {
    expect(await problems({ ...S3, keep: 'none' })).toEqual([expect.stringMatching(/^keep: /)]);
    expect(await problems({ ...S3, 's3-keep': '0' })).toEqual([expect.stringMatching(/^s3-keep: /)]);
  });

  test('alone wants a bucket', async () => {
    expect(await problems({ ...LOCAL, 's3-keep': '3' })).toEqual([
      expect.stringMatching(/^s3-bucket: required, because s3-keep is given/),
    ]);
  });
});

describe('a backup that is named by its place in a store', () => {
  const STORE: Given = { ...LOCAL, 's3-endpoint': 'https://s3.example.com' };
  const backup = 's3://other-bucket/a/app-20261120T101500Z-7f3a.sqlite.zst';
  const location = { bucket: 'other-bucket', key: 'a/app-20261120T101500Z-7f3a.sqlite.zst' };

  test.each(['restore', 'verify'])('%s needs no s3-bucket, and looks for nothing else there', async (command) => {
    const { settings, warnings } = await accepted({ ...STORE, command, backup });
    expect(settings).toMatchObject({ backup: null, s3: { bucket: 'other-bucket', onlyNamed: true } });
    expect([settings.backupInStore, settings.restore.wanted]).toEqual(
      command === 'verify' ? [location, { by: 'latest' }] : [null, { by: 's3', ...location }],
    );
    expect(warnings).toEqual([]);
  });

  test('beside s3-bucket', async () => {
    const { settings } = await accepted({ ...S3, command: 'verify', backup });
    expect(settings).toMatchObject({ s3: { bucket: 'shop-backups', onlyNamed: false }, backupInStore: location });
  });

  test.each([
    's3://bucket',
    's3://bucket/',
    's3://bucket/a/',
    's3:/bucket/a',
    's3://Bucket/a',
    `s3://b/${'a'.repeat(1025)}`,
    's3://bucket/app-20261120T101500Z-7f3a.json',
  ])('%s is refused', async (given) => {
    for (const command of ['restore', 'verify']) {
      const told = await problems({ ...S3, command, backup: given });
      expect(told).toEqual([expect.stringMatching(/^backup: expected s3:\/\/<bucket>\/<key>, the key of a payload/)]);
    }
  });
});

test('keys are masked, also as they stand in URLs', async () => {
  const given = { ...S3, 's3-access-key-id': 'AKID', 's3-secret-access-key': 'a/b+c', 's3-session-token': 'd/e=' };
  const { masks } = await reading(given);
  expect(masks).toEqual(expect.arrayContaining(['AKID', 'a/b+c', 'a%2Fb%2Bc', 'd/e=', 'd%2Fe%3D']));
});
