import { parseFingerprints } from './fingerprints.js';
import { parseHostPath, parseMetricsFile } from './host-path.js';
import { parseKeep } from './keep-rules.js';
import { parseKnownHosts } from './known-hosts-input.js';
import { parseRestoreTime } from './restore-time.js';
import {
  parseBucket,
  parseEndpoint,
  parseKeyId,
  parseObjectLock,
  parsePrefix,
  parseRegion,
  parseStorageClass,
  parseToken,
} from './s3-rules.js';
import { type ActionCommand, COMMANDS, type Command, HAND_COMMANDS, type HandCommand } from './settings.js';
import { parseSize } from './units.js';
import {
  asGiven,
  oneOf,
  orWord,
  parseAge,
  parseBoolean,
  parseCommand,
  parseContainer,
  parseEvents,
  parseGrowth,
  parseHost,
  parseJumpHost,
  parseName,
  parsePinReason,
  parsePort,
  parseRunAs,
  parseStanza,
  parseStatements,
  parseTimer,
  parseUmask,
  parseUserName,
  percentOrNone,
  wholeNumber,
} from './value-rules.js';

const MOST = 100_000;

interface DeclaredInput {
  /** As in action.yml; a test compares them. Needed here because `port: ${{ vars.PORT }}` is empty, not 22, when unset. */
  default: string;
  /** Commands of the action that use it. Given to another one, it is a warning. */
  usedBy: readonly ActionCommand[];
  /** The same of those of `db-backup` alone. */
  byHand?: readonly HandCommand[];
  /** Masked, and never part of a message. */
  secret?: true;
  /** Newlines mean something in it. */
  lines?: true;
  /** Of no use with `transport: local`. */
  ssh?: true;
  /** What it may be, whatever else is given: throws an Error whose text is the rule. */
  parse: (text: string) => unknown;
  /** Its rules quote what was given themselves, or must not be followed by it. */
  quotes?: true;
}

const ALL = { usedBy: COMMANDS, byHand: HAND_COMMANDS };
const SSH = { ...ALL, ssh: true } as const;
/** What those that only read have no use for. */
const ACTING = { usedBy: COMMANDS } as const;
const BACKUP = { usedBy: ['backup'] } as const;
/** A restore takes a safety backup first. */
const SAVING = { usedBy: ['backup', 'restore', 'doctor'] } as const;
/** Off-site copies are made, proven and put back. */
const OFFSITE = { usedBy: ['backup', 'restore', 'verify', 'doctor'], byHand: ['extract'] } as const;
/** What is encrypted is put back and proven. */
const OPENING = { usedBy: ['backup', 'restore', 'verify', 'doctor'], byHand: ['extract'] } as const;
const PROOF = { usedBy: ['backup', 'verify'] } as const;
const RESTORE = { usedBy: ['restore'] } as const;
/** What a restore will need is looked at before. */
const PLANNED = { usedBy: ['restore', 'doctor'] } as const;
const RETENTION = { usedBy: ['backup', 'prune'] } as const;
/** Of these each run that is no dry one has its line in the history. */
const CHANGES = { usedBy: ['backup', 'restore', 'verify', 'accept', 'prune', 'delete', 'pin', 'unpin'] } as const;
const LIMITS = { usedBy: ['backup', 'health'] } as const;
/** What somebody waits for. */
const TOLD = { usedBy: ['backup', 'restore', 'verify', 'health', 'prune'] } as const;
/** Where the copies are. */
const STORE = {
  usedBy: ['backup', 'restore', 'verify', 'list', 'health', 'doctor', 'prune', 'delete'],
  byHand: HAND_COMMANDS,
} as const;
/** What `doctor` looks at, or tells the rights for. */
const TRIED = { usedBy: ['backup', 'doctor'] } as const;

/** Every input, in the order of action.yml. */
export const INPUTS = {
  command: { default: 'backup', ...ALL, parse: oneOf(COMMANDS) },
  transport: { default: 'ssh', ...ALL, parse: oneOf(['ssh', 'local']) },
  host: { default: '', ...SSH, parse: parseHost },
  port: { default: '22', ...SSH, parse: parsePort },
  username: { default: '', ...SSH, parse: parseUserName },
  key: { default: '', ...SSH, secret: true, lines: true, parse: asGiven },
  passphrase: { default: '', ...SSH, secret: true, parse: asGiven },
  'known-hosts': { default: '', ...SSH, lines: true, parse: parseKnownHosts },
  fingerprint: { default: '', ...SSH, lines: true, parse: parseFingerprints },
  'jump-host': { default: '', ...SSH, parse: parseJumpHost },
  'jump-key': { default: '', ...SSH, secret: true, lines: true, parse: asGiven },
  'jump-passphrase': { default: '', ...SSH, secret: true, parse: asGiven },
  'run-as': { default: '', ...ALL, parse: parseRunAs },
  container: { default: '', ...ALL, parse: parseContainer },
  'connect-timeout': { default: '20s', ...SSH, parse: parseTimer },
  timeout: { default: '2h', ...ALL, parse: parseTimer },
  'idle-timeout': { default: '10m', ...ALL, parse: parseTimer },
  'lock-wait': { default: '60s', ...ACTING, parse: parseTimer },
  database: { default: '', ...ALL, parse: asGiven, quotes: true },
  'database-password': { default: '', ...ALL, secret: true, parse: asGiven },
  method: { default: 'logical', ...ALL, parse: oneOf(['logical', 'physical']) },
  stanza: { default: '', ...ALL, parse: parseStanza },
  'backup-type': { default: 'auto', ...BACKUP, parse: oneOf(['auto', 'full', 'diff', 'incr']) },
  'full-every': { default: '7d', ...BACKUP, parse: parseAge },
  name: { default: '', ...ALL, parse: parseName },
  directory: { default: 'db-backups', ...ALL, parse: parseHostPath },
  umask: { default: '077', ...ACTING, parse: parseUmask },
  'dump-format': { default: 'custom', ...SAVING, parse: oneOf(['custom', 'directory', 'plain']) },
  jobs: { default: 'auto', usedBy: ['backup', 'verify', 'restore'], parse: orWord('auto', wholeNumber(1, 64)) },
  'exclude-table': { default: '', ...BACKUP, lines: true, parse: asGiven },
  'exclude-table-data': { default: '', ...BACKUP, lines: true, parse: asGiven },
  schema: { default: '', ...BACKUP, lines: true, parse: asGiven },
  compression: { default: 'auto', ...SAVING, parse: oneOf(['auto', 'zstd', 'gzip', 'none']) },
  'compression-level': { default: '', ...SAVING, parse: asGiven },
  encrypt: { default: 'none', ...SAVING, parse: oneOf(['none', 'age', 'gpg']) },
  'encryption-recipients': { default: '', ...SAVING, lines: true, parse: asGiven },
  'encryption-passphrase': { default: '', ...SAVING, secret: true, parse: asGiven },
  'decryption-key': { default: '', ...OPENING, secret: true, lines: true, parse: asGiven },
  'decryption-passphrase': { default: '', ...OPENING, secret: true, parse: asGiven },
  'signing-key': { default: '', ...ALL, secret: true, lines: true, parse: asGiven },
  keep: { default: '5', usedBy: ['backup', 'prune', 'health'], lines: true, parse: parseKeep, quotes: true },
  'keep-made-under': { default: 'true', ...RETENTION, parse: parseBoolean },
  'keep-minimum': { default: '1', usedBy: ['backup', 'prune', 'delete'], parse: wholeNumber(1, MOST) },
  'max-delete': { default: '', ...RETENTION, parse: wholeNumber(1, MOST) },
  'dry-run': { default: 'false', ...ACTING, parse: parseBoolean },
  pin: { default: '', usedBy: ['backup', 'pin'], parse: parsePinReason },
  'skip-if-younger-than': { default: '', ...BACKUP, parse: parseAge },
  's3-bucket': { default: '', ...STORE, parse: parseBucket },
  's3-prefix': { default: '', ...STORE, parse: parsePrefix },
  's3-region': { default: '', ...STORE, parse: parseRegion },
  's3-endpoint': { default: '', ...STORE, parse: parseEndpoint },
  's3-access-key-id': { default: '', ...STORE, secret: true, parse: parseToken },
  's3-secret-access-key': { default: '', ...STORE, secret: true, parse: parseToken },
  's3-session-token': { default: '', ...STORE, secret: true, parse: parseToken },
  's3-upload-via': { default: 'auto', ...OFFSITE, parse: oneOf(['auto', 'host', 'runner']) },
  's3-storage-class': { default: '', ...BACKUP, parse: parseStorageClass },
  's3-sse': { default: '', ...TRIED, parse: oneOf(['AES256', 'aws:kms', 'aws:kms:dsse']) },
  's3-kms-key-id': { default: '', ...TRIED, parse: parseKeyId },
  's3-object-lock': { default: '', ...TRIED, parse: parseObjectLock },
  's3-keep': {
    default: '',
    usedBy: ['backup', 'prune', 'health', 'doctor'],
    lines: true,
    parse: orWord('none', parseKeep),
    quotes: true,
  },
  verify: { default: 'content', ...PROOF, parse: oneOf(['checksum', 'content', 'restore']) },
  'verify-on': { default: 'host', usedBy: ['verify'], parse: oneOf(['host', 'runner']) },
  assert: { default: '', ...PROOF, lines: true, parse: parseStatements },
  'restore-to': { default: '', usedBy: ['backup', 'verify', 'restore'], parse: asGiven, quotes: true },
  'max-age': { default: '26h', usedBy: ['verify', 'health'], parse: orWord('none', parseAge) },
  'shrink-limit': { default: '50%', ...LIMITS, parse: percentOrNone(1) },
  'growth-limit': { default: 'none', ...LIMITS, parse: parseGrowth },
  'row-loss-limit': { default: '50%', ...LIMITS, parse: percentOrNone(1) },
  'on-row-loss': { default: 'pin', ...BACKUP, parse: oneOf(['pin', 'fail']) },
  'min-free': {
    default: '',
    usedBy: ['backup', 'verify', 'restore', 'health', 'doctor'],
    byHand: ['extract'],
    parse: parseSize,
  },
  ledger: { default: 'true', ...ALL, parse: parseBoolean },
  backup: {
    default: '',
    usedBy: ['restore', 'verify', 'accept', 'delete', 'pin', 'unpin'],
    byHand: ['show', 'extract'],
    parse: asGiven,
  },
  'restore-time': { default: '', usedBy: ['restore', 'verify'], parse: parseRestoreTime },
  confirm: { default: '', ...RESTORE, parse: asGiven },
  'allow-event': { default: '', ...RESTORE, lines: true, parse: parseEvents },
  'safety-backup': { default: 'true', ...RESTORE, parse: parseBoolean },
  'command-timeout': { default: '10m', usedBy: ['backup', 'restore'], parse: parseTimer },
  'restore-way': { default: 'auto', ...PLANNED, parse: oneOf(['auto', 'swap', 'in-place']) },
  'stop-command': { default: '', ...PLANNED, lines: true, parse: parseCommand },
  'start-command': { default: '', ...PLANNED, lines: true, parse: parseCommand },
  'after-restore-command': { default: '', ...PLANNED, lines: true, parse: parseCommand },
  'check-command': { default: '', ...PLANNED, lines: true, parse: parseCommand },
  'before-command': { default: '', ...TRIED, lines: true, parse: parseCommand },
  'after-command': { default: '', ...TRIED, lines: true, parse: parseCommand },
  'allow-other-target': { default: 'false', ...PLANNED, parse: parseBoolean },
  'allow-unsafe-client': { default: 'false', usedBy: ['restore', 'verify', 'doctor'], parse: parseBoolean },
  'settle-unfinished': { default: 'false', ...ACTING, parse: parseBoolean },
  'notify-urls': { default: '', ...TOLD, secret: true, lines: true, parse: asGiven },
  'ping-url': { default: '', ...TOLD, secret: true, parse: asGiven },
  notify: { default: 'failure', ...TOLD, parse: oneOf(['failure', 'always', 'never']) },
  'notify-log': { default: 'false', ...TOLD, parse: parseBoolean },
  'metrics-file': { default: '', usedBy: ['backup', 'verify', 'prune', 'restore'], parse: parseMetricsFile },
  history: { default: 'true', ...CHANGES, parse: parseBoolean },
  summary: { default: 'true', ...ALL, parse: parseBoolean },
} as const satisfies Record<string, DeclaredInput>;

export type InputName = keyof typeof INPUTS;
/** What the parser of an input makes of it. */
export type Parsed<N extends InputName> = ReturnType<(typeof INPUTS)[N]['parse']>;
export const INPUT_NAMES = Object.keys(INPUTS) as InputName[];

/** The same table with its values as declared, for code that looks inputs up by a variable. */
export const declared: Readonly<Record<InputName, DeclaredInput>> = INPUTS;

/** Whether that command uses the input. */
export function isUsedBy(name: InputName, command: Command): boolean {
  const { usedBy, byHand = [] } = declared[name];
  return ([...usedBy, ...byHand] as Command[]).includes(command);
}
