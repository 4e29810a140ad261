import { cancel } from '../cancel.js';
import { main } from '../main.js';
import { platform, usePlatform } from '../platform/platform.js';
import { Secrets } from '../platform/secrets.js';
import { type LiveLine, terminal } from '../platform/terminal.js';
import { post } from '../post.js';
import { neutralise } from '../reporting/neutralise.js';
import type { Report } from '../reporting/report.js';
import { encode } from '../reporting/report-json.js';
import { type InputName, isUsedBy } from '../settings/declared-inputs.js';
import { HAND_COMMANDS } from '../settings/settings.js';
import { type Asked, type Others, parse } from './arguments.js';
import { type Config, readConfig, type Target } from './config.js';
import { fromEnvironment } from './environment.js';
import { EXIT, exitStatusOf, worstOf } from './exit-status.js';
import { type Inputs, literally } from './given.js';
import { readInputHelp } from './input-help.js';

/** `db-backup`: one command, for each of the databases that are asked for. Sets the exit status, and never throws. */
export async function commandLine(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', () => {}); // `db-backup list | head`
  process.stderr.on('error', () => {});
  const help = argv.some((word) => word === '--help' || word === '-h' || word === 'help')
    ? await readInputHelp()
    : new Map();
  process.exitCode = await parse(argv, help, carryOut, OTHERS);
}

/** Commands that are no runs of their own. */
const OTHERS: readonly Others[] = [];

async function carryOut(given: Asked): Promise<number> {
  const known = { ...process.env };
  const variables = fromEnvironment(process.env);
  const config = await readConfig(given.config ?? (known.DB_BACKUP_CONFIG || null), known);
  const secrets = new Secrets();
  const byHand = mayBeByHand(given, variables, config) ? await import('./by-hand.js') : null;
  const asked = byHand === null ? given : await byHand.withOneDatabase(given, config, secrets);
  if (asked === null) return EXIT.cancelled;
  const chosen = choose(asked, config, variables);
  const draw = process.stderr.isTTY && !asked.quiet && !asked.json ? await liveLine() : undefined;
  const mixed = asked.command === 'extract' && asked.json && !asked.options.has('output');
  const wrong = [
    ...chosen.wrong,
    ...(mixed ? ['--json: with extract it takes --output, for the rows go to stdout'] : []),
  ];
  const runs = { variables, wrong, secrets, draw };
  const [only] = chosen.targets;
  if (byHand !== null && only !== undefined && isByHand(merged(asked, variables, only))) {
    return byHand.restore(asked, secrets, (one) => run(one, only, runs));
  }
  let status: number = EXIT.done;
  for (const target of chosen.targets) {
    if (cancel.signal.aborted) return EXIT.cancelled;
    const title = chosen.targets.length > 1 ? `${asked.command}: ${neutralise(target.name)}` : null;
    const report = await run(asked, target, runs, title);
    if (asked.json) process.stdout.write(`${platform().hidden(encode(report))}\n`);
    status = worstOf(status, exitStatusOf(report));
  }
  return status;
}

/** What all runs of one call have in common. */
interface Runs {
  variables: Inputs;
  wrong: readonly string[];
  secrets: Secrets;
  draw: LiveLine | undefined;
}

/** One run, for one database, with what it left looked after. */
async function run(
  asked: Asked,
  target: Target,
  { variables, wrong, secrets, draw }: Runs,
  title: string | null = null,
): Promise<Report> {
  const inputs = merged(asked, variables, target);
  usePlatform(
    terminal({
      ...{ secrets, wrong, quiet: asked.quiet, silentResult: asked.json, options: asked.options },
      ...(draw === undefined ? {} : { draw }),
      input: (name) =>
        inputs
          .get(name as InputName)?.()
          .trim() ?? '',
    }),
  );
  if (title !== null) platform().startGroup(title);
  const { report, isClean } = await main(controllerOf(cancel.signal));
  if (!isClean) await post(AbortSignal.timeout(CLEANING_MS));
  return report;
}

/** A restore of which nobody has said which backup, by a person who can be asked. */
function mayBeByHand({ command, json, inputs }: Asked, variables: Inputs, config: Config | null): boolean {
  const isGiven = inputs.has('backup') || variables.has('backup');
  return command === 'restore' && !json && !isGiven && (config?.wrong.length ?? 0) === 0 && isTerminal();
}

const isTerminal = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true;
const isByHand = (inputs: Inputs): boolean => !inputs.has('backup');

/** How long it is looked after what an ended run left on the host. */
const CLEANING_MS = 60_000;

/** Without a configuration the one database is what options and variables say. */
const ALONE: Target = { name: '', inputs: new Map() };

/** Commands that are about one backup, of one database. */
const ONE: readonly string[] = ['restore', 'accept', 'delete', 'pin', 'unpin', ...HAND_COMMANDS];
/** What makes one database of several. */
const OWN: readonly InputName[] = ['database', 'name', 'database-password', 'backup', 'restore-to'];

/** The databases that are meant, and what is wrong with that; one at least, so that all the rest is told as well. */
function choose(
  asked: Asked,
  config: Config | null,
  variables: Inputs,
): { targets: readonly Target[]; wrong: string[] } {
  const wrong = [...(config?.wrong ?? [])];
  if (config === null) {
    if (asked.targets.length > 0)
      wrong.push('--target: there is no configuration, of whose databases it would be one; --config says where it is');
    return { targets: [ALONE], wrong };
  }
  const names = config.targets.map(({ name }) => name).join(', ');
  for (const name of asked.targets) {
    if (config.targets.length > 0 && !config.targets.some((target) => target.name === name)) {
      wrong.push(`--target: there is no ${JSON.stringify(name)} in ${config.path}, which has ${names}`);
    }
  }
  const targets = config.targets.filter(({ name }) => asked.targets.length === 0 || asked.targets.includes(name));
  if (targets.length > 1) {
    if (ONE.includes(asked.command))
      wrong.push(`--target: ${asked.command} is about one database: say which of ${names}`);
    for (const name of OWN) {
      const where = asked.inputs.has(name)
        ? `--${name}`
        : variables.has(name) && name !== 'restore-to'
          ? 'the environment'
          : null;
      if (where !== null)
        wrong.push(
          `${name}: ${where} gives it, and it would be that of each of ${targets.map((one) => one.name).join(', ')}; choose one by --target`,
        );
    }
  }
  if (wrong.length > 0) return { targets: [targets[0] ?? ALONE], wrong };
  return { targets, wrong };
}

/** An option counts before a variable, a variable before the configuration. */
function merged(asked: Asked, variables: Inputs, target: Target): Inputs {
  const inputs: Inputs = new Map();
  for (const source of [target.inputs, variables]) {
    // what is for other commands says nothing here
    for (const [name, given] of source) if (isUsedBy(name, asked.command)) inputs.set(name, given);
  }
  for (const [name, given] of asked.inputs) inputs.set(name, given);
  inputs.set('command', literally(asked.command));
  return inputs;
}

/** Of one run: it ends with all others, and others do not end with its `timeout`. */
function controllerOf(signal: AbortSignal): AbortController {
  const own = new AbortController();
  if (signal.aborted) own.abort(signal.reason);
  else signal.addEventListener('abort', () => own.abort(signal.reason), { once: true });
  return own;
}

const WIDTH = 20;

async function liveLine(): Promise<LiveLine> {
  const { createLogUpdate } = await import('log-update');
  const update = createLogUpdate(process.stderr, { showCursor: true });
  return {
    draw(text, share) {
      const filled = share === null ? null : Math.round(share * WIDTH);
      update(filled === null ? text : `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${text}`);
    },
    clear: () => update.clear(),
  };
}
