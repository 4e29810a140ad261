import { BackupError, type ErrorCode } from '../../errors.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { S3Settings } from '../../settings/settings.js';

/** Why a request came to nothing: what the store said, or what became of the connection. */
export interface Refusal {
  /** null: there was no answer. */
  status: number | null;
  /** As S3 or Node names it; empty when nothing was named. */
  code: string;
  message: string;
  /** Where the bucket is, when the store told. */
  region: string | null;
  /** The clock of the store, when it told. */
  clock: string | null;
}

/** What was tried: for the message, and the right that it takes. */
export interface Attempt {
  what: string;
  right: string;
}

/** A refusal that did not come through the SDK. */
export class StoreRefused extends Error {
  override readonly name = 'StoreRefused';
  constructor(readonly refusal: Refusal) {
    super(`${refusal.code}: ${refusal.message}`);
  }
}

/** What a store that honours conditions would have answered. */
export const TAKEN: Refusal = {
  ...{ status: 412, code: 'PreconditionFailed', region: null, clock: null },
  message: 'found by a check before the upload',
};

/** Of whatever the SDK throws. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof StoreRefused) return error.refusal;
  const thrown = (typeof error === 'object' && error !== null ? error : {}) as Thrown;
  const headers = thrown.$response?.headers ?? {};
  // the SDK names an answer without a body by its status or `Unknown`
  const named = thrown.Code ?? thrown.code ?? thrown.name ?? '';
  return {
    status: thrown.$metadata?.httpStatusCode ?? thrown.$response?.statusCode ?? null,
    code: /^(?:Error|\d+|Unknown(?:Error)?)$/.test(String(named)) ? '' : String(named),
    message: error instanceof Error ? error.message : String(error),
    region: headers['x-amz-bucket-region'] ?? thrown.Region ?? null,
    clock: headers.date ?? null,
  };
}

interface Thrown {
  name?: string;
  code?: string;
  Code?: string;
  Region?: string;
  $metadata?: { httpStatusCode?: number };
  $response?: { statusCode?: number; headers?: Record<string, string | undefined> };
}

/** Of an answer that curl got: its status, and the beginning of its body. */
export function refusalIn(status: number, body: string): Refusal {
  const field = (name: string): string | null => new RegExp(`<${name}>([^<]{1,500})</${name}>`).exec(body)?.[1] ?? null;
  return {
    status,
    code: field('Code') ?? '',
    message: field('Message') ?? body.slice(0, 300),
    region: field('Region'),
    clock: field('ServerTime'),
  };
}

const PASSING = [
  ...['InternalError', 'SlowDown', 'ServiceUnavailable', 'Throttling', 'ThrottlingException', 'RequestTimeout'],
  ...['RequestLimitExceeded', 'BandwidthLimitExceeded', 'OperationAborted', 'ConditionalRequestConflict'],
  ...['TimeoutError', 'ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['ERR_STREAM_PREMATURE_CLOSE', 'UND_ERR_SOCKET'],
  // the bytes were damaged on the way: those that are here are sent again
  ...['BadDigest', 'XAmzContentSHA256Mismatch', 'IncompleteBody'],
];

/** It may be otherwise when it is tried again. */
export function isPassing({ status, code }: Refusal): boolean {
  return PASSING.includes(code) || (status !== null && (status >= 500 || status === 429) && status !== 501);
}

/** The condition does not hold: when something is written, there is an object under that name already. */
export const isTaken = ({ status, code }: Refusal): boolean => status === 412 || code === 'PreconditionFailed';

/** The store does not know the condition that was asked for. */
export const isUnknownHeader = ({ status, code }: Refusal): boolean => status === 501 || code === 'NotImplemented';

/** When something is read: it is not the object any more that it was. */
export const isChanged = isTaken;

export const isMissing = ({ status, code }: Refusal): boolean =>
  ['NotFound', 'NoSuchKey', 'NoSuchUpload'].includes(code) || (status === 404 && code === '');

/** An object that is locked against deletion, as the stores put it; not who may not delete it, whose name may say anything. */
export const isHeld = ({ status, code, message }: Refusal): boolean =>
  status !== null &&
  status >= 400 &&
  status < 500 &&
  !/not authorized/i.test(message) &&
  /object.?lock|retention.?(period|policy)|legal.?hold|WORM.?protected|immutable/i.test(`${code} ${message}`);

/** Puts a refusal into words: what happened, why, what to do, what was left untouched. `tries` is how often it was tried. */
export function explainRefusal(refusal: Refusal, attempt: Attempt, s3: S3Settings, tries = 1): BackupError {
  const told = TELLERS.map((tell) => tell(refusal, attempt, s3, tries)).find((one) => one !== null);
  return told ?? unknown(refusal, attempt, s3, tries);
}

type Teller = (refusal: Refusal, attempt: Attempt, s3: S3Settings, tries: number) => BackupError | null;

const failed = (code: ErrorCode, attempt: Attempt, why: string, hint: string): BackupError =>
  new BackupError(code, `${attempt.what} failed: ${why}`, hint);

const said = ({ status, code, message }: Refusal): string =>
  quoteOutside([status === null ? '' : `HTTP ${status}`, code, message].filter((part) => part !== '').join(' '), 500);

const where = (s3: S3Settings): string => s3.endpoint ?? `AWS (${s3.region})`;

const EXPIRED = ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'RequestExpired'];

const TELLERS: Teller[] = [
  function credentials(refusal, attempt, s3) {
    const { status, code, message } = refusal;
    if (code === 'CredentialsProviderError' || code === 'TokenProviderError') {
      return failed(
        'E_S3_AUTH',
        attempt,
        'no credentials were found',
        'Run aws-actions/configure-aws-credentials before this step, in the same job and with `permissions: id-token: write`, or set `s3-access-key-id` and `s3-secret-access-key`.',
      );
    }
    if (EXPIRED.includes(code) || (status === 403 && /expired/i.test(message))) {
      return failed(
        'E_S3_AUTH',
        attempt,
        `the credentials have expired (${said(refusal)})`,
        'Assume the role for longer (`role-duration-seconds`), or assume it right before this step.',
      );
    }
    if (code === 'RequestTimeTooSkewed') {
      const clock = refusal.clock === null ? '' : `; the store says ${quoteOutside(refusal.clock, 60)}`;
      return failed(
        'E_S3_AUTH',
        attempt,
        `the clocks of the runner and the store differ by more than 15 minutes: the runner says ${new Date().toISOString()}${clock}`,
        'Correct the clock that is wrong. On a self-hosted runner, run `timedatectl set-ntp true`.',
      );
    }
    if (code === 'InvalidAccessKeyId' || code === 'InvalidToken' || code === 'InvalidClientTokenId') {
      return failed(
        'E_S3_AUTH',
        attempt,
        `${where(s3)} does not know the ${code === 'InvalidToken' ? 'session token' : 'access key'} (${said(refusal)})`,
        'Correct `s3-access-key-id`, and `s3-session-token` if the key is temporary. Check that the key belongs to this store.',
      );
    }
    if (code === 'SignatureDoesNotMatch') {
      return failed(
        'E_S3_AUTH',
        attempt,
        `the signature is wrong (${said(refusal)})`,
        'Correct `s3-secret-access-key`: it does not belong to that access key, or a character is missing. A proxy that changes requests also causes this.',
      );
    }
    return null;
  },

  function bucket(refusal, attempt, s3) {
    const { status, code } = refusal;
    const region = refusal.region ?? /expecting '([a-z0-9-]+)'/.exec(refusal.message)?.[1] ?? null;
    const moved = [301, 307, 308].includes(status ?? 0) || code === 'PermanentRedirect';
    if (moved || code === 'AuthorizationHeaderMalformed' || code === 'IllegalLocationConstraintException') {
      const right = region === null || region === s3.region ? '' : `, but in ${quoteOutside(region, 60)}`;
      return failed(
        'E_S3_BUCKET',
        attempt,
        `the bucket ${s3.bucket} is not in the region ${s3.region}${right} (${said(refusal)})`,
        `Set \`s3-region\`${right === '' ? ' to the region of the bucket' : `: ${quoteOutside(region ?? '', 60)}`}.`,
      );
    }
    if (code === 'NoSuchBucket' || code === 'InvalidBucketName' || (status === 404 && code === '')) {
      return failed(
        'E_S3_BUCKET',
        attempt,
        `there is no bucket ${s3.bucket} at ${where(s3)} (${said(refusal)})`,
        'Correct `s3-bucket`, `s3-region` or `s3-endpoint`, or create the bucket.',
      );
    }
    return null;
  },

  function unsupported(refusal, attempt, s3) {
    const { status, code, message } = refusal;
    const names = askedFor(s3);
    if (names.length === 0 || status === null || status >= 500 !== (status === 501)) return null;
    if (isDenial(refusal)) return null; // which names the right that is lacking, for example to retention
    const text = `${code} ${message}`;
    const about = names.filter((name) => ABOUT[name]?.test(text));
    const unclear = status === 501 || ['NotImplemented', 'InvalidArgument', 'InvalidRequest'].includes(code);
    if (about.length === 0 && !unclear) return null;
    return notSupported(about.length === 0 ? names : about, attempt, said(refusal));
  },

  function archived(refusal, attempt) {
    if (refusal.code !== 'InvalidObjectState') return null;
    return failed(
      'E_NOT_FOUND',
      attempt,
      `it is archived, and must be retrieved from the archive first (${said(refusal)})`,
      'Run `aws s3api restore-object`, wait until it is done, and run again.',
    );
  },

  function denied(refusal, attempt) {
    if (!isDenial(refusal)) return null;
    return failed(
      'E_S3_AUTH',
      attempt,
      `the credentials do not allow that (${said(refusal)})`,
      `Allow \`${attempt.right}\` on the bucket and its objects for these credentials. The policy of the bucket, or of the key that encrypts it, can also deny it.`,
    );
  },

  function damaged(refusal, attempt) {
    const { code } = refusal;
    const codes = ['BadDigest', 'XAmzContentSHA256Mismatch', 'InvalidDigest', 'InvalidPart', 'InvalidPartOrder'];
    if (![...codes, 'EntityTooSmall', 'NoSuchUpload', 'IncompleteBody'].includes(code) && !isTaken(refusal))
      return null;
    return failed(
      'E_S3_VERIFY',
      attempt,
      isTaken(refusal)
        ? `an object with that name already exists (${said(refusal)}), and this action never overwrites objects`
        : `the store does not have the bytes that were sent (${said(refusal)})`,
      'Run again. If it happens again, something between the runner, the host and the store changes bytes, or a bucket rule removes unfinished uploads.',
    );
  },

  function unavailable(refusal, attempt, s3, tries) {
    const { status, code } = refusal;
    if (status !== null && !isPassing(refusal)) return null;
    const often = tries > 1 ? ` (tried ${tries} times)` : '';
    const isCertificate = /CERT|SELF_SIGNED|ERR_TLS|UNABLE_TO_VERIFY|SSL/.test(code);
    const isName = code === 'ENOTFOUND' || code === 'EAI_AGAIN';
    const hint = isCertificate
      ? 'Give the store a certificate that is valid for its name. This check cannot be turned off.'
      : isName
        ? 'Correct `s3-endpoint`, or check the DNS of the runner.'
        : 'Run again later. Check the status of the store and the network path to it.';
    return failed('E_S3_UNAVAILABLE', attempt, `${where(s3)} is unavailable${often}: ${said(refusal)}`, hint);
  },
];

function unknown(refusal: Refusal, attempt: Attempt, s3: S3Settings, tries: number): BackupError {
  const often = tries > 1 ? ` ${tries} times` : '';
  return failed(
    'E_S3_UNAVAILABLE',
    attempt,
    `${where(s3)} refused the request${often}: ${said(refusal)}`,
    'Check that `s3-endpoint` belongs to an S3 store, and look up this answer in its documentation.',
  );
}

type Asked = 's3-storage-class' | 's3-sse' | 's3-kms-key-id' | 's3-object-lock';

const ABOUT: Record<Asked, RegExp> = {
  's3-storage-class': /storage.?class/i,
  's3-kms-key-id': /kms/i,
  's3-sse': /encrypt|sse/i,
  's3-object-lock': /lock|retention|retain/i,
};

function askedFor({ storageClass, sse, kmsKeyId, objectLock }: S3Settings): Asked[] {
  const given: [Asked, unknown][] = [
    ['s3-storage-class', storageClass],
    ['s3-kms-key-id', kmsKeyId],
    ['s3-sse', sse],
    ['s3-object-lock', objectLock],
  ];
  return given.filter(([, value]) => value !== null).map(([name]) => name);
}

/** The store does not do what these settings ask for, and nothing is stored with less. */
export function notSupported(names: readonly Asked[], attempt: Attempt, why: string): BackupError {
  const shown = names.map((name) => `\`${name}\``).join(', ');
  return new BackupError(
    'E_S3_UNSUPPORTED',
    `${attempt.what} failed: the store does not support what ${shown} asks for: ${why}`,
    `Remove ${shown}, or prepare the bucket: Object Lock has to be enabled on the bucket, and encryption needs the right to use the key.`,
  );
}

/** The store says that it holds something else than what was sent. */
export function notVerified(key: string, why: string): BackupError {
  return new BackupError(
    'E_S3_VERIFY',
    `the off-site copy ${key} is not what was uploaded: ${why}`,
    `Do not rely on that copy. Delete it in the bucket, and run again.`,
  );
}

const isDenial = ({ status, code }: Refusal): boolean => status === 401 || status === 403 || code === 'AccessDenied';
