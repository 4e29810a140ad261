/** S3 takes no more. */
const MOST_PARTS = 10_000;
const MIB = 1 << 20;
/**
 * Through the runner the least that S3 takes, since three of them are in memory: up to 50 GB they do not grow. From the host a multiple,
 * since each is a connection of its own.
 */
const LEAST_BYTES = { runner: 5 * MIB, host: 16 * MIB };

export interface PartPlan {
  /** Of each but the last. */
  partBytes: number;
  count: number;
}

/** How a payload is cut. */
export function planParts(bytes: number, via: 'host' | 'runner'): PartPlan {
  const partBytes = Math.max(LEAST_BYTES[via], Math.ceil(bytes / MOST_PARTS / MIB) * MIB);
  return { partBytes, count: Math.max(1, Math.ceil(bytes / partBytes)) };
}

/** The bytes of the first `number` parts. */
export function bytesUpTo(number: number, { partBytes, count }: PartPlan, bytes: number): number {
  return number >= count ? bytes : number * partBytes;
}
