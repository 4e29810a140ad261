import { BackupError } from '../../errors.js';
import type { Facts } from '../../host/session.js';
import { LAST_TIME, parseLsn, SEGMENT } from './sets.js';

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
}

export interface Archive {
  runs: Run[];
  forks: Fork[];
  segmentBytes: bigint;
}

/** More than any archive has; what a hostile repository can make us compute must end somewhere. */
const MOST = 20_000;
const DEFAULT_SEGMENT = 16_777_216;

/** Throws E_MANIFEST when it is not what the program writes. */
export function archiveIn(facts: Facts): Archive {
  const bytes = facts.numberOrNull('segment_bytes') ?? DEFAULT_SEGMENT;
  if (bytes < 1 << 20 || bytes > 1 << 30 || (bytes & (bytes - 1)) !== 0) throw refused('segment_bytes', String(bytes));
  const segmentBytes = BigInt(bytes);
  const [wal, history] = [facts.all('wal'), facts.all('history')];
  if (wal.length > MOST || history.length > MOST) throw refused('the archive', 'more gaps than can be told');
  return {
    segmentBytes,
    runs: wal.map((line) => runOf(line, segmentBytes)),
    forks: history.map(forkOf),
  };
}

function runOf(line: string, segmentBytes: bigint): Run {
  const [, archive = '', first = '', last = '', since = '', till = ''] =
    /^([0-9.]{1,5}-[0-9]{1,9}) ([0-9A-F]{24}) ([0-9A-F]{24}) ([0-9]{1,12}) ([0-9]{1,12})$/.exec(line) ?? [];
  if (archive === '' || first.slice(0, 8) !== last.slice(0, 8) || first > last) throw refused('wal', line);
  const times = [Number(since), Number(till)];
  if (Math.max(...times) > LAST_TIME) throw refused('wal', line);
  const [a, b] = times.map((time) => new Date(time * 1000));
  return {
    archive,
    timeline: Number.parseInt(first.slice(0, 8), 16),
    first: numberOf(first, segmentBytes),
    last: numberOf(last, segmentBytes),
    since: a ?? new Date(0),
    till: b ?? new Date(0),
  };
}

function forkOf(line: string): Fork {
  const [, archive = '', timeline = '', parent = '', at = ''] =
    /^([0-9.]{1,5}-[0-9]{1,9}) ([0-9A-F]{8}) ([0-9]{1,10}) ([0-9A-F]{1,8}\/[0-9A-F]{1,8})$/.exec(line) ?? [];
  if (archive === '') throw refused('history', line);
  return { archive, timeline: Number.parseInt(timeline, 16), parent: Number(parent), at: parseLsn(at) };
}

const refused = (what: string, value: string): BackupError =>
  new BackupError('E_MANIFEST', `the host told ${what} as ${JSON.stringify(value.slice(0, 80))}`);

/** The number of a segment, by its name: logs of 4 GiB, counted on. */
export function numberOf(segment: string, segmentBytes: bigint): bigint {
  if (!SEGMENT.test(segment)) throw refused('a segment', segment);
  return BigInt(`0x${segment.slice(8, 16)}`) * (0x1_0000_0000n / segmentBytes) + BigInt(`0x${segment.slice(16)}`);
}

export function nameOf(timeline: number, number: bigint, segmentBytes: bigint): string {
  const inLog = 0x1_0000_0000n / segmentBytes;
  const hex = (value: bigint | number) => value.toString(16).toUpperCase().padStart(8, '0');
  return `${hex(timeline)}${hex(number / inLog)}${hex(number % inLog)}`;
}

/** A timeline that another one came from. */
export interface Station {
  timeline: number;
  /** The first segment that is no longer of it; null: it was not left. */
  until: bigint | null;
  /** Where exactly it was left. */
  at: bigint | null;
}

/** A timeline with those it came from, the oldest first. */
export function pathTo(timeline: number, archive: string, { forks, segmentBytes }: Archive): Station[] {
  const own = forks.filter((fork) => fork.archive === archive && fork.timeline === timeline);
  const before = own
    .filter(({ parent }) => parent < timeline)
    .toSorted((a, b) => a.parent - b.parent)
    .map(({ parent, at }) => ({ timeline: parent, until: at / segmentBytes, at }));
  return [...before, { timeline, until: null, at: null }];
}
