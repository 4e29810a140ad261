/**
 * Text from the host, and everything else that is printed, made unable to speak for this action.
 *
 * The runner reads commands out of stdout and stderr: `::cmd::` at the start of a trimmed line, `##[cmd ...]` anywhere in one
 * (actions/runner, ActionCommand.cs). It compares by the rules of the culture, where zero-width and other ignorable characters do
 * not count: "#", U+200B, "#[" equals "##[" there. So such characters are removed, and what breaks a command is a plain space.
 */
import { plural } from '../counting.js';
import { clip } from './format.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences are made of them
const TERMINAL_SEQUENCE = /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)/g;
/** Anything that moves within or ends a line, in some program's eyes, except the newline. */
const BLANK_CONTROL = /[\t\v\f\r\u0085\u2028\u2029]/g;
/** Controls, bidi overrides and other invisible characters. Removing them all costs joined emoji, which no message needs. */
const INVISIBLE = /(?!\n)[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const COMMAND_ANYWHERE = /##(?=\[)/g;
const COMMAND_AT_START = /^([^\S\n]*):(?=:)/gm;

/** Makes text safe to print. Newlines stay, every line is made safe by itself; unpaired surrogates become U+FFFD. */
export function neutralise(text: string): string {
  return text
    .replace(TERMINAL_SEQUENCE, '')
    .replace(BLANK_CONTROL, ' ')
    .replace(INVISIBLE, '')
    .replace(/\p{Surrogate}/gu, '\uFFFD')
    .replace(COMMAND_ANYWHERE, '## ')
    .replace(COMMAND_AT_START, '$1: ');
}

/** Made safe to print, without line breaks, and at most `maxCharacters` long. */
export function oneLine(text: string, maxCharacters = Number.POSITIVE_INFINITY): string {
  return neutralise(clip(text, maxCharacters)).replaceAll('\n', ' ');
}

/** `FATAL:  `, in whatever language a server of PostgreSQL speaks: two blanks, which look like a hole in a sentence. */
const SEVERITY = /(?<=^|\s)(\p{Lu}{3,}:) {2}/gu;

/** Lines that are shown of each end when not all are. */
const LINES_OF_AN_END = 4;

/**
 * Quotes what the host said, for use within a message: safe to print, at most `maxBytes` of UTF-8 in at most eight lines that are
 * not blank, and a note of how much was cut. Both ends are kept: banners come first, the reason usually last.
 */
export function quoteOutside(text: string | Buffer, maxBytes = 2000): string {
  const size = Buffer.byteLength(text);
  if (size <= maxBytes) {
    const all = lines(start(text, size));
    if (all.length === 0) return '(nothing)';
    if (all.length <= 2 * LINES_OF_AN_END) return all.join('\n');
  }
  const half = Math.floor(Math.min(maxBytes, size) / 2);
  const head = lines(start(text, half)).slice(0, LINES_OF_AN_END);
  const tail = lines(end(text, half)).slice(-LINES_OF_AN_END);
  const shown = Buffer.byteLength([...head, ...tail].join('\n'));
  return [...head, `[... ${plural(Math.max(0, size - shown), 'byte')} cut ...]`, ...tail].join('\n');
}

// A string is cut before it is copied, since the host decides how long it is; a UTF-16 unit is at least one byte.
function start(text: string | Buffer, bytes: number): Buffer {
  return (typeof text === 'string' ? Buffer.from(text.slice(0, bytes)) : text).subarray(0, bytes);
}

function end(text: string | Buffer, bytes: number): Buffer {
  const last = typeof text === 'string' ? Buffer.from(bytes > 0 ? text.slice(-bytes) : '') : text;
  return last.subarray(last.length - Math.min(bytes, last.length));
}

function lines(bytes: Buffer): string[] {
  // A cut may have gone through a character; what is left of it decodes as U+FFFD, which says nothing.
  const text = bytes.toString('utf8').replace(/^\uFFFD{1,3}|\uFFFD{1,3}$/g, '');
  return neutralise(text)
    .split('\n')
    .map((line) => line.trim().replace(SEVERITY, '$1 '))
    .filter((line) => line !== '');
}
