import { type Backup, type Catalogue, isTrusted, readCatalogue, toCandidates } from '../../src/backups/catalogue.js';
import { type BackupPlace, copyCandidates } from '../../src/backups/copies.js';
import type { Identity } from '../../src/backups/identity.js';
import { type Manifest, serializeManifest } from '../../src/backups/manifest.js';
import { checksumFile, manifestFile, parseId } from '../../src/backups/names.js';
import type { KeepRules } from '../../src/backups/retention.js';
import type { SigningKeys } from '../../src/backups/signature.js';
import { BackupError } from '../../src/errors.js';
import type { Found, Held, Place, Removal, Unit } from '../../src/places/place.js';
import { PATH } from '../backups/sample-backups.js';

/** What lies in a place: sizes and, of manifests, texts by file name. */
export type Files = Map<string, { bytes: number; text: string }>;

/** Puts a backup in, whole but for these parts. */
export function fill(files: Files, manifest: Manifest, without: ('payload' | 'manifest')[] = []): void {
  const text = serializeManifest(manifest);
  if (!without.includes('payload')) {
    files.set(manifest.file, { bytes: manifest.bytes, text: '' });
    files.set(checksumFile(manifest.file), { bytes: 100, text: '' });
  }
  if (!without.includes('manifest')) files.set(manifestFile(manifest.id), { bytes: text.length, text });
}

/** A place that is nowhere but here, for unit tests. */
export class MemoryPlace implements Place {
  /** Ids that the place refuses to delete, with why; those that it tells of before are `locked`. */
  readonly locked = new Map<string, string>();
  readonly lockedInSilence = new Set<string>();
  /** Files that can not be deleted, for whatever reason. */
  readonly stuck = new Set<string>();
  /** It can not be asked. */
  failure: Error | null = null;
  /** What the host has, for a place of copies, and which host that is. */
  beside: { host: Pick<Catalogue, 'backups' | 'unreadable'>; here: { host: string; identity: Identity } } | null = null;
  /** By which its manifests have to be signed. */
  keys: SigningKeys | null = null;
  private listed: Catalogue | null = null;

  constructor(
    readonly files: Files = new Map(),
    readonly now = new Date(),
    readonly kind: BackupPlace = 'host',
    readonly rules: KeepRules | null = { last: 5 },
    private readonly identity: Identity | null = { path: PATH },
    readonly name = 'app',
  ) {}

  get uri(): string {
    return this.kind === 'host' ? '/srv/backups' : 's3://bucket/app/';
  }

  async catalogue(): Promise<Catalogue> {
    if (this.failure !== null) throw this.failure;
    this.listed ??= this.read(this.name, this.identity);
    return this.listed;
  }

  private read(name: string, identity: Identity | null): Catalogue {
    const files = [...this.files].map(([file, { bytes }]) => ({ name: file, type: '-', bytes }));
    const manifests = new Map([...this.files].map(([file, { text }]) => [file, text] as const));
    return readCatalogue({ files, manifests }, { name, identity, keys: this.keys }, this.now);
  }

  /** Names of other databases with backups here. */
  names: string[] = [];

  async otherNames(): Promise<string[]> {
    return this.names;
  }

  async candidates() {
    const { backups } = await this.catalogue();
    return this.beside === null ? toCandidates(backups) : copyCandidates(backups, this.beside.host, this.beside.here);
  }

  async held(units: readonly Unit[]): Promise<Held[]> {
    return units.flatMap(({ id }) => {
      const why = this.locked.get(id);
      return why === undefined ? [] : [{ id, why }];
    });
  }

  async remove(units: readonly Unit[]): Promise<Removal> {
    const catalogue = await this.catalogue();
    const removal: Removal = { deleted: [], held: [], failure: null };
    for (const { id, files } of units) {
      if (this.locked.has(id) || this.lockedInSilence.has(id)) {
        removal.held.push({ id, why: this.locked.get(id) ?? 'locked, says the place' });
        continue;
      }
      for (const file of files) {
        if (this.stuck.has(file)) {
          const error = new BackupError('E_ROTATE', `${file} is stuck`, 'Pull harder.');
          removal.failure ??= { what: 'something could not be deleted', error, todo: '`prune` tries again.' };
          break;
        }
        this.files.delete(file);
        removal.deleted.push(file);
      }
    }
    const gone = new Set(removal.deleted);
    catalogue.backups = catalogue.backups.filter((backup) => !gone.has(manifestFile(backup.id)));
    catalogue.orphans = catalogue.orphans.filter(({ files }) => !files.every((file) => gone.has(file)));
    return removal;
  }

  async one(id: string): Promise<Found | null> {
    if (this.failure !== null) throw this.failure;
    const { backups } = this.read(parseId(id)?.name ?? '', null);
    return this.found(backups.filter((backup) => backup.id === id))[0] ?? null;
  }

  async newest(_isEnough: (backup: Backup) => boolean): Promise<Found[]> {
    return this.found((await this.catalogue()).backups.filter(isTrusted));
  }

  private found(backups: readonly Backup[]): Found[] {
    return backups
      .filter(({ state }) => state !== 'damaged')
      .map((backup) => ({ backup, uri: `${this.uri}${backup.manifest.file}` }));
  }
}
