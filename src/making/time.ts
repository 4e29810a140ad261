import type { Catalogue } from '../backups/catalogue.js';
import { isFuture } from '../backups/retention.js';

/**
 * The time of the new backup, in whole seconds: when the run began, but always later than the newest there is. The lock
 * orders the runs; a run that began earlier and waited, or in the same second, must not look like the older one.
 */
export function timeAfter(started: Date, { backups }: Catalogue): Date {
  const newest = backups.find((backup) => !isFuture(backup.createdAt, started))?.createdAt.getTime() ?? 0;
  return new Date(Math.max(Math.floor(started.getTime() / 1000), newest / 1000 + 1) * 1000);
}
