import { type Backup, type Catalogue, covering } from '../backups/catalogue.js';
import { formatNamed } from '../backups/format.js';
import { sameDatabase, showIdentity } from '../backups/identity.js';
import { isDamagedCopy } from '../backups/manifest.js';
import { newestFirst } from '../backups/retention.js';
import { foreignDump, foreignRemarks } from '../engines/foreign-dump.js';
import { engineOf } from '../engines/lookup.js';
import type { Dump } from '../engines/restoring.js';
import { BackupError, describe } from '../errors.js';
import type { Facts } from '../host/session.js';
import { warnOfAlarms, warnOfSuspicion } from '../making/alarm.js';
import { backupsNamed, catalogueOf, factsOf, whole } from '../places/catalogue.js';
import { fetchToHost } from '../places/fetch.js';
import { allInStore, byIdInStore, hereOf, type InStore, inStore, lostInStore, named } from '../places/in-store.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { type Connection, warn } from '../run/connect.js';
import { look, lookLocked, openDirectory } from '../run/directory.js';
import type { Run } from '../run/run.js';
import type { Wanted } from '../settings/settings.js';
import type { Store } from '../stores/s3/store.js';

/** What is to be restored: the dump, what it is called, and what else there is. */
export interface Source {
  dump: Dump;
  from: string;
  catalogue: Catalogue;
}

/**
 * What is to be restored, found under the lock, with `dry-run` without it, and brought to the host when it is in a store. Throws
 * E_NOT_FOUND, E_CHECKSUM, E_TARGET_MISMATCH, E_S3_*.
 */
export async function chooseSource(run: Run, connection: Connection): Promise<Source> {
  const { settings, report } = run;
  const { wanted } = settings.restore;
  const looking = settings.dryRun ? look(run) : lookLocked(run, describeWanted(wanted));
  const facts = await connection.send(...openDirectory(run, settings.dryRun ? 'look' : 'create'), looking);
  const catalogue = catalogueOf(run, facts);
  if (wanted.by === 'file') {
    const found = await connection.send(['job', 'look_dump', [wanted.path]]);
    const dump = foreignDump(found, engineOf(settings.database));
    for (const remark of foreignRemarks(found)) warn(run, remark);
    return { dump, from: dump.file, catalogue };
  }
  if (wanted.by === 's3') {
    return inStore(run, wanted.bucket, async (store) => {
      const found = await named(run, store, wanted);
      return { ...(await fetched(run, connection, store, found, found.uri)), catalogue };
    });
  }
  const { backup, lost } =
    wanted.by === 'id' ? await byId(run, connection, wanted, catalogue, facts) : choose(run, wanted, catalogue);
  if (lost !== null && settings.s3 !== null && !settings.s3.onlyNamed) {
    const source = await instead(run, connection, wanted, { backup, lost, catalogue, facts });
    if (source !== null) return { ...source, catalogue };
  }
  if (backup === null) throw lost?.why ?? notFound(run, catalogue, 'there is no backup');
  if (backup.state === 'unverified') warn(run, `${backup.id} was never verified, or found damaged; it is checked now`);
  if (wanted.by === 'latest') warnOfAlarms(run, covering(catalogue.backups, null));
  else warnOfSuspicion(run, backup);
  report.backup = factsOf(run, backup);
  return { dump: dumpOf(await whole(connection, backup)), from: backup.id, catalogue };
}

/** What the host has, and what it should have and has lost. */
interface Choice {
  backup: Backup | null;
  lost: { ids: string[]; why: BackupError } | null;
}

/** What the host has lost, from the store; null when the store does not have it either and the host has something else. */
async function instead(
  run: Run,
  connection: Connection,
  wanted: Exclude<Wanted, { by: 'file' | 's3' }>,
  { backup, lost, catalogue, facts }: Choice & { catalogue: Catalogue; facts: Facts },
): Promise<Omit<Source, 'catalogue'> | null> {
  if (lost === null) return null;
  const name = wanted.by === 'id' ? wanted.name : run.settings.name;
  return inStore(run, null, async (store) => {
    const here = run.settings.restore.allowOtherTarget ? null : await hereOf(run, connection, facts);
    let there = await lostInStore(run, store, name, lost.ids);
    if (wanted.by !== 'id' && backup === null && there.length === 0) {
      // the oldest one of a deploy counts, so all have to be looked at
      there = await allInStore(run, store, here, (one) => wanted.by === 'latest' && isLatest(one));
    }
    const known = [...catalogue.backups.filter(isGood), ...there.flatMap((one) => one.backup ?? [])];
    const best = wanted.by === 'id' ? there[0]?.backup : pick(wanted, known);
    const found = there.find((one) => one.backup === best);
    if (found === undefined) {
      if (backup !== null) return null;
      const { code, message, hint } = lost.why;
      throw new BackupError(code, `${message}, nor in ${store.uriOf(store.keyOf(name, ''))}/`, hint);
    }
    warn(
      run,
      `${lost.why.message}: ${found.backup?.id}, made on ${quoteOutside(found.backup?.manifest.host ?? '', 200)}, is taken from ${found.uri}`,
    );
    return fetched(run, connection, store, found, found.backup?.id ?? found.uri);
  }).catch((error: unknown) => {
    if (backup === null || !(error instanceof BackupError) || !error.code.startsWith('E_S3_')) throw error;
    warn(run, `${lost.why.message}; whether the store has it is not known: ${error.message}`);
    return null;
  });
}

/** What the host has only damaged, as its bytes have shown, from the store. Rethrows what is something else, or is not there either. */
export async function insteadOfDamaged(
  run: Run,
  connection: Connection,
  source: Source,
  error: unknown,
): Promise<Source> {
  const { s3 } = run.settings;
  const { manifest, file } = source.dump;
  const isOfHost = manifest !== null && file === manifest.file;
  if (!(error instanceof BackupError) || error.code !== 'E_CHECKSUM' || !isOfHost || s3 === null || s3.onlyNamed) {
    throw error;
  }
  return inStore(run, null, async (store) => {
    const found = await byIdInStore(run, store, manifest.name, manifest.id).catch((second: unknown) => {
      warn(run, `whether the store has ${manifest.id} is not known: ${describe(second).message}`);
      return null;
    });
    if (found?.backup?.manifest.sha256 !== manifest.sha256) throw error;
    warn(run, `${error.message}: ${manifest.id} is taken from ${found.uri}`);
    return { ...source, ...(await fetched(run, connection, store, found, source.from)) };
  });
}

/** From the store to the host, as what is to be restored. */
async function fetched(
  run: Run,
  connection: Connection,
  store: Store,
  found: InStore,
  from: string,
): Promise<Omit<Source, 'catalogue'>> {
  const { backup, uri } = found;
  if (backup !== null) {
    const { manifest } = backup;
    if (manifest.name !== run.settings.name && !run.settings.restore.allowOtherTarget) {
      throw otherDatabase(
        `${manifest.id} is a backup of ${showIdentity(manifest.identity)}, not of ${run.settings.database.given}`,
      );
    }
    refuseDamagedCopy(backup);
    if (backup.state === 'unverified')
      warn(run, `${backup.id} was never verified when it was copied; it is checked now`);
    warnOfSuspicion(run, backup);
    run.report.backup = { ...factsOf(run, backup), path: uri };
    const file = await fetchToHost(run, connection, store, found);
    return { dump: { ...dumpOf(backup), file }, from };
  }
  const file = await fetchToHost(run, connection, store, found);
  try {
    const facts = await connection.send(['job', 'look_dump', [file]]);
    return { dump: foreignDump(facts, engineOf(run.settings.database)), from };
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    throw new BackupError(error.code, error.message.replaceAll(file, uri), error.hint.replaceAll(file, uri));
  }
}

/** As the log and the lock tell it. */
export function describeWanted(wanted: Wanted): string {
  if (wanted.by === 'id') return wanted.id;
  if (wanted.by === 'deploy') return `before-deploy:${wanted.sha}`;
  if (wanted.by === 's3') return `s3://${wanted.bucket}/${wanted.key}`;
  return wanted.by === 'file' ? wanted.path : 'latest';
}

/** A backup as what is to be restored. */
export function dumpOf({ manifest }: Pick<Backup, 'manifest'>): Dump {
  const { file, kind, compression, sha256, bytes, databaseBytes } = manifest;
  return { file, kind, compression, sha256, bytes, databaseBytes, manifest };
}

async function byId(
  run: Run,
  connection: Connection,
  { id, name }: Extract<Wanted, { by: 'id' }>,
  catalogue: Catalogue,
  facts: Facts,
): Promise<Choice> {
  const { settings } = run;
  const own = catalogue.backups.find((backup) => backup.id === id);
  if (own !== undefined) return usable(own);
  const there = name === settings.name ? facts : await connection.send(['job', 'look', [name, '']]);
  const other = backupsNamed(run, name, there).find((backup) => backup.id === id);
  if (other === undefined) {
    const broken = catalogue.unreadable.find((unit) => unit.id === id);
    const why =
      broken === undefined
        ? notFound(run, catalogue, `there is no backup ${id} in ${run.report.directory}`)
        : new BackupError('E_MANIFEST', broken.why, 'Nothing was restored.');
    return { backup: null, lost: { ids: [id], why } };
  }
  if (!settings.restore.allowOtherTarget) {
    throw otherDatabase(
      `${id} is a backup of ${showIdentity(other.manifest.identity)}, not of ${settings.database.given}`,
    );
  }
  return usable(other);
}

/** A partial one does not bring everything back: it is restored by its id alone. */
const isGood = ({ state, manifest }: Backup): boolean => state === 'ok' && (manifest.coverage ?? null) === null;

/** A safety backup is the state that somebody wanted to leave. */
const isLatest = (backup: Backup): boolean => isGood(backup) && backup.manifest.reason !== 'safety';

type Described = Exclude<Wanted, { by: 'id' | 'file' | 's3' }>;

/** The one of these that is meant. */
function pick(wanted: Described, backups: readonly Backup[]): Backup | null {
  const good = backups.filter(isGood).sort(newestFirst);
  if (wanted.by === 'latest') return good.find(isLatest) ?? null;
  // A deploy that is run again takes another backup, of what it did the first time; so does the nightly one at that commit.
  const first = good.findLast(
    ({ manifest: { github, reason } }) =>
      github?.sha.startsWith(wanted.sha) && reason !== 'safety' && reason !== 'scheduled',
  );
  return first ?? null;
}

function choose(run: Run, wanted: Described, catalogue: Catalogue): Choice {
  const backup = pick(wanted, catalogue.backups);
  const gone = [...catalogue.backups.filter(({ state }) => state === 'damaged'), ...catalogue.unreadable]
    // what is older than the newest does not matter to `latest`
    .filter(({ createdAt }) => wanted.by === 'deploy' || backup === null || createdAt > backup.createdAt)
    .map(({ id }) => id);
  if (backup !== null && gone.length === 0) return { backup, lost: null };
  const { name } = run.settings;
  const none = notFound(
    run,
    catalogue,
    wanted.by === 'latest'
      ? `there is no verified backup of ${name} in ${run.report.directory}`
      : `no verified backup of ${name} was taken by a deploy of the commit ${wanted.sha}`,
  );
  if (backup === null) return { backup, lost: { ids: gone, why: none } };
  const message = `${gone.slice(0, 3).join(', ')} in ${run.report.directory} ${gone.length === 1 ? 'is' : 'are'} damaged or without a manifest`;
  return { backup, lost: { ids: gone, why: new BackupError('E_CHECKSUM', message) } };
}

/** Bytes that are missing can not be restored; what was never verified is checked on the way. */
function usable(backup: Backup): Choice {
  if (backup.state === 'damaged') {
    const why = new BackupError(
      'E_CHECKSUM',
      `${backup.id} is damaged: ${backup.detail}`,
      'Choose another backup: `command: list` shows them. Nothing was restored.',
    );
    return { backup: null, lost: { ids: [backup.id], why } };
  }
  refuseDamagedCopy(backup);
  return { backup, lost: null };
}

function refuseDamagedCopy(backup: Backup): void {
  if (!isDamagedCopy(backup.manifest)) return;
  throw new BackupError(
    'E_SOURCE_INVALID',
    `${backup.id} holds the files of a damaged database, byte by byte, and is no backup that can be restored`,
    `${formatNamed(backup.manifest.engine).damaged?.advice ?? ''} Nothing was restored.`,
  );
}

function notFound(run: Run, catalogue: Catalogue, message: string): BackupError {
  const newest = catalogue.backups.slice(0, 5).map(({ id }) => id);
  const partial = catalogue.backups.find(
    ({ state, manifest }) => state === 'ok' && (manifest.coverage ?? null) !== null,
  );
  const suspect = catalogue.backups.find(({ state }) => state === 'suspect');
  const byId = [
    ...(partial === undefined ? [] : [`${partial.id} does not cover everything and is restored by its id alone. `]),
    ...(suspect === undefined ? [] : [`${suspect.id} is suspect: \`command: accept\` makes it a good one. `]),
  ].join('');
  return new BackupError(
    'E_NOT_FOUND',
    message,
    `${byId}${newest.length === 0 ? `There is no backup of ${run.settings.name} at all` : `The newest ${newest.length === 1 ? 'is' : 'are'} ${newest.join(', ')}`}; \`command: list\` shows every one. Nothing was restored.`,
  );
}

/** The database that would be replaced is the one that the backup was made of, or that is meant. Throws E_TARGET_MISMATCH. */
export function checkTarget(run: Run, dump: Dump, target: string, identity: Parameters<typeof sameDatabase>[0]): void {
  if (dump.manifest === null || run.settings.restore.allowOtherTarget) return;
  if (sameDatabase(dump.manifest.identity, identity)) return;
  throw otherDatabase(
    `${dump.manifest.id} is a backup of ${showIdentity(dump.manifest.identity)}, and ${target} is ${showIdentity(identity)}`,
  );
}

function otherDatabase(message: string): BackupError {
  return new BackupError(
    'E_TARGET_MISMATCH',
    message,
    'If it is meant, for example to fill a staging database, set `allow-other-target: true`. Nothing was changed.',
  );
}
