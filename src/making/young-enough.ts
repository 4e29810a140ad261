import { alarmsIn, type Backup, covering, newestVerified } from '../backups/catalogue.js';
import { coverageOf } from '../backups/coverage.js';
import { isAtLeast } from '../backups/manifest.js';
import { isEncryptedAlike } from '../backups/packing.js';
import { BackupError } from '../errors.js';
import { copyTo } from '../places/copy.js';
import { HostPlace } from '../places/host.js';
import { factsOf } from '../places/shown.js';
import { withStorePlace } from '../places/with-store.js';
import { formatAge } from '../reporting/format.js';
import type { Connection } from '../run/connect.js';
import { encryptedBy } from '../run/keys.js';
import type { Run } from '../run/run.js';

/** Of these the newest good one that is all that a new one would be, and not older than that; null: another has to be taken. */
export function youngEnough({ settings, now, log }: Run, backups: readonly Backup[], ageMs: number): Backup | null {
  const usable = covering(backups, coverageOf(settings.dump));
  // A safety backup is the state that somebody wanted to leave.
  const newest = newestVerified(
    usable.filter(
      ({ manifest }) =>
        manifest.reason !== 'safety' &&
        isAtLeast(manifest.verified.level, settings.verify) &&
        isEncryptedAlike(manifest.encryption, encryptedBy(settings)),
    ),
  );
  if (newest === null || now().getTime() - newest.createdAt.getTime() > ageMs) return null;
  if (alarmsIn(usable).length === 0) return newest;
  log.info(`${newest.id} is young enough, but a newer backup is suspect: taking another one`);
  return null;
}

/**
 * Whether there is such a backup on the host. Its bytes are hashed, and it is copied off-site when the store lacks it. Throws E_CHECKSUM,
 * E_S3_*.
 */
export async function isYoungEnough(run: Run, connection: Connection, ageMs: number): Promise<boolean> {
  const { settings, log, report } = run;
  const host = await HostPlace.open(run, connection, 'look');
  const newest = youngEnough(run, host.listed.backups, ageMs);
  if (newest === null) {
    report.problems = []; // the same catalogue is read again, under the lock
    return false;
  }
  const hashed = await connection.send(['job', 'hash_file', [newest.manifest.file]]);
  if (hashed.need('sha256') !== newest.manifest.sha256) {
    throw new BackupError(
      'E_CHECKSUM',
      `${newest.manifest.file} is young enough, but its SHA-256 is ${hashed.need('sha256')}, and its manifest says ${newest.manifest.sha256}`,
      'Do not rely on that backup. Check the disk. To take a new backup, remove `skip-if-younger-than`.',
    );
  }
  const { manifest } = await host.whole(newest);
  report.backup = factsOf(run, newest);
  // made anew: what the manifest on the host says is not for us to recommend
  report.recovery = run.database.recovery(manifest, report.directory, settings);
  if (!settings.dryRun) run.left = 'backup-stays';
  await withStorePlace(run, host, async (store) => {
    if (store === null) return;
    if (settings.dryRun) log.info(`would copy it to ${store.uri}, unless it is already there`);
    else await copyTo(run, connection, store, manifest, async () => manifest);
  });
  const age = formatAge(run.now().getTime() - newest.createdAt.getTime());
  report.skipped = `no new backup was needed: ${newest.id} is ${age} old, and its bytes match its manifest`;
  report.ok = true;
  log.info(report.skipped);
  return true;
}
