import { type Backup, toCandidates } from '../backups/catalogue.js';
import type { Manifest } from '../backups/manifest.js';
import { BackupError, describe, ERRORS } from '../errors.js';
import { adoptCopies } from '../places/adopt-copies.js';
import { copyTo } from '../places/copy.js';
import type { HostPlace } from '../places/host.js';
import type { Removal } from '../places/place.js';
import {
  carryOut,
  notRotated,
  objectionTo,
  planRotation,
  type Rotation,
  refusalOf,
  tellRotation,
} from '../places/rotate.js';
import { factsOf } from '../places/shown.js';
import { AGAIN, type StorePlace } from '../places/store.js';
import { formatBytes } from '../reporting/format.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { alarm, standingInStore } from './alarm.js';
import { backupOf } from './new-manifest.js';

/**
 * Gives the new backup, which is proven, its name, copies it off-site, and rotates both places. `adopted`: backups that were adopted in this
 * run, with why they stay. Throws what keeps the run from being good although the new backup is there: E_SHRUNK, E_POLICY, E_ROTATE, E_S3_*,
 * and at the end `failedHook`.
 */
export async function publish(
  run: Run,
  host: HostPlace,
  store: StorePlace | null,
  made: Backup,
  { adopted, failedHook }: { adopted: ReadonlyMap<string, string>; failedHook: BackupError | null },
): Promise<void> {
  const publication = new Publication(run, host, made, adopted, failedHook);
  await (store === null ? publication.atOnce() : publication.andCopied(store));
}

class Publication {
  constructor(
    private readonly run: Run,
    private readonly host: HostPlace,
    private made: Backup,
    private readonly adopted: ReadonlyMap<string, string>,
    private readonly failedHook: BackupError | null,
  ) {}

  /** Published and rotated in one request. */
  async atOnce(): Promise<void> {
    const { run } = this;
    this.host.expect(this.made);
    const { rotation, objection: own } = await this.plan();
    const objection = own ?? this.failedHook;
    await run.log.group('Publish and rotate', async () => {
      tellRotation(run, rotation, refusalOf(rotation) !== null);
      run.report.ok = objection === null;
      this.checkRotation(await this.give(rotation.remove), objection);
    });
    if (objection !== null) throw objection;
  }

  /** The older ones are deleted only when the new one is off-site as well. */
  async andCopied(store: StorePlace): Promise<void> {
    const { run, host } = this;
    await run.log.group('Publish', () => this.give(null));
    await copyTo(run, host.connection, store, this.made.manifest, () => this.judgedByCopies(store)).catch(
      async (error: unknown) => {
        // it would not have been rotated either
        const { objection } = await this.plan();
        if (objection !== null) warn(run, objection.message);
        throw error;
      },
    );
    const { rotation, objection } = await this.plan();
    await run.log.group('Rotate', async () => {
      tellRotation(run, rotation, refusalOf(rotation) !== null);
      this.setLeft(rotation.remove);
      this.checkRotation(await host.remove(rotation.remove), objection);
    });
    if (objection !== null && this.made.state !== 'suspect') throw objection;
    await run.log
      .group('Rotate the copies', () => this.rotateCopies(store))
      .catch((error: unknown) => {
        if (objection === null) throw error;
        warn(run, describe(error).message); // that the new backup is suspect is more to be told
      });
    if (objection !== null) throw objection;
    if (this.failedHook !== null) throw this.failedHook;
    run.report.ok = true;
    await host.tellRun();
  }

  /** What is to become of the older ones on the host, and what the run ends with although the new one is there. */
  private async plan(): Promise<{ rotation: Rotation; objection: BackupError | null }> {
    const { run, host, made, adopted } = this;
    const [candidate = null] = toCandidates([made]);
    const rotation = await planRotation(run, host, { made: candidate, kept: adopted });
    const suspicion = made.state === 'suspect' ? (made.manifest.suspicion ?? null) : null;
    if (suspicion !== null) return { rotation, objection: alarm(made.manifest, suspicion) };
    return { rotation, objection: objectionTo(rotation) };
  }

  /** Publishes it, and with `remove` deletes these in the same request. */
  private async give(remove: Rotation['remove'] | null): Promise<Removal> {
    const { run, host, made } = this;
    const { file, bytes, sha256 } = made.manifest;
    showMade(run, made);
    const before = run.left;
    run.left = 'backup-unknown';
    const removal = await host.publish(made, remove).catch((error: unknown) => {
      if (host.connection.said('published').length > 0) {
        warn(run, `${made.id} was published before the run ended: it is complete and verified, and stays`);
        this.setLeft(remove ?? []);
      } else {
        // what the program itself has refused was not published
        if (ERRORS[describe(error).code].class !== 'run') run.left = before;
        run.report.backup = null;
        run.report.recovery = [];
      }
      throw error;
    });
    this.setLeft(remove ?? []);
    run.log.info(
      `${this.made.manifest.set === undefined ? `${host.uri}/` : ''}${file}: ${formatBytes(bytes)}, SHA-256 ${sha256}`,
    );
    return removal;
  }

  /** It is published; `removing`: what is deleted then, or was. */
  private setLeft(removing: Rotation['remove']): void {
    const { run, made } = this;
    if (made.state === 'suspect') run.left = 'backup-suspect';
    else if (removing.length > 0) run.left = 'backup-rotating';
    else if (run.left !== 'backup-rotating') run.left = 'backup-stays';
  }

  /** The sizes in the store tell what a host that has lost its directory does not know: by them the new backup may still become suspect. */
  private async judgedByCopies(store: StorePlace): Promise<Manifest> {
    const { run, host } = this;
    const { manifest } = this.made;
    if (manifest.state === 'suspect') return manifest;
    const judged = await standingInStore(run, host, store, manifest);
    if (judged === manifest) return manifest;
    this.made = backupOf(judged);
    this.setLeft([]);
    // on the host first, which a store that fails now must not keep from knowing it
    await host.write(this.made);
    showMade(run, this.made);
    return judged;
  }

  /** That the new backup is suspect is more to be told than what could not be deleted. Throws E_ROTATE otherwise. */
  private checkRotation({ failure }: Removal, objection: BackupError | null): void {
    if (failure === null) return;
    const error = notRotated(this.run, failure.what, failure.error, failure.todo);
    if (objection === null) throw error;
    warn(this.run, describe(error).message);
  }

  /** Once this run's own was read back: it has to be among them. Throws E_ROTATE, E_POLICY. */
  private async rotateCopies(store: StorePlace): Promise<void> {
    const { run, host, made } = this;
    const failed = (what: string) => (error: unknown) => {
      throw notRotated(run, `the off-site copies could not be ${what}, so none was deleted`, error, AGAIN);
    };
    if (store.rules !== null) {
      const { backups } = await store.catalogue().catch(failed('listed'));
      if (backups.find(({ id }) => id === made.id)?.state !== made.state) throw unlisted(store, made);
    }
    const [candidate = null] = toCandidates([made]);
    const kept = await adoptCopies(run, store, host).catch(failed('checked'));
    const rotation = await planRotation(run, store, { made: candidate, kept }).catch(failed('checked'));
    const objection = objectionTo(rotation);
    tellRotation(run, rotation, objection !== null);
    if (objection !== null) throw objection;
    this.setLeft(rotation.remove);
    await carryOut(run, rotation);
  }
}

function showMade(run: Run, made: Backup): void {
  const { report } = run;
  const { content, recovery } = made.manifest;
  report.backup = factsOf(run, made);
  report.recovery = recovery;
  report.tables = content?.tables ?? [];
  report.tablesLeftOut = content?.tablesLeftOut ?? 0;
  report.foreignKeyViolations = content?.foreignKeyViolations ?? 0;
}

const unlisted = ({ uri }: StorePlace, { id }: Backup): BackupError =>
  new BackupError(
    'E_ROTATE',
    `the listing of ${uri} does not have ${id}, which was read back from there a moment ago`,
    'Check the store and the rights of the credentials: the listing is not complete. `prune` tries again.',
  );
