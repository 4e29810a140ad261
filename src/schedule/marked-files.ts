import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { BackupError } from '../errors.js';
import { type Mark, readMark } from './mark.js';

// Files that are ours by their first line. What has none is never touched.

const MOST_BYTES = 1 << 20;

export interface MarkedFile {
  mark: Mark;
  isIntact: boolean;
}

/** null: there is no file. `foreign`: it is not ours, or no regular file. */
export function readMarked(path: string): MarkedFile | 'foreign' | null {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  if (!found.isFile()) return 'foreign';
  const text = textIn(path);
  const ending = text?.indexOf('\n') ?? -1;
  if (text === null || ending < 0) return 'foreign';
  const read = readMark(text.slice(0, ending));
  return read === null ? 'foreign' : { mark: read.mark, isIntact: read.isIntact(text.slice(ending + 1)) };
}

function textIn(path: string): string | null {
  let file: number | null = null;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = fstatSync(file);
    return size > MOST_BYTES ? null : readFileSync(file, 'utf8');
  } catch {
    return null;
  } finally {
    if (file !== null) closeSync(file);
  }
}

export function isOurs(path: string): boolean {
  const read = readMarked(path);
  return read !== null && read !== 'foreign';
}

/** Throws E_INPUT when there is a file of that name which is not ours. */
export function expectOurs(path: string): void {
  if (readMarked(path) !== 'foreign') return;
  throw new BackupError(
    'E_INPUT',
    `${path} is there, and was not made by db-backup`,
    'Choose another --name, or move that file away.',
  );
}

/** A whole new file in the place of the one that is there, for all to read. Throws E_PERM. */
export function writeWhole(path: string, text: string): void {
  const made = join(dirname(path), `.db-backup-${randomBytes(6).toString('hex')}`);
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(made, 'wx', 0o644);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(made, path);
  } catch (error) {
    rmSync(made, { force: true });
    throw unwritable(path, error);
  }
}

/** Throws E_PERM. */
export function removeFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw unwritable(path, error);
  }
}

const unwritable = (path: string, error: unknown): BackupError =>
  new BackupError(
    'E_PERM',
    `${path} could not be written: ${(error as NodeJS.ErrnoException).code ?? error}`,
    'What is for the whole system is for root to change: call it with sudo.',
  );
