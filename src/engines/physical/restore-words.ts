import type { ErrorCode } from '../../errors.js';
import type { HostFailure } from '../../host/session.js';
import type { Settings } from '../../settings/settings.js';
import type { PhysicalSource } from './source.js';

/** What is about a restore; null for what is not. */
export function restoreWords(
  _failure: HostFailure,
  _said: string,
  _source: PhysicalSource,
  _settings: Settings,
): [code: ErrorCode, message: string, advice: string] | null {
  return null;
}
