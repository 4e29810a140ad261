import { parseHostPath } from '../../settings/host-path.js';
import type { Parsed, Source } from '../engine.js';
import { isKeywords, schemeOf } from '../scheme.js';

export interface SqliteSource extends Source {
  engine: 'sqlite';
  /** Absolute, or relative to the home of the login user. */
  path: string;
}

/** Of the name of a file. */
export const DATABASE_EXTENSION = /\.(?:db|db3|sdb|s3db|sl3|sq3|sqlite|sqlite3|sqlitedb)$/i;

/**
 * Reads what applications keep in DATABASE_URL when it names a SQLite file: a plain path, `file:` as SQLite and Prisma write
 * it, `sqlite:` as SQLAlchemy, sqlx and PDO do, `jdbc:sqlite:`. Relative paths start at the home of the login user, not
 * where the application starts them. null: it is none of these.
 *
 * Returns the path as `parseHostPath` does. `given` has no query or fragment, where some drivers keep the key of the database.
 * Where programs disagree about what a form means it is refused: the backup of another file would be worse than none.
 *
 * Throws an Error whose text is the rule. It never holds the value, which may have a password in it.
 */
export function parseSqlite(text: string): Parsed<SqliteSource> | null {
  const found = sourceIn(text);
  return found === null ? null : { source: found, secrets: [], remarks: [] };
}

function sourceIn(text: string): SqliteSource | null {
  if (text === '' || isKeywords(text)) return null;
  const scheme = schemeOf(text);
  if (scheme === null) return text.includes('://') ? null : source(text, text);
  const { jdbc, name, driver, rest } = scheme;
  if (name === 'file' && !jdbc && driver === '') return fromFileUri(rest, text);
  if (name !== 'sqlite' && name !== 'sqlite3') return null;
  const [body = ''] = rest.split('?');
  return source(jdbc ? jdbcPath(body) : sqlitePath(body, rest, name), text.replace(/\?.*$/, ''));
}

function source(path: string, given: string): SqliteSource {
  if (path === '' || path === ':memory:' || path.startsWith(':resource:')) {
    throw new Error('it names a database in memory, so there is no file to back up');
  }
  if (/\/\.?$/.test(path)) throw new Error('expected the path of a file, not of a folder: it ends with "/"');
  return { engine: 'sqlite', path: parseHostPath(path), given };
}

/** https://www.sqlite.org/uri.html: an authority may only be empty or `localhost`. */
function fromFileUri(rest: string, text: string): SqliteSource {
  const [withoutFragment = ''] = rest.split('#');
  const [body = '', query = ''] = withoutFragment.split('?');
  if (new URLSearchParams(query).get('mode') === 'memory') return source(':memory:', '');
  const [, authority, path = body] = /^\/\/([^/]*)(.*)$/.exec(body) ?? [];
  if (authority !== undefined && authority !== '' && authority.toLowerCase() !== 'localhost') {
    throw new Error(
      'expected file:/absolute/path, file:///absolute/path or file:relative/path: what follows "file://" is a host',
    );
  }
  return source(percentDecoded(path), text.replace(/[?#].*$/, ''));
}

function percentDecoded(path: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw new Error('expected "%" only before two hexadecimal digits of UTF-8, as in %20; write %25 for "%" itself');
  }
  // Again, since %00 and %0A were not seen before.
  if (/\p{Cc}/u.test(decoded)) throw new Error('expected one line without control characters');
  return decoded;
}

/**
 * `sqlite:relative`, `sqlite:/absolute`, and SQLAlchemy's `sqlite:///relative` and `sqlite:////absolute`
 * (https://docs.sqlalchemy.org/en/20/core/engines.html#sqlite), also with a SQLite `file:` URI inside.
 */
function sqlitePath(body: string, rest: string, scheme: string): string {
  if (/[%#]/.test(body)) {
    throw new Error('"%" and "#" mean different things to different programs in a sqlite: form; give the plain path');
  }
  if (!body.startsWith('//')) return body.startsWith('file:') ? fromFileUri(rest.slice(5), '').path : body;
  if (body === '//') return ':memory:';
  if (!body.startsWith('///')) {
    throw new Error(
      `after "${scheme}://" comes a host, which SQLite has not; write ${scheme}:relative/path or ${scheme}:/absolute/path`,
    );
  }
  const path = body.slice(3);
  if (scheme === 'sqlite3' && !path.startsWith('/')) {
    // Rails reads it as absolute, others as relative.
    throw new Error('"sqlite3:///" is absolute to some programs and relative to others; give the plain path');
  }
  return path.startsWith('file:') ? fromFileUri(rest.slice(8), '').path : path;
}

/** The JDBC driver takes everything after its prefix as a path, slashes included, or as a SQLite `file:` URI. */
function jdbcPath(body: string): string {
  return body.startsWith('file:') ? fromFileUri(body.slice(5), '').path : body;
}
