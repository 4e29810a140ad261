import { actions } from './actions.js';
import { terminal } from './terminal.js';

/** What this program runs on: where its inputs come from, and where what it has to tell goes. */
export interface Platform {
  /** An input, trimmed; empty when it is not given. */
  input(name: string): string;
  /** From now on this text is not shown in anything that is printed. */
  secret(text: string): void;
  /** The text without any of those, for what goes somewhere else. */
  hidden(text: string): string;
  info(text: string): void;
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
  /** Rejects when there is a place for it, and it can not be written. */
  summary(markdown: string): Promise<void>;
}

/**
 * The runner's protocol is for the runner alone: elsewhere `::add-mask::` would be what shows a secret, and nobody takes an output.
 * Those that are made after GitHub's set the variable as well.
 */
export const platform = (): Platform => (process.env.GITHUB_ACTIONS === 'true' ? actions : terminal);
