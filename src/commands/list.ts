import type { Backup, Catalogue } from '../backups/catalogue.js';
import { type BackupPlace, placed } from '../backups/copies.js';
import { showCoverage } from '../backups/coverage.js';
import { newestGood, unanswered } from '../backups/findings.js';
import type { Manifest, TableRows } from '../backups/manifest.js';
import { pick } from '../places/choice.js';
import { HostPlace } from '../places/host.js';
import { withStorePlace } from '../places/with-store.js';
import { counted, formatBytes, formatCount, showPlaces, showRows } from '../reporting/format.js';
import { oneLine } from '../reporting/neutralise.js';
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
      const facts = shown.get(backup.id);
      if (facts !== undefined) Object.assign(facts, detailOf(backup), { largest: largestIn(backup.manifest) });
      log.result(lineOf(backup, facts, uri === null ? [] : places));
    }
    report.latest = pick({ by: 'latest' }, backups)?.id ?? null;
    log.info(`${counted(backups.length, 'backup')} of ${settings.name} in ${report.directory}`);
    if (uri !== null) log.info(`${counted(run.copies.length, 'backup')} of ${settings.name} in ${uri}`);
    report.healthy = isHealthy(host.listed);
    report.ok = true;
  });
}

const detailOf = ({ detail }: Backup): Pick<BackupFacts, 'detail'> => (detail === null ? {} : { detail });

const MOST_LARGEST = 3;

/** Those by whose rows a person knows one backup from another; none where the manifest does not have them all. */
function largestIn({ content, shortened }: Manifest): TableRows[] {
  if (content === null || shortened) return [];
  return content.tables
    .filter(({ rows }) => rows !== null && rows > 0)
    .sort((one, other) => (other.rows ?? 0) - (one.rows ?? 0))
    .slice(0, MOST_LARGEST);
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
  const proof = state === 'ok' ? `verified: ${manifest.verified.level}` : `${state}: ${oneLine(detail ?? '', 300)}`;
  const signed = facts?.signed ? '  signed' : '';
  const where = places.length === 0 ? '' : `  in: ${showPlaces(places)}`;
  const covers = showCoverage(manifest.coverage ?? null);
  const partial = covers === '' ? '' : `  partial: ${oneLine(covers, 200)}`;
  const pinned = manifest.pinned === null ? '' : `  pinned: ${oneLine(manifest.pinned.reason, 200)}`;
  const encrypted = manifest.encryption === 'none' ? '' : `  ${showEncrypted(manifest.encryption)}`;
  return `${id}  ${formatBytes(manifest.bytes)}${holds}${made}  ${proof}${signed}${encrypted}${where}${partial}${pinned}`;
}
