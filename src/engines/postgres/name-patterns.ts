/**
 * The patterns of pg_dump's --exclude-table, --exclude-table-data and --schema, as conditions for a query of our own, which
 * so learns what a dump leaves out. The language is psql's:
 * https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PATTERNS, and the rules here are those of
 * patternToSQLRegex and processSQLNamePattern in fe_utils/string_utils.c.
 */

/**
 * SQL condition, true for relations `c` in namespace `n` (aliases of pg_class and pg_namespace) that pg_dump matches. Like
 * pg_dump it does not look at the kind: there these are only r, S, v, m, f and p.
 *
 * A pattern without a schema means what is visible, so the query must run under the search_path that the session began with,
 * as pg_dump's own does: after `RESET search_path`. With a regular expression that is malformed the query fails, as pg_dump does.
 */
export function tableCondition(pattern: string): string {
  const [first = '', second] = scan(pattern).parts;
  const place = second === undefined ? 'pg_catalog.pg_table_is_visible(c.oid)' : matches('n.nspname', first);
  return `(${matches('c.relname', second ?? first)} AND ${place})`;
}

/** SQL condition, true for the namespaces `n` (alias of pg_namespace) that pg_dump matches. */
export function schemaCondition(pattern: string): string {
  return `(${matches('n.nspname', scan(pattern).parts[0] ?? '')})`;
}

/**
 * Checks a pattern and returns it as it is. A leading `-` is no danger in `--schema=-x`. Stricter than pg_dump, which takes
 * what is refused here for a pattern that matches nothing, or something else than it says.
 *
 * Throws an Error whose text is the rule.
 */
export function parseNamePattern(text: string, parts: 'table' | 'schema'): string {
  if (text === '') throw new Error('expected a pattern, such as audit_* or app.sessions');
  if (/\p{Cc}/u.test(text)) throw new Error('expected one pattern per line, without control characters');
  const { parts: names, inQuotes } = scan(text);
  if (inQuotes) throw new Error('a double quote is not closed; write a double quote inside a quoted name twice');
  if (parts === 'schema' && names.length > 1) {
    throw new Error('expected the name of a schema alone; put a name with a dot in it in double quotes');
  }
  if (names.length > 2) {
    throw new Error('expected table or schema.table; put a name with a dot in it in double quotes');
  }
  if (names.includes('')) throw new Error('expected a name on both sides of the dot');
  return text;
}

/** The regular expression of each part between unquoted dots, not anchored; and whether the last quote is open. */
function scan(pattern: string): { parts: string[]; inQuotes: boolean } {
  const parts: string[] = [];
  let part = '';
  let inQuotes = false;
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern.charAt(at);
    const next = pattern.charAt(at + 1);
    if (char === '"' && inQuotes && next === '"') {
      part += '"';
      at += 1;
    } else if (char === '"') {
      inQuotes = !inQuotes;
    } else if (char === '.' && !inQuotes) {
      parts.push(part);
      part = '';
    } else {
      part += inQuotes ? char.replace(/[|*+?()[\]{}.^$\\]/, '\\$&') : unquoted(char, next);
    }
  }
  return { parts: [...parts, part], inQuotes };
}

function unquoted(char: string, next: string): string {
  if (char === '*') return '.*';
  if (char === '?') return '.';
  // Names may have it, and the end is anchored anyway.
  if (char === '$') return '\\$';
  // More likely an array type than the start of a bracket expression.
  if (char === '[' && next === ']') return '\\[';
  // ASCII alone: psql folds byte by byte, and no byte of a longer character is a letter. The rest may be a regular expression.
  return /[A-Z]/.test(char) ? char.toLowerCase() : char;
}

/** The collation that names are compared by since PostgreSQL 12 knows no letters beyond ASCII. */
function matches(column: string, expression: string): string {
  // E'' means the same whatever standard_conforming_strings is.
  const literal = `E'^(${expression.replaceAll('\\', '\\\\').replaceAll("'", "''")})$'`;
  return `${column} OPERATOR(pg_catalog.~) ${literal} COLLATE pg_catalog."default"`;
}
