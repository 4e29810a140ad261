import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Manifest } from '../../src/backups/manifest.js';
import { formatId, manifestFile } from '../../src/backups/names.js';
import type { SigningKeys } from '../../src/backups/signature.js';
import { manifestOf } from '../backups/sample-backups.js';
import type { S3Double } from './s3-double.js';
import type { Scene } from './scene.js';

export interface CopyOptions {
  name?: string;
  manifest?: Partial<Manifest>;
  payload?: string;
  /** By which the manifest is signed. */
  keys?: SigningKeys;
  without?: ('payload' | 'manifest')[];
  /** Of both objects, as the answer to HEAD has them. */
  headers?: Record<string, string>;
}

/** The copies of the scene's database in a store, filled by hand. */
export class SeededStore {
  #made = 0;

  constructor(
    private readonly scene: Scene,
    private readonly s3: S3Double,
    private readonly prefix = '',
  ) {}

  /** Payload and manifest that agree, of a backup taken at `at` on the scene's host. Returns its id. */
  copy(at: Date, { payload, ...options }: CopyOptions = {}): string {
    const id = formatId(options.name ?? 'app', at, (++this.#made).toString(16).padStart(4, '0'));
    return this.copyOf(id, { ...options, payload: payload ?? `payload of ${id}\n`.repeat(20) });
  }

  copyOf(id: string, options: CopyOptions): string {
    const { name = 'app', manifest = {}, payload = '', without = [], headers = {}, keys } = options;
    const unsigned = manifestOf(id, {
      ...{ host: hostname(), database: this.scene.database, identity: { path: this.scene.database } },
      ...{ bytes: payload.length, databaseBytes: 1_100_000, sha256: sha256(payload) },
      ...manifest,
    });
    const whole = keys?.sign(unsigned) ?? unsigned;
    if (!without.includes('payload')) this.put(`${name}/${whole.file}`, payload, headers);
    if (!without.includes('manifest')) {
      this.put(`${name}/${manifestFile(id)}`, `${JSON.stringify(whole, null, 2)}\n`, headers);
    }
    return id;
  }

  /** Below the prefix. */
  put(key: string, text: string, headers: Record<string, string> = {}): void {
    const body = Buffer.from(text);
    this.s3.bucket.put(this.prefix + key, { body, bytes: body.length, md5: '' }, 'etag', {
      'x-amz-meta-sha256': sha256(text),
      ...headers,
    });
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
