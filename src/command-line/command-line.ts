import { cancel } from '../cancel.js';
import { BackupError, describe } from '../errors.js';
import { platform, usePlatform } from '../platform/platform.js';
import { Secrets } from '../platform/secrets.js';
import { terminal } from '../platform/terminal.js';
import { neutralise } from '../reporting/neutralise.js';
import { encode } from '../reporting/report-json.js';
import { asking } from './all-databases.js';
import { type Asked, type Others, parse } from './arguments.js';
import { addCompletion } from './completion.js';
import { type Config, readConfig } from './config.js';
import { fromEnvironment, unknownIn, unusedOf } from './environment.js';
import { EXIT, exitStatusOf, worstOf } from './exit-status.js';
import type { Inputs } from './given.js';
import { readInputHelp } from './input-help.js';
import { liveLine } from './live-line.js';
import { databasesOf, run } from './run.js';
import { scheduleCommand } from './schedule-command.js';
import { serve } from './serve-command.js';
import { choose, expanded, merged } from './targets.js';

/** `db-backup`: one command, for each of the databases that are asked for. Sets the exit status, and never throws. */
export async function commandLine(argv: readonly string[]): Promise<void> {
  let lost: NodeJS.ErrnoException | null = null;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') lost = error; // `db-backup list | head` has seen enough
  });
  process.stderr.on('error', () => {});
  let status: number;
  try {
    const help = argv.some((word) => ['--help', '-h', 'help', 'completion'].includes(word))
      ? await readInputHelp()
      : new Map();
    status = await parse(argv, help, carryOut, OTHERS);
  } catch (error) {
    status = told(describe(error));
  }
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  if (lost !== null) {
    const { message } = lost as Error;
    status = worstOf(status, told(new BackupError('E_PERM', `the result could not be written to stdout: ${message}`)));
  }
  process.exitCode = status;
}

/** Of what no run has told. */
function told({ code, message, hint }: BackupError): number {
  usePlatform(terminal());
  platform().error(neutralise([code, ': ', message, hint === '' ? '' : `. ${hint}`].join('')));
  return EXIT.failed;
}

/** Commands that are no runs of their own. */
export const OTHERS: readonly Others[] = [scheduleCommand, serve, addCompletion];

async function carryOut(given: Asked): Promise<number> {
  const known = { ...process.env };
  const unknown = unknownIn(process.env);
  const variables = fromEnvironment(process.env);
  const config = await readConfig(given.config ?? (known.DB_BACKUP_CONFIG || null), known);
  for (const name of config?.variables ?? []) delete process.env[name]; // not for those that are started later
  const secrets = new Secrets();
  const byHand = mayBeByHand(given, variables, config) ? await import('./by-hand.js') : null;
  const asked = byHand === null ? given : await byHand.withOneDatabase(given, config, secrets);
  if (asked === null) return EXIT.cancelled;
  const chosen = choose(asked, config, variables);
  const draw = process.stderr.isTTY && !asked.quiet && !asked.json ? await liveLine() : undefined;
  const notes = config === null || given.config !== null ? [] : [`configuration: ${config.path}`];
  const runs = { variables, wrong: [...unknown, ...chosen.wrong], secrets, draw, notes, warnings: unusedOf(known) };
  const targets =
    runs.wrong.length > 0
      ? chosen.targets.map((one) => (one.all ? asking(one) : one))
      : await expanded(
          asked,
          chosen.targets,
          config,
          (target) => databasesOf(asked, target, runs),
          (message) => runs.warnings.push(message),
        );
  const [only] = targets;
  if (byHand !== null && only !== undefined && !merged(asked, variables, only).has('backup')) {
    return byHand.restore(asked, secrets, (one) => run(one, only, runs));
  }
  let status: number = EXIT.done;
  for (const target of targets) {
    if (cancel.signal.aborted) return EXIT.cancelled;
    const report = await run(asked, target, runs, targets.length > 1 ? `${asked.command}: ${target.name}` : null);
    if (asked.json) process.stdout.write(`${hiddenIn(encode(report))}\n`);
    status = worstOf(status, exitStatusOf(report));
  }
  return status;
}

/** In its texts, so that it stays JSON even where a secret is a digit. */
const hiddenIn = (json: string): string =>
  JSON.stringify(JSON.parse(json), (_, value) => (typeof value === 'string' ? platform().hidden(value) : value));

/** A restore of which nobody has said which backup, by a person who can be asked. */
function mayBeByHand({ command, json, inputs }: Asked, variables: Inputs, config: Config | null): boolean {
  const isGiven = inputs.has('backup') || variables.has('backup');
  return command === 'restore' && !json && !isGiven && (config?.wrong.length ?? 0) === 0 && isTerminal();
}

const isTerminal = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true;
