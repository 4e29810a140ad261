import { type Finding, wrong } from '../backups/finding.js';
import {
  emptied,
  jumps,
  lastRestored,
  leftBehind,
  newestGood,
  outOfStep,
  skewed,
  space,
  tooFew,
  tooOld,
  unanswered,
  unproven,
} from '../backups/findings.js';
import type { DatabaseHealth } from '../engines/health.js';
import { describe } from '../errors.js';
import type { Facts } from '../host/session.js';
import { ledgerFindings } from '../ledger/keeper.js';
import { HostPlace } from '../places/host.js';
import type { StorePlace } from '../places/store.js';
import { withStorePlace } from '../places/with-store.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { type Connection, connected, note, tellFinding } from '../run/connect.js';
import { aheadOf, openDirectory } from '../run/directory.js';
import type { Run } from '../run/run.js';
import { unhealthy } from './unhealthy.js';

const quote = (text: string): string => quoteOutside(text, 300);

/**
 * Whether the backups, their places and the live database are as they have to be. Writes nothing. What can not be looked at is a finding
 * like any other, and the rest is looked at. Throws E_UNHEALTHY when there is one that is an error.
 */
export async function health(run: Run): Promise<void> {
  await connected(run, async (connection) => {
    const { settings, database, report, log } = run;
    const facts = await log.group('Check the backups', () =>
      connection.send(...openDirectory(run, 'look'), ['job', 'look_health', [settings.name, database.path]]),
    );
    const host = await HostPlace.of(run, connection, facts);
    report.health = {
      database: null,
      lastRestored: lastRestored(host.listed.backups),
      encryption: newestGood(host.listed.backups)?.manifest.encryption ?? null,
      clocks: { hostAheadMs: aheadOf(run, facts), storeAheadMs: null },
      room: { backupBytes: null, restoreBytes: null },
    };
    const live = await liveHealth(run, connection);
    const found = await withStorePlace(run, host, async (store) => [
      ...(live.finding === null ? [] : [live.finding]),
      ...ofBackups(run, host, facts),
      ...(await ofDatabase(run, host, live)),
      ...(store === null ? [] : await ofStore(run, host, store)),
      ...(await ledgerFindings(run)),
    ]);
    for (const finding of found) tellFinding(run, finding);
    const errors = report.problems.filter(({ level }) => level === 'error');
    report.healthy = errors.length === 0;
    if (!report.healthy) throw unhealthy(errors);
    report.ok = true;
  });
}

interface Looked {
  health: DatabaseHealth | null;
  /** KiB that the next backup needs in the backup directory. */
  backupKib: number | null;
  /** Why nothing is known. */
  finding: Finding | null;
}

/** The live database. A server that is down is worth a finding; a host that is lost ends the run. */
async function liveHealth(run: Run, connection: Connection): Promise<Looked> {
  const { settings, database, log } = run;
  try {
    const facts = await log.group(`Check ${settings.database.given}`, () =>
      connection.send(database.health.request(settings, 'examine')),
    );
    return { health: database.health.read(facts), backupKib: facts.number('backup_kib'), finding: null };
  } catch (error) {
    if (run.signal.aborted || connection.isLost()) throw error;
    return { health: null, backupKib: null, finding: notLookedAt(error) };
  }
}

/** Why something could not be looked at. */
function notLookedAt(error: unknown): Finding {
  const { code, message, hint } = describe(error);
  // a migration that takes its time is no reason to wake somebody
  return { level: code === 'E_BUSY' ? 'warning' : 'error', code, message, todo: hint };
}

function ofBackups(run: Run, host: HostPlace, facts: Facts): Finding[] {
  const { settings, report } = run;
  const now = run.now();
  const { backups } = host.listed;
  const freshness = { now, maxAgeMs: settings.maxAgeMs, name: settings.name, where: host.uri };
  const kib = facts.get('directory_kib');
  report.storage.directoryBytes = kib === null || kib === '' ? null : facts.number('directory_kib') * 1024;
  return [
    unwritable(facts),
    tooOld(newestGood(backups)?.createdAt ?? null, freshness),
    unanswered(backups, quote),
    unproven(backups, now),
    skewed(report.host, report.health?.clocks.hostAheadMs ?? null),
    ...tooFew(backups, settings.keep, now, host.uri),
    ...leftBehind(
      {
        folders: facts.all('left_folder').map(quote),
        journals: facts.all('left_journal').map(quote),
        hooks: facts.all('left_hook').map(quote),
      },
      host.uri,
    ),
  ].filter((one) => one !== null);
}

/** As the next backup would find it; nothing has tried to. */
function unwritable(facts: Facts): Finding | null {
  if (facts.get('unwritable') === null) return null;
  return wrong(
    'E_PERM',
    `the login user cannot write ${facts.path('unwritable')}`,
    'Check its mode, and whether the file system is mounted read-only. `command: doctor` says more.',
  );
}

async function ofDatabase(run: Run, host: HostPlace, { health, backupKib }: Looked): Promise<Finding[]> {
  if (health === null) return [];
  const { settings, report } = run;
  const { backups } = host.listed;
  const { bytes, tables, estimated, figures, notes } = health;
  const newest = newestGood(backups);
  const backupBytes = backupKib === null ? null : backupKib * 1024;
  // the safety backup, and what is loaded beside the live database
  const restoreBytes = bytes + (newest?.manifest.bytes ?? 0) + settings.minFreeBytes;
  report.tables = tables;
  if (report.health !== null) {
    report.health.database = { bytes, estimated, ...figures };
    report.health.room = { backupBytes, restoreBytes };
  }
  for (const one of notes) note(run, one);
  const before = newest === null || estimated ? null : (await host.whole(newest)).manifest.content;
  const { shrinkLimit: shrink, growthLimit: growth, growthLimitBytes: growthBytes, rowLossLimit: rowLoss } = settings;
  const free = report.storage.freeBytes;
  const nothing = emptied(health.isEmpty, newest);
  return [
    ...(nothing === null ? [] : [nothing]),
    ...health.findings,
    ...jumps(health, backups, before?.tables ?? null, { shrink, growth, growthBytes, rowLoss }, quote),
    ...space({ free, needed: backupBytes }, { free, needed: restoreBytes }, host.uri),
  ];
}

/** A store that does not answer is a finding. */
async function ofStore(run: Run, host: HostPlace, store: StorePlace): Promise<Finding[]> {
  const { settings, report } = run;
  try {
    const { backups } = await store.catalogue();
    const freshness = { now: run.now(), maxAgeMs: settings.maxAgeMs, name: settings.name, where: store.uri };
    const { clockAheadMs } = await store.open();
    if (report.health !== null) report.health.clocks.storeAheadMs = clockAheadMs;
    const skew = skewed('the store', clockAheadMs);
    return [
      ...(skew === null ? [] : [skew]),
      ...outOfStep(host.listed.backups, backups, freshness),
      ...(store.rules === null ? [] : tooFew(backups, store.rules, run.now(), store.uri)),
    ];
  } catch (error) {
    if (run.signal.aborted) throw error;
    return [notLookedAt(error)];
  }
}
