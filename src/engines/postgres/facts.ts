import { isUtf8 } from 'node:buffer';
import type { TableRows } from '../../backups/manifest.js';
import { BackupError } from '../../errors.js';
import type { Facts } from '../../host/session.js';
import type { Settings } from '../../settings/settings.js';
import { commonArguments } from '../common.js';
import { connectionString } from './connection-string.js';
import { type PostgresIdentity, SYSTEM_IDENTIFIER } from './format.js';
import type { DatabaseLike } from './properties.js';
import type { PostgresSource } from './url.js';

// What the requests to programs/postgres.sh and postgres-restore.sh have in common, and how their facts are read.

/** The named arguments that say where the database is, and with what it is reached. */
export function argumentsOf(source: PostgresSource, settings: Settings): Record<string, string> {
  return {
    ...commonArguments(settings),
    container: settings.container ?? '',
    connection: connectionString(source),
    password: source.password ?? '',
    format: settings.dump.format,
    // who names the kind of server in the URL has thought about it
    standby: source.parameters.some(([keyword]) => keyword === 'target_session_attrs') ? 'allowed' : '',
  };
}

export const decoded = (hex: string): string => Buffer.from(hex, 'hex').toString('utf8');

/**
 * A name as the manifest has it. A database without an encoding (SQL_ASCII) may hold bytes that are no text: in such a name each byte
 * above 7f is written `\\xe4`, so that two names never become the same. A backslash of a name that would read as such is `\\x5c`.
 */
function nameOf(bytes: Buffer): string {
  const text = bytes.toString('latin1').replace(/\\(?=x(5c|[89a-f][0-9a-f]))/g, '\\x5c');
  return isUtf8(bytes) ? Buffer.from(text, 'latin1').toString('utf8') : text.replace(/[\x80-\xff]/g, escapedByte);
}

const escapedByte = (byte: string): string => `\\x${byte.charCodeAt(0).toString(16)}`;

/** The way back, in hex. */
export function encodedName(name: string): string {
  const text = Buffer.from(name, 'utf8').toString('latin1');
  const bytes = text.replace(/\\x(5c|[89a-f][0-9a-f])/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('hex');
}

/** Texts of the server that a manifest can hold, and how many it can not: those with bytes that are no text. */
export function textsIn(facts: Facts, key: string): { texts: string[]; left: number } {
  const all = facts.all(key).map((hex) => Buffer.from(hex, 'hex'));
  const texts = all.filter((bytes) => isUtf8(bytes)).map(String);
  return { texts, left: all.length - texts.length };
}

/** How texts travel, in both directions: nothing in them is a line, a quote or a command on the way. */
export const encoded = (text: string): string => Buffer.from(text, 'utf8').toString('hex');

/** What the version of the server is called. */
export const serverVersion = (facts: Facts): string => decoded(facts.get('server_version') ?? '');

/** `ENCODING COLLATE CTYPE PROVIDER LOCALE RULES`, each in hex: how a database is made; empty: as the server does it by itself. */
export function likeArgument(like: DatabaseLike | null): string {
  if (like === null) return '';
  const { encoding, collate, ctype, provider, locale, rules } = like;
  return [encoding, collate, ctype, provider ?? 'libc', locale ?? '-', rules ?? '-'].map(encoded).join(' ');
}

/** `OID HEX` */
export function tableOf(text: string): [oid: string, name: string] {
  const [oid = '', hex = ''] = text.split(' ');
  return [oid, nameOf(Buffer.from(hex, 'hex'))];
}

/** The tables of a copy that was made of a backup, with their rows where they were counted. */
export const restoredIn = (facts: Facts): TableRows[] => [
  ...facts.restored.map(({ name, rows }) => ({ name: nameOf(name), rows })),
  ...facts.all('restored_uncounted').map((hex) => ({ name: nameOf(Buffer.from(hex, 'hex')), rows: null })),
];

/** Throws E_INTERNAL when the host told a system identifier that is none. */
export function identityIn(facts: Facts, database: string): PostgresIdentity {
  const systemIdentifier = facts.get('system_identifier');
  if (systemIdentifier !== null && !SYSTEM_IDENTIFIER.test(systemIdentifier)) {
    throw new BackupError('E_INTERNAL', 'the host reported an invalid system identifier');
  }
  return { database, systemIdentifier };
}

/** The tables that the host has listed, with their rows where it has counted or estimated them. */
export function tablesOf(facts: Facts, key: 'rows' | 'estimate' = 'rows'): TableRows[] {
  const counted = new Map(
    facts.all(key).map((text): [string, number] => {
      const [oid = '', rows = ''] = text.split(' ');
      return [oid, Number(rows)];
    }),
  );
  return facts.all('table').map((text) => {
    const [oid, name] = tableOf(text);
    const rows = counted.get(oid) ?? null;
    return { name, rows: Number.isSafeInteger(rows) ? rows : null };
  });
}
