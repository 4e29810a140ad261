import type { Backup } from '../backups/catalogue.js';
import { dependentsOf } from '../backups/sets.js';
import { BackupError } from '../errors.js';
import { touched } from '../left.js';
import { counted } from '../reporting/format.js';
import type { Run } from '../run/run.js';
import type { Placed } from './find.js';
import type { Place, Unit } from './place.js';
import { notRotated } from './rotate.js';

/**
 * Why one backup must not be deleted from the places that have it, in their order, or null. What the first says of a pin is so: a copy may
 * tell of one that was taken back since.
 */
export async function objectionToDeleting(run: Run, found: readonly Placed<Backup>[]): Promise<BackupError | null> {
  const [first] = found;
  const pinned = first?.unit.manifest.pinned ?? null;
  if (first !== undefined && pinned !== null) {
    return refused(
      `${first.unit.id} is pinned: ${pinned.reason}`,
      first.place.kind === 'host'
        ? 'If you really want to delete it, run `command: unpin` first.'
        : 'It exists only in the bucket, where this action changes no manifest. If you really want to delete it, use the tools of the store.',
    );
  }
  for (const { place, unit } of found) {
    const needing = dependentsOf(unit, (await place.catalogue()).backups).map(({ id }) => id);
    if (needing.length > 0) {
      return refused(
        `${needing.slice(0, 3).join(', ')}${needing.length > 3 ? ', ...' : ''} cannot be restored without ${unit.id}`,
        'Delete those first, the newest first, or leave it to retention (`keep`).',
      );
    }
    const objection = (await tooFew(run, place, unit)) ?? (await held(place, unit));
    if (objection !== null) return objection;
  }
  return null;
}

/** By what is in that place alone. One that is partial takes nothing from those that are whole; of these there must be as many as before. */
async function tooFew({ settings }: Run, place: Place, { id }: Unit): Promise<BackupError | null> {
  const { keepMinimum } = settings;
  const candidates = await place.candidates();
  const isWhole = !candidates.find((candidate) => candidate.id === id)?.partial;
  const counts = candidates.filter(({ verified, partial }) => verified && !(isWhole && partial));
  const others = counts.filter((candidate) => candidate.id !== id).length;
  if (others === counts.length || others >= keepMinimum) return null;
  const where = place.kind === 'host' ? '' : ` in ${place.uri}`;
  return refused(
    others === 0
      ? `${id} is the last verified backup${where}`
      : `deleting ${id} would leave ${counted(others, 'verified backup')}${where}, fewer than keep-minimum (${keepMinimum})`,
    'Take a new backup first.',
  );
}

async function held(place: Place, unit: Unit): Promise<BackupError | null> {
  const [one] = await place.held([unit]);
  if (one === undefined) return null;
  return refused(`${one.id} is ${one.why} in ${place.uri}`, 'Run again after that has ended.');
}

const refused = (message: string, hint: string): BackupError => new BackupError('E_POLICY', message, hint);

/** Deletes what is there of one backup, whatever the rules say. Throws E_ROTATE. */
export async function deleteOne(run: Run, place: Place, { id, files }: Unit): Promise<void> {
  run.left = touched(run.left);
  const { deleted, held, failure } = await place.remove([{ id, files }]);
  const what = `the copy of ${id} in ${place.uri} could not be deleted`;
  if (failure !== null) {
    const again =
      deleted.length === 0
        ? 'Run again.'
        : 'Only part of it is left there, and that is no longer a backup. Run again to delete the rest.';
    throw notRotated(run, what, failure.error, again);
  }
  if (held.length > 0) {
    throw new BackupError('E_ROTATE', `${what}: it is ${held[0]?.why}`, 'Run again after the lock has ended.');
  }
}
