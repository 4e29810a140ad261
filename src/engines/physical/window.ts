import { formatMoment } from '../../reporting/format.js';
import type { WindowReport } from '../../reporting/report.js';
import { type Archive, nameOf, numberOf, pathTo, type Run, runsOf, runWith, timelineOf } from './archive.js';
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
  const own = timelineOf(set.stopWal);
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
  const ofSet = last === undefined ? 1 : timelineOf(last.stopWal);
  const forks = archive.forks.filter((fork) => fork.archive === cluster?.archive).map(({ timeline }) => timeline);
  // one that was left before the set ended does not have it: it was given up
  const hasSet = (timeline: number): boolean =>
    pathTo(timeline, cluster?.archive ?? '', archive).some(
      ({ timeline: on, at }) => on === ofSet && (at === null || last === undefined || last.stopLsn <= at),
    );
  return Math.max(ofSet, ...forks.filter(hasSet));
}

/** The time in which a timeline was the live one. */
export interface Life {
  timeline: number;
  /** null: from the beginning. */
  from: Date | null;
  /** null: it still is. */
  to: Date | null;
}

/**
 * Which timeline was live when, the oldest first. Where one was left with WAL after that place, in a restore to an earlier moment, what was
 * committed until the restore is on that one alone: along the new one, a recovery to such a moment would end where that one was left, and say
 * nothing. In between, while it was restored, no moment is known.
 */
export function livesOf(timeline: number, archiveId: string, archive: Archive): Life[] {
  const lives: Life[] = [];
  let current: Pick<Life, 'timeline' | 'to'> = { timeline, to: null };
  const way = pathTo(timeline, archiveId, archive);
  for (const [index, { timeline: parent, until }] of [...way.entries()].toReversed()) {
    const child = way[index + 1]?.timeline;
    if (child === undefined || until === null) continue;
    const { runs, begun } = leftFor(parent, child, archiveId, archive);
    const last = runs.at(-1);
    // a number that was passed over is of a timeline that was given up as well
    if (last === undefined || (last.last < until && child === parent + 1)) continue;
    lives.unshift({ ...current, from: begun });
    current = { timeline: parent, to: new Date(Math.min(last.till.getTime(), begun.getTime())) };
  }
  return [{ ...current, from: null }, ...lives];
}

/** The WAL of a timeline, and from when on its child was the live one. */
function leftFor(
  parent: number,
  child: number,
  archiveId: string,
  archive: Archive,
): { runs: readonly Run[]; begun: Date } {
  const runs = runsOf(archiveId, parent, archive);
  const fork = archive.forks.find((one) => one.archive === archiveId && one.timeline === child);
  const since = fork?.since ?? runsOf(archiveId, child, archive)[0]?.since ?? runs.at(-1)?.till ?? new Date(0);
  // of whole seconds
  return { runs, begun: new Date(since.getTime() + 1000) };
}

interface Span {
  from: Date;
  to: Date;
  next: bigint;
  missing: string | null;
  timeline: number;
}

/** To which moments one can recover where a timeline is the live one; spans that touch are one. `timeline`: null for the newest. */
export function windowOf(repository: SetRepository, archive: Archive, timeline: number | null = null): WindowReport {
  const on = timeline ?? newestTimeline(repository, archive);
  const cluster = repository.clusters.at(-1);
  const sets = repository.sets.filter((set) => !set.hasErrors && set.clusterId === cluster?.id);
  const spans: Span[] = [];
  const gaps: string[] = [];
  for (const life of livesOf(on, cluster?.archive ?? '', archive)) {
    for (const set of sets) {
      const reach = reachOf(set, life.timeline, repository, archive);
      if (reach !== null) join(spans, gaps, life, reach, archive);
    }
  }
  const last = spans.at(-1);
  if (last !== undefined && last.missing !== null) {
    gaps.push(
      `no recovery after ${formatMoment(last.to)} UTC: the WAL segment ${last.missing} is missing; take a new backup`,
    );
  }
  return {
    spans: spans.map(({ from, to }) => ({ from: from.toISOString(), to: to.toISOString() })),
    gaps,
    newest: newestWal(archive)?.toISOString() ?? null,
  };
}

function join(
  spans: Span[],
  gaps: string[],
  life: Life,
  { set, to: end, next, missing }: Reach,
  archive: Archive,
): void {
  const begun = recoverableFrom(set);
  const from = life.from !== null && life.from > begun ? life.from : begun;
  const to = life.to !== null && life.to < end ? life.to : new Date(Math.max(end.getTime(), begun.getTime()));
  if (to < from) return;
  const last = spans.at(-1);
  const isSame = last?.timeline === life.timeline;
  // what goes over its own WAL goes on with it, also where nothing was committed in between
  if (last !== undefined && (from <= last.to || (isSame && numberOf(set.stopWal, archive.segmentBytes) < last.next))) {
    if (to > last.to) Object.assign(last, { to, next, missing, timeline: life.timeline });
    return;
  }
  if (last !== undefined) {
    const why = !isSame
      ? `the timeline ${last.timeline} was given up in that time`
      : last.missing === null
        ? 'no WAL of that time is there'
        : `the WAL segment ${last.missing} is missing`;
    gaps.push(`no recovery from ${formatMoment(last.to)} to ${formatMoment(from)} UTC: ${why}`);
  }
  spans.push({ from, to, next, missing, timeline: life.timeline });
}

/** When the newest WAL was archived: what was committed since would be lost with the server. */
export function newestWal({ runs }: Archive): Date | null {
  return runs.length === 0 ? null : new Date(Math.max(...runs.map(({ till }) => till.getTime())));
}
