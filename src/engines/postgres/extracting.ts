import { BackupError } from '../../errors.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Settings } from '../../settings/settings.js';
import { named } from '../common.js';
import { type Extracting, noTable } from '../extracting.js';
import { type Dump, dumpArguments } from '../restoring.js';
import { refuseUnsafe } from './client-holes.js';
import { checkClient } from './dump-clients.js';

interface TableName {
  schema: string;
  table: string;
}

/** One table of a PostgreSQL backup, by programs/postgres-extract.sh. */
export function postgresExtracting(common: (settings: Settings) => Record<string, string>): Extracting {
  const request = (name: string, settings: Settings, dump: Dump, more: Record<string, string> = {}) =>
    [
      'job',
      name,
      named({ ...common({ ...settings, verify: 'content' }), ...dumpArguments(dump), ...more }),
    ] satisfies ReturnType<Extracting['open']>;
  return {
    formats: ['sql'],

    open(settings, dump) {
      if (dump.kind !== 'sql') return request('open_extract_postgres', settings, dump);
      throw new BackupError(
        'E_SOURCE_INVALID',
        `${quoteOutside(dump.file, 300)} is a script (dump-format: plain), of which pg_restore takes no single table`,
        'Unpack it by the lines that `db-backup show` prints, and take what stands between `COPY` and `\\.`; or restore it into a database of its own.',
      );
    },

    remarks(settings, dump, facts) {
      checkClient(dump, facts);
      return refuseUnsafe(facts.need('pg_dump_version'), dump, settings);
    },

    rows(settings, dump, { table: asked, dataOnly }, facts) {
      const listed = facts.all('extract_table');
      const found = tablesCalled(
        asked,
        listed,
        dump.manifest?.content?.tables.map(({ name }) => name),
      );
      const [one, ...others] = found;
      if (one === undefined) throw noTable(asked, listed.map(shown));
      if (others.length > 0) {
        throw new BackupError(
          'E_INPUT',
          `table: there are ${found.length} tables called ${quoteOutside(asked, 200)}`,
          `Name one with its schema: ${found.map(({ schema, table }) => quoteOutside(`${schema}.${table}`, 200)).join(', ')}.`,
        );
      }
      return request('extract_postgres', settings, dump, {
        extract_schema: one.schema,
        extract_table: one.table,
        extract_options: dataOnly ? '--data-only' : '',
      });
    },
  };
}

/**
 * The tables that may be meant by a name with or without a schema. `listed`: `SCHEMA TABLE OWNER` of each, as pg_restore lists them: where
 * names have blanks there are several ways to read a line, of which one is right, as `known` tells, `SCHEMA.TABLE` of each table that the
 * manifest has. What pg_restore then does not find is told.
 */
export function tablesCalled(asked: string, listed: readonly string[], known: readonly string[] = []): TableName[] {
  const found = new Map<string, TableName>();
  for (const line of listed) {
    const words = line.split(' ');
    for (let from = 1; from < words.length - 1; from++) {
      for (let to = from + 1; to < words.length; to++) {
        const [schema, table] = [words.slice(0, from).join(' '), words.slice(from, to).join(' ')];
        if (asked === table || asked === `${schema}.${table}`) found.set(`${schema}\n${table}`, { schema, table });
      }
    }
  }
  const all = [...found.values()];
  const sure = all.filter(({ schema, table }) => known.includes(`${schema}.${table}`));
  return sure.length > 0 ? sure : all;
}

/** For people: `SCHEMA.TABLE`. */
function shown(line: string): string {
  const [schema = '', ...rest] = line.split(' ');
  return `${schema}.${rest.slice(0, -1).join(' ')}`;
}
