import { type Command, Option } from 'commander';
import type { Others } from './arguments.js';

/** A command as it is completed: its own words, behind those that lead to it. */
interface Completed {
  /** `schedule install`; empty: the program itself. */
  path: string;
  words: readonly { word: string; about: string; takesValue: boolean }[];
}

const SHELLS = { bash, zsh, fish } as const;
export type Shell = keyof typeof SHELLS;

/** `db-backup completion SHELL`: a script for the shell, to stdout. */
export const addCompletion: Others = (root) => {
  const command = root
    .command('completion')
    .description('print the script that completes commands and options in a shell');
  const [argument] = command.argument('<shell>').registeredArguments;
  argument?.choices(Object.keys(SHELLS));
  command.addHelpText('after', INSTALL);
  command.action((shell: Shell) => void process.stdout.write(completionOf(shell, root)));
};

const INSTALL = `
bash  db-backup completion bash > ~/.local/share/bash-completion/completions/db-backup
zsh   db-backup completion zsh > ~/.zfunc/_db-backup    (and in ~/.zshrc: fpath+=~/.zfunc; autoload -Uz compinit; compinit)
fish  db-backup completion fish > ~/.config/fish/completions/db-backup.fish
`;

/** The script of one shell. */
export function completionOf(shell: Shell, root: Command): string {
  return SHELLS[shell](completedOf(root, ''));
}

function completedOf(command: Command, path: string): Completed[] {
  const options = [...command.options.filter((one) => !one.hidden), new Option('--help', 'what it does and takes')];
  const words = [
    ...command.commands.map((one) => ({ word: one.name(), about: one.description(), takesValue: false })),
    ...options.map((one) => ({
      word: one.long ?? '',
      about: firstSentence(one.description),
      takesValue: one.required,
    })),
  ];
  const below = command.commands.flatMap((one) => completedOf(one, path === '' ? one.name() : `${path} ${one.name()}`));
  return [{ path, words }, ...below];
}

/** What a list has room for. */
export function firstSentence(text: string): string {
  const [sentence = ''] = text.split(/(?<=[.:;])\s/);
  return sentence
    .replace(/[.:;]$/, '')
    .replace(/\s+/g, ' ')
    .trim();
}

const spaced = ({ words }: Completed): string => words.map(({ word }) => word).join(' ');

/** `case` goes on with the next word after these, which have commands of their own. */
function parentsOf(all: readonly Completed[]): string {
  const parents = all.filter(({ path }) => path !== '' && all.some((one) => one.path.startsWith(`${path} `)));
  return [...parents.map(({ path }) => path), 'nothing'].join(' | ');
}

/** Lines for bash and zsh alike: `$at` becomes the words that lead to a command, of those before the one that is completed. */
const goingThrough = (
  all: readonly Completed[],
  { words, first, last }: Record<'words' | 'first' | 'last', string>,
): string =>
  `  for ((i = ${first}; i < ${last}; i++)); do
    word=\${${words}[i]}
    [[ $word == -* ]] && break
    at=\${at:+$at }$word
    case $at in ${parentsOf(all)}) ;; *) break ;; esac
  done`;

function bash(all: readonly Completed[]): string {
  const cases = all.map((one) => `    '${one.path}') words='${spaced(one)}' ;;`);
  return `# bash completion of db-backup
_db_backup() {
  local at='' word words='' i
${goingThrough(all, { words: 'COMP_WORDS', first: '1', last: 'COMP_CWORD' })}
  case $at in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o bashdefault -o default -F _db_backup db-backup
`;
}

function zsh(all: readonly Completed[]): string {
  const described = ({ word, about }: Completed['words'][number]) =>
    `'${word}:${about.replaceAll('\\', '\\\\').replaceAll("'", "'\\''")}'`;
  const cases = all.map((one) => `    '${one.path}') found=(${one.words.map(described).join(' ')}) ;;`);
  return `#compdef db-backup
compdef _db-backup db-backup
_db-backup() {
  local at='' word i
  local -a found
${goingThrough(all, { words: 'words', first: '2', last: 'CURRENT' })}
  case $at in
${cases.join('\n')}
  esac
  _describe command found || _files
}
# when it is loaded by its name, and not when it is sourced
if [ "$funcstack[1]" = _db-backup ]; then _db-backup; fi
`;
}

function fish(all: readonly Completed[]): string {
  const lines = all.flatMap(({ path, words }) => {
    const seen = path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    const where = path === '' ? '__fish_use_subcommand' : seen.join('; and ');
    return words.map(({ word, about, takesValue }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}${takesValue ? ' -r' : ''}` : `-f -a ${word}`;
      return `complete -c db-backup -n '${where}' ${what} -d '${about.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
    });
  });
  return `# fish completion of db-backup\n${lines.join('\n')}\n`;
}
