import type { Suspicion } from './manifest.js';

const RECENT = 7;

/** A change smaller than this never alarms: in a tiny database a few pages are already half of it. */
const SLACK_BYTES = 64 * 1024;

/**
 * `shrink`: smallest allowed share of the median (0.5 is half of it). `growth`: largest allowed growth over it as a share, `growthBytes` the
 * same in bytes. null switches a check off.
 */
export interface SizeLimits {
  shrink: number | null;
  growth: number | null;
  growthBytes?: number | null;
}

/** The two sizes of a backup. */
export interface Sizes {
  databaseBytes: number;
  /** Compressed. */
  bytes: number;
  /** Compressed sizes are compared only where this is the same: how it was dumped and packed, and what it covers. */
  likeness: string;
}

/**
 * Whether a database, or what its backup takes, has become suspiciously small or large against the recent good backups, newest first. A
 * SQLite file keeps its size when everything in it is deleted: that shows only in the backup.
 */
export function checkSizes(made: Sizes, recent: readonly Sizes[], limits: SizeLimits): Suspicion | null {
  const alike = recent.filter(({ likeness }) => likeness === made.likeness);
  return (
    checkSize('the database', made.databaseBytes, of(recent, 'databaseBytes'), limits) ??
    checkSize('the backup', made.bytes, of(alike, 'bytes'), limits)
  );
}

const of = (sizes: readonly Sizes[], which: 'databaseBytes' | 'bytes'): number[] => sizes.map((one) => one[which]);

/**
 * Whether something has become suspiciously small or large against the median of what it was.
 *
 * @param recent of the recent good backups, newest first; at most 7 are used, without any nothing is said
 * @returns the limit, and a sentence with both sizes; null when all is well
 */
export function checkSize(
  what: string,
  bytes: number,
  recent: readonly number[],
  limits: SizeLimits,
): Suspicion | null {
  const used = recent.slice(0, RECENT);
  if (used.length === 0) return null;
  const middle = median(used);
  if (Math.abs(bytes - middle) <= SLACK_BYTES) return null;
  const against = `${show(middle)}, the median of the ${used.length === 1 ? 'last backup' : `last ${used.length} backups`}`;
  if (limits.shrink !== null && bytes < middle * limits.shrink) {
    const why = `${what} has ${show(bytes)}, less than ${percent(limits.shrink)} of ${against}`;
    return { limit: 'shrink-limit', why };
  }
  if (limits.growth !== null && bytes > middle * (1 + limits.growth)) {
    const why = `${what} has ${show(bytes)}, more than ${percent(limits.growth)} above ${against}`;
    return { limit: 'growth-limit', why };
  }
  if (typeof limits.growthBytes === 'number' && bytes > middle + limits.growthBytes) {
    const why = `${what} has ${show(bytes)}, more than ${show(limits.growthBytes)} above ${against}`;
    return { limit: 'growth-limit', why };
  }
  return null;
}

export function median(values: readonly number[]): number {
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
