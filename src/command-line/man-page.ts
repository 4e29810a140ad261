import type { Command, Option } from 'commander';

/** The manual page of the program, without a date, so that it is the same every day, in the language of man(7). `about`: what stands before the commands, a paragraph each. */
export function manPage(root: Command, version: string, about: readonly string[]): string {
  return [
    `.TH DB\\-BACKUP 1 "" "db\\-backup ${version}" "User Commands"`,
    '.SH NAME',
    `db\\-backup \\- ${roff(lowered(root.description()))}`,
    '.SH SYNOPSIS',
    '.B db\\-backup',
    '.I command',
    '[\\fIoptions\\fR]',
    '.SH DESCRIPTION',
    about.map(roff).join('\n.PP\n'),
    '.SH COMMANDS',
    ...commandsOf(root, '').flatMap(({ path, command }) => [
      '.TP',
      `.B ${roff([path, ...command.registeredArguments.map((one) => (one.required ? `<${one.name()}>` : `[${one.name()}]`))].join(' '))}`,
      roff(`${command.description()}.`),
    ]),
    '.SH OPTIONS',
    ...optionsOf(root).flatMap(({ option, of }) => [
      '.TP',
      `.B ${roff(option.flags)}`,
      roff(option.description),
      ...(of === '' ? [] : ['.br', roff(`With ${of}.`)]),
    ]),
    '',
  ].join('\n');
}

const lowered = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** Those that do something, with the words that lead to them. */
function commandsOf(command: Command, path: string): { path: string; command: Command }[] {
  return command.commands.flatMap((one) => {
    const own = path === '' ? one.name() : `${path} ${one.name()}`;
    return one.commands.length > 0 ? commandsOf(one, own) : [{ path: own, command: one }];
  });
}

/** Each once, with the commands that take it; nothing where all do. */
function optionsOf(root: Command): { option: Option; of: string }[] {
  const all = commandsOf(root, '');
  const found = new Map<string, { option: Option; of: string[] }>();
  for (const { path, command } of all) {
    for (const option of command.options.filter((one) => !one.hidden)) {
      const key = `${option.flags}\n${option.description}`;
      found.set(key, { option, of: [...(found.get(key)?.of ?? []), path] });
    }
  }
  return [...found.values()]
    .sort((one, other) => (one.option.flags < other.option.flags ? -1 : 1))
    .map(({ option, of }) => ({ option, of: of.length === all.length ? '' : of.join(', ') }));
}

/** Text as it stands: no escapes, and no line that is taken for a request. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^(?=[.'])/, '\\&');
}
