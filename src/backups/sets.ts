import type { Backup } from './catalogue.js';
import type { Manifest } from './manifest.js';

// Backups that are sets of a repository need each other: one that holds what has changed is nothing without those before it.

/** Whether the one cannot be restored without the other. */
export const needs = (one: Pick<Manifest, 'set'>, other: Pick<Manifest, 'set'>): boolean =>
  other.set !== undefined && one.set?.repository === other.set.repository && one.set.needs.includes(other.set.label);

/** Those that cannot be restored without it. */
export const dependentsOf = ({ manifest }: Backup, backups: readonly Backup[]): Backup[] =>
  backups.filter((one) => needs(one.manifest, manifest));

/** Also one with damaged pages is. What a forged manifest names may be the set of another backup. */
const isThere = ({ state, lost, manifest }: Backup): boolean =>
  manifest.set !== undefined && lost !== true && state !== 'forged';

/**
 * What a repository has to remove so that the backups of these ids are gone: each set that goes by itself, with all that goes with it, and how
 * many of those that remain need no other. What the repository has lost has only a manifest left.
 */
export function planExpiry(
  backups: readonly Backup[],
  ids: ReadonlySet<string>,
): { doomed: { label: string; dependents: string[] }[]; fulls: number } {
  const there = backups.filter(isThere);
  const going = there.filter(({ id }) => ids.has(id));
  const roots = going.filter((one) => !going.some((other) => needs(one.manifest, other.manifest)));
  const fulls = there.filter(({ id, manifest }) => !ids.has(id) && manifest.set?.needs.length === 0).length;
  const doomed = roots
    .toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime())
    .map((root) => ({ label: labelOf(root), dependents: dependentsOf(root, there).map(labelOf) }));
  return { doomed, fulls };
}

const labelOf = ({ manifest }: Backup): string => manifest.set?.label ?? '';

/** What retention has to know of a set besides: whose fate it shares, or, of one that needs no other, the newest moment that is recovered from it. */
export function ofChain(backup: Backup, backups: readonly Backup[]): { follows?: string; until?: Date } {
  const { set } = backup.manifest;
  if (set === undefined) return {};
  const [full] = set.needs;
  if (full !== undefined) {
    const base = backups.find(
      ({ manifest }) => manifest.set?.label === full && manifest.set.repository === set.repository,
    );
    return base === undefined ? {} : { follows: base.id };
  }
  const later = backups.filter(
    ({ manifest, createdAt }) => manifest.set?.repository === set.repository && createdAt > backup.createdAt,
  );
  const next = later
    .filter(({ manifest, state }) => manifest.set?.needs.length === 0 && state === 'ok')
    .map(({ createdAt }) => createdAt.getTime());
  // every moment up to the next full one that is good is recovered from this one
  const until =
    next.length > 0
      ? Math.min(...next)
      : Math.max(backup.createdAt.getTime(), ...later.map(({ createdAt }) => createdAt.getTime()));
  return { until: new Date(until) };
}
