const RECENT = 7;

/** A change smaller than this never alarms: in a tiny database a few pages are already half of it. */
const SLACK_BYTES = 64 * 1024;

/**
 * Whether a database has become suspiciously small or large against the median of its recent verified backups.
 *
 * @param databaseBytes size of the uncompressed copy
 * @param recent the same of the recent verified backups, newest first; at most 7 are used, without any nothing is said
 * @param limits `shrink`: smallest allowed share of the median (0.5 is half of it); `growth`: largest allowed growth over it
 *   as a share (0.5 is one and a half of it); null switches a check off
 * @returns a sentence with both sizes, or null when all is well
 */
export function checkSize(
  databaseBytes: number,
  recent: readonly number[],
  limits: { shrink: number | null; growth: number | null },
): string | null {
  const used = recent.slice(0, RECENT);
  if (used.length === 0) return null;
  const middle = median(used);
  if (Math.abs(databaseBytes - middle) <= SLACK_BYTES) return null;
  const against = `${show(middle)}, the median of the ${used.length === 1 ? 'last backup' : `last ${used.length} backups`}`;
  if (limits.shrink !== null && databaseBytes < middle * limits.shrink) {
    return `the database has ${show(databaseBytes)}, less than ${percent(limits.shrink)} of ${against}`;
  }
  if (limits.growth !== null && databaseBytes > middle * (1 + limits.growth)) {
    return `the database has ${show(databaseBytes)}, more than ${percent(limits.growth)} above ${against}`;
  }
  return null;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? 0;
  return (upper + lower) / 2;
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}

function show(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1024;
  while (value >= 1024 && units.length > 1) {
    value /= 1024;
    units.shift();
  }
  return `${value.toFixed(1)} ${units[0]}`;
}
