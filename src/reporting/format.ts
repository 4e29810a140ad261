/** Numbers as people read them: in the log, the summary and messages. */
import type { Encrypted } from '../backups/packing.js';

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Decimal units, three significant digits: `302 MB`, `1.5 kB`. What is not a size is `unknown`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return 'unknown';
  let value = bytes;
  let unit = 0;
  // Compared after rounding, so that 999 950 bytes are 1 MB and not 1000 kB.
  while (unit < SIZE_UNITS.length - 1 && Number(value.toPrecision(3)) >= 1000) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${SIZE_UNITS[unit]}`;
}

/** `0.4 s`, `12 s`, `3 min 5 s`, `2 h 3 min`. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return 'unknown';
  const tenths = Math.round(ms / 100);
  if (tenths < 100) return `${tenths / 10} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** `94 MB/s`; `unknown` when no time has passed. */
export function formatRate(bytes: number, ms: number): string {
  return ms > 0 ? `${formatBytes((bytes * 1000) / ms)}/s` : 'unknown';
}

/** `encrypted with age for age1ql3z7hjy54pw3hyw`, after `is`; each recipient as `quote` makes it safe to be shown. */
export function showEncrypted(encryption: Encrypted, quote: (recipient: string) => string): string {
  if (encryption === 'none') return 'not encrypted';
  const { method, recipients } = encryption;
  return `encrypted with ${method} ${recipients.length === 0 ? 'using a passphrase' : `for ${recipients.map(quote).join(', ')}`}`;
}

/** Hosts tell whole seconds, and an answer takes its time. */
const EQUAL_CLOCKS_MS = 3_000;

/** How far a clock is ahead of that of the runner: `as that of the runner`, `12 s behind that of the runner`. */
export function showSkew(ms: number): string {
  if (Math.abs(ms) <= EQUAL_CLOCKS_MS) return "same as the runner's";
  return `${formatDuration(Math.abs(ms))} ${ms > 0 ? 'ahead of' : 'behind'} the runner's`;
}

const AGE_UNITS: [string, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
];

/** The largest whole unit, rounded down so that an age never sounds older than it is: `3 days`, `1 hour`, `40 seconds`. */
export function formatAge(ms: number): string {
  if (!Number.isFinite(ms)) return 'unknown';
  if (ms < 0) return 'in the future';
  for (const [unit, length] of AGE_UNITS) {
    if (ms >= length) return counted(Math.floor(ms / length), unit);
  }
  return counted(Math.floor(ms / 1000), 'second');
}

/** `host`, `S3`, `host, S3`. */
export function showPlaces(places: readonly ('host' | 's3')[]): string {
  return places.map((place) => (place === 's3' ? 'S3' : place)).join(', ');
}

/** Reads the one form of time that manifests have (ISO 8601, UTC); null for anything else, at no cost however long it is. */
export function parseTime(iso: string): Date | null {
  if (iso.length > 30 || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(iso)) return null;
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? null : time;
}

/** `1 backup`, `2 backups`; thousands are grouped: `1 234 567 rows`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** The rows of some tables, of which `uncounted` were not counted; null: none was. `1 234`, `at least 5`. */
export function showRows(rows: number | null, uncounted = 0): string {
  if (rows === null) return 'not counted';
  return `${uncounted > 0 ? 'at least ' : ''}${formatCount(rows)}`;
}

/** Thousands in groups of three, by a blank that does not break the line. */
export function formatCount(count: number): string {
  return Number.isFinite(count) ? String(Math.trunc(count)).replace(/\B(?=(\d{3})+$)/g, '\u00a0') : 'unknown';
}

/** Cuts text to `maxCharacters` UTF-16 units, the mark of the cut included. Cheap for any length. */
export function clip(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters
    ? text
    : `${text.slice(0, Math.max(0, maxCharacters - 1)).replace(/\p{Surrogate}$/u, '')}…`;
}

/** `2026-11-29 18:19:40`, in UTC. */
export const formatMoment = (date: Date): string => date.toISOString().slice(0, 19).replace('T', ' ');
