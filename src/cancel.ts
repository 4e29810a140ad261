import { BackupError } from './errors.js';

/**
 * Ends the run: its reason is what the run reports. The signals are listened to from the start of the process, since one
 * without a listener kills it, and then nothing says `backup-ok=false`.
 */
export const cancel = new AbortController();

const cancelledBy = (signal: string): void =>
  cancel.abort(new BackupError('E_CANCELLED', `the run was cancelled (${signal})`));
// The runner sends SIGINT, 7.5 s later SIGTERM, 2.5 s later it kills.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => cancelledBy(signal));
// The terminal was closed. What has none is to go on, as by nohup: whether that ignores the signal Node does not tell.
process.on('SIGHUP', () => {
  if (process.stdin.isTTY || process.stderr.isTTY) cancelledBy('SIGHUP');
});
// An error of ours outside of any awaited call.
process.on('uncaughtException', (error) => cancel.abort(error));
