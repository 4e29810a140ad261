import { BackupError } from '../../errors.js';
import { quote } from '../../host/quoting.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Settings } from '../../settings/settings.js';
import { named } from '../common.js';
import { type Extracting, noTable } from '../extracting.js';
import { type Dump, dumpArguments } from '../restoring.js';
import { clientIn } from './client.js';
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
        `${quoteOutside(dump.file, 300)} is a script (dump-format: plain), and pg_restore cannot extract a table from that`,
        'Unpack it with the commands that `db-backup show` prints, and take the lines between `COPY` and `\\.`. Or restore it into a database of its own.',
      );
    },

    remarks(settings, dump, facts) {
      checkClient(dump, facts);
      return refuseUnsafe(clientIn(facts), dump, settings);
    },

    rows(settings, dump, { table: asked, dataOnly }, facts) {
      const listed = facts.all('extract_table');
      const known = dump.manifest?.content?.tables.map(({ name }) => name);
      const found = tablesCalled(asked, listed, known);
      const [one, ...others] = found;
      if (one === undefined) throw noTable(asked, listed.map(shown));
      if (others.length > 0) {
        throw new BackupError(
          'E_INPUT',
          `table: there are ${found.length} tables called ${quoteOutside(asked, 200)}`,
          waysToTell(found, (name) => tablesCalled(name, listed, known).length === 1),
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

/** How each of several is asked for; some are not told from others by any name. */
function waysToTell(found: readonly TableName[], isOne: (name: string) => boolean): string {
  const shown = (text: string): string => quoteOutside(text, 200).replaceAll('\n', ' ');
  const named = found.map(fullName).filter(isOne);
  const unnamed = found.filter((one) => !isOne(fullName(one)));
  const lines = unnamed.map(({ schema, table }) => shown(`--schema=${quote(schema)} --table=${quote(table)}`));
  return [
    ...(named.length === 0 ? [] : [`Name one with its schema: ${named.map(shown).join(', ')}.`]),
    ...(lines.length === 0
      ? []
      : [
          `Their names cannot be told apart here: unpack the backup on the host with the commands that \`db-backup show\` prints, and extract one with \`pg_restore -f -\` and ${lines.join(', or with ')}.`,
        ]),
  ].join(' ');
}

const fullName = ({ schema, table }: TableName): string => `${schema}.${table}`;
/** As pg_restore lists it. */
const inOneLine = (name: string): string => name.replace(/[\r\n]/g, ' ');

/**
 * The tables that may be meant by a name with or without a schema. `listed`: `SCHEMA TABLE OWNER` of each, as pg_restore lists them: where
 * names have blanks there are several ways to read a line, of which one is right, and line breaks are blanks there. What is meant tells
 * `known`, `SCHEMA.TABLE` of each table that the manifest has. What pg_restore then does not find is told.
 */
export function tablesCalled(asked: string, listed: readonly string[], known: readonly string[] = []): TableName[] {
  const wanted = inOneLine(asked);
  const found = new Map<string, TableName>();
  for (const line of listed) {
    const words = line.split(' ');
    for (let from = 1; from < words.length - 1; from++) {
      for (let to = from + 1; to < words.length; to++) {
        const one = { schema: words.slice(0, from).join(' '), table: words.slice(from, to).join(' ') };
        if (wanted === one.table) found.set(keyOf(one), { ...one, table: asked });
        else if (wanted === fullName(one)) found.set(keyOf(one), splitAs(one, asked));
      }
    }
  }
  const sure = [...found.values()].flatMap((one) =>
    [...new Set(known)]
      .filter((name) => inOneLine(name) === inOneLine(fullName(one)))
      .map((name) => splitAs(one, name)),
  );
  const exact = sure.filter((one) => asked === one.table || asked === fullName(one));
  return [exact, sure, [...found.values()]].find((some) => some.length > 0) ?? [];
}

const keyOf = ({ schema, table }: TableName): string => `${schema}\n${table}`;
/** The same schema and table in a name that has line breaks where `one` has blanks. */
const splitAs = ({ schema }: TableName, name: string): TableName => ({
  schema: name.slice(0, schema.length),
  table: name.slice(schema.length + 1),
});

/** For people: `SCHEMA.TABLE`. */
function shown(line: string): string {
  const [schema = '', ...rest] = line.split(' ');
  return `${schema}.${rest.slice(0, -1).join(' ')}`;
}
