import { describe, expect, test } from '@jest/globals';
import { chooseSet } from '../../../src/engines/physical/choose-set.js';
import { parseRestoreTime } from '../../../src/settings/restore-time.js';
import { archiveOf, at, repositoryOf, SEGMENT_BYTES, segment, setAt, wal } from './sample.js';
import { failureOf } from './thrown.js';

const [OLD, NEW] = [setAt(3, 4), setAt(12, 13)];
const REPOSITORY = repositoryOf(OLD, NEW);
const WHOLE = archiveOf([wal(1, 20)]);
const NOTHING = { asked: null, label: null, timeline: 1, now: null };

/** A moment as an input has it, to the microsecond. */
function moment(second: number, micros = '000000') {
  const read = parseRestoreTime(at(second).toISOString().replace('.000Z', `.${micros}Z`));
  if (read === 'latest') throw new Error('not a time');
  return read;
}

test('the newest set that ended before the moment', () => {
  expect(chooseSet(REPOSITORY, WHOLE, { ...NOTHING, asked: moment(120, '000001') })).toEqual({
    ...{ set: OLD, timeline: 1, type: 'time', target: '2026-11-01 03:02:00.000001+00' },
    past: OLD.stopLsn - 1n,
  });
  expect(chooseSet(REPOSITORY, WHOLE, { ...NOTHING, asked: moment(150) }).set).toBe(NEW);
});

test('a set that ended in the second of the moment is not chosen: its end may come after it', () => {
  // pgBackRest cuts its times to seconds; a set recovered to a moment before its end stops at its end, and nothing says so
  const ended = NEW.stoppedAt.getTime() / 1000 - at(0).getTime() / 1000;
  for (const micros of ['000000', '518580', '999999']) {
    expect(chooseSet(REPOSITORY, WHOLE, { ...NOTHING, asked: moment(ended, micros) }).set).toBe(OLD);
  }
  expect(chooseSet(REPOSITORY, WHOLE, { ...NOTHING, asked: moment(ended + 1) }).set).toBe(NEW);
});

describe('outside the window', () => {
  test.each([
    ['before all sets', moment(30)],
    ['in the second of the end of the first', moment(35, '999999')],
    ['after the newest WAL', moment(201)],
  ])('%s is refused, with the window', (_, asked) => {
    const { code, hint } = failureOf(() => chooseSet(REPOSITORY, WHOLE, { ...NOTHING, asked }));
    expect(code).toBe('E_NOT_FOUND');
    expect(hint).toContain('from 2026-11-01 03:00:36 to 2026-11-01 03:03:20 UTC');
  });

  test('but a live server can add what it has committed since', () => {
    const asked = moment(250);
    expect(chooseSet(REPOSITORY, WHOLE, { ...NOTHING, asked, now: at(260) }).set).toBe(NEW);
    expect(failureOf(() => chooseSet(REPOSITORY, WHOLE, { ...NOTHING, asked, now: at(249) })).code).toBe('E_NOT_FOUND');
  });

  test('not where a segment is missing, which is named', () => {
    const torn = archiveOf([wal(1, 8), wal(10, 20)]);
    const { message } = failureOf(() => chooseSet(REPOSITORY, torn, { ...NOTHING, asked: moment(95), now: at(999) }));
    expect(message).toContain(segment(9));
    expect(chooseSet(REPOSITORY, torn, { ...NOTHING, asked: moment(80) }).set).toBe(OLD);
    expect(chooseSet(REPOSITORY, torn, { ...NOTHING, asked: moment(140) }).set).toBe(NEW);
  });

  test('with no WAL there is no moment', () => {
    const { hint } = failureOf(() => chooseSet(REPOSITORY, archiveOf([]), { ...NOTHING, asked: 'latest' }));
    expect(hint).toContain('there is no moment to recover to');
  });
});

test('latest: as far as the WAL goes', () => {
  expect(chooseSet(REPOSITORY, WHOLE, { ...NOTHING, asked: 'latest' })).toEqual({
    set: NEW,
    timeline: 1,
    type: 'default',
    target: '',
    past: 20n * SEGMENT_BYTES,
  });
});

test('a moment is recovered along the timeline that was live then', () => {
  const archive = archiveOf(
    [wal(1, 14), wal(15, 30, 2).replaceAll(segment(15, 2), segment(10, 2))],
    ['15-1 00000002 1 0/A000028'],
  );
  const on = (second: number) =>
    chooseSet(repositoryOf(OLD), archive, { ...NOTHING, timeline: 2, asked: moment(second), now: at(999) });
  // after the place at which the second one began, and before the restore that began it
  expect(on(120)).toMatchObject({ set: OLD, timeline: 1, type: 'time' });
  expect(on(140)).toMatchObject({ timeline: 1 });
  expect(on(146)).toMatchObject({ timeline: 2 });
  expect(on(998)).toMatchObject({ timeline: 2 });
  const { message } = failureOf(() => on(143));
  expect(message).toContain('no recovery from 2026-11-01 03:02:20 to 2026-11-01 03:02:26 UTC');
});

test('where a recovery has to come past', () => {
  const past = (asked: 'latest' | null, label: string | null) =>
    chooseSet(REPOSITORY, WHOLE, { ...NOTHING, asked, label }).past;
  expect(past('latest', null)).toBe(20n * SEGMENT_BYTES);
  expect(past(null, OLD.label)).toBe(OLD.stopLsn - 1n);
  expect(chooseSet(REPOSITORY, WHOLE, { ...NOTHING, asked: moment(150) }).past).toBe(NEW.stopLsn - 1n);
});

test('a set of the cluster before an upgrade is refused', () => {
  const repository = {
    ...repositoryOf(OLD, setAt(12, 13, { clusterId: 2 })),
    clusters: [
      { id: 1, systemId: '7713656104600181068', version: '14', archive: '14-1' },
      { id: 2, systemId: '7713656104600181069', version: '15', archive: '15-2' },
    ],
  };
  for (const asked of [null, moment(50)]) {
    const { code, message } = failureOf(() => chooseSet(repository, WHOLE, { ...NOTHING, asked, label: OLD.label }));
    expect([code, message]).toEqual([
      'E_NOT_FOUND',
      expect.stringMatching(/before its upgrade \(PostgreSQL 14\).*\(PostgreSQL 15\)/),
    ]);
  }
});

describe('a set by its label', () => {
  test('alone is recovered to its end, on its own timeline', () => {
    const chosen = chooseSet(REPOSITORY, WHOLE, { ...NOTHING, label: OLD.label, timeline: 2 });
    expect(chosen).toEqual({ set: OLD, timeline: 1, type: 'immediate', target: '', past: OLD.stopLsn - 1n });
  });

  test('with a moment it is that set, or none', () => {
    expect(chooseSet(REPOSITORY, WHOLE, { ...NOTHING, label: OLD.label, asked: moment(150) }).set).toBe(OLD);
    const { code, message, hint } = failureOf(() =>
      chooseSet(REPOSITORY, WHOLE, { ...NOTHING, label: NEW.label, asked: moment(100) }),
    );
    expect([code, message]).toEqual([
      'E_NOT_FOUND',
      expect.stringContaining('it ended only at 2026-11-01 03:02:06 UTC'),
    ]);
    expect(hint).toContain('Leave out `backup`');
  });

  test('that is not there, or not whole, is refused', () => {
    const absent = failureOf(() => chooseSet(REPOSITORY, WHOLE, { ...NOTHING, label: '20260101-000000F' }));
    expect([absent.code, absent.message]).toEqual(['E_NOT_FOUND', expect.stringContaining('20260101-000000F')]);
    const torn = failureOf(() => chooseSet(REPOSITORY, archiveOf([wal(1, 3)]), { ...NOTHING, label: OLD.label }));
    expect(torn.message).toContain('the WAL that 20261101-030030F itself needs');
  });
});

test('a timeline that was given up is not taken', () => {
  const stray = setAt(14, 15, { startWal: segment(14, 2), stopWal: segment(15, 2) });
  const archive = archiveOf([wal(1, 20), wal(13, 16, 2)], [`15-1 00000002 1 0/D000028`]);
  const repository = repositoryOf(OLD, NEW, stray);
  expect(chooseSet(repository, archive, { ...NOTHING, asked: moment(180) })).toMatchObject({ set: NEW, timeline: 1 });
  expect(chooseSet(repository, archive, { ...NOTHING, asked: moment(155), timeline: 2 })).toMatchObject({
    set: stray,
    timeline: 2,
  });
});
