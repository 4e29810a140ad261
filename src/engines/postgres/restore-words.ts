import type { HostFailure } from '../../host/session.js';
import { clip } from '../../reporting/format.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import { sessionsIn, showSession } from './restore.js';
import type { PostgresSource } from './url.js';

type Words = [message: string, advice: string];

/** What a function names that is called while a dump is loaded. */
export const NOT_FOUND = /(relation|function|operator|type) .* does not exist/;
export const NOT_FOUND_ADVICE =
  'A function that is called while the dump is loaded (in a check, an index, a generated column or a materialized view) did not find what its text names, neither with an empty search_path nor with that of the database. Since PostgreSQL 17, indexes and materialized views are always created with an empty one. Give the function its own in the database (`ALTER FUNCTION ... SET search_path = ...`) and take a new backup. If this backup is all you have, load it by hand without --exit-on-error, and add what is missing.';

const letCreate = (role: string): string => `let ${role} create databases (\`ALTER ROLE ${role} CREATEDB\`)`;

/** What the tools say when a dump can not be put back, in words or by SQLSTATE, and what to do about it; the first that fits. */
const REASONS: [says: RegExp, advice: (role: string, mayCreate: boolean) => string, states?: string[]][] = [
  [
    /role ".*" does not exist/s,
    () =>
      'The dump gives objects or rights to a role that does not exist on this server. Create it there, then restore again: `content.roles` in the manifest has the statements for all roles of the server that was backed up (without passwords).',
  ],
  [
    /extension ".*" is not available|could not open extension control file|could not access file|could not load library/,
    () => 'Install the package of that extension on the server of the database, then restore again.',
    ['58P01'],
  ],
  [
    /permission denied to create extension/,
    (role) =>
      `Only a superuser may create the extension, and ${role} is not one: name a superuser in the URL for the restore. If the live database already has the extension, \`restore-way: in-place\` leaves it there.`,
  ],
  [
    /can only create extension in database/,
    () =>
      'The extension can only be created in that one database, not in a new one: `restore-way: in-place` puts the backup into the database itself.',
  ],
  [NOT_FOUND, () => NOT_FOUND_ADVICE, ['42P01', '42883']],
  [
    /[Mm]ust be superuser|permission denied to set parameter|permission denied for language/,
    (role) =>
      `Only a superuser may create what is in the dump, and ${role} is not one: name a superuser in the URL for the restore.`,
  ],
  [
    /must be member of role|must be able to SET ROLE|must be owner of|permission denied (for|to) /,
    (role) =>
      `The dump has objects of roles that ${role} is not a member of: name a superuser in the URL for the restore, or grant those roles to ${role}.`,
    ['42501'],
  ],
  [
    /already exists/,
    (role, mayCreate) =>
      `A restore in place can only replace what ${role} owns, and this belongs to another role: name a superuser or the owner of the database in the URL${mayCreate ? '' : `, or ${letCreate(role)}`}.`,
    ['42P06', '42P07', '42710', '42723'],
  ],
  [
    /belongs to other roles depends on/,
    (role) =>
      `It would go with what it depends on, and ${role} cannot bring it back: have its owner drop it before the restore and create it again afterwards, or name a superuser in the URL.`,
  ],
  [
    /out of shared memory/,
    (role, mayCreate) =>
      `One transaction needs a lock for each object of the database: raise max_locks_per_transaction on the server${mayCreate ? '' : `, or ${letCreate(role)}, so that no such transaction is needed`}.`,
    ['53200'],
  ],
  [
    /tried to end the transaction/,
    (role, mayCreate) =>
      `The script has transactions of its own, so it cannot be restored in place in a single one: ${mayCreate ? '' : `${letCreate(role)}, or `}restore a dump in the custom format.`,
  ],
  [
    /permission denied to create temporary tables/,
    (role) =>
      `A restore in place guards its transaction with a temporary table: \`GRANT TEMPORARY ON DATABASE ... TO ${role}\`.`,
  ],
  [
    /backslash commands are restricted|invalid command \\|\\(un)?restrict/,
    () =>
      'The script contains psql commands (such as \\connect), which are never run, because they could do anything. pg_dump without --create writes none; pg_dumpall does.',
  ],
  [
    /missing at its end|could not be read to its end/,
    () => 'It was cut off, or was not written by pg_dump: only its last line shows that a script is complete.',
  ],
  [
    /what was restored is not what the manifest says/,
    () => 'Do not rely on this backup: take a new one, and check who can write to that directory.',
  ],
  [
    /No space left|could not extend file|disk full/,
    () => 'The disk of the server is full: free some space.',
    ['53100'],
  ],
  [
    /invalid (locale|LC_\w+)|locale name|collation ".*" .*does not exist/,
    () => 'The server lacks the locale of the database: install it there.',
  ],
  [
    /being accessed by other users|is in use/,
    () => 'Something keeps reconnecting: set `stop-command` and `start-command`.',
    ['55006'],
  ],
  [
    /terminating connection|server closed|connection to (the )?server|no connection/,
    () => 'The server could not be reached, or ended the connection: check its log, then run again.',
    ['57P01', '57P02', '57P03'],
  ],
];

/** Puts what programs/postgres-restore.sh reported into words; null for what is told as in a backup. */
export function restoreWords(
  { code, text, facts }: Pick<HostFailure, 'code' | 'text' | 'facts'>,
  said: string,
  role: string,
  { given }: PostgresSource,
): Words | null {
  const place = quoteOutside(given);
  const state = facts.get('sqlstate') ?? '';
  const fitting = REASONS.find(([says]) => says.test(text)) ?? REASONS.find(([, , states]) => states?.includes(state));
  const advice = fitting?.[1](role, facts.get('may_create') === 'true') ?? '';
  switch (code) {
    case 'E_RESTORE':
      return [`the dump could not be restored into ${place}: ${clip(said, 1000)}`, advice];
    case 'E_ROLLBACK_FAILED':
      return [`the state before the restore could not be brought back in ${place}: ${clip(said, 1000)}`, advice];
    case 'E_TARGET_BUSY': {
      const users = sessionsIn(facts).map(showSession);
      return [
        `${place} stays in use, so it cannot be renamed: ${users.length === 0 ? said : users.slice(0, 10).join('; ')}`,
        `Set \`stop-command\` and \`start-command\` for what uses it. To end sessions that ${role} may not end, \`GRANT pg_signal_backend TO ${role}\`; those of superusers need a superuser.`,
      ];
    }
    case 'E_BUSY':
      return facts.get('in_place') === null
        ? null
        : [
            `${place} stayed locked, and a restore in place needs exclusive use of all its tables: ${said}`,
            'Something holds a lock on a table, such as a session that is idle in a transaction: check pg_stat_activity, stop the application with `stop-command`, or raise `lock-wait`.',
          ];
    case 'E_SOURCE_INVALID':
      return [`the server of ${place} is a hot standby, which cannot be written`, 'Name the primary.'];
    default:
      return null;
  }
}
