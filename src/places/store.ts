import { type Backup, type Catalogue, isTrusted, readCatalogue } from '../backups/catalogue.js';
import { asJudgedSince, contradicting, copyCandidates, isFromElsewhere } from '../backups/copies.js';
import { odd, wrong } from '../backups/finding.js';
import { type Identity, isVague } from '../backups/identity.js';
import { manifestFile } from '../backups/names.js';
import { type Candidate, type KeepRules, newestFirst } from '../backups/retention.js';
import { BackupError } from '../errors.js';
import { counted } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { hostOf, warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import type { S3Settings } from '../settings/settings.js';
import { addressOf, isOfStore, type ObjectStore, type OpenStore, type Stored } from '../stores/object-store.js';
import type { HostPlace } from './host.js';
import { byId, type InStore, newestIn } from './in-store.js';
import type { Held, Place, Removal, Unit } from './place.js';
import { showBackups, tellProblems } from './shown.js';
import { textOf } from './signed.js';
import { listCopies, namesIn } from './store-listing.js';

const HIDDEN =
  'the bucket keeps versions: delete markers hide what was deleted, and it takes up space until a lifecycle rule (NoncurrentVersionExpiration) removes it';

/** Who deletes what could not be. */
export const AGAIN = "`prune` tries again. With `s3-keep: none`, the bucket's lifecycle deletes instead.";

/** The copies of one database's backups in an object store, beside what the host has of them. */
export class StorePlace implements Place<InStore> {
  readonly kind = 's3';
  readonly uri: string;
  readonly rules: KeepRules | null;
  private looked: Promise<Catalogue> | null = null;

  constructor(
    private readonly run: Run,
    s3: S3Settings,
    /** The store, which is loaded then. */
    readonly open: OpenStore,
    private readonly host: HostPlace,
  ) {
    this.uri = addressOf(s3, run.settings.name);
    this.rules = s3.keep;
  }

  /** Throws E_S3_*. */
  catalogue(): Promise<Catalogue> {
    this.looked ??= this.look();
    return this.looked;
  }

  private async look(): Promise<Catalogue> {
    const { run, uri, host } = this;
    const { unread, catalogue } = await this.read(this.rules !== null);
    const { problems, backups } = catalogue;
    for (const id of contradicting(host.listed.backups, backups)) {
      problems.push(
        wrong(
          'E_S3_VERIFY',
          `the SHA-256 of ${id} there differs from the one on the host: one of the two is not what was backed up`,
          'Verify both: run `command: verify` with the id, then with its `s3://` address.',
        ),
      );
    }
    if (unread.length > 0) {
      const why = quoteOutside(unread[0] ?? '', 300);
      problems.push(
        odd('E_S3_UNAVAILABLE', `${counted(unread.length, 'manifest')} could not be read; the first: ${why}`),
      );
    }
    const here = await this.here();
    tellProblems(
      run,
      problems.map((problem) => ({ ...problem, message: `in ${uri}: ${problem.message}` })),
      uri,
    );
    const others = backups.filter((backup) => isTrusted(backup) && isFromElsewhere(backup.manifest, here));
    if (others.length > 0) {
      const made = quoteOutside(`made on another host, ${others[0]?.manifest.host}`, 200);
      warn(
        run,
        `${counted(others.length, 'backup')} in ${uri} were ${made}: they do not count here, and rotation leaves them alone. If two databases share a bucket, give each its own name or prefix. If you moved to another host, delete the old backups with \`command: delete\``,
      );
    }
    run.report.s3 = { uri, backups: 0, backupsBytes: 0, retention: [], deleted: 0, hidden: false };
    run.ledger?.sees('s3', catalogue);
    this.show(backups);
    return catalogue;
  }

  private async read(rotates: boolean) {
    const { name, signing: keys } = this.run.settings;
    const { unread, ...listing } = await listCopies(await this.open(), name, keys !== null);
    const { identity } = await this.here();
    const catalogue = readCatalogue(listing, { name, identity, keys }, this.run.now(), { checksums: false, rotates });
    catalogue.backups = asJudgedSince(catalogue.backups, this.host.listed.backups);
    return { unread, catalogue };
  }

  /**
   * Those of this host alone, for looking back on: nothing is told, and nothing put into the report. None when the store fails, which is
   * told where it is rotated.
   */
  async history(): Promise<Backup[]> {
    const { run } = this;
    try {
      const here = await this.here();
      return (await this.read(false)).catalogue.backups.filter(({ manifest }) => !isFromElsewhere(manifest, here));
    } catch (error) {
      if (run.signal.aborted || !isOfStore(error)) throw error;
      run.log.debug(`the off-site copies could not be checked: ${error.message}`);
      return [];
    }
  }

  /** This host and its database; where nobody has asked the server which one it is, that of the newest backup on the host. */
  private async here(): Promise<{ host: string; identity: Identity }> {
    const { run, host } = this;
    const identity = run.database.identity(host.facts);
    return {
      host: hostOf(run, await host.connection.hello),
      identity: isVague(identity) ? (host.listed.backups[0]?.manifest.identity ?? identity) : identity,
    };
  }

  /** Without a prefix the bucket may hold anything, and far too much to be looked through. */
  async otherNames(): Promise<string[]> {
    const { s3, name } = this.run.settings;
    if (s3 === null || s3.prefix === '') return [];
    try {
      return await namesIn(await this.open(), name);
    } catch (error) {
      if (!isOfStore(error)) throw error;
      return [];
    }
  }

  async candidates(): Promise<Candidate[]> {
    const { backups } = await this.catalogue();
    return copyCandidates(backups, this.host.listed, await this.here());
  }

  async held(units: readonly Unit[]): Promise<Held[]> {
    const store = await this.open();
    const held: Held[] = [];
    for (const { id, files } of units) {
      const all = await Promise.all(files.map((file) => store.head(this.keyOf(store, file))));
      const until = Math.max(...all.map((stored) => stored?.lock?.until.getTime() ?? 0));
      if (until > this.run.now().getTime()) held.push({ id, why: `locked until ${minute(new Date(until))}` });
      else if (all.some((stored) => stored?.legalHold)) held.push({ id, why: 'under legal hold' });
    }
    return held;
  }

  /** One object after the other; the first failure that is not about one that is locked ends it. */
  async remove(units: readonly Unit[]): Promise<Removal> {
    const { run, uri } = this;
    const store = await this.open();
    const catalogue = await this.catalogue();
    const removal: Removal = { deleted: [], held: [], failure: null };
    let hides = false;
    const failed = (file: string, error: unknown): void => {
      const left = units.filter(({ files }) => !files.every((one) => removal.deleted.includes(one))).length;
      const count = counted(left - removal.held.length, 'old copy', 'old copies');
      removal.failure = { what: `${count} could not be deleted, the first at ${file}`, error, todo: AGAIN };
    };
    removing: for (const { id, files } of units) {
      for (const [at, file] of files.entries()) {
        try {
          const outcome = await store.remove(this.keyOf(store, file));
          if (outcome === 'locked' && at > 0) throw orphaned(uri + file);
          if (outcome === 'locked') {
            removal.held.push({ id, why: 'locked, according to the store' });
            break;
          }
          hides ||= outcome === 'hidden';
          removal.deleted.push(file);
          run.log.info(`deleted ${uri}${file}`);
        } catch (error) {
          failed(file, error);
          break removing;
        }
      }
    }
    const gone = new Set(removal.deleted);
    catalogue.backups = catalogue.backups.filter(({ id }) => !gone.has(manifestFile(id)));
    catalogue.orphans = catalogue.orphans.filter(({ files }) => !files.every((file) => gone.has(file)));
    if (run.report.s3 !== null) {
      run.report.s3.deleted = units.filter(({ files: [first = ''] }) => gone.has(first)).length;
      run.report.s3.hidden = hides;
    }
    this.show(catalogue.backups);
    if (hides) run.log.info(HIDDEN);
    return removal;
  }

  async one(id: string): Promise<InStore | null> {
    return byId(this.run, await this.open(), id);
  }

  async newest(isEnough: (backup: Backup) => boolean): Promise<InStore[]> {
    const here = this.run.settings.restore.allowOtherTarget ? null : await this.here();
    return newestIn(this.run, await this.open(), here, isEnough);
  }

  /** Puts the manifest that the host has beside a payload that has lost its own. Throws E_S3_*. */
  async write(backup: Backup): Promise<void> {
    const store = await this.open();
    await store.put(this.keyOf(store, manifestFile(backup.id)), textOf(this.run, backup.manifest));
    const catalogue = await this.catalogue();
    catalogue.orphans = catalogue.orphans.filter(({ id }) => id !== backup.id);
    catalogue.backups = [...catalogue.backups, backup].sort(newestFirst);
    this.show(catalogue.backups);
  }

  /** What the store says of a file there. */
  async stored(file: string): Promise<Stored | null> {
    const store = await this.open();
    return store.head(this.keyOf(store, file));
  }

  private keyOf(store: ObjectStore, file: string): string {
    return store.keyOf(this.run.settings.name, file);
  }

  private show(copies: Backup[]): void {
    const { run, host } = this;
    run.copies = copies;
    if (run.report.s3 !== null) {
      run.report.s3.backups = copies.length;
      run.report.s3.backupsBytes = copies.reduce((sum, { manifest }) => sum + manifest.bytes, 0);
    }
    showBackups(run, host.listed.backups);
  }
}

const minute = (time: Date): string => `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

const orphaned = (uri: string): BackupError =>
  new BackupError(
    'E_ROTATE',
    `${uri} is locked, but its manifest was not, and has been deleted`,
    'After the lock has ended, delete it: `command: delete` with its id.',
  );
