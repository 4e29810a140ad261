import type * as v from 'valibot';
import type { Format } from '../../backups/format.js';
import type { Content } from '../../backups/manifest.js';
import { matching, object, whole } from '../../schemas.js';

const IDENTITY = object({ path: matching(/^\/[^\0]*$/, 'an absolute path') });
/** What makes it one file and no other, absolute. */
export type SqliteIdentity = Readonly<v.InferOutput<typeof IDENTITY>>;

const CONTENT = object({ pageSize: whole(), pageCount: whole(), foreignKeyViolations: whole() });
/** `objects`: tables, indexes, views and triggers in sqlite_master. */
export type SqliteContent = Content & v.InferOutput<typeof CONTENT>;

export const sqliteFormat: Format<SqliteIdentity> = {
  kinds: ['sqlite'],
  logical: false,
  damaged: {
    kind: 'tar',
    advice: 'To get at what is in it: `tar -xf`, then `sqlite3 FILE .recover | sqlite3 -safe NEW-FILE`.',
  },
  identityFields: ['path'],
  identity: IDENTITY,
  content: CONTENT,
  isSame: (one, other) => one.path === other.path,
  show: ({ path }) => JSON.stringify(path),
};
