import { BackupError } from '../../errors.js';
import { quoteOutside } from '../../reporting/neutralise.js';

/**
 * What pgBackRest's `verify` says of one set; it ends well whatever it finds, so nothing counts but its text. That of versions before 2.55 is
 * about all sets. Throws E_CHECKSUM when the set, or WAL, is not whole, or the text does not say so.
 */
export function readVerified(text: string, stanza: string, label: string): void {
  const lines = text.split('\n').map((line) => line.trim());
  const named = lines.includes(`stanza: ${stanza}`);
  const sets = blocksOf(
    lines,
    `backup: ${label}, `,
    /^backup: [0-9DFI_-]+, status: valid, total files checked: ([1-9][0-9]*), total valid files: \1$/,
  );
  const wal = blocksOf(
    lines,
    'archiveId: ',
    /^archiveId: [0-9.-]+, total WAL checked: ([1-9][0-9]*), total valid WAL: \1$/,
  );
  // without a word on WAL nothing is known of it
  const isWhole = sets.length === 1 && wal.length > 0 && [...sets, ...wal].every((one) => one);
  if (named && isWhole) return;
  const said = lines.filter((line) => /^(status|backup|archiveId|missing):? /.test(line)).join('; ');
  throw new BackupError(
    'E_CHECKSUM',
    `pgBackRest did not find ${label} whole: ${quoteOutside(said === '' ? 'it said nothing' : said, 500)}`,
    'Do not rely on this backup. Take a new one with `backup-type: full`, and check the disk of the repository and who can write there.',
  );
}

/** Of each line that begins so, whether it is as it should be and nothing is missing. */
function blocksOf(lines: readonly string[], start: string, good: RegExp): boolean[] {
  return lines.flatMap((line, at) =>
    line.startsWith(start) ? [good.test(line) && ALL_THERE.test(lines[at + 1] ?? '')] : [],
  );
}

const ALL_THERE = /^missing: 0, checksum invalid: 0, size invalid: 0, other: 0$/;
