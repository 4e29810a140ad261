import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { BackupError } from '../../src/errors.js';
import type { InputName } from '../../src/settings/declared-inputs.js';
import { readSettings } from '../../src/settings/inputs.js';

export type Given = Partial<Record<InputName, string>>;

/** A private key made by ssh-keygen, encrypted when a passphrase is given. */
export function makeKey(passphrase = ''): string {
  const folder = mkdtempSync(join(tmpdir(), 'inputs-'));
  try {
    const file = join(folder, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-a', '1', '-N', passphrase, '-C', '', '-f', file]);
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the runner saw: settings or the error, and each masked value in order. */
export interface Outcome {
  result: Awaited<ReturnType<typeof readSettings>> | null;
  error: BackupError | null;
  masks: string[];
}

/** Reads the settings as the runner would have them read: one `INPUT_*` variable for each input. */
export async function reading(given: Given): Promise<Outcome> {
  for (const name of Object.keys(process.env)) if (name.startsWith('INPUT_')) delete process.env[name];
  for (const [name, value] of Object.entries(given)) process.env[`INPUT_${name.toUpperCase()}`] = value;
  process.env.GITHUB_ACTIONS = 'true';
  let printed = '';
  const stdout = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  const outcome: Outcome = { result: null, error: null, masks: [] };
  try {
    outcome.result = await readSettings();
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    outcome.error = error;
  } finally {
    stdout.mockRestore();
  }
  for (const [, value = ''] of printed.matchAll(/^::add-mask::(.*)$/gm)) {
    outcome.masks.push(value.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%'));
  }
  return outcome;
}

/** The settings and warnings; throws when there are none. */
export async function accepted(given: Given) {
  const { result, error } = await reading(given);
  if (result === null) throw error;
  return result;
}

/** Each problem of the message; throws when the inputs are accepted. */
export async function problems(given: Given): Promise<string[]> {
  const { error } = await reading(given);
  if (error === null) throw new Error('the inputs were accepted');
  if (error.code !== 'E_INPUT') throw error;
  return error.message.split('\n');
}
