import { readFileSync } from 'node:fs';
import type { InputName } from '../settings/declared-inputs.js';

/** What a source has for an input: its text. Throws an Error whose text is the rule, and holds nothing that is secret. */
export type Given = () => string;

/** More than any key, list of hosts or token has. */
const MOST_BYTES = 1_048_576;

/** What a file holds. */
export const inFile =
  (file: string): Given =>
  () => {
    let bytes: Buffer;
    try {
      bytes = readFileSync(file);
    } catch (error) {
      throw new Error(`${file} can not be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
    }
    if (bytes.length > MOST_BYTES) throw new Error(`${file} has more than ${MOST_BYTES} bytes`);
    return orEmpty(bytes.toString('utf8'), file);
  };

/** The text without blanks around it; what was named and is empty is a mistake. */
export function orEmpty(text: string, where: string): string {
  if (text.trim() === '') throw new Error(`${where} is empty`);
  return text.trim();
}

export const literally =
  (text: string): Given =>
  () =>
    text;

export const wrongly =
  (rule: string): Given =>
  () => {
    throw new Error(rule);
  };

/** By input. */
export type Inputs = Map<InputName, Given>;
