import { quote } from '../host/quoting.js';
import { cronFields } from './calendar.js';
import { type Account, commandOf, type Installation, type Job } from './installation.js';
import { type Mark, markLine, readMark } from './mark.js';

// The block of one name in a crontab. All the rest of the table stays byte for byte, so tables are read as bytes: latin1, in which each
// byte is one character.

/** Debian's cron cuts what is longer. */
const LONGEST_COMMAND = 998;
/** For tools that are in neither of the two folders that cron itself has there. A line of its own would count for the lines of others as well. */
const PATH = 'PATH=/usr/local/bin:/usr/bin:/bin';

const begin = (name: string): string => `# >>> db-backup ${name} (made by db-backup; changes here are lost)`;
const end = (name: string): string => `# <<< db-backup ${name}`;
const BEGIN = /^# >>> db-backup (\S+) \(made by db-backup; changes here are lost\)$/m;
const END = /^# <<< db-backup (\S+)$/m;

/** The block, with a line end after each line. Throws an Error whose text is the rule, for a path that no crontab can hold. `env`, `flock`: paths; null: there is none. */
export function blockOf(wanted: Installation, tools: { env: string | null; flock: string | null }): string {
  const lines = [...wanted.jobs].flatMap(([job, calendar]) => {
    const lock = tools.flock === null ? [] : [tools.flock, '-n', lockFile(wanted.name, wanted.account, job)];
    const path = tools.env === null ? [] : [tools.env, PATH];
    const words = [...path, ...lock, ...commandOf(wanted, job, '--quiet')];
    const line = `${cronFields(calendar)} umask 077; ${words.map(word).join(' ')}`;
    const { length } = Buffer.from(line);
    if (length > LONGEST_COMMAND)
      throw new Error(`the line of ${job} has ${length} bytes, but cron accepts at most ${LONGEST_COMMAND}`);
    return [`# ${markLine(wanted, job, line)}`, line];
  });
  return Buffer.from([begin(wanted.name), ...lines, end(wanted.name), ''].join('\n'), 'utf8').toString('latin1');
}

/** By which a run that is not over when the next one begins keeps that from it: in the home, and for no other user to open, who could hold it. */
export const lockFile = (name: string, { home }: Account, job: Job): string =>
  `${home.replace(/\/$/, '')}/.db-backup-${name}-${job}.lock`;

/** A word of the shell in a line of cron, where `%` ends the command, and programs disagree about "\" before another "\". */
function word(text: string): string {
  if (/\p{Cc}|\p{Surrogate}/u.test(text))
    throw new Error(`${JSON.stringify(text)} has control characters, which are not possible in a crontab`);
  if (text.includes('\\'))
    throw new Error(`${JSON.stringify(text)} has a "\\", which implementations of cron read in different ways`);
  return (/^[\w./:@+=,-]+$/.test(text) ? text : quote(text)).replaceAll('%', '\\%');
}

export class Damaged extends Error {}

/** The table without the block of that name. Throws Damaged when the marks of it are not one begin and one end, or are gone from its lines. */
export const without = (table: string, name: string): string => parted(table, name).rest;

/** The block of that name, with its marks; empty: there is none. Throws Damaged as `without` does. */
export const blockIn = (table: string, name: string): string => parted(table, name).block;

function parted(table: string, name: string): { rest: string; block: string } {
  const rest: string[] = [];
  const block: string[] = [];
  let inside = false;
  const lines = table.split(/(?<=\n)/);
  for (const [at, line] of lines.entries()) {
    const text = line.replace(/\n$/, '');
    if (text === begin(name)) {
      if (inside || block.length > 0) throw new Damaged();
      inside = true;
      block.push(line);
    } else if (text === end(name)) {
      if (!inside) throw new Damaged();
      inside = false;
      block.push(line);
    } else if (inside) {
      if (isMark(text)) throw new Damaged(); // of another name, whose lines would go with this one's
      block.push(line);
    } else if (jobAt(lines, at) === name) throw new Damaged();
    else rest.push(line);
  }
  if (inside) throw new Damaged();
  return { rest: rest.join(''), block: block.join('') };
}

const isMark = (text: string): boolean => /^# (?:>>>|<<<) db-backup /.test(text);

/** Of which name the job is that the line after this one runs, as this line says; null: of none. */
function jobAt(lines: readonly string[], at: number): string | null {
  const read = (lines[at] ?? '').startsWith('#') ? readMark(lines[at] ?? '') : null;
  return read !== null && /^[\d*@]/.test(lines[at + 1] ?? '') ? read.mark.name : null;
}

/** The names whose marks are damaged, while lines of theirs may run. */
export function damagedIn(table: string): string[] {
  const lines = table.split(/(?<=\n)/);
  const names = lines.flatMap((line, at) =>
    [BEGIN.exec(line)?.[1] ?? END.exec(line)?.[1] ?? jobAt(lines, at) ?? []].flat(),
  );
  return [...new Set(names)].filter((name) => {
    try {
      without(table, name);
      return false;
    } catch {
      return true;
    }
  });
}

/** The table with that block at its end, and no other of that name. */
export function withBlock(table: string, name: string, block: string): string {
  const rest = without(table, name);
  return `${rest}${rest === '' || rest.endsWith('\n') ? '' : '\n'}${block}`;
}

export interface Block {
  name: string;
  jobs: { mark: Mark; isIntact: boolean }[];
}

/** The blocks in a table, as far as their beginnings are there. */
export function blocksIn(table: string): Block[] {
  const text = Buffer.from(table, 'latin1').toString('utf8');
  return text.split(/^(?=# >>> db-backup )/m).flatMap((part) => {
    const [first = '', ...lines] = part.split('\n');
    const [, name] = BEGIN.exec(first) ?? [];
    if (name === undefined) return [];
    const inside = lines.slice(0, Math.max(0, lines.indexOf(end(name))));
    const jobs = inside.flatMap((line, at) => {
      const read = readMark(line);
      return read === null || read.mark.name !== name
        ? []
        : [{ mark: read.mark, isIntact: read.isIntact(inside[at + 1] ?? '') }];
    });
    // a line that is nobody's would go with the next installation
    const isWhole = inside.length === 2 * jobs.length;
    return [{ name, jobs: jobs.map(({ mark, isIntact }) => ({ mark, isIntact: isIntact && isWhole })) }];
  });
}
