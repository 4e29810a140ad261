import { BackupError } from '../../errors.js';
import { formatMoment } from '../../reporting/format.js';
import type { WindowReport } from '../../reporting/report.js';
import type { RestoreTime } from '../../settings/restore-time.js';
import type { Archive } from './archive.js';
import type { BackupSet, SetRepository } from './sets.js';
import { newestTimeline, type Reach, reachOf, recoverableFrom, windowOf } from './window.js';

/** From which set, and along which timeline, a cluster is recovered to what was asked for. */
export interface Chosen {
  set: BackupSet;
  timeline: number;
  /** `time`: to `target`; `default`: as far as the WAL goes; `immediate`: to the end of the set. */
  type: 'time' | 'default' | 'immediate';
  /** Empty but with `time`. */
  target: string;
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
  const cluster = repository.clusters.at(-1)?.id;
  const sets = repository.sets.filter(
    (set) => !set.hasErrors && (label === null ? set.clusterId === cluster : set.label === label),
  );
  const named = label === null ? undefined : sets[0];
  if (label !== null && named === undefined) throw unusable(label);
  if (named !== undefined && asked === null) {
    const own = Number.parseInt(named.stopWal.slice(0, 8), 16);
    if (reachOf(named, own, repository, archive) === null) throw lost(named);
    return { set: named, timeline: own, type: 'immediate', target: '' };
  }
  const on = timeline ?? newestTimeline(repository, archive);
  const reaches = sets.flatMap((set) => reachOf(set, on, repository, archive) ?? []);
  const window = windowOf(repository, archive, on);
  if (asked === null || asked === 'latest') {
    const last = reaches.at(-1);
    if (last === undefined) throw outside('as far as the WAL goes', window);
    return { set: last.set, timeline: on, type: 'default', target: '' };
  }
  // a set that ended later than the moment would be recovered to its own end instead, and nothing would say so
  const before = reaches.filter(({ set }) => recoverableFrom(set) <= asked.at);
  const found = before.findLast((reach) => goesTo(reach, asked.at, now));
  if (found === undefined) throw outside(`to ${formatMoment(asked.at)} UTC`, window);
  return { set: found.set, timeline: on, type: 'time', target: asked.text };
}

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

const lost = ({ label }: BackupSet): BackupError =>
  new BackupError(
    'E_NOT_FOUND',
    `the WAL that ${label} itself needs is not in the repository any more, so it cannot be recovered`,
    'Choose another backup: `command: list` shows them.',
  );

const unusable = (label: string): BackupError =>
  new BackupError(
    'E_NOT_FOUND',
    `the repository has no set ${label} that a cluster can be recovered from`,
    'Choose another backup: `command: list` shows them.',
  );
