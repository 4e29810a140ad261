/** What lies in a backup directory, read from a listing and the manifests that the host printed. */
import { plural } from '../counting.js';
import { BackupError } from '../errors.js';
import { type Coverage, covers, showCoverage } from './coverage.js';
import { type Finding, odd, wrong } from './finding.js';
import { type Identity, isVague, sameDatabase } from './identity.js';
import { type Manifest, parseManifest } from './manifest.js';
import { checksumFile, manifestFile, type ParsedFileName, parseFileName } from './names.js';
import { Others } from './others.js';
import { type Candidate, isFuture, newestFirst } from './retention.js';
import { ofChain } from './sets.js';
import type { SigningKeys } from './signature.js';

export interface ListedFile {
  name: string;
  /** First character of `ls -l`: `-` is a regular file, `d` a directory, `l` a symbolic link. */
  type: string;
  bytes: number;
}

export interface Listing {
  files: ListedFile[];
  /** By file name. */
  manifests: Map<string, string>;
}

export interface Backup {
  id: string;
  createdAt: Date;
  manifest: Manifest;
  /** Only 'ok' is a good backup. Of what is 'unsigned' or 'forged' nothing else is to be believed either. */
  state: 'ok' | 'suspect' | 'unverified' | 'damaged' | 'future' | 'unsigned' | 'forged';
  /** Why the state is not 'ok'. */
  detail: string | null;
  /** Of a set: its repository does not have it any more. */
  lost?: true;
  /** What an unsigned one would count for, were it signed. */
  ifSigned?: Pick<Backup, 'state' | 'detail'>;
  /** The files that exist, in the order of deletion: a crash in the middle never leaves a manifest without its payload. */
  files: string[];
}

/** Payload or checksum without a manifest. Where there is a payload, it may be a good backup: it is never swept. */
export interface Orphan {
  id: string;
  createdAt: Date;
  files: string[];
  /** There is nothing in it, and nobody is at work on it. */
  sweepable: boolean;
  /** What may be adopted when its bytes are those of the checksum beside it; null: they can not prove what they are. */
  payload: string | null;
}

export interface Catalogue {
  /** Newest first. */
  backups: Backup[];
  /** Newest first. */
  orphans: Orphan[];
  /** Units of which nothing can be said but that they are no backup: without a manifest, or with one that is not to be read. */
  unreadable: { id: string; createdAt: Date; why: string }[];
  /** In the order of the units, newest first. May quote text from the host. */
  problems: Finding[];
}

/** All files of one id. */
interface Unit {
  id: string;
  createdAt: Date;
  /** Regular files by name. */
  regular: Map<string, { bytes: number; part: ParsedFileName['part'] }>;
  /** Anything else under a name of ours: nothing that we made. */
  foreign: ListedFile[];
}

/** Whose backups are read. */
export interface Owner {
  name: string;
  /** null: of any database. */
  identity: Identity | null;
  /** By one of which each manifest has to be signed; null: none has to be. */
  keys?: SigningKeys | null;
}

/** What differs between the places where backups are. */
export interface Place {
  /** A checksum file belongs to each payload; in a store the metadata of the object has it. */
  checksums: boolean;
  /** Whether a rotation of ours ever deletes something there. */
  rotates: boolean;
}

const ON_HOST: Place = { checksums: true, rotates: true };
const SWEEP_AFTER_MS = 86_400_000;

const FILE_TYPES: Record<string, string> = { d: 'a directory', l: 'a symbolic link', p: 'a fifo', s: 'a socket' };

/**
 * Sorts the files of a directory into backups, orphans and problems. What is not of the exact grammar with this name is not
 * seen at all; what is of another database (with an identity of null there is none), malformed or not a regular file is reported, never counted and never touched.
 * What is not signed as it has to be is there, and counts for nothing.
 */
export function readCatalogue(listing: Listing, owner: Owner, now: Date, place: Place = ON_HOST): Catalogue {
  const catalogue: Catalogue = { backups: [], orphans: [], unreadable: [], problems: [] };
  let { identity } = owner;
  const keys = owner.keys ?? null;
  let areAllOurs = true;
  const others = new Others();
  /** What can only be said when all is read, and in which place. */
  const later: (() => void)[] = [];
  const tellLater = (finding: () => Finding): void => {
    const at = catalogue.problems.push(odd('E_MANIFEST', '')) - 1;
    later.push(() => {
      catalogue.problems[at] = finding();
    });
  };
  for (const unit of unitsOf(listing.files, owner.name)) {
    tellForeign(unit, catalogue);
    if (unit.regular.has(manifestFile(unit.id))) {
      const found = readBackup(unit, listing, { identity, keys }, now, place, catalogue);
      if (found !== null && 'other' in found) {
        areAllOurs = false;
        const first = others.add(found.other);
        if (first !== null) tellLater(first);
      } else if (found !== null && identity !== null && isVague(identity)) {
        identity = found.identity; // nobody has asked the server which one it is: it is that of the newest backup
      }
    } else {
      const orphan = readOrphan(unit, now, place, catalogue);
      if (orphan !== null) tellLater(() => problemOf(orphan, place, keys !== null));
    }
  }
  // of two databases by one name nobody can tell whose it is; and who has no key could put any payload there
  if (!areAllOurs || identity === null || keys !== null) for (const orphan of catalogue.orphans) orphan.payload = null;
  for (const tell of later) tell();
  // first, since not all may be told
  catalogue.problems.unshift(...distrust(catalogue.backups));
  return catalogue;
}

/** The backups as retention sees them, in the same order. `keep`: the field with the rules of that place. */
export function toCandidates(backups: readonly Backup[], keep: 'keep' | 's3Keep' = 'keep'): Candidate[] {
  return backups.map((backup) => candidateOf(backup, backups, keep));
}

function candidateOf(backup: Backup, backups: readonly Backup[], keep: 'keep' | 's3Keep'): Candidate {
  const { id, createdAt, manifest, state, detail } = backup;
  return {
    id,
    createdAt,
    ...ofChain(backup, backups),
    verified: state === 'ok',
    ...(state === 'suspect' ? { suspect: true } : {}),
    ...((manifest.coverage ?? null) === null ? {} : { partial: showCoverage(manifest.coverage ?? null) }),
    ...(state === 'ok' ? {} : { why: NAMED.includes(state) ? `${state}: ${detail}` : (detail ?? state) }),
    ...(manifest[keep] === undefined ? {} : { madeUnder: manifest[keep] }),
    pinned: manifest.pinned?.reason ?? null,
    safety: manifest.reason === 'safety',
  };
}

/** States of which the detail alone does not tell. */
const NAMED: readonly Backup['state'][] = ['damaged', 'unsigned', 'forged'];

/** Whether what its manifest says is to be believed: it is signed, or need not be. */
export const isTrusted = ({ state }: Pick<Backup, 'state'>): boolean => state !== 'unsigned' && state !== 'forged';

const DISTRUST = {
  unsigned: {
    find: odd,
    detail: 'its manifest has no signature',
    todo: 'if it is right, sign it: `command: accept` with its id',
  },
  forged: {
    find: wrong,
    detail: 'its manifest was changed after it was signed, or was signed with another key',
    todo: 'find out who can write there',
  },
} as const;

/** One sentence for all of a kind, however many they are. */
function distrust(backups: readonly Backup[]): Finding[] {
  return (['forged', 'unsigned'] as const).flatMap((kind) => {
    const ids = backups.filter(({ state }) => state === kind).map(({ id }) => id);
    if (ids.length === 0) return [];
    const shown = ids.slice(0, 5).join(', ') + (ids.length > 5 ? ', ...' : '');
    const are = ids.length === 1 ? `1 backup is ${kind}` : `${ids.length} backups are ${kind}`;
    const { find, todo } = DISTRUST[kind];
    return find('E_SIGNATURE', `${are} (${shown}): never counted, and never deleted; ${todo}`);
  });
}

/** What a backup that is whole and verified counts for. */
export function standingOf({
  state,
  suspicion,
}: Pick<Manifest, 'state' | 'suspicion'>): Pick<Backup, 'state' | 'detail'> {
  return state === 'suspect'
    ? { state, detail: suspicion?.why ?? 'it tripped a limit' }
    : { state: 'ok', detail: null };
}

/** Those that have all that is wanted: whole ones, and of a partial coverage those of the same. */
export function covering(backups: readonly Backup[], wanted: Coverage | null): Backup[] {
  return backups.filter(({ manifest }) => covers(manifest.coverage ?? null, wanted));
}

/** Whole ones; all of them where none is whole: then that is all that there is to look at. */
export function wholeOrAll(backups: readonly Backup[]): readonly Backup[] {
  const whole = covering(backups, null);
  return whole.some(({ state }) => state === 'ok') ? whole : backups;
}

/** Suspect backups that are newer than every good one: an alarm that nobody has answered. Newest first. */
export function alarmsIn(backups: readonly Backup[]): Backup[] {
  const sorted = backups.filter(({ manifest }) => manifest.reason !== 'safety').sort(newestFirst);
  const good = sorted.findIndex(({ state }) => state === 'ok');
  return sorted.slice(0, good === -1 ? undefined : good).filter(({ state }) => state === 'suspect');
}

/** What has no manifest and nothing in it, as retention sees it. The others are no backups, and are not for it to decide. */
export function leftovers(orphans: readonly Orphan[]): Candidate[] {
  return orphans
    .filter(({ sweepable }) => sweepable)
    .map(({ id, createdAt }) => ({ id, createdAt, verified: false, leftover: true, pinned: null, safety: false }));
}

/** The newest backup that can be relied on; a safety backup is one like any other. */
export function newestVerified(backups: readonly Backup[]): Backup | null {
  return backups.filter(({ state }) => state === 'ok').sort(newestFirst)[0] ?? null;
}

function unitsOf(files: readonly ListedFile[], name: string): Unit[] {
  const units = new Map<string, Unit>();
  for (const file of files) {
    const parsed = parseFileName(file.name);
    if (parsed === null || parsed.name !== name) continue;
    const { id, createdAt, part } = parsed;
    const unit: Unit = units.get(id) ?? { id, createdAt, regular: new Map(), foreign: [] };
    units.set(id, unit);
    if (file.type === '-') unit.regular.set(file.name, { bytes: file.bytes, part });
    else unit.foreign.push(file);
  }
  return [...units.values()].sort(newestFirst);
}

/** What is not a regular file is told, and where it stands in the place of a backup, there is one that cannot be read. */
function tellForeign({ id, createdAt, regular, foreign }: Unit, { problems, unreadable }: Catalogue): void {
  for (const file of foreign) {
    const why = `${file.name} is ${FILE_TYPES[file.type] ?? 'not a regular file'}, but a backup consists of regular files`;
    problems.push(odd('E_MANIFEST', `${why}; it was left alone`, 'Find out who put it there.'));
    if (!regular.has(manifestFile(id))) unreadable.push({ id, createdAt, why });
  }
}

/** Returns the identity of the backup when it is of this database, and to be believed; the manifest when it is of another one. */
function readBackup(
  unit: Unit,
  listing: Listing,
  { identity, keys }: Required<Omit<Owner, 'name'>>,
  now: Date,
  place: Place,
  { backups, unreadable, problems }: Catalogue,
): { identity: Identity } | { other: Manifest } | null {
  const { id, createdAt } = unit;
  const file = manifestFile(id);
  const text = listing.manifests.get(file);
  if (text === undefined) {
    problems.push(
      wrong(
        'E_MANIFEST',
        `${file} could not be read; this backup is never counted and never deleted`,
        'Check its owner and its size.',
      ),
    );
    unreadable.push({ id, createdAt, why: `${file} could not be read` });
    return null;
  }
  let manifest: Manifest;
  try {
    manifest = parseManifest(text, id);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    problems.push(wrong('E_MANIFEST', `${error.message}; this backup is never counted and never deleted`, error.hint));
    unreadable.push({ id, createdAt, why: error.message });
    return null;
  }
  if (identity !== null && !sameDatabase(manifest.identity, identity)) return { other: manifest };

  const checksum = checksumFile(manifest.file);
  const files = [file, manifest.file, checksum].filter((name) => unit.regular.has(name));
  const damage = manifest.set === undefined ? damageOf(unit, manifest) : null;
  const future = isFuture(createdAt, now);
  const judged =
    damage !== null
      ? ({ state: 'damaged', detail: damage } as const)
      : future
        ? ({ state: 'future', detail: 'dated in the future' } as const)
        : manifest.verified.level === 'none'
          ? ({ state: 'unverified', detail: 'not verified' } as const)
          : standingOf(manifest);
  const verdict = keys?.verdict(manifest) ?? 'signed';
  if (verdict !== 'signed') {
    const { detail } = DISTRUST[verdict];
    backups.push({ id, createdAt, manifest, state: verdict, detail, ifSigned: judged, files });
    return null;
  }
  if (damage !== null) {
    problems.push(
      wrong(
        'E_CHECKSUM',
        `${id} is damaged: ${damage}; it was kept and does not count as a backup`,
        `Check the disk. To delete the backup, run \`command: delete\` with \`backup: ${id}\`.`,
      ),
    );
  }
  if (future) {
    problems.push(
      odd('E_CLOCK', `${id} is dated in the future; it was kept and does not count until then. Check the clocks`),
    );
  }
  if (place.checksums && unit.regular.has(manifest.file) && !unit.regular.has(checksum)) {
    problems.push(
      odd('E_CHECKSUM', `${checksum} is missing, but the manifest still has the SHA-256 of ${manifest.file}`),
    );
  }
  for (const name of unit.regular.keys()) {
    if (!files.includes(name))
      problems.push(odd('E_MANIFEST', `${file} does not list the file ${name}; it was left alone`));
  }
  backups.push({ id, createdAt, manifest, ...judged, files });
  return { identity: manifest.identity };
}

/** What a listing alone can tell about the payload, or null; bytes are compared by the verification on the host. */
function damageOf(unit: Unit, manifest: Manifest): string | null {
  const payload = unit.regular.get(manifest.file);
  if (payload === undefined) return `${manifest.file} is missing`;
  if (payload.bytes === 0) return `${manifest.file} is empty`;
  if (payload.bytes === manifest.bytes) return null;
  return `${manifest.file} has ${plural(payload.bytes, 'byte')}, but the manifest says ${manifest.bytes}`;
}

function readOrphan(unit: Unit, now: Date, place: Place, { orphans, unreadable }: Catalogue): Orphan | null {
  // Next to a link or a directory of ours somebody has been at work; those files are not for us to sweep.
  if (unit.regular.size === 0 || unit.foreign.length > 0) return null;
  const { id, createdAt } = unit;
  const order = { manifest: 0, payload: 1, checksum: 2 };
  const files = [...unit.regular]
    .sort(([a, { part: partA }], [b, { part: partB }]) => order[partA] - order[partB] || (a < b ? -1 : 1))
    .map(([name]) => name);
  const payloads = [...unit.regular].filter(([, { part, bytes }]) => part === 'payload' && bytes > 0);
  const isOld = createdAt.getTime() < now.getTime() - SWEEP_AFTER_MS;
  const sweepable = place.rotates && payloads.length === 0 && isOld;
  const payload = isFuture(createdAt, now) ? null : adoptable(unit, place);
  const orphan = { id, createdAt, files, sweepable, payload };
  orphans.push(orphan);
  unreadable.push({ id, createdAt, why: `${files.join(' and ')}: the manifest is missing` });
  return orphan;
}

/** The payload of a unit that lacks nothing but its manifest. What is encrypted tells nothing of itself. */
function adoptable({ regular }: Unit, place: Place): string | null {
  const [payload] = [...regular].find(([, { part }]) => part === 'payload') ?? [];
  if (payload === undefined || !place.checksums || regular.size !== 2) return null;
  const isSealed = parseFileName(payload)?.encryption !== undefined;
  return !isSealed && regular.has(checksumFile(payload)) && regular.get(payload)?.bytes !== 0 ? payload : null;
}

function problemOf({ id, files, sweepable, payload }: Orphan, place: Place, hasKeys: boolean): Finding {
  const payloads = files.map(parseFileName).filter((parsed) => parsed?.part === 'payload');
  const isSealed = payloads.some((parsed) => parsed?.encryption !== undefined);
  const unadopted = hasKeys
    ? ', and not adopted, because with `signing-key` an unsigned file is not trusted'
    : isSealed
      ? ', and not adopted, because it is encrypted: you can `restore` it by its path, with its key or passphrase'
      : '';
  const fate = sweepable
    ? 'it has no content, and the next rotation removes it'
    : payload !== null
      ? 'it is kept, and the next backup or prune adopts it if its bytes match the checksum beside it'
      : payloads.length > 0
        ? `it is kept, because it may be a good backup${unadopted}; to delete it, run \`command: delete\` with \`backup: ${id}\``
        : place.rotates
          ? 'it is removed once it is older than a day'
          : 'it was left alone';
  return odd('E_MANIFEST', `${files.join(' and ')}: no manifest, so this is not a backup; ${fate}`);
}
