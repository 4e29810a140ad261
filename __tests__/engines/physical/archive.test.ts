import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { archiveIn, nameOf, numberOf, pathTo } from '../../../src/engines/physical/archive.js';
import { factsOf, historyOf, runsOf } from './sample-wal.js';

const MIB = 1n << 20n;

describe('the number of a segment', () => {
  test.each([
    ['000000010000000000000000', 16n, 0n],
    ['0000000100000000000000FF', 16n, 255n],
    ['000000010000000100000000', 16n, 256n],
    ['00000001000000000000003F', 64n, 63n],
    ['000000010000000100000000', 64n, 64n],
    ['000000010000000000000FFF', 1n, 4095n],
    ['000000010000000100000000', 1n, 4096n],
    ['000000010000000000000003', 1024n, 3n],
    ['0000000AFFFFFFFF000000FF', 16n, 256n * 2n ** 32n - 1n],
  ])('of %s with %d MiB', (name, megabytes, number) => {
    expect(numberOf(name, megabytes * MIB)).toBe(number);
    expect(nameOf(Number.parseInt(name.slice(0, 8), 16), number, megabytes * MIB)).toBe(name);
  });

  test('counts on without a gap, whatever the size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10 }),
        fc.nat(),
        fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        (power, at, line) => {
          const bytes = MIB << BigInt(power);
          const name = nameOf(line, BigInt(at), bytes);
          expect(name).toMatch(/^[0-9A-F]{24}$/);
          expect(numberOf(name, bytes)).toBe(BigInt(at));
          expect(name < nameOf(line, BigInt(at) + 1n, bytes)).toBe(true);
        },
      ),
    );
  });

  test('of what is none', () => {
    expect(() => numberOf('00000001.history', 16n * MIB)).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
  });
});

describe('the program on the host', () => {
  const segments = (timeline: number, from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => ({
      timeline,
      number: from + index,
      archivedAt: 1000 + from + index,
    }));

  describe.each(['awk', 'busybox awk'])('with %s', (awk) => {
    test.each([16, 64, 1, 1024])('a run goes on over the end of a log of segments of %d MiB', (megabytes) => {
      const end = 4096 / megabytes;
      const all = segments(1, end - 2, 2 * end + 1);
      const [line, ...more] = runsOf(all, megabytes, awk);
      const bytes = BigInt(megabytes) * MIB;
      expect(more).toEqual([]);
      const [first, last] = [nameOf(1, BigInt(end - 2), bytes), nameOf(1, BigInt(2 * end + 1), bytes)];
      expect(line).toBe(`15-1 ${first} ${last} ${1000 + end - 2} ${1000 + 2 * end + 1}`);
    });

    test.each([16, 64])(
      'the last segment of a log of %d MiB, or the first of the next, may be what is missing',
      (megabytes) => {
        const end = 4096 / megabytes;
        for (const missing of [end - 1, end]) {
          const all = segments(1, end - 3, end + 3).filter(({ number }) => number !== missing);
          expect(runsOf(all, megabytes, awk)).toHaveLength(2);
        }
      },
    );

    test('timelines are runs of their own, and nothing is none', () => {
      expect(runsOf([...segments(1, 250, 260), ...segments(2, 261, 262), ...segments(10, 263, 263)], 16, awk)).toEqual([
        '15-1 0000000100000000000000FA 000000010000000100000004 1250 1260',
        '15-1 000000020000000100000005 000000020000000100000006 1261 1262',
        '15-1 0000000A0000000100000007 0000000A0000000100000007 1263 1263',
      ]);
      expect(runsOf([], 16, awk)).toEqual([]);
    });
  });
});

describe('what it tells', () => {
  const RUN = '15-1 0000000100000000000000FE 000000010000000100000001 100 200';
  const FORK = '15-1 00000003 2 16/B374D848';

  test('is read', () => {
    expect(archiveIn(factsOf([RUN], [FORK]))).toEqual({
      segmentBytes: 16n * MIB,
      runs: [
        { archive: '15-1', timeline: 1, first: 254n, last: 257n, since: new Date(100_000), till: new Date(200_000) },
      ],
      forks: [{ archive: '15-1', timeline: 3, parent: 2, at: 0x16_b374_d848n }],
    });
  });

  test('the size of a segment counts', () => {
    const { runs, segmentBytes } = archiveIn(
      factsOf(['15-1 00000001000000000000003F 000000010000000100000001 1 2'], [], '67108864'),
    );
    expect({ segmentBytes, last: runs[0]?.last }).toEqual({ segmentBytes: 64n * MIB, last: 65n });
  });

  test.each(['0', '1', '524288', '16777217', '2147483648', '999999999999999'])('%s bytes are no segment', (bytes) => {
    expect(() => archiveIn(factsOf([RUN], [], bytes))).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
  });

  test.each([
    ...['', 'x', `${RUN} 1`, `${RUN}\n`, RUN.replace('15-1', '../15-1'), RUN.replace('100 200', '100 -1')],
    RUN.replace('100 200', '1e3 200'),
    RUN.replace('100 200', '100 1234567890123'),
    RUN.replace('000000010000000100000001', '0000000100000000000000FD'), // before the first one
    RUN.replace('000000010000000100000001', '000000020000000100000001'), // of another timeline
    RUN.replace('FE ', 'fe '),
  ])('%j is no run', (line) => {
    expect(() => archiveIn(factsOf([line]))).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
  });

  test.each([
    ...[
      '',
      `${FORK}\n`,
      FORK.replace('15-1', '--x'),
      FORK.replace(' 2 ', ' -2 '),
      FORK.replace('16/', '16\\'),
      `${FORK}9`,
    ],
    FORK.replace('00000003', '3'),
  ])('%j is no fork', (line) => {
    expect(() => archiveIn(factsOf([], [line]))).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
  });

  test('the end of the time of JavaScript is no moment, and a hostile number of gaps is refused', () => {
    expect(() => archiveIn(factsOf([RUN.replace('200', '999999999999')]))).toThrow(
      expect.objectContaining({ code: 'E_MANIFEST' }),
    );
    expect(() => archiveIn(factsOf(Array(20_001).fill(RUN)))).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
    expect(() => archiveIn(factsOf([], Array(20_001).fill(FORK)))).toThrow(
      expect.objectContaining({ code: 'E_MANIFEST' }),
    );
    expect(archiveIn(factsOf(Array(20_000).fill(RUN))).runs.length).toBeGreaterThan(0);
  });
});

describe('the path to a timeline', () => {
  const left = [
    { timeline: 1, number: 300, offset: 4096 },
    { timeline: 2, number: 310, offset: 0 },
  ];
  const archive = archiveIn(
    factsOf(
      [],
      [
        ...historyOf(4, left),
        ...historyOf(2, left.slice(0, 1)),
        ...historyOf(4, [{ timeline: 1, number: 5, offset: 9 }], 16, '14-1'),
      ],
    ),
  );

  test('has those it came from, each until where it was left', () => {
    expect(pathTo(4, '15-1', archive)).toEqual([
      { timeline: 1, until: 300n, at: 300n * 16n * MIB + 4096n },
      // the end of a segment is the beginning of the next
      { timeline: 2, until: 310n, at: 310n * 16n * MIB },
      { timeline: 4, until: null, at: null },
    ]);
    expect(pathTo(2, '15-1', archive).map(({ timeline }) => timeline)).toEqual([1, 2]);
  });

  test('is of one archive, and itself alone where no history is there', () => {
    expect(pathTo(4, '14-1', archive)).toHaveLength(2);
    expect(pathTo(3, '15-1', archive)).toEqual([{ timeline: 3, until: null, at: null }]);
  });

  test('never leads through a later one', () => {
    const odd = archiveIn(factsOf([], ['15-1 00000002 2 0/5000000', '15-1 00000002 7 0/6000000']));
    expect(pathTo(2, '15-1', odd)).toEqual([{ timeline: 2, until: null, at: null }]);
  });
});
