import { isId, isName } from '../backups/names.js';
import type { Source } from '../engines/engine.js';
import { engineOf } from '../engines/lookup.js';
import { readContainer, readDatabase, readScratch } from './database-inputs.js';
import { declared, INPUT_NAMES } from './declared-inputs.js';
import { parseHostPath } from './host-path.js';
import { InputReader } from './input-reader.js';
import { parseKeep } from './keep-rules.js';
import { parseLocation, readRestore } from './restore-inputs.js';
import { readS3 } from './s3-inputs.js';
import { COMMANDS, type Command, type DumpSettings, type S3Location, type Settings } from './settings.js';
import { readTransport } from './ssh-inputs.js';
import { parseSize } from './units.js';
import {
  oneOf,
  parseAge,
  parseBoolean,
  parsePinReason,
  parseRunAs,
  parseTimer,
  parseUmask,
  percentOrNone,
  wholeNumber,
} from './value-rules.js';

const MOST = 100_000;

/**
 * Reads and checks every input of this run, before anything is contacted, and masks the secret ones first.
 *
 * `warnings` are inputs that have no effect. Throws E_INPUT whose message has one line for each problem:
 * the input's name, the rule, and what was given unless it is secret.
 */
export async function readSettings(): Promise<{ settings: Settings; warnings: string[] }> {
  const reader = new InputReader();
  const command = reader.require('command', oneOf(COMMANDS));
  if (command !== undefined) ignoreUnused(reader, command);
  const transport = await readTransport(reader);
  const runAs = reader.read('run-as', parseRunAs);
  const timeoutMs = reader.require('timeout', parseTimer);
  const idleTimeoutMs = reader.require('idle-timeout', parseTimer);
  const lockWaitMs = reader.require('lock-wait', parseTimer);
  const database = readDatabase(reader);
  const container = readContainer(reader, database);
  const name = readName(reader, database);
  const directory = reader.require('directory', parseHostPath);
  const umask = reader.require('umask', parseUmask);
  const dump = readDump(reader, command, database);
  const compression = reader.require('compression', oneOf(['auto', 'zstd', 'gzip', 'none']));
  const compressionLevel = readCompressionLevel(reader, compression);
  const keep = reader.require('keep', parseKeep, undefined, 'as-is');
  const keepMadeUnder = reader.require('keep-made-under', parseBoolean);
  const keepMinimum = reader.require('keep-minimum', wholeNumber(1, MOST));
  const maxDelete = reader.read('max-delete', wholeNumber(1, MOST));
  const dryRun = reader.require('dry-run', parseBoolean);
  const pin = readPin(reader, command);
  const skipIfYoungerThanMs = reader.read('skip-if-younger-than', parseAge);
  const located = readLocation(reader, command);
  const s3 = readS3(reader, command, keep, located?.bucket);
  const verify = reader.require('verify', oneOf(['checksum', 'content', 'restore']));
  if (transport?.transport === 'local') reader.ignore('verify-on', 'with transport local: the host is the runner');
  const verifyOn = reader.require('verify-on', oneOf(['host', 'runner']));
  const asserts = readAsserts(reader, verify);
  const restoreTo = command === 'restore' ? null : readScratch(reader, command, verify, verifyOn, database);
  const maxAge = reader.require('max-age', (text) => (text === 'none' ? text : parseAge(text)));
  const shrinkLimit = reader.require('shrink-limit', percentOrNone(1));
  const growthLimit = reader.require('growth-limit', parseGrowth);
  const rowLossLimit = reader.require('row-loss-limit', percentOrNone(1));
  const onRowLoss = reader.require('on-row-loss', oneOf(['pin', 'fail']));
  const minFreeBytes = reader.read('min-free', parseSize);
  const backup = command === 'restore' || located ? null : readBackup(reader, command, name);
  const restore = readRestore(reader, command, database);
  const settleUnfinished = reader.require('settle-unfinished', parseBoolean);
  const summary = reader.require('summary', parseBoolean);
  const settings = reader.settle({
    ...{ command, transport, runAs, timeoutMs, idleTimeoutMs, lockWaitMs, database, name, directory, umask },
    ...{
      container,
      dump,
      compression,
      compressionLevel,
      keep,
      keepMadeUnder,
      keepMinimum,
      maxDelete,
      dryRun,
      pin,
      skipIfYoungerThanMs,
      s3,
      backupInStore: command === 'verify' ? located : null,
      ...{ verify, verifyOn, asserts, restoreTo },
    },
    shrinkLimit: shrinkLimit === 'none' ? null : shrinkLimit,
    growthLimit: typeof growthLimit === 'number' ? growthLimit : null,
    growthLimitBytes: typeof growthLimit === 'object' ? growthLimit.bytes : null,
    rowLossLimit: rowLossLimit === 'none' ? null : rowLossLimit,
    onRowLoss,
    maxAgeMs: maxAge === 'none' ? null : maxAge,
    minFreeBytes: minFreeBytes === null ? 0 : minFreeBytes,
    ...{ backup, restore, settleUnfinished, summary },
  });
  return { settings, warnings: reader.warnings };
}

function ignoreUnused(reader: InputReader, command: Command): void {
  for (const name of INPUT_NAMES) {
    if (!declared[name].usedBy.includes(command)) reader.ignore(name, `with command ${command}`);
  }
}

/** The commands of the tools themselves, with a dot or a backslash before them, are no SQL. */
function readAsserts(reader: InputReader, verify: Settings['verify'] | undefined): string[] | undefined {
  if (verify === 'checksum' || verify === 'content') reader.ignore('assert', `with verify ${verify}`);
  const asserts = reader.read('assert', (text) =>
    lines(text).map((line) => {
      if (/^[.\\]/.test(line)) throw new Error('expected SQL, one statement a line, that returns a true first value');
      return line;
    }),
  );
  return asserts === null ? [] : asserts;
}

function readDump(
  reader: InputReader,
  command: Command | undefined,
  database: Source | undefined,
): DumpSettings | undefined {
  const format = reader.require('dump-format', oneOf(['custom', 'directory', 'plain']));
  if (command === 'backup' && (format === 'custom' || format === 'plain')) {
    reader.ignore('jobs', `with dump-format ${format}`);
  }
  const jobs = reader.require('jobs', (text) => (text === 'auto' ? text : wholeNumber(1, 64)(text)));
  const { parsePattern = (line: string) => line } = database === undefined ? {} : engineOf(database);
  const patterns = (name: 'exclude-table' | 'exclude-table-data' | 'schema') =>
    reader.read(name, (text) => lines(text).map((line) => parsePattern(line, name === 'schema' ? 'schema' : 'table')));
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

const lines = (text: string): string[] =>
  text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** A share such as `300%`, a size such as `1GB`, or `none`. */
function parseGrowth(text: string): number | { bytes: number } | 'none' {
  if (text === 'none' || text.includes('%')) return percentOrNone(1_000)(text);
  try {
    const bytes = parseSize(text);
    if (bytes > 0) return { bytes };
  } catch {
    // what it may be is said below
  }
  throw new Error('expected a percentage above 0% and up to 100000%, a size such as 1GB, or none');
}

function readName(reader: InputReader, database: Source | undefined): string | undefined {
  const given = reader.read('name', (text) => {
    if (isName(text)) return text;
    throw new Error('expected 1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit');
  });
  if (given !== null || database === undefined) return given ?? undefined;
  const made = engineOf(database).nameOf(database);
  if (made === null) reader.missing('name', 'required, because none can be made from the name in database');
  return made ?? undefined;
}

function readCompressionLevel(reader: InputReader, compression: Settings['compression'] | undefined) {
  if (compression === 'none') {
    return reader.read('compression-level', () => {
      throw new Error('expected nothing with compression none');
    });
  }
  // With auto the host decides between zstd and gzip, so the level must suit both.
  return reader.read('compression-level', wholeNumber(1, compression === 'zstd' ? 19 : 9));
}

function readPin(reader: InputReader, command: Command | undefined): string | null | undefined {
  if (command !== 'pin') return reader.read('pin', parsePinReason);
  return reader.require('pin', parsePinReason, 'required with command pin: the reason, in one line');
}

/** `backup` when it is an `s3://`; what is wrong with it is told where the input is read. */
function readLocation(reader: InputReader, command: Command | undefined): S3Location | null {
  if (command !== 'restore' && command !== 'verify') return null;
  try {
    return parseLocation(reader.text('backup') ?? '');
  } catch {
    return null;
  }
}

function readBackup(reader: InputReader, command: Command | undefined, name: string | undefined) {
  const rule = `the id of a backup${name === undefined ? '' : ` of ${name}`}, such as ${name ?? 'app'}-20261120T101500Z-7f3a; \`command: list\` shows them`;
  const parse = (text: string) => {
    if (command === 'verify') parseLocation(text); // throws what is wrong with it
    if (name === undefined || isId(text, name)) return text;
    throw new Error(`expected ${rule}`);
  };
  if (command === 'verify' && reader.text('backup') === 'latest') return null;
  if (command === 'accept' || command === 'delete' || command === 'pin' || command === 'unpin') {
    return reader.require('backup', parse, `required with command ${command}: ${rule}`);
  }
  return reader.read('backup', parse);
}
