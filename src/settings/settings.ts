import type { KeepRules } from '../backups/retention.js';
import type { Source } from '../engines/engine.js';
import type { readSettings } from './inputs.js';

export const COMMANDS = [
  'backup',
  'restore',
  'verify',
  'list',
  'health',
  'doctor',
  'accept',
  'prune',
  'delete',
  'pin',
  'unpin',
] as const;
export type ActionCommand = (typeof COMMANDS)[number];

/** Of `db-backup` alone, at the hands of a person: what they print may be rows, and a log of a job is read by others. */
export const HAND_COMMANDS = ['latest', 'show', 'extract'] as const;
export type HandCommand = (typeof HAND_COMMANDS)[number];

export type Command = ActionCommand | HandCommand;

export interface SshTarget {
  host: string;
  port: number;
  username: string;
  /** Normalised PEM that ssh2 reads, already checked together with its passphrase. */
  key: PrivateKey;
}

export interface PrivateKey {
  pem: string;
  passphrase?: string;
  /** The line for authorized_keys, for messages. */
  publicLine: string;
}

/** By which a host is known without its whole key. */
export interface Fingerprint {
  /** As known_hosts has it: `db.example.com`, or `[db.example.com]:2222`. null: of whatever host is connected to; never with a jump host. */
  host: string | null;
  /** `SHA256:...` without padding. */
  print: string;
}

export interface SshSettings extends SshTarget {
  transport: 'ssh';
  /** The text of `known-hosts`; empty when only fingerprints were given. */
  knownHosts: string;
  fingerprints: Fingerprint[];
  jump: SshTarget | null;
  connectTimeoutMs: number;
}

export type TransportSettings = SshSettings | { transport: 'local' };

/** How a database is dumped, where that is for the user to say. Patterns are those of its engine. */
export interface DumpSettings {
  format: 'custom' | 'directory' | 'plain';
  /** null: as many as the host has processors. */
  jobs: number | null;
  excludeTable: string[];
  excludeTableData: string[];
  schema: string[];
}

/** By what a backup that this run makes is encrypted. `names`: short fingerprints, for messages and the manifest. */
export type Encryption =
  /** `recipients`: for `age -R`, one a line. */
  | { method: 'age'; recipients: string; names: string[] }
  /** `keys`: for `gpg --import`; `fingerprints`: of each primary key, 40 digits in capitals. */
  | { method: 'gpg'; keys: string; fingerprints: string[]; names: string[] }
  | { method: 'gpg'; passphrase: string; names: string[] };

/** What opens encrypted backups and dumps; each null where it was not given. */
export interface Decryption {
  /** Lines of an age identity file. */
  age: string | null;
  /** A private key, unencrypted, for `age -i`. */
  ssh: string | null;
  /** Armored secret keys, for `gpg --import`. */
  gpg: string | null;
  /** Of a file that gpg encrypted with a passphrase, or of `gpg`. */
  passphrase: string | null;
}

/** Which backup is put back. */
export type Wanted =
  | { by: 'latest' }
  | { by: 'id'; id: string; name: string }
  /** The newest verified one that is older than what the deploy of this commit did. */
  | { by: 'deploy'; sha: string }
  /** A dump on the host, also one that this action did not make. */
  | { by: 'file'; path: string }
  /** The same in an S3 store. */
  | ({ by: 's3' } & S3Location);

/** `s3://bucket/key` */
export interface S3Location {
  bucket: string;
  key: string;
}

export interface RestoreSettings {
  wanted: Wanted;
  /** What the user typed as the name of the target; null: nothing. */
  confirm: string | null;
  /** Events of GitHub for which it runs, besides those that only writers of the repository can cause. */
  allowEvents: string[];
  /** Another database than `database`, of the same engine. */
  to: Source | null;
  safetyBackup: boolean;
  /** Where the engine has several; auto: the one that will work. */
  way: 'auto' | 'swap' | 'in-place';
  /** Shell lines, run on the host by the login user in its home. */
  stopCommand: string | null;
  startCommand: string | null;
  afterCommand: string | null;
  checkCommand: string | null;
  allowOtherTarget: boolean;
  /** Foreign dumps even though the client has known vulnerabilities. */
  allowUnsafeClient: boolean;
}

/** What is taken out of a backup. */
export interface Extraction {
  /** As the user calls it. */
  table: string;
  format: ExtractFormat;
  /** The rows without the definition of the table. */
  dataOnly: boolean;
  /** A file of this machine that is not there yet; null: stdout. */
  output: string | null;
}

export const EXTRACT_FORMATS = ['sql', 'csv'] as const;
export type ExtractFormat = (typeof EXTRACT_FORMATS)[number];

/** Where the off-site copies go. */
export interface S3Settings {
  bucket: string;
  /** The bucket stands only in `backup`: nothing else is looked for there. */
  onlyNamed?: boolean;
  /** Without "/" at its ends; empty: none. */
  prefix: string;
  region: string;
  /** null: AWS itself. */
  endpoint: string | null;
  /** null: those of the AWS default chain. */
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string | null } | null;
  uploadVia: 'auto' | 'host' | 'runner';
  storageClass: string | null;
  sse: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | null;
  kmsKeyId: string | null;
  objectLock: { mode: 'GOVERNANCE' | 'COMPLIANCE'; ms: number } | null;
  /** How many copies to keep; null: the bucket's own lifecycle decides that. */
  keep: KeepRules | null;
}

/** Everything the user asked for, checked: nothing here is an empty string that means "not given". */
export type Settings = Awaited<ReturnType<typeof readSettings>>['settings'];
