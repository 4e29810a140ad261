import type { Facts } from '../../host/session.js';
import { counted } from '../../reporting/format.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Looked, SetUp } from '../../reporting/report.js';
import { decoded } from './facts.js';
import { identifier, literal } from './properties.js';

/** A role of the set-up, where that of the connection is more than a backup needs. */
const BACKUP_ROLE = 'db_backup';
/** From here on `pg_read_all_data`. */
const READ_ALL = 140_000;

/** What the role of the connection may do, as far as backups, health and restores need it. */
export function rightsInWords(facts: Facts): Looked {
  const flag = (key: string): boolean => facts.get(key) === 'true';
  const role = quoteOutside(decoded(facts.get('role') ?? ''), 100);
  const sees = flag('sees_all')
    ? 'sees the sessions of others'
    : 'does not see the sessions of others, which `health` reports (`GRANT pg_monitor`)';
  if (flag('superuser')) {
    return {
      level: 'warning',
      found: `${role} is a superuser: whoever has this secret controls the server and the files of its user`,
      todo: 'Use a role that may only read, and the owner of the database for a restore: the set-up below has the statements.',
    };
  }
  const unreadable = facts.numberOrNull('unreadable') ?? 0;
  if (unreadable > 0) {
    return {
      level: 'warning',
      found: `${role} may not read ${counted(unreadable, 'table or sequence', 'tables or sequences')}: a backup fails unless it leaves them out`,
      todo: 'The set-up below has the statements; or leave them out (`exclude-table`, `schema`).',
    };
  }
  const restores =
    flag('owns') && flag('may_create')
      ? 'owns the database and may create others: a restore loads beside it, and swaps'
      : flag('owns')
        ? 'owns the database and may not create others (CREATEDB): a restore is done in place'
        : 'does not own the database: for a restore give the URL of its owner';
  return `${role} ${restores}; ${sees}. It may read every table; only a backup shows whether row-level security hides rows from it`;
}

/** Of these no role may read all but superusers: each of them is granted, and those to come as well, by who makes them. */
function largeObjects(role: string, facts: Facts): string[] {
  if ((facts.numberOrNull('large_objects') ?? 0) === 0 || role.includes('$')) return [];
  return [
    '-- for the existing large objects; run it again for those created later:',
    'DO $grant$ DECLARE large oid; BEGIN FOR large IN SELECT oid FROM pg_largeobject_metadata LOOP',
    `  EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %s', large, ${literal(role)}); END LOOP; END $grant$;`,
  ];
}

/** The role of the connection as an identifier; null where the server tells of none. What a server says is not pasted as it is. */
function ownRole(facts: Facts): string | null {
  const told = decoded(facts.get('role') ?? '');
  if (/^[a-z_][a-z0-9_$]*$/.test(told)) return told;
  const [, quoted] = /^"((?:[^"\p{Cc}]|"")+)"$/u.exec(told) ?? [];
  return quoted === undefined ? null : identifier(quoted.replaceAll('""', '"'));
}

/** The statements by which a role gets what a backup needs, and another what a restore needs. */
export function rightsToSet(database: string, facts: Facts): SetUp[] {
  const name = identifier(database);
  const own = ownRole(facts);
  const isMuch = facts.get('superuser') === 'true' || facts.get('owns') === 'true';
  const role = isMuch || own === null ? BACKUP_ROLE : own;
  const knows = (facts.numberOrNull('server_version_num') ?? 0) >= READ_ALL;
  const read = knows
    ? [`GRANT pg_read_all_data TO ${role};`]
    : [
        '-- for each schema:',
        `GRANT USAGE ON SCHEMA public TO ${role};`,
        `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role};`,
        `GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO ${role};`,
        '-- as each role that creates tables:',
        `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ${role};`,
        `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON SEQUENCES TO ${role};`,
      ];
  return [
    {
      title: 'PostgreSQL: a role that may read, for backups',
      why: 'As a superuser, in that database. Then `\\password` sets a password that no log shows.',
      language: 'sql',
      text: [
        ...(role === own ? [] : [`CREATE ROLE ${role} LOGIN;`]),
        `GRANT CONNECT ON DATABASE ${name} TO ${role};`,
        ...read,
        '-- for command: health, the sessions of others and the lag of replicas:',
        `GRANT pg_monitor TO ${role};`,
        ...largeObjects(role, facts),
        '-- only where tables have row-level security:',
        `-- ALTER ROLE ${role} BYPASSRLS;`,
      ].join('\n'),
    },
    {
      title: 'PostgreSQL: the role of a restore',
      why: 'A restore runs as the owner of the database. With CREATEDB it loads beside the live one and swaps; without it, it restores in place.',
      language: 'sql',
      text: [
        '-- the owner:',
        `SELECT datdba::regrole FROM pg_database WHERE datname = current_database();`,
        `-- ALTER ROLE the_owner CREATEDB;`,
      ].join('\n'),
    },
  ];
}
