import { spawnSync } from 'node:child_process';
import { type Archive, archiveIn, nameOf } from '../../../src/engines/physical/archive.js';
import { Facts } from '../../../src/host/session.js';

/** The segment of a timeline by its number, counted over all logs. */
export interface Segment {
  timeline: number;
  number: number;
  /** In seconds. */
  archivedAt: number;
}

/** Where a timeline was left for another one: in a segment, by an offset into it. */
export interface Left {
  timeline: number;
  number: number;
  offset: number;
}

/** The lines of runs, as the program on the host makes them of a list of segments. */
export function runsOf(segments: readonly Segment[], megabytes = 16, awk = 'awk', archive = '15-1'): string[] {
  const bytes = BigInt(megabytes << 20);
  const list = segments
    .map(({ timeline, number, archivedAt }) => `${nameOf(timeline, BigInt(number), bytes)} ${archivedAt}\n`)
    .sort()
    .join('');
  const program = `. src/engines/physical/programs/physical.sh; ${awk} -v archive="$1" -v size="$2" "$wal_runs"`;
  const made = spawnSync('sh', ['-c', program, 'sh', archive, String(bytes)], {
    ...{ input: list, encoding: 'utf8', maxBuffer: 1 << 28 },
    env: { ...process.env, postgres_fact: '' },
  });
  if (made.status !== 0) throw new Error(made.stderr);
  return made.stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.replace(/^wal /, '')]));
}

/** The lines of the history of a timeline: where each of those it came from was left, the oldest first. */
export const historyOf = (timeline: number, left: readonly Left[], megabytes = 16, archive = '15-1'): string[] =>
  left.map((one) => {
    const lsn = lsnAt(one, megabytes);
    const hex = (half: bigint) => half.toString(16).toUpperCase();
    const name = timeline.toString(16).toUpperCase().padStart(8, '0');
    return `${archive} ${name} ${one.timeline} ${hex(lsn >> 32n)}/${hex(lsn & 0xffff_ffffn)}`;
  });

export const lsnAt = ({ number, offset }: { number: number; offset: number }, megabytes = 16): bigint =>
  BigInt(number) * BigInt(megabytes << 20) + BigInt(offset);

export function factsOf(
  wal: readonly string[],
  history: readonly string[] = [],
  segmentBytes: string | null = null,
): Facts {
  const facts = new Facts();
  if (segmentBytes !== null) facts.add('segment_bytes', segmentBytes);
  for (const line of wal) facts.add('wal', line);
  for (const line of history) facts.add('history', line);
  return facts;
}

export const archiveOf = (segments: readonly Segment[], history: readonly string[] = [], megabytes = 16): Archive =>
  archiveIn(factsOf(runsOf(segments, megabytes), history, String(megabytes << 20)));
