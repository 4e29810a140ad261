import { type Finding, odd } from './finding.js';
import { showIdentity } from './identity.js';
import type { Manifest } from './manifest.js';

const SHOWN = 5;

/** The backups of other databases in a folder, which are told in one sentence for each of those databases, however many there are. */
export class Others {
  readonly #ids = new Map<string, string[]>();

  /** Of the first one of a database: what is to be said of all of them, once all are there; else null. */
  add({ id, identity }: Pick<Manifest, 'id' | 'identity'>): (() => Finding) | null {
    const other = showIdentity(identity);
    const known = this.#ids.get(other);
    if (known !== undefined) {
      known.push(id);
      return null;
    }
    const ids = [id];
    this.#ids.set(other, ids);
    return () => findingOf(other, ids);
  }

  /** In the order in which the databases were met. */
  findings(): Finding[] {
    return [...this.#ids].map(([other, ids]) => findingOf(other, ids));
  }
}

function findingOf(other: string, ids: readonly string[]): Finding {
  const shown = ids.slice(0, SHOWN).join(', ') + (ids.length > SHOWN ? ', ...' : '');
  return odd(
    'E_MANIFEST',
    ids.length === 1
      ? `${shown} belongs to another database, ${other}; here it is never counted and never deleted`
      : `${ids.length} backups (${shown}) belong to another database, ${other}; here they are never counted and never deleted`,
    'If two databases share a directory, give each its own `name`.',
  );
}
