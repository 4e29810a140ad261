import type { Backup } from '../backups/catalogue.js';
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
  now: () => Date;
  signal: AbortSignal;
  /** What is left as it was when the run fails now; whoever changes something says so before. */
  left: Left;
  /** False while a session on the host is open, and after one that ended without the host's word that it has cleaned up. */
  hostIsClean: boolean;
  /** Keeps, for whoever cleans up when this process is killed, which upload is unfinished; null: none is any more. */
  noteUpload: (upload: UnfinishedUpload | null) => void;
  /** The same connection, on which restores that were cut off are brought to an end before anything is changed. */
  finishingFirst: (connection: Connection) => Connection;
  /** What is known to be in the S3 store, newest first; empty as long as nobody has looked. */
  copies: Backup[];
  /** What there is on the host, for the metrics; null as long as nobody has looked. */
  known: Known | null;
}
