import { BackupError } from '../errors.js';
import type { Store } from '../stores/s3/store.js';

/** What retention deletes, the manifest first: a payload without one is no backup, the other way round would pass for one. */
export interface Unit {
  id: string;
  files: string[];
}

/** The store keeps it; `until` is null when it does not say how long. */
export interface Held {
  id: string;
  why: string;
  until: Date | null;
}

/** Which of these units are locked against deletion, or held. */
export async function heldOf(store: Store, name: string, units: readonly Unit[], now: Date): Promise<Held[]> {
  const held: Held[] = [];
  for (const { id, files } of units) {
    const all = await Promise.all(files.map((file) => store.head(store.keyOf(name, file))));
    const until = all.reduce<Date | null>((latest, stored) => {
      const end = stored?.lock?.until ?? null;
      return end !== null && (latest === null || end > latest) ? end : latest;
    }, null);
    if (until !== null && until > now) held.push({ id, until, why: `locked until ${minute(until)}` });
    else if (all.some((stored) => stored?.legalHold)) held.push({ id, until: null, why: 'under legal hold' });
  }
  return held;
}

const minute = (time: Date): string => `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

export interface Removal {
  /** File names. */
  deleted: string[];
  /** The bucket keeps versions, so that what was deleted is only hidden. */
  hides: boolean;
  /** The store refused to delete these, since they are locked. */
  held: Held[];
  /** What ended it; null: all is done. */
  failure: { error: unknown; file: string } | null;
}

/** Deletes the units by their exact keys, one after the other; the first failure that is not about one locked object ends it. */
export async function removeCopies(
  store: Store,
  name: string,
  units: readonly Unit[],
  onDeleted: (uri: string, hidden: boolean) => void,
): Promise<Removal> {
  const removal: Removal = { deleted: [], hides: false, held: [], failure: null };
  for (const { id, files } of units) {
    for (const [at, file] of files.entries()) {
      const key = store.keyOf(name, file);
      try {
        const outcome = await store.delete(key);
        if (outcome === 'locked') {
          if (at > 0) throw orphaned(store.uriOf(key));
          removal.held.push({ id, until: null, why: 'locked, says the store' });
          break;
        }
        removal.hides ||= outcome === 'hidden';
        removal.deleted.push(file);
        onDeleted(store.uriOf(key), outcome === 'hidden');
      } catch (error) {
        return { ...removal, failure: { error, file } };
      }
    }
  }
  return removal;
}

const orphaned = (uri: string): BackupError =>
  new BackupError(
    'E_ROTATE',
    `${uri} is locked, but its manifest was not, and is deleted`,
    'Once the lock has ended, `command: delete` with its id deletes it.',
  );
