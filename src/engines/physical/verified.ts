import { BackupError } from '../../errors.js';
import { quoteOutside } from '../../reporting/neutralise.js';

/**
 * What pgBackRest's `verify` says of one set; it ends well whatever it finds, so nothing counts but its text. That of versions before 2.55 is
 * about all sets. Throws E_CHECKSUM when the set, or WAL, is not whole, or the text does not say so.
 */
export function readVerified(text: string, stanza: string, label: string): void {
  const lines = text.split('\n').map((line) => line.trim());
  const named = lines.includes(`stanza: ${stanza}`);
  const set = lines.findIndex((line) => line.startsWith(`backup: ${label}, `));
  const wal = lines.flatMap((line, at) => (line.startsWith('archiveId: ') ? [lines[at + 1] ?? ''] : []));
  const isValid = set >= 0 && /^backup: [0-9DFI_-]+, status: valid, /.test(lines[set] ?? '');
  const isWhole = set >= 0 && ALL_THERE.test(lines[set + 1] ?? '') && wal.every((line) => ALL_THERE.test(line));
  if (named && isValid && isWhole) return;
  const said = lines.filter((line) => /^(status|backup|archiveId|missing):? /.test(line)).join('; ');
  throw new BackupError(
    'E_CHECKSUM',
    `pgBackRest did not find ${label} whole: ${quoteOutside(said === '' ? 'it said nothing' : said, 500)}`,
    'Do not rely on this backup. Take a new one with `backup-type: full`, and check the disk of the repository and who can write there.',
  );
}

const ALL_THERE = /^missing: 0, checksum invalid: 0, size invalid: 0, other: 0$/;
