import type { RefusedDump } from '../engine.js';

/** What is odd about a dump of SQLite that this action did not make, by the words of sqlite-dumps.sh: what the file is, and what to do. */
export const dumpRefusals = ({ path, said }: RefusedDump): Record<string, [message: string, hint: string]> => ({
  live: [
    `${said} lies beside ${path}, which therefore is in use or was copied in the middle of a change: it alone is not the database`,
    `Make a whole copy of it: \`sqlite3 ${path} ".backup copy.db"\`, and name that.`,
  ],
  sqlite_script: [
    `${path} is SQL of SQLite (\`.dump\`), which only the sqlite3 tool could read; that tool also runs commands that stand in such a file`,
    `Load it where such commands are refused: \`sqlite3 -safe copy.db < ${path}\`, look at copy.db, and name that.`,
  ],
});
