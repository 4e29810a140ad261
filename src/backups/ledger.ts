/** What is remembered of a database's backups off the host, where whoever takes over the host can not change it. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { instant, isObject, matching, object, oneOf, whole } from '../schemas.js';
import { median } from './anomalies.js';
import { type Backup, type Catalogue, isTrusted } from './catalogue.js';
import { type Coverage, showCoverage } from './coverage.js';
import { type Manifest, RULES, VERIFIED_LEVELS } from './manifest.js';
import { parseId } from './names.js';
import { COMPRESSIONS, METHODS, methodOf } from './packing.js';
import { newestFirst } from './retention.js';

/** More is not read: 400 entries take a third of it. */
export const MAX_CHARACTERS = 1 << 20;
const MOST_ENTRIES = 400;
/** Of backups that are no longer there. */
const LONGEST_MS = 400 * 86_400_000;
const MOST_VERDICTS = 20;
/** A backup that takes longer than usual by less than this is no news. */
const SLACK_MS = 10_000;
const SLOW = 3;
/** Durations are told from that many on, by the newest of them. */
const ENOUGH = 3;
const RECENT = 7;

/** By how much what a backup is can be missed: what is less never takes the place of what is more. */
const WORTH: Record<Entry['state'], number> = { damaged: 0, unverified: 0, future: 1, suspect: 1, ok: 2 };

const HASH = matching(/^[0-9a-f]{12}$/, '12 hex digits');

const MISSED = ['surely', 'perhaps'] as const;

/**
 * One backup. Who can open a pull request can read it, and who can push a workflow can write it: no host, no path, no bucket and no table
 * stands here, and nothing in it is believed but as a reason to look.
 */
const ENTRY = object({
  /** Its name and its time. */
  id: matching(/-\d{8}T\d{6}Z-[0-9a-f]{4}$/, 'an id of the grammar'),
  sha256: matching(/^[0-9a-f]{64}$/, '64 lower-case hex digits'),
  bytes: whole(),
  databaseBytes: whole(),
  /** How many tables, and rows in all of them; null: not known. */
  tables: v.nullable(whole()),
  rows: v.nullable(whole()),
  durationMs: whole(),
  /** `ms`: how long the restoring took. */
  verified: object({ level: oneOf(VERIFIED_LEVELS), at: instant, ms: v.exactOptional(whole()) }),
  kind: matching(/^[a-z0-9]{1,20}$/, 'the ending of a payload'),
  compression: oneOf(COMPRESSIONS),
  encryption: oneOf(['none', ...METHODS]),
  /** A hash of what it covers; null: everything. */
  partial: v.nullable(HASH),
  state: oneOf(['ok', 'suspect', 'unverified', 'damaged', 'future']),
  /** By a person. What pins by itself takes its pins back. */
  pinned: v.boolean(),
  safety: v.boolean(),
  /** The rules that it was made under. */
  keep: v.exactOptional(RULES),
  s3Keep: v.exactOptional(RULES),
  /** It was on the host when it was last looked there, or should have been. */
  onHost: v.boolean(),
  /** The same of a store, by a hash of its address; null: of none. */
  inStore: v.nullable(HASH),
  /** It is missed there, until a person accepts it or its rules would have deleted it: retention did not do it, or can not be shown to have. */
  missed: v.exactOptional(oneOf(MISSED)),
  missedInStore: v.exactOptional(oneOf(MISSED)),
});
export type Entry = v.InferOutput<typeof ENTRY>;

/** How the last run of a command ended. `ms`: how long it, or the restoring, took. */
const VERDICT = object({
  command: matching(/^[a-z]{1,20}$/, 'a command'),
  ok: v.boolean(),
  errorCode: matching(/^(E_[A-Z0-9_]{1,40})?$/, 'an error code'),
  at: instant,
  ms: whole(),
});
export type RunVerdict = v.InferOutput<typeof VERDICT>;

export interface Ledger {
  schema: 1;
  /** Newest first; of each id one. */
  backups: Entry[];
  /** Of each command one. */
  runs: RunVerdict[];
}

export const EMPTY: Ledger = { schema: 1, backups: [], runs: [] };

const timeOf = ({ id }: Pick<Entry, 'id'>): Date => parseId(id)?.createdAt ?? new Date(Number.NaN);

export const dated = (entry: Entry): Entry & { createdAt: Date } => ({ ...entry, createdAt: timeOf(entry) });

/** Reads what was saved, and trusts none of it: what is not as this version writes it, or of another name, is left out. Never throws. */
export function parseLedger(text: string, name: string): Ledger {
  if (text.length > MAX_CHARACTERS) return EMPTY;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return EMPTY;
  }
  if (!isObject(document) || !('schema' in document) || document.schema !== 1) return EMPTY;
  const { backups, runs } = document as Record<string, unknown>;
  const entries = readList(ENTRY, backups, MOST_ENTRIES).filter(({ id }) => parseId(id)?.name === name);
  const verdicts = readList(VERDICT, runs, MOST_VERDICTS);
  return {
    schema: 1,
    backups: [...new Map(entries.map((entry) => [entry.id, entry])).values()].map(dated).sort(newestFirst).map(plain),
    runs: [...new Map(verdicts.map((one) => [one.command, one])).values()],
  };
}

function readList<T>(schema: v.GenericSchema<unknown, T>, list: unknown, most: number): T[] {
  if (!Array.isArray(list)) return [];
  return list.slice(0, most).flatMap((item) => {
    const { success, output } = v.safeParse(schema, item);
    return success ? [output] : [];
  });
}

const plain = ({ createdAt: _, ...entry }: Entry & { createdAt: Date }): Entry => entry;

export const serializeLedger = (ledger: Ledger): string => `${JSON.stringify(ledger)}\n`;

/** 12 hex digits in place of a text that is nobody's business: a coverage has names of tables, an address that of a bucket. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

export function partialOf(coverage: Coverage | null | undefined): string | null {
  const shown = showCoverage(coverage ?? null);
  return shown === '' ? null : hashOf(shown);
}

/**
 * What is remembered of a backup. `old`: what was. Who has taken over the host can write any manifest there, so of the same bytes nothing
 * makes it less than it was: its rules stay, its pin, and how well it was proven.
 */
function entryOf(backup: Backup, old: Entry | undefined): Entry {
  const made = asFound(backup, old);
  if (old === undefined) return made;
  const isLess = WORTH[made.state] < WORTH[old.state];
  const levelOf = ({ verified }: Entry) => VERIFIED_LEVELS.indexOf(verified.level);
  return {
    ...made,
    verified: levelOf(made) < levelOf(old) ? old.verified : made.verified,
    partial: old.partial,
    state: isLess ? old.state : made.state,
    pinned: old.pinned || made.pinned,
    safety: old.safety,
    ...(old.keep === undefined ? {} : { keep: old.keep }),
    ...(old.s3Keep === undefined ? {} : { s3Keep: old.s3Keep }),
    // only whole it is back
    ...(old.missed === undefined || backup.state !== 'damaged' ? {} : { missed: old.missed }),
  };
}

/** What its manifest says. `old`: what was, which knows where it is, and what a shortened manifest does not. */
function asFound({ id, manifest, state }: Backup, old: Entry | undefined): Entry {
  const content = manifest.shortened ? null : manifest.content;
  const rows = content?.tables.map((table) => table.rows ?? 0) ?? [];
  const { level, at, ms } = manifest.verified;
  return {
    id,
    sha256: manifest.sha256,
    bytes: manifest.bytes,
    databaseBytes: manifest.databaseBytes,
    tables: content === null ? (old?.tables ?? null) : rows.length + (content.tablesLeftOut ?? 0),
    rows: content === null ? (old?.rows ?? null) : rows.reduce((sum, some) => sum + some, 0),
    durationMs: manifest.durationMs,
    verified: { level, at, ...(ms === undefined ? {} : { ms }) },
    kind: manifest.kind,
    compression: manifest.compression,
    encryption: methodOf(manifest.encryption),
    partial: partialOf(manifest.coverage),
    state: state === 'unsigned' || state === 'forged' ? 'unverified' : state,
    pinned: isPinnedByPerson(manifest),
    safety: manifest.reason === 'safety',
    ...(manifest.keep === undefined ? {} : { keep: manifest.keep }),
    ...(manifest.s3Keep === undefined ? {} : { s3Keep: manifest.s3Keep }),
    onHost: old?.onHost ?? false,
    inStore: old?.inStore ?? null,
    ...(old?.missedInStore === undefined ? {} : { missedInStore: old.missedInStore }),
  };
}

/** What pins by itself takes its pins back. */
export const isPinnedByPerson = ({ pinned }: Pick<Manifest, 'pinned'>): boolean =>
  pinned !== null && pinned.by === undefined;

/** What a run has come to see of a place at its end. */
export interface Seen {
  /** Of a store, the hash of its address. */
  store: string | null;
  left: Pick<Catalogue, 'backups' | 'unreadable'>;
  /** What `missedBy` (vanished.ts) says: these are remembered as missed. */
  vanished: readonly string[];
  doubtful: readonly string[];
}

export interface Remembered {
  seen: readonly Seen[];
  verdict: RunVerdict;
  /** The id of a backup of which a person has said that what became of it is right. */
  settled?: string | null;
  /** The id of one that a person has unpinned. */
  unpinned?: string | null;
  /** The id of one that is to go by its name, and of which nobody knows whether it did. */
  lost?: string | null;
}

/** The ledger after a run. What it does not see any more, and nobody misses, is remembered as gone, for its sizes and times. */
export function remember(
  ledger: Ledger,
  { seen, verdict, settled = null, unpinned = null, lost = null }: Remembered,
  now: Date,
): Ledger {
  const entries = new Map(ledger.backups.map((entry) => [entry.id, entry]));
  const accepted = entries.get(settled ?? '');
  // `accept` does not look into the store: where it is, it is seen by the next run that does
  if (accepted !== undefined) entries.set(accepted.id, outOfStore(accepted));
  const free = entries.get(unpinned ?? '');
  if (free !== undefined) entries.set(free.id, { ...free, pinned: false });
  for (const place of seen) {
    missWhatIsGone(entries, place, settled);
    enterWhatIsThere(entries, place, settled);
  }
  const doomed = entries.get(lost ?? '');
  if (doomed !== undefined) entries.set(doomed.id, offHost(outOfStore(doomed)));
  const isThere = ({ onHost, inStore }: Entry): number => Number(onHost || inStore !== null);
  const isMissed = ({ missed, missedInStore }: Entry): number => Number((missed ?? missedInStore) !== undefined);
  const kept = [...entries.values()]
    .map(dated)
    .filter((entry) => isThere(entry) > 0 || now.getTime() - entry.createdAt.getTime() <= LONGEST_MS)
    // whoever writes many to the host shall not push out what is missed
    .sort((one, other) => isMissed(other) - isMissed(one) || isThere(other) - isThere(one) || newestFirst(one, other))
    .slice(0, MOST_ENTRIES);
  return {
    schema: 1,
    backups: kept.sort(newestFirst).map(plain),
    runs: [verdict, ...ledger.runs.filter(({ command }) => command !== verdict.command)].slice(0, MOST_VERDICTS),
  };
}

/** Of those that the place had: what went by a run is not there any more, what vanished is missed. */
function missWhatIsGone(
  entries: Map<string, Entry>,
  { store, left, vanished, doubtful }: Seen,
  settled: string | null,
): void {
  const there = new Set([...left.backups, ...left.unreadable].map(({ id }) => id));
  for (const entry of [...entries.values()].filter(({ id }) => !there.has(id))) {
    const { id } = entry;
    const missed = vanished.includes(id) ? 'surely' : doubtful.includes(id) ? 'perhaps' : null;
    const isMissed = missed !== null && id !== settled;
    if (store === null) entries.set(id, isMissed ? { ...entry, missed } : offHost(entry));
    else if (entry.inStore === store) {
      entries.set(id, isMissed ? { ...entry, missedInStore: missed } : outOfStore(entry));
    }
  }
}

function enterWhatIsThere(entries: Map<string, Entry>, { store, left }: Seen, settled: string | null): void {
  for (const backup of left.backups.filter(isTrusted)) {
    const old = entries.get(backup.id);
    const isSettled = backup.id === settled;
    // the bytes of an id never change: the next run tells, also of one that was adopted in this one
    if (old !== undefined && old.sha256 !== backup.manifest.sha256 && !isSettled) continue;
    if (store === null) {
      entries.set(backup.id, { ...(isSettled ? asFound(backup, old) : entryOf(backup, old)), onHost: true });
    }
    // that of another host, which has the same name in the same bucket, is not ours to watch
    else if (old !== undefined) entries.set(backup.id, { ...outOfStore(old), inStore: store });
  }
}

const offHost = ({ missed: _, ...entry }: Entry): Entry => ({ ...entry, onHost: false });
const outOfStore = ({ missedInStore: _, ...entry }: Entry): Entry => ({ ...entry, inStore: null });

/** Good ones that are no longer on the host, newest first. */
export const goneFrom = ({ backups }: Ledger, there: ReadonlySet<string>): Entry[] =>
  backups.filter(({ id, state, safety }) => state === 'ok' && !safety && !there.has(id));

/** What has to be the same for two durations to be comparable. */
type Likeness = Pick<Entry, 'kind' | 'compression' | 'encryption' | 'partial'>;

/** How the newest one of that coverage was made; null: none is remembered. */
export const likenessOfNewest = ({ backups }: Ledger, partial: string | null): Likeness | null =>
  backups.find((entry) => entry.partial === partial && !entry.safety) ?? null;

export const likenessOf = ({ manifest }: Pick<Backup, 'manifest'>): Likeness => ({
  kind: manifest.kind,
  compression: manifest.compression,
  encryption: methodOf(manifest.encryption),
  partial: partialOf(manifest.coverage),
});

/** How long such backups take, in milliseconds: the median of the last of them. null: too few are remembered. */
export function usualDuration({ backups }: Ledger, like: Likeness): number | null {
  const durations = backups
    .filter(
      (entry) =>
        !entry.safety &&
        entry.durationMs > 0 &&
        entry.kind === like.kind &&
        entry.compression === like.compression &&
        entry.encryption === like.encryption &&
        entry.partial === like.partial,
    )
    .slice(0, RECENT)
    .map(({ durationMs }) => durationMs);
  return durations.length < ENOUGH ? null : median(durations);
}

/** Whether that is worth a word. */
export const isSlow = (ms: number, usual: number): boolean => ms > SLOW * usual && ms > usual + SLACK_MS;
