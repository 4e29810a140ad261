import type { Backup, Catalogue } from '../backups/catalogue.js';
import { type BackupPlace, placed } from '../backups/copies.js';
import { showCoverage } from '../backups/coverage.js';
import { newestGood, unanswered } from '../backups/findings.js';
import { HostPlace } from '../places/host.js';
import { withStorePlace } from '../places/with-store.js';
import { clip, counted, formatBytes, formatCount, showPlaces, showRows } from '../reporting/format.js';
import type { BackupFacts } from '../reporting/report.js';
import { readHistory } from '../reporting/run-history.js';
import { connected } from '../run/connect.js';
import { look, openDirectory } from '../run/directory.js';
import { showEncrypted } from '../run/keys.js';
import type { Run } from '../run/run.js';

/** The catalogue of one database's backups, on the host and in the S3 store. Changes nothing. */
export async function list(run: Run): Promise<void> {
  const { settings, log, report } = run;
  await connected(run, async (connection) => {
    const facts = await connection.send(...openDirectory(run, 'look'), look(run), ['job', 'put_history', []]);
    const host = await HostPlace.of(run, connection, facts);
    report.history = readHistory(facts.all('history'), settings.name);
    const uri = await withStorePlace(run, host, async (store) => {
      await store?.catalogue();
      return store?.uri ?? null;
    });
    const { backups } = host.listed;
    const shown = new Map(report.backups.map((one) => [one.id, one]));
    for (const { backup, places } of placed(backups, run.copies)) {
      log.result(lineOf(backup, shown.get(backup.id), uri === null ? [] : places));
    }
    log.info(`${counted(backups.length, 'backup')} of ${settings.name} in ${report.directory}`);
    if (uri !== null) log.info(`${counted(run.copies.length, 'backup')} of ${settings.name} in ${uri}`);
    report.healthy = isHealthy(host.listed);
    report.ok = true;
  });
}

/** As far as the catalogue tells, of whatever age; `health` looks at more. */
const isHealthy = ({ backups, problems }: Catalogue): boolean =>
  newestGood(backups) !== null &&
  unanswered(backups, String) === null &&
  !problems.some(({ level }) => level === 'error');

function lineOf(
  { id, manifest, state, detail }: Backup,
  facts: BackupFacts | undefined,
  places: BackupPlace[],
): string {
  const { tables = null, rows = null, uncounted, commit = null } = facts ?? {};
  const holds = tables === null ? '' : `  tables: ${formatCount(tables)}, rows: ${showRows(rows, uncounted)}`;
  const made = commit === null ? '' : `  commit: ${commit.slice(0, 7)}`;
  const proof = state === 'ok' ? `verified: ${manifest.verified.level}` : `${state}: ${clip(detail ?? '', 300)}`;
  const signed = facts?.signed ? '  signed' : '';
  const where = places.length === 0 ? '' : `  in: ${showPlaces(places)}`;
  const covers = showCoverage(manifest.coverage ?? null);
  const partial = covers === '' ? '' : `  partial: ${clip(covers, 200)}`;
  const pinned = manifest.pinned === null ? '' : `  pinned: ${clip(manifest.pinned.reason, 200)}`;
  const encrypted = manifest.encryption === 'none' ? '' : `  ${showEncrypted(manifest.encryption)}`;
  return `${id}  ${formatBytes(manifest.bytes)}${holds}${made}  ${proof}${signed}${encrypted}${where}${partial}${pinned}`;
}
