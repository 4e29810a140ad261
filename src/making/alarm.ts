import { checkSizes, type Sizes } from '../backups/anomalies.js';
import { alarmsIn, type Backup } from '../backups/catalogue.js';
import { showCoverage } from '../backups/coverage.js';
import { unanswered } from '../backups/findings.js';
import { acceptedIn, historyOf, historySince } from '../backups/history.js';
import type { Limit, Manifest, Suspicion } from '../backups/manifest.js';
import { methodOf } from '../backups/packing.js';
import { BackupError } from '../errors.js';
import type { HostPlace } from '../places/host.js';
import type { StorePlace } from '../places/store.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { tellFinding, warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import type { Settings } from '../settings/settings.js';
import { lookForLosses, pinBefore, suspicionOf } from './row-loss.js';

/** What a manifest says of whether the backup counts; nothing where it is as it always was. */
type Standing = Pick<Manifest, 'state' | 'suspicion' | 'accepted' | 'historySince' | 'accepts'>;

/** Whether the new backup is a good one, and whether the history of sizes and rows begins anew with it. `known`: what there is; `ofRows`: what the rows tell. */
export function standingOfNew(
  { settings, now }: Run,
  made: Manifest,
  known: readonly Backup[],
  ofRows: Suspicion | null,
): Standing {
  const { shrinkLimit: shrink, growthLimit: growth, growthLimitBytes: growthBytes } = settings;
  const sizes = historyOf(known).map(({ manifest }) => sizesOf(manifest));
  const suspicion = checkSizes(sizesOf(made), sizes, { shrink, growth, growthBytes }) ?? ofRows;
  const by = suspicion === null ? acceptedBy(switchedOff(settings), known) : null;
  const since = historySince(historyOf(known));
  const accepts = acceptedIn(known);
  return {
    ...(suspicion === null ? {} : { state: 'suspect', suspicion }),
    ...(by === null ? {} : { accepted: { by: `${by}: none`, at: now().toISOString() } }),
    ...(since === null ? {} : { historySince: since.toISOString() }),
    ...(accepts.length === 0 ? {} : { accepts }),
  };
}

/**
 * The limit that somebody has switched off to say that a change is right. That growth is not limited is the default, and says so only
 * while an alarm about it stands.
 */
function acceptedBy(off: Record<Limit, boolean>, known: readonly Backup[]): Limit | null {
  if (off['shrink-limit']) return 'shrink-limit';
  const tripped = alarmsIn(known).flatMap(({ manifest }) => manifest.suspicion?.limit ?? []);
  return tripped.find((limit) => off[limit]) ?? null;
}

/** Whether a standing alarm is answered by this run: then the history begins anew, of rows as well as of sizes. */
export function answersAlarm({ settings }: Run, known: readonly Backup[]): boolean {
  const off = switchedOff(settings);
  const tripped = alarmsIn(known).map(({ manifest }) => manifest.suspicion?.limit);
  return tripped.length > 0 && tripped.every((limit) => limit !== undefined && off[limit]);
}

function switchedOff({ shrinkLimit, growthLimit, growthLimitBytes, rowLossLimit }: Settings): Record<Limit, boolean> {
  return {
    'shrink-limit': shrinkLimit === null,
    'growth-limit': growthLimit === null && growthLimitBytes === null,
    'row-loss-limit': rowLossLimit === null,
  };
}

function sizesOf({ id, databaseBytes, bytes, kind, compression, encryption, coverage, set }: Manifest): Sizes {
  // what has changed since another backup is as much as was changed
  const isDifference = set !== undefined && set.needs.length > 0;
  return {
    databaseBytes,
    bytes,
    likeness: isDifference
      ? id
      : JSON.stringify([kind, compression, methodOf(encryption), showCoverage(coverage ?? null)]),
  };
}

/**
 * The manifest as the backups in the store have it: they may tell of sizes that a host which has lost its directory does not know. What
 * keeps the store from being listed is told where its copies are rotated.
 */
export async function standingInStore(
  run: Run,
  host: HostPlace,
  store: StorePlace,
  manifest: Manifest,
): Promise<Manifest> {
  if (store.rules === null) return manifest;
  const others = (await store.history()).filter(({ id }) => id !== manifest.id);
  const isAsked = run.report.changes === undefined && !answersAlarm(run, others);
  const loss = isAsked ? await lookForLosses(run, manifest, others, null) : null;
  const { suspicion, ...standing } = standingOfNew(run, manifest, others, suspicionOf(run, loss));
  if (!suspicion && loss !== null) await pinBefore(run, host, loss);
  if (!suspicion) return manifest;
  const why = `${suspicion.why} (compared with the backups in ${store.uri})`;
  return { ...manifest, ...standing, suspicion: { ...suspicion, why } };
}

/** What a backup that is suspect ends the run with. */
export function alarm({ id }: Manifest, { limit, why }: Suspicion): BackupError {
  return new BackupError(
    'E_SHRUNK',
    why,
    `The backup is marked as suspect, and does not count until you accept it. If the change is right, run \`command: accept\` with \`backup: ${id}\`, or set \`${limit}: none\` for one run. If not, restore the newest good backup.`,
  );
}

/** Tells of suspect backups that are newer than the good one that is taken, or than every one. */
export function warnOfAlarms(run: Run, backups: readonly Backup[]): void {
  const finding = unanswered(backups, (text) => quoteOutside(text, 300));
  if (finding !== null) tellFinding(run, finding);
}

/** Of one that was asked for by its name. */
export function warnOfSuspicion(run: Run, { id, state, detail }: Backup): void {
  if (state === 'suspect') warn(run, `${id} is suspect: ${quoteOutside(detail ?? '', 300)}`);
}
