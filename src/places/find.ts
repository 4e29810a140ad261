import { type Backup, isTrusted, type Orphan } from '../backups/catalogue.js';
import { BackupError } from '../errors.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { isOfStore } from '../stores/object-store.js';
import { type Asked, choose, isGood, isMeant, type Lost, notFound, pick, thereIn } from './choice.js';
import type { Found, Place } from './place.js';
import { demandRewritable, demandTrusted, untrusted } from './signed.js';

/** How many that a place has lost are looked for in another. */
const MOST_LOST = 20;

/**
 * The backup that is meant: in the first place, or, when it has lost it, in the spare one; `spare` is set then. Throws E_NOT_FOUND,
 * E_STALE when there is none to prove, E_MANIFEST or E_CHECKSUM for what is damaged everywhere, E_SIGNATURE for what is unsigned or forged
 * everywhere, E_TARGET_MISMATCH.
 */
export async function find<F extends Found>(
  run: Run,
  asked: Asked,
  first: Place,
  spare: Place<F> | null,
): Promise<{ backup: Backup; spare: F | null }> {
  const { backup, lost } = await choose(run, asked, first);
  if (lost !== null && spare !== null) {
    const { backups } = await first.catalogue();
    const found = await instead(run, asked, lost, backup, backups, spare);
    if (found !== null) return { backup: found.backup, spare: found };
  }
  if (backup !== null) return { backup, spare: null };
  const there = await thereIn(spare === null ? [first] : [first, spare]);
  throw (
    lost?.why(spare === null ? '' : `, nor in ${spare.uri}`, there) ??
    new BackupError('E_NOT_FOUND', 'there is no backup')
  );
}

/** What the first place has lost, from the spare one; null when that does not have it either. */
async function instead<F extends Found>(
  run: Run,
  asked: Asked,
  { ids, exact, why }: Lost,
  backup: Backup | null,
  backups: readonly Backup[],
  spare: Place<F>,
): Promise<F | null> {
  const reason = why('');
  try {
    let there: F[] = [];
    for (const id of ids.slice(0, MOST_LOST)) {
      const one = await spare.one(id);
      if (one === null) continue;
      if (isTrusted(one.backup)) there.push(one);
      else if (asked.by === 'id' && backup === null) throw untrusted(one.backup, ` (in ${spare.uri})`);
      else warn(run, `skipping ${id} in ${spare.uri}: it is ${one.backup.state}`);
    }
    if (!exact && backup === null && there.length === 0) {
      // the oldest one of a deploy counts, so all have to be looked at
      there = await spare.newest((one) => asked.by !== 'deploy' && isMeant(asked, one));
    }
    const known = [...backups.filter(isGood), ...there.map((one) => one.backup)];
    const best = exact ? there[0]?.backup : pick(asked, known);
    const found = there.find((one) => one.backup === best) ?? null;
    if (found !== null) {
      const { id, manifest } = found.backup;
      warn(
        run,
        `${reason.message}: ${id}, made on ${quoteOutside(manifest.host, 200)}, is used from ${found.uri} instead`,
      );
    }
    return found;
  } catch (error) {
    if (!isOfStore(error)) throw error;
    if (backup === null) {
      // whoever watches the backups is told that there is none, whoever restores one what keeps him from the store
      const { code, hint } = asked.by === 'newest' || ('toProve' in asked && asked.toProve) ? reason : error;
      const message = `${reason.message}; the store could not help: ${error.message}`;
      throw new BackupError(code, message, hint, { cause: error });
    }
    warn(run, `${reason.message}; could not check if the store has it: ${error.message}`);
    return null;
  }
}

/** A backup, or what is left of one, in one of the places. */
export interface Placed<U extends Backup | Orphan = Backup | Orphan> {
  place: Place;
  unit: U;
}

/**
 * The backup of that id in each place that has it; where none has, what has lost its manifest under that id: nothing counts on it, and who
 * names it means it. Throws E_NOT_FOUND; E_SIGNATURE when it is unsigned or forged in any of them.
 */
export async function everywhere(
  run: Run,
  id: string,
  places: readonly Place[],
): Promise<{ backups: Placed<Backup>[]; orphans: Placed<Orphan>[] }> {
  const [backups, orphans, all]: [Placed<Backup>[], Placed<Orphan>[], Backup[]] = [[], [], []];
  for (const place of places) {
    const catalogue = await place.catalogue();
    all.push(...catalogue.backups);
    backups.push(...catalogue.backups.filter((unit) => unit.id === id).map((unit) => ({ place, unit })));
    orphans.push(...catalogue.orphans.filter((unit) => unit.id === id).map((unit) => ({ place, unit })));
  }
  for (const { unit } of backups) demandTrusted(unit);
  if (backups.length > 0) return { backups, orphans: [] };
  if (orphans.length > 0) return { backups, orphans };
  throw notFound(run, id, all, places.map(({ uri }) => uri).join(' and '), await thereIn(places));
}

/**
 * The backup that the input `backup` names, in this place, whose manifest is to be written anew; `unsigned`: also one that is not signed yet.
 * Throws E_NOT_FOUND, E_SIGNATURE.
 */
export async function named(run: Run, place: Place, unsigned = false): Promise<Backup> {
  const id = run.settings.backup ?? '';
  const { backups } = await place.catalogue();
  const found = backups.find((backup) => backup.id === id);
  if (found === undefined) throw notFound(run, id, backups, place.uri, await thereIn([place]));
  if (!unsigned || found.state !== 'unsigned') demandRewritable(run, found);
  return found;
}
