import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../src/backups/catalogue.js';
import { dependentsOf, needs, ofChain, planExpiry } from '../../src/backups/sets.js';
import { idAt, manifestOf } from './sample-backups.js';

/** Of one day at 03:00; `needs`: the labels of those before it. */
function setOn(
  day: number,
  label: string,
  before: string[] = [],
  change: Partial<Backup> = {},
  repository = 'main',
): Backup {
  const time = `2026-11-${String(day).padStart(2, '0')}T03:00:00Z`;
  const id = idAt(time);
  const set = { repository, label, needs: before, from: time, to: time, log: { from: '1', to: '2' } };
  return {
    ...{ id, createdAt: new Date(time), state: 'ok', detail: null, files: [] },
    manifest: manifestOf(id, { file: `${repository}/${label}`, set }),
    ...change,
  };
}

const A = setOn(1, 'A');
const A1 = setOn(2, 'A1', ['A']);
const A2 = setOn(3, 'A2', ['A', 'A1']);
const AD = setOn(4, 'AD', ['A']);
const B = setOn(8, 'B');
const B1 = setOn(9, 'B1', ['B']);
const ALL = [B1, B, AD, A2, A1, A];
const ids = (...backups: Backup[]) => new Set(backups.map(({ id }) => id));
const dump: Backup = {
  ...{
    id: idAt('2026-11-05T03:00:00Z'),
    createdAt: new Date('2026-11-05T03:00:00Z'),
    state: 'ok',
    detail: null,
    files: [],
  },
  manifest: manifestOf(idAt('2026-11-05T03:00:00Z')),
};

test('one needs those that its manifest names, in the same repository', () => {
  expect(dependentsOf(A, ALL)).toEqual([AD, A2, A1]);
  expect(dependentsOf(A1, ALL)).toEqual([A2]);
  expect(dependentsOf(A2, ALL)).toEqual([]);
  expect(dependentsOf(dump, [...ALL, dump])).toEqual([]);
  expect(needs(setOn(9, 'X', ['A'], {}, 'other').manifest, A.manifest)).toBe(false);
  expect(needs(dump.manifest, A.manifest)).toBe(false);
  expect(needs(A1.manifest, dump.manifest)).toBe(false);
});

describe('what a repository has to remove', () => {
  test('is each set that goes by itself, the oldest first, with all that goes with it', () => {
    expect(planExpiry(ALL, ids(A, A1, A2, AD))).toEqual({
      ...{ doomed: [{ label: 'A', dependents: ['AD', 'A2', 'A1'] }], fulls: 1 },
    });
    expect(planExpiry(ALL, ids(B1, A1, A2))).toEqual({
      doomed: [
        { label: 'A1', dependents: ['A2'] },
        { label: 'B1', dependents: [] },
      ],
      fulls: 2,
    });
    expect(planExpiry(ALL, ids(...ALL)).doomed.map(({ label }) => label)).toEqual(['A', 'B']);
  });

  test('names what needs it also when nobody has asked for that', () => {
    expect(planExpiry(ALL, ids(A))).toMatchObject({ doomed: [{ label: 'A', dependents: ['AD', 'A2', 'A1'] }] });
  });

  test('is nothing where nothing goes, and no dump', () => {
    expect(planExpiry(ALL, new Set())).toEqual({ doomed: [], fulls: 2 });
    expect(planExpiry([dump], ids(dump))).toEqual({ doomed: [], fulls: 0 });
  });

  test('is not what the repository has lost', () => {
    const lost = { state: 'damaged', lost: true } as const;
    const all = [B, { ...A1, ...lost }, { ...A, ...lost }];
    expect(planExpiry(all, ids(A, A1))).toEqual({ doomed: [], fulls: 1 });
  });

  test('is what has damaged pages as well: it is there, and takes the place of a full one', () => {
    const damaged = { state: 'damaged' } as const;
    const all = [{ ...B, ...damaged }, { ...A1, ...damaged }, A];
    expect(planExpiry(all, ids(A1))).toEqual({ doomed: [{ label: 'A1', dependents: [] }], fulls: 2 });
    expect(planExpiry(all, ids(A, A1))).toEqual({ doomed: [{ label: 'A', dependents: ['A1'] }], fulls: 1 });
  });

  test('is not what a forged manifest names', () => {
    const forged = { ...setOn(10, 'A'), state: 'forged' } as const;
    expect(planExpiry([forged, B, A], ids(forged))).toEqual({ doomed: [], fulls: 2 });
  });
});

describe('what retention knows of it', () => {
  test('a difference shares the fate of its full one', () => {
    expect([A1, A2, AD, B1].map((one) => ofChain(one, ALL))).toEqual([
      ...[{ follows: A.id }, { follows: A.id }, { follows: A.id }, { follows: B.id }],
    ]);
  });

  test('one whose full one is not listed is alone', () => {
    expect(ofChain(A2, [A2, A1])).toEqual({});
    expect(ofChain(A2, [A2, A1, setOn(1, 'A', [], {}, 'other')])).toEqual({});
  });

  test('a full one is needed up to the next full one, and the last one up to the newest set', () => {
    expect(ofChain(A, ALL)).toEqual({ until: B.createdAt });
    expect(ofChain(B, ALL)).toEqual({ until: B1.createdAt });
    expect(ofChain(B, [A, B])).toEqual({ until: B.createdAt });
  });

  test.each<[string, Partial<Backup>]>([
    ['has damaged pages', { state: 'damaged' }],
    ['is lost', { state: 'damaged', lost: true }],
    ['is not verified', { state: 'unverified' }],
    ['is forged', { state: 'forged' }],
  ])('a next one that %s does not end that', (_, change) => {
    expect(ofChain(A, [B1, { ...B, ...change }, A])).toEqual({ until: B1.createdAt });
    expect(ofChain(A, [setOn(15, 'C'), B1, { ...B, ...change }, A])).toEqual({
      until: new Date('2026-11-15T03:00:00Z'),
    });
  });

  test('nor do other repositories and dumps', () => {
    expect(ofChain(A, [setOn(2, 'X', [], {}, 'other'), dump, A, B])).toEqual({ until: B.createdAt });
    expect(ofChain(dump, [dump, ...ALL])).toEqual({});
  });
});
