import { formatBytes, formatCount, formatDuration, parseTime, showEncrypted, showSkew } from './format.js';
import { code, escapeCell } from './markdown.js';
import type { HealthReport, Report, Storage } from './report.js';

/** What `health` has found besides its problems, as tables. */
export function healthSection(health: HealthReport, report: Pick<Report, 'storage' | 'durationMs'>): string {
  const { database } = health;
  const rows = [...placeRows(report.storage), ...proofRows(health), ...roomRows(health, report.storage)];
  const tables = [['### Backups and space', tableOf(rows)].join('\n\n')];
  if (database !== null) {
    tables.push(
      [
        '### Live database',
        tableOf(Object.entries(database).map(([name, value]) => [title(name), shown(name, value)])),
      ].join('\n\n'),
    );
  }
  return tables.join('\n\n');
}

type Row = [name: string, value: string];

function placeRows({ backups, averageBytes, largestBytes, directoryBytes, freeBytes }: Storage): Row[] {
  return [
    ['Backups', formatCount(backups)],
    ...(averageBytes === null ? [] : ([['Average size', formatBytes(averageBytes)]] as Row[])),
    ...(largestBytes === null ? [] : ([['Largest', formatBytes(largestBytes)]] as Row[])),
    ...(directoryBytes === null ? [] : ([['Whole backup directory', formatBytes(directoryBytes)]] as Row[])),
    ...(freeBytes === null ? [] : ([['Free', formatBytes(freeBytes)]] as Row[])),
  ];
}

function proofRows({ lastRestored, encryption, clocks }: HealthReport): Row[] {
  const took = lastRestored?.ms == null ? '' : `, in ${formatDuration(lastRestored.ms)}`;
  const proof =
    lastRestored === null
      ? 'none of these backups was verified by a scratch restore'
      : `${code(lastRestored.id, 160)} on ${parseTime(lastRestored.at)?.toISOString().slice(0, 10) ?? ''}${took}`;
  const { hostAheadMs, storeAheadMs } = clocks;
  return [
    ['Last scratch restore', proof],
    ...(encryption === null ? [] : ([['The newest is', showEncrypted(encryption, (one) => code(one, 80))]] as Row[])),
    ...(hostAheadMs === null ? [] : ([['Clock of the host', showSkew(hostAheadMs)]] as Row[])),
    ...(storeAheadMs === null ? [] : ([['Clock of the store', showSkew(storeAheadMs)]] as Row[])),
  ];
}

function roomRows({ room }: HealthReport, { freeBytes }: Storage): Row[] {
  const of = (needed: number): string =>
    formatBytes(needed) + (freeBytes !== null && freeBytes < needed ? ', **more than is free**' : '');
  return [
    ...(room.backupBytes === null ? [] : ([['The next backup needs', of(room.backupBytes)]] as Row[])),
    ...(room.restoreBytes === null ? [] : ([['A restore needs', of(room.restoreBytes)]] as Row[])),
  ];
}

/** `walBytes` is `Wal bytes`: what engines count is theirs to name, in words of the code. */
function title(name: string): string {
  const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return escapeCell(words.charAt(0).toUpperCase() + words.slice(1), 60);
}

function shown(name: string, value: string | number | boolean | null): string {
  if (value === null) return 'unknown';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return escapeCell(value, 300);
  if (/bytes$/i.test(name)) return formatBytes(value);
  return /Seconds$/.test(name) ? formatDuration(value * 1000) : formatCount(value);
}

const tableOf = (rows: Row[]): string =>
  ['| | |', '| :--- | :--- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
