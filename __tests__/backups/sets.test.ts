import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../src/backups/catalogue.js';
import { type Candidate, planRetention } from '../../src/backups/retention.js';
import { dependentsOf, ofChain, planExpiry } from '../../src/backups/sets.js';
import { candidateAt, idAt, keptIds, manifestOf } from './sample-backups.js';

/** A set that ended at a time, with the labels of those that it was made of. */
function set(time: string, label: string, ...needs: string[]): Backup {
  const id = idAt(time);
  return {
    ...{ id, createdAt: new Date(time), state: 'ok', detail: null, files: [] },
    manifest: manifestOf(id, {
      set: { repository: 'main', label, needs, from: time, to: time, log: { from: 'a', to: 'b' } },
    }),
  };
}
const FIRST = set('2026-11-01T03:00:00Z', 'F1');
const MONDAY = set('2026-11-02T03:00:00Z', 'F1_D', 'F1');
const TUESDAY = set('2026-11-03T03:00:00Z', 'F1_I', 'F1', 'F1_D');
const SECOND = set('2026-11-08T03:00:00Z', 'F2');
const AFTER = set('2026-11-09T03:00:00Z', 'F2_I', 'F2');
const ALL = [AFTER, SECOND, TUESDAY, MONDAY, FIRST];
const OF_OTHER: Backup = {
  ...FIRST,
  id: 'x',
  manifest: {
    ...FIRST.manifest,
    set: { repository: 'other', label: 'F1', needs: [], from: '', to: '', log: { from: 'a', to: 'b' } },
  },
};

describe('what goes with a set', () => {
  test.each([
    [FIRST, [TUESDAY, MONDAY]],
    [MONDAY, [TUESDAY]],
    [TUESDAY, []],
    [SECOND, [AFTER]],
    [OF_OTHER, []],
  ])('is what was made of it (%#)', (one, expected) => {
    expect(dependentsOf(one, ALL)).toEqual(expected);
  });

  test('goes by itself only where nothing that it needs goes', () => {
    expect(planExpiry(ALL, new Set([FIRST.id, MONDAY.id, TUESDAY.id]))).toEqual({
      doomed: [{ label: 'F1', dependents: ['F1_I', 'F1_D'] }],
      fulls: 1,
    });
    expect(planExpiry(ALL, new Set([TUESDAY.id, AFTER.id]))).toEqual({
      doomed: [
        { label: 'F1_I', dependents: [] },
        { label: 'F2_I', dependents: [] },
      ],
      fulls: 2,
    });
    // one with damaged pages is there, one that the repository has lost is not, and a forged manifest may name the set of another
    const alone = (change: Partial<Backup>) =>
      planExpiry([AFTER, SECOND, { ...FIRST, ...change }], new Set([FIRST.id])).doomed;
    expect(alone({ state: 'damaged' })).toEqual([{ label: 'F1', dependents: [] }]);
    expect(alone({ state: 'damaged', lost: true })).toEqual([]);
    expect(alone({ state: 'forged' })).toEqual([]);
  });
});

describe('what retention has to know of a set', () => {
  test('a full one is needed until the next one, the newest until what was last made of it', () => {
    expect(ofChain(FIRST, ALL)).toEqual({ until: SECOND.createdAt });
    expect(ofChain(SECOND, ALL)).toEqual({ until: AFTER.createdAt });
    expect(ofChain(SECOND, [SECOND, FIRST])).toEqual({ until: SECOND.createdAt });
  });

  test('any other shares the fate of its full one', () => {
    expect(ofChain(TUESDAY, ALL)).toEqual({ follows: FIRST.id });
    expect(ofChain(TUESDAY, [TUESDAY])).toEqual({});
    expect(ofChain(TUESDAY, [TUESDAY, OF_OTHER])).toEqual({});
  });
});

describe('within', () => {
  const NOW = new Date('2026-11-20T12:00:00Z');
  const DAY = 86_400_000;
  const policy = (within: number) => ({ rules: { within }, keepMinimum: 1, maxDelete: null });
  const full = (day: string, until?: string): Candidate =>
    candidateAt(
      `2026-11-${day}T03:00:00Z`,
      until === undefined ? {} : { until: new Date(`2026-11-${until}T03:00:00Z`) },
    );

  test('keeps the full one with which the recovery of that time begins', () => {
    const [a, b, c] = [full('01', '08'), full('08', '15'), full('15', '19')] as const;
    const { decisions } = planRetention([a, b, c], policy(5 * DAY), NOW);
    expect(decisions.map(({ keep, reasons }) => [keep, reasons])).toEqual([
      [true, ['within 5d of the newest']],
      [true, ['recovery within 5d begins with it']],
      [false, ['no rule keeps it']],
    ]);
    expect(keptIds(planRetention([a, b, c], policy(11 * DAY), NOW))).toHaveLength(3);
  });

  test('counts from the newest moment that is needed', () => {
    // from the creation of the newest one alone the first would still be within
    const [a, b] = [full('10', '12'), full('12', '19')] as const;
    expect(keptIds(planRetention([a, b], policy(3 * DAY), NOW))).toEqual([b.id]);
  });
});
