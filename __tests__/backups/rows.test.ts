import { describe, expect, test } from '@jest/globals';
import { compareTables, rowLosses } from '../../src/backups/rows.js';

const tables = (all: Record<string, number | null>) => Object.entries(all).map(([name, rows]) => ({ name, rows }));
const lossesOf = (before: Record<string, number | null>, after: Record<string, number | null>, limit = 0.5) =>
  rowLosses(compareTables(tables(before), tables(after)), limit).map(({ name }) => name);

describe('what has changed', () => {
  test('is told with both numbers: what went first, then what was lost, then what came', () => {
    const before = tables({ same: 5, more: 1, few: 10, fewer: 100, gone: 7, uncounted: null, later: 3 });
    const after = tables({ same: 5, more: 2, few: 9, fewer: 1, uncounted: 4, later: null, new: 6 });
    expect(compareTables(before, after)).toEqual([
      { name: 'gone', change: 'gone', before: 7, after: null },
      { name: 'fewer', change: 'fewer', before: 100, after: 1 },
      { name: 'few', change: 'fewer', before: 10, after: 9 },
      { name: 'more', change: 'more', before: 1, after: 2 },
      { name: 'new', change: 'new', before: null, after: 6 },
    ]);
  });

  test('is nothing where nothing has, whatever the names', () => {
    const odd = tables({ constructor: 1, '': 2 });
    expect(compareTables(odd, [...odd].reverse())).toEqual([]);
  });
});

describe('a loss of rows', () => {
  test.each<[string, Record<string, number | null>, Record<string, number | null>, string[]]>([
    ['all of them', { users: 200 }, { users: 0 }, ['users']],
    ['a table', { users: 20 }, {}, ['users']],
    ['more than half', { users: 100 }, { users: 49 }, ['users']],
    ['half is not more than half', { users: 100 }, { users: 50 }, []],
    ['few rows', { users: 19 }, { users: 0 }, []],
    ['a table of few rows', { users: 19 }, {}, []],
    ['growth is none', { users: 100 }, { users: 1000 }, []],
    ['what was not counted is none', { users: null, other: 100 }, { other: null }, []],
    ['the one that lost most first', { a: 100, b: 1000, c: 30 }, { a: 1, b: 1 }, ['c', 'b', 'a']],
  ])('%s', (_, before, after, expected) => {
    expect(lossesOf(before, after)).toEqual(expected);
  });

  test('by the limit', () => {
    expect(lossesOf({ users: 100 }, { users: 79 }, 0.2)).toEqual(['users']);
    expect(lossesOf({ users: 100 }, { users: 0 }, 1)).toEqual([]);
    expect(lossesOf({ users: 100 }, {}, 1)).toEqual(['users']);
  });
});
