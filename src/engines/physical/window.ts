import { formatMoment } from '../../reporting/format.js';
import type { WindowReport } from '../../reporting/report.js';
import { type Archive, nameOf, numberOf, pathTo, type Run, type Station } from './archive.js';
import type { BackupSet, SetRepository } from './sets.js';

/** From one set on, how far WAL without a gap goes on a timeline. */
export interface Reach {
  set: BackupSet;
  timeline: number;
  /** When the last segment was archived: what was committed up to then, at the most, can be recovered. */
  to: Date;
  /** The first one that is missing, where others come after it. */
  missing: string | null;
}

/**
 * How far one can recover from a set on a timeline, which has to be its own or to have come from it; null when the set is not on its way, or
 * not even its own WAL is whole: then it is nothing to begin with.
 */
export function reachOf(set: BackupSet, timeline: number, { clusters }: SetRepository, archive: Archive): Reach | null {
  const id = clusters.find((one) => one.id === set.clusterId)?.archive;
  if (id === undefined) return null;
  const { segmentBytes } = archive;
  const path = pathFrom(set, timeline, id, archive);
  const runs = archive.runs.filter((run) => run.archive === id);
  const stop = numberOf(set.stopWal, segmentBytes);
  let next = numberOf(set.startWal, segmentBytes);
  let to: Date | null = null;
  for (const [index, { timeline: at, until }] of path.entries()) {
    // the segment in which a timeline forks is the first of the new one, with all that was in it before
    while (until === null || next < until) {
      const run = runs.find((one) => one.timeline === at && one.first <= next && next <= one.last);
      if (run === undefined) break;
      const last = until !== null && run.last >= until ? until - 1n : run.last;
      // when a segment in the middle of a run was archived is not known: not later than its last one
      to = last === run.last ? run.till : run.since;
      next = last + 1n;
    }
    if (until === null || next < until) {
      if (next <= stop || to === null) return null;
      const isLater = path.slice(index).some((station) => hasAfter(next, station, runs));
      return { set, timeline, to, missing: isLater ? nameOf(at, next, segmentBytes) : null };
    }
  }
  return null;
}

/** The part of a timeline's path that a set is recovered along; empty when the set is not on it. */
function pathFrom({ stopWal, stopLsn }: BackupSet, timeline: number, id: string, archive: Archive): Station[] {
  const own = Number.parseInt(stopWal.slice(0, 8), 16);
  const path = pathTo(timeline, id, archive);
  const start = path.findIndex((one) => one.timeline === own && (one.at === null || stopLsn <= one.at));
  return start < 0 ? [] : path.slice(start);
}

/** Whether there is WAL of a station after a segment; what a timeline has after its fork was given up, and is none. */
const hasAfter = (segment: bigint, { timeline, until }: Station, runs: readonly Run[]): boolean =>
  runs.some(
    (run) =>
      run.timeline === timeline &&
      run.last > segment &&
      (until === null || (segment + 1n < until && run.first < until)),
  );

/**
 * The timeline of the newest set or, of those that came from it after that, the one with the newest WAL: one that was begun and given up
 * again may have a higher number. For a live cluster it is told.
 */
export function newestTimeline({ sets, clusters }: SetRepository, archive: Archive): number {
  const cluster = clusters.at(-1);
  const last = sets.filter(({ clusterId }) => clusterId === cluster?.id).at(-1);
  if (cluster === undefined || last === undefined) return 1;
  const { archive: id } = cluster;
  const newest = new Map<number, number>();
  for (const { timeline, till } of archive.runs.filter((run) => run.archive === id)) {
    newest.set(timeline, Math.max(newest.get(timeline) ?? 0, till.getTime()));
  }
  const forks = new Set(archive.forks.filter((fork) => fork.archive === id).map(({ timeline }) => timeline));
  const [found] = [Number.parseInt(last.stopWal.slice(0, 8), 16), ...forks]
    .filter((timeline) => pathFrom(last, timeline, id, archive).length > 0)
    .toSorted((a, b) => (newest.get(b) ?? 0) - (newest.get(a) ?? 0) || b - a);
  return found ?? 1;
}

/** The first second of which every moment can be recovered to: that in which a set ended is told without its fraction. */
export const recoverableFrom = ({ stoppedAt }: BackupSet): Date => new Date(stoppedAt.getTime() + 1000);

/** To which moments of a timeline one can recover the newest cluster; spans that touch are one. `timeline`: null for the newest. */
export function windowOf(repository: SetRepository, archive: Archive, timeline: number | null = null): WindowReport {
  const on = timeline ?? newestTimeline(repository, archive);
  const spans: { from: Date; to: Date; missing: string | null }[] = [];
  const gaps: string[] = [];
  const cluster = repository.clusters.at(-1)?.id;
  for (const set of repository.sets) {
    if (set.hasErrors || set.clusterId !== cluster) continue;
    const reach = reachOf(set, on, repository, archive);
    if (reach === null) continue;
    const last = spans.at(-1);
    const from = recoverableFrom(set);
    const to = new Date(Math.max(reach.to.getTime(), from.getTime()));
    if (last !== undefined && from <= last.to) {
      if (to > last.to) Object.assign(last, { to, missing: reach.missing });
      continue;
    }
    if (last !== undefined) {
      const why = last.missing === null ? 'no WAL of that time is there' : `the WAL segment ${last.missing} is missing`;
      gaps.push(`no recovery from ${formatMoment(last.to)} to ${formatMoment(from)} UTC: ${why}`);
    }
    spans.push({ from, to, missing: reach.missing });
  }
  const last = spans.at(-1);
  if (last !== undefined && last.missing !== null) {
    gaps.push(
      `no recovery after ${formatMoment(last.to)} UTC: the WAL segment ${last.missing} is missing; take a new backup`,
    );
  }
  const newest = newestWal(archive);
  return {
    spans: spans.map(({ from, to }) => ({ from: from.toISOString(), to: to.toISOString() })),
    gaps,
    newest: newest?.toISOString() ?? null,
  };
}

/** When the newest WAL was archived: what was committed since would be lost with the server. */
export function newestWal({ runs }: Archive): Date | null {
  return runs.length === 0 ? null : new Date(Math.max(...runs.map(({ till }) => till.getTime())));
}
