import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { StoredInS3 } from '../../../src/stores/s3/bucket.js';
import { compareParts } from '../../../src/stores/s3/read-back.js';

// What a store calls parts and objects, where that is made of their MD5.

const md5 = (bytes: string | Buffer): string => createHash('md5').update(bytes).digest('hex');
const MD5S = ['one', 'two', 'three'].map(md5);
const WHOLE = `${md5(Buffer.concat(MD5S.map((one) => Buffer.from(one, 'hex'))))}-3`;
const OTHER = md5('other');

const compare = (etags: string[], etag: string, more: Partial<StoredInS3> = {}): boolean =>
  compareParts(
    's3://b/k',
    {
      ...{ bytes: 1, sha256: null, versionId: null, storageClass: 'STANDARD', sse: null, kmsKeyId: null },
      ...{ lock: null, legalHold: false, etag, ...more },
    },
    { key: 'k', id: 'u1', lockedUntil: null },
    etags.map((name, at) => ({ number: at + 1, etag: `"${name}"`, md5: MD5S[at] ?? '' })),
  );

test('parts and whole as they were sent are recognised', () => {
  expect(compare(MD5S, WHOLE)).toBe(true);
});

describe('E_S3_VERIFY', () => {
  test.each([0, 1, 2])('when part %d has another checksum', (at) => {
    const etags = MD5S.map((one, nth) => (nth === at ? OTHER : one));
    expect(() => compare(etags, WHOLE)).toThrow(
      expect.objectContaining({
        code: 'E_S3_VERIFY',
        message: `the off-site copy s3://b/k is not what was uploaded: the checksum of its part ${at + 1} is not that of the bytes that were sent`,
      }),
    );
  });

  test.each([
    ['of other bytes', `${OTHER}-3`],
    ['of another number of parts', WHOLE.replace(/3$/, '2')],
  ])('when the whole is one %s', (_, etag) => {
    expect(() => compare(MD5S, etag)).toThrow(
      expect.objectContaining({
        code: 'E_S3_VERIFY',
        message: expect.stringContaining(`its checksum is ${etag}, but the parts sent to the upload u1 have ${WHOLE}`),
      }),
    );
  });
});

test.each<[string, string[], string, Partial<StoredInS3>]>([
  ['has names of its own', [OTHER, OTHER, OTHER], 'abc', {}],
  ['encrypts by KMS', MD5S, `${OTHER}-3`, { sse: 'aws:kms' }],
  ['names parts alone by MD5', MD5S, '', {}],
])('a store that %s proves nothing by it, and is believed no more for that', (_, etags, etag, more) => {
  expect(compare(etags, etag, more)).toBe(false);
});
