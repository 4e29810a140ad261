import { BackupError } from './errors.js';

/**
 * Ends the run: its reason is what the run reports. The signals are listened to from the start of the process, since one
 * without a listener kills it, and then nothing says `backup-ok=false`.
 */
export const cancel = new AbortController();

// The runner sends SIGINT, 7.5 s later SIGTERM, 2.5 s later it kills. SIGHUP: the terminal was closed.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => cancel.abort(new BackupError('E_CANCELLED', `the run was cancelled (${signal})`)));
}
// An error of ours outside of any awaited call.
process.on('uncaughtException', (error) => cancel.abort(error));
