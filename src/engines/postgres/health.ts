import { type Finding, odd, wrong } from '../../backups/finding.js';
import type { Facts } from '../../host/session.js';
import { counted, formatBytes, formatCount, formatDuration } from '../../reporting/format.js';
import type { DatabaseHealth } from '../health.js';
import { tablesOf } from './facts.js';

const CROWDED = 0.8;
const LONG_TRANSACTION_S = 3_600;
const MUCH_WAL = 1 << 30;
const VERY_MUCH_WAL = 16 * MUCH_WAL;
/** The server stops taking commands at about 2 100 million; vacuum without regard of its cost begins at 1 600 million. */
const OLD_AGE = 500_000_000;
const VERY_OLD_AGE = 1_600_000_000;
const LATE_S = 300;

/** What programs/postgres-health.sh has told. */
export function postgresHealth(facts: Facts): DatabaseHealth {
  const number = (key: string): number | null => facts.numberOrNull(key);
  const flag = (key: string): boolean => facts.get(key) === 'true';
  const seesAll = flag('sees_all');
  const figures = {
    connections: number('connections'),
    maxConnections: number('max_connections'),
    longestTransactionSeconds: seesAll ? number('longest_transaction') : null,
    replicationSlots: number('replication_slots'),
    inactiveSlots: number('inactive_slots'),
    heldWalBytes: number('held_wal'),
    unusedWalBytes: number('unused_wal'),
    wraparoundAge: number('wraparound_age'),
    archiving: flag('archiving'),
    archiveFailures: number('archive_failures'),
    archiveFailing: flag('archive_failing'),
    replicas: number('replicas'),
    replicaLagSeconds: number('replica_lag'),
    standby: flag('in_recovery'),
    standbyLagSeconds: number('standby_lag'),
    checksumFailures: number('checksum_failures'),
    invalidIndexes: number('invalid_indexes'),
    unreadable: number('unreadable'),
  };
  const notes = seesAll
    ? []
    : [
        'the role may not see the sessions of others: `GRANT pg_monitor TO` it to see the longest transaction and the lag of replicas',
      ];
  return {
    bytes: facts.number('source_bytes'),
    tables: tablesOf(facts, 'estimate'),
    isEmpty: facts.get('objects') === '0',
    estimated: true,
    figures,
    findings: findingsOf(figures),
    notes,
  };
}

type Figures = Record<string, number | boolean | null>;

/** Each with the figure that it is about; what is not known is no finding. */
function findingsOf(figures: Figures): Finding[] {
  const of = (name: string): number => Number(figures[name] ?? 0);
  const found: [boolean, () => Finding][] = [
    [
      of('checksumFailures') > 0,
      () =>
        wrong(
          'E_SOURCE_CORRUPT',
          `the server found ${counted(of('checksumFailures'), 'page')} of this database with a wrong checksum`,
          'Keep the older backups. Check the disk, and find the table: the log of the server names it. After the repair, `SELECT pg_stat_reset()` resets the count.',
        ),
    ],
    [
      of('maxConnections') > 0 && of('connections') >= of('maxConnections') * CROWDED,
      () =>
        odd(
          'E_UNHEALTHY',
          `${of('connections')} of ${of('maxConnections')} connections are in use`,
          'A backup needs two, a restore a few more. Use a pooler, or raise `max_connections`.',
        ),
    ],
    [
      of('longestTransactionSeconds') > LONG_TRANSACTION_S,
      () =>
        odd(
          'E_UNHEALTHY',
          `a transaction has been open for ${formatDuration(of('longestTransactionSeconds') * 1000)}`,
          'It keeps vacuum from cleaning up, and keeps a restore waiting. `pg_stat_activity` shows whose it is.',
        ),
    ],
    [
      of('unusedWalBytes') > MUCH_WAL,
      () =>
        wrong(
          'E_UNHEALTHY',
          `a replication slot that nobody reads retains ${formatBytes(of('unusedWalBytes'))} of WAL`,
          'Drop the slot (`pg_drop_replication_slot`), or start what reads it, before the disk of the server is full.',
        ),
    ],
    [
      of('heldWalBytes') > VERY_MUCH_WAL && of('unusedWalBytes') <= MUCH_WAL,
      () =>
        odd(
          'E_UNHEALTHY',
          `a replication slot that is being read retains ${formatBytes(of('heldWalBytes'))} of WAL`,
          'Its reader does not keep up: check that replica or subscriber before the disk of the server is full.',
        ),
    ],
    [
      of('unreadable') > 0,
      () =>
        odd(
          'E_PERM',
          `the role may not read ${counted(of('unreadable'), 'table or sequence', 'tables or sequences')}: a backup fails unless it leaves them out`,
          '`GRANT pg_read_all_data TO` it, or leave them out with `exclude-table`.',
        ),
    ],
    [
      of('wraparoundAge') > VERY_OLD_AGE,
      () =>
        wrong(
          'E_UNHEALTHY',
          `the oldest transaction number of the server is ${formatCount(of('wraparoundAge'))} transactions old: it stops taking commands at about ${formatCount(2_100_000_000)}`,
          'Find what keeps vacuum from freezing (an old transaction, a slot, a prepared transaction), and run `VACUUM FREEZE`.',
        ),
    ],
    [
      of('wraparoundAge') > OLD_AGE && of('wraparoundAge') <= VERY_OLD_AGE,
      () =>
        odd(
          'E_UNHEALTHY',
          `the oldest transaction number of the server is ${formatCount(of('wraparoundAge'))} transactions old: vacuum does not keep up`,
          'Find what keeps vacuum from freezing: an old transaction, a slot, a prepared transaction.',
        ),
    ],
    [
      figures.archiving === true && figures.archiveFailing === true,
      () =>
        wrong(
          'E_UNHEALTHY',
          'the server cannot archive its WAL: the last attempt failed, and none has succeeded since',
          'Point-in-time recovery ends there, and the disk fills up. `pg_stat_archiver` and the log of the server say why.',
        ),
    ],
    [of('replicaLagSeconds') > LATE_S, () => late('a replica is', of('replicaLagSeconds'))],
    [of('standbyLagSeconds') > LATE_S, () => late('this standby is', of('standbyLagSeconds'))],
    [
      of('invalidIndexes') > 0,
      () =>
        odd(
          'E_UNHEALTHY',
          `this database has ${counted(of('invalidIndexes'), 'invalid index', 'invalid indexes')}`,
          'A `CREATE INDEX CONCURRENTLY` failed: drop them, or run `REINDEX`.',
        ),
    ],
  ];
  return found.filter(([is]) => is).map(([, make]) => make());
}

const late = (who: string, seconds: number): Finding =>
  odd(
    'E_UNHEALTHY',
    `${who} ${formatDuration(seconds * 1000)} behind`,
    'What it has not received yet is lost with the primary, and a backup taken from it is just as old.',
  );
