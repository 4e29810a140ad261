/**
 * What single values may be. Each function returns the value or throws an Error whose text is the rule; the reader of the
 * inputs puts the name before it and the given text after it.
 */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { isName } from '../backups/names.js';
import { isServiceName } from '../host/container.js';
import { parseDuration, parsePercent, parseSize } from './units.js';

/** No timer waits for longer: setTimeout counts milliseconds in 31 bits and fires at once beyond. */
export const LONGEST_TIMER_MS = 24 * 86_400_000;
const HOST_NAME = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?$/i;

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new Error(`expected a whole number from ${least} to ${most}`);
  };
}

export function oneOf<const T extends string>(allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((value) => value === text);
    if (found === undefined) throw new Error(`expected one of ${allowed.join(', ')}`);
    return found;
  };
}

export function parseBoolean(text: string): boolean {
  if (!/^(?:true|false)$/i.test(text)) throw new Error('expected true or false');
  return text.toLowerCase() === 'true';
}

/** A duration that a timer can wait for, in milliseconds. */
export function parseTimer(text: string): number {
  const ms = parseDuration(text);
  if (ms < 1_000 || ms > LONGEST_TIMER_MS) throw new Error('expected a duration from 1s to 24d');
  return ms;
}

/** A duration that is not zero, in milliseconds. */
export function parseAge(text: string): number {
  const ms = parseDuration(text);
  if (ms === 0) throw new Error('expected a duration of at least 1s');
  return ms;
}

/** A share that is not zero and at most `most`, or `none`. */
export function percentOrNone(most: number): (text: string) => number | 'none' {
  return (text) => {
    if (text === 'none') return text;
    const share = /^[\d.]+%$/.test(text) ? parsePercent(text) : Number.NaN;
    if (share > 0 && share <= most) return share;
    throw new Error(`expected a percentage above 0% and up to ${most * 100}%, or none`);
  };
}

/** A host name or an address; names beyond ASCII only in their xn-- form, as DNS has them. */
export function parseHost(text: string): string {
  if (isIP(text) !== 0 || (HOST_NAME.test(text) && text.length <= 253)) return text;
  throw new Error(
    'expected only a host name or IP address: the user goes into username, the port into port, and IPv6 has no brackets',
  );
}

/** This very machine, as the host of a URL: nobody can read along on the way. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));

export function parseUserName(text: string): string {
  if (/^-|[\s\p{Cc}]/u.test(text)) throw new Error('expected a user name without blanks that does not start with "-"');
  return text;
}

/** An account for `sudo -u`, which takes `#1000` and more; here it is a name. */
export function parseRunAs(text: string): string {
  if (!/^[a-z_][a-z0-9_.-]{0,31}$/i.test(text))
    throw new Error('expected the name of a user on the host, such as www-data');
  return text;
}

/** The name or id of a container, as Docker has them, or the service whose container it is. */
export function parseContainer(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(text) || isServiceName(text)) return text;
  throw new Error(
    'expected the name of a container (letters, digits, "_", "." or "-", starting with a letter or digit), or compose:PROJECT/SERVICE, or swarm:SERVICE',
  );
}

/** Names of GitHub's events, separated by blanks or lines. */
export function parseEvents(text: string): string[] {
  const names = text.split(/\s+/).filter((name) => name !== '');
  if (names.every((name) => /^[a-z_]{1,60}$/.test(name))) return names;
  throw new Error('expected names of events, separated by blanks or lines, such as workflow_run');
}

export interface JumpHost {
  /** null: the one of the target. */
  username: string | null;
  host: string;
  port: number;
}

export function parseJumpHost(text: string): JumpHost {
  const at = text.lastIndexOf('@');
  const place = text.slice(at + 1);
  const [, bracketed, plain, port = '22'] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(place) ?? [];
  try {
    if (bracketed !== undefined && !isIPv6(bracketed)) throw new Error('brackets are for IPv6');
    return {
      username: at === -1 ? null : parseUserName(text.slice(0, at) || '-'),
      host: parseHost(isIPv6(place) ? place : (bracketed ?? plain ?? '')),
      port: parsePort(port),
    };
  } catch {
    throw new Error('expected [user@]host[:port], such as jump@bastion.example.com:2222 or [2001:db8::1]:22');
  }
}

export const parsePort = wholeNumber(1, 65_535);

export function parseUmask(text: string): string {
  const umask = /^0?(077|027)$/.exec(text)?.[1];
  if (umask === undefined) throw new Error('expected 077 or 027, in quotes, because YAML reads 077 as the number 77');
  return umask;
}

export function parsePinReason(text: string): string {
  if (/\p{Cc}/u.test(text) || text.length > 200)
    throw new Error('expected a reason in one line of at most 200 characters');
  return text;
}

/** As it is: what it may be is judged beside other inputs. */
export const asGiven = (text: string): string => text;

/** What is in its lines, without blanks around. */
export const lines = (text: string): string[] =>
  text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** With newlines that were written as `\n`, as some secret stores have them; no text of keys has a backslash. */
export const withNewlines = (text: string): string => (/[\r\n]/.test(text) ? text : text.replace(/\\r|\\n/g, '\n'));

/** A share such as `300%`, a size such as `1GB`, or `none`. */
export function parseGrowth(text: string): number | { bytes: number } | 'none' {
  if (text === 'none' || text.includes('%')) return percentOrNone(1_000)(text);
  try {
    const bytes = parseSize(text);
    if (bytes > 0) return { bytes };
  } catch {
    // what it may be is said below
  }
  throw new Error('expected a percentage above 0% and up to 100000%, a size such as 1GB, or none');
}

/** SQL, a statement a line; the commands of the tools themselves, with a dot or a backslash before them, are none. */
export function parseStatements(text: string): string[] {
  const statements = lines(text);
  if (!statements.some((line) => /^[.\\]/.test(line))) return statements;
  throw new Error('expected SQL, one statement per line, whose first value is true');
}

/** Lines of shell; a runner writes CRLF where the workflow has it. */
export function parseCommand(text: string): string {
  if (text.includes('\0')) throw new Error('expected no NUL character');
  return text.replace(/\r\n?/g, '\n');
}

/** Another value than `word`, which stands for itself. */
export function orWord<const W extends string, T>(word: W, parse: (text: string) => T): (text: string) => T | W {
  return (text) => (text === word ? word : parse(text));
}

export function parseName(text: string): string {
  if (isName(text)) return text;
  throw new Error('expected 1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit');
}

/** The name of a section of pgbackrest.conf, which becomes folders of the repository. */
export function parseStanza(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return text;
  throw new Error(
    'expected the name of a stanza: 1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit',
  );
}
