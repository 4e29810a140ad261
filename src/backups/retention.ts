import { plural } from '../counting.js';
import { PERIODS, type PeriodRule } from './periods.js';

/** How many to keep. Rules are OR-ed; at least one is given. Counts are whole numbers >= 1, `within` is in milliseconds. */
export interface KeepRules {
  last?: number;
  within?: number;
  hourly?: number;
  daily?: number;
  weekly?: number;
  monthly?: number;
  yearly?: number;
}

export interface RetentionPolicy {
  rules: KeepRules;
  /** A backup also stays when the rules under which it was made keep it, over all backups; true when it is not said. */
  madeUnder?: boolean;
  keepMinimum: number;
  /** null: half of the backups, at least 10. */
  maxDelete: number | null;
}

/** One backup as retention sees it. */
export interface Candidate {
  id: string;
  createdAt: Date;
  /** Only these count, and fill a period. */
  verified: boolean;
  /** It tripped a limit: it counts for nothing, and is deleted by rules of its own. */
  suspect?: boolean;
  /** Why it does not count, shown as the reason for keeping it; only when `verified` is false. */
  why?: string;
  /** No backup, and nothing in it: it goes. */
  leftover?: boolean;
  /** What it covers, in words, when that is not everything: such backups are a series of their own. */
  partial?: string;
  /** The id of another one without which it is nothing: it stays as long as that one, and goes with it. */
  follows?: string;
  /** The newest moment for which it is needed, where that is not its own: `within` counts by it. */
  until?: Date;
  /** The rules of the run that made it, as far as they are known. */
  madeUnder?: KeepRules;
  pinned: string | null;
  safety: boolean;
}

export interface Decision {
  id: string;
  keep: boolean;
  reasons: string[];
}

export interface RetentionPlan {
  /** Newest first, one for each candidate. */
  decisions: Decision[];
  /** Set when the plan must not be carried out: why, in a sentence. */
  refusal: string | null;
}

/** Clocks of the runner and the host may differ by this much; what is dated later than that is from the future. */
export const CLOCK_TOLERANCE_MS = 15 * 60_000;

const MIN_DELETE_LIMIT = 10;
/** Workflows have a handful; a directory may hold whatever somebody puts there. */
const MOST_RULES = 50;
export const KEEP_RULES = ['last', 'within', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
/** Safety backups that restores leave: the present state and two older ones. */
export const SAFETY_KEPT = 3;
/** Of the suspect backups that are newer than every good one. */
const SUSPECTS_KEPT = 3;

/** Order of backups everywhere: by the manifest's time, never by name or mtime; ties by id. */
export function newestFirst(a: { id: string; createdAt: Date }, b: { id: string; createdAt: Date }): number {
  return b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** Whether a backup is dated in the future, or at no time at all. */
export function isFuture(createdAt: Date, now: Date): boolean {
  // Not `>`: an invalid date must never pass for an old backup.
  return !(createdAt.getTime() <= now.getTime() + CLOCK_TOLERANCE_MS);
}

/**
 * Decides which backups to keep. The plan is complete even when it is refused; a refused plan must not be carried out.
 * Semantics are those of `restic forget`: rules are OR-ed, the newest of each period wins, and only periods that hold a
 * backup use up a count. `held`: what can not be deleted, with the reason, by id; it is kept, and is no deletion that a limit could refuse.
 */
export function planRetention(
  candidates: readonly Candidate[],
  policy: RetentionPolicy,
  now: Date,
  held: ReadonlyMap<string, string> = new Map(),
): RetentionPlan {
  const known = new Set(candidates.filter(({ follows }) => follows === undefined).map(({ id }) => id));
  const isFollower = ({ follows }: Candidate) => follows !== undefined && known.has(follows);
  const followers = candidates.filter(isFollower);
  const ordered = candidates.filter((candidate) => !isFollower(candidate)).sort(newestFirst);
  // By id, so that of two candidates with one id (a lying listing) none is deleted while the other is kept.
  const reasons = new Map<string, Set<string>>(ordered.map(({ id }) => [id, new Set()]));
  const keep = (candidate: Candidate, reason: string) => reasons.get(candidate.id)?.add(reason);

  const eligible: Candidate[] = [];
  const suspects: Candidate[] = [];
  const whyNot = new Map<string, string>();
  const isGood = ({ verified, safety, createdAt }: Candidate) => verified && !safety && !isFuture(createdAt, now);
  for (const candidate of ordered) {
    if (candidate.leftover) {
      whyNot.set(candidate.id, 'no manifest and no payload: nothing to keep');
      continue;
    }
    const isSuspect = candidate.suspect === true;
    for (const { id, pinned } of followers.filter(({ follows }) => follows === candidate.id)) {
      if (pinned !== null) keep(candidate, `${id}, which needs it, is pinned: ${pinned}`);
    }
    if (candidate.pinned !== null) keep(candidate, `pinned: ${candidate.pinned}`);
    if (candidate.safety) keep(candidate, 'safety backup');
    if (!candidate.verified && !isSuspect) keep(candidate, candidate.why ?? 'not verified');
    if (isFuture(candidate.createdAt, now)) keep(candidate, 'dated in the future');
    if (reasons.get(candidate.id)?.size === 0) (isSuspect ? suspects : eligible).push(candidate);
  }
  const series = seriesOf(ordered).map((name) => {
    const isOfIt = ({ partial = '' }: Candidate) => partial === name;
    const own = eligible.filter(isOfIt);
    const among = name === '' ? '' : `, among those ${name}`;
    applyRules(own, policy.rules, (candidate, reason) => keep(candidate, `${reason}${among}`));
    if (policy.madeUnder !== false) {
      const left = own.filter(({ id }) => reasons.get(id)?.size === 0);
      applyOwnRules(own, left, (candidate, reason) => keep(candidate, `${reason}${among}`));
    }
    // a whole backup has all that a partial one has
    const newestGood = ordered.find((one) => isGood(one) && (isOfIt(one) || (one.partial ?? '') === ''));
    for (const [id, why] of keepSuspects(suspects.filter(isOfIt), newestGood, keep)) whyNot.set(id, why);
    return { name, own };
  });

  const decisions = ordered.map(({ id }): Decision => {
    const found = [...(reasons.get(id) ?? [])];
    const lock = held.get(id);
    if (found.length === 0 && lock !== undefined) found.push(lock);
    return found.length > 0
      ? { id, keep: true, reasons: found }
      : { id, keep: false, reasons: [whyNot.get(id) ?? 'no rule keeps it'] };
  });
  const gone = new Set(decisions.filter((decision) => !decision.keep).map(({ id }) => id));
  const followed = followers.map(({ id, follows = '' }): Decision => {
    const isKept = !gone.has(follows);
    return { id, keep: isKept, reasons: [isKept ? `needs ${follows}, which stays` : `needs ${follows}, which goes`] };
  });
  const good = series.map(({ name, own }) => {
    return { name, all: own.length, gone: own.filter(({ id }) => gone.has(id)).length };
  });
  const refusal = gone.size === 0 ? null : refuse(ordered.length, good, gone.size, policy);
  const order = new Map([...candidates].sort(newestFirst).map(({ id }, index) => [id, index]));
  const inOrder = (one: Decision, other: Decision) => (order.get(one.id) ?? 0) - (order.get(other.id) ?? 0);
  return { decisions: [...decisions, ...followed].sort(inOrder), refusal };
}

/**
 * Applies to each backup of `left` the rules under which it was made, over all of its series, so that two workflows with different rules do
 * not delete each other's. Both are newest first.
 */
function applyOwnRules(
  series: readonly Candidate[],
  left: readonly Candidate[],
  keep: (candidate: Candidate, reason: string) => void,
): void {
  const byRules = new Map<string, Candidate[]>();
  for (const candidate of left) {
    if (candidate.madeUnder === undefined) continue;
    const rules = JSON.stringify(KEEP_RULES.map((rule) => candidate.madeUnder?.[rule] ?? null));
    byRules.set(rules, [...(byRules.get(rules) ?? []), candidate]);
  }
  for (const [at, made] of [...byRules.values()].entries()) {
    const ids = new Set(made.map(({ id }) => id));
    if (at >= MOST_RULES) for (const one of made) keep(one, 'made under one of too many different sets of rules');
    else {
      applyRules(series, made[0]?.madeUnder ?? {}, (candidate, reason) => {
        if (ids.has(candidate.id)) keep(candidate, `${reason}, by the rules it was made under`);
      });
    }
  }
}

/** What the backups cover, each once, whole ones first. */
function seriesOf(candidates: readonly Candidate[]): string[] {
  return [...new Set(['', ...candidates.map(({ partial = '' }) => partial)])];
}

/** Keeps the newest suspect backups for as long as no good one is newer; returns why the others go, by id. `suspects` is newest first. */
function keepSuspects(
  suspects: readonly Candidate[],
  newestGood: Candidate | undefined,
  keep: (candidate: Candidate, reason: string) => void,
): Map<string, string> {
  const whyNot = new Map<string, string>();
  let kept = 0;
  for (const candidate of suspects) {
    if (newestGood !== undefined && newestFirst(newestGood, candidate) < 0) {
      whyNot.set(candidate.id, 'suspect, and a good backup is newer');
    } else if (kept < SUSPECTS_KEPT) {
      kept++;
      keep(candidate, `suspect: ${candidate.why ?? 'it tripped a limit'}`);
    } else whyNot.set(candidate.id, `suspect, and ${SUSPECTS_KEPT} newer ones are kept`);
  }
  return whyNot;
}

/** @param eligible newest first: verified, neither pinned nor safety nor from the future. */
function applyRules(
  eligible: readonly Candidate[],
  rules: KeepRules,
  keep: (candidate: Candidate, reason: string) => void,
): void {
  const newest = eligible[0];
  if (newest === undefined) return;

  const { last = 0, within } = rules;
  eligible.slice(0, last).forEach((candidate, index) => {
    keep(candidate, `last ${index + 1} of ${last}`);
  });
  if (within !== undefined) {
    // From the newest backup, not from now: after a pause nothing is too old all at once.
    const neededAt = ({ until, createdAt }: Candidate): number => (until ?? createdAt).getTime();
    const since = Math.max(...eligible.map(neededAt)) - within;
    for (const candidate of eligible) {
      if (candidate.createdAt.getTime() >= since) keep(candidate, `within ${duration(within)} of the newest`);
      else if (neededAt(candidate) >= since) keep(candidate, `recovery within ${duration(within)} begins with it`);
    }
  }
  for (const [rule, label] of Object.entries(PERIODS) as [PeriodRule, (date: Date) => string][]) {
    const count = rules[rule] ?? 0;
    const seen = new Set<string>();
    for (const candidate of eligible) {
      const period = label(candidate.createdAt);
      if (seen.size >= count) break;
      if (!seen.has(period)) keep(candidate, `${rule} ${period}`);
      seen.add(period);
    }
  }
}

/** Why a plan that deletes something must not be carried out, or null. */
function refuse(
  all: number,
  series: readonly { name: string; all: number; gone: number }[],
  deletions: number,
  policy: RetentionPolicy,
): string | null {
  const rules = Object.entries(policy.rules).filter(([, value]) => value !== undefined);
  if (rules.length === 0) return `keep: no rule is set, so ${deletions} of ${plural(all, 'backup')} would be deleted`;

  const found: string[] = [];
  const wrong = rules.filter(([, value]) => !(Number.isSafeInteger(value) && value >= 1));
  if (wrong.length > 0) {
    found.push(`keep: rules must be whole numbers of 1 or more, got ${wrong.map((rule) => rule.join('=')).join(' ')}`);
  }
  // The comparisons are written so that a limit that is not a number refuses, too. Suspect ones may go without a good one.
  for (const { name, all, gone } of series.filter(({ gone }) => gone > 0)) {
    const remaining = all - gone;
    const of = `${all}${name === '' ? '' : ` ${name}`}, not counting pinned and safety backups`;
    if (remaining < 1) found.push(`keep: no verified backup would remain of ${of}`);
    else if (!(remaining >= policy.keepMinimum)) {
      found.push(
        `keep-minimum: ${plural(policy.keepMinimum, 'verified backup')} must remain, but the rules leave ${remaining} of ${of}`,
      );
    }
  }
  const limit = policy.maxDelete ?? Math.max(MIN_DELETE_LIMIT, Math.floor(all / 2));
  if (!(deletions <= limit)) {
    found.push(
      `max-delete: at most ${plural(limit, 'deletion')} allowed, but the plan deletes ${deletions} of ${plural(all, 'backup')}`,
    );
  }
  return found.length > 0 ? found.join('; ') : null;
}

/** `7d`, `26h`: in the largest unit that leaves no rest. */
function duration(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const;
  const [unit, size] = units.find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}
