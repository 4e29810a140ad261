import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '../../src/backups/manifest.js';
import { checksumFile, formatId, manifestFile } from '../../src/backups/names.js';
import type { SigningKeys } from '../../src/backups/signature.js';
import { manifestOf } from '../backups/sample-backups.js';
import { TOLD } from './invariants.js';
import type { Scene } from './scene.js';

export interface SeedOptions {
  name?: string;
  suffix?: string;
  manifest?: Partial<Manifest>;
  payload?: string | Buffer;
  /** By which the manifest is signed. */
  keys?: SigningKeys;
  /** Parts that are not written. */
  without?: ('payload' | 'sidecar' | 'manifest')[];
}

/** A backup directory filled by hand, owned by the login user of the scene. */
export class SeededDirectory {
  #made = 0;

  constructor(
    private readonly scene: Scene,
    readonly path: string = scene.directory,
  ) {
    if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
    this.#own(path);
  }

  /** A backup of the scene's database taken at `at`: payload, checksum and manifest that agree. Returns its id. */
  backup(at: Date, options: SeedOptions = {}): string {
    const id = formatId(options.name ?? 'app', at, options.suffix ?? (++this.#made).toString(16).padStart(4, '0'));
    const payload = Buffer.from(options.payload ?? `payload of ${id}\n`.repeat(20));
    const unsigned = manifestOf(id, {
      database: this.scene.database,
      identity: { path: this.scene.database },
      bytes: payload.length,
      databaseBytes: 1_100_000,
      sha256: createHash('sha256').update(payload).digest('hex'),
      ...options.manifest,
    });
    const manifest = options.keys?.sign(unsigned) ?? unsigned;
    const without = options.without ?? [];
    if (!without.includes('payload')) this.write(manifest.file, payload);
    if (!without.includes('sidecar')) {
      this.write(checksumFile(manifest.file), `${manifest.sha256}  ${manifest.file}\n`);
    }
    if (!without.includes('manifest')) this.write(manifestFile(id), `${JSON.stringify(manifest, null, 2)}\n`);
    return id;
  }

  /** A file of the login user, with a time that says nothing. */
  write(name: string, content: string | Buffer): void {
    const file = join(this.path, name);
    writeFileSync(file, content);
    this.#own(file);
    chmodSync(file, 0o600);
    const time = Date.now() / 1000 - Math.floor(Math.random() * 9e7);
    utimesSync(file, time, time);
  }

  names(): string[] {
    return readdirSync(this.path)
      .filter((name) => !TOLD.includes(name))
      .sort();
  }

  manifest(id: string): Manifest {
    return JSON.parse(readFileSync(join(this.path, manifestFile(id)), 'utf8')) as Manifest;
  }

  status(): unknown {
    return JSON.parse(readFileSync(join(this.path, 'status.json'), 'utf8'));
  }

  #own(path: string): void {
    chownSync(path, this.scene.user.uid, this.scene.user.gid);
  }
}

/** UTC midnight `days` days ago, and `hours` hours. */
export function daysAgo(days: number, hours = 10): Date {
  const midnight = Math.floor(Date.now() / 86_400_000) * 86_400_000;
  return new Date(midnight - days * 86_400_000 + hours * 3_600_000);
}

/** Everything below a directory by its relative path: type, mode, owner, size, time, and the bytes of regular files as a hash. */
export function listing(directory: string, prefix = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of existsSync(join(directory, prefix)) ? readdirSync(join(directory, prefix)).sort() : []) {
    const path = join(prefix, name);
    const stat = lstatSync(join(directory, path), { bigint: true });
    const content = stat.isFile()
      ? createHash('sha256')
          .update(readFileSync(join(directory, path)))
          .digest('hex')
      : stat.isSymbolicLink()
        ? readlinkSync(join(directory, path))
        : '';
    found[path] = `${stat.mode.toString(8)} ${stat.uid} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${content}`;
    if (stat.isDirectory()) Object.assign(found, listing(directory, path));
  }
  return found;
}
