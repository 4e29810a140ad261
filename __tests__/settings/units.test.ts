import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatDuration, parseDuration, parsePercent, parseSize } from '../../src/settings/units.js';

describe('parseDuration', () => {
  test.each([
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['26h', 93_600_000],
    ['7d', 604_800_000],
    ['0s', 0],
    ['007d', 604_800_000],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    '',
    '90',
    '90 s',
    '-1s',
    '1.5h',
    '1h30m',
    '2w',
    '90S',
    's',
    '1e3s',
    '12345678901s',
    '9999999999d',
    '९s',
    '1s\n',
  ])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow(new Error('expected a duration such as 90s, 30m, 26h or 7d'));
  });

  test('reads back what formatDuration writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999 }), (seconds) => {
        expect(parseDuration(formatDuration(seconds * 1_000))).toBe(seconds * 1_000);
      }),
    );
    expect([0, 90_000, 1_800_000, 93_600_000, 604_800_000].map(formatDuration)).toEqual([
      '0s',
      '90s',
      '30m',
      '26h',
      '7d',
    ]);
  });
});

describe('parseSize', () => {
  test.each([
    ['123', 123],
    ['0', 0],
    ['123B', 123],
    ['1KB', 1_000],
    ['1kb', 1_000],
    ['1KiB', 1_024],
    ['500MB', 500_000_000],
    ['500 MB', 500_000_000],
    ['2GiB', 2_147_483_648],
    ['2gib', 2_147_483_648],
    ['1.5GB', 1_500_000_000],
    ['0.001kB', 1],
    ['8TiB', 8_796_093_022_208],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    '',
    'MB',
    '-1',
    '2G',
    '2Gi',
    '1iB',
    '1.5',
    '1.5B',
    '1,5GB',
    '1e9',
    '0x10',
    '5PB',
    '1  MB',
    '99999TiB',
    'all',
  ])('refuses %j', (text) => {
    expect(() => parseSize(text)).toThrow(new Error('expected a size such as 500MB, 2GiB or 1048576 (bytes)'));
  });
});

describe('parsePercent', () => {
  test.each([
    ['50%', 0.5],
    ['0%', 0],
    ['12.5%', 0.125],
    ['300%', 3],
  ])('%s', (text, share) => {
    expect(parsePercent(text)).toBe(share);
  });

  test.each(['', '50', '%', '-5%', '50 %', '50%%', '1234567%', 'half'])('refuses %j', (text) => {
    expect(() => parsePercent(text)).toThrow(new Error('expected a percentage such as 50%'));
  });
});
