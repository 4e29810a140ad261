import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bytesUpTo, planParts } from '../../../src/stores/s3/parts.js';

const MIB = 1 << 20;

test.each<[number, 'host' | 'runner', number, number]>([
  [1, 'runner', 5, 1],
  [5 * MIB, 'runner', 5, 1],
  [5 * MIB + 1, 'runner', 5, 2],
  [16 * MIB, 'host', 16, 1],
  [50_000 * MIB, 'runner', 5, 10_000],
  [50_001 * MIB, 'runner', 6, 8_334],
])('%d bytes from the %s: parts of %d MiB, %d of them', (bytes, via, mib, count) => {
  expect(planParts(bytes, via)).toEqual({ partBytes: mib * MIB, count });
});

test('never more parts than S3 takes, all of one size but the last, and whole blocks of 64 KiB', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 * 2 ** 40 }), fc.constantFrom('host', 'runner'), (bytes, via) => {
      const plan = planParts(bytes, via);
      expect(plan.count).toBeLessThanOrEqual(10_000);
      expect(plan.partBytes % 65_536).toBe(0);
      expect(plan.partBytes).toBeGreaterThanOrEqual(5 * MIB);
      expect((plan.count - 1) * plan.partBytes).toBeLessThan(bytes);
      expect(bytesUpTo(plan.count, plan, bytes)).toBe(bytes);
    }),
  );
});
