import { randomUUID } from 'node:crypto';
import { accept } from './commands/accept.js';
import { backup } from './commands/backup.js';
import { databases } from './commands/databases.js';
import { deleteBackup } from './commands/delete.js';
import { doctor } from './commands/doctor.js';
import { extract } from './commands/extract.js';
import { health } from './commands/health.js';
import { latest } from './commands/latest.js';
import { list } from './commands/list.js';
import { pin } from './commands/pin.js';
import { prune } from './commands/prune.js';
import { restore } from './commands/restore.js';
import { show } from './commands/show.js';
import { verify } from './commands/verify.js';
import { databaseOf } from './engines/lookup.js';
import { BackupError, describe } from './errors.js';
import { openLedger } from './ledger/keeper.js';
import { leftBefore } from './left.js';
import { platform } from './platform/platform.js';
import { failureText } from './reporting/failure-text.js';
import { lastLines } from './reporting/last-lines.js';
import { actionsLog, type Log } from './reporting/log.js';
import { neutralise } from './reporting/neutralise.js';
import { writeOutputs } from './reporting/outputs.js';
import { helpPages } from './reporting/pages.js';
import { newReport, type Report, recordFailure } from './reporting/report.js';
import { writeSummary, writeUntold } from './reporting/summary.js';
import { finishingFirst } from './restoring/unfinished.js';
import type { GitHubRun, Run } from './run/run.js';
import { readSettings } from './settings/inputs.js';
import { NOBODY } from './settings/notify-inputs.js';
import { type Command, HAND_COMMANDS, COMMANDS as NAMES, type Settings } from './settings/settings.js';
import { Teller } from './telling/tell.js';

const COMMANDS: Record<Command, (run: Run) => Promise<void>> = {
  backup,
  restore,
  verify,
  list,
  health,
  doctor,
  accept,
  prune,
  delete: deleteBackup,
  pin,
  unpin: pin,
  latest,
  show,
  extract,
};

/** In the state that goes to `post`: the upload that is unfinished. */
export const UPLOAD = 'upload';
/** The id of this run in its pings, which is no secret. */
export const RID = 'rid';
/** How it ended is told by main, to the end or not: `post` would contradict it. */
export const TOLD = 'told';

/**
 * One step: settings, the command, the report. Never throws; alone decides whether the step fails. When `cancel` is
 * aborted, by us on `timeout` or by others, the run ends with that reason. `isClean` is false when `post` should look at the host.
 * `refused`: why the command can not be carried out, where somebody has found that out before.
 */
export async function main(
  cancel: AbortController,
  refused?: BackupError,
): Promise<{ report: Report; isClean: boolean }> {
  const tail: string[] = [];
  const log = actionsLog(platform().input('notify-log').toLowerCase() === 'true' ? tail : undefined);
  const report = newReport(new Date());

  let timer: NodeJS.Timeout | undefined;
  // Inputs that are wrong fail below; what to call the run, and whether to tell, can be known all the same.
  report.command = [...NAMES, ...HAND_COMMANDS].find((name) => name === platform().input('command')) ?? report.command;
  let wantSummary = platform().input('summary') !== 'false';
  let run: Run | null = null;
  let teller = new Teller(NOBODY, '');
  try {
    // with inputs that are wrong, too, those are told who can be
    const { settings, warnings } = await readSettings((telling) => {
      teller = new Teller(telling, randomUUID());
    });
    wantSummary = settings.summary;
    describeRun(report, settings);
    for (const message of warnings) {
      report.problems.push({ level: 'warning', message });
      log.warning(message);
    }
    timer = setTimeout(() => {
      const seconds = Math.round(settings.timeoutMs / 1000);
      cancel.abort(new BackupError('E_TIMEOUT', `the run took longer than ${seconds} s (timeout)`));
    }, settings.timeoutMs);
    cancel.signal.throwIfAborted();
    if (teller.hasSomebody) platform().saveState(RID, teller.rid);
    teller.begin();
    run = runOf(settings, log, report, cancel.signal);
    if (refused !== undefined) {
      run.left = leftBefore(settings);
      throw refused;
    }
    run.ledger = openLedger(run);
    await COMMANDS[settings.command](run);
    cancel.signal.throwIfAborted();
  } catch (error) {
    const failure = failureOf(error, cancel.signal);
    recordFailure(report, failure, run?.left ?? 'nothing-contacted');
    for (const { stack } of [failure, failure.cause].filter((one) => one instanceof Error)) {
      platform().debug(neutralise(stack ?? ''));
    }
  } finally {
    clearTimeout(timer);
  }
  await run?.ledger?.tell();
  await writeReport(report, log, wantSummary);
  // When that takes long, or fails, the outputs are as they are.
  await Promise.all([run?.ledger?.save(), tellOthers(teller, run, report, tail, log, wantSummary)]);
  for (const line of lastLines(report)) log.info(line);
  return { report, isClean: run === null || (run.hostIsClean && !isCutOff(run)) };
}

/** The names, as bytes, of all databases of the server that the inputs of `list` name. Throws a BackupError. */
export async function databasesOfServer(signal: AbortSignal): Promise<Buffer[]> {
  try {
    const { settings } = await readSettings();
    const report = newReport(new Date());
    describeRun(report, settings);
    return await databases(runOf(settings, actionsLog(), report, signal));
  } catch (error) {
    throw failureOf(error, signal);
  }
}

/** A restore that is ended leaves its journal, by which `post` takes it back or finishes it. */
const isCutOff = ({ settings, left, signal }: Run): boolean =>
  settings.command === 'restore' && signal.aborted && left !== 'nothing-contacted';

async function tellOthers(
  teller: Teller,
  run: Run | null,
  report: Report,
  tail: readonly string[],
  log: Log,
  wantSummary: boolean,
): Promise<void> {
  if (!teller.hasSomebody) return;
  platform().saveState(TOLD, 'true'); // before anybody hears of it
  const ended = { report, github: gitHubRun(process.env), previous: run?.previous ?? null, log: tail };
  const warnings = await teller.end(ended);
  for (const warning of warnings) log.warning(warning);
  if (wantSummary && warnings.length > 0) await writeUntold(warnings).catch(() => {});
}

/** What a run that was cancelled ran into is no news, unless the command has more to say about the cancelling itself. */
function failureOf(error: unknown, { aborted, reason }: AbortSignal): BackupError {
  const failure = describe(error);
  if (!aborted) return failure;
  const cancelled = describe(reason);
  return failure.code === cancelled.code ? failure : cancelled;
}

async function writeReport(report: Report, log: Log, wantSummary: boolean): Promise<void> {
  report.durationMs = Date.now() - Date.parse(report.startedAt);
  if (wantSummary) {
    await writeSummary(report).catch((error: unknown) => log.warning(`the job summary could not be written: ${error}`));
  }
  if (report.error !== null) {
    const { error, restore } = helpPages(report.errorCode);
    log.info(`more about ${report.errorCode}: ${error}`);
    log.info(`how to restore: ${restore}`);
    platform().fail(neutralise(failureText(report.errorCode, report.error)));
  }
  try {
    writeOutputs(report);
  } catch (error) {
    platform().fail(`the outputs could not be written, so no gate opens: ${error}`);
  }
}

/** What the command needs, from the settings and from GitHub's environment. */
export function runOf(settings: Settings, log: Log, report: Report, signal: AbortSignal): Run {
  const run: Run = {
    settings,
    database: databaseOf(settings.database, settings.dump),
    log,
    report,
    github: gitHubRun(process.env),
    isScheduled: platform().isScheduled,
    now: () => new Date(),
    signal,
    left: 'nothing-contacted',
    hostIsClean: true,
    previous: null,
    noteUpload: (upload) => platform().saveState(UPLOAD, upload === null ? '' : JSON.stringify(upload)),
    finishingFirst: (connection) => finishingFirst(run, connection),
    copies: [],
    ledger: null,
    known: null,
  };
  return run;
}

export function describeRun(report: Report, settings: Settings): void {
  report.command = settings.command;
  report.dryRun = settings.dryRun;
  report.database = settings.database.given;
  report.name = settings.name;
  report.host = settings.transport.transport === 'ssh' ? settings.transport.host : 'this machine';
}

export function gitHubRun(env: NodeJS.ProcessEnv): GitHubRun | null {
  const repository = env.GITHUB_REPOSITORY;
  const runId = env.GITHUB_RUN_ID;
  if (!repository || !runId) return null;
  return {
    repository,
    sha: env.GITHUB_SHA ?? '',
    ref: env.GITHUB_REF ?? '',
    runId,
    runUrl: `${env.GITHUB_SERVER_URL ?? 'https://github.com'}/${repository}/actions/runs/${runId}`,
    actor: env.GITHUB_ACTOR ?? '',
    event: env.GITHUB_EVENT_NAME ?? '',
  };
}
