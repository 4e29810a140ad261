import { createHash } from 'node:crypto';
import { plural } from '../../counting.js';
import { changed, type Wanted } from '../object-store.js';
import type { Bucket } from './bucket.js';
import { type Attempt, isChanged, isMissing, refusalOf } from './failures.js';
import { collect } from './memory.js';

/** So many new bytes, and the tries that failed before are forgotten. */
export const PROGRESS_BYTES = 8 << 20;

export const attemptOf = (store: Bucket, key: string): Attempt => ({
  what: `reading ${store.uriOf(key)}`,
  right: 's3:GetObject',
});

const COLLECT_BYTES = 16 << 20;

/**
 * The bytes of an object, as fast as they are taken; what broke off is taken up again where it ended. It comes to its end only when
 * size and SHA-256 are those that were wanted. `signal`: nobody wants it any more. Throws E_CHECKSUM when they are not, E_S3_*.
 */
export async function* readObject(
  store: Bucket,
  wanted: Wanted,
  onRead: (bytes: number) => void,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const uri = store.uriOf(wanted.key);
  const hash = createHash('sha256');
  let read = 0;
  let tries = 0;
  let since = 0;
  while (read < wanted.bytes) {
    try {
      for await (const chunk of await store.open(wanted.key, read, wanted.etag, signal)) {
        if (read + chunk.length > wanted.bytes)
          throw changed(uri, `the store sent more than its ${plural(wanted.bytes, 'byte')}`);
        read += chunk.length;
        hash.update(chunk);
        onRead(read);
        yield chunk;
        if (Math.floor(read / COLLECT_BYTES) > Math.floor((read - chunk.length) / COLLECT_BYTES)) collect();
        if (read - since < PROGRESS_BYTES) continue;
        [tries, since] = [0, read];
        store.patience.renew();
      }
      if (read === wanted.bytes) break;
      throw Object.assign(new Error(`the download ended after ${read} of ${plural(wanted.bytes, 'byte')}`), {
        code: 'ECONNRESET',
      });
    } catch (error) {
      signal?.throwIfAborted();
      const refusal = refusalOf(error);
      if (isChanged(refusal)) throw changed(uri, 'it was replaced during the download');
      if (isMissing(refusal)) throw changed(uri, 'it was deleted during the download');
      await store.patience.pauseAfterError(error, attemptOf(store, wanted.key), ++tries);
    }
  }
  store.patience.renew();
  const digest = hash.digest('hex');
  if (wanted.sha256 !== null && digest !== wanted.sha256) {
    throw changed(uri, `the SHA-256 of the download is ${digest}, expected ${wanted.sha256}`);
  }
}
