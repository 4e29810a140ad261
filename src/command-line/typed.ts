import { quote } from '../host/quoting.js';
import type { Asked } from './arguments.js';

/** The command line for these inputs; `asked` says how the database was named. Values are quoted for a POSIX shell where that is needed. */
export function typed(
  inputs: Readonly<Record<string, string>>,
  { config, targets }: Pick<Asked, 'config' | 'targets'>,
): string {
  const { command = 'backup', backup = '', ...options } = inputs;
  const words = [
    ...['db-backup', command],
    ...(backup === '' ? [] : [word(backup)]),
    ...Object.entries(options).map(([name, value]) => `--${name} ${word(value)}`),
    ...(config === null ? [] : [`--config ${word(config)}`]),
    ...targets.map((target) => `--target ${word(target)}`),
  ];
  return words.join(' ');
}

const word = (text: string): string => (/^[\w./:=@%+,-]+$/.test(text) && !text.startsWith('-') ? text : quote(text));
