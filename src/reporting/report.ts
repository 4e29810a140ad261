import type { BackupPlace } from '../backups/copies.js';
import type { Manifest, TableRows, VerifiedLevel } from '../backups/manifest.js';
import type { Compression, Encrypted } from '../backups/packing.js';
import type { Decision } from '../backups/retention.js';
import type { TableChange } from '../backups/rows.js';
import type { BackupError, ErrorCode } from '../errors.js';
import type { Left } from '../left.js';
import type { Command } from '../settings/settings.js';
import type { HistoryEntry } from './run-history.js';

/** Something that a person should look at or change. What merely is so, is one of the notes. */
export interface Problem {
  level: 'warning' | 'error';
  code?: ErrorCode;
  message: string;
  /** What to do; absent where the message says it. */
  todo?: string;
}

export interface Checked {
  what: string;
  found: string;
  /** With `command: doctor`; `skipped`: it could not, or need not, be looked at. */
  level?: 'ok' | 'skipped' | 'warning' | 'error';
  code?: ErrorCode;
  /** What to do. */
  todo?: string;
}

/** What a probe of `doctor` has found: words, or what is not as it should be, or was not looked at. */
export type Looked = string | Pick<Checked, 'level' | 'found' | 'todo' | 'code'>;

/** A part of the set-up by least privilege, for exactly this host, database and bucket, ready to be pasted. */
export interface SetUp {
  title: string;
  /** Where it goes, and what it is for, in a sentence. */
  why: string;
  language: 'sh' | 'sql' | 'json' | 'text';
  text: string;
}

/** One backup as reports show it. */
export interface BackupFacts {
  id: string;
  /** Absolute path of the payload on the host; its `s3://` URI when it is only there. */
  path: string;
  engine: string;
  /** Where it is known to be; only some commands look into the S3 store. */
  places: BackupPlace[];
  createdAt: string;
  sha256: string;
  bytes: number;
  databaseBytes: number;
  /** What it holds, as its manifest tells; null: that was not looked at, or not read. */
  tables: number | null;
  /** Of the tables that were counted. */
  rows: number | null;
  /** How many tables were not; absent: there is none. */
  uncounted?: number;
  /** The first twelve digits of the commit that the run was for which made it; null: it has none. */
  commit: string | null;
  compression: Compression;
  /** Absent: it is not. */
  encryption?: Exclude<Encrypted, 'none'>;
  verifiedLevel: VerifiedLevel;
  durationMs: number;
  pinned: string | null;
  reason: string;
  /** What it covers, when that is not everything: such a backup is of a series of its own. */
  partial?: string;
  /** It has a signature; with `signing-key`, one that is right. */
  signed: boolean;
  /** Anything but 'ok' is not counted as a verified backup. */
  state: 'ok' | 'suspect' | 'unverified' | 'damaged' | 'future' | 'unsigned' | 'forged';
  /** Where it is a set of a repository: what it is called there, of which kind it is, and the labels of those without which it cannot be restored. */
  set?: { label: string; kind: string; needs: number; log: { from: string; to: string } };
  /** Why it is not 'ok'; with `list` and `show`. */
  detail?: string;
  /** The tables with the most rows; with `list`. */
  largest?: TableRows[];
}

/** A dump that this action did not make, as `verify` has found it. */
export interface DumpFacts {
  /** On the host, resolved. */
  path: string;
  sha256: string;
  bytes: number;
  compression: Compression;
  /** A checksum beside it says the same. */
  compared: boolean;
  verifiedLevel: VerifiedLevel;
}

export type RememberedSize = Pick<BackupFacts, 'createdAt' | 'bytes' | 'databaseBytes'>;

/** No chart shows more. */
export const MAX_REMEMBERED = 20;

/** Everything a run has to tell: the `report` output, `status.json`, and what the summary is rendered from. */
export interface Report {
  schema: 1;
  command: Command;
  /** Of the backups. These two and `ok` come first: the next run reads no more than the beginning of `status.json`. */
  name: string;
  /** The command did all that it was asked for. `backup-ok` asks for more: see `backupOk`. */
  ok: boolean;
  errorCode: ErrorCode | '';
  error: { message: string; hint: string; left: Left } | null;
  startedAt: string;
  durationMs: number;
  dryRun: boolean;
  /** Why no backup was taken although all is well (`skip-if-younger-than`), or null. */
  skipped: string | null;
  host: string;
  database: string;
  /** Absolute and resolved; empty before it is known. */
  directory: string;
  /** The backup made, deleted, pinned or found good enough. */
  backup: BackupFacts | null;
  /** With `verify`, of a dump that this action did not make. */
  dump?: DumpFacts;
  /** Shell lines that restore `backup` with stock tools. */
  recovery: string[];
  /** Newest first. */
  backups: BackupFacts[];
  /** With `list`: the id that a restore of `latest` would take on the host; null: there is none. */
  latest?: string | null;
  /** With `show`: the rest of what the manifest says. */
  manifest?: Omit<Manifest, 'content' | 'recovery'>;
  /** Good ones that are no longer there, newest first, as the ledger remembers them: for the charts. */
  remembered: RememberedSize[];
  retention: Decision[];
  kept: number;
  deleted: number;
  /** Of those that were deleted on the host. */
  deletedIds: string[];
  tables: TableRows[];
  /** How many more there are, for which the manifest has no room. */
  tablesLeftOut: number;
  /** What is not as in the newest good backup before, tables that went first; absent when there is nothing to compare with. */
  changes?: { since: string; tables: TableChange[] };
  foreignKeyViolations: number;
  newestAgeSeconds: number | null;
  /** With `list`, `health` and `verify`: nothing was found that is an error. null: it was not looked at to the end. */
  healthy: boolean | null;
  /** With `command: health`. */
  health: HealthReport | null;
  stages: { name: string; ms: number; bytes?: number }[];
  problems: Problem[];
  /** How far the proof goes, and the like: true, and nothing to be done about. */
  notes: string[];
  /** To which moments the database can be recovered; absent: to those of its backups alone. */
  window?: WindowReport;
  /** What a dry run of `backup`, or `doctor`, looked at, and what it found. */
  checked: Checked[];
  /** With `command: doctor`. */
  setUp: SetUp[];
  storage: Storage;
  /** With `command: restore`. */
  restore: RestoreReport | null;
  /** The off-site copy of `backup`; null as long as the store is not known to have it. */
  offsite: OffsiteCopy | null;
  /** With `command: list`: of the last runs that changed something, the newest first. */
  history: HistoryEntry[];
  /** The backups in the S3 store; null when the command has not looked there. */
  s3: StoreReport | null;
}

/** Times are ISO 8601, UTC. */
export interface WindowReport {
  /** Any moment from `from` to `to`; in order. */
  spans: { from: string; to: string }[];
  /** Why it is not one span: a sentence each. */
  gaps: string[];
  /** When the newest piece of the log was kept: what was committed since would be lost with the server. */
  newest: string | null;
}

/** What the backups take on the host. */
export interface Storage {
  freeBytes: number | null;
  backups: number;
  backupsBytes: number;
  averageBytes: number | null;
  largestBytes: number | null;
  /** Everything in the directory; null: only `health` looks. */
  directoryBytes: number | null;
}

/** What `health` has found besides its problems. */
export interface HealthReport {
  /** Of the live database: `bytes`, `estimated` (its rows are), and what its engine counts. null: it could not be looked at. */
  database: Record<string, string | number | boolean | null> | null;
  /** The last proof by a restore among the good backups, and how long the restoring took. */
  lastRestored: { id: string; at: string; ms: number | null } | null;
  /** Of the newest good backup: for whom it is encrypted. null: there is none. */
  encryption: Encrypted | null;
  /** How far the clocks are ahead of the runner's. */
  clocks: { hostAheadMs: number | null; storeAheadMs: number | null };
  /** What the next backup, and a restore, would need. */
  room: { backupBytes: number | null; restoreBytes: number | null };
}

/** `kept`, `deleted`, `retention` and `storage` are about the host; this is the same of the S3 store. */
export interface StoreReport {
  /** `s3://<bucket>/<prefix>/<name>/` */
  uri: string;
  backups: number;
  backupsBytes: number;
  retention: Decision[];
  deleted: number;
  /** The bucket keeps versions: what was deleted is hidden by delete markers, and its bytes are still there. */
  hidden: boolean;
}

/** A copy on S3 that was read back; with other commands than `backup` the one that was fetched. */
export interface OffsiteCopy {
  uri: string;
  /** null: the bucket keeps no versions. */
  versionId: string | null;
  /** How the bytes got there; `none`: they were there already. */
  via: 'host' | 'runner' | 'none';
  /** null: not locked. */
  lockedUntil: string | null;
}

/** What a restore met, did, and left. */
export interface RestoreReport {
  /** The path of the file, or server and database. */
  target: string;
  /** What `confirm` has to be. */
  targetName: string;
  /** Id of the backup, or path of the dump. */
  from: string;
  /** Empty as long as nothing can be said. */
  outcome: '' | 'restored' | 'unchanged' | 'rolled-back' | 'rollback-failed';
  /** From the beginning of the loading to the swap. */
  ms: number | null;
  safetyBackupId: string | null;
  plan: RestorePlan | null;
  /** The inputs of a restore that brings back what this one has replaced, besides `command` and those of this run; null: there is nothing to go back to, or no backup of it. */
  undo: Record<string, string> | null;
  /** What may keep whoever undoes it from that; null: nothing. */
  undoNote: string | null;
  /** Of a plan: the inputs of the restore that was planned, besides those of this run; null: it was no dry run, or it failed. */
  next: Record<string, string> | null;
}

/** Of a restore that has not begun. */
export const newRestoreReport = ({
  target,
  targetName,
}: Pick<RestoreReport, 'target' | 'targetName'>): RestoreReport => ({
  target,
  targetName,
  from: '',
  outcome: 'unchanged',
  ms: null,
  safetyBackupId: null,
  plan: null,
  undo: null,
  undoNote: null,
  next: null,
});

export interface RestorePlan {
  state: 'sound' | 'damaged' | 'missing';
  way: string;
  liveBytes: number;
  /** Of the live database and of the backup; null: not known, or not there. */
  tables: { name: string; live: number | null; backup: number | null }[];
  differences: string[];
  users: string[];
  neededBytes: number;
  freeBytes: number | null;
  /** What would be run on the host: stop-command and its like. */
  commands: string[];
}

/** The report of a run that has not begun; what it does not know yet is empty. */
export function newReport(startedAt: Date): Report {
  return {
    schema: 1,
    command: 'backup',
    name: '',
    ok: false,
    errorCode: '',
    error: null,
    startedAt: startedAt.toISOString(),
    durationMs: 0,
    dryRun: false,
    skipped: null,
    host: '',
    database: '',
    directory: '',
    backup: null,
    recovery: [],
    backups: [],
    remembered: [],
    retention: [],
    kept: 0,
    deleted: 0,
    deletedIds: [],
    tables: [],
    tablesLeftOut: 0,
    foreignKeyViolations: 0,
    newestAgeSeconds: null,
    healthy: null,
    health: null,
    stages: [],
    problems: [],
    notes: [],
    checked: [],
    setUp: [],
    storage: {
      freeBytes: null,
      backups: 0,
      backupsBytes: 0,
      averageBytes: null,
      largestBytes: null,
      directoryBytes: null,
    },
    restore: null,
    offsite: null,
    history: [],
    s3: null,
  };
}

/** Puts a failure into the report; `left`: what the run leaves as it was. */
export function recordFailure(report: Report, error: BackupError, left: Left): void {
  report.ok = false;
  report.errorCode = error.code;
  report.error = { message: error.message, hint: error.hint, left };
  // what is unhealthy is among them already
  if (error.code !== 'E_UNHEALTHY') report.problems.push({ level: 'error', code: error.code, message: error.message });
}
