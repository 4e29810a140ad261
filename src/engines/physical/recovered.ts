import { BackupError } from '../../errors.js';
import type { Facts } from '../../host/session.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import { archiveIn, nameOf, numberOf, timelineOf } from './archive.js';
import { LSN, parseLsn } from './sets.js';

/**
 * That a recovery came past an LSN: the server takes a segment that cannot be fetched for the end of the WAL, goes on from there, and ends
 * well. `past`: null where nothing is known. Throws E_ARCHIVE.
 */
export function checkRecovered(facts: Facts, past: bigint | null, timeline: number): void {
  const told = facts.get('recovered_lsn') ?? '';
  if (!LSN.test(told)) {
    throw new BackupError(
      'E_RESTORE',
      'the restored server left no history of its timeline, so nothing shows how far it was recovered',
      'Look at its log on the host.',
    );
  }
  if (past === null || parseLsn(told) > past) return;
  const { segmentBytes } = archiveIn(facts);
  const lacking = nameOf(timeline, past / segmentBytes, segmentBytes);
  const said = facts.get('recovery_said') ?? '';
  throw new BackupError(
    'E_ARCHIVE',
    `the recovery ended too early, at ${told}: the repository has the WAL segment ${lacking}, but it, or one before it, could not be fetched${said === '' ? '' : ` (${quoteOutside(said, 500)})`}`,
    'Check the disk of the repository, or the network to it: `pgbackrest verify` names damaged WAL. To restore up to there all the same, set `restore-time` to a moment before that segment was archived.',
  );
}

/** The same for all that a server could archive before it was stopped. Throws E_ARCHIVE, E_MANIFEST. */
export function checkRest(facts: Facts, timeline: number): void {
  const last = facts.get('archived_to');
  if (last === null) return;
  const { segmentBytes } = archiveIn(facts);
  if (timelineOf(last) === timeline) {
    checkRecovered(facts, numberOf(last, segmentBytes) * segmentBytes, timeline);
  }
}
