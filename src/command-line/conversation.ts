import { createInterface } from 'node:readline/promises';
import { cancel } from '../cancel.js';
import { LEFT } from '../left.js';
import type { Secrets } from '../platform/secrets.js';
import { neutralise } from '../reporting/neutralise.js';

/** The person has left: Ctrl-C, Ctrl-D, or the terminal is gone. */
export class Left extends Error {}

/** Questions and what they are about, on stderr, which is a terminal; everything passes `neutralise`. */
export class Conversation {
  constructor(private readonly secrets: Secrets) {}

  say(text: string): void {
    process.stderr.write(`${this.safe(text)}\n`);
  }

  /** At the end of one that came to nothing. */
  sayUnchanged(): void {
    this.say(LEFT['nothing-changed'].text);
  }

  /** What is typed, without blanks around it. Throws Left. */
  async ask(question: string): Promise<string> {
    // one for each question: between them Ctrl-C is a signal again
    const line = createInterface({ input: process.stdin, output: process.stderr, terminal: true, historySize: 0 });
    const leaving = new AbortController();
    const leave = (): void => leaving.abort();
    line.once('SIGINT', leave);
    line.once('close', leave);
    try {
      const signal = AbortSignal.any([leaving.signal, cancel.signal]);
      return (await line.question(this.safe(question), { signal })).trim();
    } catch {
      process.stderr.write('\n');
      throw new Left();
    } finally {
      line.close();
    }
  }

  private safe(text: string): string {
    return neutralise(this.secrets.hidden(text));
  }
}
