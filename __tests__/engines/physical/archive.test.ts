import { expect, test } from '@jest/globals';
import { nameOf, numberOf, pathTo } from '../../../src/engines/physical/archive.js';
import { archiveOf, SEGMENT_BYTES, segment, wal } from './sample.js';
import { failureOf } from './thrown.js';

test.each<[string, bigint, bigint]>([
  ['000000010000000000000000', 0n, 16n << 20n],
  ['0000000100000000000000FF', 255n, 16n << 20n],
  ['000000010000000100000000', 256n, 16n << 20n],
  ['000000010000000100000000', 64n, 64n << 20n],
  ['00000001000000010000003F', 127n, 64n << 20n],
  ['000000010000000000000FFF', 4095n, 1n << 20n],
  ['00000001FFFFFFFF000000FF', (1n << 40n) - 1n, 16n << 20n],
])('%s is segment %d of %d bytes, and back', (name, number, bytes) => {
  expect(numberOf(name, bytes)).toBe(number);
  expect(nameOf(1, number, bytes)).toBe(name);
});

test.each(['000000010000000000000100', '00000001000000000000000a', '0000000100000000000000', ''])(
  '%p is no segment',
  (name) => {
    expect(failureOf(() => numberOf(name, SEGMENT_BYTES)).code).toBe('E_MANIFEST');
  },
);

test('a timeline comes from those before it', () => {
  const archive = archiveOf(
    [],
    ['15-1 00000003 2 0/5000000', '15-1 00000003 1 0/3000028', '15-1 00000002 1 0/3000028', '14-1 00000003 1 0/1'],
  );
  expect(pathTo(3, '15-1', archive)).toEqual([
    { timeline: 1, until: 3n, at: 0x3000028n },
    { timeline: 2, until: 5n, at: 0x5000000n },
    { timeline: 3, until: null, at: null },
  ]);
  expect(pathTo(1, '15-1', archive)).toEqual([{ timeline: 1, until: null, at: null }]);
});

test.each<[string, string[], string[]]>([
  ['words', ['15-1 x'], []],
  ['another line in it', [`${wal(1, 2)}\nx`], []],
  ['a run backwards', [wal(3, 2)], []],
  ['a run over two timelines', [`15-1 ${segment(1)} ${segment(2, 2)} 1 2`], []],
  ['runs that overlap', [wal(1, 5), wal(4, 9)], []],
  ['runs that are one', [wal(1, 5), wal(6, 9)], []],
  ['a time of no calendar', [`15-1 ${segment(1)} ${segment(1)} 1 999999999999`], []],
  ['more runs than there can be', Array(20_001).fill(wal(1, 2)), []],
  ['a timeline from itself', [], ['15-1 00000002 2 0/1']],
  ['a timeline from a later one', [], ['15-1 00000002 3 0/1']],
  ['a timeline from none', [], ['15-1 00000002 0 0/1']],
  ['a timeline from one, twice', [], ['15-1 00000002 1 0/1', '15-1 00000002 1 0/2']],
  ['a history with one parent twice', [], ['15-1 00000003 1 0/9', '15-1 00000003 1 0/A']],
  ['a place that is none', [], ['15-1 00000002 1 0-1']],
  ['a time that is none', [], ['15-1 00000002 1 0/1 x']],
  ['a time after the last one', [], ['15-1 00000002 1 0/1 999999999999']],
  ['more timelines than there can be', [], Array.from({ length: 201 }, (_, one) => `15-1 00010000 ${one + 1} F/9`)],
])('%s is refused', (_, runs, history) => {
  expect(failureOf(() => archiveOf(runs, history)).code).toBe('E_MANIFEST');
});

test('a recovery to a moment before its target timeline began has that one in its history, and not on its way', () => {
  const forks = ['15-1 00000003 1 1/0', '15-1 00000003 2 0/9000000'];
  expect(pathTo(3, '15-1', archiveOf([], forks))).toEqual([
    { timeline: 1, until: 9n, at: 0x9000000n },
    { timeline: 3, until: null, at: null },
  ]);
});

test.each([0, 3_000_000, 1 << 19, 2 ** 31])('segments of %d bytes are refused', (bytes) => {
  expect(failureOf(() => archiveOf([], [], bytes)).code).toBe('E_MANIFEST');
});
