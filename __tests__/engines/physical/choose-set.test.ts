import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Archive, nameOf } from '../../../src/engines/physical/archive.js';
import { chooseSet } from '../../../src/engines/physical/choose-set.js';
import type { BackupSet, SetRepository } from '../../../src/engines/physical/sets.js';
import { BackupError } from '../../../src/errors.js';
import { parseRestoreTime, type RestoreTime } from '../../../src/settings/restore-time.js';
import { repositoryOf, setAt } from './sample-sets.js';
import { archiveOf, historyOf, lsnAt, type Segment } from './sample-wal.js';

const DAY = '2026-11-29T';
const BYTES = 16n << 20n;

/** Segment N is archived N minutes after midnight. */
const wal = (timeline: number, from: number, to: number, minutesLater = 0): Segment[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    ...{ timeline, number: from + index },
    archivedAt: Date.parse(`${DAY}00:00:00Z`) / 1000 + 60 * (from + index + minutesLater),
  }));

/** A set of the minute before a segment was archived, whose WAL it is. */
function setOn(number: number, timeline = 1, minutesLater = 0): BackupSet {
  const stoppedAt = Date.parse(`${DAY}00:00:00Z`) + 60_000 * (number + minutesLater);
  const name = nameOf(timeline, BigInt(number), BYTES);
  const started = new Date(stoppedAt - 60_000).toISOString();
  return setAt(started, { startWal: name, stopWal: name, stopLsn: lsnAt({ number, offset: 100 }) });
}

function timeOf(text: string): RestoreTime {
  const time = parseRestoreTime(text);
  if (time === 'latest') throw new Error('no time');
  return time;
}
const at = (time: string): RestoreTime => timeOf(`${DAY}${time}Z`);

const choose = (repository: SetRepository, archive: Archive, asked: Partial<Parameters<typeof chooseSet>[2]>) =>
  chooseSet(repository, archive, { asked: null, label: null, timeline: null, now: null, ...asked });

function refusal(...[repository, archive, asked]: Parameters<typeof choose>): BackupError {
  try {
    choose(repository, archive, asked);
  } catch (error) {
    if (error instanceof BackupError) return error;
    throw error;
  }
  throw new Error('a set was chosen');
}

describe('a moment', () => {
  const sets = [setOn(60), setOn(120), setOn(180)];
  const [one, two, three] = sets;
  const repository = repositoryOf(sets);
  const archive = archiveOf(wal(1, 50, 240));

  test.each([
    ['01:00:01', one],
    ['01:59:59.999999', one],
    ['02:00:01', two],
    ['02:30:00', two],
    ['03:00:01', three],
    ['04:00:00', three],
  ])('%s is recovered from the newest set that ended before', (time, set) => {
    const text = `2026-11-29 ${time.padEnd(15, time.includes('.') ? '0' : '.000000')}+00`;
    expect(choose(repository, archive, { asked: at(time) })).toEqual({ set, timeline: 1, type: 'time', target: text });
  });

  test('in the second in which a set ended is recovered from the one before: the set may have ended after it', () => {
    for (const time of ['02:00:00', '02:00:00.000001', '02:00:00.999999']) {
      expect(choose(repository, archive, { asked: at(time) }).set).toBe(one);
    }
  });

  test('that is given in another zone is the same', () => {
    const asked = timeOf('2026-11-29T07:30:00+05:00');
    expect(choose(repository, archive, { asked })).toMatchObject({ set: two, target: '2026-11-29 02:30:00.000000+00' });
  });

  test.each(['00:59:59', '01:00:00', '01:00:00.999', '04:00:01'])(
    '%s is outside, which says what is inside',
    (time) => {
      const found = refusal(repository, archive, { asked: at(time) });
      expect(found.code).toBe('E_NOT_FOUND');
      expect(found.message).toBe(`the cluster cannot be recovered to 2026-11-29 ${time.slice(0, 8)} UTC`);
      expect(found.hint).toBe(
        'Choose any moment from 2026-11-29 01:00:01 to 2026-11-29 04:00:00 UTC as `restore-time`, or `latest`.',
      );
    },
  );

  test('after the newest WAL is what a live server can still archive, but not the future', () => {
    const now = at('05:00:00').at;
    for (const time of ['04:00:01', '05:00:00']) {
      expect(choose(repository, archive, { asked: at(time), now }).set).toBe(three);
    }
    expect(refusal(repository, archive, { asked: at('05:00:01'), now }).code).toBe('E_NOT_FOUND');
  });

  test('is recovered from an older set where the newer one is damaged, lacks WAL of its own, or was left out', () => {
    const damaged = sets.map((set) => (set === two ? { ...set, hasErrors: true } : set));
    expect(choose(repositoryOf(damaged), archive, { asked: at('02:30:00') }).set).toBe(one);
    expect(choose(repositoryOf([setOn(60), setOn(180)]), archive, { asked: at('02:30:00') }).set.label).toBe(
      one?.label,
    );
    // its WAL begins in what is missing, so that nobody else gets past it either
    const lacking = archiveOf([...wal(1, 50, 119), ...wal(1, 121, 240)]);
    expect(refusal(repository, lacking, { asked: at('02:30:00') }).code).toBe('E_NOT_FOUND');
  });

  test('of a cluster before an upgrade is outside', () => {
    expect(refusal(repositoryOf(sets, 2), archive, { asked: at('02:30:00') }).hint).toContain('Take a full backup');
  });
});

describe('a gap', () => {
  const repository = repositoryOf([setOn(60), setOn(120)]);
  const archive = archiveOf([...wal(1, 50, 89), ...wal(1, 92, 240)]);

  test('between the set and the moment is in the way', () => {
    expect(choose(repository, archive, { asked: at('01:29:00') }).set.label).toBe(setOn(60).label);
    const { message, hint } = refusal(repository, archive, { asked: at('01:40:00'), now: at('05:00:00').at });
    expect(message).toBe(
      'the cluster cannot be recovered to 2026-11-29 01:40:00 UTC (no recovery from 2026-11-29 01:29:00 to 2026-11-29 02:00:01 UTC: the WAL segment 00000001000000000000005A is missing)',
    );
    expect(hint).toBe(
      'Choose any moment from 2026-11-29 01:00:01 to 2026-11-29 01:29:00 UTC, or from 2026-11-29 02:00:01 to 2026-11-29 04:00:00 UTC as `restore-time`, or `latest`.',
    );
  });

  test('does not matter to a later set', () => {
    expect(choose(repository, archive, { asked: at('02:00:01') }).set.label).toBe(setOn(120).label);
  });

  test('after the last set is not crossed by what a live server adds', () => {
    const asked = { asked: at('03:00:00'), now: at('05:00:00').at };
    expect(choose(repositoryOf([setOn(60)]), archiveOf(wal(1, 50, 100)), asked).type).toBe('time');
    expect(refusal(repositoryOf([setOn(60)]), archive, asked).message).toContain('take a new backup');
  });
});

describe('across timelines', () => {
  // 1 was left in 100; what it had from there to 150 was given up at 03:00, where 2 began
  const old = setOn(60);
  const given = setOn(130);
  const young = setOn(110, 2, 80);
  const repository = repositoryOf([old, given, young]);
  const history = historyOf(2, [{ timeline: 1, number: 100, offset: 5000 }]);
  const archive = archiveOf([...wal(1, 50, 150), ...wal(2, 100, 160, 80)], history);

  test('a set of the one that was left is recovered along the new one', () => {
    expect(choose(repository, archive, { asked: at('03:05:00') })).toMatchObject({ set: old, timeline: 2 });
    expect(choose(repository, archive, { asked: at('03:15:00') })).toMatchObject({ set: young, timeline: 2 });
  });

  test('but none that was made of what was given up', () => {
    expect(choose(repository, archive, { asked: at('02:15:00') }).set).toBe(old);
    expect(choose(repository, archive, { asked: at('02:15:00'), timeline: 1 })).toMatchObject({
      set: given,
      timeline: 1,
    });
  });

  test('latest is of the timeline of the live cluster, or the newest', () => {
    expect(choose(repository, archive, { asked: 'latest' })).toMatchObject({
      set: young,
      timeline: 2,
      type: 'default',
    });
    expect(choose(repository, archive, { asked: 'latest', timeline: 1 })).toMatchObject({ set: given, timeline: 1 });
    expect(choose(repository, archive, {})).toEqual({ set: young, timeline: 2, type: 'default', target: '' });
  });

  test('what was given up after its newest WAL is no way to the present of the new one', () => {
    const begun = archiveOf([...wal(1, 50, 150), ...wal(2, 100, 101, 80)], history);
    const asked = { asked: at('03:30:00'), timeline: 2, now: at('04:00:00').at };
    expect(choose(repositoryOf([old]), begun, asked)).toMatchObject({ set: old, timeline: 2 });
  });

  test('a set that is named is recovered to its own end along its own', () => {
    for (const [set, timeline] of [
      [given, 1],
      [young, 2],
      [old, 1],
    ] as const) {
      expect(choose(repository, archive, { label: set.label })).toEqual({
        set,
        timeline,
        type: 'immediate',
        target: '',
      });
    }
    expect(choose(repository, archive, { label: given.label, timeline: 2 })).toMatchObject({ timeline: 1 });
  });

  test('and to a moment along that of the cluster, when it leads there', () => {
    const to = at('03:30:00');
    expect(choose(repository, archive, { label: old.label, asked: to })).toMatchObject({ set: old, timeline: 2 });
    expect(choose(repository, archive, { label: old.label, asked: 'latest' })).toMatchObject({
      set: old,
      type: 'default',
    });
    expect(refusal(repository, archive, { label: given.label, asked: to }).code).toBe('E_NOT_FOUND');
    expect(refusal(repository, archive, { label: given.label, asked: 'latest' }).code).toBe('E_NOT_FOUND');
  });
});

describe('a set that is named', () => {
  const sets = [setOn(60), setOn(120)];
  const repository = repositoryOf(sets);
  const archive = archiveOf(wal(1, 50, 240));
  const label = sets[1]?.label ?? '';

  test('is not replaced by another one', () => {
    expect(refusal(repository, archive, { label, asked: at('01:30:00') }).code).toBe('E_NOT_FOUND');
    expect(refusal(repository, archive, { label, asked: at('02:00:00.5') }).code).toBe('E_NOT_FOUND');
    expect(choose(repository, archive, { label: sets[0]?.label ?? '', asked: at('03:00:00') }).set).toBe(sets[0]);
  });

  test.each([null, 'latest' as const, at('02:30:00')])(
    'is told when it is gone, or damaged, with restore-time %j',
    (asked) => {
      const damaged = repositoryOf(sets.map((set) => ({ ...set, hasErrors: true })));
      for (const one of [damaged, repositoryOf([])]) {
        const found = refusal(one, archive, { label, asked });
        expect(found).toMatchObject({ code: 'E_NOT_FOUND', message: expect.stringContaining(`no set ${label} that`) });
      }
    },
  );

  test('without its own WAL is lost', () => {
    const { code, message } = refusal(repository, archiveOf(wal(1, 121, 240)), { label });
    expect({ code, message }).toEqual({
      code: 'E_NOT_FOUND',
      message: `the WAL that ${label} itself needs is not in the repository any more, so it cannot be recovered`,
    });
  });

  test('may be of a cluster before an upgrade', () => {
    expect(choose(repositoryOf(sets, 2), archive, { label })).toMatchObject({ set: sets[1], type: 'immediate' });
  });
});

test('without a set there is nothing to recover to', () => {
  for (const asked of [null, 'latest' as const, at('01:00:00')]) {
    const { code, hint } = refusal(repositoryOf([]), archiveOf(wal(1, 50, 240)), { asked });
    expect({ code, hint }).toEqual({ code: 'E_NOT_FOUND', hint: expect.stringContaining('no moment to recover to') });
  }
});

test('for any sets, gaps and moments: never a set that ended later, nor across a gap, and the newest that is left', () => {
  let chosen = 0;
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 50, max: 110 }), { maxLength: 5 }),
      fc.uniqueArray(fc.integer({ min: 50, max: 120 }), { maxLength: 3 }),
      fc.integer({ min: 40 * 60_000, max: 125 * 60_000 }),
      (numbers, missing, after) => {
        const sets = numbers.toSorted((a, b) => a - b).map((number) => setOn(number));
        const archive = archiveOf(wal(1, 50, 120).filter(({ number }) => !missing.includes(number)));
        const asked = timeOf(new Date(Date.parse(`${DAY}00:00:00Z`) + after).toISOString());
        const there = (number: number) => number >= 50 && number <= 120 && !missing.includes(number);
        // segment N has what was committed in the minute before it was archived
        const needed = Math.ceil(after / 60_000);
        const expected = sets.findLast((set, index) => {
          const first = numbers.toSorted((a, b) => a - b)[index] ?? 0;
          if (set.stoppedAt.getTime() + 1000 > asked.at.getTime()) return false;
          return Array.from({ length: needed - first + 1 }, (_, step) => first + step).every(there);
        });
        let found: BackupSet | null = null;
        try {
          found = choose(repositoryOf(sets), archive, { asked }).set;
          chosen++;
        } catch (error) {
          expect(error).toMatchObject({ code: 'E_NOT_FOUND' });
        }
        // the end of the last segment before a gap is the last moment that can be told
        if (found !== null) expect(found.label).toBe(expected?.label);
        else if (expected !== undefined) throw new Error(`nothing was chosen, but ${expected.label} leads there`);
      },
    ),
    { numRuns: 200 },
  );
  expect(chosen).toBeGreaterThan(5);
});
