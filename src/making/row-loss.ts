import { type Backup, isTrusted } from '../backups/catalogue.js';
import { showCoverage } from '../backups/coverage.js';
import { historyOf } from '../backups/history.js';
import type { Manifest, Suspicion } from '../backups/manifest.js';
import { newestFirst } from '../backups/retention.js';
import { compareTables, rowLosses, type TableChange } from '../backups/rows.js';
import type { HostPlace } from '../places/host.js';
import { mayRewrite } from '../places/signed.js';
import { counted } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';

/** What a backup has lost since the newest good one. */
export interface RowLoss {
  since: Backup;
  losses: TableChange[];
}

const REASON = 'before a loss of rows';
/** Of the pins that are set here; what a person has pinned is not counted. */
const PINS_KEPT = 3;
const NAMED = 5;

/**
 * Puts into the report what has changed since the newest good backup that covers the same and was counted, and returns what was lost beyond
 * `row-loss-limit`; null when nothing was, or there is nothing to compare with. `host`: whose backups are known; null for those of a
 * store.
 */
export async function lookForLosses(
  { settings, report }: Run,
  made: Manifest,
  known: readonly Backup[],
  host: HostPlace | null,
): Promise<RowLoss | null> {
  const covers = showCoverage(made.coverage ?? null);
  const listed = historyOf(known).find(
    ({ manifest }) => manifest.content !== null && showCoverage(manifest.coverage ?? null) === covers,
  );
  if (listed === undefined || made.content === null) return null;
  // of an old one in the store not all has been read
  if (host === null && listed.manifest.shortened !== undefined) return null;
  const since = host === null ? listed : await host.whole(listed);
  const [before, after] = [since.manifest.content, made.content];
  if (before === null) return null;
  // what one of the manifests had no room for is neither gone nor new
  const tables = compareTables(before.tables, after.tables).filter(
    ({ change }) =>
      (change !== 'gone' || (after.tablesLeftOut ?? 0) === 0) &&
      (change !== 'new' || (before.tablesLeftOut ?? 0) === 0),
  );
  report.changes = { since: since.id, tables };
  const losses = settings.rowLossLimit === null ? [] : rowLosses(tables, settings.rowLossLimit);
  return losses.length === 0 ? null : { since, losses };
}

/** With `on-row-loss: fail`. */
export function suspicionOf({ settings }: Run, loss: RowLoss | null): Suspicion | null {
  if (loss === null || settings.onRowLoss !== 'fail') return null;
  return { limit: 'row-loss-limit', why: describeLoss(loss) };
}

/**
 * With `on-row-loss: pin`: names the tables, and pins the backup that still has the rows, while the lock is held; the newest three of these
 * pins are kept. In a store nothing can be pinned.
 */
export async function pinBefore(run: Run, host: HostPlace, loss: RowLoss): Promise<void> {
  const { id } = loss.since;
  const here = host.listed.backups.find((backup) => backup.id === id);
  const fate = here
    ? mayRewrite(run, here)
      ? `${id} is pinned, so no rotation deletes it`
      : `${id} is signed, and this run has no \`signing-key\`, so it cannot pin it: run \`command: pin\` with the key`
    : `${id} exists only in the bucket, where this action cannot pin`;
  warn(run, `${describeLoss(loss)}. ${fate} (see \`row-loss-limit\`, \`on-row-loss\`)`);
  if (here === undefined) return;
  const rewrite = async (old: Backup, pinned: Manifest['pinned']): Promise<void> => {
    const { manifest } = await host.whole(old);
    await host.write({ ...old, manifest: { ...manifest, pinned } });
  };
  if (here.manifest.pinned === null && mayRewrite(run, here))
    await rewrite(here, { reason: REASON, at: run.now().toISOString(), by: 'row-loss' });
  const ours = host.listed.backups
    .filter((backup) => backup.manifest.pinned?.by === 'row-loss' && isTrusted(backup))
    .sort(newestFirst);
  for (const old of ours.slice(PINS_KEPT).filter((backup) => mayRewrite(run, backup))) {
    await rewrite(old, null);
    run.log.info(`unpinned ${old.id}: ${counted(PINS_KEPT, 'newer backup')} from before a loss of rows are pinned`);
  }
}

function describeLoss({ since, losses }: RowLoss): string {
  const named = losses.slice(0, NAMED).map(({ name, change, before, after }) => {
    const table = quoteOutside(JSON.stringify(name), 100);
    return change === 'gone'
      ? `the table ${table} with ${counted(before ?? 0, 'row')} is gone`
      : `the table ${table} has ${counted(after ?? 0, 'row')}, down from ${counted(before ?? 0, 'row')}`;
  });
  const more = losses.length > NAMED ? [`and ${counted(losses.length - NAMED, 'more table')}`] : [];
  return `rows were lost since ${since.id}: ${[...named, ...more].join('; ')}`;
}
