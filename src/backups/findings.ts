/** What is wrong, or odd, with the backups of a database and with the database itself: rules alone. Whoever asks decides what a run fails for. */
import { formatBytes, formatDuration } from '../reporting/format.js';
import { checkSize, type SizeLimits } from './anomalies.js';
import { alarmsIn, type Backup, isTrusted, newestVerified, toCandidates, wholeOrAll } from './catalogue.js';
import { type Finding, odd, wrong } from './finding.js';
import { historyOf } from './history.js';
import { isDamagedCopy, type TableRows } from './manifest.js';
import { PERIODS, type PeriodRule } from './periods.js';
import { isFuture, type KeepRules, newestFirst } from './retention.js';
import { compareTables, rowLosses } from './rows.js';

const NAMED = 5;
const DAY_MS = 86_400_000;

/** How old the newest backup may be, and of what it is one. */
export interface Freshness {
  now: Date;
  /** null: as old as it likes. */
  maxAgeMs: number | null;
  name: string;
  /** For messages, where the backups are. */
  where: string;
}

/** The newest is too old, or there is none (null). */
export function tooOld(createdAt: null, freshness: Freshness): Finding;
export function tooOld(createdAt: Date | null, freshness: Freshness): Finding | null;
export function tooOld(createdAt: Date | null, { now, maxAgeMs, name, where }: Freshness): Finding | null {
  const limit = maxAgeMs === null ? '' : `; max-age is ${formatDuration(maxAgeMs)}`;
  const todo = 'Take a backup, and find out why there is no newer one (check the runs of the backup workflow).';
  if (createdAt === null) return wrong('E_STALE', `there is no backup of ${name} in ${where}${limit}`, todo);
  const age = now.getTime() - createdAt.getTime();
  if (maxAgeMs === null || age <= maxAgeMs) return null;
  return wrong('E_STALE', `the newest backup of ${name} is ${formatDuration(age)} old${limit}`, todo);
}

/** The newest good one of these that covers everything, where one does. A safety backup is one like any other. */
export const newestGood = (backups: readonly Backup[]): Backup | null => newestVerified(wholeOrAll(backups));

/** Suspect backups that are newer than every good one. */
export function unanswered(backups: readonly Backup[], quote: (text: string) => string): Finding | null {
  const alarms = alarmsIn(backups);
  const [newest] = alarms;
  if (newest === undefined) return null;
  const what = alarms.length === 1 ? newest.id : `${alarms.length} backups, the newest ${newest.id},`;
  return odd(
    'E_SHRUNK',
    `${what} ${alarms.length === 1 ? 'is' : 'are'} newer and suspect (${quote(newest.detail ?? '')}): not counted until you accept it with \`command: accept\``,
    `If the change is right, run \`command: accept\` with \`backup: ${newest.id}\`. If not, restore the newest good backup.`,
  );
}

/** The newest backup that is not suspect was proven by nothing. */
export function unproven(backups: readonly Backup[], now: Date): Finding | null {
  const [newest] = backups
    .filter(({ manifest, createdAt }) => !isDamagedCopy(manifest) && !isFuture(createdAt, now))
    .sort(newestFirst);
  if (newest?.state !== 'unverified') return null;
  return wrong(
    'E_CHECKSUM',
    `the newest backup, ${newest.id}, is not verified`,
    'Take a new backup. This one was found damaged, or was never verified: to see which, run `command: verify` with its id.',
  );
}

const RULE_MS: Record<PeriodRule, number> = {
  hourly: 3_600_000,
  daily: DAY_MS,
  weekly: 7 * DAY_MS,
  monthly: 28 * DAY_MS,
  yearly: 365 * DAY_MS,
};

/** The median of the times between backups, newest first; null: there are not two. */
function usualGapMs(backups: readonly { createdAt: Date }[]): number | null {
  const gaps = backups
    .slice(1)
    .map(({ createdAt }, at) => (backups[at]?.createdAt.getTime() ?? 0) - createdAt.getTime());
  return gaps.sort((one, other) => one - other)[Math.floor((gaps.length - 1) / 2)] ?? null;
}

/**
 * Fewer backups than the rules should have kept by now: a rule of periods holds the newest of each, so since the oldest that is there each
 * period that has passed has one, as far as the rule goes. Those of now may still come.
 */
export function tooFew(backups: readonly Backup[], rules: KeepRules, now: Date, where: string): Finding[] {
  const good = toCandidates(backups)
    .filter(
      ({ verified, safety, partial = '', createdAt }) =>
        verified && !safety && partial === '' && !isFuture(createdAt, now),
    )
    .sort(newestFirst);
  // a pinned one stays however old it is
  const oldest = good.filter(({ pinned }) => pinned === null).at(-1);
  if (oldest === undefined) return [];
  const usual = usualGapMs(good);
  return (Object.keys(RULE_MS) as PeriodRule[]).flatMap((rule): Finding[] => {
    const wanted = rules[rule] ?? 0;
    // backups that are made each night fill no rule of hours
    if (usual === null || usual > RULE_MS[rule] * 1.5) return [];
    const label = PERIODS[rule];
    const held = new Set(good.map(({ createdAt }) => label(createdAt)));
    // that of now counts only when it has one
    const passed = new Set([label(now)].filter((one) => held.has(one)));
    for (
      let at = now.getTime() - RULE_MS[rule];
      passed.size <= wanted && at > oldest.createdAt.getTime();
      at -= RULE_MS[rule]
    ) {
      passed.add(label(new Date(at)));
    }
    passed.add(label(oldest.createdAt));
    const should = Math.min(wanted, passed.size);
    // a schedule may leave weekends out
    if (held.size * 3 >= should * 2) return [];
    return [
      odd(
        'E_TOO_FEW',
        `${rule}=${wanted}: ${held.size === 1 ? '1 backup' : `${held.size} backups`} in ${where}, but the rule should have kept ${should} by now (the oldest is ${oldest.id})`,
        'Find out which runs of the backup workflow failed, or who deletes backups there.',
      ),
    ];
  });
}

/** The live database against what its backups tell of it. */
export interface Live {
  bytes: number;
  tables: readonly TableRows[];
}

/** Nothing is left in a database of which the newest good backup has something: the next backup is refused. */
export function emptied(isEmpty: boolean, newest: Backup | null): Finding | null {
  if (!isEmpty || newest?.manifest.content?.objects === 0) return null;
  return wrong(
    'E_EMPTY',
    'the live database is empty',
    newest === null
      ? 'Check that it is the right database. An empty database is not backed up.'
      : `If that is not intended, restore ${newest.id}. An empty database is not backed up.`,
  );
}

/** What the next backup would trip over: the size of the live database, and its rows where they are known. */
export function jumps(
  live: Live,
  backups: readonly Backup[],
  newest: readonly TableRows[] | null,
  limits: SizeLimits & { rowLoss: number | null },
  quote: (text: string) => string,
): Finding[] {
  const history = historyOf(backups);
  const sizes = history.map(({ manifest }) => manifest.databaseBytes);
  const suspicion = checkSize('the live database', live.bytes, sizes, limits);
  const found: Finding[] = [];
  if (suspicion !== null) {
    found.push(
      wrong(
        'E_SHRUNK',
        suspicion.why,
        `Check the database before the next backup, which will be suspect. If the change is right, run \`command: accept\` with it, or set \`${suspicion.limit}: none\`.`,
      ),
    );
  }
  const [since] = history;
  if (newest === null || since === undefined || limits.rowLoss === null) return found;
  const losses = rowLosses(compareTables(newest, live.tables), limits.rowLoss);
  if (losses.length === 0) return found;
  const named = losses
    .slice(0, NAMED)
    .map(({ name, change, before, after }) =>
      change === 'gone'
        ? `the table ${quote(JSON.stringify(name))} with ${before} rows is gone`
        : `the table ${quote(JSON.stringify(name))} has ${after} rows, down from ${before}`,
    );
  const more = losses.length > NAMED ? [`and ${losses.length - NAMED} more`] : [];
  found.push(
    wrong(
      'E_SHRUNK',
      `rows were lost since ${since.id}: ${[...named, ...more].join('; ')}`,
      `If that is not intended, restore ${since.id}, or pin it before it is rotated: \`command: pin\`.`,
    ),
  );
  return found;
}

/** Bytes that are needed and that are free; null: not known. */
export interface Room {
  free: number | null;
  needed: number | null;
}

/** Whether there is room for the next backup, and for a restore. */
export function space(backup: Room, restore: Room, where: string): Finding[] {
  const lacks = ({ free, needed }: Room): string | null =>
    free === null || needed === null || free >= needed
      ? null
      : `${formatBytes(needed)} needed, ${formatBytes(free)} free`;
  const forBackup = lacks(backup);
  const forRestore = lacks(restore);
  return [
    ...(forBackup === null
      ? []
      : [
          wrong(
            'E_NOSPACE',
            `not enough space for the next backup in ${where}: ${forBackup}`,
            'Free some space there, keep fewer backups, or lower `min-free`.',
          ),
        ]),
    ...(forRestore === null
      ? []
      : [
          odd(
            'E_NOSPACE',
            `not enough space for a restore: ${forRestore}`,
            'Free some space before you need it: a restore loads the backup beside the live database.',
          ),
        ]),
  ];
}

/** What runs that were cut off have left. */
export interface LeftBehind {
  /** Work folders of runs that are gone. */
  folders: readonly string[];
  /** Journals of restores. */
  journals: readonly string[];
  /** Notes of an after-command that is due. */
  hooks: readonly string[];
}

export function leftBehind({ folders, journals, hooks }: LeftBehind, where: string): Finding[] {
  const shown = (names: readonly string[]): string =>
    names.slice(0, NAMED).join(', ') + (names.length > NAMED ? ', ...' : '');
  return [
    ...(journals.length === 0
      ? []
      : [
          wrong(
            'E_UNFINISHED',
            `a restore was cut off: ${shown(journals)} in ${where}/.work`,
            'Run `backup`, or the restore again: the next command that changes something first finishes it or rolls it back.',
          ),
        ]),
    ...(hooks.length === 0
      ? []
      : [
          wrong(
            'E_HOOK',
            `the \`after-command\` of a backup that was cut off still has to run: ${shown(hooks)} in ${where}/.work`,
            'Check if the application is still in maintenance mode. The next command that changes something there runs the after-command first.',
          ),
        ]),
    ...(folders.length === 0
      ? []
      : [
          odd(
            'E_REMOTE_LOST',
            `${folders.length === 1 ? 'a run was' : `${folders.length} runs were`} cut off and left ${shown(folders)} in ${where}/.work`,
            'Find out why it was cut off. The next run that changes something removes what it left.',
          ),
        ]),
  ];
}

/** Clocks that are this far apart are worth a word; a backup is refused at CLOCK_TOLERANCE_MS. */
const SKEW_MS = 60_000;

/** `aheadMs`: how far the clock of that machine is ahead of the runner's; null: not known. */
export function skewed(machine: string, aheadMs: number | null): Finding | null {
  if (aheadMs === null || Math.abs(aheadMs) <= SKEW_MS) return null;
  return odd(
    'E_CLOCK',
    `the clock of ${machine} is ${formatDuration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} the clock of the runner`,
    'Set up NTP there: ages, names and retention depend on the clocks. At a difference of 15 minutes, backups are refused.',
  );
}

/** The copies in a store against what the host has. `rules`: by which they are rotated; null: not by us. */
export function outOfStep(onHost: readonly Backup[], copies: readonly Backup[], freshness: Freshness): Finding[] {
  const found: Finding[] = [];
  const newest = newestGood(onHost.filter(isTrusted));
  const stored = newestGood(copies.filter(isTrusted));
  const old = tooOld(stored?.createdAt ?? null, freshness);
  if (old !== null) found.push(old);
  else if (newest !== null && !copies.some(({ id }) => id === newest.id)) {
    found.push(
      odd(
        'E_S3_VERIFY',
        `the newest backup on the host, ${newest.id}, is not in ${freshness.where}`,
        'Check the last run of the backup workflow: the next backup copies only itself.',
      ),
    );
  }
  return found;
}

/** The last proof by a restore, and how long the restoring took. */
export function lastRestored(backups: readonly Backup[]): { id: string; at: string; ms: number | null } | null {
  const proven = backups
    .filter(({ state, manifest }) => state === 'ok' && manifest.verified.level === 'restore')
    .map(({ id, manifest: { verified } }) => ({ id, at: verified.at, ms: verified.ms ?? null }));
  return proven.sort((one, other) => (one.at < other.at ? 1 : -1))[0] ?? null;
}
