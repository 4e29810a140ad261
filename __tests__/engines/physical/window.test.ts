import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { livesOf, newestTimeline, newestWal, reachOf, windowOf } from '../../../src/engines/physical/window.js';
import { archiveOf, at, repositoryOf, segment, setAt, wal } from './sample.js';

const iso = (second: number): string => at(second).toISOString();

test('from the end of a set to the newest WAL', () => {
  expect(windowOf(repositoryOf(setAt(3, 4)), archiveOf([wal(1, 20)]))).toEqual({
    spans: [{ from: iso(36), to: iso(200) }],
    gaps: [],
    newest: iso(200),
  });
});

test('a gap is told with the segment that is missing, and the next set begins anew', () => {
  const { spans, gaps } = windowOf(repositoryOf(setAt(3, 4), setAt(30, 31)), archiveOf([wal(1, 20), wal(22, 40)]));
  expect(spans).toEqual([
    { from: iso(36), to: iso(200) },
    { from: iso(306), to: iso(400) },
  ]);
  expect(gaps).toEqual([
    `no recovery from 2026-11-01 03:03:20 to 2026-11-01 03:05:06 UTC: the WAL segment ${segment(21)} is missing`,
  ]);
});

test('a gap after the last set ends the window', () => {
  const { spans, gaps, newest } = windowOf(repositoryOf(setAt(3, 4)), archiveOf([wal(1, 20), wal(22, 40)]));
  expect(spans).toEqual([{ from: iso(36), to: iso(200) }]);
  expect(gaps).toEqual([
    expect.stringContaining(`no recovery after 2026-11-01 03:03:20 UTC: the WAL segment ${segment(21)}`),
  ]);
  expect(newest).toBe(iso(400));
});

test('a set whose own WAL is not whole is no beginning', () => {
  const archive = archiveOf([wal(1, 3), wal(5, 40)]);
  expect(windowOf(repositoryOf(setAt(3, 4)), archive).spans).toEqual([]);
  expect(windowOf(repositoryOf(setAt(3, 4), setAt(5, 6)), archive).spans).toEqual([{ from: iso(56), to: iso(400) }]);
});

test('nor is one with damaged pages, or of another cluster', () => {
  const archive = archiveOf([wal(1, 9)]);
  expect(windowOf(repositoryOf(setAt(3, 4, { hasErrors: true })), archive).spans).toEqual([]);
  expect(windowOf(repositoryOf(setAt(3, 4, { clusterId: 2 })), archive).spans).toEqual([]);
});

describe('timelines', () => {
  // left at segment 10, which therefore is on the new one as well
  const archive = archiveOf(
    [wal(1, 14), wal(10, 20, 2)],
    [`15-1 00000002 1 0/${(10 << 24).toString(16).toUpperCase()}`],
  );

  test('one goes on where another was left', () => {
    expect(reachOf(setAt(3, 4), 2, repositoryOf(setAt(3, 4)), archive)).toMatchObject({ to: at(200), missing: null });
    expect(reachOf(setAt(3, 4), 1, repositoryOf(setAt(3, 4)), archive)).toMatchObject({ to: at(140), missing: null });
  });

  test('what came after it was left is not on its way', () => {
    const later = setAt(11, 12);
    expect(reachOf(later, 2, repositoryOf(later), archive)).toBeNull();
    expect(reachOf(later, 1, repositoryOf(later), archive)).toMatchObject({ to: at(140) });
    const child = setAt(12, 13, { startWal: segment(12, 2), stopWal: segment(13, 2) });
    expect(reachOf(child, 1, repositoryOf(child), archive)).toBeNull();
  });

  test('WAL that is missing where the new one begins', () => {
    const torn = archiveOf(
      [wal(1, 14), wal(11, 20, 2)],
      [`15-1 00000002 1 0/${(10 << 24).toString(16).toUpperCase()}`],
    );
    expect(reachOf(setAt(3, 4), 2, repositoryOf(setAt(3, 4)), torn)).toMatchObject({ missing: segment(10, 2) });
  });

  test('the newest is that of the newest set, or one that came from it', () => {
    expect(newestTimeline(repositoryOf(setAt(3, 4)), archive)).toBe(2);
    expect(newestTimeline(repositoryOf(setAt(3, 4)), archiveOf([wal(1, 14)]))).toBe(1);
    // given up: a set was made since on the one that it came from
    expect(newestTimeline(repositoryOf(setAt(3, 4), setAt(11, 12)), archive)).toBe(1);
  });
});

describe('a timeline that was given up in a restore', () => {
  // after segment 14 of the first one the cluster was restored to a place in segment 10; the second one lives since second 145
  const fork = '15-1 00000002 1 0/A000028';
  const archive = archiveOf([wal(1, 14), wal(15, 30, 2).replaceAll(segment(15, 2), segment(10, 2))], [fork]);
  const sets = repositoryOf(setAt(3, 4));

  test('has what was committed until then', () => {
    expect(livesOf(2, '15-1', archive)).toEqual([
      { timeline: 1, from: null, to: at(140) },
      { timeline: 2, from: at(146), to: null },
    ]);
    expect(windowOf(sets, archive, 2)).toMatchObject({
      spans: [
        { from: iso(36), to: iso(140) },
        { from: iso(146), to: iso(300) },
      ],
      gaps: [
        'no recovery from 2026-11-01 03:02:20 to 2026-11-01 03:02:26 UTC: the timeline 1 was given up in that time',
      ],
    });
  });

  test('a set of it serves both, as far as it was made before the place at which it was left', () => {
    const { spans } = windowOf(repositoryOf(setAt(12, 13)), archive, 2);
    expect(spans).toEqual([{ from: iso(126), to: iso(140) }]);
  });

  test('not where nothing came after that place: a standby has taken over', () => {
    const failover = archiveOf([wal(1, 9), wal(10, 30, 2)], [fork]);
    expect(livesOf(2, '15-1', failover)).toEqual([{ timeline: 2, from: null, to: null }]);
    expect(windowOf(sets, failover, 2).spans).toEqual([{ from: iso(36), to: iso(300) }]);
  });

  test('also where another one was given up in between', () => {
    const twice = archiveOf(
      [wal(1, 9), wal(20, 30, 3).replaceAll(segment(20, 3), segment(10, 3))],
      ['15-1 00000003 1 0/A000028'],
    );
    expect(livesOf(3, '15-1', twice)).toEqual([
      { timeline: 1, from: null, to: at(90) },
      { timeline: 3, from: at(146), to: null },
    ]);
  });

  test('one after the other', () => {
    const third = archiveOf(
      [
        wal(1, 14),
        wal(15, 20, 2).replaceAll(segment(15, 2), segment(10, 2)),
        wal(22, 40, 3).replaceAll(segment(22, 3), segment(17, 3)),
      ],
      [
        fork,
        `15-1 00000003 1 0/A000028 ${at(209).getTime() / 1000}`,
        `15-1 00000003 2 0/11000028 ${at(209).getTime() / 1000}`,
      ],
    );
    expect(livesOf(3, '15-1', third).map(({ timeline, from, to }) => [timeline, from, to])).toEqual([
      [1, null, at(140)],
      [2, at(146), at(200)],
      [3, at(210), null],
    ]);
  });

  test('a first timeline that goes on archiving ends all the same when the second one begins', () => {
    const both = archiveOf([wal(1, 40), wal(10, 30, 2)], [fork]);
    expect(livesOf(2, '15-1', both)[0]?.to).toEqual(at(146));
  });
});

test('the newest WAL', () => {
  expect(newestWal(archiveOf([]))).toBeNull();
  expect(newestWal(archiveOf([wal(22, 40), wal(1, 20)]))).toEqual(at(400));
});

test('for any sets and any missing segments it is what one finds by going from segment to segment', () => {
  const most = 40;
  const place = fc.integer({ min: 1, max: most });
  const given = fc.record({
    missing: fc.uniqueArray(place, { maxLength: 8 }),
    sets: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: most - 3 }), fc.integer({ min: 0, max: 3 })), {
      maxLength: 6,
      selector: ([first]) => first,
    }),
  });
  let spansSeen = 0;
  fc.assert(
    fc.property(given, ({ missing, sets }) => {
      const has = (number: number): boolean => number >= 1 && number <= most && !missing.includes(number);
      const runs: string[] = [];
      for (let first = 1; first <= most; first++) {
        if (!has(first) || has(first - 1)) continue;
        let last = first;
        while (has(last + 1)) last++;
        runs.push(wal(first, last));
      }
      const repository = repositoryOf(
        ...sets
          .map(([first, length]) => setAt(first, first + length))
          .sort((a, b) => a.stoppedAt.getTime() - b.stoppedAt.getTime() || (a.label < b.label ? -1 : 1)),
      );
      const { spans } = windowOf(repository, archiveOf(runs));
      spansSeen += spans.length;
      // each second by itself: some set ended before it, and every segment from that set's first to the one of this second is there
      const wrong: number[] = [];
      for (let second = 0; second <= (most + 1) * 10; second++) {
        const expected = sets.some(([first, length]) => {
          const from = (first + length) * 10 - 4;
          let to = first;
          while (has(to)) to++;
          return to > first + length && second >= from && second <= Math.max(from, (to - 1) * 10);
        });
        const moment = iso(second);
        if (spans.some(({ from, to }) => from <= moment && moment <= to) !== expected) wrong.push(second);
      }
      expect(wrong).toEqual([]);
      expect(spans.every(({ to }, index) => index + 1 >= spans.length || to < (spans[index + 1]?.from ?? ''))).toBe(
        true,
      );
    }),
  );
  expect(spansSeen).toBeGreaterThan(50);
});

test('a hostile archive ends within the time of a test', () => {
  const sets = Array.from({ length: 10_000 }, (_, index) => setAt(1, 1, { label: `s${index}` }));
  const runs = Array.from({ length: 20_000 }, (_, index) => wal(1, 1).replaceAll(segment(1), segment(index * 2 + 1)));
  const forks = Array.from({ length: 100 }, (_, file) =>
    Array.from(
      { length: 200 },
      (_, parent) => `15-1 ${(1000 + file).toString(16).toUpperCase().padStart(8, '0')} ${parent + 1} F/${parent}`,
    ),
  ).flat();
  expect(windowOf(repositoryOf(...sets), archiveOf(runs, forks)).spans).toEqual([{ from: iso(6), to: iso(10) }]);
});
