import type { Backup, Catalogue } from '../backups/catalogue.js';
import type { BackupPlace } from '../backups/copies.js';
import type { Finding } from '../backups/finding.js';
import type { Manifest } from '../backups/manifest.js';
import type { Database } from '../engines/database.js';
import type { Left } from '../left.js';
import type { Log } from '../reporting/log.js';
import type { Known } from '../reporting/metrics.js';
import type { Report } from '../reporting/report.js';
import type { Settings } from '../settings/settings.js';
import type { UnfinishedUpload } from '../stores/object-store.js';
import type { Connection } from './connect.js';

/** Where this run comes from, as manifests keep it. */
export type GitHubRun = NonNullable<Manifest['github']>;

/** What every command gets: what was asked for, and where to tell what was done. */
export interface Run {
  settings: Settings;
  database: Database;
  log: Log;
  /** Filled as the run goes on; what is in it when the run fails is reported. */
  report: Report;
  github: GitHubRun | null;
  /** Started by a schedule. */
  isScheduled: boolean;
  now: () => Date;
  signal: AbortSignal;
  /** What is left as it was when the run fails now; whoever changes something says so before. */
  left: Left;
  /** False while a session on the host is open, and after one that ended without the host's word that it has cleaned up. */
  hostIsClean: boolean;
  /** How the last run of this command ended, for this database; null: not known. */
  previous: 'ok' | 'failed' | null;
  /** Keeps, for whoever cleans up when this process is killed, which upload is unfinished; null: none is any more. */
  noteUpload: (upload: UnfinishedUpload | null) => void;
  /** The same connection, on which restores that were cut off are brought to an end before anything is changed. */
  finishingFirst: (connection: Connection) => Connection;
  /** What is known to be in the S3 store, newest first; empty as long as nobody has looked. */
  copies: Backup[];
  /** What there is on the host, for the metrics; null as long as nobody has looked. */
  known: Known | null;
  /** What is remembered off the host; null: nothing is, or nothing is to be. */
  ledger: LedgerKeeper | null;
}

/** What one run has of the ledger. Nothing of it rejects; whoever awaits it waits for the service, at most 8 s from the start of the run. */
export interface LedgerKeeper {
  /** The backups of a place, as they are found before the run changes any; what it changes, changes in the catalogue. */
  sees(place: BackupPlace, catalogue: Catalogue): void;
  /** What is not as it is remembered, in the places that were seen. */
  findings(): Promise<Finding[]>;
  /** Whether one of these is, or may be, about that backup. */
  isDisputed(id: string): Promise<boolean>;
  /** Puts into the report what the ledger has to tell of a run that is over. */
  tell(): Promise<void>;
  /** Remembers what the run has seen and how it ended, where it may; once, when all else is done. */
  save(): Promise<void>;
}
