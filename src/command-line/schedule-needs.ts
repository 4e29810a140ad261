import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { databaseOf, parseSource } from '../engines/lookup.js';
import { describe } from '../errors.js';
import { usePlatform } from '../platform/platform.js';
import { terminal } from '../platform/terminal.js';
import type { Account, Job, Needs } from '../schedule/installation.js';
import { declared, type InputName } from '../settings/declared-inputs.js';
import { parseHostPath } from '../settings/host-path.js';
import { readSettings } from '../settings/inputs.js';
import { asking } from './all-databases.js';
import type { Config, Target } from './config.js';
import type { Inputs } from './given.js';

/** What a configuration is made for when it is run by the machine, and what can be said of it before. */
export interface Judged {
  needs: Needs;
  /** Whole messages: nothing is installed. */
  wrong: string[];
  /** Whole messages. */
  warnings: string[];
}

/** What has others started; `run-as` does as well. */
const OTHERS: readonly InputName[] = ['container', 'before-command', 'after-command'];

/**
 * Looks at each database of the configuration as these jobs will, without contacting anything. `variables`: the inputs that the environment
 * of the jobs gives, where it is that of this process; null: nobody knows it.
 */
export async function judge(
  config: Config,
  jobs: readonly Job[],
  account: Account,
  variables: Inputs | null = null,
): Promise<Judged> {
  const wrong = atHomeOfCaller(config, account);
  const targets = variables === null ? config.targets : config.targets.map((target) => within(variables, target));
  const known = variables === null ? ['file'] : ['file', 'env', 'credential'];
  const warnings: string[] = [];
  const folders = new Set<string>();
  const all = targets.flatMap(({ elsewhere }) => elsewhere);
  const of = (by: string): string[] => [...new Set(all.flatMap((one) => (one.by === by ? [one.where] : [])))];
  let startsOthers = of('command').length > 0;
  for (const target of targets.map((one) => (one.all ? asking(one) : one))) {
    const { name } = target;
    // a command may ask somebody, or take its time
    const unread = target.elsewhere.filter(({ by }) => !known.includes(by)).map(({ input }) => input);
    if (unread.length === 0) wrong.push(...(await faultsFor(target, jobs)));
    else
      warnings.push(`${name}: ${unread.join(', ')} cannot be read before it runs, so its inputs are not checked now`);
    const text = (input: InputName): string => {
      const given = unread.includes(input) ? undefined : target.inputs.get(input);
      return (given === undefined ? '' : readable(given)).trim() || declared[input].default;
    };
    if (text('transport') !== 'local') continue;
    const isOther = text('run-as') !== '' && text('run-as') !== account.name;
    if (isOther || OTHERS.some((input) => text(input) !== '')) startsOthers = true;
    const file = fileOf(text('database'));
    if (file === null) {
      warnings.push(
        `${name}: database is not known now; if it is a file, the job must be able to write to its directory`,
      );
    }
    const files = [file ?? '', text('metrics-file')].filter((path) => path !== '');
    for (const path of [text('directory'), ...files.map((one) => dirname(one))]) {
      const folder = atHome(path, account);
      if (folder !== null) folders.add(nearest(folder));
    }
  }
  const needs = {
    folders: [...folders].sort(),
    files: of('file'),
    credentials: of('credential'),
    variables: of('env'),
    startsOthers,
  };
  return { needs, wrong, warnings };
}

/** A variable counts before the configuration. */
const within = (variables: Inputs, target: Target): Target => ({
  ...target,
  inputs: new Map([...target.inputs, ...variables]),
  elsewhere: target.elsewhere.filter(({ input }) => !variables.has(input)),
});

/** `{ file: ~/pass }` is read here in the home of the caller, and by the job in its own: what is wrong with that. */
function atHomeOfCaller({ path, atHome }: Config, { name, home }: Account): string[] {
  if (home === homedir()) return [];
  return atHome.map(
    (file) => `${path}: ${file} would be read from the home of ${name}, who will run it: write the absolute path`,
  );
}

function readable(given: () => string): string {
  try {
    return given();
  } catch {
    return ''; // told among the faults
  }
}

/** What is wrong with the inputs, for which of the jobs where it is not for all. */
async function faultsFor(target: Target, jobs: readonly Job[]): Promise<string[]> {
  const found = new Map<string, Job[]>();
  for (const job of jobs) {
    for (const line of await faultsOf(target, job)) found.set(line, [...(found.get(line) ?? []), job]);
  }
  return [...found].map(([line, of]) => {
    const which = of.length === jobs.length ? '' : `, for ${of.join(' and ')}`;
    return `${target.name}${which}: ${line}`;
  });
}

/** What is wrong with the inputs of that command, a line each. */
async function faultsOf({ inputs }: Target, command: Job): Promise<string[]> {
  usePlatform(
    terminal({
      input: (name) => {
        if (name === 'command') return command;
        const given = inputs.get(name as InputName);
        return given !== undefined && declared[name as InputName].usedBy.includes(command) ? given().trim() : '';
      },
    }),
  );
  try {
    await readSettings();
    return [];
  } catch (error) {
    return describe(error).message.split('\n');
  }
}

/** The path of a database that is a file; empty: it is none. null: nobody knows. */
function fileOf(text: string): string | null {
  try {
    const { source } = parseSource(text);
    return databaseOf(source, { format: 'custom', jobs: null, excludeTable: [], excludeTableData: [], schema: [] })
      .path;
  } catch {
    return null;
  }
}

/** Absolute, as the host takes it: relative to the home of who runs it. */
function atHome(path: string, { home }: Account): string | null {
  try {
    const read = path === '.' ? '' : parseHostPath(path);
    return read.startsWith('/') ? read : join(home, read);
  } catch {
    return null; // told among the faults
  }
}

/** The folder, or the one above it that is there, in which it can then be made; never all of them. */
function nearest(folder: string): string {
  const above = dirname(folder);
  return existsSync(folder) || above === '/' || above === folder ? folder : nearest(above);
}
