import { SigningKeys } from '../backups/signature.js';
import type { InputReader } from './input-reader.js';
import { lines } from './value-rules.js';

const SHORTEST = 16;

/** Its rules name no value; each line is masked by itself, for it may turn up without the others. null: not given. */
export function readSigningKeys(reader: InputReader): SigningKeys | null | undefined {
  const keys = lines(reader.read('signing-key') ?? '');
  if (keys.length === 0) return null;
  for (const key of keys) if (key.length >= SHORTEST) reader.mask(key);
  const rule = keys.some((key) => key.length < SHORTEST)
    ? `expected at least ${SHORTEST} characters in each line, for example from \`openssl rand -base64 32\``
    : new Set(keys).size < keys.length
      ? 'expected each line only once'
      : null;
  if (rule === null) return new SigningKeys(keys);
  reader.problem('signing-key', rule);
  return undefined;
}
