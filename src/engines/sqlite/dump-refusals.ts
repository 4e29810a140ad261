import type { RefusedDump } from '../engine.js';

/** What is odd about a dump of SQLite that this action did not make, by the words of sqlite-dumps.sh: what the file is, and what to do. */
export const dumpRefusals = ({ path, said }: RefusedDump): Record<string, [message: string, hint: string]> => ({
  live: [
    `${said} lies beside ${path}, so that file is in use or was copied in the middle of a change: it alone is not the database`,
    `Make a complete copy of it: \`sqlite3 ${path} ".backup copy.db"\`, and name that.`,
  ],
  sqlite_script: [
    `${path} is SQL for SQLite, but does not begin as \`.dump\` of sqlite3 or iterdump of Python writes it: settings (PRAGMA), then BEGIN TRANSACTION`,
    'Nothing shows whether such a file is complete. Dump the database again with `.dump` or `.backup`, and name that file.',
  ],
  sqlite_windows: [
    `${path} is the text of a database that was changed by Windows: it has ${said}`,
    'Line breaks inside its rows may have changed as well. Copy the database file itself (`.backup`), or convert the text (`dos2unix`), check it, and name the result.',
  ],
  sqlite_utf16: [
    `${path} is text in UTF-16 (as PowerShell's redirection writes it), which SQLite cannot read`,
    `Convert it: \`iconv -f UTF-16 -t UTF-8 ${path} > converted.sql\`. It may still be damaged by PowerShell: it is better to let sqlite3 write the file itself (\`.output\`), or copy the database with \`.backup\`.`,
  ],
});
