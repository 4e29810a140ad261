import type { Backup, Catalogue } from '../backups/catalogue.js';
import type { Identity } from '../backups/identity.js';
import type { BackupSet, Manifest } from '../backups/manifest.js';
import type { BackupError } from '../errors.js';
import type { Facts, HostFailure, HostRequest } from '../host/session.js';
import type { Looked, SetUp, WindowReport } from '../reporting/report.js';
import type { Settings } from '../settings/settings.js';
import type { Extracting } from './extracting.js';
import type { HealthMethod } from './health.js';
import type { Dump, Restoring } from './restoring.js';

/** Where an engine keeps its backups, when they are sets in a repository of its own tool and no files: the backup directory has their manifests. */
export interface Repository {
  /** Tells what is in it; needs no live database. */
  look(settings: Settings): HostRequest;
  /** Whether these facts hold what `look` tells. */
  isTold(facts: Facts): boolean;
  /** Every set as a backup: those in `catalogue`, and those of which nobody has written a manifest; what the repository has lost is marked. */
  join(catalogue: Catalogue, facts: Facts, about: SetsOf): void;
  /** What this run has made, as its manifest has it. Throws what is wrong with it. */
  made(facts: Facts): MadeSet;
  /** Removes the sets of these labels, each with those that need it, and the log that no set needs; `fulls`: how many of the sets that remain need no other. */
  remove(
    settings: Settings,
    facts: Facts,
    doomed: readonly { label: string; dependents: readonly string[] }[],
    fulls: number,
  ): HostRequest;
  /** From which backup one recovers to what was asked for, and how the requests are told. Throws E_NOT_FOUND with what can be recovered. */
  aim(facts: Facts, about: AimingAt): Aimed;
  /** To which moments one can recover, in words, for the report. */
  window(facts: Facts): WindowReport;
}

export interface AimingAt {
  backups: readonly Backup[];
  /** null: whichever fits. */
  backup: Backup | null;
  /** null: of a backup that is named its own end, else as far as the log goes. */
  restoreTime: Settings['restoreTime'];
  /** null: the live database adds nothing to the log any more. */
  now: Date | null;
}

export interface Aimed {
  backup: Backup;
  aim: NonNullable<Dump['aim']>;
}

export interface SetsOf {
  name: string;
  now: Date;
  host: string;
  settings: Settings;
  /** Every manifest has to be signed. */
  signed: boolean;
}

export interface MadeSet extends Pick<Manifest, 'kind' | 'file' | 'bytes' | 'databaseBytes' | 'sha256'> {
  set: BackupSet;
  createdAt: Date;
  /** The four digits at the end of its id. */
  suffix: string;
}

/** What an engine does with one database. */
export interface Database {
  /** Of the payload that a backup makes. */
  readonly kind: string;
  /** The path that the catalogue must resolve on the host to know the database; empty where there is none. */
  readonly path: string;
  /** The server as its URL names it, with an `@`, where every machine finds the same one by it; absent: it is of the machine whose tools are run. */
  readonly server?: string | undefined;
  /** Absent: its backups are files. */
  readonly repository?: Repository;
  /** From the lock to a payload in the work folder that was read back; `holder` says to other runs who we are. `known`: what `repository.look` told, where there is one. */
  backup(settings: Settings, id: string, holder: string, known?: Facts): HostRequest;
  /** Proves an existing backup, or a dump that this action did not make, at `settings.verify`; with `restore` in a copy that is thrown away. */
  verify(settings: Settings, dump: Dump): HostRequest;
  /** What has to be known of the tools before one of them reads a dump that this action did not make; absent: nothing. */
  readonly tools?: {
    request(settings: Settings): HostRequest;
    /** Sentences about them. Throws when the dump is not to be read with them. */
    remarks(settings: Settings, facts: Facts, dump: Dump): string[];
  };
  /** Throws E_MANIFEST when what `verify` found is not what the manifest says. */
  checkProof(facts: Facts, manifest: Manifest, aim?: Dump['aim']): void;
  /** What a backup would find; writes nothing in the backup directory. */
  inspect(settings: Settings): HostRequest;
  /** Which database it is, as far as the host has told. */
  identity(facts: Facts): Identity;
  /** What the engine's program reported, as the manifest keeps it. Throws when the copy is not what the source held. */
  describe(facts: Facts): Pick<Manifest, 'tools' | 'content' | 'databaseBytes'>;
  /** Sentences about what the backup has not, or what is odd in it: somebody should do something about it. */
  remarks(facts: Facts): string[];
  /** Sentences about how far the proof goes, where nothing is wrong. */
  notes?(facts: Facts): string[];
  /** What a backup would copy and with what, in one line. */
  plan(facts: Facts): string;
  /** Shell lines that restore the backup with stock tools, typed by the login user; `directory` is absolute. */
  recovery(
    manifest: Pick<Manifest, 'file' | 'kind' | 'compression' | 'encryption' | 'identity' | 'content' | 'set'>,
    directory: string,
    settings: Pick<Settings, 'runAs' | 'container'>,
  ): string[];
  /** The source holds nothing at all. */
  empty(facts: Facts): BackupError;
  /** How it is, without a backup of it. */
  readonly health: HealthMethod;
  /** What its user may do, of what `health.request` has told, and the statements that give no more than is needed; absent: files have owners. */
  readonly rights?: {
    /** What is looked at; absent: the rights in the database. */
    readonly title?: string;
    words(facts: Facts): Looked;
    toSet(facts: Facts): SetUp[];
  };
  /** What has to be set up for its backups besides; `facts`: as of `rights`, null where it could not be looked at. */
  setUp?(facts: Facts | null, settings: Settings): SetUp[];
  /** How a backup is put back into it. */
  readonly restoring: Restoring;
  /** How one table is taken out of a backup; absent: it can not be done. */
  readonly extracting?: Extracting;
  /** Puts a failure of the engine's program into words; null when it is none of the engine's. */
  explain(failure: HostFailure, settings: Settings): BackupError | null;
}
