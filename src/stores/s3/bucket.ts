import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectRetentionCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { MAX_READ_BYTES } from '../../backups/manifest-size.js';
import { BackupError } from '../../errors.js';
import type { S3Settings } from '../../settings/settings.js';
import type { Listed, Stored, UnfinishedUpload } from '../object-store.js';
import { isHeld, isMissing, isTaken, isUnknownHeader, refusalIn, refusalOf, StoreRefused, TAKEN } from './failures.js';
import { Patience } from './patience.js';

/** With what this store knows besides. */
export interface StoredInS3 extends Stored {
  storageClass: string;
  sse: string | null;
  kmsKeyId: string | null;
}

/** An upload in parts that was begun. */
export interface Upload extends UnfinishedUpload {
  /** Until then nobody may delete or change the object. */
  lockedUntil: Date | null;
}

export interface Part {
  number: number;
  etag: string;
}

/** How an object is stored; `null` leaves it to the bucket. */
export interface Storing {
  sha256: string;
  storageClass: string | null;
}

const CONNECT_MS = 15_000;
const SILENCE_MS = 60_000;
const GIVE_UP_MS = 180_000;
const ABORT_MS = 6_000;
/** Long enough for one part on a slow line. */
const URL_SECONDS = 3_600;

/** The requests to a bucket of an S3-compatible store. Every failure is a BackupError in words; nothing that is there is ever overwritten. */
export class Bucket {
  readonly patience: Patience;
  clockAheadMs: number | null = null;
  private readonly client: S3Client;
  private readonly bucket: string;

  /** `idleTimeoutMs`: how long a request may be silent at most. Requests end when `signal` does. */
  constructor(
    protected readonly s3: S3Settings,
    private readonly signal: AbortSignal,
    idleTimeoutMs: number,
  ) {
    this.bucket = s3.bucket;
    const { credentials } = s3;
    this.client = new S3Client({
      region: s3.region,
      ...(s3.endpoint === null ? {} : { endpoint: s3.endpoint, forcePathStyle: true }),
      ...(credentials === null
        ? {}
        : {
            credentials: {
              accessKeyId: credentials.accessKeyId,
              secretAccessKey: credentials.secretAccessKey,
              ...(credentials.sessionToken === null ? {} : { sessionToken: credentials.sessionToken }),
            },
          }),
      // Content-MD5 goes with every object and part: all stores check it, while the CRC of the SDK breaks some, and signed URLs everywhere
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      expectContinueHeader: false,
      maxAttempts: 1, // Patience tries again
      requestHandler: {
        connectionTimeout: Math.min(CONNECT_MS, idleTimeoutMs),
        socketTimeout: Math.min(SILENCE_MS, idleTimeoutMs),
      },
    });
    this.client.middlewareStack.add(
      (next) => async (request) => {
        const result = await next(request);
        this.heard(result.response);
        return result;
      },
      { step: 'deserialize', priority: 'low' },
    );
    this.patience = new Patience(s3, signal, Math.min(GIVE_UP_MS, idleTimeoutMs));
  }

  /** The clock of an answer. */
  private heard(response: unknown): void {
    const { headers } = response as { headers?: Record<string, string> };
    const at = Date.parse(headers?.date ?? '');
    if (!Number.isNaN(at)) this.clockAheadMs = at - Date.now();
  }

  /** `<prefix>/<name>/<file>` */
  keyOf(name: string, file: string): string {
    return [...(this.s3.prefix === '' ? [] : [this.s3.prefix]), name, file].join('/');
  }

  uriOf(key: string): string {
    return `s3://${this.bucket}/${key}`;
  }

  /** Every object whose key begins so. */
  async list(prefix: string): Promise<Listed[]> {
    const found: Listed[] = [];
    let token: string | undefined;
    const seen = new Set<string>();
    do {
      const attempt = { what: `listing ${this.uriOf(prefix)}`, right: 's3:ListBucket' };
      const page = await this.patience.with(attempt, async () => {
        const command = new ListObjectsV2Command({ Bucket: this.bucket, Prefix: prefix, ContinuationToken: token });
        const answer = await this.client.send(command, this.until);
        // half a list would pass for the whole
        if (answer.IsTruncated && (!answer.NextContinuationToken || seen.has(answer.NextContinuationToken))) {
          throw new StoreRefused(refusalIn(200, 'the list is truncated, and has no token for the next page'));
        }
        return answer;
      });
      for (const { Key, Size } of page.Contents ?? []) found.push({ key: Key ?? '', bytes: Size ?? 0 });
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
      if (token !== undefined) seen.add(token);
    } while (token !== undefined);
    return found;
  }

  /** null when there is no such object. */
  async head(key: string): Promise<StoredInS3 | null> {
    const attempt = { what: `checking ${this.uriOf(key)}`, right: 's3:GetObject' };
    return this.patience.with(attempt, async () => {
      try {
        const command = new HeadObjectCommand({ Bucket: this.bucket, Key: key, ChecksumMode: 'ENABLED' });
        return storedOf(await this.client.send(command, this.until));
      } catch (error) {
        const refusal = refusalOf(error);
        if (isMissing(refusal)) return null;
        // who may list a part of the bucket alone is told 403 of what is not there
        if (refusal.status === 403 && (await this.isUnlisted(key))) return null;
        throw error;
      }
    });
  }

  /** The store lists no such object; false also when it lists nothing at all to these credentials. */
  private async isUnlisted(key: string): Promise<boolean> {
    const command = new ListObjectsV2Command({ Bucket: this.bucket, Prefix: key, MaxKeys: 1 });
    try {
      const { Contents = [] } = await this.client.send(command, this.until);
      return Contents[0]?.Key !== key; // it would be the first
    } catch {
      return false;
    }
  }

  /** A small object, unless one is there under that name. Throws E_S3_VERIFY when it holds something else. */
  async putObject(key: string, text: string, md5: string, storing: Storing): Promise<void> {
    const lock = this.lockFromNow();
    const send = (condition: { IfNoneMatch?: string }) =>
      this.client.send(
        new PutObjectCommand({
          ...this.writing(key, storing, lock),
          ...condition,
          Body: text,
          ContentMD5: md5,
          ContentType: 'application/json',
        }),
        this.until,
      );
    const attempt = { what: `uploading ${this.uriOf(key)}`, right: 's3:PutObject' };
    await this.patience.with(attempt, () => this.unlessTaken(key, storing.sha256, send));
  }

  /** Begins an upload in parts. */
  async begin(key: string, storing: Storing): Promise<Upload> {
    const lock = this.lockFromNow();
    const attempt = { what: `starting the upload of ${this.uriOf(key)}`, right: 's3:PutObject' };
    const begun = await this.patience.with(attempt, () =>
      this.client.send(
        new CreateMultipartUploadCommand({
          ...this.writing(key, storing, lock),
          ContentType: 'application/octet-stream',
        }),
        this.until,
      ),
    );
    return { key, id: begun.UploadId ?? '', lockedUntil: lock };
  }

  /** One part, whose bytes the store compares with their MD5 (base64). */
  async putPart(upload: Upload, number: number, body: Buffer, md5: string): Promise<Part> {
    const attempt = { what: `uploading part ${number} of ${this.uriOf(upload.key)}`, right: 's3:PutObject' };
    const done = await this.patience.with(attempt, () =>
      this.client.send(new UploadPartCommand({ ...this.partOf(upload, number, md5), Body: body }), this.until),
    );
    return { number, etag: done.ETag ?? '' };
  }

  /** A URL by which whoever has it can upload this part, with these bytes alone: their MD5 (base64) is signed. */
  signPart(upload: Upload, number: number, md5: string): Promise<string> {
    const command = new UploadPartCommand(this.partOf(upload, number, md5));
    return this.patience.with({ what: 'signing the URL of a part', right: 's3:PutObject' }, () =>
      getSignedUrl(this.client, command, { expiresIn: URL_SECONDS }),
    );
  }

  /** Where an object would be, without any signature. */
  async plainUrl(key: string): Promise<string> {
    const signed = new URL(
      await this.patience.with({ what: 'finding the address of the store', right: 's3:GetObject' }, () =>
        getSignedUrl(this.client, new GetObjectCommand({ Bucket: this.bucket, Key: key }), { expiresIn: 1 }),
      ),
    );
    return `${signed.origin}${signed.pathname}`;
  }

  /** Makes the parts an object, unless one is there under that name. Throws E_S3_VERIFY when it holds something else. */
  async complete(upload: Upload, parts: readonly Part[], sha256: string): Promise<void> {
    const { key, id } = upload;
    const send = (condition: { IfNoneMatch?: string }) =>
      this.client.send(
        new CompleteMultipartUploadCommand({
          ...{ Bucket: this.bucket, Key: key, UploadId: id, ...condition },
          MultipartUpload: { Parts: parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag })) },
        }),
        this.until,
      );
    const attempt = { what: `completing the upload of ${this.uriOf(key)}`, right: 's3:PutObject' };
    await this.patience.with(attempt, () => this.unlessTaken(key, sha256, send));
  }

  /** Locks an object that is there. */
  async lock(key: string, versionId: string | null, until: Date): Promise<void> {
    const { objectLock } = this.s3;
    if (objectLock === null) return;
    const command = new PutObjectRetentionCommand({
      ...{ Bucket: this.bucket, Key: key, VersionId: versionId ?? undefined },
      Retention: { Mode: objectLock.mode, RetainUntilDate: until },
    });
    await this.patience.with({ what: `locking ${this.uriOf(key)}`, right: 's3:PutObjectRetention' }, () =>
      this.client.send(command, this.until),
    );
  }

  /** Gives up what was uploaded in parts, also when the run was cancelled. False when the store did not say that it is gone. */
  async giveUp({ key, id }: UnfinishedUpload): Promise<boolean> {
    const command = new AbortMultipartUploadCommand({ Bucket: this.bucket, Key: key, UploadId: id });
    const until = { abortSignal: AbortSignal.timeout(ABORT_MS) };
    for (let tries = 1; ; tries++) {
      try {
        await this.client.send(command, until);
        return true;
      } catch (error) {
        if (isMissing(refusalOf(error))) return true;
        if (tries === 3 || until.abortSignal.aborted) return false;
      }
    }
  }

  /** A small object as text; null when there is none. Throws E_TOO_LARGE. */
  async get(key: string): Promise<string | null> {
    return this.patience.with({ what: `reading ${this.uriOf(key)}`, right: 's3:GetObject' }, async () => {
      try {
        const command = new GetObjectCommand({ Bucket: this.bucket, Key: key });
        const { Body } = await this.client.send(command, this.until);
        return Body === undefined ? '' : await textOf(Body as AsyncIterable<Uint8Array>, this.uriOf(key));
      } catch (error) {
        if (isMissing(refusalOf(error))) return null;
        throw error;
      }
    });
  }

  /**
   * Of an object that may be gone already. `hidden`: the bucket keeps versions, so there is a delete marker now, and the bytes stay.
   * `locked`: the store says that it must not.
   */
  async remove(key: string): Promise<'deleted' | 'hidden' | 'locked'> {
    return this.patience.with({ what: `deleting ${this.uriOf(key)}`, right: 's3:DeleteObject' }, async () => {
      try {
        const command = new DeleteObjectCommand({ Bucket: this.bucket, Key: key });
        return (await this.client.send(command, this.until)).DeleteMarker === true ? 'hidden' : 'deleted';
      } catch (error) {
        const refusal = refusalOf(error);
        if (isHeld(refusal)) return 'locked';
        if (refusal.code === 'NoSuchKey') return 'deleted';
        throw error;
      }
    });
  }

  /** A URL by which whoever has it can read this object, and no other. */
  signGet(key: string): Promise<string> {
    const command = new GetObjectCommand({ Bucket: this.bucket, Key: key });
    return this.patience.with({ what: 'signing the URL of an object', right: 's3:GetObject' }, () =>
      getSignedUrl(this.client, command, { expiresIn: URL_SECONDS }),
    );
  }

  /** The bytes of an object from there on, as long as it is the one with that ETag (empty: whichever). Tried once; throws what the SDK does. */
  async open(key: string, from: number, etag: string, signal?: AbortSignal): Promise<AsyncIterable<Buffer>> {
    const range = from === 0 ? {} : { Range: `bytes=${from}-` };
    const condition = etag === '' ? {} : { IfMatch: `"${etag}"` };
    const command = new GetObjectCommand({ Bucket: this.bucket, Key: key, ...condition, ...range });
    const until = signal === undefined ? this.until : { abortSignal: AbortSignal.any([signal, this.signal]) };
    const { Body, ContentRange } = await this.client.send(command, until);
    if (from > 0 && !ContentRange?.startsWith(`bytes ${from}-`)) {
      throw new Error('the store sent the whole object instead of the rest of it');
    }
    const body = Body as unknown as Readable;
    signal?.addEventListener('abort', () => void body.destroy());
    return body;
  }

  /** Ends its connections. */
  close(): void {
    this.client.destroy();
  }

  private get until(): { abortSignal: AbortSignal } {
    return { abortSignal: this.signal };
  }

  private lockFromNow(): Date | null {
    const { objectLock } = this.s3;
    return objectLock === null ? null : new Date(Math.ceil((Date.now() + objectLock.ms) / 1000) * 1000);
  }

  private writing(key: string, { sha256, storageClass }: Storing, lockedUntil: Date | null) {
    const { sse, kmsKeyId, objectLock } = this.s3;
    return {
      Bucket: this.bucket,
      Key: key,
      Metadata: { sha256 },
      ...(storageClass === null ? {} : { StorageClass: storageClass as 'STANDARD' }),
      ...(sse === null ? {} : { ServerSideEncryption: sse }),
      ...(kmsKeyId === null ? {} : { SSEKMSKeyId: kmsKeyId }),
      ...(objectLock === null || lockedUntil === null
        ? {}
        : { ObjectLockMode: objectLock.mode, ObjectLockRetainUntilDate: lockedUntil }),
    };
  }

  private partOf({ key, id }: Upload, number: number, md5: string) {
    return { Bucket: this.bucket, Key: key, UploadId: id, PartNumber: number, ContentMD5: md5 };
  }

  /**
   * Writes when nothing is there. `If-None-Match: *` says so to the store, but some overlook it (Ceph with parts or with versions), and
   * some refuse it: so it is looked first. When it is this very object that is there, the answer to an earlier try was lost.
   */
  private async unlessTaken(
    key: string,
    sha256: string,
    send: (condition: { IfNoneMatch?: string }) => Promise<unknown>,
  ): Promise<void> {
    const there = await this.head(key);
    if (there !== null && there.sha256 === sha256) return;
    if (there !== null) throw new StoreRefused(TAKEN);
    try {
      await send({ IfNoneMatch: '*' }).catch((error: unknown) => {
        if (!isUnknownHeader(refusalOf(error))) throw error;
        return send({});
      });
    } catch (error) {
      const refusal = refusalOf(error);
      if (!isTaken(refusal) && !isMissing(refusal)) throw error;
      if ((await this.head(key))?.sha256 !== sha256) throw error;
    }
  }
}

function storedOf(head: HeadObjectCommandOutput): StoredInS3 {
  const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until, VersionId: version } = head;
  return {
    bytes: head.ContentLength ?? -1,
    sha256: head.Metadata?.sha256 ?? null,
    etag: (head.ETag ?? '').replaceAll('"', ''),
    versionId: version === undefined || version === '' || version === 'null' ? null : version,
    storageClass: head.StorageClass ?? 'STANDARD',
    sse: head.ServerSideEncryption ?? null,
    kmsKeyId: head.SSEKMSKeyId ?? null,
    lock: mode === undefined || until === undefined ? null : { mode, until },
    legalHold: head.ObjectLockLegalHoldStatus === 'ON',
  };
}

async function textOf(body: AsyncIterable<Uint8Array>, uri: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_READ_BYTES) throw new BackupError('E_TOO_LARGE', `${uri} is longer than ${MAX_READ_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
