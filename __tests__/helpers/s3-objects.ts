import { createHash, randomBytes } from 'node:crypto';
import { S3Error } from './s3-signature.js';

export interface S3Object {
  key: string;
  /** Empty where the store discards what it gets. */
  body: Buffer;
  bytes: number;
  etag: string;
  /** null: the bucket keeps no versions. */
  versionId: string | null;
  /** What the answer to HEAD has: metadata, class, encryption, lock. */
  headers: Record<string, string>;
  time: Date;
  /** A deletion. */
  marker: boolean;
}

export interface ReceivedPart {
  body: Buffer;
  bytes: number;
  /** Hexadecimal. */
  md5: string;
}

export interface PendingUpload {
  bucket: string;
  key: string;
  headers: Record<string, string>;
  parts: Map<number, ReceivedPart>;
}

/** One bucket: the versions of each object, the newest last. */
export class S3Bucket {
  private readonly versions = new Map<string, S3Object[]>();

  constructor(
    readonly versioning: boolean,
    readonly locking: boolean,
  ) {}

  /** The current one of each key, sorted by key. */
  all(): S3Object[] {
    return [...this.versions.values()]
      .flatMap((versions) => versions.slice(-1))
      .filter((object) => !object.marker)
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }

  /** Throws NoSuchKey. */
  need(key: string, versionId: string | null): S3Object {
    const versions = this.versions.get(key) ?? [];
    const object = versionId === null ? versions.at(-1) : versions.find((one) => one.versionId === versionId);
    if (object === undefined || object.marker) {
      throw new S3Error(404, 'NoSuchKey', 'The specified key does not exist.');
    }
    return object;
  }

  has(key: string): boolean {
    return this.all().some((object) => object.key === key);
  }

  put(key: string, { body, bytes }: ReceivedPart, etag: string, headers: Record<string, string>): S3Object {
    return this.add({ key, body, bytes, etag, headers, time: new Date(), marker: false, versionId: null });
  }

  /** With a version: that one, unless it is locked. Without: a marker where there are versions. */
  delete(key: string, versionId: string | null): S3Object | null {
    const versions = this.versions.get(key) ?? [];
    if (versionId === null) {
      if (this.versioning) {
        return this.add({
          ...{ key, body: Buffer.alloc(0), bytes: 0, etag: '', headers: {}, time: new Date() },
          ...{ marker: true, versionId: null },
        });
      }
      this.versions.delete(key);
      return null;
    }
    const object = versions.find((one) => one.versionId === versionId);
    const until = object?.headers['x-amz-object-lock-retain-until-date'];
    if (until !== undefined && Date.parse(until) > Date.now()) {
      throw new S3Error(403, 'AccessDenied', 'Access Denied because object protected by object lock.');
    }
    this.versions.set(
      key,
      versions.filter((one) => one !== object),
    );
    return object ?? null;
  }

  private add(object: S3Object): S3Object {
    const made = { ...object, versionId: this.versioning ? randomBytes(8).toString('hex') : null };
    this.versions.set(object.key, this.versioning ? [...(this.versions.get(object.key) ?? []), made] : [made]);
    return made;
  }
}

/** Puts the listed parts together, as CompleteMultipartUpload does. Throws what S3 would answer. */
export function assemble(
  upload: PendingUpload,
  listed: { number: number; etag: string }[],
  leastBytes: number,
): { object: ReceivedPart; etag: string } {
  if (listed.length === 0) throw new S3Error(400, 'MalformedXML');
  const parts = listed.map(({ number, etag }, at) => {
    const part = upload.parts.get(number);
    if (part === undefined || part.md5 !== etag) throw new S3Error(400, 'InvalidPart');
    if (at > 0 && number <= (listed[at - 1]?.number ?? 0)) throw new S3Error(400, 'InvalidPartOrder');
    if (at < listed.length - 1 && part.bytes < leastBytes) {
      throw new S3Error(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
    }
    return part;
  });
  const digests = Buffer.concat(parts.map(({ md5 }) => Buffer.from(md5, 'hex')));
  const md5 = createHash('md5').update(digests).digest('hex');
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  return { object: { body: Buffer.concat(parts.map(({ body }) => body)), bytes, md5 }, etag: `${md5}-${parts.length}` };
}
