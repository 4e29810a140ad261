import { BackupError } from '../errors.js';
import type { Facts, HostRequest } from '../host/session.js';
import { counted } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { ExtractFormat, Extraction, Settings } from '../settings/settings.js';
import type { Dump } from './restoring.js';

/** How one table is taken out of a backup: read in a folder that goes with the session, and never through a database that lives. */
export interface Extracting {
  readonly formats: readonly ExtractFormat[];
  /** Compares the bytes of the payload, opens it, and tells its tables. */
  open(settings: Settings, dump: Dump, asked: Extraction): HostRequest;
  /** Sentences about what was opened. */
  remarks(settings: Settings, dump: Dump, facts: Facts): string[];
  /** Leaves the rows in the file `payload` of the folder. `facts`: what `open` told. Throws E_NOT_FOUND, and E_MANIFEST for what may not be passed on. */
  rows(settings: Settings, dump: Dump, asked: Extraction, facts: Facts): HostRequest;
}

const MOST_SHOWN = 8;
const MOST_COMPARED = 5_000;

/** Names those that are most alike. `tables`: as the user would name them. */
export function noTable(asked: string, tables: readonly string[]): BackupError {
  const near = nearest(asked, tables).map((name) => quoteOutside(name, 200));
  const more = tables.length - near.length;
  return new BackupError(
    'E_NOT_FOUND',
    `the backup has no table ${quoteOutside(JSON.stringify(asked), 200)}`,
    tables.length === 0
      ? 'It has no tables.'
      : `It has ${near.join(', ')}${more > 0 ? `, and ${counted(more, 'other')}` : ''}.`,
  );
}

/** Those of the fewest changes first, then by the alphabet. */
export function nearest(asked: string, names: readonly string[]): string[] {
  const wanted = asked.toLowerCase();
  const apart = (name: string): number => {
    const text = name.toLowerCase();
    const bare = text.slice(text.indexOf('.') + 1);
    return text.includes(wanted) ? 0 : Math.min(distance(wanted, text), distance(wanted, bare));
  };
  return names
    .slice(0, MOST_COMPARED)
    .map((name) => ({ name, by: apart(name) }))
    .sort((one, other) => one.by - other.by || (one.name < other.name ? -1 : 1))
    .slice(0, MOST_SHOWN)
    .map(({ name }) => name);
}

/** How many letters are to be changed, put in or taken out (Levenshtein); of long names the beginning counts. */
function distance(one: string, other: string): number {
  const [a, b] = [one.slice(0, 64), other.slice(0, 64)];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
