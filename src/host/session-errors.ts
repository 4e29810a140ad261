import { BackupError } from '../errors.js';
import type { ShellEnd } from './host.js';

// Why a session is over, in words. `said` is all that the host printed without our mark.

/** The job of a request did not come to its end. */
export function stopped(label: string, how: string, said: string): BackupError {
  return new BackupError(
    'E_REMOTE_LOST',
    `the program on ${label} was stopped before it finished (${how})${quoted(said)}`,
  );
}

export function idle(label: string, ms: number): BackupError {
  return new BackupError('E_TIMEOUT', `${label} made no progress for ${seconds(ms)} s (idle-timeout)`);
}

/** Our program did not greet. That may be for good, or the host is slow. */
export function silent(label: string, ms: number, said: string): BackupError {
  return new BackupError(
    'E_SHELL',
    `the login shell of ${label} did not start our program within ${seconds(ms)} s (connect-timeout)${quoted(said)}`,
    'If the host is only slow, for example under load, raise `connect-timeout`. Otherwise give the user a shell, or remove the forced command.',
  );
}

/** The shell is gone, before (E_SHELL) or after our program greeted. */
export function ended(label: string, { lost, signal, code }: ShellEnd, greeted: boolean, said: string): BackupError {
  if (lost !== null) return new BackupError('E_REMOTE_LOST', `the connection to ${label} was lost: ${lost}`);
  const status = code === null ? 'without a status' : `with status ${code}`;
  const how = signal === null ? status : `by signal ${signal}`;
  return greeted
    ? new BackupError(
        'E_REMOTE_LOST',
        `the session on ${label} ended before the program finished, ${how}${quoted(said)}`,
      )
    : new BackupError(
        'E_SHELL',
        `the login shell of ${label} ended ${how} and did not start our program${quoted(said)}`,
      );
}

function quoted(said: string): string {
  const text = said.trim().slice(0, 200);
  return text === '' ? '; there was no output' : `; the output was: ${JSON.stringify(text)}`;
}

const seconds = (ms: number): number => Math.round(ms / 1000);
