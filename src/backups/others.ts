import { type Finding, odd } from './finding.js';
import { type Identity, sameDatabase, showIdentity } from './identity.js';
import { type Manifest, parseManifest } from './manifest.js';

const SHOWN = 5;

/** The backups of other databases in a folder, which are told in one sentence for each of those databases, however many there are. */
export class Others {
  readonly #ids = new Map<string, string[]>();

  /** Whether it is the first one of its database. */
  add({ id, identity }: Pick<Manifest, 'id' | 'identity'>): boolean {
    const other = showIdentity(identity);
    const ids = this.#ids.get(other);
    if (ids === undefined) this.#ids.set(other, [id]);
    else ids.push(id);
    return ids === undefined;
  }

  /** In the order in which the databases were met. */
  findings(): Finding[] {
    return [...this.#ids].map(([other, ids]) => {
      const shown = ids.slice(0, SHOWN).join(', ') + (ids.length > SHOWN ? ', ...' : '');
      return odd(
        'E_MANIFEST',
        ids.length === 1
          ? `${shown} belongs to another database, ${other}; here it is never counted and never deleted`
          : `${ids.length} backups (${shown}) belong to another database, ${other}; here they are never counted and never deleted`,
        'If two databases share a directory, give each its own `name`.',
      );
    });
  }
}

/** The manifest, when it is that of another database; null also when it cannot be read. */
export function ofAnother(text: string, id: string, identity: Identity): Manifest | null {
  try {
    const manifest = parseManifest(text, id);
    return sameDatabase(manifest.identity, identity) ? null : manifest;
  } catch {
    return null;
  }
}
