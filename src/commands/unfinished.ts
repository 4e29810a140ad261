import { randomBytes } from 'node:crypto';
import { formatId } from '../backups/names.js';
import type { Restoring } from '../databases/restoring.js';
import { BackupError, describe } from '../errors.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { type Connection, warn } from './connect.js';
import { endJournal, type Journal, parseJournal } from './journal.js';
import type { Run } from './run.js';
import { runUserCommand } from './user-command.js';

/** The same connection, on which a restore that was cut off is brought to an end before anything else is done. */
export function finishingFirst(run: Run, connection: Connection): Connection {
  return {
    ...connection,
    send: async (...requests) => {
      try {
        return await connection.send(...requests);
      } catch (error) {
        const [text] = connection.said('journal');
        if (!(error instanceof BackupError) || error.code !== 'E_UNFINISHED' || text === undefined) throw error;
        await finish(run, connection, parseJournal(text, run));
        return connection.send(...requests);
      }
    },
  };
}

/**
 * Undoes what was not yet swapped, and finishes what was: hours may have passed since, and what was written to the restored
 * database in the meantime is not for us to throw away. Throws E_UNFINISHED when it is about a database that this run can not reach.
 */
async function finish(run: Run, connection: Connection, journal: Journal): Promise<void> {
  const { settings } = run;
  const what = `a restore of ${journal.backup} into ${journal.target} was cut off (${journal.by})`;
  const restoring = [settings.restore.to ?? settings.database, settings.database]
    .map((target) => run.database.restoring(target))
    .find(({ target }) => target === journal.target);
  if (restoring === undefined) {
    throw new BackupError(
      'E_UNFINISHED',
      quoteOutside(what, 500),
      `It was about another database than this run: run \`restore\` once more with the same \`restore-to\`, or, when it is of no use any more, delete .work/restore-${settings.name} in the backup directory. Nothing was changed.`,
    );
  }
  const state = await run.log.group('Finish what was cut off', async () => {
    run.log.info(quoteOutside(what, 500));
    return bringToAnEnd(run, connection, restoring, journal);
  });
  warn(run, `${quoteOutside(what, 400)}; ${state}`);
}

async function bringToAnEnd(
  run: Run,
  connection: Connection,
  restoring: Restoring,
  { id, way, phase, checkCommand }: Journal,
): Promise<string> {
  const { settings } = run;
  const step = { id, way };
  const work: [kind: 'request', name: string, args: string[]] = [
    'request',
    'expect_work',
    [formatId(settings.name, run.now(), randomBytes(2).toString('hex'))],
  ];
  await connection.send(['request', 'begin_restore', [settings.name]]);
  const facts = await connection.send(work, restoring.recover(settings, step));
  // when all that was kept of the old one is gone already, nothing on the host tells any more
  let swapped = facts.need('state') === 'restored' || phase === 'swapped';
  if (swapped && phase === 'rolling-back' && way !== 'in-place') {
    await connection.send(work, restoring.back(settings, step, null));
    swapped = false;
  }
  const failed = await attempt(() =>
    runUserCommand(run, connection, 'start-command', ['job', 'start_application', []]),
  );
  let told = swapped
    ? 'the database is the restored one'
    : 'the database is as it was before it, and what had been loaded is gone';
  if (failed !== null) told += `. ${failed}: the application may be stopped`;
  if (swapped) {
    const wrong =
      checkCommand === null
        ? null
        : await attempt(() => runUserCommand(run, connection, 'check-command', ['job', 'run_command', [checkCommand]]));
    if (wrong === null) await connection.send(work, restoring.settle(settings, step));
    else {
      told += `. ${wrong}. What it replaced is still there; to go back by hand: ${restoring.byHand(step, null, run.report.directory).join('; ')}`;
    }
  }
  await connection.send(endJournal, ['request', 'end_restore', []]);
  return told;
}

/** What went wrong, or null. */
async function attempt(action: () => Promise<void>): Promise<string | null> {
  try {
    await action();
    return null;
  } catch (error) {
    return describe(error).message;
  }
}
