import { clip, formatAge, formatBytes, formatCount, showEncrypted } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { BackupFacts } from '../reporting/report.js';

const HEAD = ['#', 'backup', 'age', 'size', 'proof', 'commit', 'rows of the largest tables'];
const MOST_CHARACTERS = 150;

/** The backups as a table for people, numbered from `first`; below a backup what is special about it. Nothing in it is more than one line. */
export function catalogueLines(backups: readonly BackupFacts[], first: number, now: Date): string[] {
  const rows = backups.map((one, at) => cellsOf(one, first + at, now));
  const widths = HEAD.map((head, at) => Math.max(head.length, ...rows.map((cells) => cells[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, at) => (at === 0 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0))).join('  ')}`.trimEnd();
  const below = ' '.repeat(4 + (widths[0] ?? 0));
  return [
    line(HEAD),
    ...backups.flatMap((one, at) => [line(rows[at] ?? []), ...specialIn(one).map((text) => `${below}${text}`)]),
  ];
}

function cellsOf(
  { id, createdAt, bytes, state, verifiedLevel, commit, largest = [] }: BackupFacts,
  number: number,
  now: Date,
) {
  return [
    String(number),
    id,
    formatAge(now.getTime() - Date.parse(createdAt)),
    formatBytes(bytes),
    state === 'ok' ? verifiedLevel : state,
    commit?.slice(0, 7) ?? '-',
    largest.length === 0
      ? '-'
      : largest.map(({ name, rows }) => `${oneLine(name, 40)} ${formatCount(rows ?? 0)}`).join(', '),
  ];
}

/** What a person should know before choosing it. */
function specialIn({ state, detail, partial, pinned, encryption, reason }: BackupFacts): string[] {
  return [
    ...(state === 'ok' ? [] : [`${state}: ${detail ?? 'it does not count'}`]),
    ...(partial === undefined ? [] : [`partial: ${partial}`]),
    ...(reason === 'safety' ? ['the state before a restore'] : []),
    ...(pinned === null ? [] : [`pinned: ${pinned}`]),
    ...(encryption === undefined ? [] : [showEncrypted(encryption, (recipient) => oneLine(recipient, 80))]),
  ].map((text) => oneLine(text, MOST_CHARACTERS));
}

const oneLine = (text: string, most: number): string => clip(quoteOutside(text, 4 * most).replaceAll('\n', ' '), most);
