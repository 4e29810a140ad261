import type { ListedFile, Listing } from '../backups/catalogue.js';
import { parseFileName } from '../backups/names.js';
import { BackupError } from '../errors.js';
import type { Store } from './store.js';

/** Of a manifest; as much as the host sends of one. */
export const MAX_TEXT_BYTES = 3 << 20;
/** How many manifests are fetched at once. */
const FETCHES = 8;
const MAX_TOTAL_BYTES = 256 << 20;

/** What lies under `<prefix>/<name>/` by names of ours, with the manifests that can be read. */
export async function listCopies(store: Store, name: string): Promise<Listing & { unread: string[] }> {
  const folder = store.folderOf(name);
  const files: ListedFile[] = [];
  const wanted: string[] = [];
  let total = 0;
  for (const { key, bytes } of await store.list(folder)) {
    // a store may answer with more than it was asked for
    const file = key.startsWith(folder) ? key.slice(folder.length) : '';
    const parsed = parseFileName(file);
    if (parsed?.name !== name) continue;
    files.push({ name: file, type: '-', bytes });
    if (parsed.part !== 'manifest') continue;
    total += Math.min(bytes, MAX_TEXT_BYTES);
    wanted.push(file);
  }
  if (total > MAX_TOTAL_BYTES) {
    throw new BackupError(
      'E_TOO_LARGE',
      `the manifests in ${store.uriOf(folder)} are more than ${MAX_TOTAL_BYTES} bytes together`,
      'Look at what is there: a manifest has a few thousand bytes. Nothing was deleted there.',
    );
  }

  const manifests = new Map<string, string>();
  const unread: string[] = [];
  const fetch = async (): Promise<void> => {
    for (let file = wanted.pop(); file !== undefined; file = wanted.pop()) {
      try {
        const text = await store.get(folder + file);
        if (text !== null) manifests.set(file, text);
      } catch (error) {
        if (!(error instanceof BackupError) || !UNREADABLE.includes(error.code)) throw error;
        unread.push(error.message);
      }
    }
  };
  await Promise.all(Array.from({ length: FETCHES }, fetch));
  return { files, manifests, unread };
}

/** Of one object, so that the others still can be told: not allowed, moved into an archive, far too long. */
const UNREADABLE = ['E_S3_AUTH', 'E_NOT_FOUND', 'E_TOO_LARGE'];
