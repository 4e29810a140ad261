import type { PostgresIdentity } from '../backups/identity.js';
import type { TableRows } from '../backups/manifest.js';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import type { PostgresSource } from '../settings/postgres-url.js';
import type { Settings } from '../settings/settings.js';
import { commonArguments } from './common.js';
import { connectionString } from './connection-string.js';
import type { DatabaseLike } from './postgres-properties.js';

// What the requests to host/programs/postgres.sh and restore-postgres.sh have in common, and how their facts are read.

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

/** How texts travel, in both directions: nothing in them is a line, a quote or a command on the way. */
export const encoded = (text: string): string => Buffer.from(text, 'utf8').toString('hex');

/** What the version of the server is called. */
export const serverVersion = (facts: Facts): string => decoded(facts.get('server_version') ?? '');

/** `ENCODING COLLATE CTYPE PROVIDER LOCALE`, each in hex: how a database is made; empty: as the server does it by itself. */
export function likeArgument(like: DatabaseLike | null): string {
  if (like === null) return '';
  const { encoding, collate, ctype, provider, locale } = like;
  return [encoding, collate, ctype, provider ?? 'libc', locale ?? '-'].map(encoded).join(' ');
}

/** `OID HEX` */
export function tableOf(text: string): [oid: string, name: string] {
  const [oid = '', hex = ''] = text.split(' ');
  return [oid, decoded(hex)];
}

/** The tables of a copy that was made of a backup, with their rows where they were counted. */
export const restoredIn = (facts: Facts): TableRows[] => [
  ...facts.restored.map(({ name, rows }) => ({ name: name.toString('utf8'), rows })),
  ...facts.all('restored_uncounted').map((hex) => ({ name: decoded(hex), rows: null })),
];

/** Throws E_INTERNAL when the host told a system identifier that is none. */
export function identityIn(facts: Facts, database: string): PostgresIdentity {
  const systemIdentifier = facts.get('system_identifier');
  if (systemIdentifier !== null && !/^\d{1,20}$/.test(systemIdentifier)) {
    throw new BackupError('E_INTERNAL', 'the host reported a system identifier that is none');
  }
  return { database, systemIdentifier };
}

/** The tables that the host has listed, with their rows where it has counted them. */
export function tablesOf(facts: Facts): TableRows[] {
  const counted = new Map(
    facts.all('rows').map((text): [string, number] => {
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
