import { expect, test } from '@jest/globals';
import type { BackupSet } from '../../../src/engines/physical/sets.js';
import { chooseType } from '../../../src/engines/physical/type.js';
import { labelAt, repositoryOf, setAt } from './sample-sets.js';

const DAY = 86_400_000;
const FULL = setAt('2026-11-22T03:00:00Z');
const INCR: BackupSet = setAt('2026-11-28T03:00:00Z', {
  ...{ label: labelAt('2026-11-28T03:00:00Z', 'incr', FULL.label), type: 'incr', prior: FULL.label },
});
const repository = repositoryOf([FULL, INCR]);
const at = (time: string) => new Date(time);
const auto = { backupType: 'auto', fullEveryMs: 7 * DAY } as const;

test.each([
  ['2026-11-29T02:59:59Z', 'incr', 'the last full backup is young enough'],
  ['2026-11-29T03:00:00Z', 'full', 'the last full backup is older than full-every'],
  ['2026-12-29T03:00:00Z', 'full', 'the last full backup is older than full-every'],
  // a clock that was set back
  ['2026-11-21T03:00:00Z', 'incr', 'the last full backup is young enough'],
])('auto at %s is %s', (now, type, why) => {
  expect(chooseType(auto, repository, at(now))).toEqual({ type, why });
});

test('the age is that of the newest full one, counted from when it began', () => {
  const newer = setAt('2026-11-25T03:00:00Z', { stoppedAt: at('2026-11-25T09:00:00Z') });
  const two = repositoryOf([FULL, newer, INCR]);
  expect(chooseType(auto, two, at('2026-12-02T02:59:59Z')).type).toBe('incr');
  expect(chooseType(auto, two, at('2026-12-02T03:00:00Z')).type).toBe('full');
});

test.each(['full', 'diff', 'incr'] as const)('%s is what is asked for, whatever the age', (backupType) => {
  expect(chooseType({ ...auto, backupType }, repository, at('2027-11-29T03:00:00Z'))).toEqual({
    ...{ type: backupType, why: 'asked for' },
  });
});

test.each(['auto', 'full', 'diff', 'incr'] as const)('%s is full where there is none of this cluster', (backupType) => {
  for (const none of [null, repositoryOf([]), repositoryOf([], 0), repositoryOf([FULL, INCR], 2)]) {
    expect(chooseType({ ...auto, backupType }, none, at('2026-11-23T03:00:00Z'))).toEqual({
      ...{ type: 'full', why: 'there is no full backup of this cluster' },
    });
  }
});

test('auto builds on no full one that has damaged pages', () => {
  const damaged = repositoryOf([setAt('2026-11-21T03:00:00Z'), { ...FULL, hasErrors: true }]);
  expect(chooseType(auto, damaged, at('2026-11-23T03:00:00Z'))).toEqual({
    ...{ type: 'full', why: 'the last full backup has damaged pages' },
  });
});
