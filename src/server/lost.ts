import { LEFT, type Left, leftBefore } from '../left.js';
import { platform } from '../platform/platform.js';
import { newReport, newRestoreReport, type Report, type RestoreReport } from '../reporting/report.js';
import type { Run } from './routes.js';

/** Of a run that could not be started: nothing was begun. */
export const notStarted = (command: Run['command'], why: string): Report =>
  failed(command, `${command} could not be started: ${why}`, 'Check the log of the server.', {
    left: leftBefore({ command, dryRun: false }),
    outcome: 'unchanged',
  });

/** Of a run that ended and told nothing: it was killed, or the memory was at its end. `how`: by which status or signal. */
export function lost(command: Run['command'], how: string): Report {
  const message = `${command} ended with ${how}, without a report: ${UNKNOWN[command]}`;
  return failed(command, message, HINTS[command], { left: LEFT_BY[command], outcome: '' });
}

const UNKNOWN: Record<Run['command'], string> = {
  restore: 'it is not known if the database was replaced',
  backup: 'it is not known if a backup was made',
  delete: 'it is not known if the backup was deleted',
  list: 'there is no result',
  health: 'there is no result',
};

const LEFT_BY: Record<Run['command'], Left> = {
  restore: 'database-unknown',
  backup: 'changed-in-part',
  delete: 'changed-in-part',
  list: 'nothing-changed',
  health: 'nothing-changed',
};

const LIST = 'Check `GET /api/database/backups` before you call again.';
const HINTS: Record<Run['command'], string> = {
  restore:
    'Check the database and `GET /api/database/health` before you call again. Health names a restore that was cut off and is not settled yet.',
  backup: LIST,
  delete: LIST,
  list: 'Call again.',
  health: 'Call again.',
};

function failed(
  command: Run['command'],
  message: string,
  hint: string,
  { left, outcome }: { left: Left; outcome: RestoreReport['outcome'] },
): Report {
  platform().error(`E_INTERNAL: ${message}. ${LEFT[left].text}`);
  return {
    ...newReport(new Date()),
    ...{ command, errorCode: 'E_INTERNAL', error: { message, hint, left } },
    restore: command === 'restore' ? { ...newRestoreReport({ target: '', targetName: '' }), outcome } : null,
  };
}
