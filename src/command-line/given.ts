import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { InputName } from '../settings/declared-inputs.js';

/** What a source has for an input: its text. Throws an Error whose text is the rule, and holds nothing that is secret. */
export type Given = () => string;

/** More than any key, list of hosts or token has. */
export const MOST_BYTES = 1_048_576;

/**
 * Opens a file to be read, and nothing that would be waited for, as a named pipe, or has no end. Throws an Error with a code, or whose text
 * is the rule.
 */
export function openFile(path: string): { file: number; close(): void } {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stats = fstatSync(file);
  if (stats.isFile() && stats.size <= MOST_BYTES) return { file, close: () => closeSync(file) };
  closeSync(file);
  throw new Error(stats.isFile() ? `it has more than ${MOST_BYTES} bytes` : 'it is not a file');
}

/** What a file holds. */
export const inFile =
  (path: string): Given =>
  () => {
    let text: string;
    try {
      const { file, close } = openFile(path);
      text = readFileSync(file, 'utf8');
      close();
    } catch (error) {
      throw new Error(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
    }
    return orEmpty(text, path);
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
