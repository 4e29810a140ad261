import type { ListedFile, Listing } from '../backups/catalogue.js';
import { MAX_READ_BYTES, MAX_TOTAL_BYTES } from '../backups/manifest-size.js';
import { parseFileName } from '../backups/names.js';
import type { Facts } from '../host/session.js';
import type { Connection } from '../run/connect.js';
import type { Run } from '../run/run.js';

/** The host tells no more than 64 MiB in an answer, and takes a request as the arguments of a program. */
const AT_ONCE = { bytes: 48 << 20, files: 2_000 };
/** How a manifest begins of which the host has left the long lists out: catalogue_awk of host/programs/catalogue.sh. */
const SHORTENED = '{ "shortened": true,';

/** What a host has listed. */
export interface HostListing extends Listing {
  /** How many of the oldest manifests were not read, since all are too much. */
  untold: number;
}

/** What the host has told of the files in the directory; with a key every manifest whole, for a signature is one of all of it. */
export async function readListing(
  { settings }: Pick<Run, 'settings'>,
  { send }: Pick<Connection, 'send'>,
  facts: Facts,
): Promise<HostListing> {
  const listing = listingOf(facts);
  if (settings.signing === null) return listing;
  const { manifests, files } = listing;
  const missing: ListedFile[] = [];
  let total = 0;
  let untold = 0;
  for (const file of files.filter(isManifest).sort(newestFirst)) {
    total += file.bytes;
    const text = manifests.get(file.name);
    if (total > MAX_TOTAL_BYTES) {
      manifests.delete(file.name);
      untold++;
    } else if (text === undefined || text.startsWith(SHORTENED)) missing.push(file);
  }
  for (const batch of batchesOf(missing)) {
    const names = batch.map(({ name }) => name);
    const whole = textsOf((await send(['job', 'put_manifests', names])).entries);
    for (const name of names) {
      const text = whole.get(name);
      if (text === undefined) manifests.delete(name);
      else manifests.set(name, text);
    }
  }
  return { files, manifests, untold };
}

/** The same as it was told at first. */
export function listingOf(facts: Facts): HostListing {
  const files: ListedFile[] = [];
  const end = facts.entries.findIndex(([key]) => key === 'listed');
  // who is asked after it may be another user, or a container, and is not to speak of the directory
  const told = end < 0 ? facts.entries : facts.entries.slice(0, end);
  for (const line of told.flatMap(([key, lines]) => (key === 'files' ? lines.split('\n') : []))) {
    // mode, links, uid, gid, size, month, day, time, name; the names of ours hold no blanks
    const [, type, bytes, name] = /^(\S)\S* +\d+ +\d+ +\d+ +(\d+) +\S+ +\S+ +\S+ (\S+)(?: -> .*)?$/.exec(line) ?? [];
    if (type && bytes && name) files.push({ name, type, bytes: Number(bytes) });
  }
  const [untold] = told.flatMap(([key, text]) => (key === 'untold' && /^\d{1,9}$/.test(text) ? [Number(text)] : []));
  return { files, manifests: textsOf(told), untold: untold ?? 0 };
}

function textsOf(told: Facts['entries']): Map<string, string> {
  const key = 'manifest ';
  return new Map(told.flatMap(([name, text]) => (name.startsWith(key) ? [[name.slice(key.length), text]] : [])));
}

const isManifest = ({ name, type, bytes }: ListedFile): boolean =>
  type === '-' && bytes <= MAX_READ_BYTES && parseFileName(name)?.part === 'manifest';

/** All are of one name, after which the time stands. */
const newestFirst = (one: ListedFile, other: ListedFile): number => (one.name < other.name ? 1 : -1);

function batchesOf(files: readonly ListedFile[]): ListedFile[][] {
  const batches: ListedFile[][] = [];
  let room = 0;
  for (const file of files) {
    const last = batches.at(-1);
    if (last === undefined || file.bytes > room || last.length === AT_ONCE.files) {
      batches.push([file]);
      room = AT_ONCE.bytes - file.bytes;
    } else {
      last.push(file);
      room -= file.bytes;
    }
  }
  return batches;
}
