import { BackupError } from '../../errors.js';
import { quoteOutside } from '../../reporting/neutralise.js';

/** A set is known by the hash of its list of files: it is another one now. */
export const otherList = (label: string, found: string, wanted: string): BackupError =>
  new BackupError(
    'E_CHECKSUM',
    `the list of files of ${quoteOutside(label, 60)} does not match its manifest: its SHA-256 is ${quoteOutside(found, 64)}, not ${quoteOutside(wanted, 64)}`,
    'Do not rely on this backup. Find out who can write to the repository, and take a new full backup.',
  );
