import { randomUUID } from 'node:crypto';
import { BackupError, describe } from './errors.js';
import { describeRun, RID, runOf, TOLD, UPLOAD } from './main.js';
import { giveUpNoted } from './places/unfinished-upload.js';
import { platform } from './platform/platform.js';
import { actionsLog, type Log } from './reporting/log.js';
import { newReport, recordFailure } from './reporting/report.js';
import { connected } from './run/connect.js';
import { lookLocked, openDirectory } from './run/directory.js';
import type { Run } from './run/run.js';
import { readSettings } from './settings/inputs.js';
import { NOBODY } from './settings/notify-inputs.js';
import { HAND_COMMANDS } from './settings/settings.js';
import { Teller } from './telling/tell.js';

const LOCK_WAIT_MS = 30_000;
const TELLING_MS = 30_000;

/**
 * After a main that was killed, or that lost the host: makes sure that nothing of it is left there. The host cleans up
 * by itself when the connection ends; this waits for it, sweeps what a crash there left, and says so. An upload that was
 * begun is given up in the store. Unless main had begun to tell how the run ended, those who are to be told are told that it was killed. Never
 * fails the step.
 */
export async function post(signal: AbortSignal): Promise<void> {
  const log = actionsLog();
  let run: Run | null = null;
  let teller = new Teller(NOBODY, '');
  try {
    const { settings } = await readSettings((telling) => {
      teller = new Teller(telling, platform().state(RID) || randomUUID());
    });
    if (settings.dryRun) return;
    const made = runOf(settings, log, newReport(new Date()), signal);
    run = made;
    // before the host, which may be what does not answer
    if (platform().state(TOLD) === '') await tellKilled(made, teller, log);
    if (['list', 'health', 'doctor', ...HAND_COMMANDS].includes(settings.command)) return; // they leave nothing there
    await connected(made, async (connection) => {
      await made
        .finishingFirst(connection)
        .send(...openDirectory(made, 'change'), lookLocked(made, 'clean-up', LOCK_WAIT_MS));
    });
    log.info('the run ended early; nothing of it is left on the host');
  } catch (error) {
    const { code, message } = describe(error);
    log.warning(
      `the run ended early, and what it left on the host could not be looked at (${code}: ${message}). The host cleans up by itself within a minute, and the next run sweeps what is left`,
    );
  }
  if (run !== null) await giveUpNoted(run, platform().state(UPLOAD));
}

async function tellKilled({ settings, report, github }: Run, teller: Teller, log: Log): Promise<void> {
  if (!teller.hasSomebody) return;
  describeRun(report, settings);
  const message =
    'the run was killed before it came to an end: it was cancelled, its job took too long, or the runner stopped';
  const killed = new BackupError('E_CANCELLED', message, 'Look at the log of the run, then start it again.');
  recordFailure(report, killed, settings.command === 'restore' ? 'database-unknown' : 'changed-in-part');
  for (const warning of await teller.end({ report, github, previous: null, log: [] }, TELLING_MS)) log.warning(warning);
}
