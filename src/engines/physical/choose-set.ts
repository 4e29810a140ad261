import { BackupError } from '../../errors.js';
import { formatMoment } from '../../reporting/format.js';
import type { WindowReport } from '../../reporting/report.js';
import type { RestoreTime } from '../../settings/restore-time.js';
import { type Archive, timelineOf } from './archive.js';
import { type BackupSet, recoverableFrom, type SetRepository } from './sets.js';
import { livesOf, newestTimeline, type Reach, reachOf, windowOf } from './window.js';

/** From which set, and along which timeline, a cluster is recovered to what was asked for. */
export interface Chosen {
  set: BackupSet;
  timeline: number;
  /** `time`: to `target`; `default`: as far as the WAL goes; `immediate`: to the end of the set. */
  type: 'time' | 'default' | 'immediate';
  /** Empty but with `time`. */
  target: string;
  /** The LSN that the recovery has to come past: where it ends earlier, WAL that is there could not be fetched. */
  past: bigint;
}

/**
 * The newest set that ended before the moment, whose WAL goes on to it without a gap. `label`: that set and no other. `timeline`: of the live
 * cluster; null: the newest in the repository. `open`: the live server can add what it has committed since, so that the present is no
 * bound. Throws E_NOT_FOUND with the moments to which one can recover.
 */
export function chooseSet(
  repository: SetRepository,
  archive: Archive,
  {
    asked,
    label,
    timeline,
    now,
  }: { asked: RestoreTime | 'latest' | null; label: string | null; timeline: number | null; now: Date | null },
): Chosen {
  const cluster = repository.clusters.at(-1);
  const sets = repository.sets.filter((set) => !set.hasErrors && (label === null || set.label === label));
  const named = label === null ? undefined : sets[0];
  if (label !== null && named === undefined) throw gone(label);
  if (named !== undefined && named.clusterId !== cluster?.id) throw beforeUpgrade(named, repository);
  if (named !== undefined && asked === null) {
    const own = timelineOf(named.stopWal);
    if (reachOf(named, own, repository, archive) === null) throw lost(named);
    return { set: named, timeline: own, type: 'immediate', target: '', past: named.stopLsn - 1n };
  }
  const live = timeline ?? newestTimeline(repository, archive);
  const window = windowOf(repository, archive, live);
  const reachesOn = (on: number): Reach[] =>
    sets.flatMap((set) => (set.clusterId === cluster?.id && reachOf(set, on, repository, archive)) || []);
  if (asked === null || asked === 'latest') {
    const last = reachesOn(live).at(-1);
    if (last === undefined) throw outside('as far as the WAL goes', window);
    return { set: last.set, timeline: live, type: 'default', target: '', past: lastOf(last, archive) };
  }
  const life = livesOf(live, cluster?.archive ?? '', archive).find(
    ({ from, to }) => (from === null || asked.at >= from) && (to === null || asked.at <= to),
  );
  // a set that ended later than the moment would be recovered to its own end instead, and nothing would say so
  const before =
    life === undefined ? [] : reachesOn(life.timeline).filter(({ set }) => recoverableFrom(set) <= asked.at);
  const found = before.findLast((reach) => goesTo(reach, asked.at, life?.to === null ? now : null));
  if (found === undefined && named !== undefined && asked.at < recoverableFrom(named)) throw later(named, asked);
  if (found === undefined) throw outside(`to ${formatMoment(asked.at)} UTC`, window);
  return { set: found.set, timeline: found.timeline, type: 'time', target: asked.text, past: found.set.stopLsn - 1n };
}

/** Where the last segment begins that is there without a gap. */
export const lastOf = ({ next }: Pick<Reach, 'next'>, { segmentBytes }: Archive): bigint => (next - 1n) * segmentBytes;

/** The end of the last segment is when it was archived; what comes after it only a server that runs can still add. */
const goesTo = ({ to, missing }: Reach, at: Date, now: Date | null): boolean =>
  at <= to || (missing === null && now !== null && at <= now);

function outside(what: string, { spans, gaps }: WindowReport): BackupError {
  const can = spans.map(({ from, to }) => `from ${formatMoment(new Date(from))} to ${formatMoment(new Date(to))} UTC`);
  return new BackupError(
    'E_NOT_FOUND',
    `the cluster cannot be recovered ${what}${gaps.length === 0 ? '' : ` (${gaps.slice(-3).join('; ')})`}`,
    can.length === 0
      ? 'No set of the repository has its WAL: there is no moment to recover to. Take a full backup.'
      : `Choose any moment ${can.slice(-5).join(', or ')} as \`restore-time\`, or \`latest\`.`,
  );
}

const gone = (label: string): BackupError =>
  new BackupError(
    'E_NOT_FOUND',
    `the repository has no usable set ${label}: it was removed, or holds damaged pages`,
    'Choose another backup: `command: list` shows them.',
  );

/** pgBackRest would recover it to its own end instead, and say nothing. */
const later = (set: BackupSet, { at }: RestoreTime): BackupError =>
  new BackupError(
    'E_NOT_FOUND',
    `${set.label} cannot be recovered to ${formatMoment(at)} UTC: it ended only at ${formatMoment(recoverableFrom(set))} UTC`,
    'Leave out `backup`, so that the right set is chosen, or name an older one.',
  );

/** Its server would run, but nothing of it could be archived any more: the stanza is of the cluster after it. */
function beforeUpgrade({ label, clusterId }: BackupSet, { clusters }: SetRepository): BackupError {
  const version = (id: number | undefined): string => clusters.find((one) => one.id === id)?.version ?? '?';
  return new BackupError(
    'E_NOT_FOUND',
    `${label} is of the cluster that the stanza had before its upgrade (PostgreSQL ${version(clusterId)}); by now it is of another one (PostgreSQL ${version(clusters.at(-1)?.id)})`,
    'Choose a backup of the present cluster. To go back to the old one, restore by hand into a new directory, and give it a stanza of its own: docs/physical.md says how.',
  );
}

const lost = ({ label }: BackupSet): BackupError =>
  new BackupError(
    'E_NOT_FOUND',
    `the WAL that ${label} itself needs is not in the repository any more, so it cannot be recovered`,
    'Choose another backup: `command: list` shows them.',
  );
