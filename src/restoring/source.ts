import { type Backup, covering, isTrusted } from '../backups/catalogue.js';
import { formatNamed } from '../backups/format.js';
import { sameDatabase, showIdentity } from '../backups/identity.js';
import { isDamagedCopy } from '../backups/manifest.js';
import { foreignDump, foreignRemarks } from '../engines/foreign-dump.js';
import { engineOf } from '../engines/lookup.js';
import { type Dump, dumpOf } from '../engines/restoring.js';
import { BackupError, describe } from '../errors.js';
import { warnOfAlarms, warnOfSuspicion } from '../making/alarm.js';
import { fetchToHost } from '../places/fetch.js';
import { find } from '../places/find.js';
import { HostPlace } from '../places/host.js';
import type { Fetchable } from '../places/in-store.js';
import { factsOf } from '../places/shown.js';
import type { StorePlace } from '../places/store.js';
import { withNamed, withSpare } from '../places/with-store.js';
import { type Connection, warn } from '../run/connect.js';
import { needKeyFor } from '../run/keys.js';
import type { Run } from '../run/run.js';
import type { Wanted } from '../settings/settings.js';

/** What is to be restored: the dump, what it is called, and what else there is. */
export interface Source {
  dump: Dump;
  from: string;
  host: HostPlace;
}

/**
 * What is to be restored, found under the lock, with `dry-run` without it, and brought to the host when it is in a store. Throws
 * E_NOT_FOUND, E_CHECKSUM, E_TARGET_MISMATCH, E_S3_*.
 */
export async function chooseSource(run: Run, connection: Connection): Promise<Source> {
  const { settings } = run;
  const { wanted } = settings.restore;
  const host = await HostPlace.open(run, connection, settings.dryRun ? 'look' : 'create', describeWanted(wanted));
  if (wanted.by === 'file') {
    const found = await connection.send(['job', 'look_dump', [wanted.path]]);
    const dump = foreignDump(found, engineOf(settings.database));
    for (const remark of foreignRemarks(found)) warn(run, remark);
    if (settings.signing !== null) {
      warn(run, UNSIGNED_FILE);
    }
    return { dump, from: dump.file, host };
  }
  if (wanted.by === 's3') {
    return withNamed(run, host, wanted, async (store, found) => fetched(run, host, store, found, found.uri));
  }
  return withSpare(run, host, async (store) => {
    const { repository } = run.database;
    if (repository !== undefined && wanted.by === 'latest') return aimed(run, host, null);
    const { backup, spare } = await find(run, wanted, host, store);
    if (repository !== undefined) return aimed(run, host, backup);
    if (spare !== null && store !== null) return fetched(run, host, store, spare, backup.id);
    const isOther = !host.listed.backups.includes(backup);
    if (isOther && !settings.restore.allowOtherTarget) throw otherThan(run, backup);
    refuseDamagedCopy(backup);
    if (backup.state === 'unverified')
      warn(run, `${backup.id} was never verified, or was found damaged; it is checked now`);
    if (wanted.by === 'latest') warnOfAlarms(run, covering(host.listed.backups, null));
    else warnOfSuspicion(run, backup);
    run.report.backup = factsOf(run, backup);
    return { dump: dumpOf(await host.whole(backup)), from: backup.id, host };
  });
}

/** A set, and the moment to which it is recovered. Throws E_NOT_FOUND. */
function aimed(run: Run, host: HostPlace, named: Backup | null): Source {
  const { repository } = run.database;
  const { backups } = host.listed;
  if (repository === undefined) throw new BackupError('E_INTERNAL', 'there is no repository');
  const { restoreTime } = run.settings;
  const { backup, aim } = repository.aim(host.sets, { backups, backup: named, restoreTime, now: run.now() });
  if (named === null) warnOfAlarms(run, covering(backups, null));
  else warnOfSuspicion(run, backup);
  if (backup.state === 'unverified') warn(run, `${backup.id} was never verified`);
  run.report.backup = factsOf(run, backup);
  return { dump: { ...dumpOf(backup), aim }, from: backup.id, host };
}

/** What the host has only damaged, as its bytes have shown, from the store. Rethrows what is something else, or is not there either. */
export async function insteadOfDamaged(run: Run, { dump, from, host }: Source, error: unknown): Promise<Source> {
  const { manifest, file } = dump;
  if (!(error instanceof BackupError) || error.code !== 'E_CHECKSUM' || file !== manifest?.file) throw error;
  return withSpare(run, host, async (store) => {
    const found = await store?.one(manifest.id).catch((second: unknown) => {
      warn(run, `could not check whether the store has ${manifest.id}: ${describe(second).message}`);
      return null;
    });
    if (!store || found?.backup.manifest.sha256 !== manifest.sha256 || !isTrusted(found.backup)) throw error;
    warn(run, `${error.message}: using ${manifest.id} from ${found.uri} instead`);
    return fetched(run, host, store, found, from);
  });
}

/** From the store to the host, as what is to be restored. */
async function fetched(run: Run, host: HostPlace, store: StorePlace, found: Fetchable, from: string): Promise<Source> {
  const { backup, uri } = found;
  const { connection } = host;
  if (backup !== null) {
    if (backup.manifest.name !== run.settings.name && !run.settings.restore.allowOtherTarget) {
      throw otherThan(run, backup);
    }
    refuseDamagedCopy(backup);
    needKeyFor(from, backup.manifest.encryption, run.settings); // before gigabytes are fetched for nothing
    if (backup.state === 'unverified')
      warn(run, `${backup.id} was never verified when it was copied; it is checked now`);
    warnOfSuspicion(run, backup);
    run.report.backup = { ...factsOf(run, backup), path: uri };
    const file = await fetchToHost(run, connection, store, found);
    return { dump: { ...dumpOf(backup), file }, from, host };
  }
  const file = await fetchToHost(run, connection, store, found);
  const facts = await connection.send(['job', 'look_dump', [file]]);
  return { dump: foreignDump(facts, engineOf(run.settings.database), uri), from, host };
}

/** Of a dump that this action did not make, to those whose backups are signed. */
export const UNSIGNED_FILE =
  'a file that is named by its path has no signature, so nothing shows who made it. Name your own backups by their id';

/** As the log and the lock tell it. */
function describeWanted(wanted: Wanted): string {
  if (wanted.by === 'id') return wanted.id;
  if (wanted.by === 'deploy') return `before-deploy:${wanted.sha}`;
  if (wanted.by === 's3') return `s3://${wanted.bucket}/${wanted.key}`;
  return wanted.by === 'file' ? wanted.path : 'latest';
}

function refuseDamagedCopy(backup: Backup): void {
  if (!isDamagedCopy(backup.manifest)) return;
  throw new BackupError(
    'E_SOURCE_INVALID',
    `${backup.id} holds the raw files of a damaged database, and cannot be restored`,
    `${formatNamed(backup.manifest.engine).damaged?.advice ?? ''}`,
  );
}

/** The database that would be replaced is the one that the backup was made of, or that is meant. Throws E_TARGET_MISMATCH. */
export function checkTarget(run: Run, dump: Dump, target: string, identity: Parameters<typeof sameDatabase>[0]): void {
  if (dump.manifest === null || run.settings.restore.allowOtherTarget) return;
  if (sameDatabase(dump.manifest.identity, identity)) return;
  throw otherDatabase(
    `${dump.manifest.id} is a backup of ${showIdentity(dump.manifest.identity)}, but ${target} is ${showIdentity(identity)}`,
  );
}

const otherThan = ({ settings }: Run, { manifest }: Backup): BackupError =>
  otherDatabase(`${manifest.id} is a backup of ${showIdentity(manifest.identity)}, not of ${settings.database.given}`);

function otherDatabase(message: string): BackupError {
  return new BackupError(
    'E_TARGET_MISMATCH',
    message,
    'If you mean it, for example to fill a staging database, set `allow-other-target: true`.',
  );
}
