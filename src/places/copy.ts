import type { Manifest } from '../backups/manifest.js';
import { manifestFile } from '../backups/names.js';
import { BackupError, describe } from '../errors.js';
import { formatBytes } from '../reporting/format.js';
import type { OffsiteCopy } from '../reporting/report.js';
import { type Connection, warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { beginStage } from '../run/stage.js';
import type { HostSender, ObjectStore, Stored, UnfinishedUpload } from '../stores/object-store.js';
import { fromHost } from './from-host.js';
import { textOf } from './signed.js';
import type { StorePlace } from './store.js';
import { giveUp } from './unfinished-upload.js';
import { chooseWay } from './way.js';

/**
 * Copies a published backup to the store: the payload, which is read back, then the manifest, so that a manifest is never there without its
 * payload. `judge`: what the manifest of the copy is to say, once the payload is there; it is never written again. What is there already is
 * not sent again. Throws E_S3_*, or what became of the host; the upload that was begun is then given up, and the backup on the host is as it
 * was.
 */
export async function copyTo(
  run: Run,
  connection: Connection,
  place: StorePlace,
  manifest: Manifest,
  judge: () => Promise<Manifest>,
): Promise<void> {
  await run.log.group(`Copy off-site to ${place.uri}`, async () =>
    new Copying(run, connection, manifest, await place.open()).copy(judge),
  );
  if (run.report.backup !== null) run.report.backup.places = ['host', 's3'];
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
    private readonly store: ObjectStore,
  ) {
    this.key = store.keyOf(manifest.name, manifest.file);
    this.uri = store.uriOf(this.key);
  }

  async copy(judge: () => Promise<Manifest>): Promise<void> {
    const { run, store, manifest, key, uri } = this;
    // by its answer it is also known whether store, bucket and credentials are right, which that to HEAD does not say
    const there = await store.list(store.keyOf(manifest.name, `${manifest.id}.`));
    const has = (wanted: string): boolean => there.some((object) => object.key === wanted);
    let via: OffsiteCopy['via'] = 'none';
    let stored: Stored;
    if (has(key)) {
      stored = await store.readBack(key, manifest);
      run.log.info(`${uri} already exists, with the same size and SHA-256`);
    } else [stored, via] = await this.uploadPayload();
    // it may have been pinned since
    const beside = store.keyOf(manifest.name, manifestFile(manifest.id));
    if (!has(beside)) await store.put(beside, textOf(run, await judge()));
    const { lock, versionId } = stored;
    run.report.offsite = { uri, versionId, via, lockedUntil: lock?.until.toISOString() ?? null };
    run.log.info(`${uri}: ${formatBytes(stored.bytes)}, SHA-256 ${manifest.sha256}, read back`);
  }

  private async uploadPayload(): Promise<[Stored, OffsiteCopy['via']]> {
    const { run, store, manifest, key, uri } = this;
    const { bytes, sha256 } = manifest;
    const stage = beginStage(run, 'upload', bytes);
    const sender = await this.askHost();
    const state: { unfinished: UnfinishedUpload | null; isWhole: boolean } = { unfinished: null, isWhole: false };
    const note = (upload: UnfinishedUpload | null): void => {
      state.unfinished = upload;
      run.noteUpload(upload);
    };
    const sending = {
      ...{ bytes, sha256, onBegun: note },
      onSent: stage.update,
      onWhole: () => {
        note(null);
        state.isWhole = true;
        stage.end();
      },
    };
    try {
      return [await store.upload(key, sending, sender ?? this.source()), sender === null ? 'runner' : 'host'];
    } catch (error) {
      if (state.unfinished !== null) await giveUp(run, store, state.unfinished);
      else if (state.isWhole && REJECTED.includes(describe(error).code)) {
        warn(
          run,
          `${uri} failed its check, but is still in the bucket: without a manifest it is not a backup; delete it there`,
        );
      }
      throw error;
    }
  }

  /** The host when it is to upload by itself, else null. */
  private askHost(): Promise<HostSender | null> {
    const { run, connection, store, key, manifest } = this;
    return chooseWay(run, connection, 'upload', () => store.lending.prepare(key, manifest, connection));
  }

  /** The bytes of the payload, as they come through the runner; it comes to its end only when they are all there, and are those of the manifest. */
  private async *source(): AsyncGenerator<Buffer, void> {
    const { run, manifest, connection } = this;
    const { directory } = run.report;
    const { file, bytes, sha256 } = manifest;
    const { signal } = run;
    try {
      yield* fromHost(run, connection, { directory, file, bytes, sha256 });
    } catch (error) {
      if (!(error instanceof BackupError) || signal.aborted) throw error;
      const hint =
        error.code === 'E_SHELL'
          ? "Allow two sessions per connection in the host's sshd_config (`MaxSessions 2` or more), or use `s3-upload-via: host`."
          : error.code === 'E_CHECKSUM'
            ? "Check the host's disk, and who can write to that directory."
            : 'Run again.';
      throw new BackupError(error.code, `the off-site copy failed: ${error.message}`, hint, {
        cause: error,
      });
    }
  }
}
