import { randomBytes } from 'node:crypto';
import type { Manifest } from '../../backups/manifest.js';
import { nameFromText } from '../../backups/names.js';
import { unpackLine } from '../../backups/packing.js';
import { plural } from '../../counting.js';
import { BackupError } from '../../errors.js';
import { containerWord } from '../../host/container.js';
import { quote } from '../../host/quoting.js';
import type { Facts } from '../../host/session.js';
import { counted } from '../../reporting/format.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import { LINE_LIMIT } from '../../schemas.js';
import type { DumpSettings, Settings } from '../../settings/settings.js';
import { checkRows, named, packersOf, seconds } from '../common.js';
import type { Database } from '../database.js';
import { dumpArguments } from '../restoring.js';
import { clientIn } from './client.js';
import { refuseUnsafe } from './client-holes.js';
import { connectionString } from './connection-string.js';
import { checkClient } from './dump-clients.js';
import { postgresExtracting } from './extracting.js';
import {
  argumentsOf,
  decoded,
  encoded,
  identityIn,
  likeArgument,
  restoredIn,
  serverVersion,
  tableOf,
  tablesOf,
  textsIn,
} from './facts.js';
import { contentOf, type PostgresContent, type PostgresKind } from './format.js';
import { postgresHealth } from './health.js';
import { schemaCondition, tableCondition } from './name-patterns.js';
import { createStatement, identifier, likeOf, propertiesFor, searchPathOf } from './properties.js';
import { postgresRestoring } from './restore.js';
import { rightsInWords, rightsToSet } from './rights.js';
import { type PostgresSource, serverIn } from './url.js';
import { explainPostgres } from './words.js';

const KINDS: Record<DumpSettings['format'], PostgresKind> = { custom: 'dump', directory: 'tar', plain: 'sql' };

/** PostgreSQL: one snapshot of a live database, by pg_dump and programs/postgres.sh. */
export function postgresDatabase(source: PostgresSource, { format }: Pick<DumpSettings, 'format'>): Database {
  return {
    kind: KINDS[format],
    path: '',
    server: serverIn(source),

    backup(settings, id, holder) {
      const { dump } = settings;
      return [
        'job',
        'backup_postgres',
        named({
          ...argumentsOf(source, settings),
          id,
          holder,
          lock_wait: seconds(settings.lockWaitMs),
          lock_wait_ms: String(settings.lockWaitMs),
          kind: KINDS[format],
          // quoted even here: pg_dumpall takes a name with "=" in it for a whole connection string
          name_only: connectionString({ database: source.database, parameters: [] }),
          ...scratchArguments(source, settings, null),
          options: optionsOf(dump).join('\n'),
          tables: tablesCondition(dump),
          schemas: schemasCondition(dump),
        }),
      ];
    },

    verify(settings, dump) {
      return [
        'job',
        'verify_postgres',
        named({
          ...argumentsOf(source, settings),
          ...dumpArguments(dump),
          plain_bytes: String(dump.databaseBytes ?? 0),
          ...scratchArguments(source, settings, dump.manifest),
        }),
      ];
    },

    tools: {
      request: (settings) => ['job', 'tools_postgres', named(argumentsOf(source, settings))],
      remarks(settings, facts, dump) {
        checkClient(dump, facts);
        return refuseUnsafe(clientIn(facts), dump, settings);
      },
    },

    checkProof(facts, { kind, content }) {
      if (content === null || facts.get('pg_dump_version') === null) return;
      const found = tablesWithData(kind, facts);
      if (found !== null && found < content.tables.length) {
        throw new BackupError(
          'E_MANIFEST',
          `the backup holds the data of ${counted(found, 'table')}, but the manifest names ${content.tables.length}`,
          'Do not rely on this backup: take a new one, and check who can write to that directory.',
        );
      }
      if (facts.get('restored_into') === null) return;
      checkRows(content, restoredIn(facts));
    },

    inspect(settings) {
      return ['job', 'inspect_postgres', named(argumentsOf(source, settings))];
    },

    health: {
      request: (settings) => [
        'job',
        'health_postgres',
        named({ ...argumentsOf(source, settings), kind: KINDS[format] }),
      ],
      read: postgresHealth,
    },

    rights: { words: rightsInWords, toSet: (facts) => rightsToSet(source.database, facts) },

    identity: (facts) => identityIn(facts, source.database),

    describe(facts) {
      // The snapshot is looked at only where the copy is to be proven.
      const checked = facts.get('checked') !== null;
      if (checked && format === 'plain') checkScript(facts);
      else if (checked) checkArchive(facts, source.database);
      return {
        databaseBytes: facts.number('source_bytes'),
        tools: toolsOf(facts),
        content: checked
          ? ({
              tables: tablesOf(facts),
              objects: facts.number('objects'),
              largeObjects: facts.number('large_objects'),
              properties: textsIn(facts, 'property').texts,
              roles: rolesOf(facts),
              extensions: facts.all('used_extension').map(decoded),
              ...(facts.number('path_functions') > 0 ? { pathFunctions: facts.number('path_functions') } : {}),
            } satisfies PostgresContent)
          : null,
      };
    },

    remarks(facts) {
      const remarks: string[] = [];
      const refused = facts.get('roles_missing');
      if (refused !== null || (facts.get('roles') !== null && rolesOf(facts) === null)) {
        remarks.push(
          `the roles of the server are not in this backup: ${quoteOutside(refused ?? 'the comment of one is too long for the manifest', 200)}. Before a restore on another server, create them there by hand`,
        );
      }
      const unlogged = facts.numberOrNull('unlogged_left') ?? 0;
      if (unlogged > 0) {
        remarks.push(
          `the rows of ${counted(unlogged, 'unlogged table')} are not in this backup, because a standby does not have them`,
        );
      }
      for (const [left, why] of [
        [facts.all('properties_left').length, 'too long for the manifest (16,000 characters)'],
        [textsIn(facts, 'property').left, 'not valid UTF-8, which a manifest needs'],
      ] as const) {
        if (left === 0) continue;
        remarks.push(
          `${counted(left, 'setting')} or comments of the database itself are ${why}, so they are not in this backup: a restore into a new database does not bring them back`,
        );
      }
      const ended = facts.get('counting_ended');
      if (ended !== null) {
        const said = ended === '' ? '' : ` (${quoteOutside(ended, 300)})`;
        remarks.push(...notCounted(facts, `because the session that counts them ended early${said}`));
      }
      return remarks;
    },

    notes(facts) {
      const guarded = notCounted(
        facts,
        `because their indexes or statistics call functions that belong neither to the role ${quoteOutside(decoded(facts.get('role') ?? ''), 100)} nor to a superuser, and that would run with its rights (back up as the owner of the tables to have them counted)`,
        true,
      );
      if (facts.get('counting_ended') !== null) return guarded;
      return [
        ...guarded,
        ...notCounted(facts, 'because counting them would have taken more than a tenth of the time of the dump'),
      ];
    },

    plan(facts) {
      return `the database ${quoteOutside(source.database)} of PostgreSQL ${quoteOutside(serverVersion(facts), 60)} with ${quoteOutside(facts.need('pg_dump_version'), 100)}`;
    },

    recovery({ file, kind, compression, encryption, content }, directory, { runAs, container }) {
      const { parameters } = source;
      const restored = `${(nameFromText(source.database) ?? 'database').slice(0, 54)}_restored`;
      const to = quote(connectionString({ database: restored, parameters }));
      const maintenance = quote(connectionString({ database: 'postgres', parameters }));
      const sudo = runAs === null ? '' : `sudo -u ${quote(runAs)} `;
      const user = runAs === null ? '' : `--user ${quote(runAs)} `;
      const there = container === null ? sudo : `docker exec -i ${user}${containerWord(container)} `;
      const unpacked = unpackLine({ compression, encryption }, quote(file));
      const psql = `${there}psql -X -q -v ON_ERROR_STOP=1 -d ${to}`;
      // functions may find their tables by the search_path of the database alone, which pg_dump has emptied while it is loaded
      const own = contentOf({ content })?.pathFunctions !== undefined;
      const script = (from: string) => `{ ${from} || echo 'the dump could not be read;'; } | ${KEEP_PATH} | ${psql}`;
      const path = propertiesFor(restored, own ? content : null).statements.filter((one) => IS_PATH.test(one));
      const create = [createStatement(restored, content), ...path].map((one) => `-c ${quote(one)}`).join(' ');
      const folder = `unpacked=$(${there}mktemp -d) && ${unpacked} | ${there}tar -xf - -C "$unpacked"`;
      const load = own
        ? {
            dump: [script(`${unpacked} | ${there}pg_restore -f -`)],
            sql: [script(unpacked)],
            tar: [folder, script(`${there}pg_restore -f - "$unpacked/dump"`)],
          }
        : {
            dump: [`${unpacked} | ${there}pg_restore --exit-on-error -d ${to}`],
            sql: [`${unpacked} | ${psql}`],
            tar: [folder, `${there}pg_restore --exit-on-error -j 2 -d ${to} "$unpacked/dump"`],
          };
      return [
        `cd ${quote(directory)} && sha256sum -c ${quote(`${file}.sha256`)}`,
        `# by a role that may create databases:`,
        `${there}psql -X -d ${maintenance} ${create}`,
        ...(load[kind as PostgresKind] ?? []),
        `# look at it; then, with the application stopped, in psql on the database postgres (grants and settings of the database: content.properties of the manifest):`,
        `# ALTER DATABASE ${identifier(source.database)} RENAME TO ${identifier(restored.replace(/_restored$/, '_old'))}; ALTER DATABASE ${identifier(restored)} RENAME TO ${identifier(source.database)};`,
      ];
    },

    empty() {
      return new BackupError(
        'E_EMPTY',
        `the part of the database ${quoteOutside(source.database)} to back up holds no table, view, sequence, function or large object, so a backup would prove nothing`,
        'Check that `database` names the database that the application uses, and that `schema`, if set, names its schemas.',
      );
    },

    restoring: postgresRestoring(source),

    extracting: postgresExtracting((settings) => argumentsOf(source, settings)),

    explain(failure, settings) {
      // of an existing backup it is only ever about the server that it is restored on
      const target = otherTarget(settings);
      return explainPostgres(failure, target ?? source, settings, target === null ? 'database' : 'restore-to');
    },
  };
}

/** In a script of pg_dump: the search_path stays that of the database. */
const KEEP_PATH = `sed ${quote("1,60{/^SELECT pg_catalog.set_config('search_path', '', false);$/d;}")}`;
const IS_PATH = /^ALTER DATABASE "(?:[^"]|"")+" SET "search_path" TO /;

/** The database of `restore-to`, where the request was about that. */
function otherTarget({ command, restoreTo, restore }: Settings): PostgresSource | null {
  const target = command === 'verify' ? restoreTo : command === 'restore' ? restore.to : null;
  return target as PostgresSource | null; // of the same engine, as the settings are read
}

/** As far as it can be told without restoring it; null where nobody has looked. */
function tablesWithData(kind: string, facts: Facts): number | null {
  if (kind !== 'dump') return facts.numberOrNull('tables_with_data');
  const archived = facts.get('archived');
  return archived?.split('\n').filter((oid) => oid !== '').length ?? null;
}

/** For a database that is made for a rehearsal, and dropped; without a manifest it is made like the live one. */
function scratchArguments(source: PostgresSource, settings: Settings, backup: Manifest | null): Record<string, string> {
  const place = (settings.restoreTo as PostgresSource | null) ?? source;
  const scratch = `db_backup_check_${Math.floor(Date.now() / 1000)}_${randomBytes(4).toString('hex')}`;
  return {
    scratch,
    like: likeArgument(backup === null ? null : likeOf(backup.content)),
    search_path: backup === null ? '' : encoded(searchPathOf(backup.content)),
    maintenance: connectionString(place),
    scratch_connection: connectionString({ ...place, database: scratch }),
    scratch_password: place.password ?? '',
    jobs: settings.dump.jobs === null ? '' : String(settings.dump.jobs),
  };
}

/** Options of pg_dump, one a line on the host. A schema that is not there must not end as a backup of nothing. */
function optionsOf({ excludeTable, excludeTableData, schema }: DumpSettings): string[] {
  return [
    ...excludeTable.map((pattern) => `--exclude-table=${pattern}`),
    ...excludeTableData.map((pattern) => `--exclude-table-data=${pattern}`),
    ...schema.map((pattern) => `--schema=${pattern}`),
    ...(schema.length > 0 ? ['--strict-names'] : []),
  ];
}

/** SQL: the tables `c` in the schemas `n` whose data pg_dump takes with these options. */
function tablesCondition({ excludeTable, excludeTableData, schema }: DumpSettings): string {
  const excluded = [...excludeTable, ...excludeTableData].map((pattern) => `AND NOT (${tableCondition(pattern)})`);
  return [`(${schemasCondition({ schema }) || 'true'})`, ...excluded].join(' ');
}

/** SQL: the schemas `n` that were asked for; empty when all are meant. */
function schemasCondition({ schema }: Pick<DumpSettings, 'schema'>): string {
  return schema.map((pattern) => `(${schemaCondition(pattern)})`).join(' OR ');
}

const UNRELIABLE = `The pg_dump on the host is unreliable (a wrapper?), or this is a bug in this action: please report it.`;

/**
 * The archive was made from this database, and the tables whose data is in it are those that the server listed in the same snapshot;
 * else E_DUMP_FAILED. A copy of a database may have the same tables, by the same numbers.
 */
function checkArchive(facts: Facts, database: string): void {
  const from = facts.need('archived_from');
  if (from !== database) {
    throw new BackupError(
      'E_DUMP_FAILED',
      `the dump was made from the database ${quoteOutside(JSON.stringify(from), 100)}, not from ${quoteOutside(JSON.stringify(database))}`,
      UNRELIABLE,
    );
  }
  const archived = new Set(
    facts
      .need('archived')
      .split('\n')
      .filter((oid) => oid !== ''),
  );
  const listed = new Map(facts.all('table').map(tableOf));
  const ofExtensions = new Set(facts.all('of_extension'));
  const missing = [...listed].filter(([oid]) => !archived.has(oid)).map(([, name]) => name);
  const surplus = [...archived].filter((oid) => !listed.has(oid) && !ofExtensions.has(oid));
  if (missing.length === 0 && surplus.length === 0) return;
  const shown = missing
    .slice(0, 5)
    .map((name) => quoteOutside(name, 80))
    .join(', ');
  throw new BackupError(
    'E_DUMP_FAILED',
    missing.length > 0
      ? `the dump lacks the data of ${counted(missing.length, 'table')} that the server listed in the same snapshot: ${shown}`
      : `the dump holds the data of ${counted(surplus.length, 'table')} that the server did not list in the same snapshot`,
    UNRELIABLE,
  );
}

/** A script tells no numbers: it has at least as many tables as the server listed in the same snapshot; else E_DUMP_FAILED. */
function checkScript(facts: Facts): void {
  const [held, listed] = [facts.number('archived_tables'), facts.all('table').length];
  if (held >= listed) return;
  throw new BackupError(
    'E_DUMP_FAILED',
    `the dump holds the data of ${counted(held, 'table')}, but the server listed ${listed} in the same snapshot`,
    UNRELIABLE,
  );
}

/** The statements alone, as pg_dumpall wrote them, without `\restrict`; a text in quotes may have lines that look like its comments. */
function rolesOf(facts: Facts): string[] | null {
  const roles = facts.get('roles');
  if (roles === null) return null;
  const statements = roles.replace(
    /('[^']*'|"[^"]*")|^(?:--.*|\\(?:un)?restrict .*)?(?:\n|$)/gm,
    (_, quoted?: string) => quoted ?? '',
  );
  const lines = statements.replace(/\n$/, '').split('\n');
  return lines.every((line) => line.length <= LINE_LIMIT) ? lines : null;
}

function toolsOf(facts: Facts): Record<string, string> {
  return {
    PostgreSQL: quoteOutside(serverVersion(facts), 100),
    pg_dump: quoteOutside(facts.need('pg_dump_version'), 100),
    ...packersOf(facts),
  };
}

/** A sentence about the tables of which rows were not counted, those whose functions are not to be carried out or the others; none when all were. */
function notCounted(facts: Facts, why: string, isGuarded = false): string[] {
  if (facts.get('checked') === null) return [];
  const guarded = new Set(facts.all('guarded'));
  const oids = facts.all('table').map((text) => tableOf(text)[0]);
  const uncounted = tablesOf(facts).filter(
    ({ rows }, index) => rows === null && guarded.has(oids[index] ?? '') === isGuarded,
  );
  if (uncounted.length === 0) return [];
  const names = uncounted.slice(0, 5).map(({ name }) => quoteOutside(name, 80));
  const more = uncounted.length > names.length ? ', ...' : '';
  return [`the rows of ${plural(uncounted.length, 'table')} were not counted, ${why}: ${names.join(', ')}${more}`];
}
