import { type Backup, readCatalogue } from '../backups/catalogue.js';
import { asJudgedSince, isFromElsewhere } from '../backups/copies.js';
import type { Identity } from '../backups/identity.js';
import { manifestFile, parseFileName } from '../backups/names.js';
import { newestFirst } from '../backups/retention.js';
import { plural } from '../counting.js';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import { formatBytes } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { type Connection, hostOf, warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import type { S3Location } from '../settings/settings.js';
import { STAYS } from '../stores/s3/failures.js';
import type { Wanted } from '../stores/s3/reading.js';
import type { Store, Stored } from '../stores/s3/store.js';

/** A backup as a store has it, or a dump that this action did not make. */
export interface InStore {
  /** null: there is no manifest beside it. */
  backup: Backup | null;
  uri: string;
  wanted: Wanted;
  stored: Stored;
}

/** How many that the host has lost are looked for. */
const MOST_LOST = 20;
const AT_ONCE = 8;

/** Hands the store to `work`; `bucket` when it is another one than that of the settings. */
export async function inStore<T>(run: Run, bucket: string | null, work: (store: Store) => Promise<T>): Promise<T> {
  const { s3, idleTimeoutMs } = run.settings;
  if (s3 === null) throw new BackupError('E_INTERNAL', 'there is no store to ask');
  // Loaded when used: the SDK takes as long as all the rest.
  const { Store } = await import('../stores/s3/store.js');
  const store = new Store({ ...s3, bucket: bucket ?? s3.bucket }, run.signal, idleTimeoutMs);
  try {
    return await work(store);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    const left = run.settings.command === 'restore' ? 'Nothing was restored.' : 'Nothing was changed.';
    throw new BackupError(error.code, error.message, error.hint.replace(STAYS, left), { cause: error });
  } finally {
    store.close();
  }
}

/** What `s3://` names, with the manifest beside it, which must agree. Throws E_NOT_FOUND, E_MANIFEST, E_CHECKSUM. */
export async function named(run: Run, store: Store, { key }: S3Location): Promise<InStore> {
  const stored = await store.head(key);
  if (stored === null) {
    await store.list(key); // when there is not even the bucket, this one says so
    throw new BackupError(
      'E_NOT_FOUND',
      `there is no ${quoteOutside(store.uriOf(key), 1200)}`,
      `Correct \`backup\`: the key of the payload, as \`s3-uri\` tells it. ${NOTHING}`,
    );
  }
  const folder = key.slice(0, key.lastIndexOf('/') + 1);
  const parsed = parseFileName(key.slice(folder.length));
  const file = parsed?.part === 'payload' ? manifestFile(parsed.id) : null;
  const text = file === null ? null : await store.get(`${folder}${file}`);
  if (parsed === null || file === null || text === null) {
    if (file !== null) {
      warn(run, `${store.uriOf(key)} has no manifest beside it, so nothing tells what it should be but the store`);
    }
    return { backup: null, uri: store.uriOf(key), stored, wanted: wantedOf(key, stored, stored.sha256) };
  }
  const files = [
    { name: key.slice(folder.length), type: '-', bytes: stored.bytes },
    { name: file, type: '-', bytes: text.length },
  ];
  const backup = read(run, parsed.name, files, text, null);
  if (backup.manifest.file !== key.slice(folder.length)) {
    throw new BackupError(
      'E_MANIFEST',
      `${store.uriOf(`${folder}${file}`)} is the manifest of ${backup.manifest.file}, not of that object`,
      `Correct \`backup\`. ${NOTHING}`,
    );
  }
  return agreeing(store, key, backup, stored);
}

/** The backup of that id, or null when the store does not have it whole. */
export async function byIdInStore(run: Run, store: Store, name: string, id: string): Promise<InStore | null> {
  const [unit] = await unitsIn(store, name, `${id}.`);
  return unit === undefined ? null : readUnit(run, store, name, unit, null);
}

/** Those of these ids that the store has. */
export async function lostInStore(run: Run, store: Store, name: string, ids: readonly string[]): Promise<InStore[]> {
  const found: InStore[] = [];
  for (const id of ids.slice(0, MOST_LOST)) {
    const one = await byIdInStore(run, store, name, id);
    if (one !== null) found.push(one);
  }
  return found;
}

/** Which host and database are asked for; null: any. */
export type Here = Parameters<typeof isFromElsewhere>[1] | null;

/** This host and the database on it. */
export const hereOf = async (run: Run, connection: Connection, facts: Facts): Promise<Here> => ({
  host: await hostOf(run, connection),
  identity: run.database.identity(facts),
});

/**
 * All of that name, newest first, until `isEnough`; those of another database are left out, and told. A host takes its own when there are
 * some. A new host may take those of one other, and between several nobody but a person can choose: then E_TARGET_MISMATCH.
 */
export async function allInStore(
  run: Run,
  store: Store,
  here: Here,
  isEnough: (backup: Backup) => boolean,
): Promise<InStore[]> {
  const isOwn = ({ manifest }: Backup): boolean => here === null || !isFromElsewhere(manifest, here);
  const found = await readAll(run, store, here?.identity ?? null, (backup) => isEnough(backup) && isOwn(backup));
  const judged = asJudgedSince(
    found.flatMap(({ backup }) => backup ?? []),
    [],
  );
  for (const one of found) one.backup = judged.find(({ id }) => id === one.backup?.id) ?? one.backup;
  const own = found.filter(({ backup }) => backup !== null && isOwn(backup));
  if (own.length > 0) return own;
  const hosts = [...new Set(found.map(({ backup }) => backup?.manifest.host ?? ''))];
  if (hosts.length <= 1) return found;
  throw new BackupError(
    'E_TARGET_MISMATCH',
    `${store.uriOf(store.keyOf(run.settings.name, ''))}/ has backups of ${hosts.length} hosts (${quoteOutside(hosts.slice(0, 5).join(', '), 300)}), and none of this one, ${here?.host}`,
    `Name the one that is meant by its id (\`command: list\`), or set \`allow-other-target: true\` to take the newest of all. ${NOTHING}`,
  );
}

async function readAll(
  run: Run,
  store: Store,
  identity: Identity | null,
  isEnough: (backup: Backup) => boolean,
): Promise<InStore[]> {
  const { name } = run.settings;
  const units = await unitsIn(store, name, '');
  const found: InStore[] = [];
  for (let from = 0; from < units.length; from += AT_ONCE) {
    const some = await Promise.all(
      units.slice(from, from + AT_ONCE).map((unit) => readUnit(run, store, name, unit, identity)),
    );
    const good = some.filter((one) => one !== null);
    found.push(...good);
    if (good.some(({ backup }) => backup !== null && isEnough(backup))) break;
  }
  return found;
}

interface Unit {
  id: string;
  createdAt: Date;
  files: { name: string; type: string; bytes: number }[];
}

async function unitsIn(store: Store, name: string, beginning: string): Promise<Unit[]> {
  const folder = `${store.keyOf(name, '')}/`;
  const units = new Map<string, Unit>();
  for (const { key, bytes } of await store.list(`${folder}${beginning}`)) {
    const file = key.slice(folder.length);
    const parsed = parseFileName(file);
    if (parsed === null || parsed.name !== name) continue;
    const { id, createdAt } = parsed;
    const unit = units.get(id) ?? { id, createdAt, files: [] };
    unit.files.push({ name: file, type: '-', bytes });
    units.set(id, unit);
  }
  return [...units.values()].sort(newestFirst);
}

/** null when it is not whole, or no backup of this database; the log says why. */
async function readUnit(
  run: Run,
  store: Store,
  name: string,
  { id, files }: Unit,
  identity: Identity | null,
): Promise<InStore | null> {
  const file = manifestFile(id);
  const text = files.some((one) => one.name === file) ? await store.get(store.keyOf(name, file)) : null;
  if (text === null) return null; // an upload that was cut off
  try {
    const backup = read(run, name, files, text, identity);
    if (backup.state === 'damaged') throw new BackupError('E_CHECKSUM', `it is damaged: ${backup.detail}`);
    const key = store.keyOf(name, backup.manifest.file);
    const stored = await store.head(key);
    if (stored === null) throw new BackupError('E_CHECKSUM', `${backup.manifest.file} is missing`);
    return agreeing(store, key, backup, stored);
  } catch (error) {
    if (!(error instanceof BackupError) || !['E_CHECKSUM', 'E_MANIFEST'].includes(error.code)) throw error;
    warn(run, `${store.uriOf(store.keyOf(name, id))} is passed over: ${quoteOutside(error.message, 500)}`);
    return null;
  }
}

/** The backup of these files. Throws E_MANIFEST when there is none. */
function read(run: Run, name: string, files: Unit['files'], text: string, identity: Identity | null): Backup {
  const manifests = new Map(files.filter((one) => one.name.endsWith('.json')).map((one) => [one.name, text]));
  const { backups, problems } = readCatalogue({ files, manifests }, { name, identity }, run.now());
  const [backup] = backups;
  if (backup !== undefined) return backup;
  throw new BackupError('E_MANIFEST', problems[0] ?? 'there is no manifest', NOTHING);
}

/** What the store says of the payload is what the manifest says. Throws E_CHECKSUM. */
function agreeing(store: Store, key: string, backup: Backup, stored: Stored): InStore {
  const { bytes, sha256 } = backup.manifest;
  const uri = store.uriOf(key);
  const why =
    stored.bytes !== bytes
      ? `it has ${formatBytes(stored.bytes)} (${plural(stored.bytes, 'byte')}), its manifest says ${plural(bytes, 'byte')}`
      : stored.sha256 !== null && stored.sha256 !== sha256
        ? `it was stored with the SHA-256 ${stored.sha256}, its manifest says ${sha256}`
        : null;
  if (why !== null) {
    throw new BackupError(
      'E_CHECKSUM',
      `${uri} does not belong to its manifest: ${why}`,
      `Do not rely on that copy: find out who can write into the bucket. ${NOTHING}`,
    );
  }
  return { backup, uri, stored, wanted: wantedOf(key, stored, sha256) };
}

function wantedOf(key: string, { bytes, etag }: Stored, sha256: string | null): Wanted {
  return { key, bytes, sha256, etag: /^[\w.+/=-]+$/.test(etag) ? etag : '' };
}

const NOTHING = 'Nothing was fetched, nothing was changed.';
