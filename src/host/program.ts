import { readFileSync } from 'node:fs';
import type { Marks } from './frames.js';
import { call, quote } from './quoting.js';

// Literal names in `new URL`, one for each file, so that the bundler finds and copies them.
export const COMMON: readonly URL[] = [
  new URL('./programs/session.sh', import.meta.url),
  new URL('./programs/elsewhere.sh', import.meta.url),
  new URL('./programs/service.sh', import.meta.url),
  new URL('./programs/directory.sh', import.meta.url),
  new URL('./programs/catalogue.sh', import.meta.url),
  new URL('./programs/changes.sh', import.meta.url),
  new URL('./programs/lock.sh', import.meta.url),
  new URL('./programs/telling.sh', import.meta.url),
  new URL('./programs/packing.sh', import.meta.url),
  new URL('./programs/encryption.sh', import.meta.url),
  new URL('./programs/stream.sh', import.meta.url),
  new URL('./programs/backup.sh', import.meta.url),
  new URL('./programs/verify.sh', import.meta.url),
  new URL('./programs/commands.sh', import.meta.url),
  new URL('./programs/hooks.sh', import.meta.url),
  new URL('./programs/restore.sh', import.meta.url),
  new URL('./programs/health.sh', import.meta.url),
  new URL('./programs/doctor.sh', import.meta.url),
  new URL('./programs/foreign.sh', import.meta.url),
  new URL('./programs/upload.sh', import.meta.url),
  new URL('./programs/fetch.sh', import.meta.url),
  new URL('./programs/extract.sh', import.meta.url),
];
const DOWNLOAD = new URL('./programs/download.sh', import.meta.url);
const RECEIVE = new URL('./programs/receive.sh', import.meta.url);

/** What an engine has on the host: shell, and texts that are variables of the shell, by their names. */
export interface Programs {
  readonly programs: readonly URL[];
  readonly texts?: Readonly<Record<string, URL>>;
  /** What they tell as another user or in a container, besides TOLD_ELSEWHERE; absent: nothing. */
  readonly elsewhere?: readonly string[];
}

/**
 * What the programs of every engine tell as another user or in a container: an event, of a `set` with its key. Who runs there is not
 * trusted with the host, so nothing else is taken from it. N is a number.
 */
export const TOLD_ELSEWHERE: readonly string[] = [
  ...['fail', 'phase', 'elsewhere'],
  ...facts('failure note temporary nospace free_kib needed_kib'),
];

/** `set` with each of these keys, which stand in one text with blanks between them. */
export function facts(keys: string): string[] {
  return keys.split(' ').map((key) => `set ${key}`);
}

/** Whether that event, of a `set` with its key, is one that the program may tell from there. */
export function tellsElsewhere({ elsewhere = [] }: Programs): (told: string) => boolean {
  const forms = [...TOLD_ELSEWHERE, ...elsewhere].map((form) => form.replace('N', '[1-9]\\d{0,5}'));
  const allowed = new RegExp(`^(?:${forms.join('|')})$`);
  return (told) => allowed.test(told);
}

/**
 * The first thing that a session sends: the whole program in one group, so that a stream cut at any byte is a syntax
 * error and executes nothing. Every line that the program prints for us begins with a mark. What other engines need is left out: bash
 * reads its stdin byte by byte.
 * An account whose shells export what is set must not export this text: for an environment it is too long.
 */
export function programFor(marks: Marks, { programs, texts = {} }: Programs): string {
  const variables = Object.entries(texts).map(([name, file]) => `${name}=${quote(read(file))}`);
  const source = [...variables, ...[...COMMON, ...programs].map(read)].join('\n');
  return `{\nset +a\nunset mark mark_elsewhere program\nmark=${marks.host}\nmark_elsewhere=${marks.elsewhere}\nprogram=${quote(source)}\neval "$program"\nhello\n}\n`;
}

const read = (file: URL): string => readFileSync(file, 'utf8');

/** All that a shell is sent which is to send one file back, see download.sh; in one group as well. */
export function downloadProgram(mark: string, directory: string, file: string): string {
  return `{\n${read(DOWNLOAD)}\n${call('send_file', [mark, directory, file])}\n}\n`;
}

/** All that a shell is sent which is to take a file, see receive.sh; its bytes follow when it says so, and are never read as commands. */
export function receiveProgram(mark: string, folder: string, file: string): string {
  return `{\n${read(RECEIVE)}\n${call('receive_file', [mark, folder, file])}\ncommand exit\n}\n`;
}
