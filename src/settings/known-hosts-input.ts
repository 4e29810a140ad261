import { platform } from '../platform/platform.js';

/** The text of a known_hosts file, with a line that says something. Throws an Error whose text is the rule. */
export function parseKnownHosts(text: string): string {
  if (!/\s/.test(text) && (/^(?:[~/]|\.\.?\/)/.test(text) || text.endsWith('known_hosts'))) {
    const byHand = platform().byHand === null ? '' : ', or set DB_BACKUP_KNOWN_HOSTS_FILE to the path';
    throw new Error(`it looks like the path of a file; give the contents of that file${byHand}`);
  }
  if (text.split(/\r\n|\r|\n/).every((line) => /^\s*(?:#|$)/.test(line))) {
    throw new Error('it has only comments and blank lines; give lines as `ssh-keyscan` prints them');
  }
  return text;
}
