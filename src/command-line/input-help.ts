import { readFileSync } from 'node:fs';
import type { InputName } from '../settings/declared-inputs.js';

export type InputHelp = ReadonlyMap<InputName, string>;

/** What action.yml says of each input, which is where it is said; without Markdown. */
export async function readInputHelp(): Promise<InputHelp> {
  const { parse } = await import('yaml');
  const { inputs } = parse(readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')) as {
    inputs: Record<InputName, { description: string; default: string }>;
  };
  return new Map(
    Object.entries(inputs).map(([name, { description, default: usual }]) => [
      name as InputName,
      `${description.replaceAll('`', '').trim()}${usual === '' ? '' : ` (default: ${usual})`}`,
    ]),
  );
}
