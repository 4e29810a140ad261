import type { ListedFile, Listing } from '../backups/catalogue.js';
import { MAX_READ_BYTES, MAX_TOTAL_BYTES, READ_WHOLE_BYTES, shorten } from '../backups/manifest-size.js';
import { type ParsedFileName, parseFileName } from '../backups/names.js';
import { BackupError } from '../errors.js';
import type { ObjectStore } from '../stores/object-store.js';

/** How many manifests are fetched at once. */
const FETCHES = 8;

/**
 * What lies under `<prefix>/<name>/` by names of ours, with the manifests that can be read: the newest whole, of the others what a
 * catalogue needs. `whole`: all whole, for their signatures.
 */
export async function listCopies(
  store: ObjectStore,
  name: string,
  whole: boolean,
): Promise<Listing & { unread: string[] }> {
  const files = await filesIn(store, name);
  const listed = files.flatMap(({ name: file, part, bytes }) => (part === 'manifest' ? [{ file, bytes }] : []));
  listed.sort((one, other) => (one.file < other.file ? -1 : 1)); // all have one name, and then their time
  const unread: string[] = [];
  const wanted: string[] = [];
  let total = 0;
  for (const { file, bytes } of listed.toReversed()) {
    total += Math.min(bytes, MAX_READ_BYTES);
    if (total <= MAX_TOTAL_BYTES) wanted.push(file);
    else unread.push(`the newer manifests already add up to ${MAX_TOTAL_BYTES} bytes`);
  }

  const manifests = new Map<string, string>();
  let room = READ_WHOLE_BYTES;
  const fetch = async (): Promise<void> => {
    for (let file = wanted.shift(); file !== undefined; file = wanted.shift()) {
      try {
        const text = await store.get(store.keyOf(name, file));
        if (text === null) continue;
        manifests.set(file, whole || text.length <= room ? text : shorten(text));
        room -= text.length;
      } catch (error) {
        if (!(error instanceof BackupError) || !UNREADABLE.includes(error.code)) throw error;
        unread.push(error.message);
      }
    }
  };
  await Promise.all(Array.from({ length: FETCHES }, fetch));
  return { files, manifests, unread };
}

/** What there is of ours by that name, of which the file names begin so. */
export async function filesIn(
  store: ObjectStore,
  name: string,
  beginning = '',
): Promise<(ListedFile & ParsedFileName)[]> {
  const folder = store.keyOf(name, '');
  return (await store.list(folder + beginning)).flatMap(({ key, bytes }) => {
    // a store may answer with more than it was asked for
    const file = key.startsWith(folder) ? key.slice(folder.length) : '';
    const parsed = parseFileName(file);
    return parsed?.name === name ? [{ ...parsed, name: file, type: '-', bytes }] : [];
  });
}

/** Under which names but this one there are backups beside it. */
export async function namesIn(store: ObjectStore, name: string): Promise<string[]> {
  const beside = store.keyOf(name, '').slice(0, -`${name}/`.length);
  const names = (await store.list(beside)).flatMap(({ key }) => {
    const [folder = '', file = '', ...deeper] = key.startsWith(beside) ? key.slice(beside.length).split('/') : [];
    return deeper.length === 0 && folder !== name && parseFileName(file)?.name === folder ? [folder] : [];
  });
  return [...new Set(names)];
}

/** Of one object, so that the others still can be told: not allowed, moved into an archive, far too long. */
const UNREADABLE = ['E_S3_AUTH', 'E_NOT_FOUND', 'E_TOO_LARGE'];
