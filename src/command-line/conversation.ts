import { createInterface } from 'node:readline/promises';
import { setTimeout } from 'node:timers/promises';
import { cancel } from '../cancel.js';
import { LEFT } from '../left.js';
import type { Secrets } from '../platform/secrets.js';
import { neutralise } from '../reporting/neutralise.js';

const CTRL_C = 3;
/** For what is under way within this machine, and too short to be felt. */
const FORGETTING_MS = 50;

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

  /** What is typed after the question is there, without blanks around it. Throws Left. */
  async ask(question: string): Promise<string> {
    await this.forgetTyped();
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

  /** What was typed before answers nothing: nobody had seen the question, nor the plan that it is about. Throws Left. */
  private async forgetTyped(): Promise<void> {
    const { stdin } = process;
    let hasLeft = false;
    const forget = (typed: Buffer): void => {
      hasLeft ||= typed.includes(CTRL_C);
    };
    const leave = (): void => {
      hasLeft = true;
    };
    stdin.setRawMode(true); // the terminal would keep the beginning of a line for the question
    stdin.on('data', forget).once('end', leave).once('error', leave).resume();
    await setTimeout(FORGETTING_MS);
    stdin.off('data', forget).off('end', leave).off('error', leave).pause();
    stdin.setRawMode(false);
    if (!hasLeft) return;
    process.stderr.write('\n');
    throw new Left();
  }

  private safe(text: string): string {
    return neutralise(this.secrets.hidden(text));
  }
}
