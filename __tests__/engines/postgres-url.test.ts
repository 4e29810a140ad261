import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { connectionString } from '../../src/engines/postgres/connection-string.js';
import { namesPostgres, parsePostgresUrl, serverIn } from '../../src/engines/postgres/url.js';
import { startPostgres } from '../helpers/postgres.js';

const FORMS = 'expected postgresql://user:password@host:5432/name';
const MISSING =
  'expected the name of the database at its end, as in postgresql://user@host/name; without one, PostgreSQL would take the name of the user, and this action does not guess';
const ONE_LINE = 'expected one line without control characters';
const PERCENT = 'expected "%" only before two hexadecimal digits of UTF-8, as in %40; write %25 for "%" itself';
const RAW_SIGN = 'write a "/", "?" or "@" in the user, the password or a name as %2F, %3F or %40';
const PAIRS = 'expected name=value pairs with "&" between them after the "?"; write an "&" inside a value as %26';
const HASH =
  '"#" after the "@" belongs to the value for some programs and ends the URL for others; write %23, or leave it out with what follows';
const PORT = `expected a port from 1 to 65535 after the ":" of the host; ${RAW_SIGN}`;
const HOST =
  'expected a host name, an IPv4 address, an IPv6 address in brackets or the folder of a socket (?host=/var/run/postgresql) after the "@"';
const PRISMA =
  'a prisma URL leads to a proxy that pg_dump cannot use; give the direct URL of the database, which begins with postgresql://';
const LONG =
  'the name of the database is longer than 63 bytes, and PostgreSQL would silently shorten it to another name';
const MODES = 'sslmode: expected one of disable, allow, prefer, require, verify-ca, verify-full';
const COUNTS = 'expected one port for all hosts, or as many ports as hosts';
const twice = (name: string) =>
  `${name} is given twice with different values, and programs disagree about which one counts`;
const visible = (name: string) =>
  `${name} cannot be used: it would appear in the process list of the host, where every user can read it`;

/** Everything libpq would be told, the password with it. */
function told(text: string): Record<string, string> {
  const { source } = parsePostgresUrl(text);
  return {
    dbname: source.database,
    ...(source.password === null ? {} : { password: source.password }),
    ...Object.fromEntries(source.parameters),
  };
}

const PROBE = `
import ctypes, json, sys
libpq = ctypes.CDLL('libpq.so.5')
class Option(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ('keyword', 'envvar', 'compiled', 'val', 'label', 'dispchar')] + [('dispsize', ctypes.c_int)]
libpq.PQconninfoParse.restype = ctypes.POINTER(Option)
libpq.PQconninfoParse.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)]
def read(text):
    error = ctypes.c_char_p()
    options = libpq.PQconninfoParse(text.encode(), ctypes.byref(error))
    if not options: return None
    found, i = {}, 0
    while options[i].keyword:
        if options[i].val: found[options[i].keyword.decode()] = options[i].val.decode(errors='replace')
        i += 1
    if not found.get('port', '').strip(','): found.pop('port', None)
    return found
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
`;

/** What the installed libpq reads in connection strings: null where it refuses. */
function libpq(texts: string[]): (Record<string, string> | null)[] {
  const input = JSON.stringify(texts);
  return JSON.parse(execFileSync('python3', ['-c', PROBE], { input, encoding: 'utf8', maxBuffer: 64 * 1_048_576 }));
}

describe('parsePostgresUrl', () => {
  test.each<[string, Record<string, string>]>([
    // schemes and drivers
    ['postgres://u:p@h:5433/db', { dbname: 'db', user: 'u', password: 'p', host: 'h', port: '5433' }],
    ['postgresql://h/db', { dbname: 'db', host: 'h' }],
    ['PostgreSQL://h/db', { dbname: 'db', host: 'h' }],
    ['postgis://h/db', { dbname: 'db', host: 'h' }],
    ['pgsql://h/db', { dbname: 'db', host: 'h' }],
    ['pdo-pgsql://h/db', { dbname: 'db', host: 'h' }],
    ['ecto://u:p@h/db', { dbname: 'db', host: 'h', user: 'u', password: 'p' }],
    ['postgresql+psycopg://h/db', { dbname: 'db', host: 'h' }],
    ['postgresql+psycopg2://h/db', { dbname: 'db', host: 'h' }],
    ['postgresql+asyncpg://h/db?ssl=require', { dbname: 'db', host: 'h', sslmode: 'require' }],
    ['postgresql+pg8000://h/db', { dbname: 'db', host: 'h' }],
    ['postgres+psycopg_async://h/db', { dbname: 'db', host: 'h' }],
    ['postgis+x.y-z://h/db', { dbname: 'db', host: 'h' }],
    // JDBC
    [
      'jdbc:postgresql://h:5433/db?user=u&password=p',
      { dbname: 'db', user: 'u', password: 'p', host: 'h', port: '5433' },
    ],
    ['JDBC:postgresql://h/db?user=a@b&password=p%40+q', { dbname: 'db', host: 'h', user: 'a@b', password: 'p@ q' }],
    ['jdbc:postgresql:db', { dbname: 'db', host: 'localhost' }],
    ['jdbc:postgresql:my+db?user=u', { dbname: 'my db', host: 'localhost', user: 'u' }],
    ['jdbc:postgresql:///db', { dbname: 'db', host: 'localhost' }],
    ['jdbc:postgresql://h1:1,h2:2/db', { dbname: 'db', host: 'h1,h2', port: '1,2' }],
    ['jdbc:postgresql://h/db?ssl&currentSchema=x', { dbname: 'db', host: 'h', sslmode: 'require' }],
    // what libpq fails on, with one meaning left
    ['postgresql://u:p@ss@h/db', { dbname: 'db', host: 'h', user: 'u', password: 'p@ss' }],
    ['postgresql://u:p?s@s@h/db', { dbname: 'db', host: 'h', user: 'u', password: 'p?s@s' }],
    ['postgresql://u:a@b#c@h/db', { dbname: 'db', host: 'h', user: 'u', password: 'a@b#c' }],
    ['postgresql://u@server:p@h/db', { dbname: 'db', host: 'h', user: 'u@server', password: 'p' }],
    ['postgresql://h/db?password=abc==', { dbname: 'db', host: 'h', password: 'abc==' }],
    ['postgresql://h/db?&sslmode=require', { dbname: 'db', host: 'h', sslmode: 'require' }],
    ['postgresql:///db?host=h1:1,h2:2', { dbname: 'db', host: 'h1,h2', port: '1,2' }],
    ['postgresql:///db?host=[::1]:5433', { dbname: 'db', host: '::1', port: '5433' }],
    ['postgresql://h:05432/db', { dbname: 'db', host: 'h', port: '5432' }],
    ['postgresql://h/?database=db', { dbname: 'db', host: 'h' }],
    ['postgresql://u:p@h/db?user=u&password=p&port=', { dbname: 'db', host: 'h', user: 'u', password: 'p' }],
    // TLS
    ['postgresql://h/db?ssl=true', { dbname: 'db', host: 'h', sslmode: 'require' }],
    ['postgresql://h/db?ssl=true&sslmode=verify-full', { dbname: 'db', host: 'h', sslmode: 'verify-full' }],
    ['postgresql://h/db?sslmode=disable&ssl=1', { dbname: 'db', host: 'h', sslmode: 'disable' }],
    ['postgresql://h/db?ssl=false', { dbname: 'db', host: 'h' }],
    ['postgresql://h/db?ssl={}', { dbname: 'db', host: 'h' }],
    ['postgresql://h/db?ssl=no-verify', { dbname: 'db', host: 'h', sslmode: 'require' }],
    ['postgresql://h/db?sslmode=no-verify', { dbname: 'db', host: 'h', sslmode: 'require' }],
    ['postgresql://h/db?requiressl=1', { dbname: 'db', host: 'h', sslmode: 'require' }],
    // as others document it
    [
      'postgresql://neon:npg_x@ep-a-1.eu-central-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require',
      {
        dbname: 'neondb',
        user: 'neon',
        password: 'npg_x',
        host: 'ep-a-1.eu-central-1.aws.neon.tech',
        sslmode: 'require',
        channel_binding: 'require',
      },
    ],
    [
      'postgresql://postgres.ref:pw@aws-0-eu.pooler.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1',
      {
        dbname: 'postgres',
        user: 'postgres.ref',
        password: 'pw',
        host: 'aws-0-eu.pooler.supabase.com',
        port: '6543',
      },
    ],
    [
      'postgresql://u:p@localhost/db?host=/cloudsql/project:region:instance',
      { dbname: 'db', user: 'u', password: 'p', host: '/cloudsql/project:region:instance' },
    ],
    [
      'postgresql+psycopg2://u:p@/db?host=%2Fcloudsql%2Fproject%3Aregion%3Ainstance',
      { dbname: 'db', user: 'u', password: 'p', host: '/cloudsql/project:region:instance' },
    ],
  ])('%s', (text, expected) => {
    expect(namesPostgres(text)).toBe(true);
    expect(told(text)).toEqual(expected);
  });

  const asLibpq = [
    'postgresql://u:p:ss@h/db',
    'postgresql://u:p?ss@h/db',
    'postgresql://u:p#ss@h/db',
    'postgresql://u:p[s]s,=&+~!$*()\'"\\@h/db',
    'postgresql://u:p s s@h/db',
    'postgresql://u:p%40%2F%3A%25%23@h/db',
    'postgresql://u%40corp:p@h/db',
    'postgresql://u:pässwörd\u2028🐘@h/db',
    'postgresql://u:@h/db',
    'postgresql://:p@h/db',
    'postgresql://@h/db',
    'postgresql://u@/db?host=/tmp',
    'postgresql:///db',
    'postgresql:///db?host=/var/run/postgresql',
    'postgresql:///db?host=/var/run/postgresql&port=5433&user=u&password=p',
    'postgresql:///?host=h&port=5433&user=u&password=p&dbname=db',
    'postgresql://?dbname=db',
    'postgresql://h:5433?dbname=db',
    'postgresql://u@h/?dbname=db',
    'postgresql://localhost:5433/db?host=/tmp',
    'postgresql://h1:1/db?host=&port=&sslmode=&password=',
    'postgresql://h1:1/db?port=2',
    'postgresql://%2Fvar%2Frun%2Fpostgresql/db',
    'postgresql://u:p@%2Fvar%2Frun%2Fpostgresql:5433/db',
    'postgresql://@%40abstract/db',
    'postgresql://127.0.0.1:1/db',
    'postgresql://[::1]/db',
    'postgresql://u:p@[2001:db8::1]:65535/db',
    'postgresql://[fe80::1%25eth0]:5433/db',
    'postgresql://[::1],h:4/db',
    'postgresql://h1,h2,h3/db',
    'postgresql://h1:5432,h2:5433/db',
    'postgresql://h1:5432,h2/db',
    'postgresql://h1,%2Ftmp:2/db',
    'postgresql:///db?host=h1,h2&port=5433',
    'postgresql:///db?hostaddr=127.0.0.1',
    'postgresql://:5433/db',
    'postgresql://my_host.example.com./db',
    'postgresql://h/db?',
    'postgresql://h/db?sslmode=require&',
    'postgresql://h/db?%73slmode=verify-full&sslrootcert=/etc/ssl/ca.pem&sslcert=c&sslkey=k&sslcrl=l&sslsni=0',
    'postgresql://h/db?application_name=a+b%26c&fallback_application_name=x&options=-c%20geqo%3Doff',
    'postgresql://h/db?connect_timeout=10&keepalives=1&keepalives_idle=2&keepalives_interval=3&keepalives_count=4',
    'postgresql://h/db?tcp_user_timeout=1&target_session_attrs=read-write&gssencmode=disable&krbsrvname=x&gsslib=g',
    'postgresql://h/db?requirepeer=postgres&ssl_min_protocol_version=TLSv1.2&ssl_max_protocol_version=TLSv1.3',
    'postgresql://h/db?service=s&passfile=/x&sslcompression=0&channel_binding=prefer&sslcrldir=d',
    // names
    'postgresql://h/x=y',
    'postgresql://h/-x',
    'postgresql://h/postgresql://h/d',
    'postgresql://h/%2Fdb%3Fa=b%23%40',
    'postgresql://h//db',
    'postgresql://h/a/b/',
    "postgresql://h/it's%20\\a%22b",
    'postgresql://h/d b',
    'postgresql://h/größe%C3%BC🐘',
    'postgresql://h/%25',
    'postgresql://h/a+b&c',
    'postgresql://h/UPPER',
    `postgresql://h/${'x'.repeat(63)}`,
  ];
  const readings = libpq(asLibpq);
  test.each(asLibpq.map((text, index) => [text, readings[index] ?? null] as const))(
    '%s is read as by libpq',
    (text, reading) => {
      expect(reading).not.toBeNull();
      expect(told(text)).toEqual(reading);
      expect(parsePostgresUrl(text).dropped).toEqual([]);
    },
  );

  test.each([
    ['postgresql://h/db?schema=public&connection_limit=5&pool_timeout=0&pgbouncer=true&sslaccept=strict'],
    ['postgresql://h/db?statement_cache_size=0&sslidentity=x.p12&socket_timeout=3'],
    ['postgresql://h/db?serverVersion=16&charset=utf8'],
    ['postgresql://h/db?pool=5&timeout=5000&encoding=unicode&prepared_statements=false'],
    ['postgresql://h/db?client_encoding=latin1&replication=true'],
    ['jdbc:postgresql://h/db?currentSchema=a&ApplicationName=b&reWriteBatchedInserts=true&loggerLevel=OFF'],
    ['postgresql://h/db?statement-cache-capacity=1&pool_max_conns=2&SSLMODE=x&sslkeylogfile=/tmp/k'],
  ])('drops what libpq does not know in %s', (text) => {
    const names = [...new URL(text.replace('jdbc:', '')).searchParams.keys()];
    const { source, dropped } = parsePostgresUrl(text);
    expect(dropped).toEqual(names);
    expect(source.parameters).toEqual([['host', 'h']]);
    expect(source.given).toBe('postgresql://h/db');
  });

  test('drops each name once, also of what it translated', () => {
    expect(parsePostgresUrl('postgresql://h/db?schema=a&ssl=true&schema=b').dropped).toEqual(['schema', 'ssl']);
    expect(parsePostgresUrl('postgresql://h/db?ssl=false').dropped).toEqual(['ssl']);
    expect(parsePostgresUrl('postgresql://h/db?sslmode=no-verify').dropped).toEqual([]);
  });

  test('keeps parameters that only newer versions of libpq know', () => {
    const names = ['load_balance_hosts', 'require_auth', 'sslnegotiation', 'sslcertmode', 'gssdelegation'];
    const { source, dropped } = parsePostgresUrl(`postgresql:///db?${names.map((name) => `${name}=x`).join('&')}`);
    expect(source.parameters.map(([keyword]) => keyword).sort()).toEqual(names.sort());
    expect(dropped).toEqual([]);
  });

  test('tells the parameters in one order', () => {
    const { source } = parsePostgresUrl('postgresql:///db?connect_timeout=1&sslmode=allow&user=u&port=1&host=h');
    expect(source.parameters).toEqual([
      ['host', 'h'],
      ['port', '1'],
      ['user', 'u'],
      ['sslmode', 'allow'],
      ['connect_timeout', '1'],
    ]);
  });

  test.each([
    ['postgresql://u@h/db', []],
    ['postgresql://u:@h/db', []],
    ['postgresql://u:simple@h/db', ['simple']],
    ['postgresql://u:p%40s%2fs@h/db', ['p@s/s', 'p%40s%2fs', 'p%40s%2Fs']],
    ['postgresql://u:p@ss@h/db', ['p@ss', 'p%40ss']],
    ['postgresql://h/db?password=p%40s!', ['p@s!', 'p%40s!']],
    ['postgresql://u:a%21@h/db?password=a!', ['a!', 'a%21']],
    ['jdbc:postgresql://h/db?password=a+b', ['a b', 'a+b', 'a%20b']],
  ])('names the secrets of %s', (text, secrets) => {
    expect(parsePostgresUrl(text).secrets).toEqual(secrets);
  });

  test.each([
    ['postgres://u:hunter2@h:5432/db?schema=public', 'postgresql://u@h:5432/db'],
    ['jdbc:postgresql://h/db?user=a@b&password=hunter2&ssl=true', 'postgresql://a%40b@h/db?sslmode=require'],
    ['postgresql+asyncpg://u:hunter2@/db?host=/var/run/x', 'postgresql://u@/db?host=/var/run/x'],
    ['postgresql://%2Ftmp:5433/db', 'postgresql:///db?host=/tmp&port=5433'],
    [
      'postgresql://[::1]:1,[fe80::1%25eth0]/a%2Fb?options=-c%20a',
      'postgresql://[::1]:1,[fe80::1%25eth0]/a%2Fb?options=-c%20a',
    ],
    ['postgresql:///d%20b?host=h1,h2&port=1', 'postgresql:///d%20b?host=h1,h2&port=1'],
    ['postgresql://:5433/db', 'postgresql://:5433/db'],
  ])('shows %s without its password', (text, given) => {
    expect(parsePostgresUrl(text).source.given).toBe(given);
  });

  test.each([
    ['postgres:hunter2', FORMS],
    ['postgresql:/hunter2', FORMS],
    ['pgsql:host=h;dbname=x;password=hunter2', FORMS],
    ['jdbc:postgresql:/hunter2', FORMS],
    ['mysql://u:hunter2@h/db', FORMS],
    ['hunter2', FORMS],
    ['', FORMS],
    ['prisma://accelerate.prisma-data.net/?api_key=hunter2', PRISMA],
    ['prisma+postgres://accelerate.prisma-data.net/?api_key=hunter2', PRISMA],
    ['postgresql://', MISSING],
    ['postgresql://u:hunter2@h', MISSING],
    ['postgresql://u:hunter2@h/', MISSING],
    ['postgresql://u:hunter2@h/?sslmode=require', MISSING],
    ['postgresql://h/?dbname=', MISSING],
    ['jdbc:postgresql:', MISSING],
    [`postgresql://h/${'x'.repeat(64)}`, LONG],
    [`postgresql://h/${'ü'.repeat(32)}`, LONG],
    ['postgresql://u:hun\nter2@h/db', ONE_LINE],
    ['postgresql://u:hunter2@h/d\0b', ONE_LINE],
    ['postgresql://u:hunter2@h/d%00b', ONE_LINE],
    ['postgresql://u:hunter2%0A@h/db', ONE_LINE],
    ['postgresql://h/db?application_name=%1B', ONE_LINE],
    ['postgresql://h/db?a%0Ab=c', ONE_LINE],
    ['postgresql://u:100%hunter2@h/db', PERCENT],
    ['postgresql://u:hunter2%@h/db', PERCENT],
    ['postgresql://u:hunter2%ff@h/db', PERCENT],
    ['postgresql://h/%zz', PERCENT],
    ['postgresql://h/db?password=hunter2%', PERCENT],
    ['postgresql://[fe80::1%eth0]/db', PERCENT],
    // a raw "/" in the password
    ['postgresql://u:hunter2/x@h/db', RAW_SIGN],
    ['postgresql://u:1/hunter2@h/db', RAW_SIGN],
    ['postgresql://u:1/hunter2?x@h/db', RAW_SIGN],
    ['postgresql://u:1/x?hunter2=y@h/db', RAW_SIGN],
    ['postgresql://u:1/x?a=b&hunter2@h/db', RAW_SIGN],
    ['postgresql://u:a@b/hunter2@h/db', RAW_SIGN],
    ['postgresql://u:a@b?hunter2@h/db', RAW_SIGN],
    ['postgresql://u:hunter2@h/d@b', RAW_SIGN],
    ['postgresql://h?password=hunter2&user=a@b/db', RAW_SIGN],
    ['postgresql://h/db?password=a&hunter2', PAIRS],
    ['postgresql://h/db?password=a&!hunter2=b', PAIRS],
    ['postgresql://h/db?sslmode', PAIRS],
    ['postgresql://h/db?=hunter2', PAIRS],
    ['postgresql://u:hunter2@h#x/db', HASH],
    ['postgresql://u:hunter2@h/db#x', HASH],
    ['postgresql://h/db?password=a#hunter2', HASH],
    ['postgresql://u:hunter2@h:0/db', PORT],
    ['postgresql://u:hunter2@h:65536/db', PORT],
    ['postgresql://u:hunter2@h:x/db', PORT],
    ['postgresql://u:hunter2/db', PORT],
    ['postgresql://h:-1/db', PORT],
    ['postgresql://h:1e3/db', PORT],
    ['postgresql://::1/db', PORT],
    ['postgresql://h1:1,h2:99999/db', PORT],
    ['postgresql:///db?port=99999', PORT],
    ['postgresql:///db?port=1,,x', PORT],
    ['postgresql:///db?host=h1,h2,h3&port=1,2', COUNTS],
    ['postgresql://h/db?port=1,2', COUNTS],
    ['postgresql:///db?port=1,2', COUNTS],
    ['postgresql://[hunter2]/db', HOST],
    ['postgresql://[127.0.0.1]/db', HOST],
    ['postgresql://h1,/db', HOST],
    ['postgresql://h%2Ch2/db', HOST],
    ['postgresql://%2Ftmp%2Ca/db', HOST],
    ['postgresql://hunter2 x/db', HOST],
    ['postgresql://-h/db', HOST],
    ['postgresql://müller.example/db', HOST],
    ['postgresql:///db?host=a b', HOST],
    ['postgresql://u:hunter2@h/db?sslmode=hunter2', MODES],
    ['postgresql://h/db?sslmode=REQUIRE', MODES],
    ['postgresql://h/db?sslpassword=hunter2', visible('sslpassword')],
    ['postgresql://h/db?scram_client_key=hunter2', visible('scram_client_key')],
    ['postgresql://u:hunter2@h/db?user=v', twice('user')],
    ['postgresql://u:hunter2@h/db?password=hunter3', twice('password')],
    ['postgresql://h/db?password=hunter2&password=hunter3', twice('password')],
    ['postgresql://u:hunter2@h/db?user=', twice('user')],
    ['postgresql://h/db?dbname=', twice('dbname')],
    ['postgresql://h/db?dbname=other', twice('dbname')],
    ['postgresql://h/db?database=other', twice('dbname')],
    ['postgresql://h/db?sslmode=allow&sslmode=require', twice('sslmode')],
    ['postgresql:///db?host=h1:1&host=h2:2', twice('host')],
  ])('refuses %j without repeating it', (text, message) => {
    expect(message).not.toContain('hunter');
    expect(() => parsePostgresUrl(text)).toThrow(new Error(message));
  });

  test('what it takes of random URIs is what libpq takes', () => {
    const token = fc.constantFrom(
      ...['a', 'b1', 'h.x', 'Ü', '1', '5432', ':', '@', '/', '?', '&', '=', '%41', '%2F', '%40', '%2C', ',', '+', ' '],
      ...['[::1]', '[', ']', "'", '"', '\\', 'user=', 'host=', 'port=', 'password=', 'dbname=', 'sslmode=require', '&'],
      ...['u:p@', 'h1:1,h2:2', '/db', '/tmp', '?application_name='],
    );
    const uris = fc
      .sample(fc.array(token, { minLength: 1, maxLength: 9 }), 20_000)
      .map((parts) => `postgresql://${parts.join('')}`);
    const taken = uris.flatMap((uri) => {
      try {
        const { source } = parsePostgresUrl(uri);
        return [{ uri, told: told(uri), source }];
      } catch {
        return [];
      }
    });
    const readings = libpq(taken.map(({ uri }) => uri));
    let alike = 0;
    taken.forEach(({ uri, told }, index) => {
      const reading = readings[index] ?? null;
      // An "@" within the password, for which libpq would look for a strange host; other hosts and ports that it would not find.
      if (reading === null || /^[^/]*@[^/?]*@/.test(uri.slice('postgresql://'.length))) return;
      if (/[@:[]/.test((reading.host ?? '').replaceAll('::1', ''))) return;
      if (/[^\d,]/.test(reading.port ?? '')) return;
      expect({ uri, ...told }).toEqual({ uri, ...reading });
      alike += 1;
    });
    expect(alike).toBeGreaterThan(1_000);
  });

  const word = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text) && Buffer.byteLength(text) < 64);
  test('each value comes back from its encoded form, from connectionString and from `given`', () => {
    const cases = fc.sample(fc.record({ user: word, password: word, database: word, option: word }), 3_000);
    const made = cases.map(({ user, password, database, option }) => {
      const uri = `postgresql://${[user, password].map(encodeURIComponent).join(':')}@h:1/${encodeURIComponent(database)}?options=${encodeURIComponent(option)}`;
      const { source } = parsePostgresUrl(uri);
      expect({ ...source, given: '' }).toEqual({
        engine: 'postgres',
        database,
        parameters: [
          ['host', 'h'],
          ['port', '1'],
          ['user', user],
          ['options', option],
        ],
        password,
        given: '',
      });
      return source;
    });
    const strings = libpq(made.map(connectionString));
    const given = libpq(made.map((source) => source.given));
    made.forEach(({ database, parameters }, index) => {
      const expected = { dbname: database, ...Object.fromEntries(parameters) };
      expect(strings[index]).toEqual(expected);
      expect(given[index]).toEqual(expected);
    });
  });

  test.each(asLibpq)('`given` of %s says the same without the password', (text) => {
    const { source, dropped } = parsePostgresUrl(text);
    expect(parsePostgresUrl(source.given)).toEqual({ source: { ...source, password: null }, secrets: [], dropped });
  });

  test('never shows or repeats a password, however it is written', () => {
    const noise = fc.string({ unit: fc.constantFrom(...':@/?&=%#+[], abc1'), maxLength: 6 });
    fc.assert(
      fc.property(noise, noise, fc.boolean(), (before, after, encoded) => {
        const raw = `${before}hunter2${after}`;
        const uri = `postgresql://u:${encoded ? encodeURIComponent(raw) : raw}@h/db`;
        try {
          const { source, dropped } = parsePostgresUrl(uri);
          expect(JSON.stringify([{ ...source, password: null }, dropped])).not.toContain('hunter2');
        } catch (error) {
          if (!(error instanceof Error) || error.constructor !== Error) throw error;
          expect(error.message).not.toContain('hunter2');
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('connectionString', () => {
  test('quotes every value and begins with the name of the database', () => {
    const parameters: [string, string][] = [
      ['host', '/tmp/a b'],
      ['user', "it's \\"],
    ];
    expect(connectionString({ database: "x'y=\\", parameters })).toBe(
      "dbname='x\\'y=\\\\' host='/tmp/a b' user='it\\'s \\\\'",
    );
    expect(connectionString({ database: '', parameters: [] })).toBe("dbname=''");
  });

  test('psql finds databases of any name by it', async () => {
    const server = await startPostgres();
    try {
      const user = `o'b\\r "x" = ü@h`;
      await server.createRole(user, 'p@ss/w%rd');
      for (const database of [
        'x=y',
        '-x',
        'postgresql://h/d',
        `it's \\ "q"`,
        ' a b ',
        'größe🐘',
        'x'.repeat(63),
        ';',
        '$1',
      ]) {
        await server.createDatabase(database);
        const { source } = parsePostgresUrl(server.uri({ user, password: 'p@ss/w%rd', database }));
        const answer = execFileSync(
          join(server.clientDirectory, 'psql'),
          ['-X', '-A', '-t', '-w', '-c', 'SELECT current_database(), current_user', '-d', connectionString(source)],
          { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', PGPASSWORD: source.password ?? '' } },
        );
        expect(answer).toBe(`${database}|${user}\n`);
      }
    } finally {
      await server.remove();
    }
  });
});

test.each([
  ['postgresql://u@db.example.com/shop', 'u@db.example.com:5432'],
  ['postgresql://u@DB.example.com.:6432/shop', 'u@db.example.com:6432'],
  ['postgresql://postgres.ref@aws-0.pooler.supabase.com/shop', 'postgres.ref@aws-0.pooler.supabase.com:5432'],
  ['postgresql://u@db.example.com/shop?hostaddr=192.0.2.7', 'u@db.example.com:5432 hostaddr=192.0.2.7'],
  ['postgresql://u@db.example.com/shop?options=endpoint%3Dx', 'u@db.example.com:5432 options=endpoint=x'],
  ['postgresql://u@db/shop', undefined],
  ['postgresql://u@db.internal/shop', undefined],
  ['postgresql://u@192.0.2.7/shop', undefined],
  ['postgresql://u@localhost/shop', undefined],
  ['postgresql://u@localhost./shop', undefined],
  ['postgresql://u@localhost.localdomain/shop', undefined],
  ['postgresql://u@127.0.0.1:5433/shop', undefined],
  ['postgresql://u@127.1/shop', undefined],
  ['postgresql://u@[::1]/shop', undefined],
  ['postgresql:///shop', undefined],
  ['postgresql:///shop?host=/var/run/postgresql', undefined],
  ['postgresql://u@a.example.com,b.example.com/shop', undefined],
])('the server of %s is %s', (url, server) => {
  expect(serverIn(parsePostgresUrl(url).source)).toBe(server);
});
