import type { ErrorCode } from '../error-codes.js';
import type { Report } from '../reporting/report.js';

/** The exit statuses of `db-backup`, which scripts go by; any other is a failure. */
export const EXIT = { done: 0, failed: 1, input: 2, suspect: 3, cancelled: 130 } as const;

const OF: Partial<Record<ErrorCode, number>> = {
  E_INPUT: EXIT.input,
  E_CONFIRM: EXIT.input,
  E_SHRUNK: EXIT.suspect,
  E_STALE: EXIT.suspect,
  E_UNHEALTHY: EXIT.suspect,
  E_CANCELLED: EXIT.cancelled,
};

export function exitStatusOf({ ok, errorCode }: Pick<Report, 'ok' | 'errorCode'>): number {
  if (errorCode === '') return ok ? EXIT.done : EXIT.failed;
  return OF[errorCode] ?? EXIT.failed;
}

const WORST: readonly number[] = [EXIT.done, EXIT.suspect, EXIT.input, EXIT.failed, EXIT.cancelled];

/** Of several databases: what is worst of what came of them. */
export const worstOf = (one: number, other: number): number =>
  WORST.indexOf(one) > WORST.indexOf(other) ? one : other;
