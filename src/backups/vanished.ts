/**
 * What is not as it is remembered: backups that another hash stands for now, or that are less worth keeping, and those that are gone though
 * retention keeps them.
 */
import { type Catalogue, isTrusted, toCandidates } from './catalogue.js';
import { type Finding, odd, wrong } from './finding.js';
import { dated, type Entry, isPinnedByPerson, type Ledger, partialOf } from './ledger.js';
import { type Candidate, KEEP_RULES, type KeepRules, newestFirst, planRetention, SAFETY_KEPT } from './retention.js';

const NAMED = 5;

export interface Dispute {
  /** Ids, newest first. */
  changed: string[];
  /** Whose manifests on the host no longer have the pin, or the rules, that are remembered. */
  weakened: string[];
  vanished: string[];
  /** Those of which nobody can tell whether a run that the ledger did not see has deleted them. */
  doubtful: string[];
  /** Nothing that was remembered is there, nor anything else. */
  isBare: boolean;
}

/**
 * Compares a place with what is remembered of it, before the run changes it. `store`: the hash of the address of a store; null: the host.
 * `strict`: the rules of this run, where they alone decide what is kept (`keep-made-under: false`).
 *
 * Every rotation keeps a backup that the rules keep under which it was made, over all that is there at that time. So one is missed that
 * these rules keep over all that is there or missing, as long as nothing is there that the ledger does not know: then there was no run since
 * whose backup could have taken its place. Otherwise there were runs that it has not seen (those of other branches have ledgers of their
 * own). By the same rules they change nothing in that; by others they may have made what took its place and is gone by now, too, and
 * it is doubtful, but for what is pinned. What was missed once stays so, as it was. To be on the safe side everything that is there counts as one that may have taken a place, also what is
 * pinned or damaged by now.
 */
export function dispute(
  { backups: remembered }: Ledger,
  store: string | null,
  { backups, unreadable }: Pick<Catalogue, 'backups' | 'unreadable'>,
  strict: KeepRules | null,
  now: Date,
): Dispute {
  const known = remembered.filter((entry) => (store === null ? entry.onHost : entry.inStore === store)).map(dated);
  const hashes = new Map(backups.map(({ id, manifest }) => [id, manifest.sha256]));
  const there = new Set([...hashes.keys(), ...unreadable.map(({ id }) => id)]);
  const rulesOf = (entry: Entry): KeepRules | undefined => (store === null ? entry.keep : entry.s3Keep);
  const changed = remembered.filter(({ id, sha256 }) => (hashes.get(id) ?? sha256) !== sha256);
  const absent = known.filter(({ id, state }) => !there.has(id) && state !== 'damaged' && state !== 'unverified');

  const names = new Map(remembered.map((entry) => [entry.id, entry]));
  // where backups are signed, what is not was never ours to take a place, and what can not be read has taken none since it can not be
  const credible = backups.filter((backup) => isTrusted(backup) || names.has(backup.id));
  const here = toCandidates(credible, store === null ? 'keep' : 's3Keep').map((candidate, at): Candidate => {
    const { partial: _, ...rest } = candidate;
    const { partial, safety } = names.get(candidate.id) ?? {
      partial: partialOf(credible[at]?.manifest.coverage),
      safety: candidate.safety,
    };
    return { ...rest, safety, verified: !candidate.suspect, pinned: null, ...(partial === null ? {} : { partial }) };
  });
  const unread = unreadable
    .filter(({ id }) => names.has(id))
    .map(({ id, createdAt }): Candidate => {
      return { id, createdAt, verified: true, pinned: null, safety: false };
    });
  const all = [...here, ...unread, ...absent.map((entry) => candidateOf(entry, rulesOf(entry)))];
  const keptBy = (rules: KeepRules, madeUnder: boolean): Set<string> => {
    const { decisions } = planRetention(all, { rules, madeUnder, keepMinimum: 1, maxDelete: null }, now);
    return new Set(decisions.filter(({ keep }) => keep).map(({ id }) => id));
  };
  const isSure =
    [...credible, ...unreadable].every(({ id }) => names.has(id)) ||
    rulesIn([...remembered.map(rulesOf), ...here.map(({ madeUnder }) => madeUnder)]) <= 1;
  const missedBefore = (entry: Entry) => (store === null ? entry.missed : entry.missedInStore);
  const kept = keptBy({}, true);
  const keptHere = strict === null ? kept : keptBy(strict, false);
  const safeties = all.filter(({ safety }) => safety);
  const isMissed = (entry: (typeof absent)[number]): boolean => {
    // without rules of ours the lifecycle of a bucket deletes what it likes
    if (entry.pinned) return store === null || rulesOf(entry) !== undefined;
    if (!entry.safety) return kept.has(entry.id) && (missedBefore(entry) !== undefined || keptHere.has(entry.id));
    return safeties.filter((one) => newestFirst(one, entry) < 0).length < SAFETY_KEPT;
  };
  const isDoubtful = (entry: Entry): boolean =>
    !entry.pinned && !entry.safety && (missedBefore(entry) ?? (isSure ? 'surely' : 'perhaps')) === 'perhaps';
  const idsOf = (entries: readonly Entry[]): string[] => entries.map(({ id }) => id);
  const missed = absent.filter(isMissed);
  return {
    changed: idsOf(changed),
    weakened: store === null ? idsOf(weakenedOf(remembered, backups)) : [],
    vanished: idsOf(missed.filter((entry) => !isDoubtful(entry))),
    doubtful: idsOf(missed.filter(isDoubtful)),
    isBare: there.size === 0,
  };
}

/**
 * What a run has to remember as missed: what was when it began, and what it has deleted itself since a manifest was weakened. `deleted`:
 * the id of what it was to delete.
 */
export function missedBy(
  before: Dispute,
  after: Dispute,
  deleted: string | null,
): Pick<Dispute, 'vanished' | 'doubtful'> {
  const isTricked = (id: string): boolean => before.weakened.includes(id) && id !== deleted;
  return {
    vanished: [...before.vanished, ...after.vanished.filter(isTricked)],
    doubtful: [...before.doubtful, ...after.doubtful.filter(isTricked)],
  };
}

/** Those that a rotation may delete now, by what the host says, and would not have. */
function weakenedOf(remembered: readonly Entry[], backups: Catalogue['backups']): Entry[] {
  const manifests = new Map(backups.filter(isTrusted).map(({ id, manifest }) => [id, manifest]));
  return remembered.filter(({ id, pinned, keep }) => {
    const manifest = manifests.get(id);
    if (manifest === undefined) return false;
    return (pinned && !isPinnedByPerson(manifest)) || (keep !== undefined && rulesIn([keep, manifest.keep ?? {}]) > 1);
  });
}

/** How many different ones are known of. */
const rulesIn = (all: readonly (KeepRules | undefined)[]): number =>
  new Set(all.flatMap((rules) => (rules === undefined ? [] : KEEP_RULES.map((rule) => rules[rule]).join()))).size;

function candidateOf(entry: Entry & { createdAt: Date }, madeUnder: KeepRules | undefined): Candidate {
  const { id, createdAt, state, partial, safety } = entry;
  const isSuspect = state === 'suspect';
  return {
    ...{ id, createdAt, verified: !isSuspect, pinned: null, safety },
    ...(isSuspect ? { suspect: true } : {}),
    ...(partial === null ? {} : { partial }),
    ...(madeUnder === undefined ? {} : { madeUnder }),
  };
}

const ADVICE =
  'Find out who can write there, and what they did. If a change is right, run `command: accept` with the id. See docs/ledger.md.';

/** `where`: the place, for messages. One finding of a kind, however many backups it is about. */
export function disputeFindings({ changed, weakened, vanished, doubtful, isBare }: Dispute, where: string): Finding[] {
  const found: Finding[] = [];
  if (changed.length > 0) {
    const [have, them] = changed.length === 1 ? ['has', 'it'] : ['have', 'them'];
    found.push(
      wrong(
        'E_CHECKSUM',
        `${named(changed)} in ${where} ${have} another SHA-256 than the ledger remembers: changed or replaced after the backup`,
        `Do not rely on ${them}. ${ADVICE}`,
      ),
    );
  }
  if (vanished.length > 0) {
    const message = isBare
      ? `${where} has no backups any more: the ledger remembers ${vanished.length} that no retention deleted (${named(vanished)})`
      : `${named(vanished)} ${vanished.length === 1 ? 'has' : 'have'} vanished from ${where}: the ledger remembers ${vanished.length === 1 ? 'it' : 'them'}, and no retention deleted ${vanished.length === 1 ? 'it' : 'them'}`;
    found.push(wrong('E_NOT_FOUND', message, ADVICE));
  }
  if (doubtful.length > 0) {
    const [are, it] = doubtful.length === 1 ? ['is', 'it'] : ['are', 'them'];
    const message = `${named(doubtful)} ${are} gone from ${where}: the ledger remembers ${it}, and cannot tell if a run that it did not see deleted ${it}`;
    found.push(odd('E_NOT_FOUND', message, ADVICE));
  }
  if (weakened.length > 0) {
    const message = `${named(weakened)} in ${where}: no longer pinned or kept as the ledger remembers: a manifest was changed, or a run that the ledger did not see unpinned`;
    found.push(odd('E_MANIFEST', message, ADVICE));
  }
  return found;
}

const named = (ids: readonly string[]): string =>
  ids.length <= NAMED ? ids.join(', ') : `${ids.slice(0, NAMED).join(', ')} and ${ids.length - NAMED} more`;
