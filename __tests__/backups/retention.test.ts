import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type Candidate,
  type KeepRules,
  planRetention,
  type RetentionPlan,
  type RetentionPolicy,
} from '../../src/backups/retention.js';
import { candidateAt, idAt, keptIds, timesBack } from './sample-backups.js';

const NOW = new Date('2026-11-20T12:00:00Z');
const HOUR = 3_600_000;

function policy(rules: KeepRules, change: Partial<RetentionPolicy> = {}): RetentionPolicy {
  return { rules, keepMinimum: 1, maxDelete: null, ...change };
}

function nightly(count: number): Candidate[] {
  return timesBack('2026-11-20T03:00:00Z', count, 24).map((time) => candidateAt(time));
}

function reasonsOf(candidates: Candidate[], rules: KeepRules): string[][] {
  return planRetention(candidates, policy(rules), NOW).decisions.map(({ reasons }) => reasons);
}

describe('reasons', () => {
  test('every rule that keeps a backup is named', () => {
    const rules = { last: 1, within: 26 * HOUR, hourly: 1, daily: 1, weekly: 1, monthly: 1, yearly: 1 };
    expect(reasonsOf(nightly(3), rules)).toEqual([
      [
        'last 1 of 1',
        'within 26h of the newest',
        'hourly 2026-11-20T03',
        'daily 2026-11-20',
        'weekly 2026-W47',
        'monthly 2026-11',
        'yearly 2026',
      ],
      ['within 26h of the newest'],
      ['no rule keeps it'],
    ]);
  });

  test.each([
    [7 * 24 * HOUR, '7d'],
    [26 * HOUR, '26h'],
    [90 * 60_000, '90m'],
    [61_000, '61s'],
    [1, '1ms'],
  ])('within %d ms is shown as %s', (within, shown) => {
    expect(reasonsOf(nightly(1), { within })).toEqual([[`within ${shown} of the newest`]]);
  });

  test('all that puts a backup outside is named, once', () => {
    const flags = { pinned: 'audit', safety: true, verified: false, why: 'dated in the future' };
    expect(reasonsOf([candidateAt('2026-12-24T03:00:00Z', flags)], { last: 1 })).toEqual([
      ['pinned: audit', 'safety backup', 'dated in the future'],
    ]);
  });
});

describe('the rules under which a backup was made', () => {
  const made = (madeUnder: KeepRules) => (candidate: Candidate) => ({ ...candidate, madeUnder });
  const night = nightly(14).map(made({ last: 14 }));
  const deploy = candidateAt('2026-11-20T10:00:00Z', { madeUnder: { last: 5 } });

  test('keep it too, over all backups, so that two workflows do not delete each other’s', () => {
    const { decisions } = planRetention([deploy, ...night], policy({ last: 5 }), NOW);
    expect(decisions.filter(({ keep }) => !keep).map(({ id }) => id)).toEqual([night[13]?.id]);
    expect(decisions[4]?.reasons).toEqual(['last 5 of 5']);
    expect(decisions[5]?.reasons).toEqual(['last 6 of 14, by the rules it was made under']);
    // those of the deploys are not kept by the rules of the nights
    const deploys = timesBack('2026-11-20T10:00:00Z', 10, 1).map((time) =>
      candidateAt(time, { madeUnder: { last: 2 } }, '0002'),
    );
    expect(keptIds(planRetention([...deploys, ...night], policy({ daily: 3 }), NOW))).toHaveLength(2 + 4);
  });

  test('do not count with keep-made-under: false, nor where they are not known', () => {
    const alone = policy({ last: 5 }, { madeUnder: false });
    expect(keptIds(planRetention([deploy, ...night], alone, NOW))).toHaveLength(5);
    expect(keptIds(planRetention([deploy, ...nightly(14)], policy({ last: 5 }), NOW))).toHaveLength(5);
  });

  test('apply within the series', () => {
    const partial = nightly(3).map((one) => ({ ...one, partial: 'without "logs"', madeUnder: { last: 2 } }));
    expect(planRetention(partial, policy({ last: 1 }), NOW).decisions.map(({ reasons }) => reasons)).toEqual([
      ['last 1 of 1, among those without "logs"'],
      ['last 2 of 2, by the rules it was made under, among those without "logs"'],
      ['no rule keeps it'],
    ]);
  });

  test('of more kinds than anybody has keep all', () => {
    const all = nightly(60).map((one, at) => ({ ...one, madeUnder: { yearly: at + 1 } }));
    const { decisions } = planRetention(all, policy({ last: 1 }), NOW);
    expect(decisions.filter(({ reasons }) => reasons[0]?.includes('too many'))).toHaveLength(9);
    expect(decisions.filter(({ keep }) => !keep)).toHaveLength(50);
  });
});

describe('a period', () => {
  const sameDay = timesBack('2026-11-20T10:00:00Z', 3, 1).map((time) => candidateAt(time));

  test('keeps its newest alone, also while counts are left', () => {
    expect(reasonsOf(sameDay, { daily: 7 })).toEqual([
      ['daily 2026-11-20'],
      ['no rule keeps it'],
      ['no rule keeps it'],
    ]);
  });
});

describe('order', () => {
  test('is by time, not by id, and ties are broken by id', () => {
    const time = '2026-11-20T10:00:00Z';
    const late = candidateAt(time, { id: 'app-20200101T000000Z-0001' });
    const tied = [candidateAt(time, {}, '00ff'), candidateAt(time, {}, '000a')];
    const plan = planRetention([candidateAt('2026-11-19T10:00:00Z'), ...tied, late], policy({ last: 2 }), NOW);
    expect(plan.decisions.map(({ id, keep }) => [id, keep])).toEqual([
      ['app-20200101T000000Z-0001', true],
      [idAt(time, 'app', '000a'), true],
      [idAt(time, 'app', '00ff'), false],
      [idAt('2026-11-19T10:00:00Z'), false],
    ]);
  });

  test('the input is left as it was', () => {
    const input = Object.freeze(nightly(5).reverse());
    expect(planRetention(input, policy({ last: 2 }), NOW).decisions).toHaveLength(5);
  });
});

describe('refusals', () => {
  test.each([
    [20, null],
    [21, 'max-delete: at most 10 deletions allowed, but the plan deletes 11 of 21 backups'],
    [22, 'max-delete: at most 11 deletions allowed, but the plan deletes 12 of 22 backups'],
    [30, 'max-delete: at most 15 deletions allowed, but the plan deletes 20 of 30 backups'],
  ])('of %d backups by default half may go, and always 10', (count, refusal) => {
    expect(planRetention(nightly(count), policy({ last: 10 }), NOW).refusal).toBe(refusal);
  });

  test('what can not be deleted is kept, and is no deletion', () => {
    const set = nightly(30);
    expect(planRetention(set, policy({ last: 5 }), NOW).refusal).toContain('max-delete');
    const locked = new Map(set.slice(3).map(({ id }) => [id, 'locked until 2026-12-24']));
    const { decisions, refusal } = planRetention(set, policy({ last: 5 }), NOW, locked);
    expect(refusal).toBeNull();
    expect(decisions.map(({ keep }) => keep)).toEqual(set.map(() => true));
    expect(decisions.slice(4, 6).map(({ reasons }) => reasons)).toEqual([['last 5 of 5'], ['locked until 2026-12-24']]);
  });

  test('max-delete is a limit, and may be 0', () => {
    expect(planRetention(nightly(30), policy({ last: 10 }, { maxDelete: 20 }), NOW).refusal).toBeNull();
    expect(planRetention(nightly(30), policy({ last: 10 }, { maxDelete: 19 }), NOW).refusal).toBe(
      'max-delete: at most 19 deletions allowed, but the plan deletes 20 of 30 backups',
    );
    expect(planRetention(nightly(2), policy({ last: 1 }, { maxDelete: 0 }), NOW).refusal).toBe(
      'max-delete: at most 0 deletions allowed, but the plan deletes 1 of 2 backups',
    );
  });

  test('pinned, safety and damaged backups are not the minimum', () => {
    const [a, b, c, d, e] = nightly(5).map((candidate, index) => ({
      ...candidate,
      pinned: index === 0 ? 'audit' : null,
      safety: index === 1,
      verified: index !== 2,
    }));
    const plan = planRetention([a, b, c, d, e] as Candidate[], policy({ last: 1 }, { keepMinimum: 2 }), NOW);
    expect(plan.refusal).toBe(
      'keep-minimum: 2 verified backups must remain, but the rules leave 1 of 2, not counting pinned and safety backups',
    );
    expect(keptIds(plan)).toHaveLength(4);
  });

  test('nothing is refused where nothing would be deleted', () => {
    expect(planRetention([], policy({}), NOW)).toEqual({ decisions: [], refusal: null });
    const pinned = nightly(3).map((candidate) => ({ ...candidate, pinned: 'audit' }));
    expect(planRetention(pinned, policy({}, { keepMinimum: 9 }), NOW).refusal).toBeNull();
    expect(planRetention(nightly(2), policy({ last: 5 }, { keepMinimum: 9 }), NOW).refusal).toBeNull();
  });

  test.each([
    ['last', { last: Number.NaN }, {}],
    ['within', { daily: 1, within: -1 }, {}],
    ['daily', { daily: 1.5 }, {}],
    ['keep-minimum', { last: 1 }, { keepMinimum: Number.NaN }],
    ['max-delete', { last: 1 }, { maxDelete: Number.NaN }],
  ])('a %s that is no number in range refuses', (_, rules, change) => {
    expect(planRetention(nightly(3), policy(rules, change), NOW).refusal).not.toBeNull();
  });

  test('a keep-minimum of 0 does not allow an empty set, not even beside a pinned backup', () => {
    const set = [...nightly(3), candidateAt('2026-01-01T00:00:00Z', { pinned: 'audit' })];
    const plan = planRetention(set, policy({ last: 0 }, { keepMinimum: 0 }), NOW);
    expect(plan.refusal).toContain(
      'keep: no verified backup would remain of 3, not counting pinned and safety backups',
    );
  });
});

test('what is left of a backup goes by the plan, and counts to max-delete', () => {
  const leftover = candidateAt('2026-11-01T03:00:00Z', { verified: false, leftover: true });
  const { decisions, refusal } = planRetention([...nightly(2), leftover], policy({ last: 2 }), NOW);
  expect(decisions[2]).toEqual({
    ...{ id: leftover.id, keep: false },
    reasons: ['no manifest and no payload: nothing to keep'],
  });
  expect(refusal).toBeNull();
  expect(planRetention([...nightly(2), leftover], policy({ last: 2 }, { maxDelete: 0 }), NOW).refusal).toBe(
    'max-delete: at most 0 deletions allowed, but the plan deletes 1 of 3 backups',
  );
});

describe('a chain', () => {
  // a full one each Sunday, and a difference each day after it
  const DAYS = timesBack('2026-11-20T03:00:00Z', 20, 24);
  const isFull = (time: string) => new Date(time).getUTCDay() === 0;
  const chains = (change: (time: string) => Partial<Candidate> = () => ({})): Candidate[] =>
    DAYS.slice(0, DAYS.findLastIndex(isFull) + 1).map((time, index) => {
      const full = DAYS.slice(index).find(isFull) ?? '';
      const next = DAYS.slice(0, index).findLast(isFull) ?? DAYS[0] ?? '';
      const chain = full === time ? { until: new Date(next) } : { follows: idAt(full) };
      return candidateAt(time, { ...chain, ...change(time) });
    });
  const [first, second, third] = ['2026-11-01', '2026-11-08', '2026-11-15'].map((day) => idAt(`${day}T03:00:00Z`));
  const leaders = (plan: RetentionPlan) => keptIds(plan).filter((id) => [first, second, third].includes(id));

  test('stays and goes as one, each with its reason', () => {
    const plan = planRetention(chains(), policy({ last: 2 }), NOW);
    expect(leaders(plan)).toEqual([third, second]);
    expect(plan.refusal).toBeNull();
    expect(keptIds(plan)).toHaveLength(6 + 7);
    expect(plan.decisions.map(({ id }) => id)).toEqual(chains().map(({ id }) => id));
    expect([0, 5, 6, 12, 13, 19].map((index) => plan.decisions[index]?.reasons)).toEqual([
      [`needs ${third}, which stays`],
      ['last 1 of 2'],
      [`needs ${second}, which stays`],
      ['last 2 of 2'],
      [`needs ${first}, which goes`],
      ['no rule keeps it'],
    ]);
  });

  test('is kept whole by a pin of one that follows', () => {
    const pinned = idAt('2026-11-04T03:00:00Z');
    const plan = planRetention(
      chains((time) => (idAt(time) === pinned ? { pinned: 'audit' } : {})),
      policy({ last: 1 }),
      NOW,
    );
    expect(leaders(plan)).toEqual([third, first]);
    expect(plan.decisions.find(({ id }) => id === first)?.reasons).toEqual([
      `${pinned}, which needs it, is pinned: audit`,
    ]);
    expect(plan.decisions.filter(({ id, keep }) => keep && id < (second ?? ''))).toHaveLength(7);
  });

  test('that is pinned takes no place of those that count', () => {
    const plan = planRetention(
      chains((time) => (idAt(time) === third ? { pinned: 'audit' } : {})),
      policy({ last: 1 }),
      NOW,
    );
    expect(leaders(plan)).toEqual([third, second]);
  });

  test.each([
    // the newest set is of 20 November, 03:00
    [4, [third]],
    // to the moment at which one ends, the one before is needed
    [5, [third, second]],
    [11, [third, second]],
    [12, [third, second, first]],
  ])('within %d days keeps the full one from which they begin', (days, kept) => {
    const plan = planRetention(chains(), policy({ within: days * 24 * HOUR }, { keepMinimum: 1 }), NOW);
    expect(leaders(plan)).toEqual(kept);
  });

  test('within says why an older full one stays', () => {
    const { decisions } = planRetention(chains(), policy({ within: 6 * 24 * HOUR }), NOW);
    const reasonsOfLeader = (id = '') => decisions.find((decision) => decision.id === id)?.reasons;
    expect(reasonsOfLeader(third)).toEqual(['within 6d of the newest']);
    expect(reasonsOfLeader(second)).toEqual(['recovery within 6d begins with it']);
  });

  test('counts once for each limit, however long it is', () => {
    const limits = (change: Partial<RetentionPolicy>) =>
      planRetention(chains(), policy({ last: 1 }, change), NOW).refusal;
    expect(limits({ maxDelete: 2 })).toBeNull();
    expect(limits({ maxDelete: 1 })).toBe(
      'max-delete: at most 1 deletion allowed, but the plan deletes 2 of 3 backups',
    );
    expect(limits({ keepMinimum: 2 })).toBe(
      'keep-minimum: 2 verified backups must remain, but the rules leave 1 of 3, not counting pinned and safety backups',
    );
  });

  test('whose full one counts for nothing stays, and fills no place', () => {
    const plan = planRetention(
      chains((time) => (idAt(time) === third ? { verified: false, why: 'damaged: lost' } : {})),
      policy({ last: 1 }),
      NOW,
    );
    expect(leaders(plan)).toEqual([third, second]);
    expect(plan.decisions[0]?.reasons).toEqual([`needs ${third}, which stays`]);
  });

  test('that is held is kept with all that follows', () => {
    const held = new Map([[first ?? '', 'locked']]);
    const plan = planRetention(chains(), policy({ last: 1 }, { maxDelete: 1 }), NOW, held);
    expect(plan.refusal).toBeNull();
    expect(leaders(plan)).toEqual([third, first]);
    expect(plan.decisions[13]).toMatchObject({ keep: true, reasons: [`needs ${first}, which stays`] });
  });

  test('without its full one is a backup by itself', () => {
    const alone = chains().filter(({ id }) => id !== third);
    const plan = planRetention(alone, policy({ last: 1 }), NOW);
    expect(keptIds(plan)).toEqual([alone[0]?.id]);
  });

  test('of any length and under any rules is never torn', () => {
    const days = fc.integer({ min: 1, max: 30 });
    let [kept, gone] = [0, 0];
    fc.assert(
      fc.property(
        fc.array(fc.nat(3), { minLength: 1, maxLength: 8 }),
        fc.record({ last: days, within: days.map((count) => count * 24 * HOUR) }, { requiredKeys: [] }),
        fc.nat(30),
        (lengths, rules, pinnedAt) => {
          const times = timesBack('2026-11-20T03:00:00Z', 40, 24);
          const all: Candidate[] = [];
          for (const length of lengths) {
            const full = times[all.length + length] ?? '';
            for (let follower = 0; follower < length; follower++) {
              all.push(candidateAt(times[all.length] ?? '', { follows: idAt(full) }));
            }
            all.push(candidateAt(full, { until: new Date(all.at(-1)?.createdAt ?? full) }));
          }
          const set = all.map((one, index) => (index === pinnedAt ? { ...one, pinned: 'audit' } : one));
          const keep = new Set(keptIds(planRetention(set, policy(rules), NOW)));
          for (const { id, follows = id } of set) {
            expect(keep.has(id)).toBe(keep.has(follows));
            if (keep.has(id)) kept++;
            else gone++;
          }
          const pin = set[pinnedAt];
          if (pin !== undefined) expect(keep.has(pin.id)).toBe(true);
        },
      ),
    );
    expect(Math.min(kept, gone)).toBeGreaterThan(10);
  });
});

describe('hostile input', () => {
  test('a backup of no valid date is kept and does not count', () => {
    const odd = candidateAt('2026-11-20T03:00:00Z', { createdAt: new Date(Number.NaN) }, 'ffff');
    const plan = planRetention([odd, ...nightly(3)], policy({ last: 1, daily: 1 }), NOW);
    expect(keptIds(plan).sort()).toEqual([idAt('2026-11-20T03:00:00Z'), odd.id].sort());
  });

  test('of two candidates with one id none is deleted while the other is kept', () => {
    const [newest, oldest] = [candidateAt('2026-11-20T03:00:00Z'), candidateAt('2026-11-01T03:00:00Z')];
    const plan = planRetention([newest, { ...oldest, id: newest.id }], policy({ last: 1 }), NOW);
    expect(plan.decisions.map(({ keep }) => keep)).toEqual([true, true]);
  });
});

describe('for any set and any rules', () => {
  const count = fc.integer({ min: 1, max: 5 });
  const within = fc.integer({ min: 1, max: 72 * HOUR });
  // Few rules of small counts, so that much is deleted; the empty set of rules as well.
  const rules: fc.Arbitrary<KeepRules> = fc
    .record({ last: count, within, hourly: count, daily: count, weekly: count, monthly: count, yearly: count })
    .chain((all) =>
      fc
        .subarray(Object.keys(all) as (keyof KeepRules)[], { maxLength: 3 })
        .map((chosen) => Object.fromEntries(chosen.map((rule) => [rule, all[rule]]))),
    );
  // Minutes before now; a few lie in the future. Close together, so that periods and ties happen.
  const minutes = fc.oneof(fc.integer({ min: -60, max: 600 }), fc.integer({ min: 0, max: 800 * 24 * 60 }));
  const sets = fc
    .array(
      fc.record({
        minutes,
        verified: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.constant(false)),
        pinned: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, fc.constant('audit')),
        safety: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
      }),
      { maxLength: 60, size: 'max' },
    )
    .map((list) =>
      list.map(({ minutes: back, ...flags }, index) =>
        candidateAt(new Date(NOW.getTime() - back * 60_000).toISOString(), flags, index.toString(16).padStart(4, '0')),
      ),
    );
  const isOutside = ({ pinned, safety, verified, createdAt }: Candidate) =>
    pinned !== null || safety || !verified || createdAt.getTime() > NOW.getTime() + 15 * 60_000;

  function deletedOf(set: Candidate[], given: RetentionPolicy): Set<string> {
    const { decisions } = planRetention(set, given, NOW);
    return new Set(decisions.filter(({ keep }) => !keep).map(({ id }) => id));
  }

  test('pinned, safety, unverified and future backups, and the newest verified one, are never deleted', () => {
    let deletions = 0;
    fc.assert(
      fc.property(sets, rules, (set, given) => {
        const deleted = deletedOf(set, policy(given));
        deletions += deleted.size;
        expect(set.filter((candidate) => isOutside(candidate) && deleted.has(candidate.id))).toEqual([]);
        const countable = set.filter((candidate) => !isOutside(candidate)).map(({ createdAt }) => createdAt.getTime());
        if (Object.keys(given).length === 0 || countable.length === 0) return;
        const newest = Math.max(...countable);
        const kept = set.filter(({ id, createdAt }) => createdAt.getTime() === newest && !deleted.has(id));
        expect(kept.filter((candidate) => !isOutside(candidate))).not.toEqual([]);
      }),
    );
    expect(deletions).toBeGreaterThan(200);
  });

  test('each backup has one decision with a reason, and the order of the input does not matter', () => {
    fc.assert(
      fc.property(sets, rules, (set, given) => {
        const plan = planRetention(set, policy(given), NOW);
        expect(plan.decisions.map(({ id }) => id).sort()).toEqual(set.map(({ id }) => id).sort());
        expect(plan.decisions.every(({ reasons }) => reasons.length > 0)).toBe(true);
        expect(planRetention([...set].reverse(), policy(given), NOW)).toEqual(plan);
      }),
    );
  });

  test('run again on the survivors, it deletes nothing', () => {
    fc.assert(
      fc.property(sets, rules, (set, given) => {
        fc.pre(Object.keys(given).length > 0);
        const deleted = deletedOf(set, policy(given));
        const survivors = set.filter(({ id }) => !deleted.has(id));
        expect(deletedOf(survivors, policy(given))).toEqual(new Set());
      }),
    );
  });

  test('one more rule never deletes more', () => {
    fc.assert(
      fc.property(sets, rules, rules, (set, some, more) => {
        const fewer = deletedOf(set, policy({ ...more, ...some }));
        const before = deletedOf(set, policy(some));
        expect([...fewer].filter((id) => !before.has(id))).toEqual([]);
      }),
    );
  });

  test('backups that do not count change nothing for those that do', () => {
    fc.assert(
      fc.property(sets, rules, (set, given) => {
        const counting = set.filter((candidate) => !isOutside(candidate));
        expect(deletedOf(counting, policy(given))).toEqual(deletedOf(set, policy(given)));
      }),
    );
  });

  test('a plan that is not refused leaves the minimum and stays below the limit', () => {
    let carried = 0;
    const limits = fc.record({
      keepMinimum: fc.integer({ min: 1, max: 4 }),
      maxDelete: fc.option(fc.integer({ min: 0, max: 60 }), { nil: null }),
    });
    fc.assert(
      fc.property(sets, rules, limits, (set, given, limit) => {
        const plan = planRetention(set, policy(given, limit), NOW);
        const deleted = deletedOf(set, policy(given, limit));
        if (plan.refusal !== null || deleted.size === 0) return;
        carried += 1;
        const remaining = set.filter((candidate) => !isOutside(candidate) && !deleted.has(candidate.id));
        expect(remaining.length).toBeGreaterThanOrEqual(limit.keepMinimum);
        expect(deleted.size).toBeLessThanOrEqual(limit.maxDelete ?? Math.max(10, Math.floor(set.length / 2)));
      }),
      { numRuns: 300 },
    );
    expect(carried).toBeGreaterThan(10);
  });
});
