import type { ErrorCode } from '../errors.js';

/** Something that a person should look at. Whoever finds it decides how bad it is; whether a run fails for it, the command. */
export interface Finding {
  /** `error`: the backups, or the database, are not as they have to be. */
  level: 'error' | 'warning';
  code: ErrorCode;
  /** What is so, to what, and why; without a full stop. */
  message: string;
  /** What to do, in sentences; empty where the message says it. */
  todo: string;
}

export const wrong = (code: ErrorCode, message: string, todo = ''): Finding => ({
  level: 'error',
  code,
  message,
  todo,
});

export const odd = (code: ErrorCode, message: string, todo = ''): Finding => ({
  level: 'warning',
  code,
  message,
  todo,
});
