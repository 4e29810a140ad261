import type { TableRows } from '../../backups/manifest.js';
import { plural } from '../../counting.js';
import { BackupError } from '../../errors.js';
import { containerWord } from '../../host/container.js';
import { quote } from '../../host/quoting.js';
import type { Facts, HostRequest } from '../../host/session.js';
import { counted, formatBytes } from '../../reporting/format.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Settings } from '../../settings/settings.js';
import { checkRows, named, seconds } from '../common.js';
import { type Dump, dumpArguments, type Restoring, type Step, type TargetPlan } from '../restoring.js';
import { clientIn } from './client.js';
import { refuseUnsafe } from './client-holes.js';
import { connectionString } from './connection-string.js';
import { checkClient, majorOf, versionsOf } from './dump-clients.js';
import {
  argumentsOf,
  decoded,
  encoded,
  encodedName,
  identityIn,
  likeArgument,
  restoredIn,
  serverVersion,
  tablesOf,
} from './facts.js';
import { contentOf, isPostgresIdentity } from './format.js';
import { identifier, likeOf, literal, propertiesFor, searchPathOf } from './properties.js';
import type { PostgresSource } from './url.js';
import { chooseWay, unreadIn } from './ways.js';

/** Puts a dump back into a PostgreSQL database, by programs/postgres-restore.sh. */
export function postgresRestoring(target: PostgresSource): Restoring {
  const { database, given } = target;
  const request = (name: string, settings: Settings, more: Record<string, string>): HostRequest => {
    const [maintenance = '', second = ''] = ['postgres', 'template1'].filter((one) => one !== database);
    return [
      'job',
      `${name}_restore_postgres`,
      named({
        ...argumentsOf(target, settings),
        live: database,
        maintenance: connectionString({ ...target, database: maintenance }),
        second: connectionString({ ...target, database: second || maintenance }),
        lock_wait: seconds(settings.lockWaitMs),
        jobs: settings.dump.jobs === null ? '' : String(settings.dump.jobs),
        ...more,
      }),
    ];
  };

  return {
    targetName: database,
    target: given,

    mayBe: (identity) => isPostgresIdentity(identity) && identity.database === database,

    look: (settings, dump) => request('look', settings, dumpOf(dump)),

    plan(settings, facts, dump) {
      const { way: wanted, stopCommand } = settings.restore;
      const holes = refuseUnsafe(clientIn(facts), dump, settings);
      checkClient(dump, facts);
      const missing = facts.need('target_state') === 'missing';
      const { way, words } = chooseWay(facts, contentOf(dump.manifest), target, wanted);
      const found = foundIn(facts, dump, way);
      if (way === 'swap' && stopCommand === null) checkSessions(facts, given);
      checkSpace(found, dump, settings, given);
      return {
        ...found,
        state: missing ? 'missing' : 'sound',
        way,
        wayInWords: words,
        safetyLevel: 'content',
        safetyWithout: unreadIn(facts).map(({ pattern }) => pattern),
        remarks: [...holes, ...remarksOn(facts, dump, way)],
      };
    },

    load(settings, dump, step) {
      const { fresh, create } = { fresh: namesOf(step).new, create: step.way === 'create' };
      const content = create ? (dump.manifest?.content ?? null) : null;
      const like = likeOf(content);
      return request('load', settings, {
        ...dumpOf(dump),
        ...stepArguments(step),
        loading: connectionString({ ...target, database: fresh }),
        like: likeArgument(like),
        owner: encoded(like?.owner ?? ''),
        properties: propertiesFor(fresh, content).statements.map(encoded).join('\n'),
      });
    },

    loaded(facts, { manifest }) {
      const content = contentOf(manifest);
      if (facts.restored.length === 0) return content?.tables ?? [];
      const loaded = restoredIn(facts);
      if (content !== null) checkRows(content, loaded);
      return loaded;
    },

    swap: (settings, dump, step) =>
      request('swap', settings, { ...dumpOf(dump), ...stepArguments(step), ...expectedOf(dump) }),

    swapped(facts, loaded) {
      const here = facts.get('in_place') === null ? tablesOf(facts) : restoredIn(facts);
      const live = new Map(here.map(({ name, rows }) => [name, rows]));
      const wrong = loaded.flatMap(({ name, rows }) => {
        const there = live.get(name);
        if (there === undefined) return [`${name} is missing`];
        return rows === null || there === null || rows === there
          ? []
          : [`${name} has ${plural(there, 'row')}, not ${rows}`];
      });
      if (wrong.length === 0) return [];
      const told = quoteOutside(
        `${wrong.slice(0, 5).join('; ')}${wrong.length > 5 ? `; and ${wrong.length - 5} more` : ''}`,
        600,
      );
      // it is the very database that was loaded and looked at: then clients are back already, and have written
      if (facts.get('same_database') !== null)
        return [`clients have written to the restored database since the swap: ${told}`];
      throw new BackupError('E_RESTORE', `the live database is not the restored one: ${told}`, '');
    },

    back: (settings, step, safety) =>
      request('back', settings, { ...stepArguments(step), ...(safety === null ? {} : safetyArguments(safety)) }),

    settle: (settings, step) => request('settle', settings, stepArguments(step)),

    recover: (settings, step, { target: told, identity }) =>
      request('recover', settings, {
        ...stepArguments(step),
        named: told === given ? '1' : '',
        system: identity.systemIdentifier ?? '',
      }),

    identity: (facts) => identityIn(facts, database),

    byHand(settings, step, safety) {
      if (step.way === 'in-place') {
        return (
          safety?.manifest?.recovery ?? [
            '# the state before was not kept: there was no safety backup (safety-backup: false)',
          ]
        );
      }
      const { new: fresh, old } = namesOf(step);
      const other = connectionString({ ...target, database: database === 'postgres' ? 'template1' : 'postgres' });
      const live = identifier(database);
      const statements = [
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${literal(database)}`,
        `ALTER DATABASE ${live} RENAME TO ${fresh}`,
        ...(step.way === 'create'
          ? []
          : [`ALTER DATABASE ${old} RENAME TO ${live}`, `ALTER DATABASE ${live} ALLOW_CONNECTIONS true`]),
      ];
      const commands = statements.map((one) => `-c ${quote(one)}`).join(' ');
      return [
        `${psqlThere(settings)} -X -v ON_ERROR_STOP=1 -d ${quote(other)} ${commands}`,
        `# when all is well again: DROP DATABASE ${fresh};`,
      ];
    },
  };
}

/** Names on the server are a function of the id alone: the next run must find them. */
function namesOf({ id }: Step): { new: string; old: string } {
  const [, day, time, random] = /-(\d{8})T(\d{6})Z-([0-9a-f]{4})$/.exec(id) ?? [];
  if (random === undefined) throw new BackupError('E_INTERNAL', `the id of a restore is ${JSON.stringify(id)}`);
  const suffix = `${day}${time}_${random}`;
  return { new: `db_backup_new_${suffix}`, old: `db_backup_old_${suffix}` };
}

/** The size is only a measure of the space and time that it takes: 0 where it is not known. */
const dumpOf = (dump: Dump): Record<string, string> => ({
  ...dumpArguments(dump),
  plain_bytes: String(dump.databaseBytes ?? 0),
  search_path: encoded(searchPathOf(contentOf(dump.manifest))),
});

const stepArguments = (step: Step): Record<string, string> => ({ id: step.id, way: step.way, ...namesOf(step) });

function safetyArguments(dump: Dump): Record<string, string> {
  const { expected, expects_all, extensions } = expectedOf(dump);
  const {
    payload = '',
    kind = '',
    packing = '',
    sha256 = '',
    bytes = '',
    plain_bytes = '',
    search_path = '',
  } = dumpOf(dump);
  return {
    safety_payload: payload,
    safety_kind: kind,
    safety_packing: packing,
    safety_sha256: sha256,
    safety_bytes: bytes,
    safety_plain_bytes: plain_bytes,
    safety_expected: expected,
    safety_expects_all: expects_all,
    safety_extensions: extensions,
    safety_search_path: search_path,
  };
}

/** `HEX ROWS` a line: what the server compares before it commits, whether there may be no other table, and the extensions in hex. */
function expectedOf({ manifest }: Dump): { expected: string; expects_all: string; extensions: string } {
  const content = contentOf(manifest);
  return {
    expected: (content?.tables ?? []).map(({ name, rows }) => `${encodedName(name)} ${rows ?? ''}`).join('\n'),
    expects_all: content !== null && (content.tablesLeftOut ?? 0) === 0 ? '1' : '',
    extensions: (content?.extensions ?? []).map(encoded).join(' '),
  };
}

type Found = Pick<
  TargetPlan,
  'bytes' | 'tables' | 'dumpTables' | 'differences' | 'users' | 'neededBytes' | 'freeBytes'
>;

function foundIn(facts: Facts, dump: Dump, way: string): Found {
  const tables = tablesOf(facts).sort(byName);
  const dumpTables = tablesOfDump(facts, dump);
  const free = facts.get('target_free_kib') ?? '';
  return {
    bytes: facts.numberOrNull('source_bytes') ?? 0,
    tables,
    dumpTables,
    differences:
      dumpTables === null ? [] : differencesBetween(tables, dumpTables, way === 'in-place' ? foreignTables(facts) : []),
    users: sessionsIn(facts).map(showSession),
    // what is packed comes to several times its size, with indexes
    neededBytes: dump.databaseBytes ?? dump.bytes * (dump.compression === 'none' ? 2 : 8),
    freeBytes: /^\d{1,12}$/.test(free) ? Number(free) * 1024 : null,
  };
}

/** As the manifest tells, where it has all of them; else as far as the table of contents of the archive does. */
function tablesOfDump(facts: Facts, dump: Dump): TableRows[] | null {
  const content = contentOf(dump.manifest);
  if (content !== null && (content.tablesLeftOut ?? 0) === 0) return [...content.tables].sort(byName);
  const told = new Map(content?.tables.map(({ name, rows }) => [name, rows]));
  const listed = facts.all('dump_table');
  return listed.length === 0 ? null : listed.map((name) => ({ name, rows: told.get(name) ?? null })).sort(byName);
}

const byName = ({ name: one }: TableRows, { name: other }: TableRows): number => (one < other ? -1 : 1);

/** `staying` are of other roles. */
function differencesBetween(live: TableRows[], backup: TableRows[], staying: string[]): string[] {
  const [there, coming] = [live, backup].map((tables) => new Set(tables.map(({ name }) => name)));
  return [
    ...live
      .filter(({ name }) => !coming?.has(name))
      .map(({ name }) =>
        staying.includes(name)
          ? `${quoteOutside(name, 100)} is not in the backup, and stays because it belongs to another role`
          : `${quoteOutside(name, 100)} is not in the backup, and will be gone`,
      ),
    ...backup
      .filter(({ name }) => !there?.has(name))
      .map(({ name }) => `${quoteOutside(name, 100)} is only in the backup, and will be back`),
  ];
}

interface ServerSession {
  user?: unknown;
  from?: unknown;
  application?: unknown;
  state?: unknown;
  type?: unknown;
  may_end?: unknown;
}

/** Who is in the database; what they call themselves is theirs. */
export function sessionsIn(facts: Facts): ServerSession[] {
  return facts.all('session').flatMap((hex) => {
    try {
      const session: unknown = JSON.parse(decoded(hex));
      return typeof session === 'object' && session !== null ? [session] : [];
    } catch {
      return [];
    }
  });
}

export function showSession({ user, from, application, state, type }: ServerSession): string {
  const texts = [
    `${user ?? 'somebody'}${from == null ? '' : ` from ${from}`}`,
    application,
    type === 'client backend' ? null : type,
    state,
  ];
  return quoteOutside(texts.filter((text) => text != null && text !== '').join(', '), 200);
}

/** Those that this role may not end would keep the database from being renamed. Throws E_TARGET_BUSY. */
function checkSessions(facts: Facts, given: string): void {
  const staying = sessionsIn(facts).filter(({ may_end }) => may_end !== true);
  if (staying.length === 0) return;
  const role = quoteOutside(decoded(facts.need('role')), 100);
  throw new BackupError(
    'E_TARGET_BUSY',
    `${quoteOutside(given)} is in use by ${counted(staying.length, 'session')} that the role ${role} may not end: ${staying.slice(0, 10).map(showSession).join('; ')}`,
    `Set \`stop-command\` and \`start-command\` for what uses it, or as a superuser: \`GRANT pg_signal_backend TO ${role}\` (end sessions of superusers and prepared transactions by hand). \`restore-way: in-place\` ends no session, and waits for their transactions.`,
  );
}

/** Throws E_NOSPACE when it is known that the disk of the server does not hold both. */
function checkSpace(
  { neededBytes, freeBytes }: Found,
  { manifest }: Dump,
  { minFreeBytes: left }: Settings,
  given: string,
): void {
  if (manifest === null || freeBytes === null || freeBytes >= neededBytes + left) return;
  throw new BackupError(
    'E_NOSPACE',
    `the restore needs ${formatBytes(neededBytes)} more on the disk of the server of ${quoteOutside(given)}, but only ${formatBytes(freeBytes)} are free`,
    'Free some space there: the old and the new state are both kept until the restore is done.',
  );
}

function remarksOn(facts: Facts, dump: Dump, way: string): string[] {
  const { manifest } = dump;
  const remarks: string[] = [];
  const number = (key: string): number => (facts.get(key) === null ? 0 : facts.number(key));
  const [made, server] = [majorOf(versionsOf(dump).server), majorOf(serverVersion(facts))];
  const { leftOut } = propertiesFor('', way === 'create' ? (manifest?.content ?? null) : null);
  if (leftOut > 0) {
    remarks.push(
      `the manifest has ${counted(leftOut, 'statement')} about the database itself that this action did not write; they are not run: see content.properties in it`,
    );
  }
  if (made > server) {
    remarks.push(
      `the ${manifest === null ? 'dump' : 'backup'} is of PostgreSQL ${made}, but the server is ${server}: what is new in ${made} cannot be restored there`,
    );
  }
  if (way === 'swap' && number('slots') > 0) {
    remarks.push(
      `the database has ${counted(number('slots'), 'replication slot')}, which stay with the old state: create them again for the restored one`,
    );
  }
  if (number('subscriptions') > 0) {
    remarks.push(
      `the database has ${counted(number('subscriptions'), 'subscription')}: a restored one is disabled until you enable it`,
    );
  }
  const unread = unreadIn(facts).map(({ shown }) => shown);
  if (unread.length > 0) {
    remarks.push(
      `the safety backup leaves out what this role may not read, which stays unchanged because it belongs to other roles: ${unread.slice(0, 5).join(', ')}${unread.length > 5 ? `; and ${unread.length - 5} more` : ''}`,
    );
  }
  const objects = facts.all('foreign_object').map(decoded);
  const foreign = [...objects, ...foreignTables(facts)].map((name) => quoteOutside(name, 80));
  if (way === 'in-place' && foreign.length > 0) {
    remarks.push(
      `${counted(foreign.length, 'object')} of the database (tables, functions, types, default privileges) ${foreign.length === 1 ? 'belongs to another role' : 'belong to other roles'} and cannot be replaced; if the backup has them too, the restore fails and changes nothing, and only a superuser or a member of those roles can restore it: ${foreign.slice(0, 5).join(', ')}${foreign.length > 5 ? `; and ${foreign.length - 5} more` : ''}`,
    );
  }
  return remarks;
}

const foreignTables = (facts: Facts): string[] => facts.all('foreign_table').map(decoded);

function psqlThere({ container, runAs }: Settings): string {
  if (container !== null)
    return `docker exec -i ${runAs === null ? '' : `--user ${quote(runAs)} `}${containerWord(container)} psql`;
  return `${runAs === null ? '' : `sudo -u ${quote(runAs)} `}psql`;
}
