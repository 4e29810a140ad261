import { type Backup, type Catalogue, isTrusted, wholeOrAll } from '../backups/catalogue.js';
import type { Finding } from '../backups/finding.js';
import { type Freshness, tooOld } from '../backups/findings.js';
import { isDamagedCopy } from '../backups/manifest.js';
import { isFuture, newestFirst } from '../backups/retention.js';
import { BackupError, sentences } from '../errors.js';
import type { Run } from '../run/run.js';
import type { Place } from './place.js';
import { untrusted } from './signed.js';

/** How many other names are told of a place. */
const MOST_NAMES = 5;

/** Which backup is asked for. */
export type Asked =
  /** To be proven it is one of this database, and may have lost its bytes; to be restored, of whatever database. */
  | { by: 'id'; id: string; toProve?: boolean }
  /** The newest good one, to be restored. */
  | { by: 'latest' }
  /** The one that the deploy of this commit took. */
  | { by: 'deploy'; sha: string }
  /** The newest, whatever became of it, to be proven. */
  | { by: 'newest' };

/** What the first place has, and what it should have and has lost. */
interface Choice {
  backup: Backup | null;
  lost: Lost | null;
}

export interface Lost {
  ids: string[];
  /** Nothing else will do. */
  exact: boolean;
  /** `nor`: where else it is not. `there`: what the places have. */
  why: (nor: string, there?: There) => BackupError;
}

const isWhole = ({ manifest }: Backup): boolean => (manifest.coverage ?? null) === null;

/** A partial one does not bring everything back: it is restored by its id alone. */
export const isGood = (backup: Backup): boolean => backup.state === 'ok' && isWhole(backup);

/** Nothing that is older comes into question then. A safety backup is the state that somebody wanted to leave. */
export function isMeant({ by }: Asked, backup: Backup): boolean {
  return by === 'newest'
    ? backup.state !== 'suspect' && isWhole(backup)
    : isGood(backup) && backup.manifest.reason !== 'safety';
}

/** The one of these that is meant. */
export function pick(asked: Asked, backups: readonly Backup[]): Backup | null {
  const sorted = backups.toSorted(newestFirst);
  if (asked.by !== 'deploy') {
    // one that is partial is proven where there is no other
    const partial = asked.by === 'newest' ? sorted.find(({ state }) => state !== 'suspect') : undefined;
    return sorted.find((one) => isMeant(asked, one)) ?? partial ?? null;
  }
  // A deploy that is run again takes another backup, of what it did the first time; so does the nightly one at that commit.
  const taken = sorted.findLast(
    (one) =>
      isMeant(asked, one) && one.manifest.github?.sha.startsWith(asked.sha) && one.manifest.reason !== 'scheduled',
  );
  return taken ?? null;
}

/** By the catalogue of the place. */
export async function choose(run: Run, asked: Asked, place: Place): Promise<Choice> {
  const catalogue = await place.catalogue();
  if (asked.by === 'id') return byId(run, asked, place, catalogue);
  return asked.by === 'newest' ? newest(run, catalogue, place) : described(run, asked, catalogue, place);
}

async function byId(
  run: Run,
  { id, toProve = false }: Extract<Asked, { by: 'id' }>,
  place: Place,
  { backups, unreadable }: Catalogue,
): Promise<Choice> {
  const lost = (why: Lost['why']): Lost => ({ ids: [id], exact: true, why });
  const own = backups.find((backup) => backup.id === id);
  if (own !== undefined && !isTrusted(own)) return { backup: null, lost: lost((nor) => untrusted(own, nor)) };
  if (own?.state === 'damaged') {
    const why = damaged(`${id} is damaged: ${own.detail}`);
    return { backup: toProve ? own : null, lost: lost(why) };
  }
  if (own !== undefined) return { backup: own, lost: null };
  const broken = unreadable.find((unit) => unit.id === id);
  if (broken !== undefined) return { backup: null, lost: lost(noManifest(broken.why)) };
  const other = toProve ? null : await place.one(id);
  if (other !== null && !isTrusted(other.backup)) {
    return { backup: null, lost: lost((nor) => untrusted(other.backup, nor)) };
  }
  if (other !== null) return { backup: other.backup, lost: null };
  return { backup: null, lost: lost((nor, there) => notFound(run, id, backups, `${place.uri}${nor}`, there)) };
}

/** What is older than the one that is taken does not matter, but to a deploy, of which the oldest counts. */
function described(
  run: Run,
  asked: Exclude<Asked, { by: 'id' | 'newest' }>,
  { backups, unreadable }: Catalogue,
  place: Place,
): Choice {
  const { name } = run.settings;
  const backup = pick(asked, backups);
  const gone = [...backups.filter((one) => one.state === 'damaged' || !isTrusted(one)), ...unreadable]
    .filter(({ createdAt }) => asked.by === 'deploy' || backup === null || createdAt > backup.createdAt)
    .map(({ id }) => id);
  if (backup !== null && gone.length === 0) return { backup, lost: null };
  if (backup === null) {
    const none =
      asked.by === 'latest'
        ? `there is no verified backup of ${name} in ${place.uri}`
        : `no deploy of the commit ${asked.sha} took a verified backup of ${name}`;
    const why: Lost['why'] = (nor, there) =>
      new BackupError('E_NOT_FOUND', none + nor, `${withheld(backups)}${known(backups, there)}`);
    return { backup, lost: { ids: gone, exact: false, why } };
  }
  const how = backups.some((one) => gone.includes(one.id) && !isTrusted(one))
    ? 'damaged, unsigned or forged'
    : 'damaged or without a manifest';
  const are = `${gone.slice(0, 3).join(', ')} in ${place.uri} ${gone.length === 1 ? 'is' : 'are'} ${how}`;
  return { backup, lost: { ids: gone, exact: false, why: damaged(are) } };
}

/** The files of a damaged database are kept, and are no backup; what is suspect, unsigned or forged counts for nothing. Nothing unreadable may be newer. */
function newest(run: Run, { backups, unreadable }: Catalogue, place: Place): Choice {
  const [backup = null] = wholeOrAll(backups)
    .filter(
      ({ createdAt, manifest, state }) =>
        !isFuture(createdAt, run.now()) &&
        !isDamagedCopy(manifest) &&
        manifest.state !== 'suspect' &&
        isTrusted({ state }),
    )
    .sort(newestFirst);
  const [broken] = unreadable.toSorted(newestFirst);
  if (broken !== undefined && (backup === null || broken.createdAt > backup.createdAt)) {
    return { backup: null, lost: { ids: [broken.id], exact: true, why: noManifest(broken.why) } };
  }
  if (backup === null) {
    const why = (nor: string) => errorOf(tooOld(null, freshness(run, place.uri + nor)));
    return { backup, lost: { ids: [], exact: false, why } };
  }
  if (backup.state !== 'damaged') return { backup, lost: null };
  const why = damaged(`${backup.id} is damaged: ${backup.detail}`);
  return { backup, lost: { ids: [backup.id], exact: true, why } };
}

/** The newest that is to be proven is young enough. Throws E_STALE. */
export function checkAge(run: Run, createdAt: Date): void {
  const finding = tooOld(createdAt, freshness(run, ''));
  if (finding !== null) throw errorOf(finding);
}

const freshness = ({ settings: { maxAgeMs, name }, now }: Run, where: string): Freshness => ({
  now: now(),
  maxAgeMs,
  name,
  where,
});

const errorOf = ({ code, message, todo }: Finding): BackupError => new BackupError(code, message, todo);

const damaged = (what: string) => (nor: string) =>
  new BackupError('E_CHECKSUM', what + nor, `Choose another backup: \`command: list\` shows them.`);

const noManifest = (what: string) => (nor: string) =>
  new BackupError('E_MANIFEST', what + nor, `Do not rely on this backup. Take a new one.`);

/** There is no backup of that id; `backups`: what there is. */
export function notFound(
  run: Run,
  id: string,
  backups: readonly Backup[],
  where: string,
  there: There = NOTHING,
): BackupError {
  const what = `there is no backup ${id} of ${run.settings.database.given} in ${where}`;
  return new BackupError('E_NOT_FOUND', what, known(backups, there));
}

/** What places have, for whoever does not find what was asked for. */
interface There {
  backups: readonly Backup[];
  /** Of other names, as a sentence; empty: there are none, or there are some of this name. */
  others: string;
  /** There is nothing that has to do with backups. */
  isEmpty: boolean;
}

const NOTHING: There = { backups: [], others: '', isEmpty: true };

/** Looks at all that these places have. What cannot be looked at counts as something. */
export async function thereIn(places: readonly Place[]): Promise<There> {
  const catalogues = await Promise.all(places.map((place) => place.catalogue().catch(() => null)));
  const backups = catalogues.flatMap((catalogue) => catalogue?.backups ?? []);
  if (backups.length > 0) return { backups, others: '', isEmpty: false };
  const others = await Promise.all(
    places.map(async (place) => {
      const names = (await place.otherNames()).slice(0, MOST_NAMES);
      const said = names.length === 1 ? `\`name: ${names[0]}\`` : '`name` to the one that you mean';
      const where = place.kind === 'host' ? 'directory' : 'bucket';
      return names.length === 0 ? '' : `The ${where} has backups named ${names.join(', ')}: set ${said}.`;
    }),
  );
  const isEmpty = catalogues.every(
    (one) => one !== null && one.orphans.length + one.unreadable.length + one.problems.length === 0,
  );
  return { backups, others: sentences(...others), isEmpty };
}

function known(own: readonly Backup[], { backups, others, isEmpty }: There = NOTHING): string {
  const ids = [...new Set([...own, ...backups].toSorted(newestFirst).map(({ id }) => id))].slice(0, 5);
  if (ids.length > 0) {
    return `The newest ${ids.length === 1 ? 'is' : 'are'} ${ids.join(', ')}; \`command: list\` shows them all.`;
  }
  if (others !== '') return others;
  return isEmpty
    ? 'There are no backups at all; `command: list` shows them all.'
    : 'None of what is there can be used for this database; `command: list` says why.';
}

/** What there is and is not taken by itself. */
function withheld(backups: readonly Backup[]): string {
  const partial = backups.find((one) => one.state === 'ok' && !isWhole(one));
  const suspect = backups.find(({ state }) => state === 'suspect');
  const other = backups.find((one) => !isTrusted(one));
  return [
    ...(other === undefined ? [] : [`${other.id} is ${other.state}, and does not count. `]),
    ...(partial === undefined ? [] : [`${partial.id} is partial, and is restored only if you give its id. `]),
    ...(suspect === undefined
      ? []
      : [`${suspect.id} is suspect: if it is right, accept it with \`command: accept\`. `]),
  ].join('');
}
