import { CLOCK_TOLERANCE_MS } from '../backups/retention.js';
import { describe } from '../errors.js';
import type { Facts, HostRequest } from '../host/session.js';
import { metricsOf } from '../reporting/metrics.js';
import { type Report, recordFailure } from '../reporting/report.js';
import { reportJson } from '../reporting/report-json.js';
import { historyLine } from '../reporting/run-history.js';
import { type Connection, connected } from './connect.js';
import type { Run } from './run.js';

/**
 * Enters the backup directory, when the clocks agree: `create` makes it, `change` works in one that is there, `look`
 * writes nothing at all.
 */
export function openDirectory(run: Run, how: 'create' | 'change' | 'look'): HostRequest[] {
  const { directory, umask } = run.settings;
  return [checkClock(run, 'request'), ['request', 'open_directory', [directory, umask, how]]];
}

/** Tells the clock of the host. Throws E_CLOCK when it is too far from that of the runner. */
export function checkClock(run: Run, kind: 'request' | 'job' = 'job'): HostRequest {
  return [kind, 'check_clock', [seconds(run.now().getTime()), seconds(CLOCK_TOLERANCE_MS)]];
}

/** How far the clock that check_clock has told is ahead of the runner's, in milliseconds; the host tells whole seconds. */
export const aheadOf = ({ now }: Run, facts: Facts): number => facts.number('clock') * 1000 - now().getTime();

/** The catalogue, for reading. */
export function look({ settings, database }: Run): HostRequest {
  return ['job', 'look', [settings.name, database.path]];
}

/** The catalogue, under the lock, for a change that follows; what dead runs left is swept. */
export function lookLocked(run: Run, what: string, waitMs = run.settings.lockWaitMs): HostRequest {
  return ['job', 'look_locked', [run.settings.name, run.database.path, seconds(waitMs), holderOf(run, what)]];
}

/** Who holds the lock, for the runs that wait for it: one line. */
export function holderOf(run: Run, what: string): string {
  const from = run.github === null ? 'a run outside GitHub' : `${run.github.runUrl} (${run.github.actor})`;
  return `${run.settings.command} ${what} of ${from}, since ${run.now().toISOString()}`.replace(/[\r\n]/g, ' ');
}

/**
 * What the host is to tell of this run, as it stands: `status.json`, and once, when the run is well or has failed, its line in the history
 * and the metrics. TELL, `finish` and `change` write it.
 */
export function toldOf({ settings, github, now, known, report: own }: Run, report: Report = own): HostRequest {
  const at = now();
  report.durationMs = at.getTime() - Date.parse(report.startedAt);
  const isOver = report.ok || report.error !== null;
  const history = isOver && settings.history ? historyLine(report, github, at) : '';
  const metrics = metricsOf(report, settings.database.engine, known, at);
  const file = isOver ? (settings.metricsFile ?? '') : '';
  return ['request', 'will_tell', [`${reportJson(report)}\n`, history, file, metrics.run, metrics.backups]];
}

/** Writes that, when there is nothing else to be done. */
export const TELL: HostRequest = ['job', 'tell_run', []];

/** As `connected`, for commands that change the directory: a failure is left there too, as far as it can be written. */
export async function connectedToChange(run: Run, work: (connection: Connection) => Promise<void>): Promise<void> {
  await connected(run, async (bare) => {
    const connection = run.finishingFirst(bare);
    try {
      await work(connection);
    } catch (error) {
      if (!run.settings.dryRun) {
        const report = structuredClone(run.report);
        recordFailure(report, describe(error), run.left);
        await connection.send(toldOf(run, report), TELL).catch(() => {});
      }
      throw error;
    }
  });
}

const seconds = (ms: number): string => String(Math.ceil(ms / 1000));
