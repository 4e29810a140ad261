import { existsSync } from 'node:fs';
import type { Source } from '../engines/engine.js';
import { databaseOf, engineOf } from '../engines/lookup.js';
import { platform } from '../platform/platform.js';
import type { InputReader } from './input-reader.js';
import { type Command, type DumpSettings, EXTRACT_FORMATS, type Extraction, HAND_COMMANDS } from './settings.js';
import { oneOf } from './value-rules.js';

// What is no input of the action: commands of `db-backup` alone, and their options.

/** The options of `extract`, with what each takes. A switch takes nothing. */
export const HAND_OPTIONS = {
  table: { takes: '<name>', about: 'the table; put its schema before it if there are schemas: shop.orders' },
  format: {
    takes: '<sql|csv>',
    about: 'sql: statements that create and fill the table (default); csv: not with every engine',
  },
  'data-only': { takes: null, about: 'the rows without the statement that creates the table' },
  output: { takes: '<file>', about: 'a new file, which only you can read, instead of stdout' },
} as const;
export type HandOption = keyof typeof HAND_OPTIONS;

/** What is to be done. A command of `db-backup` alone is refused elsewhere, and in a job: it may print rows, and others read the log of a job. */
export function readCommand(reader: InputReader): Command | undefined {
  const hand = HAND_COMMANDS.find((one) => one === reader.text('command'));
  if (hand === undefined) return reader.require('command');
  const isHand = platform().byHand !== null;
  if (isHand && process.env.GITHUB_ACTIONS !== 'true') return hand;
  reader.problem(
    'command',
    isHand
      ? `${hand} is refused in a job of GitHub Actions, since others can read its log: run \`db-backup ${hand}\` on a machine of your own`
      : `${hand} is only a command of the command line, \`db-backup ${hand}\`, not of a job`,
  );
  return undefined;
}

/** What is to be taken out of a backup; null with other commands. */
export function readExtraction(
  reader: InputReader,
  command: Command | undefined,
  database: Source | undefined,
  dump: DumpSettings | undefined,
): Extraction | null | undefined {
  const hand = platform().byHand;
  if (command !== 'extract' || hand === null) return null;
  const read = <T>(name: HandOption, usual: string, parse: (text: string) => T): T | undefined => {
    try {
      return parse(hand.option(name) || usual);
    } catch (error) {
      reader.problem(name, (error as Error).message);
      return undefined;
    }
  };
  const table = read('table', '', (text) => {
    if (text !== '' && !text.includes('\0')) return text;
    throw new Error('required: the name of a table; `db-backup show` lists those of a backup');
  });
  const format = read('format', 'sql', (text) => {
    const known = oneOf(EXTRACT_FORMATS)(text);
    if (database === undefined || dump === undefined) return known;
    const formats = databaseOf(database, dump).extracting?.formats ?? [];
    if (formats.includes(known)) return known;
    const title = engineOf(database).title;
    throw new Error(
      formats.length === 0
        ? `nothing can be extracted from a backup of ${title}`
        : `expected ${formats.join(' or ')} with a ${title} database`,
    );
  });
  const output = read('output', '', (text) => {
    if (existsSync(text)) throw new Error('expected a file that does not exist yet: nothing is overwritten');
    return text === '' ? null : text;
  });
  if (table === undefined || format === undefined || output === undefined) return undefined;
  return { table, format, dataOnly: hand.option('data-only') === 'true', output };
}
