import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Log } from '../../src/reporting/log.js';
import { Progress } from '../../src/reporting/progress.js';

let lines: string[];
let clock: number;
const now = () => clock;
const log: Log = {
  info: (text) => lines.push(text),
  result: (text) => lines.push(text),
  live: () => false,
  warning: (text) => lines.push(text),
  error: (text) => lines.push(text),
  debug: (text) => lines.push(text),
  group: (_, work) => work(),
};

beforeEach(() => {
  lines = [];
  clock = 1_000_000;
});

function at(seconds: number, progress: Progress, bytes: number): void {
  clock = 1_000_000 + seconds * 1000;
  progress.update(bytes);
}

describe('Progress', () => {
  test('is silent for 3 s, then speaks each 10 s', () => {
    const progress = new Progress(log, 'dump', null, now);
    const spoke: number[] = [];
    for (let second = 0; second <= 30; second += 0.5) {
      const before = lines.length;
      at(second, progress, second * 1e6);
      if (lines.length > before) spoke.push(second);
    }
    expect(spoke).toEqual([3, 13, 23]);
  });

  test('a first update after a long silence speaks at once', () => {
    at(100, new Progress(log, 'dump', null, now), 5e8);
    expect(lines).toEqual(['dump: 500 MB, 5 MB/s']);
  });

  test.each([
    [400e6, 'dump: 100 MB of 400 MB (25 %), 25 MB/s, about 12 s left'],
    [100e6, 'dump: 100 MB of 100 MB (100 %), 25 MB/s, about 0 s left'],
    [99e6, 'dump: 100 MB, 25 MB/s'],
    [0, 'dump: 100 MB, 25 MB/s'],
    [null, 'dump: 100 MB, 25 MB/s'],
  ])('with %p bytes expected: %p', (expected, line) => {
    at(4, new Progress(log, 'dump', expected, now), 100e6);
    expect(lines).toEqual([line]);
  });

  test('promises no end while nothing has moved', () => {
    at(4, new Progress(log, 'dump', 100e6, now), 0);
    expect(lines).toEqual(['dump: 0 B of 100 MB (0 %), 0 B/s']);
  });

  test('nor before a hundredth is done', () => {
    at(4, new Progress(log, 'restore', 1.37e9, now), 50);
    expect(lines).toEqual(['restore: 50 B of 1.37 GB (0 %), 13 B/s']);
  });

  test('where a line can be written anew, it is, from the first second on, and no other is printed', () => {
    const live: [string, number | null][] = [];
    const drawing: Log = { ...log, live: (...told) => live.push(told) > 0 };
    const progress = new Progress(drawing, 'dump', 100e6, now);
    for (const second of [0.5, 1, 1.2, 20]) at(second, progress, second * 4e6);
    at(60, progress, 120e6);
    expect(live).toEqual([
      ['dump: 4 MB of 100 MB (4 %), 4 MB/s, about 24 s left', 0.04],
      ['dump: 4.8 MB of 100 MB (4 %), 4 MB/s, about 24 s left', 0.048],
      ['dump: 80 MB of 100 MB (80 %), 4 MB/s, about 5 s left', 0.8],
      ['dump: 120 MB, 2 MB/s', null],
    ]);
    expect(lines).toEqual([]);
  });
});
