import type { Secrets } from '../platform/secrets.js';
import type { Report } from '../reporting/report.js';
import { INPUT_NAMES, type InputName, isUsedBy } from '../settings/declared-inputs.js';
import type { Command } from '../settings/settings.js';
import type { Asked } from './arguments.js';
import type { Config } from './config.js';
import { Conversation, Left } from './conversation.js';
import { type Inputs, literally } from './given.js';
import { chooseDatabase, restoreByHand } from './restore-by-hand.js';

// A restore by hand as the command line starts it.

/** The same for one database of the configuration, which is asked for where several may be meant; null: the person has left. */
export async function withOneDatabase(asked: Asked, config: Config | null, secrets: Secrets): Promise<Asked | null> {
  const names = config?.targets.map(({ name }) => name).filter(isAmong(asked.targets)) ?? [];
  if (names.length < 2) return asked;
  const conversation = new Conversation(secrets);
  try {
    return { ...asked, targets: [await chooseDatabase(conversation, names)] };
  } catch (error) {
    if (!(error instanceof Left)) throw error;
    conversation.sayUnchanged();
    return null;
  }
}

const isAmong =
  (targets: readonly string[]) =>
  (name: string): boolean =>
    targets.length === 0 || targets.includes(name);

/** `run`: as the command line runs what is asked. */
export function restore(asked: Asked, secrets: Secrets, run: (asked: Asked) => Promise<Report>): Promise<number> {
  return restoreByHand({
    conversation: new Conversation(secrets),
    run: (command, inputs, isAside, asksNext = false) =>
      run({
        ...asked,
        ...(asksNext ? { asksNext } : {}),
        command,
        inputs: besides(asked.inputs, command, inputs),
        quiet: isAside || (asked.quiet && inputs['dry-run'] === undefined), // the plan is to be seen
        json: isAside, // what it prints is shown in another way
      }),
    isConfirmed: asked.inputs.has('confirm'),
    now: () => new Date(),
  });
}

/** With these, and with what was given that means something to the command. No store is asked: all that is needed is on the host. */
function besides(given: Inputs, command: Command, more: Partial<Record<InputName, string>>): Inputs {
  const inputs: Inputs = new Map([...given].filter(([name]) => isUsedBy(name, command)));
  for (const name of INPUT_NAMES) if (name.startsWith('s3-')) inputs.set(name, literally(''));
  for (const [name, text] of Object.entries(more)) inputs.set(name as InputName, literally(text));
  return inputs;
}
