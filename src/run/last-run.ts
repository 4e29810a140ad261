import type { Settings } from '../settings/settings.js';

/** How a `status.json` begins, as reportJson writes it. Who can write the directory can write this as well. */
const BEGINNING = /^\{"schema":1,"command":"([a-z]+)","name":"([A-Za-z0-9._-]+)","ok":(true|false),/;

/** How the last run that left a status ended, when it was of the same command and database; null: not known. */
export function lastRun(status: string, { command, name }: Pick<Settings, 'command' | 'name'>): 'ok' | 'failed' | null {
  const [, ofCommand, ofName, ok] = BEGINNING.exec(status) ?? [];
  return ofCommand === command && ofName === name ? (ok === 'true' ? 'ok' : 'failed') : null;
}
