import { isId } from '../backups/names.js';
import type { Source } from '../engines/engine.js';
import { engineOf } from '../engines/lookup.js';
import { checkKeep, readContainer, readDatabase, readScratch } from './database-inputs.js';
import { INPUT_NAMES, isUsedBy, type Parsed } from './declared-inputs.js';
import { readDecryption, requireOpening } from './decryption-inputs.js';
import { readEncryption } from './encryption-inputs.js';
import { readCommand, readExtraction } from './hand-inputs.js';
import { InputReader } from './input-reader.js';
import { readTelling, type Telling } from './notify-inputs.js';
import { parseDumpPath, parseLocation, readRestore } from './restore-inputs.js';
import { readS3 } from './s3-inputs.js';
import type { Command, DumpSettings, S3Location } from './settings.js';
import { readSigningKeys } from './signing-input.js';
import { readTransport } from './ssh-inputs.js';
import { lines, wholeNumber } from './value-rules.js';

/**
 * Reads and checks every input of this run, before anything is contacted, and masks the secret ones first.
 *
 * `warnings` are inputs that have no effect. Throws E_INPUT whose message has one line for each problem:
 * the input's name, the rule, and what was given unless it is secret. Who is to be told is handed to `onTelling` before that.
 */
export async function readSettings(onTelling: (telling: Telling) => void = () => {}) {
  const reader = new InputReader();
  const command = readCommand(reader);
  if (command !== undefined) ignoreUnused(reader, command);
  const transport = await readTransport(reader);
  const runAs = reader.read('run-as');
  const timeoutMs = reader.require('timeout');
  const idleTimeoutMs = reader.require('idle-timeout');
  const lockWaitMs = reader.require('lock-wait');
  const database = readDatabase(reader);
  const container = readContainer(reader, database);
  const backupType = reader.require('backup-type');
  const fullEveryMs = reader.require('full-every');
  const restoreTime = reader.read('restore-time');
  const name = readName(reader, database);
  const directory = reader.require('directory');
  const umask = reader.require('umask');
  const dump = readDump(reader, command, database);
  const compression = reader.require('compression');
  const compressionLevel = readCompressionLevel(reader, compression);
  const encryption = await readEncryption(reader);
  const decryption = await readDecryption(reader, command);
  const signing = readSigningKeys(reader);
  const keep = reader.require('keep');
  checkKeep(reader, keep, database);
  const keepMadeUnder = reader.require('keep-made-under');
  const keepMinimum = reader.require('keep-minimum');
  const maxDelete = reader.read('max-delete');
  const dryRun = reader.require('dry-run');
  const pin = readPin(reader, command);
  const skipIfYoungerThanMs = reader.read('skip-if-younger-than');
  const located = readLocation(reader, command);
  const s3 = readS3(reader, command, keep, located?.bucket);
  const verify = reader.require('verify');
  requireOpening(reader, command, verify, encryption, decryption);
  const dumpToVerify = readDumpPath(reader, command);
  if (dumpToVerify !== null)
    reader.ignore('verify-on', 'with the path of a dump in backup, which is verified on the host');
  if (transport?.transport === 'local') reader.ignore('verify-on', 'with transport local: the host is the runner');
  const verifyOn = reader.require('verify-on');
  const asserts = readAsserts(reader, verify);
  const restoreTo = command === 'restore' ? null : readScratch(reader, command, verify, verifyOn, database);
  const maxAge = reader.require('max-age');
  const shrinkLimit = reader.require('shrink-limit');
  const growthLimit = reader.require('growth-limit');
  const rowLossLimit = reader.require('row-loss-limit');
  const onRowLoss = reader.require('on-row-loss');
  const minFreeBytes = reader.read('min-free');
  const ledger = reader.require('ledger');
  const names = command === 'restore' || command === 'extract'; // of them the backup is in `restore`
  const backup = names || located || dumpToVerify !== null ? null : readBackup(reader, command, name);
  const restore = readRestore(reader, command, database);
  const extraction = readExtraction(reader, command, database, dump);
  const hooks = readHooks(reader);
  const commandTimeoutMs = reader.require('command-timeout');
  const settleUnfinished = reader.require('settle-unfinished');
  const telling = readTelling(reader, dryRun === true);
  onTelling(telling);
  const metricsFile = reader.read('metrics-file');
  const history = reader.require('history');
  const summary = reader.require('summary');
  const settings = reader.settle({
    command,
    transport,
    runAs,
    /** The container on the host that the database is in. */
    container,
    timeoutMs,
    idleTimeoutMs,
    /** For another run's lock, and for locks inside the database. */
    lockWaitMs,
    database,
    /** Where a backup may be of what has changed alone: which it is; auto: a full one when the last is older than `fullEveryMs`. */
    backupType,
    fullEveryMs,
    /** To which moment a database is recovered; null: not given. */
    restoreTime,
    dump,
    name,
    directory,
    /** `077` or `027`. */
    umask,
    compression,
    compressionLevel,
    /** null: `encrypt: none`. */
    encryption,
    /** null: neither `decryption-key` nor `decryption-passphrase`. */
    decryption,
    /** By which manifests are signed, and have to be; null: signatures are left as they are. */
    signing,
    keep,
    /** A backup also stays by the rules under which it was made. */
    keepMadeUnder,
    keepMinimum,
    maxDelete,
    dryRun,
    /** `backup`: pin the new one with this reason; `pin`: the reason. */
    pin,
    skipIfYoungerThanMs,
    /** null: no off-site copy. */
    s3,
    /** `command: verify`: the backup to prove, when it is named by its place in an S3 store. */
    backupInStore: command === 'verify' ? located : null,
    /** `command: verify`: the dump on the host that this action did not make. */
    dumpToVerify,
    verify,
    /** `command: verify`: where the proof is made. */
    verifyOn,
    /** SQL, each of which must return a true first value in the restored copy. */
    asserts,
    /** Where the throw-away database of a proof is made, instead of beside the live one; of the same engine. */
    restoreTo,
    /** With `command: restore`; `wanted` also with `extract`. */
    restore,
    /** With `extract`. */
    extraction,
    /** Shell lines around the dump of a backup, run on the host by the login user in its home. */
    hooks,
    /** How long a command of the user may take. */
    commandTimeoutMs,
    /** Puts the journal of a restore that was cut off aside, when it can not be brought to an end. */
    settleUnfinished,
    /** `verify` without an id: the newest verified backup may be this old; null switches the check off. */
    maxAgeMs: maxAge === 'none' ? null : maxAge,
    /** Smallest allowed share of the median, 0..1; null switches the check off. */
    shrinkLimit: shrinkLimit === 'none' ? null : shrinkLimit,
    /** Largest allowed growth over the median as a share (0.5 is +50 %); null switches the check off. */
    growthLimit: typeof growthLimit === 'number' ? growthLimit : null,
    /** The same in bytes, when it was given as a size. */
    growthLimitBytes: typeof growthLimit === 'object' ? growthLimit.bytes : null,
    /** Largest share of its rows that a table may lose, 0..1; null switches the check off. */
    rowLossLimit: rowLossLimit === 'none' ? null : rowLossLimit,
    /** What becomes of a loss of rows: the backup before it is pinned, or the new one is suspect. */
    onRowLoss,
    /** Bytes to leave free on the host. */
    minFreeBytes: minFreeBytes === null ? 0 : minFreeBytes,
    /** What backups there were is remembered off the host. */
    ledger,
    /** `accept`, `delete`, `pin`, `unpin`: the id. `verify`: the id, null for the newest. `show`: the id, null for the newest good one. */
    backup,
    telling,
    /** Where on the host the metrics are written for Prometheus; null: nowhere. */
    metricsFile,
    /** Whether this run writes its line into the history of the backup directory. */
    history,
    summary,
  });
  return { settings, warnings: reader.warnings };
}

function ignoreUnused(reader: InputReader, command: Command): void {
  for (const name of INPUT_NAMES) {
    if (!isUsedBy(name, command)) reader.ignore(name, `with command ${command}`);
  }
}

function readAsserts(reader: InputReader, verify: Parsed<'verify'> | undefined): string[] | undefined {
  if (verify === 'checksum' || verify === 'content') reader.ignore('assert', `with verify ${verify}`);
  const asserts = reader.read('assert');
  return asserts === null ? [] : asserts;
}

function readDump(
  reader: InputReader,
  command: Command | undefined,
  database: Source | undefined,
): DumpSettings | undefined {
  const format = reader.require('dump-format');
  if (command === 'backup' && (format === 'custom' || format === 'plain')) {
    reader.ignore('jobs', `with dump-format ${format}`);
  }
  const jobs = reader.require('jobs');
  const { parsePattern = (line: string) => line } = database === undefined ? {} : engineOf(database);
  const patterns = (name: 'exclude-table' | 'exclude-table-data' | 'schema') =>
    reader.readAs(name, (text) =>
      lines(text).map((line) => parsePattern(line, name === 'schema' ? 'schema' : 'table')),
    );
  const excludeTable = patterns('exclude-table');
  const excludeTableData = patterns('exclude-table-data');
  const schema = patterns('schema');
  if (format === undefined || jobs === undefined) return undefined;
  if (excludeTable === undefined || excludeTableData === undefined || schema === undefined) return undefined;
  return {
    format,
    jobs: jobs === 'auto' ? null : jobs,
    excludeTable: excludeTable ?? [],
    excludeTableData: excludeTableData ?? [],
    schema: schema ?? [],
  };
}

/** undefined: one of them is wrong. */
function readHooks(reader: InputReader): { before: string | null; after: string | null } | undefined {
  const before = reader.read('before-command');
  const after = reader.read('after-command');
  return before === undefined || after === undefined ? undefined : { before, after };
}

function readName(reader: InputReader, database: Source | undefined): string | undefined {
  const given = reader.read('name');
  if (given !== null || database === undefined) return given ?? undefined;
  const made = engineOf(database).nameOf(database);
  if (made === null) reader.missing('name', 'required, because no name can be derived from database');
  return made ?? undefined;
}

function readCompressionLevel(reader: InputReader, compression: Parsed<'compression'> | undefined) {
  if (compression === 'none') {
    return reader.readAs('compression-level', () => {
      throw new Error('expected nothing with compression none');
    });
  }
  // With auto the host decides between zstd and gzip, so the level must suit both.
  return reader.readAs('compression-level', wholeNumber(1, compression === 'zstd' ? 19 : 9));
}

function readPin(reader: InputReader, command: Command | undefined): string | null | undefined {
  if (command !== 'pin') return reader.read('pin');
  return reader.require('pin', 'required with command pin: the reason, in one line');
}

/** `backup` when it is an `s3://`; what is wrong with it is told where the input is read. */
function readLocation(reader: InputReader, command: Command | undefined): S3Location | null {
  if (command !== 'restore' && command !== 'verify' && command !== 'extract') return null;
  try {
    return parseLocation(reader.text('backup') ?? '');
  } catch {
    return null;
  }
}

/** `backup` when it is a path; what is wrong with it is told where the input is read. */
function readDumpPath(reader: InputReader, command: Command | undefined): string | null {
  const text = reader.text('backup') ?? '';
  if (command !== 'verify' || /^s3:/i.test(text)) return null;
  try {
    return parseDumpPath(text);
  } catch {
    return null;
  }
}

function readBackup(reader: InputReader, command: Command | undefined, name: string | undefined) {
  const rule = `the id of a backup${name === undefined ? '' : ` of ${name}`}, such as ${name ?? 'app'}-20261120T101500Z-7f3a; \`command: list\` shows them${command === 'verify' ? '; or the path of a dump on the host' : ''}`;
  const parse = (text: string) => {
    if (command === 'verify') {
      // throw what is wrong with them
      parseLocation(text);
      parseDumpPath(text);
    }
    if (name === undefined || isId(text, name)) return text;
    throw new Error(`expected ${rule}`);
  };
  if ((command === 'verify' || command === 'show') && reader.text('backup') === 'latest') return null;
  if (command === 'accept' || command === 'delete' || command === 'pin' || command === 'unpin') {
    return reader.requireAs('backup', parse, `required with command ${command}: ${rule}`);
  }
  return reader.readAs('backup', parse);
}
