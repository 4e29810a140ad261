import { declared, INPUT_NAMES, type InputName } from '../settings/declared-inputs.js';
import { word } from './typed.js';

/** One input in a text, as a workflow has it: `dry-run: true`. */
const INPUT = '`([a-z0-9-]+): ([^`\\n]+)`';
const COMMAND = new RegExp(`\`command: ([a-z]+)\`(?: with ${INPUT})?`, 'g');
/** These take the backup without an option. */
const BEHIND: readonly string[] = ['restore', 'verify', 'accept', 'delete', 'pin', 'unpin', 'show', 'extract'];
/** What the command line has no option for. */
const NOT_OPTIONS: readonly string[] = ['command', 'summary', 'ledger'];

/** What a warning or a failure says to whoever has a workflow, as it is said to somebody who types: `command: list` is `db-backup list`. */
export function forHand(text: string): string {
  return text
    .replace(COMMAND, (whole, command: string, name?: string, value = '') => {
      if (name === undefined) return `\`db-backup ${command}\``;
      const more = name === 'backup' && BEHIND.includes(command) ? word(value) : optionOf(name, value);
      return more === null ? whole : `\`db-backup ${command} ${more}\``;
    })
    .replace(new RegExp(INPUT, 'g'), (whole, name: string, value: string) => {
      const option = optionOf(name, value);
      return option === null ? whole : `\`${option}\``;
    })
    .replace(/\b([Ss])et (?=`--)/g, (_, first: string) => (first === 'S' ? 'Give ' : 'give '))
    .replaceAll('the backup workflow', 'the scheduled backup');
}

/** null: there is no such option; a secret is none either. */
function optionOf(name: string, value: string): string | null {
  const input = INPUT_NAMES.find((one) => one === name);
  if (input === undefined || NOT_OPTIONS.includes(name) || declared[input].secret) return null;
  return isSwitch(input) && value === 'true' ? `--${name}` : `--${name} ${word(value)}`;
}

const isSwitch = (input: InputName): boolean => ['true', 'false'].includes(declared[input].default);
