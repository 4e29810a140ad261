import { formatMoment } from '../../reporting/format.js';
import type { WindowReport } from '../../reporting/report.js';
import { type Archive, nameOf, numberOf, pathTo, runWith } from './archive.js';
import { type BackupSet, recoverableFrom, type SetRepository } from './sets.js';

/** From one set on, how far WAL without a gap goes on a timeline. */
export interface Reach {
  set: BackupSet;
  timeline: number;
  /** When the last segment was archived: what was committed up to then, at the most, can be recovered. */
  to: Date;
  /** The number of the first segment to which it does not go. */
  next: bigint;
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
  const path = pathTo(timeline, id, archive);
  const own = Number.parseInt(set.stopWal.slice(0, 8), 16);
  const station = path.find((one) => one.timeline === own);
  if (station === undefined || (station.at !== null && set.stopLsn > station.at)) return null;
  const [from, stop] = [numberOf(set.startWal, segmentBytes), numberOf(set.stopWal, segmentBytes)];
  let next = from;
  let to: Date | null = null;
  for (const { timeline: at, until } of path.slice(path.indexOf(station))) {
    // the segment in which a timeline forks is the first of the new one, with all that was in it before
    while (until === null || next < until) {
      const { run } = runWith(id, at, next, archive);
      if (run === null) break;
      const last = until !== null && run.last >= until ? until - 1n : run.last;
      // when a segment in the middle of a run was archived is not known: not later than its last one
      to = last === run.last ? run.till : run.since;
      next = last + 1n;
    }
    if (until === null || next < until) {
      // of a timeline that was left, what it went on with after that is not of the path
      const after = path.slice(path.findIndex((one) => one.timeline === at));
      const later = after.some(
        (one) =>
          (one.until === null || next < one.until - 1n) &&
          (runWith(id, one.timeline, next, archive).newest ?? -1n) > next,
      );
      if (next <= stop || to === null) return null;
      return { set, timeline, to, next, missing: later ? nameOf(at, next, segmentBytes) : null };
    }
  }
  return null;
}

/** The timeline that the newest set and the newest WAL are on; for a live cluster it is told. */
export function newestTimeline({ sets, clusters }: SetRepository, archive: Archive): number {
  const cluster = clusters.at(-1);
  const last = sets.filter(({ clusterId }) => clusterId === cluster?.id).at(-1);
  const ofSet = last === undefined ? 1 : Number.parseInt(last.stopWal.slice(0, 8), 16);
  const forks = archive.forks.filter((fork) => fork.archive === cluster?.archive).map(({ timeline }) => timeline);
  // one that was left before the set ended does not have it: it was given up
  const hasSet = (timeline: number): boolean =>
    pathTo(timeline, cluster?.archive ?? '', archive).some(
      ({ timeline: on, at }) => on === ofSet && (at === null || last === undefined || last.stopLsn <= at),
    );
  return Math.max(ofSet, ...forks.filter(hasSet));
}

/** To which moments of a timeline one can recover; spans that touch are one. `timeline`: null for the newest. */
export function windowOf(repository: SetRepository, archive: Archive, timeline: number | null = null): WindowReport {
  const on = timeline ?? newestTimeline(repository, archive);
  const spans: { from: Date; to: Date; next: bigint; missing: string | null }[] = [];
  const gaps: string[] = [];
  for (const set of repository.sets) {
    if (set.hasErrors) continue;
    const reach = reachOf(set, on, repository, archive);
    if (reach === null) continue;
    const last = spans.at(-1);
    const from = recoverableFrom(set);
    const to = new Date(Math.max(reach.to.getTime(), from.getTime()));
    // what goes over its own WAL goes on with it, also where nothing was committed in between
    if (last !== undefined && (from <= last.to || numberOf(set.stopWal, archive.segmentBytes) < last.next)) {
      if (to > last.to) Object.assign(last, { to, next: reach.next, missing: reach.missing });
      continue;
    }
    if (last !== undefined) {
      const why = last.missing === null ? 'no WAL of that time is there' : `the WAL segment ${last.missing} is missing`;
      gaps.push(`no recovery from ${formatMoment(last.to)} to ${formatMoment(from)} UTC: ${why}`);
    }
    spans.push({ from, to, next: reach.next, missing: reach.missing });
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
