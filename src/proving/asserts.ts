import { plural } from '../counting.js';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import { quoteOutside } from '../reporting/neutralise.js';

/** Throws E_ASSERT with every statement that failed, or whose first value is not true in the way of its database. */
export function checkAsserts(statements: readonly string[], facts: Facts): void {
  const failed = statements.flatMap((statement, index) => {
    const error = facts.get(`assert_error_${index + 1}`);
    const value = facts.need(`assert_${index + 1}`);
    if (error === null && isTrue(value)) return [];
    return [
      `${quoteOutside(statement, 200)} ${error === null ? `returned ${quoteOutside(value, 80)}` : `failed: ${quoteOutside(error, 200)}`}`,
    ];
  });
  if (failed.length === 0) return;
  throw new BackupError(
    'E_ASSERT',
    `${failed.length} of ${plural(statements.length, 'assertion')} ${failed.length === 1 ? 'does' : 'do'} not hold in the scratch restore: ${failed.join('; ')}`,
    'Check the live database: the backup can be restored, but its content is not what you expect. The throw-away database was removed.',
  );
}

/** SQLite prints 1 for true, PostgreSQL t; a number is true unless it is 0. */
function isTrue(value: string): boolean {
  const text = value.trim();
  if (/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text)) return Number(text) !== 0;
  return /^(?:t|true)$/i.test(text);
}
