import { type Finding, odd, wrong } from '../../backups/finding.js';
import type { Facts } from '../../host/session.js';
import { counted, formatBytes, formatDuration } from '../../reporting/format.js';
import { named } from '../common.js';
import type { DatabaseHealth, HealthMethod } from '../health.js';
import { archiveIn } from './archive.js';
import { argumentsOf } from './arguments.js';
import type { PhysicalSource } from './source.js';
import { newestWal } from './window.js';

const MUCH_WAL = 1 << 30;
/** Segments that wait for the archiver. */
const BACKLOG = 2;

/** How the archiving of a cluster is. */
export function physicalHealth(source: PhysicalSource): HealthMethod {
  return {
    request: (settings) => ['job', 'health_physical', named(argumentsOf(source, settings))],
    read: (facts) => healthIn(facts, new Date()),
  };
}

/** What programs/physical-health.sh has told; `now`: for the age of the newest WAL. */
export function healthIn(facts: Facts, now: Date): DatabaseHealth {
  const newest = newestWal(archiveIn(facts));
  const number = (key: string): number | null => facts.numberOrNull(key);
  const figures = {
    archiving: facts.get('archiving') === 'true',
    archiveFailing: facts.get('archive_failing') === 'true',
    archiveFailures: number('archive_failures'),
    archiveBacklog: number('archive_backlog'),
    archiveTimeoutSeconds: number('archive_timeout'),
    archiveAgeSeconds: newest === null ? null : Math.max(0, Math.round((now.getTime() - newest.getTime()) / 1000)),
    walPending: facts.get('wal_pending') === 'true',
    inactiveSlots: number('inactive_slots'),
    unusedWalBytes: number('unused_wal'),
    standby: facts.get('in_recovery') === 'true',
  };
  return {
    bytes: facts.numberOrNull('source_bytes') ?? 0,
    tables: [],
    isEmpty: false,
    estimated: true,
    figures,
    findings: findingsOf(figures),
    notes: [],
  };
}

type Figures = Record<string, number | boolean | null>;

function findingsOf(figures: Figures): Finding[] {
  const {
    archiveAgeSeconds: age,
    archiveTimeoutSeconds: timeout,
    archiveBacklog: backlog,
    unusedWalBytes: unused,
  } = figures;
  const found: (Finding | null)[] = [
    figures.archiving
      ? null
      : wrong(
          'E_ARCHIVE',
          'the server does not archive its WAL',
          'Set `archive_mode = on` and restart it: `command: doctor` prints all settings.',
        ),
    figures.archiveFailing
      ? wrong(
          'E_ARCHIVE',
          'the last attempt to archive WAL failed',
          'Look into the log of the server: it has the error of archive_command. WAL piles up in pg_wal until it works again.',
        )
      : null,
    typeof backlog === 'number' && backlog > BACKLOG
      ? odd(
          'E_ARCHIVE',
          `${counted(backlog, 'WAL segment')} wait to be archived`,
          'Archiving is slower than the server writes: check the network and the disk of the repository, or use archive-async of pgBackRest.',
        )
      : null,
    isLate(age ?? null, timeout ?? null, figures.walPending === true)
      ? wrong(
          'E_ARCHIVE',
          `the newest WAL in the repository is ${formatDuration(Number(age) * 1000)} old: what was committed since would be lost with the server`,
          timeout === 0
            ? 'Set `archive_timeout = 60` (reload): it bounds what can be lost.'
            : 'Check archive_command and the log of the server.',
        )
      : null,
    typeof unused === 'number' && unused > MUCH_WAL
      ? odd(
          'E_UNHEALTHY',
          `replication slots that nobody uses hold back ${formatBytes(unused)} of WAL`,
          'Drop what is not needed any more: `SELECT pg_drop_replication_slot(...)`.',
        )
      : null,
  ];
  return found.filter((one) => one !== null);
}

/** A quiet server with archive_timeout switches too, so age alone tells; without it only while something was written since. */
function isLate(age: number | boolean | null, timeout: number | boolean | null, pending: boolean): boolean {
  if (typeof age !== 'number' || typeof timeout !== 'number' || !pending) return false;
  return age > Math.max(3 * timeout, 300);
}
