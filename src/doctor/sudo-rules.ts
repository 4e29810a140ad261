/** A command of the user as words, where it is one plain command without anything that a shell would expand. */
export interface PlainCommand {
  /** By sudo: as whom; empty: root. null: not by sudo. */
  sudo: string | null;
  words: string[];
}

const PLAIN = /^[\w@%+=:,./-]+$/;

/** null: it is more than one plain command, and only a run shows whether it works. */
export function plainCommand(text: string): PlainCommand | null {
  const words = text.split(/ +/).filter((word) => word !== '');
  if (words.length === 0 || !words.every((word) => PLAIN.test(word)) || /^\w+=/.test(words[0] ?? '')) return null;
  if (words[0] !== 'sudo') return { sudo: null, words };
  words.shift();
  let user = '';
  for (let option = words[0]; option?.startsWith('-'); option = words[0]) {
    words.shift();
    if (option === '--') break;
    if (option === '-u') user = words.shift() ?? '';
    else if (option !== '-n' && option !== '-H') return null;
  }
  return words.length === 0 || /=/.test(words[0] ?? '') ? null : { sudo: user, words };
}

/** One command that sudo lets somebody run, as whom, and whether it asks for a password before. */
interface Rule {
  as: string;
  command: string;
  asks: boolean;
}

/** What sudo lets somebody do, from its list (`sudo -l`). */
function rulesOf(list: string): Rule[] {
  // what is too long for a line goes on in the next
  const lines = list.replace(/\n\s{8,}/g, ' ').split('\n');
  const defaults = lines.find((_, at) => /^Matching Defaults entries/.test(lines[at - 1] ?? '')) ?? '';
  const usual = !/(?:^|[\s,])!authenticate(?:,|$)/.test(defaults);
  return lines.flatMap((line) => {
    const [, as = '', rest] = /^\s+\(([^)]*)\)\s+(.*)$/.exec(line) ?? [];
    if (rest === undefined) return [];
    let asks = usual;
    return rest.split(/(?<!\\),\s*/).map((part) => {
      let command = part.trim();
      for (let tag = /^([A-Z_]+):\s*/.exec(command); tag !== null; tag = /^([A-Z_]+):\s*/.exec(command)) {
        if (tag[1] === 'NOPASSWD') asks = false;
        if (tag[1] === 'PASSWD') asks = true;
        command = command.slice(tag[0].length);
      }
      return { as: (as.split(':')[0] ?? '').trim(), command: command.replace(/\\(.)/g, '$1'), asks };
    });
  });
}

/** Whether a rule is one for that user; null: it has what is not read here, such as a group or a negation. */
function isFor(as: string, user: string): boolean | null {
  const users = as.split(/,\s*/);
  if (users.includes('ALL') && users.length === 1) return true;
  if (!users.every((one) => /^[\w.-]+$/.test(one)) || users.includes('ALL')) return null;
  return users.includes(user);
}

/**
 * Whether sudo runs that as `user` without asking for a password, by its own list; null: the list does not tell, as where a rule has a
 * pattern. `program`: the path of its first word. The last rule that fits decides, as in sudoers(5).
 */
export function asksNothing(list: string, user: string, program: string, words: readonly string[]): boolean | null {
  const whole = [program, ...words.slice(1)].join(' ');
  const forms = ['ALL', program, whole, ...(words.length === 1 ? [`${program} ""`] : [])];
  const fitting = rulesOf(list).filter(({ as, command }) => forms.includes(command) && isFor(as, user) !== false);
  const last = fitting.at(-1);
  return last === undefined || isFor(last.as, user) === null ? null : !last.asks;
}

/** A command as sudoers has it, with these arguments and no others. */
export const inSudoers = (words: readonly string[]): string =>
  [...words.map((word) => word.replace(/[,:=\\]/g, '\\$&')), ...(words.length === 1 ? ['""'] : [])].join(' ');
