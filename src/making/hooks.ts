import { BackupError, describe, sentences } from '../errors.js';
import type { Facts, HostRequest } from '../host/session.js';
import type { Connection } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { commandFailure } from '../run/user-command.js';
import type { Settings } from '../settings/settings.js';

/** What the host is told of them before the backup, whose work has that id; none when there are none. */
export function hooksOf({ hooks, commandTimeoutMs }: Settings, id: string): HostRequest[] {
  const { before, after } = hooks;
  if (before === null && after === null) return [];
  const seconds = String(Math.ceil(commandTimeoutMs / 1000));
  return [['request', 'expect_hooks', [id, seconds, before ?? '', after ?? '']]];
}

/** Why `after-command` failed, where the dump and what followed it did not; null when it did not. */
export const afterFailure = (facts: Facts): BackupError | null => failureOfAfter((key) => facts.all(key));

function failureOfAfter(told: (key: string) => string[]): BackupError | null {
  const failure = commandFailure('after-command', told, 'after_');
  if (failure === null) return null;
  const message = `${failure.message}: the application may still be in maintenance mode`;
  return new BackupError(failure.code, message, failure.hint);
}

/**
 * Throws what a backup has failed with, once `after-command` has come to its end, which the host runs by itself. When that fails as well, it
 * is one of the problems.
 */
export async function failWithHooks(run: Run, connection: Connection, error: unknown): Promise<never> {
  const { after } = run.settings.hooks;
  const told = connection.said;
  const before = describe(error).code === 'E_HOOK' ? commandFailure('before-command', told, 'before_') : null;
  const failure = before ?? error;
  if (after === null) throw failure;
  const { code, message, hint } = describe(failure);
  const isBegun = told('running').length > 0;
  if (run.signal.aborted || connection.isLost()) {
    throw isBegun
      ? new BackupError(
          code,
          message,
          sentences(hint, 'The host still runs `after-command` by itself; if it cannot, the next run does so first.'),
        )
      : failure;
  }
  const ended =
    told('after_command_status').length > 0 ? null : await connection.send(['job', 'end_hooks', []]).catch(() => null);
  alsoTell(run, ended === null ? failureOfAfter(told) : afterFailure(ended));
  throw failure;
}

/** As `work`; when that throws something else than `failure`, that is one of the problems. */
export async function telling(run: Run, failure: BackupError | null, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error !== failure) alsoTell(run, failure);
    throw error;
  }
}

function alsoTell({ report, log }: Run, failure: BackupError | null): void {
  if (failure === null) return;
  report.problems.push({ level: 'error', code: failure.code, message: failure.message });
  log.error(failure.message);
}
