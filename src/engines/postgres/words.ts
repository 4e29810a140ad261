import { BackupError } from '../../errors.js';
import { containerInWords } from '../../host/container.js';
import type { Facts, HostFailure } from '../../host/session.js';
import { clip } from '../../reporting/format.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { DumpSettings, Settings } from '../../settings/settings.js';
import { loginUser, seconds } from '../common.js';
import { unreadable } from './dump-clients.js';
import { decoded, serverVersion } from './facts.js';
import { NOT_FOUND, NOT_FOUND_ADVICE, restoreWords } from './restore-words.js';
import type { PostgresSource } from './url.js';

interface Failure {
  code: HostFailure['code'];
  /** What psql or pg_dump said, as it is. */
  text: string;
  /** The same, fit to be shown. */
  said: string;
  /** Of the statement that failed, where the tools told one (postgres-failures.sh): the same in every language. */
  state: string | null;
  facts: Facts;
  source: PostgresSource;
  settings: Settings;
  /** The input that names the database which it is about. */
  input: 'database' | 'restore-to';
}

type Words = [message: string, advice: string];

/** Puts what programs/postgres.sh reported into words; null for what is not about PostgreSQL. */
export function explainPostgres(
  { code, text, facts }: HostFailure,
  source: PostgresSource,
  settings: Settings,
  input: Failure['input'],
): BackupError | null {
  const tooNew = unreadable(text, facts);
  if (tooNew !== null) return tooNew;
  const failure: Failure = {
    ...{ code, text, said: spoken(text), state: facts.get('sqlstate') },
    ...{ facts, source, settings, input },
  };
  if (settings.command === 'restore') {
    // a backup has looked at the server, and what it says of a dump is about its own
    const ofDump = code === 'E_DUMP_FAILED' && facts.get('source_bytes') === null;
    const told = restoreWords(
      { code: ofDump ? 'E_RESTORE' : code, text, facts },
      failure.said,
      roleOf(failure).sql,
      source,
    );
    if (told !== null) return new BackupError(ofDump ? 'E_RESTORE' : code, ...told);
  }
  const words = wordsFor(failure);
  if (words === null) return null;
  const [message, advice] = words;
  return new BackupError(code, message, advice === '' ? undefined : advice);
}

function wordsFor(failure: Failure): Words | null {
  const { code, said, source, input } = failure;
  switch (code) {
    case 'E_CONNECT':
      return unreachable(failure);
    case 'E_AUTH':
      return notLetIn(failure);
    case 'E_SOURCE_MISSING':
      return [
        `there is no database ${quoteOutside(JSON.stringify(source.database))} on the server: ${said}`,
        `Correct the name at the end of \`${input}\` (upper and lower case count), or its host and port if that is the wrong server.`,
      ];
    case 'E_SOURCE_INVALID':
      if (failure.text === 'pooler') {
        return [
          `${shown(source)} leads to a pooler that shares the sessions of the server between clients (PgBouncer in transaction mode, or similar): what pg_dump sets for its session would stay there, and the application would no longer find its tables`,
          `Name the server itself in \`${input}\`, or a pool that keeps a session for one client while it is connected (\`pool_mode = session\`; hosted services have a separate port or host name for that).`,
        ];
      }
      return [
        `the server of ${shown(source)} is a hot standby: the latest commits may be missing there, and the replay may cancel a long dump`,
        `Name the primary in \`${input}\`. If the standby is meant, say so in the URL: \`?target_session_attrs=standby\` (or \`any\`, for clients older than 14).`,
      ];
    case 'E_SOURCE_CORRUPT':
      return [
        `the server cannot read its own data: ${said}`,
        'No older backup was deleted: keep them. First check the disk and the log of the server.',
      ];
    case 'E_NOSPACE':
      return failure.state === '53100' ? [`the disk of the server is full: ${said}`, 'Free some space there.'] : null;
    case 'E_TOOL_VERSION':
      return tooOld(failure);
    case 'E_BUSY':
      return locked(failure);
    case 'E_INPUT':
      return refusedInput(failure);
    case 'E_PERM':
      return notPermitted(failure);
    case 'E_RESTORE':
      return notRestored(failure);
    case 'E_DUMP_FAILED':
      return [
        `no proven dump of ${shown(source)} could be made: ${clip(quoteOutside(failure.text), 1000)}`,
        /terminat|server closed|connection to (the )?server|no connection/i.test(failure.text)
          ? 'The server ended the connection halfway: check its log (a restart, pg_terminate_backend, out of memory).'
          : '',
      ];
    default:
      return null;
  }
}

function unreachable({ text, said, state, source, settings, input }: Failure): Words {
  const host = parameter(source, 'host');
  const place = placeOf(settings.container);
  const server = `the PostgreSQL server of ${shown(source)}`;
  if (state === '53300' || /too many connections|too many clients|remaining connection slots/.test(text)) {
    const needed = settings.dump.format === 'directory' ? '`jobs` + 2 at the same time' : 'two at the same time';
    return [
      `${server} takes no more connections: ${said}`,
      `A backup needs ${needed}. Raise max_connections, or the CONNECTION LIMIT of the role or the database, as the message says. Or let the pool of the application keep fewer, or run the backup at a quieter time.`,
    ];
  }
  if (/does not support SSL/.test(text)) {
    return [
      `${server} speaks no TLS, and \`${input}\` asks for it: ${said}`,
      `Turn it on at the server (\`ssl = on\` with a certificate in postgresql.conf). If nobody can listen on the way, as on the same machine, remove \`sslmode\` from \`${input}\` instead.`,
    ];
  }
  if (/certificate/i.test(text)) {
    return [
      `TLS with ${server} failed: ${said}`,
      `Files such as \`sslrootcert\` are read ${place}, by the user that runs the tools; with \`sslmode=verify-full\` the certificate must be valid and name the host as \`${input}\` does.`,
    ];
  }
  if (/terminating connection|connection to server was lost/.test(text)) {
    return [
      `${server} ended the connection: ${said}`,
      'Check its log (a restart, pg_terminate_backend, out of memory), then run again.',
    ];
  }
  if (state === '57P03' || /the database system is /.test(text)) {
    return [
      `${server} does not accept connections at the moment: ${said}`,
      'Run again when it has started; its log shows how far it is.',
    ];
  }
  // how bad it is, in the server's own words: the client has none of its own there
  if (/: {2}/.test(text)) {
    return [`${server} refused the connection: ${said}`, 'Its log may say more.'];
  }
  return [
    `${server} could not be reached from the host: ${said}`,
    wayTo(text, host, settings.container, source, input),
  ];
}

const placeOf = (container: string | null): string =>
  container === null ? 'on the host' : `in the ${containerInWords(container)}`;

/** What to do when there was no server to talk to. */
function wayTo(
  text: string,
  host: string | undefined,
  container: string | null,
  source: PostgresSource,
  input: Failure['input'],
): string {
  const place = placeOf(container);
  const seen = `The tools run ${place}, so the address in \`${input}\` is as seen from there, not from the runner`;
  if (/could not translate host name/.test(text)) {
    // as a service of compose is called, which nobody knows but the containers beside it
    if (container === null && host !== undefined && /^[a-z0-9_][a-z0-9_-]*$/i.test(host)) {
      return `${seen}, where nobody knows the name ${host}. If it is a service of docker compose, set \`container: compose:PROJECT/${host}\` (\`docker compose ls\` on the host shows the project; with swarm: \`container: swarm:STACK_${host}\`): then the tools run in its container. Otherwise correct it in \`${input}\`, or give the IP address.`;
    }
    return `${seen}: that name must be known there. Correct it in \`${input}\`, or give the IP address.`;
  }
  if (/expected authentication request|invalid response to|wrong version number|HTTP/.test(text)) {
    return `${seen}. What answers there does not speak the protocol of PostgreSQL: check the port.`;
  }
  if (/timeout expired|timed out/.test(text)) {
    const limit = parameter(source, 'connect_timeout') ?? '20';
    return `${seen}. Nothing answered within ${limit} s (connect_timeout): check the address and the port, the firewall, and whether the server hangs.`;
  }
  if (host === undefined || /^[/@]/.test(host)) {
    const why =
      host === undefined
        ? `Without a host in \`${input}\`, the socket there is used`
        : 'A host that begins with "/" is the folder of a socket there';
    return /Permission denied/.test(text)
      ? `${why}, but the user that runs the tools may not open it: give host and password, or use \`run-as\`.`
      : `${why}. Check that the server runs, its port (part of the name of the socket) and its folder (\`SHOW unix_socket_directories\`). If it listens on TCP or in a container, give the host in \`${input}\`, or \`container\`.`;
  }
  return `${seen}. Check host and port, and that the server runs and listens there (listen_addresses).`;
}

function notLetIn(failure: Failure): Words {
  const { text, said, source, input } = failure;
  const role = roleOf(failure);
  const words = (advice: string): Words => [`the PostgreSQL server did not let ${role.name} in: ${said}`, advice];
  const user = parameter(source, 'user');
  if (/(peer|ident) authentication failed/i.test(text)) {
    return words(
      `Peer authentication only lets in the operating-system user of that name: set \`run-as: ${role.name}\` if there is one, or give host and password in \`${input}\`.`,
    );
  }
  if (/no password supplied/.test(text)) {
    return words(
      `It asks for a password, but none was given: put it into ${input === 'database' ? '`database-password` (as it is) or into ' : ''}\`${input}\` (percent-encoded), from a secret. A ~/.pgpass of the user that runs the tools works as well.`,
    );
  }
  if (/pg_hba\.conf/.test(text)) {
    return words(
      `Add a line like this to its pg_hba.conf, above those that reject, then \`SELECT pg_reload_conf()\`: \`${hbaLine(text, role.sql, source)}\`${/no encryption|SSL off/.test(text) ? `. If its lines say hostssl, \`?sslmode=require\` in \`${input}\` is enough` : ''}.`,
    );
  }
  if (/role ".*" does not exist/s.test(text)) {
    return words(
      user === undefined
        ? `\`${input}\` names no user, so the role with the name of the user that runs the tools was tried. Name one, as in postgresql://role@host/name, or set \`run-as\`.`
        : `Correct the user in \`${input}\` (upper and lower case count), or create the role: \`CREATE ROLE ${role.sql} LOGIN\`.`,
    );
  }
  if (/not permitted to log in/.test(text)) {
    return words(`Name another role in \`${input}\`, or as a superuser: \`ALTER ROLE ${role.sql} LOGIN\`.`);
  }
  return words(
    `Check user and password: in \`${input}\` special characters of a password are percent-encoded${input === 'database' ? ', `database-password` takes it as it is' : ''}. A role that does not exist is refused in the same words.${/authentication failed/.test(text) ? '' : ` It may also mean that pg_hba.conf has no line for that role and database, that the role may not log in, or that it has too many connections.`}`,
  );
}

/** The line of pg_hba.conf that is missing, as far as the message tells it. */
function hbaLine(text: string, role: string, source: PostgresSource): string {
  const [, address = ''] = /for host "([0-9a-f.:]+)"/i.exec(text) ?? [];
  const database = identifier(source.database);
  if (address === '') return `local ${database} ${role} scram-sha-256`;
  return `host ${database} ${role} ${address}/${address.includes(':') ? 128 : 32} scram-sha-256`;
}

function tooOld({ said, facts, settings }: Failure): Words {
  const server = quoteOutside(serverVersion(facts) || 'unknown', 60);
  const major = /^\d+/.exec(server)?.[0] ?? '';
  const place = placeOf(settings.container);
  return [
    `the server is PostgreSQL ${server}, but the newest client ${place} is ${said}: pg_dump refuses a server newer than itself`,
    `Install the client of PostgreSQL ${major} ${place}; the old one may stay, because the newest is used: postgresql-client-${major} on Debian and Ubuntu, postgresql${major} on Red Hat and similar, both from https://www.postgresql.org/download/; ${settings.container === null ? 'or set `container` if the server runs in one' : 'or choose the container of the server itself'}.`,
  ];
}

function locked(failure: Failure): Words {
  const { text, said, state, source, settings } = failure;
  if (state === '57014' && !/user request/.test(text)) {
    return [
      `the server cancelled a statement in ${shown(source)}, because of its statement_timeout or on request: ${said}`,
      `If somebody cancelled it (pg_cancel_backend), run again. If the statement_timeout of the role or the database is too short even to begin: \`ALTER ROLE ${roleOf(failure).sql} SET statement_timeout = 0\`.`,
    ];
  }
  return [
    `${shown(source)} stayed locked for ${seconds(settings.lockWaitMs)} s (lock-wait): ${said}`,
    state === '40001' || /recovery/.test(text)
      ? 'The replay on the standby cancelled the dump: raise max_standby_streaming_delay there, or take the backup from the primary.'
      : 'A migration or another command holds an exclusive lock on a table, or waits for one: check pg_stat_activity and pg_locks, let it end, or raise `lock-wait`.',
  ];
}

function refusedInput({ text, said, state, facts, settings, input }: Failure): Words {
  const given = givenPatterns(settings.dump);
  if (/no matching /.test(text)) {
    return [
      `\`schema\` has a pattern that matches nothing: ${said}`,
      'Correct it, or leave it out: without it, every schema is in the backup. Put names with capital letters in double quotes: "App".',
    ];
  }
  if (text === 'system_schema') {
    return [
      `the patterns of schema match ${quoteOutside(decoded(facts.get('system_schema') ?? ''), 100)}, whose copy cannot be restored`,
      'Name the schemas of the application in `schema`, or leave it out: without it, all of them are in the backup.',
    ];
  }
  if (state === '2201B' || /invalid regular expression/.test(text)) {
    return [
      `a pattern of ${given} is malformed: ${said}`,
      'Besides * and ?, these patterns may hold regular expressions; put a name with ( ) [ ] { } + | in it in double quotes.',
    ];
  }
  const [, option] = /invalid connection option "(\w+)"/.exec(text) ?? [];
  const client = quoteOutside(facts.get('pg_dump_version') ?? 'pg_dump', 100);
  return option === undefined
    ? [
        `\`${input}\` has a parameter that the client on the host does not accept: ${said}`,
        `Correct it after the "?" of \`${input}\`.`,
      ]
    : [
        `the client on the host, ${client}, does not know the parameter ${option} of \`${input}\`: ${said}`,
        `Remove ${option} from \`${input}\`, or install a newer client on the host (https://www.postgresql.org/download/).`,
      ];
}

/** The inputs that hold patterns, of those that were given. */
function givenPatterns({ schema, excludeTable, excludeTableData }: DumpSettings): string {
  const lists = { schema, 'exclude-table': excludeTable, 'exclude-table-data': excludeTableData };
  return Object.entries(lists)
    .filter(([, patterns]) => patterns.length > 0)
    .map(([input, patterns]) => `\`${input}\` (${patterns.map((pattern) => quoteOutside(pattern, 80)).join(', ')})`)
    .join(' or ');
}

function notPermitted(failure: Failure): Words | null {
  const { said, facts, source } = failure;
  if (facts.get('sudo_refused') !== null || facts.get('container_refused') !== null) return null;
  const denied = deniedOf(failure);
  if (denied === null) return null;
  const { name, sql } = roleOf(failure);
  if (denied === 'rows') {
    return [
      `row-level security hides rows from ${name}, so the dump would not be complete: ${said}`,
      `Back up as the owner of the table (unless it is forced on the owner too), or as a role that sees all rows. As a superuser: \`ALTER ROLE ${sql} BYPASSRLS\`.`,
    ];
  }
  const message = `${name} may not read everything in ${shown(source)}: ${said}`;
  const becomes = becomesOther(failure);
  if (becomes !== null) {
    return [
      message,
      `The role that logs in is another one: \`${becomes}\` removes that setting, and then its own rights count. Or give ${name} what is missing.`,
    ];
  }
  if (denied === 'database') {
    return [message, `As its owner: \`GRANT CONNECT ON DATABASE ${identifier(source.database)} TO ${sql}\`.`];
  }
  if (denied === 'large_object') {
    return [
      message,
      `Each large object has privileges of its own, and pg_read_all_data does not cover them. Back up as their owner; or as a superuser, in psql on this database: \`SELECT format(${literal(`GRANT SELECT ON LARGE OBJECT %s TO ${sql.replaceAll('%', '%%')}`)}, oid) FROM pg_largeobject_metadata \\gexec\`, and again when there are new ones. Or, once and for all, \`ALTER ROLE ${sql} SET lo_compat_privileges = on\`, but then the role may also change every large object.`,
    ];
  }
  const version = facts.numberOrNull('server_version_num') ?? 0;
  return [
    message,
    version >= 140_000
      ? `As a superuser: \`GRANT pg_read_all_data TO ${sql}\`; or back up as the owner. Leave out what you do not need with \`exclude-table\`, or by naming the others in \`schema\`.`
      : `Back up as the owner or a superuser, or as a superuser, for each schema: \`GRANT USAGE ON SCHEMA public TO ${sql}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${sql}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO ${sql}\`. Leave out what you do not need with \`exclude-table\`.`,
  ];
}

/** SQL that takes away what makes the role that logs in another one; null where it is none. */
function becomesOther({ facts, source }: Failure): string | null {
  const hex = facts.get('login_role');
  if (hex === null) return null;
  const login = quoteOutside(decoded(hex), 200);
  const database = identifier(source.database);
  const places: Record<string, string> = {
    database: `DATABASE ${database}`,
    role: `ROLE ${login}`,
    role_in_database: `ROLE ${login} IN DATABASE ${database}`,
    all: 'ROLE ALL',
  };
  const place = places[facts.get('role_set') ?? ''];
  return place === undefined ? null : `ALTER ${place} RESET role`;
}

/** What it was that the server denied: what the host has found out, or what a server that speaks English says; null when it was not the server. */
function deniedOf({ text, state, facts }: Failure): string | null {
  const found = facts.get('denied');
  if (found !== null) return found;
  if (/row-level security/.test(text)) return 'rows';
  // in this writing it is the server's, not the shell's
  const [, kind] = /permission denied (?:for|to) (database|large object|)/.exec(text) ?? [];
  if (kind !== undefined) return kind.replace(' ', '_');
  return state === '42501' ? '' : null;
}

/** The rehearsal failed: as a rule the server of it lacks something, not the backup. */
function notRestored(failure: Failure): Words {
  const { text, said, state, settings } = failure;
  const role = roleOf(failure);
  const place = settings.restoreTo === null ? shown(failure.source) : quoteOutside(settings.restoreTo.given);
  const words = (advice: string): Words => [
    `the backup could not be restored into a throw-away database on the server of ${place}: ${clip(said, 1000)}`,
    `${advice} The throw-away database was dropped.`.trim(),
  ];
  const other = 'or name another server or role in `restore-to`';
  if (/permission denied to create database/.test(text) || (state === '42501' && /^no database /.test(text))) {
    const who = settings.restoreTo === null ? role.sql : 'the role of `restore-to`';
    return [
      words('')[0],
      settings.restoreTo === null
        ? `A scratch restore creates a database of its own: as a superuser \`ALTER ROLE ${who} CREATEDB\`, ${other}.`
        : `A scratch restore creates a database of its own: let ${who} do so (\`ALTER ROLE ... CREATEDB\`), or name another role there.`,
    ];
  }
  if (
    /extension ".*" is not available|could not open extension control file|could not access file|could not load library/.test(
      text,
    )
  ) {
    return words(
      `Install the package of that extension on that server, since a real restore would need it too, ${other}.`,
    );
  }
  if (/permission denied to create extension|[Mm]ust be superuser/.test(text)) {
    return words(`Only a superuser may create what is in the backup: name one in \`restore-to\`.`);
  }
  if (NOT_FOUND.test(text)) return words(NOT_FOUND_ADVICE);
  if (/can only create extension in database/.test(text)) {
    return words(
      'The extension can only be created in that one database, so no scratch restore is possible: use `verify: content`. A restore puts such a backup into the database itself.',
    );
  }
  if (/role ".*" does not exist/s.test(text)) {
    return words(
      `The backup refers to a role that does not exist on that server: create it there (\`content.roles\` in the manifest has the statements). With \`dump-format: custom\` or \`directory\`, a scratch restore leaves out owners and grants.`,
    );
  }
  if (state === '42501' || /must be member of role|must be able to SET ROLE|must be owner of/.test(text)) {
    return words(
      `The backup gives objects to roles that the role of the scratch restore is not a member of: name a superuser in \`restore-to\`, or use \`dump-format: custom\` or \`directory\`, for which owners and grants are left out.`,
    );
  }
  if (/during recovery|read-only transaction/.test(text)) {
    return words('That server is a hot standby, or read-only: name a writable one in `restore-to`.');
  }
  if (state === '53100' || /No space left|could not extend file|disk full/.test(text)) {
    return words(`The disk of that server is full: free some space, ${other}.`);
  }
  if (/invalid (locale|LC_\w+)|locale name|collation ".*" .*does not exist/.test(text)) {
    return words(`That server lacks the locale of the database: install it there, ${other}.`);
  }
  if (/terminating connection|server closed|connection to (the )?server|no connection/.test(text)) {
    return words('The server could not be reached, or ended the connection: check its log, then run again.');
  }
  return words('');
}

/** The role of the session, or the one that asked for it: as it is called, and as SQL has it. */
function roleOf({ facts, source, settings }: Failure): { name: string; sql: string } {
  const hex = facts.get('role');
  // as the server itself quotes it
  const sql =
    hex === null ? identifier(parameter(source, 'user') ?? settings.runAs ?? loginUser(settings)) : decoded(hex);
  const name = sql.startsWith('"') ? sql.slice(1, -1).replaceAll('""', '"') : sql;
  return { name: quoteOutside(name, 200), sql: quoteOutside(sql, 200) };
}

/** What a tool said, without what says nothing to people: its own name, and the question that we answer. */
function spoken(text: string): string {
  return quoteOutside(
    text
      .replace(
        /^(psql|pg_dump|pg_dumpall|pg_restore)(:(?:<stdin>|script|end|\S*(?:look|maintenance|count|server|begin|end)\.sql):\d+)?: (error: )?/gm,
        '',
      )
      .replace(/\n\s*Is the server running [^\n]*\?/g, '')
      .trim()
      .replace(/[.;]+$/, ''),
  );
}

const shown = ({ given }: PostgresSource): string => quoteOutside(given);

const parameter = ({ parameters }: PostgresSource, keyword: string): string | undefined =>
  parameters.find(([name]) => name === keyword)?.[1];

/** As SQL has it: quoted where it must be. */
const identifier = (name: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
