import { LEFT } from '../left.js';
import type { Report } from './report.js';

/** One text of several sentences; what is empty leaves no blanks behind. */
const sentences = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');

/** A message may end with what a tool has said, which may be a sentence. */
const ended = (message: string): string => (/[.!?]$/.test(message) ? message : `${message}.`);

/** The text of a failure: the code, what happened, what to do, what was left as it was. */
export function failureText(code: string, { message, hint, left }: NonNullable<Report['error']>): string {
  return sentences(`${code}: ${ended(message)}`, hint, LEFT[left]);
}
