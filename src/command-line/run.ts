import { cancel } from '../cancel.js';
import { databasesOfServer, main } from '../main.js';
import { platform, usePlatform } from '../platform/platform.js';
import type { Secrets } from '../platform/secrets.js';
import { type LiveLine, terminal } from '../platform/terminal.js';
import { post } from '../post.js';
import { neutralise } from '../reporting/neutralise.js';
import type { Report } from '../reporting/report.js';
import type { InputName } from '../settings/declared-inputs.js';
import type { Asked } from './arguments.js';
import type { Target } from './config.js';
import { givenBy } from './environment.js';
import type { Inputs } from './given.js';
import { merged } from './targets.js';
import { typed } from './typed.js';
import { forHand } from './wording.js';

/** What all runs of one call have in common. */
export interface Runs {
  variables: Inputs;
  wrong: readonly string[];
  secrets: Secrets;
  draw: LiveLine | undefined;
  /** Not told yet. */
  notes: string[];
  warnings: string[];
}

/** How long it is looked after what an ended run left on the host. */
const CLEANING_MS = 60_000;

/** One run, for one database, with what it left looked after. `title`: of one of several; its lines say so. */
export async function run(asked: Asked, target: Target, runs: Runs, title: string | null = null): Promise<Report> {
  begin(asked, target, runs, title);
  const { report, isClean } = await main(controllerOf(cancel.signal), target.refused);
  if (!isClean) await post(AbortSignal.timeout(CLEANING_MS));
  report.name ||= target.name; // with wrong input nobody has told it
  return report;
}

/** The names of all databases of a server. Throws what a run would fail with. */
export function databasesOf(asked: Asked, target: Target, runs: Runs): Promise<Buffer[]> {
  begin({ ...asked, command: 'list' }, target, runs, `databases: ${target.name}`);
  return databasesOfServer(cancel.signal);
}

function begin(
  asked: Asked,
  target: Target,
  { variables, wrong, secrets, draw, notes, warnings }: Runs,
  title: string | null,
): void {
  const inputs = merged(asked, variables, target);
  usePlatform(
    terminal({
      ...{ secrets, wrong, quiet: asked.quiet, isScheduled: asked.scheduled, silentResult: asked.json },
      ...(draw === undefined ? {} : { draw }),
      about: title === null ? '' : target.name,
      hand: {
        option: (name) => asked.options.get(name) ?? '',
        typed: (inputs) => typed(inputs, asked),
        worded: forHand,
        asksNext: asked.asksNext === true,
        gives: (name) => givenBy(name as InputName),
      },
      input: (name) =>
        inputs
          .get(name as InputName)?.()
          .trim() ?? '',
    }),
  );
  for (const note of notes.splice(0)) platform().info(neutralise(note));
  for (const warning of warnings.splice(0)) platform().warning(warning);
  if (title !== null) platform().startGroup(neutralise(title));
}

/** Of one run: it ends with all others, and others do not end with its `timeout`. */
function controllerOf(signal: AbortSignal): AbortController {
  const own = new AbortController();
  if (signal.aborted) own.abort(signal.reason);
  else signal.addEventListener('abort', () => own.abort(signal.reason), { once: true });
  return own;
}
