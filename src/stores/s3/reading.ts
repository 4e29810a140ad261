import { createHash } from 'node:crypto';
import { plural } from '../../counting.js';
import { BackupError } from '../../errors.js';
import { type Attempt, isChanged, isMissing, refusalOf } from './failures.js';
import { collect } from './memory.js';
import type { Store } from './store.js';

/** What is to be read, as the store described it. */
export interface Wanted {
  key: string;
  bytes: number;
  /** null: nobody has told what it should be. */
  sha256: string | null;
  etag: string;
}

/** So many new bytes, and the tries that failed before are forgotten. */
export const PROGRESS_BYTES = 8 << 20;

export const attemptOf = (store: Store, key: string): Attempt => ({
  what: `reading ${store.uriOf(key)}`,
  right: 's3:GetObject',
});

const COLLECT_BYTES = 16 << 20;

/**
 * The bytes of an object, as fast as they are taken; what broke off is taken up again where it ended. It comes to its end only when
 * size and SHA-256 are those that were wanted. `signal`: nobody wants it any more. Throws E_CHECKSUM when they are not, E_S3_*.
 */
export async function* readObject(
  store: Store,
  wanted: Wanted,
  onRead: (bytes: number) => void,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const hash = createHash('sha256');
  let read = 0;
  let tries = 0;
  let since = 0;
  while (read < wanted.bytes) {
    try {
      for await (const chunk of await store.open(wanted.key, read, wanted.etag, signal)) {
        if (read + chunk.length > wanted.bytes)
          throw changed(store, wanted, `more than its ${plural(wanted.bytes, 'byte')} came`);
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
      throw Object.assign(new Error(`it ended after ${read} of ${plural(wanted.bytes, 'byte')}`), {
        code: 'ECONNRESET',
      });
    } catch (error) {
      signal?.throwIfAborted();
      const refusal = refusalOf(error);
      if (isChanged(refusal)) throw changed(store, wanted, 'it was replaced while it was read');
      if (isMissing(refusal)) throw changed(store, wanted, 'it was deleted while it was read');
      await store.patience.pauseAfterError(error, attemptOf(store, wanted.key), ++tries);
    }
  }
  store.patience.renew();
  const digest = hash.digest('hex');
  if (wanted.sha256 !== null && digest !== wanted.sha256) {
    throw changed(store, wanted, `the SHA-256 of what came is ${digest}, and it should be ${wanted.sha256}`);
  }
}

/** The copy in the store is not the backup that it is said to be. */
export function changed(store: Store, { key }: Pick<Wanted, 'key'>, why: string): BackupError {
  return new BackupError(
    'E_CHECKSUM',
    `${store.uriOf(key)} is not what was copied there: ${why}`,
    'Do not rely on that copy: find out who can write into the bucket, and take another backup. What had been fetched was removed before anything read it.',
  );
}
