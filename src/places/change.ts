import type { Backup, Catalogue, Orphan } from '../backups/catalogue.js';
import { newestFirst } from '../backups/retention.js';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import type { Connection } from '../run/connect.js';
import { connectedToChange, look, lookLocked, openDirectory, statusOf } from '../run/directory.js';
import type { Run } from '../run/run.js';
import { catalogueOf } from './catalogue.js';
import { checkRemovals, removalArguments, showDeleted } from './removals.js';

/** What a command wants changed, decided from the catalogue while the lock is held. */
export interface Change {
  /** A manifest to write anew, and the backup as it is then. */
  rewrite?: { file: string; text: string; backup: Backup };
  remove?: (Backup | Orphan)[];
  /** What follows when that is done. */
  after?: () => Promise<void>;
}

/** What a command decides from. */
export interface Found {
  catalogue: Catalogue;
  facts: Facts;
  connection: Connection;
}

/** Reads the catalogue under the lock, asks `decide`, carries it out; with `dry-run`, reads and asks only. */
export async function change(run: Run, decide: (found: Found) => Change | Promise<Change>): Promise<void> {
  const { settings, report } = run;
  await connectedToChange(run, async (connection) => {
    const facts = settings.dryRun
      ? await connection.send(...openDirectory(run, 'look'), look(run))
      : await connection.send(...openDirectory(run, 'change'), lookLocked(run, settings.backup ?? settings.name));
    const catalogue = catalogueOf(run, facts);
    // it may adopt what has lost its manifest, which is a backup then
    const { rewrite, remove = [], after } = await decide({ catalogue, facts, connection });
    report.ok = after === undefined || settings.dryRun;
    if (settings.dryRun) return;
    const removed = removalArguments(remove);
    const backups = catalogue.backups.map((old) => (old.id === rewrite?.backup.id ? rewrite.backup : old));
    showDeleted(run, backups, removed);
    const done = await connection
      .send(['job', 'change', [statusOf(run), rewrite?.file ?? '', rewrite?.text ?? '', ...removed]])
      .catch((error: unknown) => {
        showDeleted(run, catalogue.backups, connection.said('deleted'));
        throw error;
      });
    checkRemovals(run, backups, done);
    if (after === undefined) return;
    await after();
    report.ok = true;
    await connection.send(['job', 'put_status', [statusOf(run)]]);
  });
}

/** The backup that the input `backup` names; throws E_NOT_FOUND. */
export function find(run: Run, catalogue: Catalogue): Backup {
  const wanted = run.settings.backup;
  const found = catalogue.backups.find((backup) => backup.id === wanted);
  if (found !== undefined) return found;
  throw notFound(run, catalogue.backups, run.report.directory);
}

export function notFound(run: Run, backups: readonly Backup[], where: string): BackupError {
  const newest = [...new Set(backups.toSorted(newestFirst).map((backup) => backup.id))].slice(0, 5);
  return new BackupError(
    'E_NOT_FOUND',
    `there is no backup ${run.settings.backup} of ${run.settings.database.given} in ${where}`,
    `${newest.length === 0 ? 'There is none at all' : `The newest are ${newest.join(', ')}`}; \`command: list\` shows every one. Nothing was changed.`,
  );
}
