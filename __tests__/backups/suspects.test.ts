import { describe, expect, test } from '@jest/globals';
import { alarmsIn, type Backup, readCatalogue, toCandidates } from '../../src/backups/catalogue.js';
import { asJudgedSince } from '../../src/backups/copies.js';
import { acceptedIn, historyOf } from '../../src/backups/history.js';
import type { Manifest } from '../../src/backups/manifest.js';
import { type Candidate, type KeepRules, planRetention, type RetentionPolicy } from '../../src/backups/retention.js';
import { candidateAt, idAt, keptIds, lines, listingOf, manifestOf, PATH } from './sample-backups.js';

const NOW = new Date('2026-11-20T12:00:00Z');
const SUSPECT = { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'it is small' } } as const;
const ACCEPTED = { accepted: { by: 'command: accept', at: '2026-11-20T00:00:00Z' } };

/** The day of November at 03:00. */
const day = (number: number): string => idAt(`2026-11-${String(number).padStart(2, '0')}T03:00:00Z`);
const read = (...manifests: Manifest[]): Backup[] =>
  readCatalogue(listingOf(manifests), { name: 'app', identity: { path: PATH } }, NOW).backups;
const on = (number: number, change: Partial<Manifest> = {}): Manifest => manifestOf(day(number), change);

describe('a suspect backup', () => {
  test('is known by its manifest, and is no good one', () => {
    const backups = read(on(20, SUSPECT), on(19));
    expect(backups.map(({ state, detail }) => [state, detail])).toEqual([
      ['suspect', 'it is small'],
      ['ok', null],
    ]);
    expect(toCandidates(backups)).toMatchObject([
      { verified: false, suspect: true, why: 'it is small' },
      { verified: true },
    ]);
  });

  test('that is damaged or not verified is that first', () => {
    const unverified = on(20, { ...SUSPECT, verified: { level: 'none', at: '2026-11-20T03:00:00Z' } });
    expect(read(unverified)).toMatchObject([{ state: 'unverified' }]);
  });

  test('of an earlier version there is none', () => {
    expect(read(on(20))).toMatchObject([{ state: 'ok', detail: null }]);
  });

  test('is an alarm as long as no good one is newer', () => {
    const ids = (...manifests: Manifest[]) => alarmsIn(read(...manifests)).map(({ id }) => id);
    expect(ids(on(20, SUSPECT), on(19, SUSPECT), on(18), on(17, SUSPECT))).toEqual([day(20), day(19)]);
    expect(ids(on(20), on(19, SUSPECT))).toEqual([]);
    // the state that somebody wanted to leave answers no alarm
    expect(ids(on(20, { reason: 'safety' }), on(19, SUSPECT), on(18))).toEqual([day(19)]);
  });
});

describe('retention', () => {
  const policy = (rules: KeepRules, change: Partial<RetentionPolicy> = {}): RetentionPolicy => ({
    ...{ rules, keepMinimum: 1, maxDelete: null },
    ...change,
  });
  const candidate = (number: number, change: Partial<Candidate> = {}) =>
    candidateAt(`2026-11-${String(number).padStart(2, '0')}T03:00:00Z`, change);
  const suspect = (number: number, change: Partial<Candidate> = {}) =>
    candidate(number, { verified: false, suspect: true, why: 'it is small', ...change });

  test('keeps the newest three, which neither fill a rule nor displace a good one', () => {
    const all = [suspect(20), suspect(19), suspect(18), suspect(17), candidate(16), candidate(15), candidate(14)];
    expect(lines(planRetention(all, policy({ last: 2, daily: 1 }), NOW))).toEqual({
      refusal: null,
      plan: [
        `${day(20)} keep suspect: it is small`,
        `${day(19)} keep suspect: it is small`,
        `${day(18)} keep suspect: it is small`,
        `${day(17)} DELETE suspect, and 3 newer ones are kept`,
        `${day(16)} keep last 1 of 2, daily 2026-11-16`,
        `${day(15)} keep last 2 of 2`,
        `${day(14)} DELETE no rule keeps it`,
      ],
    });
  });

  test('lets all go once a good one is newer, be it pinned; not a safety backup, nor one from the future', () => {
    const suspects = [suspect(19), suspect(18)];
    const good = candidate(17);
    expect(keptIds(planRetention([candidate(20), ...suspects, good], policy({ last: 5 }), NOW))).toEqual([
      day(20),
      day(17),
    ]);
    const pinned = candidate(20, { pinned: 'audit' });
    expect(keptIds(planRetention([pinned, ...suspects, good], policy({ last: 5 }), NOW))).toEqual([day(20), day(17)]);
    for (const other of [candidate(20, { safety: true }), candidate(25)]) {
      expect(keptIds(planRetention([other, ...suspects, good], policy({ last: 5 }), NOW))).toHaveLength(4);
    }
  });

  test('leaves pinned ones alone, and counts the others to max-delete but not to keep-minimum', () => {
    const all = [candidate(20), suspect(19, { pinned: 'audit' }), suspect(18), suspect(17)];
    const plan = planRetention(all, policy({ last: 1 }, { keepMinimum: 3 }), NOW);
    expect(keptIds(plan)).toEqual([day(20), day(19)]);
    expect(plan.refusal).toBeNull();
    expect(planRetention(all, policy({ last: 1 }, { maxDelete: 1 }), NOW).refusal).toBe(
      'max-delete: at most 1 deletion allowed, but the plan deletes 2 of 4 backups',
    );
  });
});

describe('the history', () => {
  const ids = (...manifests: Manifest[]) => historyOf(read(...manifests)).map(({ id }) => id);

  test('is of good ones, and begins anew with one that somebody has said is right', () => {
    expect(ids(on(20, SUSPECT), on(19), on(18, { reason: 'safety' }), on(17), on(16))).toEqual([
      day(19),
      day(17),
      day(16),
    ]);
    expect(ids(on(20), on(19, { ...SUSPECT, state: 'ok', ...ACCEPTED }), on(18), on(17))).toEqual([day(20), day(19)]);
  });

  test('begins where it began also when that backup is gone before older ones are', () => {
    const since = { historySince: '2026-11-18T03:00:00.000Z' };
    expect(ids(on(20, since), on(19, since), on(17), on(10))).toEqual([day(20), day(19)]);
    // of a later time than its own it can not know
    expect(ids(on(20), on(19, { historySince: '2026-11-25T00:00:00Z' }), on(17))).toEqual([day(20), day(19)]);
  });

  test('tells which suspect ones were accepted, also of those that are gone', () => {
    const accepted = on(18, { ...SUSPECT, state: 'ok', ...ACCEPTED });
    const byLimit = on(17, { state: 'ok', suspicion: null, ...ACCEPTED });
    const { backups } = { backups: read(on(20, { accepts: [day(3)] }), on(19, SUSPECT), accepted, byLimit) };
    expect(acceptedIn(backups)).toEqual([day(18), day(3)]);
  });
});

describe('a copy, whose manifest is never written again', () => {
  const states = (copies: Manifest[], onHost: Manifest[]) =>
    asJudgedSince(read(...copies), read(...onHost)).map(({ id, state }) => [id, state]);

  test('is what the host says of it', () => {
    const accepted = { ...SUSPECT, state: 'ok' as const, ...ACCEPTED };
    expect(states([on(20, SUSPECT), on(19)], [on(20, accepted), on(19, SUSPECT)])).toEqual([
      [day(20), 'ok'],
      [day(19), 'suspect'],
    ]);
  });

  test('is what later backups say, where the host does not have it any more', () => {
    expect(states([on(19, SUSPECT), on(18, SUSPECT)], [on(20, { accepts: [day(18)] })])).toEqual([
      [day(19), 'suspect'],
      [day(18), 'ok'],
    ]);
    expect(states([on(20, { accepts: [day(18)] }), on(18, SUSPECT)], [])).toEqual([
      [day(20), 'ok'],
      [day(18), 'ok'],
    ]);
  });
});
