import * as v from 'valibot';
import type { Format, Identity } from '../../backups/format.js';
import type { Content, Manifest } from '../../backups/manifest.js';
import { list, matching, object, text, whole } from '../../schemas.js';

export type PostgresKind = 'dump' | 'tar' | 'sql';

/** As a server tells it. */
export const SYSTEM_IDENTIFIER = /^\d{1,20}$/;

const IDENTITY = object({
  database: text(1),
  /** Of the server's cluster; null where the role may not read it, or nobody has asked the server. */
  systemIdentifier: v.nullable(matching(SYSTEM_IDENTIFIER, 'the number of a server, or null')),
});
/** What makes it one database and no other. */
export type PostgresIdentity = Readonly<v.InferOutput<typeof IDENTITY>>;

const CONTENT = object({
  largeObjects: whole(),
  /** Functions on which other objects depend, and whose text may rely on the search_path of the database; absent: none, or not looked for. */
  pathFunctions: v.exactOptional(whole()),
  /** SQL, one statement each: what belongs to the database itself (encoding, owner, grants, settings, comment). */
  properties: list(text()),
  /** SQL, line by line: the roles of the server, without passwords; null where the role of the backup may not read them. */
  roles: v.nullable(list(text())),
  /** Names of those that a restore has to create; absent in what earlier versions wrote. */
  extensions: v.exactOptional(list(text())),
});
/** As the snapshot of the dump had it. `objects`: relations, functions and large objects, without those of extensions. */
export type PostgresContent = Content & v.InferOutput<typeof CONTENT>;

export const isPostgresIdentity = (identity: Identity): identity is PostgresIdentity => 'systemIdentifier' in identity;

/** What the manifest tells of a dump; null where it tells nothing, or there is none. */
export const contentOf = (manifest: Pick<Manifest, 'content'> | null): PostgresContent | null =>
  manifest?.content != null && 'properties' in manifest.content ? (manifest.content as PostgresContent) : null;

export const postgresFormat: Format<PostgresIdentity> = {
  kinds: ['dump', 'tar', 'sql'] satisfies PostgresKind[],
  logical: true,
  identityFields: ['database', 'systemIdentifier'],
  identity: IDENTITY,
  content: CONTENT,
  isSame(one, other) {
    if (one.database !== other.database) return false;
    const servers = [one.systemIdentifier, other.systemIdentifier];
    return servers.includes(null) || servers[0] === servers[1];
  },
  serverOf: ({ systemIdentifier }) => systemIdentifier,
  show({ database, systemIdentifier }) {
    const server = systemIdentifier === null ? '' : ` of the server with the system identifier ${systemIdentifier}`;
    return `${JSON.stringify(database)}${server}`;
  },
};
