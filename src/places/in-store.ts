import { type Backup, isTrusted, type ListedFile, readCatalogue } from '../backups/catalogue.js';
import { asJudgedSince, isFromElsewhere } from '../backups/copies.js';
import { type Identity, sameDatabase } from '../backups/identity.js';
import { manifestFile, parseFileName, parseId } from '../backups/names.js';
import { Others } from '../backups/others.js';
import { newestFirst } from '../backups/retention.js';
import { plural } from '../counting.js';
import { BackupError } from '../errors.js';
import { counted, formatBytes } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import type { S3Location } from '../settings/settings.js';
import type { ObjectStore, Stored, Wanted } from '../stores/object-store.js';
import type { Found } from './place.js';
import { demandTrusted } from './signed.js';
import { filesIn } from './store-listing.js';

/** What a store has, as it can be fetched. */
export interface Fetchable {
  /** null: there is no manifest beside it, so that it may be a dump that this action did not make. */
  backup: Backup | null;
  uri: string;
  wanted: Wanted;
  stored: Stored;
}

/** A backup as a store has it. */
export type InStore = Fetchable & Found;

const AT_ONCE = 8;

/** What `s3://` names, with the manifest beside it, which must agree. Throws E_NOT_FOUND, E_MANIFEST, E_CHECKSUM, E_SIGNATURE. */
export async function named(run: Run, store: ObjectStore, { key }: S3Location): Promise<Fetchable> {
  const stored = await store.head(key);
  if (stored === null) {
    await store.list(key); // when there is not even the bucket, this one says so
    throw new BackupError(
      'E_NOT_FOUND',
      `${quoteOutside(store.uriOf(key), 1200)} does not exist`,
      `Correct \`backup\`: give the address of the payload, as in the output \`s3-uri\`.`,
    );
  }
  const folder = key.slice(0, key.lastIndexOf('/') + 1);
  const parsed = parseFileName(key.slice(folder.length));
  const file = parsed?.part === 'payload' ? manifestFile(parsed.id) : null;
  const text = file === null ? null : await store.get(`${folder}${file}`);
  if (parsed === null || file === null || text === null) {
    if (file !== null && run.settings.signing !== null) {
      throw new BackupError(
        'E_SIGNATURE',
        `${store.uriOf(key)} has no manifest beside it, so it has no signature`,
        'Whoever deleted the manifest may also have changed the payload. Choose another backup. Without `signing-key`, it is read like any other dump.',
      );
    }
    if (file !== null) {
      warn(run, `${store.uriOf(key)} has no manifest beside it, so it can only be checked against what the store says`);
    }
    return { backup: null, uri: store.uriOf(key), stored, wanted: wantedOf(key, stored, stored.sha256) };
  }
  const files = [
    { name: key.slice(folder.length), type: '-', bytes: stored.bytes },
    { name: file, type: '-', bytes: text.length },
  ];
  const backup = read(run, parsed.name, files, text);
  demandTrusted(backup);
  if (backup.manifest.file !== key.slice(folder.length)) {
    throw new BackupError(
      'E_MANIFEST',
      `${store.uriOf(`${folder}${file}`)} is the manifest of ${backup.manifest.file}, not of the object you named`,
      `Correct \`backup\`, or choose another one.`,
    );
  }
  return agreeing(store, key, backup, stored);
}

/** The backup of that id, or null when the store does not have it whole. */
export async function byId(run: Run, store: ObjectStore, id: string): Promise<InStore | null> {
  const name = parseId(id)?.name ?? '';
  const [unit] = await unitsIn(store, name, `${id}.`);
  return unit === undefined ? null : readUnit(run, store, name, unit, null);
}

/**
 * All of that name, newest first, until `isEnough`; those of another database, and those that are unsigned or forged, are left out, and told. `here`: this host and its database; null: any. A host takes its own when there are
 * some. A new host may take those of one other, and between several nobody but a person can choose: then E_TARGET_MISMATCH.
 */
export async function newestIn(
  run: Run,
  store: ObjectStore,
  here: { host: string; identity: Identity } | null,
  isEnough: (backup: Backup) => boolean,
): Promise<InStore[]> {
  const isOwn = ({ manifest }: Backup): boolean => here === null || !isFromElsewhere(manifest, here);
  const isWanted = (backup: Backup): boolean => isTrusted(backup) && isEnough(backup) && isOwn(backup);
  const all = await readAll(run, store, here?.identity ?? null, isWanted);
  const found = all.filter(({ backup }) => isTrusted(backup));
  if (found.length < all.length) {
    const first = all.find(({ backup }) => !isTrusted(backup))?.backup;
    const others = counted(all.length - found.length, 'backup');
    warn(run, `skipping ${others} in the store (the first is ${first?.id}): ${first?.state}`);
  }
  const backups = found.map(({ backup }) => backup);
  for (const [at, backup] of asJudgedSince(backups, []).entries()) Object.assign(found[at] ?? {}, { backup });
  const own = found.filter(({ backup }) => isOwn(backup));
  if (own.length > 0) return own;
  const hosts = [...new Set(found.map(({ backup }) => backup.manifest.host))];
  if (hosts.length <= 1) return found;
  throw new BackupError(
    'E_TARGET_MISMATCH',
    `${store.uriOf(store.keyOf(run.settings.name, ''))} has backups of ${hosts.length} hosts (${quoteOutside(hosts.slice(0, 5).join(', '), 300)}), and none of this host, ${here?.host}`,
    `Give the id of the backup you mean (\`command: list\` shows them), or set \`allow-other-target: true\` to use the newest of all.`,
  );
}

async function readAll(
  run: Run,
  store: ObjectStore,
  identity: Identity | null,
  isEnough: (backup: Backup) => boolean,
): Promise<InStore[]> {
  const { name } = run.settings;
  const units = await unitsIn(store, name, '');
  const found: InStore[] = [];
  const others = new Others();
  for (let from = 0; from < units.length; from += AT_ONCE) {
    const some = await Promise.all(
      units.slice(from, from + AT_ONCE).map((unit) => readUnit(run, store, name, unit, identity, others)),
    );
    const good = some.filter((one) => one !== null);
    found.push(...good);
    if (good.some(({ backup }) => isEnough(backup))) break;
  }
  for (const { message } of others.findings())
    warn(run, `in ${store.uriOf(store.keyOf(name, ''))}: ${quoteOutside(message)}`);
  return found;
}

interface Unit {
  id: string;
  createdAt: Date;
  files: ListedFile[];
}

async function unitsIn(store: ObjectStore, name: string, beginning: string): Promise<Unit[]> {
  const units = new Map<string, Unit>();
  for (const file of await filesIn(store, name, beginning)) {
    const { id, createdAt } = file;
    const unit = units.get(id) ?? { id, createdAt, files: [] };
    unit.files.push(file);
    units.set(id, unit);
  }
  return [...units.values()].sort(newestFirst);
}

/** null when it is not whole, or no backup of this database; the log says why, of `others` when all are read. */
async function readUnit(
  run: Run,
  store: ObjectStore,
  name: string,
  { id, files }: Unit,
  identity: Identity | null,
  others = new Others(),
): Promise<InStore | null> {
  const file = manifestFile(id);
  const text = files.some((one) => one.name === file) ? await store.get(store.keyOf(name, file)) : null;
  if (text === null) return null; // an upload that was cut off
  try {
    const backup = read(run, name, files, text);
    if (identity !== null && !sameDatabase(backup.manifest.identity, identity)) {
      others.add(backup.manifest);
      return null;
    }
    if (backup.state === 'damaged') throw new BackupError('E_CHECKSUM', `it is damaged: ${backup.detail}`);
    const key = store.keyOf(name, backup.manifest.file);
    const stored = await store.head(key);
    if (stored === null) throw new BackupError('E_CHECKSUM', `${backup.manifest.file} is missing`);
    if (!isTrusted(backup)) {
      return { backup, uri: store.uriOf(key), stored, wanted: wantedOf(key, stored, backup.manifest.sha256) };
    }
    return agreeing(store, key, backup, stored);
  } catch (error) {
    if (!(error instanceof BackupError) || !['E_CHECKSUM', 'E_MANIFEST'].includes(error.code)) throw error;
    warn(run, `skipping ${store.uriOf(store.keyOf(name, id))}: ${quoteOutside(error.message, 500)}`);
    return null;
  }
}

/** The backup of these files. Throws E_MANIFEST when there is none. */
function read(run: Run, name: string, files: Unit['files'], text: string): Backup {
  const manifests = new Map(files.filter((one) => one.name.endsWith('.json')).map((one) => [one.name, text]));
  const { backups, problems } = readCatalogue(
    { files, manifests },
    { name, identity: null, keys: run.settings.signing },
    run.now(),
  );
  const [backup] = backups;
  if (backup !== undefined) return backup;
  throw new BackupError('E_MANIFEST', problems[0]?.message ?? 'the manifest is missing');
}

/** What the store says of the payload is what the manifest says. Throws E_CHECKSUM. */
function agreeing(store: ObjectStore, key: string, backup: Backup, stored: Stored): InStore {
  const { bytes, sha256 } = backup.manifest;
  const uri = store.uriOf(key);
  const why =
    stored.bytes !== bytes
      ? `it has ${formatBytes(stored.bytes)} (${plural(stored.bytes, 'byte')}), but its manifest says ${plural(bytes, 'byte')}`
      : stored.sha256 !== null && stored.sha256 !== sha256
        ? `it was stored with the SHA-256 ${stored.sha256}, but its manifest says ${sha256}`
        : null;
  if (why !== null) {
    throw new BackupError(
      'E_CHECKSUM',
      `${uri} does not belong to its manifest: ${why}`,
      `Do not rely on that copy. Find out who can write to the bucket.`,
    );
  }
  return { backup, uri, stored, wanted: wantedOf(key, stored, sha256) };
}

function wantedOf(key: string, { bytes, etag }: Stored, sha256: string | null): Wanted {
  return { key, bytes, sha256, etag: /^[\w.+/=-]+$/.test(etag) ? etag : '' };
}
