import { randomBytes } from 'node:crypto';
import type { Backup } from '../backups/catalogue.js';
import type { Identity } from '../backups/identity.js';
import { formatId } from '../backups/names.js';
import { seconds } from '../engines/common.js';
import type { Database } from '../engines/database.js';
import { type Dump, dumpOf, type Restoring, type Step, type TargetPlan } from '../engines/restoring.js';
import { BackupError, describe, sentences } from '../errors.js';
import type { Facts, HostRequest } from '../host/session.js';
import type { HostPlace } from '../places/host.js';
import { formatDuration } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { RestoreReport } from '../reporting/report.js';
import { type Connection, directServer, note, warn } from '../run/connect.js';
import { holderOf, TELL, toldOf } from '../run/directory.js';
import type { Run } from '../run/run.js';
import { type CommandInput, runUserCommand } from '../run/user-command.js';
import { endJournal, type Journal, work, writeJournal } from './journal.js';
import { takeSafetyBackup } from './safety-backup.js';

/** What a restore is made of, as the plan has found it. */
export interface Parts {
  restoring: Restoring;
  database: Database;
  dump: Dump;
  from: string;
  host: HostPlace;
  plan: TargetPlan;
  /** What the target is. */
  identity: Identity;
}

const HERE_ALONE =
  'The safety backup is on this machine alone. If this is a runner that is thrown away after the job, the safety backup goes with it: to undo the restore, restore the backup that you took before, from the bucket.';

/** One restore, from the first change to the last. */
export class Attempt {
  private readonly step: Step;
  private readonly journal: Journal;
  private safety: Backup | null = null;
  /** What fails now is check-command. */
  private checking = false;

  constructor(
    private readonly run: Run,
    private readonly connection: Connection,
    private readonly parts: Parts,
    private readonly outcome: RestoreReport,
  ) {
    const { restoring, plan, from, identity } = parts;
    const { container, restore, commandTimeoutMs } = run.settings;
    const id = formatId(run.settings.name, run.now(), randomBytes(2).toString('hex'));
    this.step = { id, way: plan.way };
    this.journal = {
      ...{ schema: 1, id, way: plan.way, target: restoring.target, identity, container, backup: from, phase: 'begun' },
      ...{ safety: null, checkCommand: restore.checkCommand, afterBegun: false, checkBegun: false },
      commandTimeoutMs,
      by: holderOf(run, from),
    };
  }

  async carryOut(): Promise<void> {
    const { run, connection } = this;
    const { name, commandTimeoutMs } = run.settings;
    await connection.send(['request', 'begin_restore', [this.journal.id, name, seconds(commandTimeoutMs)]]);
    await this.replace().catch((error: unknown) => this.leaveUnchanged(error));
    await this.check().catch((error: unknown) => this.rollBack(error));
    this.run.left = 'database-restored';
    await this.settle();
  }

  /** Up to the moment at which the live database is the restored one. */
  private async replace(): Promise<void> {
    const { run, connection, step, outcome } = this;
    const { restoring, database, dump, from, host, plan } = this.parts;
    const { settings } = run;
    const { stopCommand, startCommand, safetyBackup } = settings.restore;
    await this.enter('begun');
    if (startCommand !== null && stopCommand !== null) {
      await connection.send(['job', 'promise', [startCommand]]);
      await this.user('stop-command', ['job', 'run_command', [stopCommand]]);
    }
    if (safetyBackup && plan.state !== 'missing' && !plan.keepsOld) {
      const damaged = plan.state === 'damaged';
      this.safety = await run.log.group('Safety backup', () =>
        takeSafetyBackup(run, connection, {
          ...{ database, restoring, damaged, from, host },
          ...{ level: plan.safetyLevel, without: plan.safetyWithout },
        }),
      );
      this.journal.safety = this.safety.id;
    }
    const started = performance.now();
    await this.enter('loading');
    const loaded = await run.log.group(`Load ${from} beside the live database`, async () => {
      const facts = await connection.send(work(run), restoring.load(settings, dump, step));
      for (const remark of restoring.loadRemarks?.(facts) ?? []) warn(run, remark);
      return restoring.loaded(facts, dump);
    });
    run.report.tables = loaded;
    await this.enter('swapping');
    await run.log.group('Swap', async () => {
      outcome.outcome = ''; // until the host has said how it ended
      const facts = await connection.send(work(run), restoring.swap(settings, dump, step));
      outcome.outcome = 'restored';
      outcome.ms = Math.round(performance.now() - started);
      for (const remark of restoring.swapped(facts, loaded, dump)) warn(run, remark);
      for (const remark of restoring.notes?.(facts) ?? []) note(run, remark);
    });
  }

  /** The restored database is what the application can work with. */
  private async check(): Promise<void> {
    const { afterCommand, checkCommand } = this.run.settings.restore;
    this.journal.afterBegun = afterCommand !== null;
    await this.enter('swapped');
    if (afterCommand !== null) {
      await this.user('after-restore-command', ['job', 'run_command', [afterCommand]]);
      this.journal.afterBegun = false;
      await this.enter('swapped');
    }
    await this.start();
    if (checkCommand === null) return;
    this.checking = true;
    await this.user('check-command', ['job', 'run_command', [checkCommand]]);
  }

  private async settle(): Promise<void> {
    const { run, connection, step, outcome } = this;
    const { restoring, from, plan } = this.parts;
    this.tellUndo();
    const settled = await connection.send(work(run), restoring.settle(run.settings, step));
    if (plan.keepsOld) this.tellOld(settled);
    run.report.ok = true;
    await connection.send(endJournal, toldOf(run), TELL);
    run.log.info(
      `${restoring.target} was restored from ${quoteOutside(from, 300)} in ${formatDuration(outcome.ms ?? 0)}`,
    );
  }

  /** Before the swap, or in it: the old state is live, or is made so. Rethrows. */
  private async leaveUnchanged(error: unknown): Promise<never> {
    const { run, connection, outcome, step } = this;
    const { restoring } = this.parts;
    // the host had said so before it was lost
    if (this.connection.said('state').at(-1) === 'restored') outcome.outcome = 'restored';
    if (outcome.outcome === 'restored') return this.rollBack(error);
    if (outcome.outcome === '' && connection.said('state').at(-1) === 'unchanged') outcome.outcome = 'unchanged';
    let isClean = this.journal.phase === 'begun';
    if (!isClean && this.isThere()) {
      // what was loaded goes; after a swap that ended badly it is looked at what is there
      const facts = await connection
        .send(work(run), restoring.recover(run.settings, step, this.journal))
        .catch(() => null);
      const state = facts?.get('state');
      if (state === 'restored') return this.rollBack(error);
      if (state === 'unchanged') outcome.outcome = 'unchanged';
      isClean = state === 'unchanged';
    }
    const stopped = await this.startAgain();
    // otherwise the next run finds it, and looks again
    if (isClean) await connection.send(endJournal).catch(() => {});
    run.left = outcome.outcome === 'unchanged' ? 'database-as-it-was' : 'database-unknown';
    const { code, message, hint } = describe(error);
    throw new BackupError(code, message, sentences(hint, stopped), { cause: error });
  }

  /** After the swap: the old state is live again. Always throws. */
  private async rollBack(error: unknown): Promise<never> {
    const { run, connection, outcome, step, safety } = this;
    const { restoring } = this.parts;
    const { message, code, hint } = describe(error);
    if (!this.isThere()) {
      run.left = 'database-restored';
      this.tellUndo();
      const ended = 'The checks after the swap did not finish; the next run of this action takes care of that.';
      throw new BackupError(code, message, sentences(hint, ended, this.wayBack()));
    }
    run.log.info(`${message}; rolling back`);
    try {
      await run.log.group('Roll back', async () => {
        await this.enter('rolling-back').catch(() => {}); // a full disk must not keep us from going back
        await this.stopAgain();
        const from = safety === null || safety.state !== 'ok' ? null : dumpOf(safety);
        await connection.send(work(run), restoring.back(run.settings, step, from));
        outcome.outcome = 'rolled-back';
      });
    } catch (second) {
      if (!this.isThere()) {
        outcome.outcome = '';
        run.left = 'database-unknown';
        const lost = describe(second);
        throw new BackupError(lost.code, `${message}; then, during the rollback: ${lost.message}`, lost.hint);
      }
      outcome.outcome = 'rollback-failed';
      run.left = 'database-needs-you';
      const stopped = await this.startAgain();
      await connection.send(endJournal).catch(() => {});
      throw new BackupError(
        'E_ROLLBACK_FAILED',
        `${message}; and the rollback failed too: ${describe(second).message}`,
        sentences(this.wayBack(), stopped),
      );
    }
    const stopped = await this.startAgain();
    await connection.send(endJournal).catch(() => {});
    run.left = 'database-rolled-back';
    const kept = safety === null ? '' : `The database was checked after that, and ${safety.id} holds the same state.`;
    const why = this.checking ? whatTheCheckSays(this.parts.plan) : '';
    throw new BackupError(
      'E_ROLLED_BACK',
      `the restore was rolled back: ${message}`,
      sentences(hint, why, kept, stopped),
    );
  }

  private tellUndo(): void {
    const { run, parts, outcome } = this;
    outcome.undo = this.wayToUndo();
    if (outcome.undo !== null && directServer(run, parts.database) !== undefined) outcome.undoNote = HERE_ALONE;
  }

  /** What was replaced is in the safety backup; one of a damaged database can not be restored. */
  private wayToUndo(): Record<string, string> | null {
    const { safety, parts, run } = this;
    if (safety === null || safety.state !== 'ok') return null;
    const { to } = run.settings.restore;
    return {
      backup: safety.id,
      // a backup of another database than `database`
      ...(to === null ? {} : { 'restore-to': to.given, 'allow-other-target': 'true' }),
      confirm: parts.restoring.targetName,
      'dry-run': 'false',
    };
  }

  /** What was replaced is still there, and takes space. */
  private tellOld(settled: Facts): void {
    const { run, outcome, step } = this;
    const places = settled.all('old_directory');
    if (places.length === 0) return;
    const old = places.map((place) => quoteOutside(place, 300)).join(', ');
    run.report.recovery = this.parts.restoring.byHand(run.settings, step, null, run.report.directory);
    outcome.undoNote = `What was replaced stays in ${old}. To go back to it, use the commands below. When you no longer need it, delete it: nothing else does.`;
    note(run, outcome.undoNote);
  }

  private wayBack(): string {
    const { restoring } = this.parts;
    const from = this.safety === null ? null : dumpOf(this.safety);
    const lines = restoring.byHand(this.run.settings, this.step, from, this.run.report.directory);
    this.run.report.recovery = lines;
    return `To bring the old state back by hand, run on the host: \`${lines.join('; ')}\`.`;
  }

  /** Whether the host can still be asked. */
  private isThere(): boolean {
    return !this.run.signal.aborted && !this.connection.isLost();
  }

  private async enter(phase: Journal['phase']): Promise<void> {
    this.journal.phase = phase;
    await writeJournal(this.run, this.connection, this.journal);
  }

  private user(input: CommandInput, request: HostRequest): Promise<void> {
    return runUserCommand(this.run, this.connection, input, request);
  }

  /** With a start-command alone, that is what makes the application take up the restored database. */
  private async start(): Promise<void> {
    const { stopCommand, startCommand } = this.run.settings.restore;
    if (startCommand === null) return;
    await this.user(
      'start-command',
      stopCommand === null ? ['job', 'run_command', [startCommand]] : ['job', 'keep_promise', []],
    );
  }

  /** On every path that ends: what was stopped runs. Returns a sentence when it does not. */
  private async startAgain(): Promise<string> {
    const { stopCommand } = this.run.settings.restore;
    if (stopCommand === null && this.outcome.outcome !== 'rolled-back') return '';
    if (!this.isThere()) return 'The host runs `start-command` on its own.';
    try {
      await this.start();
      return '';
    } catch (error) {
      const { message } = describe(error);
      this.run.report.problems.push({ level: 'error', code: 'E_HOOK', message });
      this.run.log.error(message);
      return `The application may still be down: ${message}.`;
    }
  }

  /** Before the way back: what start-command has started must not write into what is taken away. */
  private async stopAgain(): Promise<void> {
    const { stopCommand, startCommand } = this.run.settings.restore;
    if (stopCommand === null || startCommand === null) return;
    await this.connection.send(['job', 'promise', [startCommand]]);
    await this.user('stop-command', ['job', 'run_command', [stopCommand]]).catch((error: unknown) => {
      warn(this.run, describe(error).message);
    });
  }
}

/** What went back may be the very database that the restore was for, and the check may have failed for another reason than the backup. */
function whatTheCheckSays({ state }: TargetPlan): string {
  const live =
    state === 'damaged'
      ? 'The damaged database is live again.'
      : state === 'missing'
        ? ''
        : 'If you restored because that database had a fault, the fault is live again.';
  return sentences(
    live,
    'The check can fail although the backup is good, for example because new code runs on an older schema. If so, deploy the code that fits the backup first, or restore without the check: leave out `check-command`. Without it, nothing rolls the restore back automatically.',
  );
}
