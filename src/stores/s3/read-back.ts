import { createHash } from 'node:crypto';
import { plural } from '../../counting.js';
import type { S3Settings } from '../../settings/settings.js';
import type { Bucket, StoredInS3, Upload } from './bucket.js';
import { notSupported, notVerified } from './failures.js';
import type { SentPart } from './via-runner.js';

export interface Expected {
  bytes: number;
  sha256: string;
  storageClass: string | null;
  /** null: as long as the object has it. */
  lockedUntil: Date | null;
}

/**
 * Asks the store what it holds now, and compares size, checksum, encryption, storage class and lock with what was asked for. Throws
 * E_S3_VERIFY, and E_S3_UNSUPPORTED where it did less than that without a word.
 */
export async function readBack(store: Bucket, s3: S3Settings, key: string, expected: Expected): Promise<StoredInS3> {
  const uri = store.uriOf(key);
  let stored = await look(store, key);
  if (stored.lock === null && expected.lockedUntil !== null) {
    await store.lock(key, stored.versionId, expected.lockedUntil); // Ceph forgets it of what came in parts
    stored = await look(store, key);
  }
  if (stored.bytes !== expected.bytes) {
    throw notVerified(uri, `it has ${plural(stored.bytes, 'byte')}, but ${expected.bytes} were sent`);
  }
  if (stored.sha256 !== expected.sha256) {
    throw notVerified(
      uri,
      `the store reports the SHA-256 ${stored.sha256 ?? 'as missing'}, but ${expected.sha256} was sent`,
    );
  }
  const attempt = { what: `reading ${uri} back`, right: 's3:GetObject' };
  const { storageClass } = expected;
  if (storageClass !== null && stored.storageClass !== storageClass) {
    throw notSupported(
      ['s3-storage-class'],
      attempt,
      `its storage class is ${stored.storageClass}, not ${storageClass}`,
    );
  }
  if (s3.sse !== null && stored.sse !== s3.sse) {
    throw notSupported(
      ['s3-sse'],
      attempt,
      stored.sse === null ? 'the store does not report any encryption' : `it is encrypted by ${stored.sse}`,
    );
  }
  // an alias is told as the key that it stands for
  if (s3.kmsKeyId !== null && !s3.kmsKeyId.includes('alias/') && !stored.kmsKeyId?.endsWith(s3.kmsKeyId)) {
    throw notSupported(
      ['s3-kms-key-id'],
      attempt,
      stored.kmsKeyId === null ? 'the store does not report its key' : `its key is ${stored.kmsKeyId}`,
    );
  }
  if (s3.objectLock !== null) {
    const until = stored.lock?.until.getTime() ?? 0;
    if (stored.lock?.mode !== s3.objectLock.mode || until < (expected.lockedUntil?.getTime() ?? 0)) {
      throw notSupported(
        ['s3-object-lock'],
        attempt,
        stored.lock === null
          ? 'it is not locked, or these credentials are not allowed to see the lock (`s3:GetObjectRetention`)'
          : `it is locked in mode ${stored.lock.mode} until ${stored.lock.until.toISOString()}`,
      );
    }
  }
  return stored;
}

async function look(store: Bucket, key: string): Promise<StoredInS3> {
  const stored = await store.head(key);
  if (stored === null) throw notVerified(store.uriOf(key), 'it is missing');
  return stored;
}

/**
 * Where the store names what it holds by MD5, as most do, the whole is compared with what was sent: that of each part, and of the
 * object, which is made of those of the parts. Encrypted by KMS, the names are others. Throws E_S3_VERIFY.
 */
export function compareParts(uri: string, stored: StoredInS3, upload: Upload, parts: readonly SentPart[]): boolean {
  const named = parts.filter(({ etag, md5 }) => etag.replaceAll('"', '') === md5);
  if (named.length === 0 || stored.sse?.startsWith('aws:kms')) return false;
  const other = parts.find((part) => !named.includes(part));
  if (other !== undefined)
    throw notVerified(uri, `the checksum of its part ${other.number} is not that of the bytes that were sent`);
  const digests = Buffer.concat(parts.map(({ md5 }) => Buffer.from(md5, 'hex')));
  const whole = `${createHash('md5').update(digests).digest('hex')}-${parts.length}`;
  if (/^[0-9a-f]{32}-\d+$/.test(stored.etag) && stored.etag !== whole) {
    throw notVerified(
      uri,
      `its checksum is ${stored.etag}, but the parts sent to the upload ${upload.id} have ${whole}`,
    );
  }
  return stored.etag === whole;
}
