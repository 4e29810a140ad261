import { describe, expect, test } from '@jest/globals';
import { type Backup, readCatalogue } from '../../src/backups/catalogue.js';
import type { Limit, Manifest, Suspicion } from '../../src/backups/manifest.js';
import { answersAlarm, standingOfNew } from '../../src/making/alarm.js';
import { idAt, listingOf, manifestOf, PATH } from '../backups/sample-backups.js';
import { runForTests } from '../places/run-for-tests.js';
import type { Given } from '../settings/given-inputs.js';

// Whether a new backup is suspect, until when an alarm holds, and who takes it back.

const NOW = new Date('2026-03-20T12:00:00Z');
const id = (day: number): string => idAt(`2026-03-${String(day).padStart(2, '0')}T10:00:00Z`);
const MB = 1_000_000;
/** Of that day of March, with a database of so many MB. */
const sized = (day: number, mb: number, change: Partial<Manifest> = {}): Manifest =>
  manifestOf(id(day), { databaseBytes: mb * MB, bytes: (mb * MB) / 4, ...change });
const suspect = (limit: Limit = 'shrink-limit'): Partial<Manifest> => ({
  ...{ state: 'suspect', suspicion: { limit, why: 'it changed' } },
});
const ACCEPTED: Partial<Manifest> = {
  ...suspect(),
  ...{ state: 'ok', accepted: { by: 'command: accept', at: '2026-03-10T10:00:00Z' } },
};
const ROWS: Suspicion = { limit: 'row-loss-limit', why: 'rows were lost' };

const run = (inputs: Given) => runForTests({ command: 'backup', ...inputs }, NOW);
const catalogueOf = (manifests: readonly Manifest[]): Backup[] =>
  readCatalogue(listingOf(manifests), { name: 'app', identity: { path: PATH } }, NOW).backups;

async function standing(known: Manifest[], mb: number, inputs: Given, ofRows: Suspicion | null = null) {
  return standingOfNew(await run(inputs), sized(19, mb), catalogueOf(known), ofRows);
}

const LARGE = [sized(1, 100), sized(2, 100), sized(3, 100)];

test.each<[string, Manifest[], number, Given, string]>([
  ['the first of all', [], 1, {}, 'good'],
  ['one like the others', LARGE, 90, {}, 'good'],
  ['half of the others', LARGE, 49, {}, 'shrink-limit'],
  ['just not half', LARGE, 51, {}, 'good'],
  ['by another limit', LARGE, 80, { 'shrink-limit': '90%' }, 'shrink-limit'],
  ['twice as large, which is not limited', LARGE, 250, {}, 'good'],
  ['twice as large, which is', LARGE, 250, { 'growth-limit': '100%' }, 'growth-limit'],
  [
    'the size of suspect ones, which do not count',
    [...LARGE, sized(4, 1, suspect()), sized(5, 1, suspect())],
    1,
    {},
    'shrink-limit',
  ],
  [
    'the size of safety backups, which do not count',
    [sized(1, 1), ...[2, 3, 4].map((day) => sized(day, 100, { reason: 'safety' }))],
    1,
    {},
    'good',
  ],
  ['the size of one that was accepted', [...LARGE, sized(4, 1, ACCEPTED)], 1, {}, 'good'],
  ['less than one that was accepted', [...LARGE, sized(4, 10, ACCEPTED)], 1, {}, 'shrink-limit'],
  ['where the limit is switched off', LARGE, 1, { 'shrink-limit': 'none' }, 'good'],
])('%s', async (_, known, mb, inputs, expected) => {
  const { state = 'good', suspicion } = await standing(known, mb, inputs);
  expect(suspicion?.limit ?? state).toBe(expected);
  expect(state).toBe(expected === 'good' ? 'good' : 'suspect');
});

test('rows that were lost make it suspect; a size that is wrong is told before that', async () => {
  expect(await standing(LARGE, 100, {}, ROWS)).toEqual({ state: 'suspect', suspicion: ROWS });
  expect((await standing(LARGE, 1, {}, ROWS)).suspicion?.limit).toBe('shrink-limit');
});

describe('who switches a limit off says that the change is right', () => {
  const alarmed = (limit: Limit) => [...LARGE, sized(4, 1, suspect(limit))];
  test.each<[string, Manifest[], Given, string | null]>([
    ['shrink-limit, with an alarm', alarmed('shrink-limit'), { 'shrink-limit': 'none' }, 'shrink-limit: none'],
    ['shrink-limit, without', LARGE, { 'shrink-limit': 'none' }, 'shrink-limit: none'],
    [
      'growth-limit, which is off by default, with an alarm about it',
      alarmed('growth-limit'),
      {},
      'growth-limit: none',
    ],
    ['growth-limit, without', LARGE, {}, null],
    ['growth-limit, with an alarm about something else', alarmed('shrink-limit'), {}, null],
    [
      'row-loss-limit, with an alarm about it',
      alarmed('row-loss-limit'),
      { 'row-loss-limit': 'none' },
      'row-loss-limit: none',
    ],
    ['row-loss-limit, without', LARGE, { 'row-loss-limit': 'none' }, null],
  ])('%s', async (_, known, inputs, by) => {
    expect((await standing(known, 100, inputs)).accepted?.by ?? null).toBe(by);
  });

  test.each<[string, Manifest[], Given, boolean]>([
    ['an alarm about it', alarmed('shrink-limit'), { 'shrink-limit': 'none' }, true],
    ['an alarm about something else', alarmed('row-loss-limit'), { 'shrink-limit': 'none' }, false],
    ['no alarm', LARGE, { 'shrink-limit': 'none' }, false],
    [
      'two alarms, of which it is one',
      [...alarmed('shrink-limit'), sized(5, 1, suspect('row-loss-limit'))],
      { 'shrink-limit': 'none' },
      false,
    ],
    [
      'an alarm before a good one, which is none any more',
      [...alarmed('shrink-limit'), sized(5, 100)],
      { 'shrink-limit': 'none' },
      false,
    ],
  ])('and answers %s', async (_, known, inputs, expected) => {
    expect(answersAlarm(await run(inputs), catalogueOf(known))).toBe(expected);
  });
});

test('what was accepted is carried on, with when the history began', async () => {
  const known = [...LARGE, sized(4, 50, ACCEPTED)];
  expect(await standing(known, 50, {})).toEqual({
    historySince: catalogueOf(known)[0]?.createdAt.toISOString(),
    accepts: [id(4)],
  });
});
