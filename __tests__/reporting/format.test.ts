import { describe, expect, test } from '@jest/globals';
import {
  clip,
  counted,
  formatAge,
  formatBytes,
  formatDuration,
  formatRate,
  parseTime,
} from '../../src/reporting/format.js';

describe('formatBytes', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1 kB'],
    [1_500, '1.5 kB'],
    [999_499, '999 kB'],
    [999_950, '1 MB'],
    [302_000_000, '302 MB'],
    [83_456_789, '83.5 MB'],
    [1_234_567_890_123, '1.23 TB'],
    [5e18, '5000 PB'],
    [-1, 'unknown'],
    [Number.NaN, 'unknown'],
  ])('%p is %p', (bytes, expected) => {
    expect(formatBytes(bytes)).toBe(expected);
  });
});

describe('formatDuration', () => {
  test.each([
    [0, '0 s'],
    [400, '0.4 s'],
    [9_940, '9.9 s'],
    [9_960, '10 s'],
    [12_000, '12 s'],
    [59_600, '1 min'],
    [185_000, '3 min 5 s'],
    [3_599_600, '1 h'],
    [7_380_000, '2 h 3 min'],
    [180_000_000, '50 h'],
    [-5, 'unknown'],
  ])('%p ms is %p', (ms, expected) => {
    expect(formatDuration(ms)).toBe(expected);
  });
});

test.each([
  [94_000_000, 1_000, '94 MB/s'],
  [1_000, 0, 'unknown'],
])('%p bytes in %p ms are %p', (bytes, ms, expected) => {
  expect(formatRate(bytes, ms)).toBe(expected);
});

describe('formatAge', () => {
  test.each([
    [-1, 'in the future'],
    [0, '0 seconds'],
    [1_999, '1 second'],
    [59_999, '59 seconds'],
    [3_599_999, '59 minutes'],
    [3_600_000, '1 hour'],
    [3 * 86_400_000 + 5, '3 days'],
  ])('%p ms is %p', (ms, expected) => {
    expect(formatAge(ms)).toBe(expected);
  });
});

test('counts have groups and a plural', () => {
  expect(counted(1, 'backup')).toBe('1 backup');
  expect(counted(0, 'backup')).toBe('0 backups');
  expect(counted(1_284_551, 'row')).toBe('1\u00a0284\u00a0551 rows');
});

test('clip keeps what fits, and never half a character', () => {
  expect(clip('abc', 3)).toBe('abc');
  expect(clip('abcd', 3)).toBe('ab…');
  expect(clip('😀😀', 2)).toBe('…');
});

test.each([
  '',
  '2026-11-20',
  '2026-11-20T10:15:00+02:00',
  '+012026-01-01T00:00:00Z',
  '2026-13-01T00:00:00Z',
  'x'.repeat(1e6),
])('no time: case %#', (text) => {
  expect(parseTime(text)).toBeNull();
});

test('a time', () => {
  expect(parseTime('2026-11-20T10:15:00Z')?.getTime()).toBe(Date.UTC(2026, 10, 20, 10, 15));
});
