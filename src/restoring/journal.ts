import { randomBytes } from 'node:crypto';
import { faultInIdentity, formatOf, type Identity } from '../backups/format.js';
import { formatId } from '../backups/names.js';
import type { HostRequest } from '../host/session.js';
import type { Connection } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { LONGEST_TIMER_MS } from '../settings/value-rules.js';

/** What a restore is about to do, written on the host before it does it, so that the next run can bring it to an end. */
export interface Journal {
  schema: 1;
  id: string;
  way: string;
  /** Where the database is that is replaced, as the run was told, without a password. */
  target: string;
  /** What that database is. */
  identity: Identity;
  /** A path means another file in another container. */
  container: string | null;
  /** What is restored, for messages. */
  backup: string;
  phase: 'begun' | 'loading' | 'swapping' | 'swapped' | 'rolling-back';
  /** Id of the safety backup, or null. */
  safety: string | null;
  checkCommand: string | null;
  /** after-restore-command was begun and has not come to its end. */
  afterBegun: boolean;
  /** check-command was begun by a run that finished the restore, and is not begun again. */
  checkBegun: boolean;
  /** How long a command of the user may take. */
  commandTimeoutMs: number;
  /** Who began it, and when. */
  by: string;
}

export const PHASES: readonly Journal['phase'][] = ['begun', 'loading', 'swapping', 'swapped', 'rolling-back'];

/** The name of its file in `.work`. */
const FILE = /^restore-([A-Za-z0-9._-]{1,100})$/;

/** Resolves when the host has it on its disk. */
export async function writeJournal(connection: Connection, journal: Journal): Promise<void> {
  await connection.send(['job', 'put_journal', [JSON.stringify(journal)]]);
}

/** The restore has come to an end. */
export const endJournal: HostRequest = ['job', 'put_journal', ['']];

/** A work folder on the host, for the step of a restore that follows. */
export function work({ settings, now }: Run): HostRequest {
  return ['request', 'expect_work', [formatId(settings.name, now(), randomBytes(2).toString('hex'))]];
}

/** What stands in a file of the work folder; null when this version did not write it. */
export function parseJournal(file: string, text: string): Journal | null {
  let journal: Journal;
  try {
    journal = JSON.parse(text) as Journal;
    const { id, way, target, backup, by, safety, checkCommand, container } = journal;
    const ms = journal.commandTimeoutMs;
    const isWhole =
      journal.schema === 1 &&
      PHASES.includes(journal.phase) &&
      [id, way, target, backup, by].every((one) => typeof one === 'string') &&
      [safety, checkCommand, container].every((one) => one === null || typeof one === 'string') &&
      [journal.afterBegun, journal.checkBegun].every((one) => typeof one === 'boolean') &&
      ms >= 1000 &&
      ms <= LONGEST_TIMER_MS &&
      FILE.exec(file)?.[1] === id;
    const format = formatOf(journal.identity);
    return isWhole && format !== null && faultInIdentity(format, journal.identity) === null ? journal : null;
  } catch {
    return null;
  }
}
