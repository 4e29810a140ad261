import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nameOf } from '../../../src/engines/physical/archive.js';
import type { BackupSet } from '../../../src/engines/physical/sets.js';
import { newestTimeline, newestWal, reachOf, windowOf } from '../../../src/engines/physical/window.js';
import { repositoryOf, setAt } from './sample-sets.js';
import { archiveOf, historyOf, type Left, lsnAt, type Segment } from './sample-wal.js';

const DAY = '2026-11-29T';
const seconds = (time: string): number => Date.parse(`${DAY}${time}Z`) / 1000;

/** Segments of a timeline, one a minute from a time on. */
function wal(timeline: number, from: number, to: number, time: string): Segment[] {
  return Array.from({ length: to - from + 1 }, (_, index) => {
    return { timeline, number: from + index, archivedAt: seconds(time) + 60 * index };
  });
}

/** A set of one minute that begins at a time, with its WAL. */
function setOn(timeline: number, from: number, to: number, time: string, offset = 100, megabytes = 16): BackupSet {
  const bytes = BigInt(megabytes << 20);
  return setAt(`${DAY}${time}Z`, {
    ...{ startWal: nameOf(timeline, BigInt(from), bytes), stopWal: nameOf(timeline, BigInt(to), bytes) },
    stopLsn: lsnAt({ number: to, offset }, megabytes),
  });
}

const without = (segments: Segment[], ...numbers: number[]) =>
  segments.filter(({ number }) => !numbers.includes(number));

describe('without a gap', () => {
  const set = setOn(1, 254, 254, '12:00:00');
  const repository = repositoryOf([set]);

  test('the window begins with the second after the end of the set, and goes to the newest WAL', () => {
    const archive = archiveOf(wal(1, 250, 270, '11:57:00'));
    expect(windowOf(repository, archive)).toEqual({
      spans: [{ from: '2026-11-29T12:01:01.000Z', to: '2026-11-29T12:17:00.000Z' }],
      gaps: [],
      newest: '2026-11-29T12:17:00.000Z',
    });
    expect(reachOf(set, 1, repository, archive)).toMatchObject({ missing: null });
  });

  test('a second set adds nothing, and WAL before the first neither', () => {
    const archive = archiveOf(without(wal(1, 250, 270, '11:57:00'), 252));
    const two = repositoryOf([set, setOn(1, 259, 260, '12:05:00')]);
    expect(windowOf(two, archive)).toEqual(windowOf(repository, archive));
  });

  test('without any WAL there is no window', () => {
    expect(windowOf(repository, archiveOf([]))).toEqual({ spans: [], gaps: [], newest: null });
    expect(newestWal(archiveOf([]))).toBeNull();
  });

  test('without any set neither', () => {
    const window = windowOf(repositoryOf([]), archiveOf(wal(1, 250, 270, '11:57:00')));
    expect(window).toEqual({ spans: [], gaps: [], newest: '2026-11-29T12:17:00.000Z' });
    expect(windowOf(repositoryOf([], 0), archiveOf([])).spans).toEqual([]);
  });
});

describe('a missing segment', () => {
  const first = setOn(1, 254, 255, '12:00:00');
  const second = setOn(1, 264, 264, '12:10:00');
  const all = wal(1, 254, 270, '12:00:30');

  test('of a set itself makes it nothing to begin with', () => {
    for (const number of [254, 255]) {
      const archive = archiveOf(without(all, number));
      expect(reachOf(first, 1, repositoryOf([first]), archive)).toBeNull();
      expect(windowOf(repositoryOf([first]), archive)).toMatchObject({ spans: [], gaps: [] });
    }
  });

  test('between two sets is a gap that is named', () => {
    const archive = archiveOf(without(all, 258));
    expect(windowOf(repositoryOf([first, second]), archive)).toMatchObject({
      spans: [
        { from: '2026-11-29T12:01:01.000Z', to: '2026-11-29T12:03:30.000Z' },
        { from: '2026-11-29T12:11:01.000Z', to: '2026-11-29T12:16:30.000Z' },
      ],
      gaps: [
        'no recovery from 2026-11-29 12:03:30 to 2026-11-29 12:11:01 UTC: the WAL segment 000000010000000100000002 is missing',
      ],
    });
  });

  test('after the last set asks for a new backup', () => {
    expect(windowOf(repositoryOf([first, second]), archiveOf(without(all, 267, 268))).gaps).toEqual([
      'no recovery after 2026-11-29 12:12:30 UTC: the WAL segment 00000001000000010000000B is missing; take a new backup',
    ]);
  });

  test('that was not archived yet is none', () => {
    expect(windowOf(repositoryOf([first, second]), archiveOf(all.slice(0, -1))).gaps).toEqual([]);
  });

  test('before the WAL of later sets, where none of the time between is there', () => {
    const archive = archiveOf([...wal(1, 254, 255, '12:00:30'), ...wal(1, 264, 270, '12:10:30')]);
    const { gaps } = windowOf(repositoryOf([setOn(1, 254, 255, '12:00:00'), second]), archive);
    expect(gaps).toEqual([
      'no recovery from 2026-11-29 12:01:30 to 2026-11-29 12:11:01 UTC: the WAL segment 000000010000000100000000 is missing',
    ]);
  });
});

test('a set with damaged pages, and one of a cluster before an upgrade, are no beginning', () => {
  const set = setOn(1, 254, 254, '12:00:00');
  const archive = archiveOf(wal(1, 250, 270, '11:57:00'));
  expect(windowOf(repositoryOf([{ ...set, hasErrors: true }]), archive).spans).toEqual([]);
  // the newest cluster is restored, and no WAL leads there from the old one
  expect(windowOf(repositoryOf([set], 2), archive).spans).toEqual([]);
  expect(reachOf({ ...set, clusterId: 9 }, 1, repositoryOf([set], 2), archive)).toBeNull();
  expect(reachOf({ ...set, clusterId: 2 }, 1, repositoryOf([set], 2), archive)).toBeNull();
});

describe('a timeline that was given up', () => {
  // 1 went on to 275 (12:25), was restored to the middle of 262, and is 2 from 12:30 on
  const set = setOn(1, 254, 254, '12:00:00');
  const left: Left[] = [{ timeline: 1, number: 262, offset: 5000 }];
  const abandoned = wal(1, 250, 275, '11:57:00');
  const repository = repositoryOf([set]);
  const history = historyOf(2, left);

  test('does not lengthen the window of the one that came from it', () => {
    const archive = archiveOf([...abandoned, ...wal(2, 262, 263, '12:30:00')], history);
    expect(windowOf(repository, archive, 2)).toMatchObject({
      spans: [{ from: '2026-11-29T12:01:01.000Z', to: '2026-11-29T12:31:00.000Z' }],
      // what was given up is no WAL that a missing segment keeps from being reached
      gaps: [],
    });
    expect(reachOf(set, 2, repository, archive)).toMatchObject({ missing: null });
  });

  test('nor does it stand in for WAL of the new one that is missing', () => {
    const archive = archiveOf([...abandoned, ...without(wal(2, 262, 266, '12:30:00'), 264)], history);
    expect(reachOf(set, 2, repository, archive)).toMatchObject({
      to: new Date(`${DAY}12:31:00Z`),
      missing: '000000020000000100000008',
    });
    // the first one of the new timeline holds what the old one had of it
    const begun = archiveOf([...abandoned, ...without(wal(2, 262, 266, '12:30:00'), 262)], history);
    expect(reachOf(set, 2, repository, begun)?.missing).toBe('000000020000000100000006');
  });

  test('before its WAL arrives, the new one ends at the fork', () => {
    const reach = reachOf(set, 2, repository, archiveOf(abandoned, history));
    expect(reach?.missing).toBeNull();
    // the run goes on, and when its middle was archived nobody tells: not later
    expect(reach?.to.getTime()).toBeLessThanOrEqual(Date.parse(`${DAY}12:08:00Z`));
  });

  test('WAL of the old one that is missing before the fork is a gap', () => {
    const archive = archiveOf([...without(abandoned, 260), ...wal(2, 262, 270, '12:30:00')], history);
    expect(reachOf(set, 2, repository, archive)?.missing).toBe('000000010000000100000004');
  });

  test.each([
    [262, 4999, true],
    [262, 5000, true],
    [262, 5001, false],
    [261, 16_777_215, true],
    [263, 1, false],
  ])('a set that ended in %d at %d is on the way to the new one: %s', (number, offset, isOnIt) => {
    const one = setOn(1, number, number, '12:08:00', offset);
    const archive = archiveOf([...abandoned, ...wal(2, 262, 270, '12:30:00')], history);
    expect(reachOf(one, 2, repositoryOf([one]), archive) !== null).toBe(isOnIt);
    expect(reachOf(one, 1, repositoryOf([one]), archive)).not.toBeNull();
  });

  test('a set of the new one is not on the way to the old one', () => {
    const one = setOn(2, 264, 264, '12:33:00');
    const archive = archiveOf([...abandoned, ...wal(2, 262, 270, '12:30:00')], history);
    expect(reachOf(one, 1, repositoryOf([one]), archive)).toBeNull();
    expect(windowOf(repositoryOf([set, one]), archive, 1).spans).toEqual([
      { from: '2026-11-29T12:01:01.000Z', to: '2026-11-29T12:22:00.000Z' },
    ]);
  });
});

describe('the newest timeline', () => {
  const set = setOn(1, 254, 254, '12:00:00');
  const fork = historyOf(2, [{ timeline: 1, number: 262, offset: 5000 }]);
  const one = wal(1, 250, 275, '11:57:00');
  const two = wal(2, 262, 270, '12:30:00');

  test('is that of the newest WAL that comes from the newest set', () => {
    expect(newestTimeline(repositoryOf([set]), archiveOf([...one, ...two], fork))).toBe(2);
    expect(newestTimeline(repositoryOf([set]), archiveOf(one))).toBe(1);
  });

  test('is not one that was tried, and given up, while the old one went on', () => {
    // the server was rolled back at once, and its history stays in the archive
    const later = wal(1, 250, 300, '11:57:00');
    const strayed = archiveOf([...later, ...wal(2, 262, 262, '12:09:30')], fork);
    expect(newestTimeline(repositoryOf([set]), strayed)).toBe(1);
    expect(newestTimeline(repositoryOf([set]), archiveOf(later, fork))).toBe(1);
    // nor when a set was made since, which the new one does not have
    const since = setOn(1, 290, 290, '12:37:00');
    expect(
      newestTimeline(repositoryOf([set, since]), archiveOf([...later, ...wal(2, 262, 262, '13:30:00')], fork)),
    ).toBe(1);
  });

  test('is that of the newest set where nothing comes from it', () => {
    const after = setOn(2, 264, 264, '12:33:00');
    expect(newestTimeline(repositoryOf([set, after]), archiveOf([...one, ...two], fork))).toBe(2);
    expect(newestTimeline(repositoryOf([set, after]), archiveOf([]))).toBe(2);
  });

  test('is of the newest cluster alone', () => {
    expect(newestTimeline(repositoryOf([set], 2), archiveOf([...one, ...two], fork))).toBe(1);
    expect(newestTimeline(repositoryOf([], 0), archiveOf([]))).toBe(1);
  });
});

describe('for any sets, timelines and missing segments', () => {
  interface World {
    megabytes: number;
    timelines: { left: Left[]; from: number; to: number }[];
    missing: Set<string>;
    set: { timeline: number; from: number; to: number; offset: number };
    target: number;
  }
  const OFFSETS = [0, 4096, 8192];

  /** A few timelines that came from each other around the end of a log. */
  const worlds: fc.Arbitrary<World> = fc
    .record({
      megabytes: fc.constantFrom(16, 64),
      before: fc.integer({ min: 0, max: 6 }),
      lengths: fc.array(
        fc.record({
          parent: fc.nat(),
          fork: fc.nat(),
          offset: fc.constantFrom(...OFFSETS),
          length: fc.integer({ min: 1, max: 10 }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      lost: fc.array(fc.nat(24), { maxLength: 3 }),
      set: fc.record({ timeline: fc.nat(), from: fc.nat(), length: fc.nat(2), offset: fc.constantFrom(...OFFSETS) }),
      target: fc.nat(),
    })
    .map(({ megabytes, before, lengths, lost, set, target }) => {
      const timelines: World['timelines'] = [];
      for (const { parent, fork, offset, length } of lengths) {
        const from = 4096 / megabytes - before;
        const origin = timelines[parent % Math.max(1, timelines.length)];
        if (origin === undefined) {
          timelines.push({ left: [], from, to: from + length });
          continue;
        }
        const number = origin.from + (fork % (origin.to - origin.from + 1));
        // not before where the origin itself began
        const start = Math.max(offset, number === origin.from ? (origin.left.at(-1)?.offset ?? 0) : 0);
        const left = [...origin.left, { timeline: timelines.indexOf(origin) + 1, number, offset: start }];
        timelines.push({ left, from: number, to: number + length });
      }
      const all = timelines.flatMap(({ from, to }, index) =>
        Array.from({ length: to - from + 1 }, (_, at) => `${index + 1}/${from + at}`),
      );
      const at = set.timeline % timelines.length;
      const { from, to } = timelines[at] ?? { from: 0, to: 0 };
      const begin = from + (set.from % (to - from + 1));
      return {
        ...{ megabytes, timelines },
        missing: new Set(lost.map((index) => all[index] ?? '')),
        set: { timeline: at + 1, from: begin, to: Math.min(to, begin + set.length), offset: set.offset },
        target: (target % timelines.length) + 1,
      };
    });

  const segmentsOf = ({ timelines, missing }: World): Segment[] =>
    timelines
      .flatMap(({ from, to }, index) =>
        Array.from({ length: to - from + 1 }, (_, at) => ({ timeline: index + 1, number: from + at })),
      )
      .map((one, order) => ({ ...one, archivedAt: seconds('12:00:00') + order }))
      .filter(({ timeline, number }) => !missing.has(`${timeline}/${number}`));

  /** One segment after the other, as a server asks for them. */
  function model(
    { timelines, set, target }: World,
    segments: Segment[],
  ): { last: Segment; missing: string | null } | null {
    const chain = [
      ...(timelines[target - 1]?.left ?? []),
      { timeline: target, number: Number.POSITIVE_INFINITY, offset: 0 },
    ];
    const start = chain.findIndex(({ timeline }) => timeline === set.timeline);
    const own = chain[start];
    if (own === undefined) return null;
    if (set.to > own.number || (set.to === own.number && set.offset > own.offset)) return null;
    const timelineOf = (number: number) => chain.slice(start).find((one) => number < one.number)?.timeline;
    const find = (number: number) =>
      segments.find((one) => one.timeline === timelineOf(number) && one.number === number) ?? null;
    let last: Segment | null = null;
    let number = set.from;
    for (let found = find(number); found !== null; found = find(++number)) last = found;
    if (last === null || last.number < set.to) return null;
    const later = Array.from({ length: 200 }, (_, index) => find(number + 1 + index)).some((one) => one !== null);
    return { last, missing: later ? `${timelineOf(number)}/${number}` : null };
  }

  test('a set reaches exactly as far as a server would get', () => {
    const seen = { reached: 0, none: 0, gaps: 0, forks: 0 };
    fc.assert(
      fc.property(worlds, (world) => {
        const { megabytes, timelines, set, target } = world;
        const segments = segmentsOf(world);
        const history = timelines.flatMap(({ left }, index) => historyOf(index + 1, left, megabytes));
        const archive = archiveOf(segments, history, megabytes);
        const one = setOn(set.timeline, set.from, set.to, '11:00:00', set.offset, megabytes);
        const reach = reachOf(one, target, repositoryOf([one]), archive);
        const expected = model(world, segments);
        expect(reach === null).toBe(expected === null);
        if (reach === null || expected === null) {
          seen.none++;
          return;
        }
        seen.reached++;
        if (set.timeline !== target) seen.forks++;
        const [timeline = 0, number = 0] = expected.missing?.split('/').map(Number) ?? [];
        const name = expected.missing === null ? null : nameOf(timeline, BigInt(number), archive.segmentBytes);
        if (name !== null) seen.gaps++;
        expect(reach.missing).toBe(name);
        // never later than the last segment was archived, and exactly then where a run ends with it
        const { last } = expected;
        const isEnd = !segments.some((two) => two.timeline === last.timeline && two.number === last.number + 1);
        const to = reach.to.getTime() / 1000;
        if (isEnd) expect(to).toBe(last.archivedAt);
        else expect(to).toBeLessThanOrEqual(last.archivedAt);
      }),
      { numRuns: 400 },
    );
    // that it was no test of nothing
    expect(Object.values(seen).every((count) => count > 2)).toBe(true);
  });
});
