import { createHash } from 'node:crypto';
import type { Bucket, Part, Upload } from './bucket.js';
import { collect } from './memory.js';
import { planParts } from './parts.js';

/** One is filled while two are on their way: more would not be faster, and all are in memory. */
const BUFFERS = 3;

export interface SentPart extends Part {
  /** Hexadecimal. */
  md5: string;
}

/**
 * Sends a stream in parts. It is read no faster than the store takes it, and never held but for three parts. What `source` throws ends
 * it: a stream that was cut off never becomes an object, since the parts are made one by the caller.
 */
export async function uploadStream(
  store: Bucket,
  upload: Upload,
  source: AsyncIterable<Buffer>,
  bytes: number,
  onSent: (bytes: number) => void,
): Promise<SentPart[]> {
  const { partBytes } = planParts(bytes, 'runner');
  const free: Buffer[] = [];
  let made = 0;
  const sending = new Set<Promise<void>>();
  const parts: SentPart[] = [];
  let failure: { error: unknown } | null = null;
  let sent = 0;

  const send = (buffer: Buffer, length: number): void => {
    const body = buffer.subarray(0, length);
    const md5 = createHash('md5').update(body).digest();
    const number = parts.length + sending.size + 1;
    const one = store
      .putPart(upload, number, body, md5.toString('base64'))
      .then((part) => {
        parts.push({ ...part, md5: md5.toString('hex') });
        free.push(buffer); // only now: a request that failed may still read it
        collect();
        sent += length;
        onSent(sent);
      })
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => sending.delete(one));
    sending.add(one);
  };
  const throwFailure = (): void => {
    if (failure !== null) throw failure.error;
  };
  const buffer = async (): Promise<Buffer> => {
    while (free.length === 0 && made >= BUFFERS) {
      await Promise.race(sending);
      throwFailure();
    }
    const taken = free.pop();
    if (taken !== undefined) return taken;
    made++;
    return Buffer.allocUnsafeSlow(partBytes);
  };

  let current: Buffer | null = null;
  let filled = 0;
  for await (const chunk of source) {
    throwFailure();
    for (let from = 0; from < chunk.length; ) {
      current ??= await buffer();
      const copied = chunk.copy(current, filled, from);
      from += copied;
      filled += copied;
      if (filled === partBytes) {
        send(current, filled);
        current = null;
        filled = 0;
      }
    }
  }
  if (current !== null) send(current, filled);
  await Promise.all(sending);
  throwFailure();
  return parts.sort((a, b) => a.number - b.number);
}
