import type { Settings } from '../../settings/settings.js';
import type { SetRepository, SetType } from './sets.js';

/**
 * Which type of backup is made, and why. With `auto` a full one when there is none of this cluster, or the last is older than `full-every`,
 * or has damaged pages; pgBackRest would make a full one of the others as well where there is none.
 */
export function chooseType(
  { backupType, fullEveryMs }: Pick<Settings, 'backupType' | 'fullEveryMs'>,
  repository: SetRepository | null,
  now: Date,
): { type: SetType; why: string } {
  const cluster = repository?.clusters.at(-1)?.id;
  const full = repository?.sets.filter(({ type, clusterId }) => type === 'full' && clusterId === cluster).at(-1);
  if (full === undefined) return { type: 'full', why: 'there is no full backup of this cluster' };
  if (backupType !== 'auto') return { type: backupType, why: 'asked for' };
  if (full.hasErrors) return { type: 'full', why: 'the last full backup has damaged pages' };
  const isOld = now.getTime() - full.startedAt.getTime() >= fullEveryMs;
  return isOld
    ? { type: 'full', why: 'the last full backup is older than full-every' }
    : { type: 'incr', why: 'the last full backup is young enough' };
}
