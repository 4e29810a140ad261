import { createHash } from 'node:crypto';
import type { HostSender, Lending, ObjectStore, Sending, Stored, Wanted } from '../object-store.js';
import { Bucket } from './bucket.js';
import { fetchByHost, whyNotByHost } from './fetch-by-host.js';
import { compareParts, readBack } from './read-back.js';
import { readObject } from './reading.js';
import { prepareOnHost, uploadFromHost } from './via-host.js';
import { uploadStream } from './via-runner.js';

/** A bucket as a store of objects. */
export class S3Store extends Bucket implements ObjectStore {
  readonly lending: Lending = {
    prepare: (key, payload, link) => prepareOnHost(this, key, payload, link),
    whyNotFetch: (key, link) => whyNotByHost(this, key, link),
    fetch: (wanted, file, link, onRead) => fetchByHost(this, wanted, file, link, onRead),
  };

  read(wanted: Wanted, onRead: (bytes: number) => void, signal?: AbortSignal): AsyncIterable<Buffer> {
    return readObject(this, wanted, onRead, signal);
  }

  async put(key: string, text: string): Promise<void> {
    const sha256 = createHash('sha256').update(text).digest('hex');
    const md5 = createHash('md5').update(text).digest('base64');
    // small and read often, so never in a class that is slow to read
    await this.putObject(key, text, md5, { sha256, storageClass: null });
    await this.readBack(key, { bytes: Buffer.byteLength(text), sha256 });
  }

  async upload(key: string, sending: Sending, from: AsyncIterable<Buffer> | HostSender): Promise<Stored> {
    const { bytes, sha256, onBegun, onSent, onWhole } = sending;
    const { storageClass } = this.s3;
    const upload = await this.begin(key, { sha256, storageClass });
    onBegun({ key, id: upload.id });
    const parts = await ('md5s' in from
      ? uploadFromHost(this, upload, from, bytes, onSent)
      : uploadStream(this, upload, from, bytes, onSent));
    await this.complete(upload, parts, sha256);
    onWhole();
    const stored = await readBack(this, this.s3, key, { bytes, sha256, storageClass, lockedUntil: upload.lockedUntil });
    compareParts(this.uriOf(key), stored, upload, parts);
    return stored;
  }

  readBack(key: string, expected: { bytes: number; sha256: string }): Promise<Stored> {
    return readBack(this, this.s3, key, { ...expected, storageClass: null, lockedUntil: null });
  }
}
