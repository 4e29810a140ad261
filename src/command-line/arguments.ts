import { Command, CommanderError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { declared, INPUT_NAMES, type InputName, isUsedBy } from '../settings/declared-inputs.js';
import { HAND_OPTIONS, type HandOption } from '../settings/hand-inputs.js';
import { COMMANDS, type Command as CommandName, HAND_COMMANDS } from '../settings/settings.js';
import { variableOf } from './environment.js';
import { EXIT } from './exit-status.js';
import { type Given, type Inputs, literally, wrongly } from './given.js';
import type { InputHelp } from './input-help.js';

/** What the arguments ask for. */
export interface Asked {
  command: CommandName;
  /** Inputs as options, and as what stands behind the command. */
  inputs: Inputs;
  /** Options that are no inputs. */
  options: ReadonlyMap<string, string>;
  /** Names in the configuration; empty: all. */
  targets: readonly string[];
  config: string | null;
  json: boolean;
  quiet: boolean;
  scheduled: boolean;
  /** Whoever is at the terminal is asked what comes next. */
  asksNext?: true;
}

/** What each command does, in a line, and what may stand behind it. */
const ABOUT: Record<CommandName, [about: string, behind?: readonly [name: string, input: InputName][]]> = {
  backup: ['take a verified backup, then rotate'],
  restore: [
    'restore a backup, with a safety backup first so that you can undo it; without [backup], a terminal asks for one',
    [['[backup]', 'backup']],
  ],
  verify: ['verify an existing backup, up to restoring it into a throw-away database', [['[backup]', 'backup']]],
  list: ['show the backups'],
  health: ['say what is wrong with the backups and the database, changing nothing'],
  doctor: ['check everything that backups need, and show the fix for what is missing'],
  accept: ['say that a suspect backup is right', [['<backup>', 'backup']]],
  prune: ['apply `keep` without a new backup'],
  delete: ['delete one backup', [['<backup>', 'backup']]],
  pin: [
    'exempt a backup from rotation',
    [
      ['<backup>', 'backup'],
      ['<reason>', 'pin'],
    ],
  ],
  unpin: ['end that exemption', [['<backup>', 'backup']]],
  latest: ['print the id of the newest good backup, which `restore latest` takes'],
  show: ['show all that is known of one backup', [['<backup>', 'backup']]],
  extract: ['print the rows of one table of a backup', [['<backup>', 'backup']]],
};

/** Inputs that are no options: what stands first on the line, and what only a job of GitHub has. */
const NOT_OPTIONS: readonly InputName[] = ['command', 'summary', 'ledger'];

/** Adds commands that are no runs of their own. `done` gets their exit status. */
export type Others = (root: Command, done: (status: number) => void) => void;

/** The program as commander knows it. `asked` gets what was asked for, and gives the exit status. `help`: of each input; empty: none was asked for. */
export function program(
  help: InputHelp,
  asked: (what: Asked) => Promise<number>,
  others: readonly Others[],
  done: (status: number) => void,
): Command {
  const root = new Command('db-backup')
    .description('Back up a live database, verify the backup, rotate, and restore safely')
    .version(packageJson.version)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/(unknown option '--[^'=]*)=[^\n]*'/, "$1'")) })
    .showHelpAfterError('(db-backup --help, or db-backup COMMAND --help)');
  for (const name of [...COMMANDS, ...HAND_COMMANDS]) {
    const [about, behind = []] = ABOUT[name];
    const command = root.command(name).description(about).exitOverride();
    for (const [argument] of behind) command.argument(argument);
    for (const input of INPUT_NAMES) {
      if (NOT_OPTIONS.includes(input) || !isUsedBy(input, name)) continue;
      if (behind.some(([, taken]) => taken === input)) continue;
      for (const option of optionsOf(input, help)) command.addOption(option);
    }
    if (name === 'extract') {
      for (const [option, { takes, about: text }] of Object.entries(HAND_OPTIONS)) {
        command.option(`--${option}${takes === null ? '' : ` ${takes}`}`, text);
      }
    }
    common(command);
    command.addHelpText('after', secretsHelp(name));
    command.action(async (...given: unknown[]) => {
      const words = given.slice(0, behind.length) as (string | undefined)[];
      const options = given[behind.length] as Record<string, unknown>;
      const inputs = inputsOf(options);
      for (const [i, [, input]] of behind.entries()) {
        const word = words[i];
        if (word !== undefined) inputs.set(input, literally(word));
      }
      const status = await asked({
        command: name,
        inputs,
        options: handOptions(options),
        targets: (options.target as string[] | undefined) ?? [],
        config: (options.config as string | undefined) ?? null,
        json: options.json === true,
        quiet: options.quiet === true,
        scheduled: options.scheduled === true,
      });
      done(status);
    });
  }
  for (const add of others) add(root, done);
  root.addHelpText('after', `\n${NOTES.join('\n\n')}\n`);
  return root;
}

function common(command: Command): void {
  command
    .option('--config <file>', 'the configuration; default: db-backup.yml here, then /etc/db-backup/db-backup.yml')
    .option(
      '--target <name>',
      'only this one of the databases in the configuration; can be given several times',
      collect,
    )
    .option('--json', 'print the report as JSON, one line for each database')
    .option('--quiet', 'print only warnings and errors')
    .option('--scheduled', 'started by a schedule, with nobody waiting: the backup records that');
}

export const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

/** Of one input: what it takes, or, of a secret, one that is hidden and says how to give it. */
export function optionsOf(input: InputName, help: InputHelp): Option[] {
  const about = help.get(input) ?? '';
  if (declared[input].secret) return [new Option(`--${input} [text]`).hideHelp()];
  const isSwitch = ['true', 'false'].includes(declared[input].default);
  const option = new Option(`--${input} ${isSwitch ? '[true|false]' : '<value>'}`, about).argParser(collect);
  return [option];
}

/** As commander calls an option in what it returns. */
const keyOf = (option: string): string => option.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

function handOptions(options: Record<string, unknown>): ReadonlyMap<string, string> {
  const given = (Object.keys(HAND_OPTIONS) as HandOption[]).flatMap((name): [string, string][] => {
    const value = options[keyOf(name)];
    return value === undefined ? [] : [[name, String(value)]];
  });
  return new Map(given);
}

/** The inputs among the options; a secret is none, and says how to give it. */
export function inputsOf(options: Record<string, unknown>): Inputs {
  const inputs: Inputs = new Map();
  for (const input of INPUT_NAMES) {
    const value = options[keyOf(input)];
    if (value === undefined) continue;
    if (declared[input].secret) {
      inputs.set(
        input,
        wrongly(
          `a secret cannot be an option, because every user of the machine can see the arguments: set ${variableOf(input)}, or ${variableOf(input)}_FILE to a file that holds it, or say in the configuration where to find it`,
        ),
      );
    } else inputs.set(input, value === true ? literally('true') : fromOption(input, value as string[]));
  }
  return inputs;
}

function fromOption(input: InputName, values: readonly string[]): Given {
  if (values.length > 1 && !declared[input].lines) return wrongly('it is given more than once');
  const text = values.join('\n');
  // as of a variable of the shell that is not set: the default may be what nobody wants
  if (text.trim() === '') return wrongly('the option is empty: leave it out, or give it a value');
  if ((input === 'database' || input === 'restore-to') && WITH_PASSWORD.test(text)) {
    return wrongly(
      `the option holds a password, and every user of the machine can see the arguments: set ${variableOf(input)} instead, or give it without the password, and that in ${variableOf('database-password')}`,
    );
  }
  return literally(text);
}

/** A URL, or keywords of libpq. */
const WITH_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:[^/?#@]+@|[?&]password=[^&]|(^|\s)password\s*=\s*\S/i;

function secretsHelp(command: CommandName): string {
  const secrets = INPUT_NAMES.filter((name) => declared[name].secret && isUsedBy(name, command));
  return `\nSecrets cannot be options. They come from these variables, from the file that the same name with _FILE names, or from the configuration:\n${secrets.map((name) => `  ${variableOf(name)}\n`).join('')}`;
}

/** What goes for every command. */
export const NOTES: readonly string[] = [
  'Every input can also be a variable, such as DB_BACKUP_DATABASE, or be in the configuration, db-backup.yml. An option overrides a variable, and a variable overrides the configuration. Secrets cannot be options: they come from variables, from the file that DB_BACKUP_KEY_FILE or a similar variable names, or from where the configuration says.',
  'The log goes to stderr; the result of a command, such as a list, or the report with --json, goes to stdout.',
  'Exit status: 0 done, 1 failed, 2 wrong input, 3 suspect or unhealthy, 130 cancelled. With several databases the worst one counts.',
];

/** Parses the arguments and does what they ask for. The exit status. */
export async function parse(
  argv: readonly string[],
  help: InputHelp,
  asked: (what: Asked) => Promise<number>,
  others: readonly Others[] = [],
): Promise<number> {
  let status: number = EXIT.done;
  try {
    const root = program(help, asked, others, (ended) => {
      status = ended;
    });
    await root.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.done : EXIT.input;
  }
}
