import { describe, expect, test } from '@jest/globals';
import type { S3Settings } from '../../../src/settings/settings.js';
import { StoreRefused } from '../../../src/stores/s3/failures.js';
import { Patience } from '../../../src/stores/s3/patience.js';

const S3: S3Settings = {
  ...{ bucket: 'shop', prefix: '', region: 'eu-1', endpoint: null, credentials: null, uploadVia: 'auto' },
  ...{ storageClass: null, sse: null, kmsKeyId: null, objectLock: null, keep: null },
};
const ATTEMPT = { what: 'trying', right: 's3:GetObject' };
const BUSY = new StoreRefused({ status: 503, code: 'SlowDown', message: '', region: null, clock: null });
const DENIED = new StoreRefused({ status: 403, code: 'AccessDenied', message: '', region: null, clock: null });

/** Fails with these in turn, then succeeds. */
function failing(...errors: unknown[]): { work: () => Promise<string>; calls: () => number } {
  let calls = 0;
  const work = async (): Promise<string> => {
    const error = errors[calls++];
    if (error !== undefined) throw error;
    return 'done';
  };
  return { work, calls: () => calls };
}

const patience = (giveUpMs = 60_000, signal = new AbortController().signal) => new Patience(S3, signal, giveUpMs);

describe('a request', () => {
  test('is tried again as long as it may pass', async () => {
    const { work, calls } = failing(BUSY, BUSY);
    expect(await patience().with(ATTEMPT, work)).toBe('done');
    expect(calls()).toBe(3);
  });

  test('that is refused for good is not', async () => {
    const { work, calls } = failing(BUSY, DENIED);
    await expect(patience().with(ATTEMPT, work)).rejects.toMatchObject({ code: 'E_S3_AUTH' });
    expect(calls()).toBe(2);
  });

  test('is given up when nothing came through for so long, whoever else waits', async () => {
    const together = patience(50);
    const work = async (): Promise<never> => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      throw BUSY;
    };
    const started = Date.now();
    const results = await Promise.allSettled([together.with(ATTEMPT, work), together.with(ATTEMPT, work)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(Date.now() - started).toBeLessThan(1_000);
  });

  test('ends with the run, also between two tries', async () => {
    const run = new AbortController();
    const reason = new Error('cancelled');
    const { work } = failing(BUSY, BUSY, BUSY, BUSY, BUSY);
    setTimeout(() => run.abort(reason), 20);
    await expect(patience(60_000, run.signal).with(ATTEMPT, work)).rejects.toBe(reason);
  });

  test('our own bugs are not put down to the store', async () => {
    const bug = new TypeError('x is not a function');
    await expect(patience().with(ATTEMPT, failing(bug).work)).rejects.toBe(bug);
  });
});
