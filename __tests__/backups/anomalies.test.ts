import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkSize, checkSizes, type SizeLimits } from '../../src/backups/anomalies.js';

const MIB = 1024 * 1024;
const LIMITS = { shrink: 0.5, growth: 0.5 };
type Recent = Parameters<typeof checkSize>[2];
const said = (bytes: number, recent: Recent, limits: SizeLimits = LIMITS) =>
  checkSize('the database', bytes, recent, limits)?.why ?? null;

describe('checkSize', () => {
  test.each([
    ['nothing to compare with', 0, [], null],
    ['the same', 10 * MIB, [10 * MIB], null],
    ['exactly the shrink limit', 5 * MIB, [10 * MIB], null],
    ['exactly the growth limit', 15 * MIB, [10 * MIB], null],
    [
      'below the shrink limit',
      5 * MIB - 1,
      [10 * MIB],
      'the database has 5.0 MiB, less than 50 % of 10.0 MiB, the median of the last backup',
    ],
    [
      'above the growth limit',
      16 * MIB,
      [10 * MIB, 10 * MIB, 1],
      'the database has 16.0 MiB, more than 50 % above 10.0 MiB, the median of the last 3 backups',
    ],
    ['one outlier in the past changes nothing', 10 * MIB, [1000 * MIB, 10 * MIB, 10 * MIB], null],
    [
      'an even number: the mean of the middle two',
      10 * MIB,
      [20 * MIB, 30 * MIB, 10 * MIB, 40 * MIB],
      'the database has 10.0 MiB, less than 50 % of 25.0 MiB, the median of the last 4 backups',
    ],
    [
      'only the newest seven are used',
      40 * MIB,
      [...Array(4).fill(100 * MIB), ...Array(20).fill(10 * MIB)],
      'the database has 40.0 MiB, less than 50 % of 100.0 MiB, the median of the last 7 backups',
    ],
    ['an empty database of 64 KiB less is within the slack', 0, [64 * 1024], null],
    [
      'one byte more than the slack is not',
      0,
      [64 * 1024 + 1],
      'the database has 0.0 KiB, less than 50 % of 64.0 KiB, the median of the last backup',
    ],
    ['growth of 64 KiB from nothing is within the slack', 64 * 1024, [0], null],
  ] as const)('%s', (_, bytes, recent, sentence) => {
    expect(said(bytes, recent, LIMITS)).toBe(sentence);
  });

  test('a limit of null switches its check off, and only its own', () => {
    expect(said(MIB, [100 * MIB], { shrink: null, growth: 0.5 })).toBeNull();
    expect(said(100 * MIB, [MIB], { shrink: null, growth: 0.5 })).toContain('100.0 MiB, more than 50 % above 1.0 MiB');
    expect(said(100 * MIB, [MIB], { shrink: 0.5, growth: null })).toBeNull();
    expect(said(MIB, [100 * MIB], { shrink: 0.125, growth: null })).toContain('less than 12.5 % of 100.0 MiB');
  });

  test('growth may be limited in bytes', () => {
    const limits = { shrink: null, growth: null, growthBytes: 2 * MIB };
    expect(said(12 * MIB, [10 * MIB], limits)).toBeNull();
    expect(said(12 * MIB + 1, [10 * MIB], limits)).toContain('has 12.0 MiB, more than 2.0 MiB above 10.0 MiB');
  });

  test('large sizes are shown in their unit', () => {
    expect(said(1, [3 * 1024 * 1024 * MIB], LIMITS)).toContain('of 3.0 TiB');
    expect(said(1, [5000 * 1024 * 1024 * MIB], LIMITS)).toContain('of 5000.0 TiB');
  });

  test('the order of the recent ones does not matter, and a median itself never alarms', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(2 ** 31 - 1), { minLength: 1, maxLength: 7 }),
        fc.nat(2 ** 31 - 1),
        (recent, bytes) => {
          expect(said(bytes, [...recent].reverse(), LIMITS)).toBe(said(bytes, recent, LIMITS));
          const same = recent.map(() => bytes);
          expect(said(bytes, same, LIMITS)).toBeNull();
        },
      ),
    );
  });
});

describe('checkSizes', () => {
  const sizes = (databaseBytes: number, bytes: number, likeness = 'zstd') => ({ databaseBytes, bytes, likeness });
  const before = [sizes(10 * MIB, 4 * MIB), sizes(10 * MIB, 4 * MIB)];

  test('a file that kept its size while its content went is told by what it takes compressed', () => {
    expect(checkSizes(sizes(10 * MIB, 4 * MIB), before, LIMITS)).toBeNull();
    expect(checkSizes(sizes(10 * MIB, MIB), before, LIMITS)).toEqual({
      limit: 'shrink-limit',
      why: 'the backup has 1.0 MiB, less than 50 % of 4.0 MiB, the median of the last 2 backups',
    });
    expect(checkSizes(sizes(10 * MIB, 7 * MIB), before, LIMITS)).toMatchObject({ limit: 'growth-limit' });
    expect(checkSizes(sizes(10 * MIB, MIB), before, { shrink: null, growth: 0.5 })).toBeNull();
  });

  test('only beside what was packed alike; the size of the database beside all', () => {
    expect(checkSizes(sizes(10 * MIB, MIB, 'gzip'), before, LIMITS)).toBeNull();
    expect(checkSizes(sizes(MIB, MIB, 'gzip'), before, LIMITS)?.why).toContain('the database has 1.0 MiB');
  });
});
