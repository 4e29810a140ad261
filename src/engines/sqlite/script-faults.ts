import { BackupError } from '../../errors.js';
import type { HostFailure } from '../../host/session.js';
import { quoteOutside } from '../../reporting/neutralise.js';

const THE_FILE = 'the dump is the text of a SQLite database';
const CHOOSE = 'Choose another dump, or copy this one again from its source.';
const LOOK = 'Open the dump at that line.';

/** Why the text of a dump was not loaded, by the words of sqlite-script.py: what it is, and what to do. Where there is none, another one tells. */
const FAULTS: Readonly<Record<string, (said: string) => [message: string, hint: string]>> = {
  tool: () => [
    `${THE_FILE}, which needs Python 3 with its sqlite3 module, and that is missing on the host: the sqlite3 tool cannot be kept from running whatever else is in such a file`,
    'Install python3 on the host. Or load the dump yourself, in an isolated place (`sqlite3 copy.db < dump.sql`), and name copy.db.',
  ],
  cut: (said) => [`${THE_FILE} and is not complete: ${said}`, `The rest of the data is not in it. ${CHOOSE}`],
  errors: (said) => [
    `${THE_FILE} and ends with ROLLBACK: sqlite3 found damage while it wrote the dump, so rows may be missing (${said})`,
    'Choose another dump. If there is none, replace that ROLLBACK with COMMIT in a copy, restore the copy into another file (`restore-to`), and check what is there.',
  ],
  bytes: (said) => [
    `${THE_FILE} and holds bytes that are not text: ${said}`,
    `It was damaged, or written in an encoding other than UTF-8. ${CHOOSE}`,
  ],
  hollow: (said) => [
    `${THE_FILE} and creates nothing: ${said}`,
    'It was probably dumped from a missing or empty file. Choose another dump.',
  ],
  outside: (said) => [
    `${THE_FILE} and asks for something that no dump needs and that could reach beyond the database: ${said}`,
    `Do not load it anywhere before you know who wrote it. ${LOOK}`,
  ],
  virtual: (said) => [
    `${THE_FILE}, and Python's iterdump wrote a virtual table (a full-text index, for example) in a form that SQLite cannot load: ${said}`,
    'Dump the database again with `sqlite3 FILE .dump`, or copy it with `.backup`. If you no longer have it, remove the statements about that table and the tables named after it from a copy of the dump, and let the application build it again.',
  ],
  newer: (said) => [
    `${THE_FILE} and was written by a newer SQLite than the one that Python has on the host: ${said}`,
    'Install a newer Python with its SQLite on the host (`python3 -c "import sqlite3; print(sqlite3.sqlite_version)"` shows the version; `unistr` needs 3.50). Or load the dump with a new sqlite3 elsewhere, and name the database file.',
  ],
  failed: (said) => [`${THE_FILE}, but SQLite cannot run it: ${said}`, `${LOOK} ${CHOOSE}`],
};

/** In words why the text of a dump was not loaded; null when that is not what failed. */
export function scriptFault({ code, text, facts }: HostFailure): BackupError | null {
  const word = facts.get('script_fault');
  if (word === null || code === 'E_NOSPACE') return null;
  const words = Object.hasOwn(FAULTS, word) ? FAULTS[word] : undefined;
  if (words === undefined) return null;
  return new BackupError(code, ...words(quoteOutside(text, 500)));
}
