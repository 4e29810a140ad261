import { hasServer, sameDatabase, serverOf } from '../backups/identity.js';
import { seconds } from '../engines/common.js';
import { databaseOf, engineOf } from '../engines/lookup.js';
import type { Restoring } from '../engines/restoring.js';
import { BackupError, describe } from '../errors.js';
import type { Facts } from '../host/session.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { type Connection, warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { runUserCommand } from '../run/user-command.js';
import { endJournal, type Journal, parseJournal, work, writeJournal } from './journal.js';

/** More were not cut off: a host that tells of more and more is not gone along with. */
const MOST = 100;
/** These say nothing about the restore that was cut off. */
const OF_THE_RUN = ['E_REMOTE_LOST', 'E_TIMEOUT', 'E_CANCELLED'];

/** The same connection, on which restores that were cut off are brought to an end before anything else is done. */
export function finishingFirst(run: Run, connection: Connection): Connection {
  return {
    ...connection,
    send: async (...requests) => {
      for (let left = MOST; ; left--) {
        try {
          return await connection.send(...requests);
        } catch (error) {
          const [text] = connection.said('journal');
          const [file] = connection.said('journal_file');
          if (!(error instanceof BackupError) || error.code !== 'E_UNFINISHED') throw error;
          if (text === undefined || file === undefined || left === 0) throw error;
          await deal(run, connection, file, text);
        }
      }
    },
  };
}

/** Finishes it, leaves it when it is about another database, or puts it aside when that is asked for. Else throws E_UNFINISHED. */
async function deal(run: Run, connection: Connection, file: string, text: string): Promise<void> {
  const { signing } = run.settings;
  const journal = parseJournal(file, text, signing);
  const what =
    journal === null
      ? `a restore was cut off, and its journal ${quoteOutside(file, 200)} cannot be read${signing === null ? '' : ', or is not signed with `signing-key`'}`
      : quoteOutside(`a restore of ${journal.backup} into ${journal.target} was cut off (${journal.by})`, 500);
  let why = '';
  try {
    const begun = (): void => {
      run.left = 'changed-in-part';
    };
    const found = journal === null ? 'not known' : await finish(run, connection, journal, what, begun);
    if (found === 'finished') return;
    if (found === 'other' && !run.settings.settleUnfinished) {
      warn(
        run,
        `${what}; it was about another database, so this run goes on. To finish it, run \`restore\` again with the same \`restore-to\`. If it is no longer needed, run any command with \`settle-unfinished: true\``,
      );
      await connection.send(['request', 'leave_journal', [file]]);
      return;
    }
    if (found === 'not known' && journal !== null) {
      why =
        '; it is unclear whether that is the database of this run: neither what the role may see of the server nor what the restore left there shows it';
    }
  } catch (error) {
    const { code, message } = describe(error);
    if (OF_THE_RUN.includes(code) || connection.isLost()) throw error;
    why = `, and could not be finished (${code}: ${message})`;
  }
  // what is not brought to an end is not ours any more
  await connection.send(['request', 'end_restore', []]);
  if (!run.settings.settleUnfinished) {
    throw new BackupError(
      'E_UNFINISHED',
      `${what}${why}`,
      `${lookAt(run, journal)} Then run once with \`settle-unfinished: true\`, which puts the journal aside.`,
    );
  }
  await connection.send(['request', 'settle_journal', [file]]);
  warn(
    run,
    `${what}${why}; because of settle-unfinished, its journal was put aside as .work/settled-${quoteOutside(file, 200)} in the backup directory, and nothing else was touched. ${lookAt(run, journal)}`,
  );
}

/** What a restore may leave, for the person who settles it. */
function lookAt(run: Run, journal: Journal | null): string {
  const left = engineOf(run.settings.database).leaves;
  return `Check whether ${journal === null ? 'the database' : quoteOutside(journal.target, 300)} is in the state that you want, whether the application runs, and whether there are ${left}.`;
}

/** Throws what keeps it from being brought to an end; `begun` is called when something is changed for it. */
async function finish(
  run: Run,
  connection: Connection,
  journal: Journal,
  what: string,
  begun: () => void,
): Promise<'finished' | 'other' | 'not known'> {
  const { settings } = run;
  let isKnown = true;
  for (const target of new Set([settings.restore.to ?? settings.database, settings.database])) {
    const { restoring } = databaseOf(target, settings.dump);
    if (hasOtherName(run, journal, restoring)) continue;
    await connection.send(['request', 'begin_restore', [journal.id, settings.name, seconds(journal.commandTimeoutMs)]]);
    const facts = await connection.send(work(run), restoring.recover(settings, journal, journal));
    const same = isAbout(run, journal, restoring, facts);
    if (same) {
      begun();
      const state = await run.log.group('Finish the restore that was cut off', async () => {
        run.log.info(what);
        return bringToAnEnd(run, connection, restoring, journal, facts);
      });
      warn(run, `${what}; ${state}`);
      return 'finished';
    }
    isKnown &&= same === false;
    await connection.send(['request', 'end_restore', []]);
  }
  return isKnown ? 'other' : 'not known';
}

/** It is told by the names alone, on whatever server. */
function hasOtherName({ settings }: Run, { identity, container }: Journal, restoring: Restoring): boolean {
  return !restoring.mayBe(identity) || (!hasServer(identity) && settings.container !== container);
}

/** Whether the target, as the host has found it, is the database of the journal; null when nobody can tell. */
function isAbout(run: Run, journal: Journal, restoring: Restoring, facts: Facts): boolean | null {
  if (facts.need('state') === 'other') return false;
  if (facts.need('state') === 'not-known') return null;
  const here = restoring.identity(facts);
  if (!sameDatabase(here, journal.identity)) return false;
  if (!hasServer(here)) return true;
  if (restoring.target === journal.target && run.settings.container === journal.container) return true;
  const isTold = serverOf(here) !== null && serverOf(journal.identity) !== null;
  // a copy of the whole server has its identifier as well, but not what the restore has made
  const isEnded = ['swapped', 'rolling-back'].includes(journal.phase);
  return isTold && (facts.get('traces') !== null || !isEnded) ? true : null;
}

/**
 * Undoes what was not yet swapped, and finishes what was: hours may have passed since, and what was written to the restored
 * database in the meantime is not for us to throw away. Returns what has become of it.
 */
async function bringToAnEnd(
  run: Run,
  connection: Connection,
  restoring: Restoring,
  journal: Journal,
  facts: Facts,
): Promise<string> {
  const { settings } = run;
  const { phase, way } = journal;
  // when all that was kept of the old one is gone already, nothing on the host tells any more
  let swapped = facts.need('state') === 'restored' || phase === 'swapped';
  if (swapped && phase === 'rolling-back' && way !== 'in-place') {
    await connection.send(work(run), restoring.back(settings, journal, null));
    swapped = false;
  }
  const failed = await attempt(() => runUserCommand(run, connection, 'start-command', ['job', 'keep_promise', []]));
  let told = swapped
    ? 'the database is the restored one'
    : 'the database is the one from before it, and what had been loaded was removed';
  if (failed !== null) told += `. ${failed}: the application may still be down`;
  if (swapped) {
    const wrong = await attempt(() => checkOnce(run, connection, journal));
    if (wrong === null || restoring.settleKeepsOld) {
      await connection.send(work(run), restoring.settle(settings, journal));
    }
    if (wrong !== null) told += `. ${wrong}. ${wayBack(run, restoring, journal)}`;
  }
  await connection.send(endJournal, ['request', 'end_restore', []]);
  return told;
}

function wayBack({ report, settings }: Run, restoring: Restoring, journal: Journal): string {
  const { way, safety } = journal;
  if (safety !== null) return `To undo it, restore its safety backup ${quoteOutside(safety, 120)}`;
  const byHand = way === 'in-place' ? [] : restoring.byHand(settings, journal, null, report.directory);
  return byHand.length === 0
    ? 'It cannot be undone: no safety backup was taken (safety-backup: false)'
    : `What it replaced is still there. To undo the restore by hand: ${byHand.join('; ')}`;
}

/** Throws E_HOOK. One that takes a run with it is not begun by every run that follows. */
async function checkOnce(run: Run, connection: Connection, journal: Journal): Promise<void> {
  const { checkCommand, checkBegun, afterBegun } = journal;
  if (afterBegun) {
    throw new BackupError('E_HOOK', 'after-restore-command was started, did not finish, and is not run again', '');
  }
  if (checkCommand === null) return;
  if (checkBegun) throw new BackupError('E_HOOK', 'check-command was run again and did not finish', '');
  await writeJournal(run, connection, { ...journal, phase: 'swapped', checkBegun: true });
  await runUserCommand(run, connection, 'check-command', ['job', 'run_command', [checkCommand]]);
}

/** What went wrong, or null; throws when it is the run that comes to an end. */
async function attempt(action: () => Promise<void>): Promise<string | null> {
  try {
    await action();
    return null;
  } catch (error) {
    const { code, message } = describe(error);
    if (OF_THE_RUN.includes(code)) throw error;
    return message;
  }
}
