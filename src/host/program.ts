import { readFileSync } from 'node:fs';
import type { DatabaseSource } from '../settings/settings.js';
import type { Marks } from './frames.js';
import { call, quote } from './quoting.js';

// Literal names in `new URL`, one for each file, so that the bundler finds and copies them.
const COMMON = [
  new URL('./programs/session.sh', import.meta.url),
  new URL('./programs/elsewhere.sh', import.meta.url),
  new URL('./programs/directory.sh', import.meta.url),
  new URL('./programs/lock.sh', import.meta.url),
  new URL('./programs/packing.sh', import.meta.url),
  new URL('./programs/stream.sh', import.meta.url),
  new URL('./programs/backup.sh', import.meta.url),
  new URL('./programs/verify.sh', import.meta.url),
  new URL('./programs/restore.sh', import.meta.url),
  new URL('./programs/foreign.sh', import.meta.url),
  new URL('./programs/upload.sh', import.meta.url),
  new URL('./programs/fetch.sh', import.meta.url),
];
const ENGINES: Record<DatabaseSource['engine'], URL[]> = {
  sqlite: [
    new URL('../engines/sqlite/programs/sqlite.sh', import.meta.url),
    new URL('../engines/sqlite/programs/sqlite-newer.sh', import.meta.url),
    new URL('../engines/sqlite/programs/sqlite-target.sh', import.meta.url),
    new URL('../engines/sqlite/programs/sqlite-restore.sh', import.meta.url),
    new URL('../engines/sqlite/programs/sqlite-recover.sh', import.meta.url),
    new URL('../engines/sqlite/programs/sqlite-damaged.sh', import.meta.url),
  ],
  postgres: [
    new URL('../engines/postgres/programs/postgres.sh', import.meta.url),
    new URL('../engines/postgres/programs/postgres-failures.sh', import.meta.url),
    new URL('../engines/postgres/programs/postgres-backup.sh', import.meta.url),
    new URL('../engines/postgres/programs/postgres-archive.sh', import.meta.url),
    new URL('../engines/postgres/programs/postgres-verify.sh', import.meta.url),
    new URL('../engines/postgres/programs/postgres-restore.sh', import.meta.url),
    new URL('../engines/postgres/programs/postgres-target.sh', import.meta.url),
    new URL('../engines/postgres/programs/postgres-extensions.sh', import.meta.url),
    new URL('../engines/postgres/programs/postgres-load.sh', import.meta.url),
    new URL('../engines/postgres/programs/postgres-swap.sh', import.meta.url),
    new URL('../engines/postgres/programs/postgres-in-place.sh', import.meta.url),
  ],
};
const DOWNLOAD = new URL('./programs/download.sh', import.meta.url);
const RECEIVE = new URL('./programs/receive.sh', import.meta.url);
const PYTHON = new URL('../engines/sqlite/programs/sqlite.py', import.meta.url);

/**
 * The first thing that a session sends: the whole program in one group, so that a stream cut at any byte is a syntax
 * error and executes nothing. Every line that the program prints for us begins with a mark. What other engines need is left out: bash
 * reads its stdin byte by byte.
 */
export function programFor(marks: Marks, engine: DatabaseSource['engine']): string {
  const source = [...COMMON, ...ENGINES[engine]].map((file) => readFileSync(file, 'utf8')).join('\n');
  const python = engine === 'sqlite' ? readFileSync(PYTHON, 'utf8') : '';
  return `{\nmark=${marks.host}\nmark_elsewhere=${marks.elsewhere}\nprogram=${quote(source)}\nsqlite_python=${quote(python)}\neval "$program"\nhello\n}\n`;
}

/** All that a shell is sent which is to send one file back, see download.sh; in one group as well. */
export function downloadProgram(mark: string, directory: string, file: string): string {
  return `{\n${readFileSync(DOWNLOAD, 'utf8')}\n${call('send_file', [mark, directory, file])}\n}\n`;
}

/** All that a shell is sent which is to take a file, see receive.sh; its bytes follow when it says so, and are never read as commands. */
export function receiveProgram(mark: string, folder: string, file: string): string {
  return `{\n${readFileSync(RECEIVE, 'utf8')}\n${call('receive_file', [mark, folder, file])}\ncommand exit\n}\n`;
}
