import { randomBytes } from 'node:crypto';
import { type Backup, isTrusted } from '../backups/catalogue.js';
import { formatId } from '../backups/names.js';
import { newestFirst, SAFETY_KEPT } from '../backups/retention.js';
import type { Database } from '../engines/database.js';
import { engineOf } from '../engines/lookup.js';
import type { Dump, Restoring, TargetPlan } from '../engines/restoring.js';
import { BackupError, describe } from '../errors.js';
import type { HostRequest } from '../host/session.js';
import { backupOf, manifestOf } from '../making/new-manifest.js';
import { timeAfter } from '../making/time.js';
import type { HostPlace } from '../places/host.js';
import { formatBytes } from '../reporting/format.js';
import { type Connection, warn } from '../run/connect.js';
import { holderOf } from '../run/directory.js';
import { encryptedBy, hasKeyFor } from '../run/keys.js';
import type { Run } from '../run/run.js';

/** After these the host may have been lost, which is another story than that no backup could be taken. */
const OF_THE_RUN = ['E_REMOTE_LOST', 'E_TIMEOUT', 'E_CANCELLED', 'E_LOCKED'];

/**
 * A verified, pinned backup of what is about to be replaced, published before anything is touched. Of a damaged database it may be a copy
 * of its files, marked as not verified. Throws E_SAFETY_BACKUP.
 */
export async function takeSafetyBackup(
  run: Run,
  connection: Connection,
  {
    database,
    restoring,
    damaged,
    level,
    without = [],
    from,
    host,
  }: {
    database: Database;
    restoring: Restoring;
    damaged: boolean;
    level: TargetPlan['safetyLevel'];
    without?: TargetPlan['safetyWithout'];
    from: string;
    host: HostPlace;
  },
): Promise<Backup> {
  const target = run.settings.restore.to ?? run.settings.database;
  const name =
    target === run.settings.database ? run.settings.name : (engineOf(target).nameOf(target) ?? 'restore-target');
  const settings = {
    ...run.settings,
    database: target,
    name,
    verify: level,
    // all that can be had, whatever backups leave out by request
    dump: { ...run.settings.dump, excludeTable: without, excludeTableData: [], schema: [] },
    pin: `safety backup before the restore of ${from}`.slice(0, 200),
  };
  const saving: Run = { ...run, settings, database };
  const started = run.now();
  const suffix = randomBytes(2).toString('hex');
  const createdAt = timeAfter(started, host.listed);
  const id = formatId(name, createdAt, suffix);
  try {
    const request: HostRequest =
      damaged && restoring.saveDamaged !== undefined
        ? restoring.saveDamaged(settings, id)
        : database.backup(settings, id, holderOf(run, id));
    const facts = await connection.send(['request', 'expect_work', [id]], request);
    const made = manifestOf(saving, { id, createdAt, started }, facts, await connection.hello, damaged);
    const pinned = made.pinned && { ...made.pinned, by: 'restore' as const };
    const backup = backupOf({ ...made, pinned, reason: 'safety' });
    if (run.report.restore !== null) run.report.restore.safetyBackupId = id;
    const { failure } = await host.publish(backup, name === run.settings.name ? outlived(host.listed.backups) : []);
    if (failure !== null) warn(run, `${failure.what}: ${describe(failure.error).message}`);
    run.log.info(`safety backup ${id}: ${formatBytes(made.bytes)}, pinned`);
    if (damaged) warn(run, `${id} holds the files of the damaged database as they are, and is marked as not verified`);
    return backup;
  } catch (error) {
    if (run.report.restore !== null && connection.said('published').length === 0) {
      run.report.restore.safetyBackupId = null;
    }
    const { code, message, hint } = describe(error);
    if (OF_THE_RUN.includes(code)) throw error;
    throw new BackupError(
      'E_SAFETY_BACKUP',
      `the safety backup failed (${code}): ${message}`,
      `${hint} Without a safety backup nothing is restored; \`safety-backup: false\` restores anyway.`,
    );
  }
}

/** Where the safety backup is the way back, this run can open it. Throws E_INPUT; warns of one that is less protected than what is restored. */
export function checkSafetyOpens(run: Run, { encryption }: Dump, { way, state }: TargetPlan): void {
  const { settings } = run;
  const { encryption: own, restore } = settings;
  if (!restore.safetyBackup || state === 'missing') return;
  if (own === null) {
    if (encryption === 'none') return;
    warn(
      run,
      'the backup to restore is encrypted, but the safety backup will not be: set `encrypt` here as in the workflow that makes the backups',
    );
  } else if (way === 'in-place' && !hasKeyFor(encryptedBy(settings), settings)) {
    throw new BackupError(
      'E_INPUT',
      'decryption-key: the live database is written in place, so the safety backup is the only way back, but this run could not open it',
      'Set `decryption-key` to the private key of one of `encryption-recipients`.',
    );
  }
}

/** Safety backups beyond the last three, this one counted; those that somebody pinned with a reason of his own stay. */
export function outlived(backups: readonly Backup[]): Backup[] {
  return backups
    .filter(isTrusted)
    .filter(({ manifest: { reason, pinned } }) => reason === 'safety' && (pinned === null || pinned.by === 'restore'))
    .sort(newestFirst)
    .slice(SAFETY_KEPT - 1);
}
