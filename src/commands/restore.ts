import type { Database } from '../engines/database.js';
import { databaseOf } from '../engines/lookup.js';
import { BackupError } from '../errors.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { newRestoreReport } from '../reporting/report.js';
import { Attempt, type Parts } from '../restoring/attempt.js';
import { refuseEvent } from '../restoring/event.js';
import { work } from '../restoring/journal.js';
import { tellRestorePlan } from '../restoring/plan.js';
import { checkSafetyOpens } from '../restoring/safety-backup.js';
import { checkTarget, chooseSource, insteadOfDamaged, type Source } from '../restoring/source.js';
import { connectedToChange } from '../run/directory.js';
import { keysOf, needKeyFor, warnOfPlain } from '../run/keys.js';
import type { Run } from '../run/run.js';

/**
 * Puts a backup back: plan, safety backup, load beside the live database, check, swap, check again, or everything as it was. With `dry-run`
 * the plan alone. `report.restore.outcome` says in which state the live database is.
 */
export async function restore(run: Run): Promise<void> {
  const { settings, report } = run;
  const target = settings.restore.to ?? settings.database;
  const database = databaseOf(target, settings.dump);
  const { restoring } = database;
  const outcome = newRestoreReport(restoring);
  report.restore = outcome;
  refuseEvent(run);
  if (!settings.dryRun) checkConfirm(run, restoring.targetName);
  await connectedToChange(run, async (connection) => {
    const keys = keysOf(settings);
    if (keys.length > 0) await connection.send(...keys);
    let source = await chooseSource(run, connection);
    outcome.from = source.from;
    warnOfPlain(run, source.from, source.dump.encryption);
    if (source.dump.manifest !== null) needKeyFor(source.from, source.dump.encryption, settings);
    const planFor = ({ dump }: Source): Promise<Pick<Parts, 'plan' | 'identity'>> =>
      run.log.group(`Plan the restore into ${restoring.target}`, async () => {
        const look = settings.dryRun ? [] : [work(run)];
        const facts = await connection.send(...look, restoring.look(settings, dump));
        const found = restoring.plan(settings, facts, dump);
        tellRestorePlan(run, dump, found);
        if (found.state !== 'missing') checkTarget(run, dump, restoring.target, database.identity(facts));
        return { plan: found, identity: restoring.identity(facts) };
      });
    const planned = await planFor(source).catch(async (error: unknown) => {
      source = await insteadOfDamaged(run, source, error);
      return planFor(source);
    });
    const { dump, from, host } = source;
    checkSafetyOpens(run, dump, planned.plan);
    if (settings.dryRun) {
      outcome.next = { ...whichOf(run, database, from), confirm: restoring.targetName, 'dry-run': 'false' };
    } else {
      await new Attempt(
        run,
        connection,
        { ...{ restoring, database, dump, from, host }, ...planned },
        outcome,
      ).carryOut();
    }
    report.ok = true;
  });
}

/** By its id, since `latest` may be another one by then; of a repository by the moment, which fits no set but one. */
function whichOf({ settings }: Run, { repository }: Database, from: string): Record<string, string> {
  const { wanted } = settings.restore;
  if (repository === undefined || wanted.by !== 'latest') return { backup: from };
  const { restoreTime } = settings;
  const time = restoreTime === null || restoreTime === 'latest' ? 'latest' : restoreTime.text.replace(' ', 'T');
  return { 'restore-time': time };
}

/** Throws E_CONFIRM. */
function checkConfirm({ settings }: Run, name: string): void {
  const { confirm } = settings.restore;
  if (confirm === name) return;
  throw new BackupError(
    'E_CONFIRM',
    confirm === null
      ? `confirm is empty: a restore replaces the database ${quoteOutside(JSON.stringify(name), 200)}, so you have to give its name`
      : `confirm is ${quoteOutside(JSON.stringify(confirm), 200)}, but the database that would be replaced is ${quoteOutside(JSON.stringify(name), 200)}`,
    `Run with \`dry-run: true\` to see what would be lost. If you accept that, set \`confirm: ${quoteOutside(name, 200)}\`.`,
  );
}
