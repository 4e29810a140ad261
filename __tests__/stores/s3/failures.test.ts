import { describe, expect, test } from '@jest/globals';
import type { S3Settings } from '../../../src/settings/settings.js';
import { explainRefusal, isPassing, type Refusal, refusalIn, refusalOf } from '../../../src/stores/s3/failures.js';

const S3: S3Settings = {
  ...{ bucket: 'shop', prefix: '', region: 'eu-1', endpoint: null, credentials: null, uploadVia: 'auto' },
  ...{ storageClass: null, sse: null, kmsKeyId: null, objectLock: null, keep: null },
};
const ATTEMPT = { what: 'uploading s3://shop/x', right: 's3:PutObject' };
const refusal = (changes: Partial<Refusal>): Refusal => ({
  ...{ status: null, code: '', message: '', region: null, clock: null },
  ...changes,
});
const told = (changes: Partial<Refusal>, s3: Partial<S3Settings> = {}, tries = 1) =>
  explainRefusal(refusal(changes), ATTEMPT, { ...S3, ...s3 }, tries);

describe('in words', () => {
  test.each<[Partial<Refusal>, string, RegExp]>([
    [{ code: 'CredentialsProviderError' }, 'E_S3_AUTH', /no credentials were found/],
    [{ status: 403, code: 'InvalidAccessKeyId' }, 'E_S3_AUTH', /AWS \(eu-1\) does not know the access key/],
    [{ status: 403, code: 'SignatureDoesNotMatch' }, 'E_S3_AUTH', /the signature is wrong/],
    [{ status: 400, code: 'ExpiredToken' }, 'E_S3_AUTH', /have expired/],
    [{ status: 403, code: 'AccessDenied', message: 'Request has expired' }, 'E_S3_AUTH', /have expired/],
    [
      { status: 403, code: 'RequestTimeTooSkewed', clock: 'Sat, 21 Nov' },
      'E_S3_AUTH',
      /clocks .* the store says Sat, 21 Nov/,
    ],
    [{ status: 403, code: 'AccessDenied' }, 'E_S3_AUTH', /do not allow that/],
    [{ status: 403 }, 'E_S3_AUTH', /do not allow that \(HTTP 403\)/],
    [{ status: 404, code: 'NoSuchBucket' }, 'E_S3_BUCKET', /no bucket shop at AWS/],
    [{ status: 301, region: 'eu-2' }, 'E_S3_BUCKET', /not in the region eu-1, but in eu-2/],
    [{ status: 400, code: 'AuthorizationHeaderMalformed', message: "expecting 'eu-3'" }, 'E_S3_BUCKET', /but in eu-3/],
    [{ status: 412, code: 'PreconditionFailed' }, 'E_S3_VERIFY', /an object with that name already exists/],
    [{ status: 400, code: 'InvalidPart' }, 'E_S3_VERIFY', /does not have the bytes/],
    [{ status: 404, code: 'NoSuchUpload' }, 'E_S3_VERIFY', /does not have the bytes/],
    [{ status: 503, code: 'SlowDown' }, 'E_S3_UNAVAILABLE', /is unavailable: HTTP 503 SlowDown/],
    [{ code: 'ECONNRESET', message: 'read ECONNRESET' }, 'E_S3_UNAVAILABLE', /is unavailable/],
    [{ code: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'E_S3_UNAVAILABLE', /is unavailable/],
    [{ status: 405, code: 'MethodNotAllowed' }, 'E_S3_UNAVAILABLE', /refused the request: HTTP 405/],
    [{ status: 200, message: 'Unexpected <html>' }, 'E_S3_UNAVAILABLE', /refused the request/],
  ])('%j', (changes, code, message) => {
    const error = told(changes);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^uploading s3:\/\/shop\/x failed: /);
    expect(error.message).toMatch(message);
  });

  test('how often it was tried', () => {
    expect(told({ status: 503 }, {}, 6).message).toContain('(tried 6 times)');
  });

  test.each<[Partial<Refusal>, Partial<S3Settings>, string[]]>([
    [{ status: 400, code: 'InvalidStorageClass' }, { storageClass: 'COLD' }, ['`s3-storage-class`']],
    [
      { status: 400, code: 'InvalidRequest', message: 'Bucket is missing Object Lock Configuration' },
      LOCK(),
      ['`s3-object-lock`'],
    ],
    [{ status: 501, code: 'NotImplemented' }, { sse: 'AES256', storageClass: 'X' }, ['`s3-storage-class`', '`s3-sse`']],
    [{ status: 400, code: 'KMS.NotFoundException' }, { sse: 'aws:kms', kmsKeyId: 'x' }, ['`s3-kms-key-id`']],
  ])('%j names the setting', (changes, s3, names) => {
    const error = told(changes, s3);
    expect(error.code).toBe('E_S3_UNSUPPORTED');
    for (const name of names) expect(error.message).toContain(name);
  });

  test.each<Partial<Refusal>>([
    { status: 503 },
    { status: 403, code: 'AccessDenied' },
    { status: 403, code: 'AccessDenied', message: 'not authorized to perform: s3:PutObjectRetention' },
    { code: 'ECONNRESET' },
  ])('%j is not put down to a setting', (changes) => {
    expect(told(changes, { storageClass: 'COLD', ...LOCK() }).code).not.toBe('E_S3_UNSUPPORTED');
  });

  test('what the store says can not speak for us', () => {
    expect(told({ status: 400, code: 'X', message: 'a\n::set-output name=backup-ok::true' }).message).not.toMatch(
      /^::/m,
    );
  });
});

test.each<[Partial<Refusal>, boolean]>([
  [{ status: 500 }, true],
  [{ status: 503, code: 'SlowDown' }, true],
  [{ status: 429 }, true],
  [{ status: 200, code: 'InternalError' }, true],
  [{ code: 'ECONNRESET' }, true],
  [{ status: 501 }, false],
  [{ status: 403, code: 'AccessDenied' }, false],
  [{ status: 400, code: 'ExpiredToken' }, false],
  [{ status: 404 }, false],
  [{ code: 'CERT_HAS_EXPIRED' }, false],
])('%j may pass: %s', (changes, expected) => {
  expect(isPassing(refusal(changes))).toBe(expected);
});

test('what the SDK throws', () => {
  const $response = { statusCode: 301, headers: { 'x-amz-bucket-region': 'eu-2', date: 'now' } };
  const thrown = Object.assign(new Error('moved'), {
    name: 'PermanentRedirect',
    $metadata: { httpStatusCode: 301 },
    $response,
  });
  expect(refusalOf(thrown)).toEqual({
    status: 301,
    code: 'PermanentRedirect',
    message: 'moved',
    region: 'eu-2',
    clock: 'now',
  });
  const bare = Object.assign(new Error('UnknownError'), { name: '403', $metadata: { httpStatusCode: 403 } });
  expect(refusalOf(bare)).toMatchObject({ status: 403, code: '' });
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  expect(refusalOf(reset)).toMatchObject({ status: null, code: 'ECONNRESET' });
});

test('what curl got', () => {
  const body = '<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>It has expired.</Message></Error>';
  expect(refusalIn(400, body)).toMatchObject({ status: 400, code: 'ExpiredToken', message: 'It has expired.' });
  expect(refusalIn(502, '<html>Bad gateway')).toMatchObject({ status: 502, code: '', message: '<html>Bad gateway' });
});

function LOCK(): Partial<S3Settings> {
  return { objectLock: { mode: 'GOVERNANCE', ms: 1 } };
}
