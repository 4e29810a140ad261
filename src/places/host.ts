import { type Backup, type Catalogue, isTrusted, readCatalogue, toCandidates } from '../backups/catalogue.js';
import { parseManifest } from '../backups/manifest.js';
import { isName, manifestFile, parseId } from '../backups/names.js';
import { type Candidate, type KeepRules, newestFirst } from '../backups/retention.js';
import { planExpiry } from '../backups/sets.js';
import { BackupError } from '../errors.js';
import type { Facts, HostRequest } from '../host/session.js';
import { touched } from '../left.js';
import { counted } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { type Connection, warn } from '../run/connect.js';
import { look, lookLocked, openDirectory, TELL, toldOf } from '../run/directory.js';
import { lastRun } from '../run/last-run.js';
import type { Run } from '../run/run.js';
import { type HostListing, readListing } from './host-listing.js';
import type { Found, Held, Place, Removal, Unit } from './place.js';
import { showBackups, showDeleted, tellProblems } from './shown.js';
import { rewrittenText } from './signed.js';

/** The backup directory on the host, which is entered and listed already. */
export class HostPlace implements Place {
  readonly kind = 'host';
  readonly uri: string;
  readonly rules: KeepRules;
  /** What the host listed, as it is by now. */
  readonly listed: Catalogue;

  /** `facts`: what the request has told that has listed it. */
  static async of(run: Run, connection: Connection, facts: Facts): Promise<HostPlace> {
    const { repository } = run.database;
    const listing = await readListing(run, connection, facts);
    const untold = repository !== undefined && !repository.isTold(facts);
    const sets = untold ? await connection.send(repository.look(run.settings)) : facts;
    return new HostPlace(run, connection, facts, listing, sets);
  }

  private constructor(
    private readonly run: Run,
    readonly connection: Connection,
    readonly facts: Facts,
    private readonly listing: HostListing,
    /** What tells of the repository, where there is one. */
    readonly sets: Facts,
  ) {
    const { report, settings, database } = run;
    this.uri = facts.path('directory');
    this.rules = settings.keep;
    report.directory = this.uri;
    run.previous ??= lastRun(facts.get('last_run') ?? '', settings);
    report.storage.freeBytes = /^\d{1,15}$/.test(facts.get('free_kib') ?? '') ? facts.number('free_kib') * 1024 : null;
    const { untold } = listing;
    if (untold > 0) {
      warn(
        run,
        `${untold} of the oldest manifests were not read, because there are more than the host sends: prune, or move old backups out of ${this.uri}`,
      );
    }
    const identity = database.identity(sets);
    const now = run.now();
    this.listed = readCatalogue(listing, { name: settings.name, identity, keys: settings.signing }, now);
    const about = { name: settings.name, now, host: report.host, settings, signed: settings.signing !== null };
    database.repository?.join(this.listed, sets, about);
    if (database.repository !== undefined) report.window = database.repository.window(sets);
    run.ledger?.sees('host', this.listed);
    tellProblems(run, this.listed.problems, this.uri);
    showBackups(run, this.listed.backups);
  }

  /** Enters and lists it: `look` writes nothing, the others hold the lock from then on. `what` is said to the runs that wait for it. */
  static async open(
    run: Run,
    connection: Connection,
    how: 'create' | 'change' | 'look',
    what = run.settings.backup ?? run.settings.name,
  ): Promise<HostPlace> {
    return HostPlace.of(run, connection, await HostPlace.enter(run, connection, how, what));
  }

  /** The same without reading what was listed. */
  static enter(run: Run, connection: Connection, how: 'create' | 'change' | 'look', what: string): Promise<Facts> {
    return connection.send(...openDirectory(run, how), how === 'look' ? look(run) : lookLocked(run, what));
  }

  async catalogue(): Promise<Catalogue> {
    return this.listed;
  }

  async otherNames(): Promise<string[]> {
    const facts = await this.connection.send(['job', 'other_names', [this.run.settings.name]]).catch(() => null);
    return (facts?.get('other_names') ?? '').split(' ').filter(isName);
  }

  async candidates(): Promise<Candidate[]> {
    return toCandidates(this.listed.backups);
  }

  async held(): Promise<Held[]> {
    return [];
  }

  async one(id: string): Promise<Found | null> {
    const name = parseId(id)?.name ?? '';
    const own = this.listed.backups.find((backup) => backup.id === id);
    if (own !== undefined) return this.found(own);
    const { run, connection } = this;
    const { name: ownName, signing: keys } = run.settings;
    const listing =
      name === ownName
        ? this.listing
        : await readListing(run, connection, await connection.send(['job', 'look', [name, '']]));
    const { backups } = readCatalogue(listing, { name, identity: null, keys }, run.now());
    const other = backups.find((backup) => backup.id === id);
    return other === undefined ? null : this.found(other);
  }

  async newest(): Promise<Found[]> {
    return this.listed.backups.filter(isTrusted).flatMap((backup) => this.found(backup) ?? []);
  }

  private found(backup: Backup): Found | null {
    return backup.state === 'damaged' ? null : { backup, uri: `${this.uri}/${backup.manifest.file}` };
  }

  /** The backup with its whole manifest, of which the host leaves the long lists out where a catalogue would become too large. */
  async whole(backup: Backup): Promise<Backup> {
    if (backup.manifest.shortened === undefined) return backup;
    const file = manifestFile(backup.id);
    const facts = await this.connection.send(['job', 'put_manifest', [file]]);
    const manifest = parseManifest(facts.need(`manifest ${file}`), backup.id);
    if (manifest.shortened === undefined && manifest.sha256 === backup.manifest.sha256) return { ...backup, manifest };
    throw new BackupError('E_MANIFEST', `${file} was changed a moment ago, or is not one of our manifests`);
  }

  remove(units: readonly Unit[]): Promise<Removal> {
    return this.change(null, units);
  }

  /** One request: a manifest written anew, units removed, the status. The lock is free then. */
  async change(rewritten: Backup | null, units: readonly Unit[] = []): Promise<Removal> {
    const { going, failure } = await this.expire(units);
    const removal = await this.changeFiles(rewritten, going);
    return failure === null ? removal : { ...removal, failure };
  }

  /** Removes the sets of these units, where they are sets: it is their manifests that are left to be removed then. */
  private async expire(units: readonly Unit[]): Promise<{ going: readonly Unit[]; failure: Removal['failure'] }> {
    const { run, connection } = this;
    const { repository } = run.database;
    if (repository === undefined || units.length === 0) return { going: units, failure: null };
    const ids = new Set(units.map(({ id }) => id));
    const { doomed, fulls } = planExpiry(this.listed.backups, ids);
    if (doomed.length === 0) return { going: units, failure: null };
    run.left = touched(run.left);
    const request = repository.remove(run.settings, this.sets, doomed, fulls);
    try {
      await connection.send(request);
      return { going: units, failure: null };
    } catch (error) {
      if (run.signal.aborted || connection.isLost()) throw error;
      run.report.ok = false;
      const expired = new Set(connection.said('expired'));
      const gone = this.listed.backups.filter(({ manifest }) => expired.has(manifest.set?.label ?? ''));
      const going = units.filter(({ id }) => gone.some((one) => one.id === id));
      const what = `${counted(units.length - going.length, 'old backup')} could not be removed from the repository`;
      return { going, failure: { what, error, todo: '`prune` tries again.' } };
    }
  }

  private async changeFiles(rewritten: Backup | null, units: readonly Unit[]): Promise<Removal> {
    const before = this.listed.backups;
    const [file, text] =
      rewritten === null ? ['', ''] : [manifestFile(rewritten.id), rewrittenText(this.run, rewritten)];
    if (rewritten !== null) this.take(rewritten);
    this.show(filesOf(units));
    this.run.left = touched(this.run.left);
    return this.send([toldOf(this.run), ['job', 'change', [file, text, ...removalArguments(units)]]], units, before);
  }

  /** Another manifest of a backup, or one for a payload that has lost its own, while the lock is held; it goes on being held. */
  async write(backup: Backup): Promise<void> {
    const text = rewrittenText(this.run, backup);
    this.run.left = touched(this.run.left);
    await this.connection.send(['job', 'write_manifest', [manifestFile(backup.id), text]]);
    this.take(backup);
    showBackups(this.run, this.listed.backups);
  }

  /** Gives a new backup its name, which may be that of another database. With `units` they are removed in the same request, and the lock is free then. */
  async publish(backup: Backup, units: readonly Unit[] | null): Promise<Removal> {
    const { run } = this;
    const { id, manifest } = backup;
    const before = this.listed.backups;
    if (manifest.name === run.settings.name) this.take(backup);
    if (manifest.set !== undefined) {
      await this.write(backup);
      return this.change(null, units ?? []);
    }
    this.show(filesOf(units ?? []));
    const publication = [id, manifest.file, manifest.sha256, rewrittenText(run, backup)];
    if (units === null) return this.send([['job', 'publish_backup', publication]], [], before);
    return this.send([toldOf(run), ['job', 'finish', [...publication, ...removalArguments(units)]]], units, before);
  }

  /** When it fails, catalogue and report show what the host came to; `before`: what there was. */
  private async send(requests: HostRequest[], units: readonly Unit[], before: Backup[]): Promise<Removal> {
    const { connection, listed } = this;
    const done = await connection.send(...requests).catch((error: unknown) => {
      if (connection.said('published').length === 0) listed.backups = before;
      this.show(connection.said('deleted'));
      throw error;
    });
    return this.removed(units, done);
  }

  /** Tells of the run on the host. */
  async tellRun(): Promise<void> {
    await this.connection.send(toldOf(this.run), TELL);
  }

  /** A new set is in the repository before it has a manifest: what becomes of the others is decided with it among them. */
  expect(backup: Backup): void {
    if (backup.manifest.set !== undefined) this.take(backup);
  }

  private take(backup: Backup): void {
    const { listed } = this;
    const others = listed.backups.filter(({ id }) => id !== backup.id);
    listed.backups = [...others, backup].sort(newestFirst);
    listed.orphans = listed.orphans.filter(({ id }) => id !== backup.id);
    listed.unreadable = listed.unreadable.filter(({ id }) => id !== backup.id);
  }

  /** Puts it into the report, without these files. */
  private show(deleted: readonly string[]): void {
    showDeleted(this.run, this.listed.backups, deleted);
  }

  /** Corrects catalogue and report to what the host has really deleted. */
  private removed(units: readonly Unit[], done: Facts): Removal {
    const { listed, run } = this;
    const undeleted = done.all('undeleted');
    const deleted = undeleted.length === 0 ? filesOf(units) : done.all('deleted');
    if (undeleted.length > 0) this.show(deleted);
    const gone = new Set(deleted);
    // of a set nobody may have written a manifest
    const bare = new Set(
      undeleted.length > 0 ? [] : units.filter(({ files }) => files.length === 0).map(({ id }) => id),
    );
    listed.backups = listed.backups.filter(({ id }) => !gone.has(manifestFile(id)) && !bare.has(id));
    listed.orphans = listed.orphans.filter(({ files }) => !files.every((file) => gone.has(file)));
    if (undeleted.length === 0) return { deleted, held: [], failure: null };
    run.report.ok = false;
    const error = new BackupError(
      'E_ROTATE',
      quoteOutside(undeleted.join('; ')),
      'Check the owner and the attributes of the file (`lsattr`).',
    );
    const what = `${counted(undeleted.length, 'old file')} could not be deleted`;
    return { deleted, held: [], failure: { what, error, todo: '`prune` tries again.' } };
  }
}

const filesOf = (units: readonly Unit[]): string[] => units.flatMap(({ files }) => files);

/** The arguments of the host's `remove_units`: `--` and the files of each unit. */
const removalArguments = (units: readonly Unit[]): string[] => units.flatMap(({ files }) => ['--', ...files]);
