import { BackupError } from '../../errors.js';
import type { Facts } from '../../host/session.js';
import { parseLsn, SEGMENT } from './sets.js';

// The WAL in a repository, as programs/physical.sh has condensed it: the runs of segments without a gap, and the histories of timelines.

/** Segments that follow each other, of one timeline. */
export interface Run {
  archive: string;
  timeline: number;
  /** Their numbers, counted over all logs. */
  first: bigint;
  last: bigint;
  /** When the first and the last were archived. */
  since: Date;
  till: Date;
}

/** A timeline began where another one was left. */
export interface Fork {
  archive: string;
  timeline: number;
  parent: number;
  at: bigint;
  /** When its history was archived: soon after it began. */
  since: Date;
}

export interface Archive {
  runs: Run[];
  /** The same of each archive and timeline, in order. */
  lines: ReadonlyMap<string, readonly Run[]>;
  forks: Fork[];
  segmentBytes: bigint;
  /** What `pathTo` has found. */
  paths: Map<string, Station[]>;
}

/** A timeline on the way to another one. */
export interface Station {
  timeline: number;
  /** The first segment that is no longer of it, and the LSN at which it was left; null: it was not left. */
  until: bigint | null;
  at: bigint | null;
}

/** More than any archive has; what a hostile repository can make us compute must end somewhere. */
const MOST = 20_000;
const MOST_FORKS = 20_000;
/** Of one history: the timelines that one came from. */
const MOST_PARENTS = 200;
/** Of the year 9999: up to there a date has its usual form. */
const LAST_SECOND = 253_402_300_799;
const DEFAULT_SEGMENT = 16_777_216;

/** Throws E_MANIFEST when it is not what the program writes. */
export function archiveIn(facts: Facts): Archive {
  const bytes = facts.numberOrNull('segment_bytes') ?? DEFAULT_SEGMENT;
  if (bytes < 1 << 20 || bytes > 1 << 30 || (bytes & (bytes - 1)) !== 0) throw refused('segment_bytes', String(bytes));
  const segmentBytes = BigInt(bytes);
  const [wal, history] = [facts.all('wal'), facts.all('history')];
  if (wal.length > MOST || history.length > MOST_FORKS) throw refused('the archive', 'more gaps than can be told');
  const runs = wal.map((line) => runOf(line, segmentBytes));
  const forks = history.map(forkOf);
  checkForks(forks);
  return { segmentBytes, runs, lines: linesOf(runs), forks, paths: new Map() };
}

/** The program tells each run as long as it is: what overlaps or touches is not from it. */
function linesOf(runs: readonly Run[]): Map<string, Run[]> {
  const lines = new Map<string, Run[]>();
  for (const run of runs.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const line = lineOf(run.archive, run.timeline);
    const before = lines.get(line);
    if (before === undefined) lines.set(line, [run]);
    else if (run.first <= (before.at(-1)?.last ?? 0n) + 1n) throw refused('wal', `${line}: runs that are one`);
    else before.push(run);
  }
  return lines;
}

const lineOf = (archive: string, timeline: number): string => `${archive} ${timeline}`;

/** In order. */
export const runsOf = (archive: string, timeline: number, { lines }: Archive): readonly Run[] =>
  lines.get(lineOf(archive, timeline)) ?? [];

/** The run that has a segment, and the newest segment of that timeline; null where there is none. */
export function runWith(
  archive: string,
  timeline: number,
  segment: bigint,
  known: Archive,
): { run: Run | null; newest: bigint | null } {
  const runs = runsOf(archive, timeline, known);
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[middle]?.last ?? 0n) < segment) low = middle + 1;
    else high = middle;
  }
  const run = runs[low];
  return { run: run !== undefined && run.first <= segment ? run : null, newest: runs.at(-1)?.last ?? null };
}

/** A history goes down the timelines: so no way leads in a circle. */
function checkForks(forks: readonly Fork[]): void {
  const last = new Map<string, Fork>();
  const parents = new Map<string, number>();
  for (const fork of forks.toSorted((a, b) => a.parent - b.parent)) {
    const line = lineOf(fork.archive, fork.timeline);
    const before = last.get(line);
    if (fork.parent < 1 || fork.parent >= fork.timeline) throw refused('history', `${line} from ${fork.parent}`);
    if (before?.parent === fork.parent) {
      throw refused('history', `${line} from ${before.parent}, then from ${fork.parent}`);
    }
    last.set(line, fork);
    const count = (parents.get(line) ?? 0) + 1;
    if (count > MOST_PARENTS) throw refused('history', `${line}: more timelines than there can be`);
    parents.set(line, count);
  }
}

function runOf(line: string, segmentBytes: bigint): Run {
  const [, archive = '', first = '', last = '', since = '', till = ''] =
    /^([0-9.]{1,5}-[0-9]{1,9}) ([0-9A-F]{24}) ([0-9A-F]{24}) ([0-9]{1,12}) ([0-9]{1,12})$/.exec(line) ?? [];
  if (archive === '' || first.slice(0, 8) !== last.slice(0, 8) || first > last) throw refused('wal', line);
  if (Number(since) > LAST_SECOND || Number(till) > LAST_SECOND) throw refused('wal', line);
  return {
    archive,
    timeline: timelineOf(first),
    first: numberOf(first, segmentBytes),
    last: numberOf(last, segmentBytes),
    since: new Date(Number(since) * 1000),
    till: new Date(Number(till) * 1000),
  };
}

function forkOf(line: string): Fork {
  const [, archive = '', timeline = '', parent = '', at = '', since = ''] =
    /^([0-9.]{1,5}-[0-9]{1,9}) ([0-9A-F]{8}) ([0-9]{1,10}) ([0-9A-F]{1,8}\/[0-9A-F]{1,8}) ([0-9]{1,12})$/.exec(line) ??
    [];
  if (archive === '' || Number(since) > LAST_SECOND) throw refused('history', line);
  return {
    ...{ archive, timeline: Number.parseInt(timeline, 16), parent: Number(parent), at: parseLsn(at) },
    since: new Date(Number(since) * 1000),
  };
}

const refused = (what: string, value: string): BackupError =>
  new BackupError('E_MANIFEST', `the host told ${what} as ${JSON.stringify(value.slice(0, 80))}`);

/** Of a segment, by its name. */
export const timelineOf = (segment: string): number => Number.parseInt(segment.slice(0, 8), 16);

/** The number of a segment, by its name: logs of 4 GiB, counted on. */
export function numberOf(segment: string, segmentBytes: bigint): bigint {
  const inLog = 0x1_0000_0000n / segmentBytes;
  const part = SEGMENT.test(segment) ? BigInt(`0x${segment.slice(16)}`) : inLog;
  if (part >= inLog) throw refused('a segment', segment);
  return BigInt(`0x${segment.slice(8, 16)}`) * inLog + part;
}

/** The name of a segment, by its number: the way back from `numberOf`. */
export function nameOf(timeline: number, number: bigint, segmentBytes: bigint): string {
  const inLog = 0x1_0000_0000n / segmentBytes;
  const hex = (value: bigint | number) => value.toString(16).toUpperCase().padStart(8, '0');
  return `${hex(timeline)}${hex(number / inLog)}${hex(number % inLog)}`;
}

/**
 * A timeline with those it came from, the oldest first. A recovery to a moment before the one at which its target timeline began leaves that
 * one in its history all the same, left before it was begun: it is none of the way.
 */
export function pathTo(timeline: number, archive: string, { forks, segmentBytes, paths }: Archive): readonly Station[] {
  const line = lineOf(archive, timeline);
  const known = paths.get(line);
  if (known !== undefined) return known;
  const own = forks
    .filter((fork) => fork.archive === archive && fork.timeline === timeline)
    .toSorted((a, b) => b.parent - a.parent);
  const way: Station[] = [{ timeline, until: null, at: null }];
  let left: bigint | null = null;
  for (const [index, { parent, at }] of own.entries()) {
    const end: bigint = left === null || at < left ? at : left;
    const begun = own[index + 1]?.at ?? -1n;
    if (begun < end) way.unshift({ timeline: parent, until: end / segmentBytes, at: end });
    left = end;
  }
  paths.set(line, way);
  return way;
}
