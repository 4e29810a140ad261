import { clip, counted } from './format.js';
import { neutralise, oneLine } from './neutralise.js';

/**
 * GitHub-flavoured Markdown out of text that nobody vouches for. `core.summary` escapes nothing.
 *
 * Character references can never be structure (CommonMark 2.5), in table cells neither. GitHub looks for mentions, issue numbers
 * and links once more in the finished text, where references are characters again; a zero-width space behind the first character
 * keeps those apart.
 */

const ZERO_WIDTH_SPACE = '\u200b';
const SPECIAL = /[&<>"'`|\\*_~[\](){}!$^#@]|(?<=^\s*)[-+=]|(?<=^\s*\d{1,9})\./g;

/** One line of text, at most `maxCharacters` of it, safe in a paragraph, a heading or a table cell. */
export function escapeCell(text: string, maxCharacters = 300): string {
  return oneLine(text, maxCharacters)
    .replace(SPECIAL, (found) => `${reference(found)}${found === '@' || found === '#' ? ZERO_WIDTH_SPACE : ''}`)
    .replace(/:(?=\/\/)/g, `:${ZERO_WIDTH_SPACE}`)
    .replace(/\bwww(?=\.)/gi, (found) => found + ZERO_WIDTH_SPACE)
    .replace(/\bGH-(?=\d)/gi, (found) => found + ZERO_WIDTH_SPACE);
}

/** Text as inline code, also in table cells. Where a backtick span would not do, as HTML, since no backtick can close that. */
export function code(text: string, maxCharacters = 300): string {
  const line = oneLine(text, maxCharacters).trim();
  if (line === '') return '';
  if (/^[\w ./:,;=%+-]+$/.test(line)) return `\`${line}\``;
  return `<code>${references(line)}</code>`;
}

/**
 * Inline code for paths and checksums: a narrow page may break it behind a slash and after 16 characters. By `<wbr>`, which is not
 * copied along, where a zero-width space would be.
 */
export function longCode(text: string, maxCharacters = 300): string {
  const parts = oneLine(text, maxCharacters)
    .trim()
    .match(/[^/]{1,16}\/?|\//gu);
  return parts === null ? '' : `<code>${parts.map(references).join('<wbr>')}</code>`;
}

/** Text with line breaks, in which `...` between backticks is code, as in this project's messages. */
export function prose(text: string, maxCharacters = 1000): string {
  return clip(text, maxCharacters)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) =>
      line
        .split(/`([^`]+)`/)
        .map((part, i) => (i % 2 === 1 ? code(part, maxCharacters) : escapeCell(part, maxCharacters)))
        .join(''),
    )
    .join('<br>');
}

/** A block of code that nothing within it can close. Lines as given, made safe to print. */
export function fenced(language: string, text: string): string {
  const safe = neutralise(text);
  const longest = Math.max(2, ...Array.from(safe.matchAll(/`+/g), (run) => run[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${safe}\n${fence}`;
}

/** `title` is Markdown that has been escaped already. */
export function folded(title: string, content: string): string {
  return `<details>\n<summary>${title}</summary>\n\n${content}\n\n</details>`;
}

export interface Column<T> {
  title: string;
  /** Escaped already. */
  cell: (item: T) => string;
  /** Numbers stand right. */
  right?: boolean;
}

export interface TableBounds {
  /** Rows shown at once; the rest is folded away. */
  visible: number;
  /** UTF-8 bytes of all rows; what goes beyond is only counted. */
  maxBytes: number;
  /** What one row is, to count the rest: `backup`. */
  noun: string;
}

/** A table bounded in what it shows and in what it weighs. */
export function table<T>(columns: Column<T>[], items: T[], { visible, maxBytes, noun }: TableBounds): string {
  const rows = linesWithin(items, maxBytes, (item) => `| ${columns.map((column) => column.cell(item)).join(' | ')} |`);
  const head = [
    `| ${columns.map((column) => column.title).join(' | ')} |`,
    `| ${columns.map((column) => (column.right ? '---:' : ':---')).join(' | ')} |`,
  ];
  const parts = [[...head, ...rows.slice(0, visible)].join('\n')];
  const rest = rows.slice(visible);
  if (rest.length > 0) parts.push(folded(counted(rest.length, `more ${noun}`), [...head, ...rest].join('\n')));
  const left = items.length - rows.length;
  if (left > 0) parts.push(`${counted(left, `more ${noun}`)}, not shown here.`);
  return parts.join('\n\n');
}

/** The first items as lines, as many as fit into `maxBytes`; renders none that is not needed. */
export function linesWithin<T>(items: T[], maxBytes: number, render: (item: T) => string): string[] {
  const lines: string[] = [];
  let bytes = 0;
  for (const item of items) {
    const line = render(item);
    bytes += Buffer.byteLength(line) + 1;
    if (bytes > maxBytes) break;
    lines.push(line);
  }
  return lines;
}

/** Everything but letters, digits and blanks as references: within HTML tags Markdown is still read. */
function references(line: string): string {
  return line.replace(/[^\p{L}\p{N} …]/gu, reference);
}

function reference(characters: string): string {
  return Array.from(characters, (character) => `&#${character.codePointAt(0)};`).join('');
}
