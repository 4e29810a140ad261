import type { BackupSet, SetRepository } from '../../../src/engines/physical/sets.js';

/** The label of a backup that began at an ISO time, where the host is at UTC; of a diff or incr after that of its full one. */
export function labelAt(time: string, type: BackupSet['type'] = 'full', full = ''): string {
  const digits = time.replace(/[-:Z]/g, '').replace('T', '-');
  return type === 'full' ? `${digits}F` : `${full}_${digits}${type === 'diff' ? 'D' : 'I'}`;
}

/** A set of one segment, without errors, of the first cluster. */
export function setAt(time: string, change: Partial<BackupSet> = {}): BackupSet {
  const startedAt = new Date(time);
  return {
    label: labelAt(time),
    ...{ type: 'full', prior: null },
    startedAt,
    stoppedAt: new Date(startedAt.getTime() + 60_000),
    ...{ startWal: '000000010000000000000002', stopWal: '000000010000000000000002', stopLsn: 0x2_00_01_00n },
    ...{ clusterBytes: 1000, newBytes: 100, hasErrors: false, clusterId: 1, tool: '2.45' },
    ...change,
  };
}

/** With clusters of the ids 1 to `clusters`. */
export function repositoryOf(sets: BackupSet[], clusters = 1): SetRepository {
  return {
    ...{ key: 1, exists: true, sets },
    clusters: Array.from({ length: clusters }, (_, index) => ({
      ...{ id: index + 1, systemId: `771365610460018106${index}`, version: '15', archive: `15-${index + 1}` },
    })),
  };
}
