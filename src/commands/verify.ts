import { type Backup, isTrusted, wholeOrAll } from '../backups/catalogue.js';
import { showCoverage } from '../backups/coverage.js';
import type { Dump } from '../engines/restoring.js';
import { BackupError, describe } from '../errors.js';
import { ledgerFindings } from '../ledger/keeper.js';
import { warnOfAlarms } from '../making/alarm.js';
import { type Asked, checkAge } from '../places/choice.js';
import { fetchToHost, fetchToRunner } from '../places/fetch.js';
import { find } from '../places/find.js';
import { HostPlace } from '../places/host.js';
import type { Fetchable, InStore } from '../places/in-store.js';
import { factsOf } from '../places/shown.js';
import type { StorePlace } from '../places/store.js';
import { withNamed, withSpare } from '../places/with-store.js';
import { pull } from '../proving/on-runner.js';
import { DAMAGED, prove, record } from '../proving/prove.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { tellFinding, warn } from '../run/connect.js';
import { connectedToChange } from '../run/directory.js';
import type { Run } from '../run/run.js';
import { verifyDump } from './verify-dump.js';

/**
 * Proves one existing backup, or a dump that this action did not make, at the level asked for. Of a backup it records the level and the time
 * in its manifest on the host; one that turns out to be damaged there is recorded as not verified, so that retention does not count on it.
 * One that the host has lost is taken from the store, where nothing is ever overwritten, so that nothing is recorded there.
 */
export async function verify(run: Run): Promise<void> {
  const { backupInStore: located, dumpToVerify, dryRun } = run.settings;
  if (dumpToVerify !== null) return verifyDump(run, dumpToVerify);
  await connectedToChange(run, async (connection) => {
    const host = await HostPlace.open(run, connection, dryRun ? 'look' : 'change');
    try {
      await (located === null
        ? withSpare(run, host, (store) => verifyFound(run, host, store))
        : withNamed(run, host, located, (store, found) => proveStored(run, host, store, found)));
    } catch (error) {
      for (const finding of await ledgerFindings(run)) tellFinding(run, finding, true);
      throw error;
    }
    await compareWithLedger(run);
    run.report.ok = true;
    run.report.healthy = true;
  });
}

/** One backup is proven; what became of the others is told all the same. Throws E_CHECKSUM, E_NOT_FOUND. */
async function compareWithLedger(run: Run): Promise<void> {
  const findings = await ledgerFindings(run);
  const first = findings.find(({ level }) => level === 'error');
  for (const finding of findings) if (finding !== first) tellFinding(run, finding, true);
  if (first !== undefined) throw new BackupError(first.code, first.message, first.todo);
}

/** The one that is named, or the newest, whatever its state: it must be young enough, and nothing unreadable may be newer. */
async function verifyFound(run: Run, host: HostPlace, store: StorePlace | null): Promise<void> {
  const { backup: id, restoreTime } = run.settings;
  const { repository } = run.database;
  const asked: Asked = id === null ? { by: 'newest' } : { by: 'id', id, toProve: true };
  if (id === null) warnOfAlarms(run, wholeOrAll(host.listed.backups));
  const { backup, spare } = await find(run, asked, host, store);
  if (repository !== undefined && restoreTime !== null) {
    const about = { backups: host.listed.backups, backup: id === null ? null : backup, restoreTime, now: run.now() };
    const aimed = repository.aim(host.sets, about);
    return proveHere(run, host, aimed.backup, aimed.aim);
  }
  if (id === null) checkAge(run, backup.createdAt);
  if (spare !== null && store !== null) return proveStored(run, host, store, spare);
  const partial = showCoverage(backup.manifest.coverage ?? null);
  if (id === null && partial !== '') {
    warn(
      run,
      `${backup.id} does not cover everything (${quoteOutside(partial, 300)}), and no other backup does either`,
    );
  }
  const copy = store === null ? null : await copyOf(run, store, backup);
  await (store === null || copy === null ? proveHere(run, host, backup) : proveStored(run, host, store, copy));
}

/** With `verify-on: runner` the copy in the store spares the host, when there is one of the same bytes. */
async function copyOf(run: Run, store: StorePlace, { id, state, manifest }: Backup): Promise<InStore | null> {
  if (run.settings.verifyOn !== 'runner' || state === 'damaged') return null;
  const copy = await store.one(id).catch((error: unknown) => {
    run.signal.throwIfAborted();
    warn(run, `${id} is read from the host, because the store failed: ${describe(error).message}`);
    return null;
  });
  return copy?.backup.manifest.sha256 === manifest.sha256 && isTrusted(copy.backup) ? copy : null;
}

async function proveHere(run: Run, host: HostPlace, listed: Backup, aim?: NonNullable<Dump['aim']>): Promise<void> {
  const { report } = run;
  const { connection } = host;
  const backup = await host.whole(listed);
  report.backup = factsOf(run, backup);
  if (!tellWhich(run, backup.id)) return;
  try {
    const proof = await prove(
      run,
      backup,
      {
        onHost: async (request) => connection.send(...request(backup.manifest)),
        pull: (to) => pull(run, connection, backup.manifest, to),
      },
      aim,
    );
    await record(run, host, backup, proof);
  } catch (error) {
    if (error instanceof BackupError && DAMAGED.includes(error.code) && !report.ok) {
      await record(run, host, backup, { level: 'none', at: run.now().toISOString() }).catch(() => {
        warn(run, `could not record in its manifest that ${backup.id} is damaged`);
      });
    }
    throw error;
  }
}

async function proveStored(run: Run, host: HostPlace, store: StorePlace, found: Fetchable): Promise<void> {
  const { backup, uri } = found;
  const { connection } = host;
  if (backup === null) {
    throw new BackupError(
      'E_MANIFEST',
      `there is no manifest beside ${uri}, so nothing shows what it should hold`,
      'In a store, `command: verify` takes only backups that this action made. Copy the dump to the host and name its path, or restore it from the store: `command: restore` takes any dump.',
    );
  }
  run.report.backup = { ...factsOf(run, backup), path: uri };
  if (!tellWhich(run, uri)) return;
  const proof = await prove(run, backup, {
    onHost: async (request) => {
      // what is fetched has to lie somewhere
      if (host.facts.get('missing') !== null) await HostPlace.enter(run, connection, 'create', uri);
      const file = await fetchToHost(run, connection, store, found);
      return connection.send(...request({ ...backup.manifest, file }));
    },
    pull: (to) => fetchToRunner(run, store, found, to),
  }).catch((error: unknown) => {
    if (!(error instanceof BackupError) || !DAMAGED.includes(error.code)) throw error;
    throw new BackupError(error.code, error.message, 'Do not rely on that copy; take a new backup.', {
      cause: error,
    });
  });
  run.report.backup.verifiedLevel = proof.level;
  // What was proven are the bytes of the store: a backup whose own were found damaged does not become good by that.
  const own = host.listed.backups.find(({ id }) => id === backup.id);
  if ((own?.state === 'ok' || own?.state === 'suspect') && own.manifest.sha256 === backup.manifest.sha256) {
    return record(run, host, await host.whole(own), proof);
  }
  run.log.info(
    'the level is not recorded: the host does not have this backup, and nothing in the store is overwritten',
  );
  // nothing stays of a directory that was made for this
  if (host.facts.get('missing') === null || run.settings.metricsFile !== null) await host.tellRun();
}

/** False when it is not to be done. */
function tellWhich({ settings, log }: Run, what: string): boolean {
  log.info(`${settings.dryRun ? 'would verify' : 'verifying'} ${what}, level ${settings.verify}`);
  return !settings.dryRun;
}
