import { COMMANDS, type Command } from './settings.js';

interface DeclaredInput {
  /** As in action.yml; a test compares them. Needed here because `port: ${{ vars.PORT }}` is empty, not 22, when unset. */
  default: string;
  /** Commands that use it. Given to another one, it is a warning. */
  usedBy: readonly Command[];
  /** Masked, and never part of a message. */
  secret?: true;
  /** Newlines mean something in it. */
  lines?: true;
  /** Of no use with `transport: local`. */
  ssh?: true;
}

const ALL = { usedBy: COMMANDS };
const SSH = { usedBy: COMMANDS, ssh: true } as const;
const BACKUP = { usedBy: ['backup'] } as const;
/** A restore takes a safety backup first. */
const SAVING = { usedBy: ['backup', 'restore'] } as const;
/** Off-site copies are made, proven and put back. */
const OFFSITE = { usedBy: ['backup', 'restore', 'verify'] } as const;
const PROOF = { usedBy: ['backup', 'verify'] } as const;
const RESTORE = { usedBy: ['restore'] } as const;
const RETENTION = { usedBy: ['backup', 'prune'] } as const;
/** Where the copies are. */
const STORE = { usedBy: ['backup', 'restore', 'verify', 'list', 'prune', 'delete'] } as const;

/** Every input, in the order of action.yml. */
export const INPUTS = {
  command: { default: 'backup', ...ALL },
  transport: { default: 'ssh', ...ALL },
  host: { default: '', ...SSH },
  port: { default: '22', ...SSH },
  username: { default: '', ...SSH },
  key: { default: '', ...SSH, secret: true, lines: true },
  passphrase: { default: '', ...SSH, secret: true },
  'known-hosts': { default: '', ...SSH, lines: true },
  fingerprint: { default: '', ...SSH, lines: true },
  'jump-host': { default: '', ...SSH },
  'jump-key': { default: '', ...SSH, secret: true, lines: true },
  'jump-passphrase': { default: '', ...SSH, secret: true },
  'run-as': { default: '', ...ALL },
  container: { default: '', ...ALL },
  'connect-timeout': { default: '20s', ...SSH },
  timeout: { default: '2h', ...ALL },
  'idle-timeout': { default: '10m', ...ALL },
  'lock-wait': { default: '60s', ...ALL },
  database: { default: '', ...ALL },
  'database-password': { default: '', ...ALL, secret: true },
  name: { default: '', ...ALL },
  directory: { default: 'db-backups', ...ALL },
  umask: { default: '077', ...ALL },
  'dump-format': { default: 'custom', ...SAVING },
  jobs: { default: 'auto', usedBy: ['backup', 'verify', 'restore'] },
  'exclude-table': { default: '', ...BACKUP, lines: true },
  'exclude-table-data': { default: '', ...BACKUP, lines: true },
  schema: { default: '', ...BACKUP, lines: true },
  compression: { default: 'auto', ...SAVING },
  'compression-level': { default: '', ...SAVING },
  keep: { default: '5', ...RETENTION, lines: true },
  'keep-made-under': { default: 'true', ...RETENTION },
  'keep-minimum': { default: '1', usedBy: ['backup', 'prune', 'delete'] },
  'max-delete': { default: '', ...RETENTION },
  'dry-run': { default: 'false', ...ALL },
  pin: { default: '', usedBy: ['backup', 'pin'] },
  'skip-if-younger-than': { default: '', ...BACKUP },
  's3-bucket': { default: '', ...STORE },
  's3-prefix': { default: '', ...STORE },
  's3-region': { default: '', ...STORE },
  's3-endpoint': { default: '', ...STORE },
  's3-access-key-id': { default: '', ...STORE, secret: true },
  's3-secret-access-key': { default: '', ...STORE, secret: true },
  's3-session-token': { default: '', ...STORE, secret: true },
  's3-upload-via': { default: 'auto', ...OFFSITE },
  's3-storage-class': { default: '', ...BACKUP },
  's3-sse': { default: '', ...BACKUP },
  's3-kms-key-id': { default: '', ...BACKUP },
  's3-object-lock': { default: '', ...BACKUP },
  's3-keep': { default: '', ...RETENTION, lines: true },
  verify: { default: 'content', ...PROOF },
  'verify-on': { default: 'host', usedBy: ['verify'] },
  assert: { default: '', ...PROOF, lines: true },
  'restore-to': { default: '', usedBy: ['backup', 'verify', 'restore'] },
  'max-age': { default: '26h', usedBy: ['verify'] },
  'shrink-limit': { default: '50%', ...BACKUP },
  'growth-limit': { default: 'none', ...BACKUP },
  'row-loss-limit': { default: '50%', ...BACKUP },
  'on-row-loss': { default: 'pin', ...BACKUP },
  'min-free': { default: '', usedBy: ['backup', 'verify', 'restore'] },
  backup: { default: '', usedBy: ['restore', 'verify', 'accept', 'delete', 'pin', 'unpin'] },
  confirm: { default: '', ...RESTORE },
  'safety-backup': { default: 'true', ...RESTORE },
  'command-timeout': { default: '10m', ...RESTORE },
  'restore-way': { default: 'auto', ...RESTORE },
  'stop-command': { default: '', ...RESTORE, lines: true },
  'start-command': { default: '', ...RESTORE, lines: true },
  'after-restore-command': { default: '', ...RESTORE, lines: true },
  'check-command': { default: '', ...RESTORE, lines: true },
  'allow-other-target': { default: 'false', ...RESTORE },
  'allow-unsafe-client': { default: 'false', ...RESTORE },
  'settle-unfinished': { default: 'false', ...ALL },
  summary: { default: 'true', ...ALL },
} as const satisfies Record<string, DeclaredInput>;

export type InputName = keyof typeof INPUTS;
export const INPUT_NAMES = Object.keys(INPUTS) as InputName[];

/** The same table with its values as declared, for code that looks inputs up by a variable. */
export const declared: Readonly<Record<InputName, DeclaredInput>> = INPUTS;
