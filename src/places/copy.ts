import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { type Manifest, serializeManifest } from '../backups/manifest.js';
import { manifestFile } from '../backups/names.js';
import { BackupError, describe } from '../errors.js';
import { pull } from '../host/download.js';
import { installLine } from '../host/install-line.js';
import { formatBytes, formatDuration, formatRate } from '../reporting/format.js';
import { Progress } from '../reporting/progress.js';
import type { OffsiteCopy } from '../reporting/report.js';
import { type Connection, warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import type { S3Settings } from '../settings/settings.js';
import { STAYS } from '../stores/s3/failures.js';
import { planParts } from '../stores/s3/parts.js';
import { compareParts, readBack } from '../stores/s3/read-back.js';
import type { Store, Stored, Upload } from '../stores/s3/store.js';
import { type HostUpload, prepareOnHost, uploadFromHost } from '../stores/s3/via-host.js';
import { type SentPart, uploadStream } from '../stores/s3/via-runner.js';
import { giveUp } from './unfinished-upload.js';

/** What the manifest of the copy is to say, once the payload is there: it is never written again. */
export type Judge = (store: Store) => Promise<Manifest>;

/**
 * Copies a published backup to the S3 store: the payload, which is read back, then the manifest, so that a manifest is never there
 * without its payload. What is there already is not sent again. Throws E_S3_*, or what became of the host; the upload that was begun
 * is then given up, and the backup on the host is as it was.
 */
export async function copyOffsite(
  run: Run,
  connection: Connection,
  manifest: Manifest,
  judge: Judge = async () => manifest,
): Promise<void> {
  const { s3, idleTimeoutMs } = run.settings;
  if (s3 === null) return;
  // Loaded when used: the SDK takes as long as all the rest.
  const { Store } = await import('../stores/s3/store.js');
  const store = new Store(s3, run.signal, idleTimeoutMs);
  try {
    await run.log.group(`Copy off-site to ${store.uriOf(store.keyOf(manifest.name, ''))}`, () =>
      new Copying(run, connection, manifest, s3, store).copy(judge),
    );
    if (run.report.backup !== null) run.report.backup.places = ['host', 's3'];
  } finally {
    store.close();
  }
}

/** What reading back says of an object that is not as it should be; other failures say nothing of it. */
const REJECTED = ['E_S3_VERIFY', 'E_S3_UNSUPPORTED'];

class Copying {
  private readonly key: string;
  private readonly uri: string;

  constructor(
    private readonly run: Run,
    private readonly connection: Connection,
    private readonly manifest: Manifest,
    private readonly s3: S3Settings,
    private readonly store: Store,
  ) {
    this.key = store.keyOf(manifest.name, manifest.file);
    this.uri = store.uriOf(this.key);
  }

  async copy(judge: Judge): Promise<void> {
    const { run, store, manifest, key, uri } = this;
    // by its answer it is also known whether store, bucket and credentials are right, which that to HEAD does not say
    const there = await store.list(store.keyOf(manifest.name, `${manifest.id}.`));
    const has = (wanted: string): boolean => there.some((object) => object.key === wanted);
    let via: OffsiteCopy['via'] = 'none';
    let stored: Stored;
    if (has(key)) {
      stored = await this.readBack(null);
      run.log.info(`${uri} is there already, with the same size and SHA-256`);
    } else [stored, via] = await this.uploadPayload();
    // it may have been pinned since
    if (!has(store.keyOf(manifest.name, manifestFile(manifest.id)))) await this.putManifest(await judge(store));
    const { lock, versionId } = stored;
    run.report.offsite = { uri, versionId, via, lockedUntil: lock?.until.toISOString() ?? null };
    run.log.info(`${uri}: ${formatBytes(stored.bytes)}, SHA-256 ${manifest.sha256}, read back`);
  }

  private async uploadPayload(): Promise<[Stored, OffsiteCopy['via']]> {
    const { run, store, manifest } = this;
    const { file, bytes, sha256 } = manifest;
    const plan = planParts(bytes, 'host');
    const fromHost: HostUpload = { ask: (request) => this.connection.send(request), file, bytes, sha256, plan };
    const started = performance.now();
    const md5s = await this.askHost(fromHost);
    const upload = await store.begin(this.key, this.storing);
    run.noteUpload({ key: upload.key, id: upload.id });
    let parts: SentPart[];
    try {
      parts = await (md5s === null ? this.throughRunner(upload, bytes) : this.byHost(upload, fromHost, md5s));
      await store.complete(upload, parts, manifest.sha256);
    } catch (error) {
      await giveUp(run, store, upload);
      throw error;
    }
    run.noteUpload(null);
    const ms = Math.round(performance.now() - started);
    run.report.stages.push({ name: 'upload', ms, bytes: manifest.bytes });
    run.log.info(`upload: ${formatBytes(manifest.bytes)} in ${formatDuration(ms)} (${formatRate(manifest.bytes, ms)})`);
    const stored = await this.readBack(upload, parts).catch((error: unknown) => {
      if (REJECTED.includes(describe(error).code)) {
        warn(run, `${this.uri} is in the store and was rejected: without a manifest it is no backup; delete it there`);
      }
      throw error;
    });
    return [stored, md5s === null ? 'runner' : 'host'];
  }

  /** The MD5 of each part when the host is to upload by itself, else null. */
  private async askHost(upload: HostUpload): Promise<string[] | null> {
    const { run, s3, store } = this;
    if (s3.uploadVia === 'runner') return null;
    if (s3.uploadVia === 'auto' && run.settings.transport.transport === 'local') {
      run.log.info('the upload goes through the runner, which is the host itself (transport: local)');
      return null;
    }
    const { why, md5s } = await prepareOnHost(store, this.key, upload);
    if (md5s !== undefined) {
      run.log.info('the host uploads by itself (s3-upload-via)');
      return md5s;
    }
    if (s3.uploadVia === 'auto') {
      run.log.info(`the upload goes through the runner, since the host can not do it: ${why}`);
      return null;
    }
    const lacking = /^it has no (\w+)$/.exec(why)?.[1];
    const advice = 'Or use `s3-upload-via: auto`, which then goes through the runner.';
    if (lacking !== undefined) {
      const system = (await this.connection.hello).get('system') ?? '';
      throw new BackupError(
        'E_TOOL_MISSING',
        `the host is to upload by itself (s3-upload-via: host), and ${why}`,
        `On the host: ${installLine(lacking, system)}. ${advice} ${STAYS}`,
      );
    }
    throw new BackupError(
      'E_S3_UNAVAILABLE',
      `the host is to upload by itself (s3-upload-via: host), and ${why}`,
      `Let it out to the store (firewall, proxy, name service). ${advice} ${STAYS}`,
    );
  }

  private async byHost(upload: Upload, fromHost: HostUpload, md5s: string[]): Promise<SentPart[]> {
    const { plan, bytes } = fromHost;
    const progress = this.progress();
    // the parts are told of while the request is still being answered
    const told = { before: 0 };
    const ticker = setInterval(() => {
      progress.update(Math.min(bytes, told.before + this.connection.said('part').length * plan.partBytes));
    }, 1_000);
    try {
      return await uploadFromHost(this.store, upload, fromHost, md5s, (sent) => {
        told.before = sent;
      });
    } finally {
      clearInterval(ticker);
    }
  }

  private async throughRunner(upload: Upload, bytes: number): Promise<SentPart[]> {
    const progress = this.progress();
    try {
      const plan = planParts(bytes, 'runner');
      return await uploadStream(this.store, upload, this.source(bytes), plan, (sent) => progress.update(sent));
    } catch (error) {
      if (!(error instanceof BackupError) || error.code.startsWith('E_S3_') || this.run.signal.aborted) throw error;
      const hint =
        error.code === 'E_SHELL'
          ? 'In sshd_config of the host allow two sessions for a connection (`MaxSessions 2` or more), or use `s3-upload-via: host`.'
          : error.code === 'E_CHECKSUM'
            ? 'Look at the disk of the host, and at who can write that directory. Nothing was rotated.'
            : `Run again. ${STAYS}`;
      throw new BackupError(error.code, `while the backup was copied off-site: ${error.message}`, hint, {
        cause: error,
      });
    }
  }

  /** The bytes of the payload; it comes to its end only when they are all there, and are those of the manifest. */
  private source(bytes: number): AsyncIterable<Buffer> {
    const { run, manifest, connection } = this;
    const { directory } = run.report;
    const { file, sha256 } = manifest;
    if (run.settings.transport.transport === 'local') return checked(join(directory, file), bytes, sha256);
    return pull(
      connection.host,
      { directory, file, bytes, sha256 },
      { signal: run.signal, idleTimeoutMs: run.settings.idleTimeoutMs, onProgress: () => {} },
    );
  }

  private async readBack(upload: Upload | null, parts: SentPart[] = []): Promise<Stored> {
    const { store, s3, manifest, uri } = this;
    const stored = await readBack(store, s3, this.key, {
      ...{ bytes: manifest.bytes, sha256: manifest.sha256 },
      storageClass: upload === null ? null : s3.storageClass,
      lockedUntil: upload?.lockedUntil ?? null,
    });
    if (upload !== null && compareParts(uri, stored, upload, parts)) {
      this.run.log.debug(`the checksum that the store has made of ${uri} is that of what was sent`);
    }
    return stored;
  }

  private async putManifest(manifest: Manifest): Promise<void> {
    const { store, s3 } = this;
    const key = store.keyOf(manifest.name, manifestFile(manifest.id));
    const text = serializeManifest(manifest);
    const sha256 = createHash('sha256').update(text).digest('hex');
    const md5 = createHash('md5').update(text).digest('base64');
    // small and read often, so never in a class that is slow to read
    await store.put(key, text, md5, { sha256, storageClass: null });
    const expected = { bytes: Buffer.byteLength(text), sha256, storageClass: null, lockedUntil: null };
    await readBack(store, s3, key, expected);
  }

  private get storing() {
    return { sha256: this.manifest.sha256, storageClass: this.s3.storageClass };
  }

  private progress(): Progress {
    return new Progress(this.run.log, 'upload', this.manifest.bytes);
  }
}

/** A file of this machine, compared on the way as `pull` does. Throws E_CHECKSUM. */
async function* checked(path: string, bytes: number, sha256: string): AsyncGenerator<Buffer, void> {
  const hash = createHash('sha256');
  let read = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    read += (chunk as Buffer).length;
    yield chunk as Buffer;
  }
  if (read === bytes && hash.digest('hex') === sha256) return;
  throw new BackupError('E_CHECKSUM', `${path} holds other bytes than those that were backed up`);
}
