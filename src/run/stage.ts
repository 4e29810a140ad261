import { formatBytes, formatDuration, formatRate } from '../reporting/format.js';
import { Progress } from '../reporting/progress.js';
import type { Run } from './run.js';

/** A stage in which so many bytes go through this process or past it: its progress in the log, at its end time and rate, also in the report. */
export function beginStage({ log, report }: Run, name: string, bytes: number) {
  const started = performance.now();
  const progress = new Progress(log, name, bytes);
  return {
    update: (done: number): void => void progress.update(done),
    /** `more`: what else the line in the log says. */
    end: (more = ''): void => {
      const ms = Math.round(performance.now() - started);
      report.stages.push({ name, ms, bytes });
      log.info(`${name}: ${formatBytes(bytes)} in ${formatDuration(ms)} (${formatRate(bytes, ms)})${more}`);
    },
  };
}
