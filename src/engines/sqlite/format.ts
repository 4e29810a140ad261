import type { Format } from '../../backups/format.js';
import type { Content } from '../../backups/manifest.js';

/** What makes it one file and no other, absolute. A type, since that of every identity is one of texts by name. */
export type SqliteIdentity = {
  readonly path: string;
};

/** `objects`: tables, indexes, views and triggers in sqlite_master. */
export interface SqliteContent extends Content {
  pageSize: number;
  pageCount: number;
  foreignKeyViolations: number;
}

export const sqliteFormat: Format<SqliteIdentity> = {
  kinds: ['sqlite'],
  logical: false,
  damaged: {
    kind: 'tar',
    advice: 'To get at what is in it: `tar -xf`, then `sqlite3 FILE .recover | sqlite3 -safe NEW-FILE`.',
  },
  identityFields: ['path'],
  checkIdentity: (identity) => identity.matching('path', /^\/[^\0]*$/, 'an absolute path'),
  checkContent(content) {
    for (const name of ['pageSize', 'pageCount', 'foreignKeyViolations']) content.whole(name);
  },
  isSame: (one, other) => one.path === other.path,
  show: ({ path }) => JSON.stringify(path),
};
