import { describe, expect, test } from '@jest/globals';
import { covering, readCatalogue, toCandidates, wholeOrAll } from '../../src/backups/catalogue.js';
import { type Coverage, coverageOf, covers, showCoverage } from '../../src/backups/coverage.js';
import type { Manifest } from '../../src/backups/manifest.js';
import { type KeepRules, planRetention } from '../../src/backups/retention.js';
import { candidateAt, idAt, keptIds, lines, listingOf, manifestOf, PATH } from './sample-backups.js';

const NOW = new Date('2026-11-20T12:00:00Z');
const NONE: Coverage = { excludeTable: [], excludeTableData: [], schema: [] };
const day = (number: number): string => idAt(`2026-11-${String(number).padStart(2, '0')}T03:00:00Z`);

describe('what a backup covers', () => {
  const logs = coverageOf({ ...NONE, excludeTable: ['logs'] });

  test('is everything without patterns, and the same however they are given', () => {
    expect(coverageOf(NONE)).toBeNull();
    expect(coverageOf({ ...NONE, schema: ['b', 'a', 'b'] })).toEqual({ ...NONE, schema: ['a', 'b'] });
  });

  test('is shown in words, and two that differ never alike', () => {
    expect(showCoverage(null)).toBe('');
    expect(showCoverage({ excludeTable: ['a', 'b'], excludeTableData: ['c'], schema: ['d'] })).toBe(
      'without the table "a", "b"; without the data of "c"; only the schema "d"',
    );
    const other = { ...NONE, excludeTable: ['a", "b'] };
    expect(showCoverage(other)).not.toBe(showCoverage({ ...NONE, excludeTable: ['a', 'b'] }));
  });

  test.each([
    ['a whole one has everything', null, null, true],
    ['and all that a partial one has', null, logs, true],
    ['a partial one has not everything', logs, null, false],
    ['but what was made in the same way', logs, coverageOf({ ...NONE, excludeTable: ['logs', 'logs'] }), true],
    ['and not what was made in another', logs, coverageOf({ ...NONE, excludeTableData: ['logs'] }), false],
  ])('%s', (_, one, wanted, expected) => {
    expect(covers(one, wanted)).toBe(expected);
  });

  test('of those that there are', () => {
    const on = (number: number, change: Partial<Manifest> = {}) => manifestOf(day(number), change);
    const partial = { coverage: logs };
    const read = (...manifests: Manifest[]) =>
      readCatalogue(listingOf(manifests), { name: 'app', identity: { path: PATH } }, NOW).backups;
    const all = read(on(20, partial), on(19), on(18, { coverage: null }));
    expect(covering(all, null).map(({ id }) => id)).toEqual([day(19), day(18)]);
    expect(covering(all, logs)).toHaveLength(3);
    expect(wholeOrAll(all).map(({ id }) => id)).toEqual([day(19), day(18)]);
    expect(wholeOrAll(read(on(20, partial), on(19, partial)))).toHaveLength(2);
    expect(toCandidates(all)).toMatchObject([{ partial: 'without the table "logs"' }, {}, {}]);
    expect(toCandidates(all)[1]).not.toHaveProperty('partial');
  });
});

describe('retention', () => {
  const plan = (all: Parameters<typeof planRetention>[0], rules: KeepRules, keepMinimum = 1) =>
    planRetention(all, { rules, keepMinimum, maxDelete: null }, NOW);
  const candidate = (number: number, change = {}) =>
    candidateAt(`2026-11-${String(number).padStart(2, '0')}T03:00:00Z`, change);
  const partial = (number: number, change = {}) => candidate(number, { partial: 'without "logs"', ...change });
  const suspect = { verified: false, suspect: true, why: 'it is small' };

  test('partial ones are a series of their own, and never displace a whole one', () => {
    const all = [partial(20), partial(19), candidate(18), candidate(17), partial(16, { partial: 'only "app"' })];
    expect(lines(plan(all, { last: 1 }))).toEqual({
      refusal: null,
      plan: [
        `${day(20)} keep last 1 of 1, among those without "logs"`,
        `${day(19)} DELETE no rule keeps it`,
        `${day(18)} keep last 1 of 1`,
        `${day(17)} DELETE no rule keeps it`,
        `${day(16)} keep last 1 of 1, among those only "app"`,
      ],
    });
  });

  test('keep-minimum holds in each series', () => {
    expect(plan([partial(20), partial(19), candidate(18)], { last: 1 }, 2).refusal).toBe(
      'keep-minimum: 2 verified backups must remain, but the rules leave 1 of 2 without "logs", not counting pinned and safety backups',
    );
  });

  test('a suspect one goes when a newer good one has all that it has', () => {
    const whole = candidate(19, suspect);
    expect(keptIds(plan([partial(20), whole], { last: 1 }))).toEqual([day(20), day(19)]);
    expect(keptIds(plan([candidate(20), partial(19, suspect)], { last: 1 }))).toEqual([day(20)]);
    expect(keptIds(plan([partial(20), partial(19, suspect)], { last: 1 }))).toEqual([day(20)]);
  });
});
