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
  type Stats,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { BackupError } from '../errors.js';
import { isFolder } from './machine.js';
import { type Mark, readMark } from './mark.js';

// Files that are ours by their first line. What has none is never touched.

const MOST_BYTES = 1 << 20;

export interface MarkedFile {
  mark: Mark;
  isIntact: boolean;
}

/** null: there is no file, or none for this user to see. `foreign`: it is not ours, or no regular file. */
export function readMarked(path: string): MarkedFile | 'foreign' | null {
  const found = lstatOf(path);
  if (found === undefined) return null;
  if (!found.isFile()) return 'foreign';
  const text = textIn(path);
  const ending = text?.indexOf('\n') ?? -1;
  if (text === null || ending < 0) return 'foreign';
  const read = readMark(text.slice(0, ending));
  return read === null ? 'foreign' : { mark: read.mark, isIntact: read.isIntact(text.slice(ending + 1)) };
}

function lstatOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
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
    `${path} already exists, and was not made by db-backup`,
    'Choose another --name, or move that file away.',
  );
}

/** A whole new file in the place of the one that is there, for all to read. `owner`: as of `unwritable`. Throws E_PERM. */
export function writeWhole(path: string, text: string, owner: string | null): void {
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
    try {
      rmSync(made, { force: true });
    } catch {
      // where it could not be made, it can not be removed either
    }
    throw unwritable(path, error, owner);
  }
}

/** `owner`: as of `unwritable`. Throws E_PERM. */
export function removeFile(path: string, owner: string | null): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw unwritable(path, error, owner);
  }
}

/** `owner`: the user among whose own files it is; null: it is for the whole system. */
function unwritable(path: string, error: unknown, owner: string | null): BackupError {
  const { code } = error as NodeJS.ErrnoException;
  const isDenied = code === 'EACCES' || code === 'EPERM';
  const folder = nearest(dirname(path));
  const hint = !isDenied
    ? `Find out why files cannot be written in ${folder}.`
    : owner === null
      ? 'Only root can change what is installed for the whole system: run it with sudo.'
      : `User units are stored in the home of ${owner}, who cannot write to ${folder}: correct that, or install it as root: sudo db-backup schedule install --user ${owner}.`;
  return new BackupError('E_PERM', `${path} could not be written: ${code ?? error}`, hint);
}

/** The folder, or the one above it that is there. */
function nearest(folder: string): string {
  const above = dirname(folder);
  return above === folder || isFolder(folder) ? folder : nearest(above);
}
