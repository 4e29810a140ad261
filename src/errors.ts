import { ERRORS, type ErrorCode } from './error-codes.js';

export { ERRORS, type ErrorCode };

/**
 * A failure that the user can act on, as a record: its text is made in one place, at the end of the run (`failureText`). `message` says what
 * happened, to what and why; `hint` what to do. What was left as it was the run knows.
 */
export class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly hint: string;
  constructor(
    readonly code: ErrorCode,
    message: string,
    hint: string = ERRORS[code].fix,
    options?: ErrorOptions,
  ) {
    super(message.trim(), options);
    this.hint = hint.trim(); // a sentence that was added to none begins with a blank
  }
}

/** One text of several; what is empty leaves no blanks behind. */
export const sentences = (...parts: readonly string[]): string =>
  parts
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .join(' ');

/** Turns anything thrown into a BackupError; what we do not know is `E_INTERNAL` and says that it is probably our bug. */
export function describe(error: unknown): BackupError {
  if (error instanceof BackupError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new BackupError('E_INTERNAL', `unexpected error: ${message}`, ERRORS.E_INTERNAL.fix, { cause: error });
}
