import { type Backup, isTrusted } from './catalogue.js';
import { formatNamed } from './format.js';
import { parseId } from './names.js';
import { newestFirst } from './retention.js';

/**
 * The good backups against which a new one is held, newest first, back to the one with which the history begins anew. A safety backup
 * is the state that somebody wanted to leave, and tells nothing of how the database should be.
 */
export function historyOf(backups: readonly Backup[]): Backup[] {
  const good = backups.filter((backup) => backup.state === 'ok' && tellsSizes(backup)).sort(newestFirst);
  const begin = historySince(good);
  return begin === null ? good : good.filter(({ createdAt }) => createdAt >= begin);
}

/** A logical dump alone does not tell how large the database was. */
function tellsSizes({ manifest: { reason, engine, adopted } }: Backup): boolean {
  return reason !== 'safety' && !(formatNamed(engine).logical && adopted);
}

/** When the history of these begins, or null: with all that there is. */
export function historySince(backups: readonly Backup[]): Date | null {
  const times = backups.flatMap(({ createdAt, manifest: { accepted, historySince } }) => {
    if (accepted !== undefined && accepted !== null) return createdAt.getTime();
    // what a backup says of a time after its own is nothing that it could know
    return historySince ? Math.min(Date.parse(historySince), createdAt.getTime()) : [];
  });
  return times.length === 0 ? null : new Date(Math.max(...times));
}

/** More are not carried on: a person accepts few. */
const MOST_ACCEPTED = 100;

/** The suspect backups that somebody has accepted, as far as these know of them: the newest of them, newest first. */
export function acceptedIn(backups: readonly Backup[]): string[] {
  const ids = backups
    .filter(isTrusted)
    .flatMap(({ id, manifest }) => [
      ...(manifest.accepts ?? []),
      ...((manifest.accepted ?? null) !== null && (manifest.suspicion ?? null) !== null ? [id] : []),
    ]);
  const time = (id: string): number => parseId(id)?.createdAt.getTime() ?? 0;
  return [...new Set(ids)].sort((a, b) => time(b) - time(a) || (a < b ? -1 : 1)).slice(0, MOST_ACCEPTED);
}
