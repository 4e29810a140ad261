import type { ErrorCode } from '../../errors.js';
import type { HostFailure } from '../../host/session.js';
import type { Settings } from '../../settings/settings.js';
import type { PhysicalSource } from './source.js';

/** What is about a restore; null for what is not. */
export function restoreWords(
  { code, text }: HostFailure,
  said: string,
  _source: PhysicalSource,
  _settings: Settings,
): [code: ErrorCode, message: string, advice: string] | null {
  if (code === 'E_RESTORE' && text.includes('is younger than the set')) {
    return [
      code,
      `no scratch restore was made: ${said}, and recovering it would write into the live files there`,
      'Take a new backup: it has that tablespace, and can be verified by a restore.',
    ];
  }
  return null;
}
