import type { Report } from '../reporting/report.js';
import type { Telling } from '../settings/notify-inputs.js';

/** `recovered`: it went well, and the last run did not. */
export type Level = 'ok' | 'failed' | 'recovered';

/** `previous`: how the last run ended; null: not known. A run that found a backup young enough has mended nothing. */
export function levelOf({ ok, skipped }: Pick<Report, 'ok' | 'skipped'>, previous: 'ok' | 'failed' | null): Level {
  if (!ok) return 'failed';
  return previous === 'failed' && skipped === null ? 'recovered' : 'ok';
}

export function isTold(when: Telling['when'], level: Level): boolean {
  return when === 'always' || (when === 'failure' && level !== 'ok');
}
