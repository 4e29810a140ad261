import { readFileSync } from 'node:fs';
import { type Archive, archiveIn, nameOf } from '../../../src/engines/physical/archive.js';
import type { BackupSet, SetRepository } from '../../../src/engines/physical/sets.js';
import { Facts } from '../../../src/host/facts.js';

/** What pgBackRest 2.45 printed of a full, an incremental, a differential and two more incremental backups. */
export const INFO_2_45 = readFileSync(new URL('./info-2.45.json', import.meta.url), 'utf8');

export const SEGMENT_BYTES = 16n << 20n;

/** Second `n` of the samples. */
export const at = (second: number): Date => new Date(Date.UTC(2026, 10, 1, 3, 0, 0) + second * 1000);
const seconds = (second: number): number => at(second).getTime() / 1000;

export const segment = (number: number | bigint, timeline = 1): string =>
  nameOf(timeline, BigInt(number), SEGMENT_BYTES);

/** The facts `wal` and `history` as the host tells them; a history without a time was archived in second 145. */
export function archiveOf(wal: readonly string[], history: readonly string[] = [], bytes = 16 << 20): Archive {
  const facts = new Facts();
  facts.add('segment_bytes', String(bytes));
  for (const line of wal) facts.add('wal', line);
  for (const line of history) facts.add('history', line.split(' ').length === 4 ? `${line} ${seconds(145)}` : line);
  return archiveIn(facts);
}

/** A run of segments, each archived in the second of ten times its number. */
export const wal = (first: number, last: number, timeline = 1): string =>
  `15-1 ${segment(first, timeline)} ${segment(last, timeline)} ${seconds(first * 10)} ${seconds(last * 10)}`;

/** A full set from one segment to another, whose end is the second of ten times its last segment, less five. */
export function setAt(first: number, last: number, change: Partial<BackupSet> = {}): BackupSet {
  const stamp = at(first * 10)
    .toISOString()
    .replace(/[-:]/g, '')
    .slice(0, 15)
    .replace('T', '-');
  const timeline = Number.parseInt(change.startWal?.slice(0, 8) ?? '1', 16);
  return {
    ...{ label: `${stamp}F`, type: 'full', prior: null },
    ...{ startedAt: at(first * 10 - 5), stoppedAt: at(last * 10 - 5) },
    ...{
      startWal: segment(first, timeline),
      stopWal: segment(last, timeline),
      stopLsn: BigInt(last) * SEGMENT_BYTES + 256n,
    },
    ...{ clusterBytes: 1, newBytes: 1, hasErrors: false, clusterId: 1, tool: '2.45' },
    ...change,
  };
}

export const repositoryOf = (...sets: BackupSet[]): SetRepository => ({
  key: 1,
  exists: true,
  clusters: [{ id: 1, systemId: '7713656104600181068', version: '15', archive: '15-1' }],
  sets,
});
