import { describe } from './errors.js';
import { runOf, UPLOAD } from './main.js';
import { giveUpNoted } from './places/unfinished-upload.js';
import { platform } from './platform/platform.js';
import { actionsLog } from './reporting/log.js';
import { newReport } from './reporting/report.js';
import { connected } from './run/connect.js';
import { lookLocked, openDirectory } from './run/directory.js';
import type { Run } from './run/run.js';
import { readSettings } from './settings/inputs.js';

const LOCK_WAIT_MS = 30_000;

/**
 * After a main that was killed, or that lost the host: makes sure that nothing of it is left there. The host cleans up
 * by itself when the connection ends; this waits for it, sweeps what a crash there left, and says so. An upload that was
 * begun is given up in the store. Never fails the step.
 */
export async function post(signal: AbortSignal): Promise<void> {
  const log = actionsLog();
  let run: Run | null = null;
  try {
    const { settings } = await readSettings();
    if (settings.dryRun || ['list', 'health', 'doctor'].includes(settings.command)) return;
    const made = runOf(settings, log, newReport(new Date()), signal);
    run = made;
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
