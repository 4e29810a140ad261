/** The twelve cases that retention must get right, each compared in full with golden/*.json; what decides is also said here. */
import { expect, test } from '@jest/globals';
import { type Catalogue, type Listing, readCatalogue, toCandidates } from '../../src/backups/catalogue.js';
import { type Candidate, type KeepRules, planRetention, type RetentionPolicy } from '../../src/backups/retention.js';
import { expectGolden } from './golden-file.js';
import {
  altered,
  candidateAt,
  idAt,
  keptIds,
  lines,
  listingOf,
  manifestOf,
  PATH,
  timesBack,
  without,
} from './sample-backups.js';

const NOW = new Date('2026-11-20T12:00:00Z');
const DAY = 86_400_000;

function policy(rules: KeepRules, change: Partial<RetentionPolicy> = {}): RetentionPolicy {
  return { rules, keepMinimum: 1, maxDelete: null, ...change };
}

/** `count` nightly backups at 03:00, going back from that day. */
function nightly(newest: string, count: number): Candidate[] {
  return timesBack(`${newest}T03:00:00Z`, count, 24).map((time) => candidateAt(time));
}

function days(...list: string[]): string[] {
  return list.map((day) => idAt(`2026-${day}T03:00:00Z`));
}

function catalogueLines({ backups, orphans, problems }: Catalogue) {
  return {
    backups: backups.map(({ id, state, detail, files }) => ({ id, state, detail, files })),
    orphans: orphans.map(({ id, sweepable, files }) => ({ id, sweepable, files })),
    problems: problems.map(({ message }) => message),
  };
}

function nightlyListing(count: number): Listing {
  return listingOf(nightly('2026-11-20', count).map(({ id }) => manifestOf(id)));
}

test('1: daily for a month', () => {
  const plan = planRetention(nightly('2026-11-20', 30), policy({ daily: 7, weekly: 4 }, { maxDelete: 21 }), NOW);
  // Weeks end on Sunday: 15 (also a daily one), 8 and 1 November; 20 November is the newest of the running week.
  expect(keptIds(plan)).toEqual(days('11-20', '11-19', '11-18', '11-17', '11-16', '11-15', '11-14', '11-08', '11-01'));
  expect(plan.refusal).toBeNull();
  expectGolden('01-daily-for-a-month', lines(plan));
});

test('2: a gap of 60 days, then one', () => {
  const old = nightly('2026-09-21', 10);
  const rules = policy({ within: 7 * DAY, daily: 5 });
  const before = planRetention(old, rules, NOW);
  const after = planRetention([...old, candidateAt('2026-11-20T03:00:00Z')], rules, NOW);
  // The pause itself deletes nothing: `within` runs from the newest. 14 September, 03:00 is exactly 7 days before it.
  expect(keptIds(before)).toEqual(days('09-21', '09-20', '09-19', '09-18', '09-17', '09-16', '09-15', '09-14'));
  // After it the empty days use up no count.
  expect(keptIds(after)).toEqual(days('11-20', '09-21', '09-20', '09-19', '09-18'));
  expectGolden('02-gap-of-60-days', { before: lines(before), after: lines(after) });
});

test('3: failures after good ones', () => {
  const failures = [
    candidateAt('2026-11-20T03:00:00Z', { verified: false, why: 'damaged: the payload is missing' }),
    candidateAt('2026-11-19T03:00:00Z', { verified: false, why: 'not verified' }),
    candidateAt('2026-11-18T03:00:00Z', { verified: false }),
  ];
  const all = [...failures, ...nightly('2026-11-17', 10)];
  const ten = planRetention(all, policy({ last: 10 }), NOW);
  const three = planRetention(all, policy({ last: 3, weekly: 1 }), NOW);
  expect(keptIds(ten)).toHaveLength(13);
  // Week 47 belongs to the 17th, the newest good one, not to a failure.
  expect(keptIds(three)).toEqual(days('11-20', '11-19', '11-18', '11-17', '11-16', '11-15'));
  expectGolden('03-failures-after-good-ones', { ten: lines(ten), three: lines(three) });
});

test('4: ten runs in an hour', () => {
  const burst = timesBack('2026-11-20T10:54:00Z', 10, 0.1).map((time) => candidateAt(time));
  const plan = planRetention([...nightly('2026-11-19', 6), ...burst], policy({ last: 3, daily: 7 }), NOW);
  expect(keptIds(plan)).toEqual([
    ...['10:54', '10:48', '10:42'].map((time) => idAt(`2026-11-20T${time}:00Z`)),
    ...days('11-19', '11-18', '11-17', '11-16', '11-15', '11-14'),
  ]);
  expectGolden('04-ten-runs-in-an-hour', lines(plan));
});

test('5: the newest has zero bytes', () => {
  const newest = manifestOf(idAt('2026-11-20T03:00:00Z'));
  const listing = altered(nightlyListing(4), newest.file, { bytes: 0 });
  const catalogue = readCatalogue(listing, { name: 'app', identity: { path: PATH } }, NOW);
  const plan = planRetention(toCandidates(catalogue.backups), policy({ last: 2 }), NOW);
  expect(catalogue.backups.map(({ state }) => state)).toEqual(['damaged', 'ok', 'ok', 'ok']);
  expect(keptIds(plan)).toEqual(days('11-20', '11-19', '11-18'));
  expectGolden('05-zero-bytes-newest', { ...catalogueLines(catalogue), ...lines(plan) });
});

test('6: names with a shared prefix', () => {
  const names = ['app', 'app-staging', 'app_2', 'app-20261120T030000Z-0001'];
  const manifests = names.flatMap((name, index) =>
    timesBack(`2026-11-20T03:0${index}:00Z`, 3, 24).map((time) =>
      manifestOf(idAt(time, name), { identity: { path: `/srv/${name}.db` } }),
    ),
  );
  const listing = listingOf(manifests);
  const plans = names.map((name) => {
    const catalogue = readCatalogue(listing, { name, identity: { path: `/srv/${name}.db` } }, NOW);
    expect(catalogue.problems).toEqual([]);
    const plan = planRetention(toCandidates(catalogue.backups), policy({ last: 1 }), NOW);
    expect(plan.decisions).toHaveLength(3);
    expect(plan.decisions.every(({ id }) => id.replace(/-[^-]+-[^-]+$/, '') === name)).toBe(true);
    expect(keptIds(plan)).toEqual([idAt(`2026-11-20T03:0${names.indexOf(name)}:00Z`, name)]);
    return lines(plan);
  });
  expectGolden('06-shared-prefix', plans);
});

test('7: nights of clock changes, and week 53', () => {
  // Europe went back an hour at 01:00 UTC; nothing of it shows in UTC.
  const night = timesBack('2026-10-25T04:30:00Z', 13, 0.5).map((time) => candidateAt(time));
  const clocks = planRetention(night, policy({ hourly: 5, daily: 2 }), NOW);
  expect(keptIds(clocks)).toEqual(
    ['25T04:30', '25T03:30', '25T02:30', '25T01:30', '25T00:30', '24T23:30'].map((time) => idAt(`2026-10-${time}:00Z`)),
  );
  const turn = [
    '2027-01-04T00:30:00Z',
    '2027-01-03T23:30:00Z',
    '2027-01-01T00:00:00Z',
    '2026-12-31T23:59:59Z',
    '2026-12-28T00:00:00Z',
    '2026-12-27T23:59:59Z',
    '2026-12-20T12:00:00Z',
  ];
  const weeks = planRetention(
    turn.map((time) => candidateAt(time)),
    policy({ weekly: 3, yearly: 2 }),
    new Date('2027-01-04T01:00:00Z'),
  );
  // 2027-W01, 2026-W53 (into January), 2026-W52; the year 2026 ends on 31 December all the same.
  expect(keptIds(weeks)).toEqual([turn[0], turn[1], turn[3], turn[5]].map((time) => idAt(time ?? '')));
  expectGolden('07-clock-changes-and-week-53', { clocks: lines(clocks), weeks: lines(weeks) });
});

test('8: a date in the future', () => {
  const plan = planRetention(
    [
      candidateAt('2026-12-24T03:00:00Z'),
      candidateAt('2026-11-20T12:15:01Z'),
      candidateAt('2026-11-20T12:15:00Z'),
      ...nightly('2026-11-20', 4),
    ],
    policy({ last: 2, within: 8 * 3_600_000 }),
    NOW,
  );
  // Neither future one is the newest that `within` runs from; 15 minutes ahead is a clock that differs.
  expect(keptIds(plan)).toEqual([
    idAt('2026-12-24T03:00:00Z'),
    idAt('2026-11-20T12:15:01Z'),
    idAt('2026-11-20T12:15:00Z'),
    idAt('2026-11-20T03:00:00Z'),
  ]);
  expectGolden('08-a-date-in-the-future', lines(plan));
});

test('9: the oldest is pinned', () => {
  const flags: Partial<Candidate>[] = [
    { safety: true },
    { pinned: 'audit', safety: true },
    {},
    {},
    {},
    { pinned: 'move' },
  ];
  const plan = planRetention(
    nightly('2026-11-20', 6).map((candidate, index) => ({ ...candidate, ...flags[index] })),
    policy({ last: 2 }),
    NOW,
  );
  // The two safety backups and the pinned one use none of the two.
  expect(keptIds(plan)).toEqual(days('11-20', '11-19', '11-18', '11-17', '11-15'));
  expectGolden('09-pinned-oldest', lines(plan));
});

test('10: sidecars without payload, and the reverse', () => {
  const at = (time: string) => manifestOf(idAt(`2026-11-${time}:00Z`));
  const [alone, noPayload, noChecksum] = [at('20T03:00'), at('20T02:00'), at('20T01:00')];
  // Orphans around the age of a day, which is 12:00 of the 19th.
  const [fresh, bare, checksumOnly] = [at('19T12:00'), at('19T11:59'), at('18T03:00')];
  const sound = at('17T03:00');
  let listing = listingOf([alone, noPayload, noChecksum, fresh, bare, checksumOnly, sound]);
  const gone = [
    alone.file,
    `${alone.file}.sha256`,
    noPayload.file,
    `${noChecksum.file}.sha256`,
    `${bare.id}.json`,
    `${bare.file}.sha256`,
    `${checksumOnly.id}.json`,
    checksumOnly.file,
    `${fresh.id}.json`,
  ];
  for (const name of gone) listing = without(listing, name);
  const catalogue = readCatalogue(listing, { name: 'app', identity: { path: PATH } }, NOW);
  const plan = planRetention(toCandidates(catalogue.backups), policy({ last: 1 }), NOW);
  expect(catalogue.backups.map(({ id, state }) => [id, state])).toEqual([
    [alone.id, 'damaged'],
    [noPayload.id, 'damaged'],
    [noChecksum.id, 'ok'],
    [sound.id, 'ok'],
  ]);
  expect(catalogue.orphans.map(({ id, sweepable }) => [id, sweepable])).toEqual([
    [fresh.id, false],
    [bare.id, false],
    [checksumOnly.id, true],
  ]);
  expect(keptIds(plan)).toEqual([alone.id, noPayload.id, noChecksum.id]);
  expectGolden('10-sidecars', { ...catalogueLines(catalogue), ...lines(plan) });
});

test('11: foreign files', () => {
  const listing = nightlyListing(3);
  const other = manifestOf(idAt('2026-11-01T03:00:00Z'), { identity: { path: '/srv/other/app.db' } });
  const broken = manifestOf(idAt('2026-11-02T03:00:00Z'));
  const linked = manifestOf(idAt('2026-11-03T03:00:00Z'));
  const more = listingOf([other, broken, linked]);
  listing.files.push(...altered(more, `${linked.id}.json`, { type: 'l' }).files);
  for (const [name, text] of more.manifests) listing.manifests.set(name, text);
  listing.manifests.set(`${broken.id}.json`, '{"id": "app", "bytes": ');
  for (const name of [
    'notes.txt',
    'app.db',
    'app-latest.json',
    'app-20261001T030000Z-0001.sqlite.zst.bak',
    'app-20261340T030000Z-0001.sqlite.zst',
    'APP-20261001T030000Z-0001.sqlite.zst',
    'status.json',
    '.work',
  ]) {
    listing.files.push({ name, type: name === '.work' ? 'd' : '-', bytes: 1 });
  }
  listing.files.push({ name: 'app-20261002T030000Z-0001.sqlite', type: 'd', bytes: 4096 });
  const catalogue = readCatalogue(listing, { name: 'app', identity: { path: PATH } }, NOW);
  const plan = planRetention(toCandidates(catalogue.backups), policy({ last: 1 }), NOW);
  expect(keptIds(plan)).toEqual(days('11-20'));
  expect(plan.decisions.map(({ id }) => id)).toEqual(days('11-20', '11-19', '11-18'));
  expect(catalogue.orphans).toEqual([]);
  expectGolden('11-foreign-files', { ...catalogueLines(catalogue), ...lines(plan) });
});

test('12: a policy that empties the set', () => {
  const all = nightly('2026-11-20', 4);
  const none = planRetention(all, policy({}), NOW);
  const zero = planRetention(all, policy({ last: 0 }), NOW);
  const below = planRetention(all, policy({ last: 2 }, { keepMinimum: 3 }), NOW);
  const many = planRetention(nightly('2026-11-20', 40), policy({ last: 1 }, { keepMinimum: 2 }), NOW);
  expect(keptIds(none)).toEqual([]);
  expect(none.refusal).toBe('keep: no rule is set, so 4 of 4 backups would be deleted');
  expect(keptIds(zero)).toEqual([]);
  expect(zero.refusal).toBe(
    'keep: rules must be whole numbers of 1 or more, got last=0; ' +
      'keep: no verified backup would remain of 4, not counting pinned and safety backups',
  );
  expect(below.refusal).toBe(
    'keep-minimum: 3 verified backups must remain, but the rules leave 2 of 4, not counting pinned and safety backups',
  );
  expect(many.refusal).toBe(
    'keep-minimum: 2 verified backups must remain, but the rules leave 1 of 40, not counting pinned and safety backups; ' +
      'max-delete: at most 20 deletions allowed, but the plan deletes 39 of 40 backups',
  );
  expectGolden('12-emptying-policy', { none: lines(none), zero: lines(zero), below: lines(below) });
});
