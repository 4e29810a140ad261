import { quote } from '../host/quoting.js';
import { declared, type InputName, isUsedBy } from '../settings/declared-inputs.js';
import type { Command } from '../settings/settings.js';
import type { Asked } from './arguments.js';

/** What is said of this very run, and of no other. */
const OF_ONE_RUN: readonly InputName[] = ['command', 'backup', 'confirm', 'dry-run'];

/**
 * The command line for these inputs; what `asked` has as options is repeated, since it may say where the database is: but for secrets, and
 * for what is empty, which are no options. Values are quoted for a POSIX shell where that is needed.
 */
export function typed(
  inputs: Readonly<Record<string, string>>,
  { config, targets, inputs: asked }: Pick<Asked, 'config' | 'targets' | 'inputs'>,
): string {
  const { command = 'backup', backup = '', ...options } = inputs;
  const repeated = [...asked].filter(
    ([name]) =>
      !OF_ONE_RUN.includes(name) && !(name in inputs) && !declared[name].secret && isUsedBy(name, command as Command),
  );
  const words = [
    ...['db-backup', command],
    ...(backup === '' ? [] : [word(backup)]),
    ...Object.entries(options).map(([name, value]) => `--${name} ${word(value)}`),
    ...repeated.flatMap(([name, given]) =>
      given()
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line) => `--${name} ${word(line)}`),
    ),
    ...(config === null ? [] : [`--config ${word(config)}`]),
    ...targets.map((target) => `--target ${word(target)}`),
  ];
  return words.join(' ');
}

/** As one types it: in quotes only where a POSIX shell needs them. */
export const word = (text: string): string =>
  /^[\w./:=@%+,-]+$/.test(text) && !text.startsWith('-') ? text : quote(text);
