import type { Manifest, TableRows } from '../backups/manifest.js';
import type { Facts } from '../host/session.js';
import type { PostgresSource } from '../settings/postgres-url.js';
import type { Settings } from '../settings/settings.js';
import { commonArguments } from './common.js';
import { connectionString } from './connection-string.js';

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

/** A name as SQL has it. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const decoded = (hex: string): string => Buffer.from(hex, 'hex').toString('utf8');

/** `OID HEX` */
export function tableOf(text: string): [oid: string, name: string] {
  const [oid = '', hex = ''] = text.split(' ');
  return [oid, decoded(hex)];
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

const NAME = String.raw`(?:"(?:[^"]|"")*"|[^\s"]+)`;
const CREATE = new RegExp(`^CREATE DATABASE ${NAME} (TEMPLATE template0 .*?)( OWNER ${NAME})?;$`, 's');
const PROPERTY = new RegExp(
  `^((?:ALTER|COMMENT ON|REVOKE ALL ON|GRANT [A-Z, ]+ ON|ALTER ROLE ${NAME} IN) DATABASE )${NAME}`,
);

/** Makes a database like the one of the backup; `owner`: also with its owner, who may not be known elsewhere. */
export function createStatement(name: string, content: Manifest['content'], owner = false): string {
  const [, like = 'TEMPLATE template0', owned = ''] = CREATE.exec(propertiesOf(content)[0] ?? '') ?? [];
  return `CREATE DATABASE ${identifier(name)} ${like}${owner ? owned : ''}`;
}

/** Grants, settings and comment of the database that was backed up, for another one; as far as they are what we write. */
export function propertiesFor(name: string, content: Manifest['content']): string[] {
  return propertiesOf(content)
    .slice(1)
    .filter((statement) => PROPERTY.test(statement))
    .map((statement) => statement.replace(PROPERTY, (_, begin: string) => `${begin}${identifier(name)}`));
}

/** The search_path of the database that was backed up, as SQL has it; empty where none was set. */
export function searchPathOf(content: Manifest['content']): string {
  const setting = /^ALTER DATABASE .* SET search_path TO (.*);$/s;
  return propertiesOf(content).flatMap((statement) => setting.exec(statement)?.[1] ?? [])[0] ?? '';
}

const propertiesOf = (content: Manifest['content']): string[] =>
  content !== null && 'properties' in content ? content.properties : [];
