import { actions } from './actions.js';
import { terminal } from './terminal.js';

/** What a person at a command line has, and a job has not. */
export interface Hand {
  /** An option that is no input; empty when it is not given. */
  option(name: string): string;
  /** What somebody would type to run this with these inputs, besides those that say where the database is. */
  typed(inputs: Readonly<Record<string, string>>): string;
  /** A warning or a failure, in which a workflow is spoken of, as somebody who types needs it. */
  worded(text: string): string;
  /** Somebody is asked what comes next, and need not type it. */
  readonly asksNext: boolean;
  /** How somebody gives an input that is missing: its option, its variable. The end of a sentence. */
  gives(input: string): string;
  /** What the command was asked for, to stdout: byte by byte, unless that is a terminal. Rejects when nobody takes it. */
  write(bytes: Uint8Array): Promise<void>;
}

/** What this program runs on: where its inputs come from, and where what it has to tell goes. */
export interface Platform {
  /** An input, trimmed; empty when it is not given. Throws an Error whose text is a rule, when what should give it does not. */
  input(name: string): string;
  /** Nobody asked for this very run: a schedule did. */
  readonly isScheduled: boolean;
  /** What is wrong with where the inputs come from, besides the inputs themselves: whole messages. */
  readonly wrong: readonly string[];
  /** What to do about inputs that are wrong, and about those that are empty. */
  readonly advice: { wrong: string; empty: string };
  /** null: it was not started as `db-backup`. */
  readonly byHand: Hand | null;
  /** From now on this text is not shown in anything that is printed. */
  secret(text: string): void;
  /** The text without any of those, for what goes somewhere else. */
  hidden(text: string): string;
  info(text: string): void;
  /** What the command was asked for, such as a list. */
  result(text: string): void;
  /** How far something is, where a line can be written anew; false: it can not. `share`: 0..1, null when nobody knows. */
  live(text: string, share: number | null): boolean;
  warning(message: string): void;
  error(message: string): void;
  debug(text: string): void;
  startGroup(title: string): void;
  endGroup(): void;
  /** The run fails with this message. */
  fail(message: string): void;
  output(name: string, value: string): void;
  /** For `post`, which is a process of its own. */
  saveState(name: string, value: string): void;
  state(name: string): string;
  /** Shows the form that has a place here, if any. Rejects when it can not be written there. */
  summary(forms: SummaryForms): Promise<void>;
}

/** What a run has to show at its end: as Markdown for a page, as lines for a terminal. */
export interface SummaryForms {
  markdown(): string;
  text(): string;
}

let chosen: Platform | null = null;

/** From now on the program runs on this. */
export function usePlatform(platform: Platform): void {
  chosen = platform;
}

/**
 * The runner's protocol is for the runner alone: elsewhere `::add-mask::` would be what shows a secret, and nobody takes an output.
 * Those that are made after GitHub's set the variable as well.
 */
export const platform = (): Platform => (chosen ??= process.env.GITHUB_ACTIONS === 'true' ? actions : terminal());
