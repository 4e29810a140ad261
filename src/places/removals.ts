import type { Backup, Catalogue, Orphan } from '../backups/catalogue.js';
import { manifestFile, parseFileName } from '../backups/names.js';
import type { RetentionPlan } from '../backups/retention.js';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Run } from '../run/run.js';
import { showBackups } from './catalogue.js';

/** What a rotation deletes: what the plan drops, backups and what is left of some. */
export function removals({ decisions }: RetentionPlan, { backups, orphans }: Catalogue): (Backup | Orphan)[] {
  const dropped = new Set(decisions.filter((decision) => !decision.keep).map((decision) => decision.id));
  return [...backups.filter((backup) => dropped.has(backup.id)), ...orphans.filter((orphan) => dropped.has(orphan.id))];
}

/** The arguments of the host's `remove_units`: `--` and the files of each unit, the manifest first. */
export function removalArguments(units: readonly Pick<Orphan, 'files'>[]): string[] {
  return units.flatMap((unit) => ['--', ...unit.files]);
}

/** Puts into the report what is gone, by the names of the deleted files; `backups` is what there was, besides what has no manifest. */
export function showDeleted(run: Run, backups: readonly Backup[], deleted: readonly string[]): void {
  const files = new Set(deleted);
  const left = backups.filter((backup) => !files.has(manifestFile(backup.id)));
  showBackups(run, left);
  const known = new Set(backups.map(({ id }) => id));
  const swept = [...files].map((file) => parseFileName(file)?.id ?? '').filter((id) => id !== '' && !known.has(id));
  run.report.deleted = backups.length - left.length + new Set(swept).size;
}

/** Corrects the report to what the host has really deleted. Throws E_ROTATE with every file that could not be. */
export function checkRemovals(run: Run, backups: readonly Backup[], done: Facts): void {
  const undeleted = done.all('undeleted');
  if (undeleted.length === 0) return;
  showDeleted(run, backups, done.all('deleted'));
  run.report.ok = false;
  throw new BackupError(
    'E_ROTATE',
    `${undeleted.length} old ${undeleted.length === 1 ? 'file' : 'files'} could not be deleted: ${quoteOutside(undeleted.join('; '))}`,
    `${run.report.command === 'backup' ? 'The new backup is good and was kept. ' : ''}Look at the owner and the attributes of the file (\`lsattr\`); \`prune\` tries again.`,
  );
}
