import { BackupError } from '../errors.js';
import { counted } from '../reporting/format.js';
import type { Problem } from '../reporting/report.js';

/** One error for all that were found. */
export function unhealthy(errors: readonly Problem[]): BackupError {
  const [first] = errors;
  const code = first?.code === undefined ? '' : `${first.code}: `;
  const more = errors.length > 1 ? `; and ${counted(errors.length - 1, 'more error')}` : '';
  return new BackupError('E_UNHEALTHY', `${code}${first?.message ?? ''}${more}`);
}
