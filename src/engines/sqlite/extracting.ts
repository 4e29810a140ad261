import { BackupError } from '../../errors.js';
import type { Facts } from '../../host/session.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import { named } from '../common.js';
import { type Extracting, noTable } from '../extracting.js';
import { dumpArguments } from '../restoring.js';

/** Of tables alone, which SQLite stores in that form: a virtual one needs its module, and a view is a program of others. */
const TABLES = `sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND sql LIKE 'CREATE TABLE %'`;

const called = (table: string): string => `${TABLES} AND name = ${literal(table)} COLLATE NOCASE`;

/** One table of a SQLite backup, by programs/sqlite-extract.sh. */
export function sqliteExtracting(common: (settings: Parameters<Extracting['open']>[0]) => Record<string, string>) {
  return {
    formats: ['sql', 'csv'],

    open: (settings, dump, { table }) => [
      'job',
      'open_extract_sqlite',
      named({
        ...common({ ...settings, verify: 'content' }),
        ...dumpArguments(dump),
        ask_tables: `SELECT 'extract_table ' || hex(name) FROM ${TABLES} ORDER BY name`,
        ask_table: `SELECT 'extract_name ' || hex(name) || char(10) || 'extract_definition ' || hex(sql) FROM ${called(table)}`,
        // not of a view of that name, whose columns would have to be worked out
        ask_columns: `SELECT CASE x.hidden WHEN 0 THEN 'extract_column ' ELSE 'extract_generated ' END || hex(x.name) FROM (SELECT name FROM ${called(table)}) AS t, temp.pragma_table_xinfo(t.name) AS x ORDER BY x.cid`,
      }),
    ],

    remarks: (_settings, _dump, facts) =>
      facts.get('extract_name') === null || facts.get('extract_generated') === null
        ? []
        : ['generated columns are left out: the definition of the table says how to compute them'],

    rows(settings, _dump, { table, format, dataOnly }, facts) {
      const text = decoder(facts);
      const name = facts.get('extract_name');
      if (name === null) throw noTable(table, facts.all('extract_table').map(text));
      const columns = facts.all('extract_column').map(text);
      const wide = isWide(facts);
      const source = `FROM main.${identifier(text(name))} AS r;`;
      const target =
        facts.get('extract_generated') === null
          ? identifier(text(name))
          : `${identifier(text(name))}(${columns.map(identifier).join(',')})`;
      const parts =
        format === 'csv'
          ? {
              extract_before: `${columns.map(csvName).join(',')}\n`,
              extract_select: `SELECT ${columns.map((one) => csvValue(`r.${identifier(one)}`, wide)).join(',\n')} ${source}`,
              extract_after: '',
            }
          : {
              extract_before: dataOnly
                ? BEGIN
                : `${encodingOf(facts)}${DISTRUST}${BEGIN}${oneStatement(text(facts.need('extract_definition')))};\n`,
              extract_select: insertions(target, columns, source, wide),
              extract_after: 'COMMIT;\n',
            };
      return ['job', 'extract_sqlite', named({ ...common(settings), ...parts })];
    },
  } satisfies Extracting;
}

const BEGIN = 'BEGIN TRANSACTION;\n';
/** Before the definition: what stands in it is not carried out by whoever loads it (the tool's edit() starts programs). */
const DISTRUST = 'PRAGMA trusted_schema=OFF;\nPRAGMA ignore_check_constraints=ON;\nPRAGMA foreign_keys=OFF;\n';

/** Whether its texts are in UTF-16. */
const isWide = (facts: Facts): boolean => /^UTF-16(?:le|be)$/.test(facts.get('extract_encoding') ?? '');
/** Bytes that stand for a text are those of the database. */
const encodingOf = (facts: Facts): string =>
  isWide(facts) ? `PRAGMA encoding='${facts.need('extract_encoding')}';\n` : '';

/** The texts of the program are in the encoding of the database, in hex. */
function decoder(facts: Facts): (hex: string) => string {
  const decoding = new TextDecoder(facts.get('extract_encoding')?.toLowerCase() ?? 'utf-8', { ignoreBOM: true });
  return (hex) => decoding.decode(Buffer.from(hex, 'hex'));
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A statement whose lines, with "," between the columns, are the statements that put the rows in. */
function insertions(target: string, columns: readonly string[], source: string, wide: boolean): string {
  const values = columns.map((one) => sqlValue(`r.${identifier(one)}`, wide));
  const first = `${literal(`INSERT INTO ${target} VALUES(`)} || ${values[0]}`;
  const all = [first, ...values.slice(1)];
  all.push(`${all.pop()} || ');'`);
  return `SELECT ${all.join(',\n')} ${source}`;
}

/**
 * SQL that gives the value as SQL. quote() ends a text at its first zero byte; the sqlite3 tool takes a carriage return for the end of a
 * line, wherever it stands; and some versions write infinity as a word. `wide`: of a database in UTF-16.
 */
const sqlValue = (value: string, wide: boolean): string =>
  [
    `CASE WHEN typeof(${value}) = 'text' AND (${isOnlyBytes(value, wide)} OR instr(${value}, char(13)) AND instr(${value}, '\\r'))`,
    `THEN 'CAST(X''' || hex(${value}) || ''' AS TEXT)'`,
    `WHEN typeof(${value}) = 'text' AND instr(${value}, char(13))`,
    `THEN 'replace(' || quote(replace(${value}, char(13), '\\r')) || ',''\\r'',char(13))'`,
    `${infinity(value)} ELSE quote(${value}) END`,
  ].join(' ');

/** The same as CSV: NULL is nothing, a text always stands in quotes, bytes are `X'..'` without quotes. */
const csvValue = (value: string, wide: boolean): string =>
  `CASE WHEN typeof(${value}) = 'null' THEN '' WHEN typeof(${value}) = 'text' AND NOT (${isOnlyBytes(value, wide)}) THEN '"' || replace(${value}, '"', '""') || '"' WHEN typeof(${value}) IN ('text', 'blob') THEN 'X''' || hex(${value}) || '''' ${infinity(value)} ELSE quote(${value}) END`;

/** Of a text that can not be printed as one: it has a zero byte, or is UTF-16 that is none (half of a pair), which SQLite does not turn into UTF-8 and back. */
const isOnlyBytes = (value: string, wide: boolean): string =>
  `instr(${value}, char(0))${wide ? ` OR hex(substr(${value}, 1)) <> hex(${value})` : ''}`;

const infinity = (value: string): string =>
  `WHEN typeof(${value}) = 'real' AND abs(${value}) > 1.7976931348623157e308 THEN CASE WHEN ${value} > 0 THEN '9e999' ELSE '-9e999' END`;

const csvName = (name: string): string => (/[",\r\n]|^$/.test(name) ? identifier(name) : name);

const QUOTED = /'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]/.source; // a quote that is doubled ends one and begins the next
const BLANK = /[ \t\n\f\r]+|--[^\n]*|\/\*[\s\S]*?\*\//.source;
const WORD = /[A-Za-z0-9_\u0080-\u{10ffff}][A-Za-z0-9_$\u0080-\u{10ffff}]*/u.source;
/** What a definition is made of. No parameters (`$x`): SQLite and its tool are not of one mind where those end. */
const TOKEN = new RegExp(`(?:${QUOTED})|(${BLANK})|(?:${WORD})|(?!/\\*)[-(),.+*/%=<>!|&~]`, 'uy');
/** The form in which SQLite keeps it: what `AS SELECT` says would be carried out. */
const TABLE = new RegExp(`^CREATE TABLE (?:(?:${QUOTED})+|${WORD}) ?\\(`, 'iu');

/**
 * The definition as one statement, without comments, and with no line break that does not stand in quotes: for the sqlite3 tool a line `go`
 * or `/` ends a statement, and a dot at the start of the next is a command. SQLite reads no further than to the end of the first statement
 * when it opens a database, and does not mind a comment without an end: there may be anything behind it, and whoever reads what we print
 * would carry it out. Throws E_MANIFEST.
 */
export function oneStatement(definition: string): string {
  let printed = '';
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < definition.length) {
    const token = TOKEN.exec(definition);
    if (token === null) throw notOne(definition);
    if (token[1] === undefined) printed += token[0];
    else if (!printed.endsWith(' ')) printed += ' ';
  }
  if (!TABLE.test(printed)) throw notOne(definition);
  return printed.trimEnd();
}

const notOne = (definition: string): BackupError =>
  new BackupError(
    'E_MANIFEST',
    `the definition of the table is more than one statement, or half of one: ${quoteOutside(definition, 200)}`,
    'Somebody edited the schema of that database by hand. Extract only the rows (`--data-only`), or use CSV.',
  );
