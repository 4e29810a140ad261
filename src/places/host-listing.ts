import type { ListedFile, Listing } from '../backups/catalogue.js';
import type { Facts } from '../host/session.js';

/** What the host has told of the files in the directory. */
export function listingOf(facts: Facts): Listing {
  const files: ListedFile[] = [];
  const end = facts.entries.findIndex(([key]) => key === 'listed');
  // who is asked after it may be another user, or a container, and is not to speak of the directory
  const told = end < 0 ? facts.entries : facts.entries.slice(0, end);
  for (const line of told.flatMap(([key, lines]) => (key === 'files' ? lines.split('\n') : []))) {
    // mode, links, uid, gid, size, month, day, time, name; the names of ours hold no blanks
    const [, type, bytes, name] = /^(\S)\S* +\d+ +\d+ +\d+ +(\d+) +\S+ +\S+ +\S+ (\S+)(?: -> .*)?$/.exec(line) ?? [];
    if (type && bytes && name) files.push({ name, type, bytes: Number(bytes) });
  }
  const manifests = new Map<string, string>();
  for (const [key, text] of told) {
    if (key.startsWith('manifest ')) manifests.set(key.slice('manifest '.length), text);
  }
  return { files, manifests };
}
