import { sentences } from '../errors.js';
import { LEFT } from '../left.js';
import type { Report } from './report.js';

/** A message may end with what a tool has said, which may be a sentence. */
const ended = (message: string): string => (/[.!?]$/.test(message) ? message : `${message}.`);

/** The text of a failure: the code, what happened, what to do, what was left as it was. */
export function failureText(code: string, { message, hint, left }: NonNullable<Report['error']>): string {
  return sentences(`${code}: ${ended(message)}`, hint, LEFT[left].text);
}
