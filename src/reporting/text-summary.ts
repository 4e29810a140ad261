import { counted, formatBytes, formatDuration, showPlaces, showRows } from './format.js';
import { oneLine } from './neutralise.js';
import type { Report } from './report.js';
import { pointsOf } from './size-trend.js';

/**
 * The summary for a terminal: what the run rests on, a line each, and a chart of the sizes; empty when there is nothing to tell. The
 * verdict is the last line of the log.
 */
export function textSummary(report: Report): string {
  const { backup, storage, s3, restore } = report;
  const rows: [name: string, value: string][] = [];
  if (report.database !== '') rows.push(['database', report.database]);
  if (restore !== null && restore.target !== '') rows.push(['into', restore.target]);
  if (backup !== null) {
    const holds =
      backup.tables === null
        ? ''
        : `, ${counted(backup.tables, 'table')}, rows: ${showRows(backup.rows, backup.uncounted)}`;
    const encrypted = backup.encryption === undefined ? '' : `, encrypted (${backup.encryption.method})`;
    rows.push(
      ['backup', backup.id],
      ['size', `${formatBytes(backup.bytes)} of ${formatBytes(backup.databaseBytes)}${encrypted}${holds}`],
      ['verified', backup.state === 'ok' ? backup.verifiedLevel : `${backup.verifiedLevel}, but it is ${backup.state}`],
      ['file', backup.path],
    );
    if (report.offsite !== null) rows.push(['off-site', report.offsite.uri]);
    else if (s3 !== null) rows.push(['where', showPlaces(backup.places)]);
  }
  if (report.dump !== undefined) {
    const { path, bytes, verifiedLevel } = report.dump;
    rows.push(['dump', path], ['size', formatBytes(bytes)], ['verified', verifiedLevel]);
  }
  if (storage.backups > 0) {
    const free = storage.freeBytes === null ? '' : `, ${formatBytes(storage.freeBytes)} free`;
    rows.push(['kept', `${counted(storage.backups, 'backup')}, ${formatBytes(storage.backupsBytes)}${free}`]);
  }
  if (s3 !== null) rows.push(['in S3', `${counted(s3.backups, 'backup')}, ${formatBytes(s3.backupsBytes)}`]);
  const sizes = pointsOf(report.backups, report.remembered).map(({ bytes }) => bytes);
  if (sizes.length > 1) rows.push(['sizes', `${sparkline(sizes)}  ${formatBytes(sizes.at(-1) ?? 0)} is the newest`]);
  if (rows.length === 0) return '';
  rows.push(['time', formatDuration(report.durationMs)]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${oneLine(value, MAX_VALUE)}`).join('\n');
}

const MAX_VALUE = 300;
const BARS = '▁▂▃▄▅▆▇█';

/** Bars that begin at nothing, so that twice the height is twice the size. */
export function sparkline(sizes: readonly number[]): string {
  const most = Math.max(...sizes, 1);
  return sizes.map((size) => BARS[Math.min(BARS.length - 1, Math.floor((size / most) * BARS.length))]).join('');
}
