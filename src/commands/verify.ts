import { randomBytes } from 'node:crypto';
import { type Backup, type Catalogue, standingOf, wholeOrAll } from '../backups/catalogue.js';
import { showCoverage } from '../backups/coverage.js';
import { isDamagedCopy, type Manifest, serializeManifest, VERIFIED_LEVELS } from '../backups/manifest.js';
import { formatId, manifestFile } from '../backups/names.js';
import { isFuture, newestFirst } from '../backups/retention.js';
import { BackupError, describe } from '../errors.js';
import type { Facts, HostRequest } from '../host/session.js';
import { warnOfAlarms } from '../making/alarm.js';
import { catalogueOf, factsOf, showBackups, whole } from '../places/catalogue.js';
import { notFound } from '../places/change.js';
import { fetchToHost, fetchToRunner } from '../places/fetch.js';
import { allInStore, byIdInStore, hereOf, type InStore, inStore, named } from '../places/in-store.js';
import { checkAsserts } from '../proving/asserts.js';
import { proveOnRunner, pull } from '../proving/on-runner.js';
import { formatDuration } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { type Connection, warn } from '../run/connect.js';
import { connectedToChange, look, lookLocked, openDirectory, statusOf } from '../run/directory.js';
import type { Run } from '../run/run.js';
import type { Store } from '../stores/s3/store.js';

/**
 * Proves one existing backup at the level asked for, and records the level and the time in its manifest on the host. One that turns out
 * to be damaged there is recorded as not verified, so that retention does not count on it. One that the host has lost is taken from the
 * store, where nothing is ever overwritten, so that nothing is recorded there.
 */
export async function verify(run: Run): Promise<void> {
  const { settings, report } = run;
  const { s3, backupInStore: located, dryRun } = settings;
  await connectedToChange(run, async (connection) => {
    const looking = dryRun ? look(run) : lookLocked(run, settings.backup ?? settings.name);
    const facts = await connection.send(...openDirectory(run, dryRun ? 'look' : 'change'), looking);
    const catalogue = catalogueOf(run, facts);
    if (located !== null) {
      await inStore(run, located.bucket, async (store) => {
        await proveStored(run, connection, { catalogue, facts }, store, await named(run, store, located));
      });
    } else {
      const { backup, lost } = chosen(run, catalogue);
      const isFound = lost !== null && s3 !== null && (await proveInstead(run, connection, { catalogue, facts }, lost));
      if (!isFound) {
        if (backup === null) throw lost?.why ?? new BackupError('E_NOT_FOUND', 'there is no backup');
        const isProven = await proveCopy(run, connection, { catalogue, facts }, backup);
        if (!isProven) await proveHere(run, connection, catalogue, backup);
      }
    }
    report.ok = true;
  });
}

/** With `verify-on: runner` the copy in the store spares the host, when there is one of the same bytes. False when there is none. */
async function proveCopy(run: Run, connection: Connection, onHost: OnHost, backup: Backup): Promise<boolean> {
  const { s3, verifyOn, name } = run.settings;
  if (verifyOn !== 'runner' || s3 === null || s3.onlyNamed || backup.state === 'damaged') return false;
  return inStore(run, null, async (store) => {
    const found = await byIdInStore(run, store, name, backup.id).catch((error: unknown) => {
      run.signal.throwIfAborted();
      warn(run, `${backup.id} is pulled from the host; the store did not help: ${describe(error).message}`);
      return null;
    });
    if (found?.backup?.manifest.sha256 !== backup.manifest.sha256) return false;
    await proveStored(run, connection, onHost, store, found);
    return true;
  });
}

async function proveHere(run: Run, connection: Connection, catalogue: Catalogue, listed: Backup): Promise<void> {
  const { report } = run;
  const backup = await whole(connection, listed);
  report.backup = factsOf(run, backup);
  if (!tellWhich(run, backup.id)) return;
  try {
    const proof = await prove(run, backup, {
      onHost: async (request) => connection.send(...request(backup.manifest)),
      pull: (to) => pull(run, connection, backup.manifest, to),
    });
    const isMore = VERIFIED_LEVELS.indexOf(proof.level) >= VERIFIED_LEVELS.indexOf(backup.manifest.verified.level);
    await record(run, connection, catalogue, backup, isMore ? proof : backup.manifest.verified);
  } catch (error) {
    if (error instanceof BackupError && DAMAGED.includes(error.code) && !report.ok) {
      await record(run, connection, catalogue, backup, { level: 'none', at: run.now().toISOString() }).catch(() => {
        warn(run, `that ${backup.id} is damaged could not be recorded in its manifest`);
      });
    }
    throw error;
  }
}

/** What the host had to show. */
interface OnHost {
  catalogue: Catalogue;
  facts: Facts;
}

const isToProve = ({ state, manifest }: Backup): boolean => state !== 'suspect' && (manifest.coverage ?? null) === null;

/** A whole one, else one that is partial, where there is no other. `all` is newest first. */
function newestToProve(all: readonly InStore[]): InStore | undefined {
  const whole = all.find(({ backup }) => backup !== null && isToProve(backup));
  return whole ?? all.find(({ backup }) => backup !== null && backup.state !== 'suspect');
}

/** The same of what the host has lost; false when the store does not have it either. */
async function proveInstead(run: Run, connection: Connection, onHost: OnHost, { id, why }: Lost): Promise<boolean> {
  const { settings } = run;
  if (settings.s3?.onlyNamed) return false;
  return inStore(run, null, async (store) => {
    const looking =
      id === null
        ? allInStore(run, store, await hereOf(run, connection, onHost.facts), isToProve).then((all) =>
            newestToProve(all),
          )
        : byIdInStore(run, store, settings.name, id);
    const found = await looking.catch((error: unknown) => {
      const { code, message, hint } = why;
      throw new BackupError(code, `${message}; and the store did not help: ${describe(error).message}`, hint);
    });
    if (!found?.backup) return false;
    if (settings.backup === null) checkAge(run, found.backup.createdAt);
    const { id: taken, manifest } = found.backup;
    warn(run, `${why.message}: ${taken}, made on ${quoteOutside(manifest.host, 200)}, is taken from ${found.uri}`);
    await proveStored(run, connection, onHost, store, found);
    return true;
  });
}

async function proveStored(
  run: Run,
  connection: Connection,
  { catalogue, facts }: OnHost,
  store: Store,
  found: InStore,
): Promise<void> {
  const { backup, uri } = found;
  if (backup === null) {
    throw new BackupError(
      'E_MANIFEST',
      `${uri} has no manifest beside it, so nothing tells what it should hold`,
      '`command: verify` proves backups that this action made. `command: restore` takes any dump.',
    );
  }
  run.report.backup = { ...factsOf(run, backup), path: uri };
  if (!tellWhich(run, uri)) return;
  let fetched: string | null = null;
  const proof = await prove(run, backup, {
    onHost: async (request) => {
      // what is fetched has to lie somewhere
      if (facts.get('missing') !== null) await connection.send(...openDirectory(run, 'create'), lookLocked(run, uri));
      fetched = await fetchToHost(run, connection, store, found);
      return connection.send(...request({ ...backup.manifest, file: fetched }));
    },
    pull: (to) => fetchToRunner(run, store, found, to),
  }).catch((error: unknown) => {
    if (!(error instanceof BackupError)) throw error;
    const message = fetched === null ? error.message : error.message.replaceAll(fetched, uri);
    const hint = DAMAGED.includes(error.code)
      ? 'Do not rely on that copy; take another backup. It is left as it is, and so is what the host has.'
      : error.hint;
    throw new BackupError(error.code, message, hint, { cause: error });
  });
  run.report.backup.verifiedLevel = proof.level;
  // What was proven are the bytes of the store: a backup whose own were found damaged does not become good by that.
  const own = catalogue.backups.find(({ id }) => id === backup.id);
  if ((own?.state === 'ok' || own?.state === 'suspect') && own.manifest.sha256 === backup.manifest.sha256) {
    const isMore = VERIFIED_LEVELS.indexOf(proof.level) >= VERIFIED_LEVELS.indexOf(own.manifest.verified.level);
    await record(run, connection, catalogue, await whole(connection, own), isMore ? proof : own.manifest.verified);
    return;
  }
  run.log.info(
    'the level is recorded nowhere: the host does not have this backup, and nothing in the store is overwritten',
  );
}

/** False when it is not to be done. */
function tellWhich({ settings, log }: Run, what: string): boolean {
  log.info(`${settings.dryRun ? 'would verify' : 'verifying'} ${what}, level ${settings.verify}`);
  return !settings.dryRun;
}

/** How the bytes get to where the proof is made. */
interface Bytes {
  onHost: (request: (manifest: Manifest) => HostRequest[]) => Promise<Facts>;
  /** Into a new file of the runner. */
  pull: (to: string) => Promise<void>;
}

async function prove(run: Run, { id, manifest }: Backup, { onHost, pull }: Bytes): Promise<Manifest['verified']> {
  const { settings, database, log, report } = run;
  const started = performance.now();
  const work = formatId(settings.name, run.now(), randomBytes(2).toString('hex'));
  const facts = await log.group(`Verify ${id}`, () =>
    settings.verifyOn === 'runner'
      ? proveOnRunner(run, manifest, work, pull)
      : onHost((there) => [['request', 'expect_work', [work]], database.verify(settings, there)]),
  );
  database.checkProof(facts, manifest);
  report.tables = manifest.content?.tables ?? [];
  report.tablesLeftOut = manifest.content?.tablesLeftOut ?? 0;
  if (settings.verify === 'restore') checkAsserts(settings.asserts, facts);
  const ms = Math.round(performance.now() - started);
  log.info(
    `${id} is intact: ${settings.verify} verified in ${formatDuration(ms)}${settings.verifyOn === 'runner' ? ' on the runner' : ''}`,
  );
  report.ok = true;
  return { level: settings.verify, at: run.now().toISOString(), ...(settings.verify === 'restore' ? { ms } : {}) };
}

/** What says that the backup itself is not what it should be. */
const DAMAGED: readonly string[] = ['E_CHECKSUM', 'E_MANIFEST'];

async function record(
  run: Run,
  connection: Connection,
  catalogue: Catalogue,
  backup: Backup,
  verified: Manifest['verified'],
): Promise<void> {
  const manifest = { ...backup.manifest, verified };
  const standing =
    verified.level === 'none' ? { state: 'unverified' as const, detail: 'not verified' } : standingOf(manifest);
  const now: Backup = { ...backup, manifest, ...standing };
  showBackups(
    run,
    catalogue.backups.map((one) => (one.id === now.id ? now : one)),
  );
  run.report.backup = factsOf(run, now);
  const text = serializeManifest(manifest);
  await connection.send(['job', 'change', [statusOf(run), manifestFile(now.id), text]]);
}

/** What the host has lost. */
interface Lost {
  /** null: it has none at all. */
  id: string | null;
  why: BackupError;
}

/** The backup of that id, or the newest; the newest, whatever its state, must be younger than `max-age`, and nothing unreadable may be newer. */
function chosen(run: Run, catalogue: Catalogue): { backup: Backup | null; lost: Lost | null } {
  const { settings } = run;
  const { backups, unreadable } = catalogue;
  const gone = (id: string | null, why: BackupError) => ({ backup: null, lost: { id, why } });
  const whole = (backup: Backup) => {
    const why = new BackupError('E_CHECKSUM', `${backup.id} is damaged: ${backup.detail}`);
    return { backup, lost: backup.state === 'damaged' ? { id: backup.id, why } : null };
  };
  if (settings.backup !== null) {
    const broken = unreadable.find(({ id }) => id === settings.backup);
    if (broken !== undefined) return gone(broken.id, unreadableError(broken.why));
    const own = backups.find(({ id }) => id === settings.backup);
    return own === undefined
      ? gone(settings.backup, notFound(run, catalogue.backups, run.report.directory))
      : whole(own);
  }
  const newest = wholeOrAll(backups)
    // the files of a damaged database are kept, and are no backup; what is suspect counts for nothing
    .filter(
      ({ createdAt, manifest }) =>
        !isFuture(createdAt, run.now()) && !isDamagedCopy(manifest) && manifest.state !== 'suspect',
    )
    .sort(newestFirst)[0];
  const [broken] = [...unreadable].sort(newestFirst);
  if (broken !== undefined && (newest === undefined || broken.createdAt > newest.createdAt)) {
    return gone(broken.id, unreadableError(broken.why));
  }
  if (newest === undefined) {
    warnOfAlarms(run, backups);
    return gone(null, stale(run, `there is no backup of ${settings.name} in ${run.report.directory}`));
  }
  const partial = showCoverage(newest.manifest.coverage ?? null);
  if (partial !== '')
    warn(run, `${newest.id} does not cover everything (${quoteOutside(partial, 300)}), and no backup does`);
  warnOfAlarms(run, wholeOrAll(backups));
  checkAge(run, newest.createdAt);
  return whole(newest);
}

/** Throws E_STALE. */
function checkAge(run: Run, createdAt: Date): void {
  const { maxAgeMs, name } = run.settings;
  const age = run.now().getTime() - createdAt.getTime();
  if (maxAgeMs !== null && age > maxAgeMs) {
    throw stale(run, `the newest backup of ${name} is ${formatDuration(age)} old`);
  }
}

function stale({ settings: { maxAgeMs } }: Run, what: string): BackupError {
  return new BackupError(
    'E_STALE',
    `${what}${maxAgeMs === null ? '' : `; max-age is ${formatDuration(maxAgeMs)}`}`,
    'Find out why no newer one was made (the runs of the backup workflow), and take one. Nothing was changed.',
  );
}

function unreadableError(why: string): BackupError {
  return new BackupError(
    'E_MANIFEST',
    why,
    'The files were left as they are. Take a new backup; do not rely on this one.',
  );
}
