import { BackupError } from '../errors.js';
import type { HostRequest } from '../host/session.js';
import type { Connection } from './connect.js';
import type { Run } from './run.js';

/** What a restore is about to do, written on the host before it does it, so that the next run can bring it to an end. */
export interface Journal {
  schema: 1;
  id: string;
  way: string;
  /** Where the database is that is replaced, without a password. */
  target: string;
  /** What is restored, for messages. */
  backup: string;
  phase: 'begun' | 'loading' | 'swapping' | 'swapped' | 'rolling-back';
  /** Id of the safety backup, or null. */
  safety: string | null;
  checkCommand: string | null;
  /** Who began it, and when. */
  by: string;
}

export const PHASES: readonly Journal['phase'][] = ['begun', 'loading', 'swapping', 'swapped', 'rolling-back'];

/** Resolves when the host has it on its disk. */
export async function writeJournal(connection: Connection, journal: Journal): Promise<void> {
  await connection.send(['job', 'put_journal', [JSON.stringify(journal)]]);
}

/** The restore has come to an end. */
export const endJournal: HostRequest = ['job', 'put_journal', ['']];

/** Throws E_UNFINISHED for what this version did not write. */
export function parseJournal(text: string, run: Run): Journal {
  try {
    const journal = JSON.parse(text) as Journal;
    const texts = [journal.id, journal.way, journal.target, journal.backup, journal.by];
    const optional = [journal.safety, journal.checkCommand];
    if (
      journal.schema === 1 &&
      PHASES.includes(journal.phase) &&
      texts.every((one) => typeof one === 'string') &&
      optional.every((one) => one === null || typeof one === 'string') &&
      /^[A-Za-z0-9._-]{1,100}$/.test(journal.id)
    ) {
      return journal;
    }
  } catch {
    // told below
  }
  throw new BackupError(
    'E_UNFINISHED',
    `a restore was cut off, and its journal .work/restore-${run.settings.name} in ${run.settings.directory} can not be read`,
    'Look at the database, then delete that file. Nothing was changed.',
  );
}
