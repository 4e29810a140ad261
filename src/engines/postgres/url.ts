import { isIP, isIPv6 } from 'node:net';
import type { Parsed, Source } from '../engine.js';

export interface PostgresSource extends Source {
  engine: 'postgres';
  /** The literal name of the database. */
  database: string;
  /** What libpq is told besides dbname and password: host, port, user, sslmode and so on, in the order of KEYWORDS. */
  parameters: [keyword: string, value: string][];
  password: string | null;
  /** A postgresql:// URI without the password and without parameters unknown to libpq. */
  given: string;
}

/**
 * Parameters of libpq that are kept (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS).
 * `client_encoding` and `replication` would change what a dump is, `sslkeylogfile` would write keys to the host, and
 * oauth_* asks a human.
 */
const KEYWORDS = [
  ...['host', 'hostaddr', 'port', 'user', 'sslmode', 'service', 'passfile', 'connect_timeout'],
  ...['application_name', 'fallback_application_name', 'options', 'target_session_attrs', 'load_balance_hosts'],
  ...['keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout'],
  ...['channel_binding', 'require_auth', 'requirepeer', 'sslnegotiation', 'sslcompression', 'sslsni'],
  ...['sslcert', 'sslkey', 'sslcertmode', 'sslrootcert', 'sslcrl', 'sslcrldir'],
  ...['ssl_min_protocol_version', 'ssl_max_protocol_version', 'min_protocol_version', 'max_protocol_version'],
  ...['gssencmode', 'krbsrvname', 'gsslib', 'gssdelegation'],
];
/** Secrets that libpq takes from the connection string alone, which stands in the process list. */
const VISIBLE = new Set(['sslpassword', 'scram_client_key', 'scram_server_key', 'oauth_client_secret']);
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];
/** NAMEDATALEN - 1: the server cuts longer names silently, and so may find another database. */
const LONGEST_NAME = 63;
const HOST_NAME = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?$/i;
const SCHEME = /^(jdbc:)?(postgres|postgresql|postgis|pgsql|pdo-pgsql|psql|ecto|prisma)(?:\+[a-z0-9_.+-]*)?:(.*)$/is;

const FORMS = 'expected postgresql://user:password@host:5432/name';
const RAW_SIGN = 'write a "/", "?" or "@" in the user, the password or a name as %2F, %3F or %40';
const PAIRS = 'expected name=value pairs with "&" between them after the "?"; write an "&" inside a value as %26';
const HOST =
  'expected a host name, an IPv4 address, an IPv6 address in brackets or the folder of a socket (?host=/var/run/postgresql) after the "@"';

/** Whether the text is for `parsePostgresUrl`, be it well-formed or not. */
export const namesPostgres = (text: string): boolean => SCHEME.test(text);

/** null: it does not name one. The rest is as of `parsePostgresUrl`. */
export function parsePostgres(text: string): Parsed<PostgresSource> | null {
  if (!namesPostgres(text)) return null;
  const { source, secrets, dropped } = parsePostgresUrl(text);
  const remarks = dropped.includes('pgbouncer')
    ? ['it leads to PgBouncer, which may end a dump halfway; name the server itself instead, with its own port']
    : [];
  return { source, secrets, remarks };
}

/** The password of its own input. Throws an Error when there is another one in the URL. */
export function withPassword(source: PostgresSource, password: string): PostgresSource {
  if (source.password !== null && source.password !== password) {
    throw new Error('expected nothing, or the same password as in database: they differ');
  }
  return { ...source, password };
}

/** As a URL that is read as this source, with its password. */
function textOf({ given, password }: PostgresSource): string {
  if (password === null) return given;
  return `${given}${given.includes('?') ? '&' : '?'}password=${encodeURIComponent(password)}`;
}

/** The database that every server has, to be asked for the others where none is named. */
const MAINTENANCE = 'postgres';

/** The text with a database in it that can be asked for the others; null: it is no URL of PostgreSQL. Throws as `parsePostgresUrl`. */
export const askingUrl = (text: string): string | null =>
  namesPostgres(text) ? textOf(parsePostgresUrl(text, MAINTENANCE).source) : null;

/** The text with this database instead, by its literal name. */
export function namingUrl(text: string, database: string): string {
  const { source } = parsePostgresUrl(text, MAINTENANCE);
  return textOf({ ...source, given: uri(database, source.parameters) });
}

/** Of the whole internet: a name with dots whose end is none of a machine or a network alone. Addresses and short names may be of another machine elsewhere. */
const PUBLIC_NAME =
  /^(?:[a-z0-9_-]+\.)+(?!(?:local|localhost|localdomain|internal|lan|home|arpa)\.?$)[a-z][a-z0-9-]*\.?$/;
/** What leads to another server by one host name. */
const ROUTES = ['hostaddr', 'service', 'options'];

/** The server as the URL names it, `USER@HOST:PORT`, where that is the same server from every machine; a pooler may tell servers apart by the user. */
export function serverIn({ parameters }: PostgresSource): string | undefined {
  const { host = '', port = '5432', user = '' } = Object.fromEntries(parameters);
  const server = host.toLowerCase();
  if (!PUBLIC_NAME.test(server)) return undefined;
  const routes = parameters.filter(([name]) => ROUTES.includes(name)).map(([name, value]) => ` ${name}=${value}`);
  return `${user}@${server.replace(/\.$/, '')}:${port}${routes.join('')}`;
}

/** Whether two URLs name one database in the same way, whoever asks for it. */
export const isSamePlace = (one: PostgresSource, other: PostgresSource): boolean => placeOf(one) === placeOf(other);

function placeOf({ database, parameters }: PostgresSource): string {
  const place = Object.fromEntries(parameters);
  return JSON.stringify([place.host?.toLowerCase(), place.hostaddr, place.port ?? '5432', database]);
}

/**
 * Reads what applications keep in DATABASE_URL when it names a PostgreSQL database: the URI of libpq
 * (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS), with the schemes and drivers of SQLAlchemy, Django,
 * Doctrine, Ecto and JDBC. What libpq reads is read as libpq does; what it would fail on is taken where only one meaning
 * is left, such as a raw "@" in the password. Where programs disagree about the meaning it is refused.
 *
 * `secrets`: the password in each form that may turn up in a log. `dropped`: names of parameters that libpq does not
 * know, that make no sense for a backup, or that were translated.
 *
 * `otherwise`: the database where the text names none.
 *
 * Throws an Error whose text is the rule. It never holds any of the value, which may have a password in it.
 */
export function parsePostgresUrl(
  text: string,
  otherwise = '',
): { source: PostgresSource; secrets: string[]; dropped: string[] } {
  checkLine(text);
  const [, jdbc, scheme, rest = ''] = SCHEME.exec(text) ?? [];
  if (scheme === undefined) throw new Error(FORMS);
  if (scheme.toLowerCase() === 'prisma') {
    throw new Error(
      'a prisma URL leads to a proxy that pg_dump cannot use; give the direct URL of the database, which begins with postgresql://',
    );
  }
  const { userInfo, hosts, path, query } = split(rest, jdbc !== undefined);
  // The one reader of jdbc: URLs takes "+" for a blank; libpq and most others do not.
  const decode = jdbc === undefined ? percentDecoded : (part: string) => percentDecoded(part.replaceAll('+', ' '));

  const values = new Values();
  const [, user = '', password = ''] = /^([^:]*)(?::(.*))?$/s.exec(userInfo) ?? [];
  // The start of a query without a "/" before it, which may hold the password; libpq would take all of it for the user.
  if (user.includes('?')) throw new Error(RAW_SIGN);
  const { dropped, rawPassword } = readQuery(query, decode, values);
  if (user !== '') values.set('user', percentDecoded(user));
  if (password !== '') values.set('password', percentDecoded(password));
  if (path !== '') values.set('dbname', decode(path));

  const database = values.take('dbname') || otherwise;
  if (database === '') {
    throw new Error(
      'expected the name of the database at its end, as in postgresql://user@host/name; without one, PostgreSQL would take the name of the user, and this action does not guess',
    );
  }
  if (Buffer.byteLength(database) > LONGEST_NAME) {
    throw new Error(
      `the name of the database is longer than ${LONGEST_NAME} bytes, and PostgreSQL would silently shorten it to another name`,
    );
  }
  const secret = values.take('password') || null;
  settlePlaces(values, hosts, jdbc !== undefined);
  const parameters = KEYWORDS.flatMap((keyword): [string, string][] => {
    const value = values.take(keyword);
    return value === null || value === '' ? [] : [[keyword, value]];
  });
  const forms = secret === null ? [] : [secret, password, rawPassword, encodeURIComponent(secret)];
  return {
    source: { engine: 'postgres', database, parameters, password: secret, given: uri(database, parameters) },
    secrets: [...new Set(forms.filter((form) => form !== ''))],
    dropped,
  };
}

/** Values by keyword. The empty one is a value: as for libpq it hides what stands elsewhere, and stands for the default. */
class Values {
  readonly #values = new Map<string, string>();

  set(keyword: string, value: string): void {
    const other = this.#values.get(keyword);
    if (other !== undefined && other !== value) {
      throw new Error(`${keyword} is given twice with different values, and programs disagree about which one counts`);
    }
    this.#values.set(keyword, value);
  }

  take(keyword: string): string | null {
    const value = this.#values.get(keyword) ?? null;
    this.#values.delete(keyword);
    return value;
  }
}

/**
 * The parts as libpq divides them (conninfo_uri_parse_options in fe-connect.c): user and password end at the first "@" before
 * the first "/", so that "?", "#" and ":" may stand raw in a password. An "@" may too: one in the host is never right.
 */
function split(rest: string, jdbc: boolean): { userInfo: string; hosts: string; path: string; query: string } {
  if (!rest.startsWith('//')) {
    // jdbc:postgresql:name
    if (!jdbc || rest.startsWith('/')) throw new Error(FORMS);
    return divide('', '', `/${rest}`);
  }
  const body = rest.slice(2);
  const first = /^[^@/]*@/.exec(body)?.[0] ?? '';
  const [, hosts = '', tail = ''] = /^([^/?]*)(.*)$/s.exec(body.slice(first.length)) ?? [];
  const at = hosts.lastIndexOf('@');
  return divide(first === '' ? '' : body.slice(0, first.length + at), hosts.slice(at + 1), tail);
}

function divide(userInfo: string, hosts: string, tail: string) {
  if (`${hosts}${tail}`.includes('#')) {
    throw new Error(
      '"#" after the "@" belongs to the value for some programs and ends the URL for others; write %23, or leave it out with what follows',
    );
  }
  const [, path = '', query = ''] = /^\/?([^?]*)(?:\?(.*))?$/s.exec(tail) ?? [];
  // The rest of a password with a raw "/" in it; it must not become the name of a database or of a parameter.
  if (path.includes('@')) throw new Error(RAW_SIGN);
  return { userInfo, hosts, path, query };
}

function readQuery(query: string, decode: (part: string) => string, values: Values) {
  const dropped = new Set<string>();
  let rawPassword = '';
  let ssl = '';
  for (const part of query.split('&')) {
    if (part === '') continue;
    const [, rawName = '', equals, raw = ''] = /^([^=]*)(=)?(.*)$/s.exec(part) ?? [];
    const name = decode(rawName);
    const keyword = name === 'database' ? 'dbname' : name;
    const known = KEYWORDS.includes(keyword) || keyword === 'password' || keyword === 'dbname';
    if (!known && part.includes('@')) throw new Error(RAW_SIGN);
    // What is no name may be the rest of a password with a raw "&" in it, and names are shown.
    if (!/^[a-z][\w.-]*$/i.test(name) || (equals === undefined && name !== 'ssl')) throw new Error(PAIRS);
    const value = decode(raw);
    if (VISIBLE.has(name) && value !== '') {
      throw new Error(
        `${name} cannot be used: it would appear in the process list of the host, where every user can read it`,
      );
    }
    if (keyword === 'password') rawPassword = raw;
    if (known) values.set(keyword, value);
    else dropped.add(name);
    if (name === 'ssl' || name === 'requiressl') ssl = equals === undefined ? 'true' : value;
  }
  settleSslMode(values, ssl);
  return { dropped: [...dropped], rawPassword };
}

/** `ssl=true` of libpq, JDBC and node-pg, `ssl=require` of asyncpg, and node-pg's `no-verify`: none checks the certificate. */
function settleSslMode(values: Values, ssl: string): void {
  const given = values.take('sslmode') || null;
  const fromSsl = /^(?:true|1|on|yes)$/i.test(ssl) ? 'require' : ssl;
  const mode = given ?? (fromSsl === 'no-verify' || SSL_MODES.includes(fromSsl) ? fromSsl : '');
  if (mode !== '' && mode !== 'no-verify' && !SSL_MODES.includes(mode)) {
    throw new Error(`sslmode: expected one of ${SSL_MODES.join(', ')}`);
  }
  values.set('sslmode', mode === 'no-verify' ? 'require' : mode);
}

/** Hosts and ports of the query override those before the path, each list by itself, as libpq does it. */
function settlePlaces(values: Values, authority: string, jdbc: boolean): void {
  const places = authority === '' ? [] : authority.split(',').map((one) => place(one, percentDecoded));
  const fromQuery = values
    .take('host')
    ?.split(',')
    .map((one) => (/^[/@]/.test(one) || isIPv6(one) ? { host: checkedHost(one), port: '' } : place(one, String)));
  const queryPorts = values.take('port')?.split(',').map(checkedPort);

  const hosts = (fromQuery ?? places).map(({ host }) => host);
  const ownPorts = (fromQuery?.some(({ port }) => port !== '') ? fromQuery : places).map(({ port }) => port);
  const ports = queryPorts ?? ownPorts;
  if (hosts.length === 0 && jdbc) hosts.push('localhost');
  if (hosts.length > 1 && hosts.includes('')) throw new Error(HOST);
  const given = ports.some((port) => port !== '');
  if (given && ports.length > 1 && ports.length !== hosts.length) {
    throw new Error('expected one port for all hosts, or as many ports as hosts');
  }
  values.set('host', hosts.join(','));
  if (given) values.set('port', ports.join(','));
}

function place(text: string, decode: (part: string) => string): { host: string; port: string } {
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/s.exec(text) ?? [];
  if (bracketed !== undefined && !isIPv6(decode(bracketed))) throw new Error(HOST);
  return { host: checkedHost(decode(bracketed ?? plain)), port: checkedPort(port) };
}

function checkedHost(host: string): string {
  const socket = /^[/@][^,]+$/.test(host);
  if (host === '' || socket || isIP(host) !== 0 || (HOST_NAME.test(host) && host.length <= 253)) return host;
  throw new Error(HOST);
}

function checkedPort(port: string): string {
  if (port === '') return port;
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65_535) {
    throw new Error(`expected a port from 1 to 65535 after the ":" of the host; ${RAW_SIGN}`);
  }
  return String(number);
}

function percentDecoded(part: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(part);
  } catch {
    throw new Error('expected "%" only before two hexadecimal digits of UTF-8, as in %40; write %25 for "%" itself');
  }
  // Again, since %00 and %0A were not seen before.
  checkLine(decoded);
  return decoded;
}

function checkLine(text: string): void {
  if (/\p{Cc}/u.test(text)) throw new Error('expected one line without control characters');
}

/** The URI that libpq reads as these parameters. */
function uri(database: string, parameters: [string, string][]): string {
  const { host = '', port = '', user = '', ...others } = Object.fromEntries(parameters);
  const hosts = host.split(',');
  const ports = port.split(',');
  // Folders of sockets, and one port for several hosts, have their place in the query.
  const before = !/[/@]/.test(host) && (port === '' || ports.length === hosts.length);
  const places = hosts.map((one, index) => {
    const name = isIPv6(one) ? `[${one.replace('%', '%25')}]` : one;
    return ports[index] ? `${name}:${ports[index]}` : name;
  });
  const query = Object.entries(before ? others : { host, port, ...others })
    .filter(([, value]) => value !== '')
    .map(([keyword, value]) => `${keyword}=${encodeURIComponent(value).replaceAll('%2F', '/').replaceAll('%2C', ',')}`)
    .join('&');
  const login = user === '' ? '' : `${encodeURIComponent(user)}@`;
  const name = encodeURIComponent(database);
  return `postgresql://${login}${before ? places.join(',') : ''}/${name}${query === '' ? '' : `?${query}`}`;
}
