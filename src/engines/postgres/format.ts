import type { Format, Identity } from '../../backups/format.js';
import type { Content, Manifest } from '../../backups/manifest.js';

export type PostgresKind = 'dump' | 'tar' | 'sql';

/** What makes it one database and no other. A type, since that of every identity is one of texts by name. */
export type PostgresIdentity = {
  readonly database: string;
  /** Of the server's cluster; null where the role may not read it, or nobody has asked the server. */
  readonly systemIdentifier: string | null;
};

/** As the snapshot of the dump had it. `objects`: relations, functions and large objects, without those of extensions. */
export interface PostgresContent extends Content {
  largeObjects: number;
  /** SQL, one statement each: what belongs to the database itself (encoding, owner, grants, settings, comment). */
  properties: string[];
  /** SQL, line by line: the roles of the server, without passwords; null where the role of the backup may not read them. */
  roles: string[] | null;
  /** Names of those that a restore has to create; absent in what earlier versions wrote. */
  extensions?: string[];
  /** Functions on which other objects depend, and whose text may rely on the search_path of the database; absent: none, or not looked for. */
  pathFunctions?: number;
}

/** As a server tells it. */
export const SYSTEM_IDENTIFIER = /^\d{1,20}$/;

export const isPostgresIdentity = (identity: Identity): identity is PostgresIdentity => 'systemIdentifier' in identity;

/** What the manifest tells of a dump; null where it tells nothing, or there is none. */
export const contentOf = (manifest: Pick<Manifest, 'content'> | null): PostgresContent | null =>
  manifest?.content != null && 'properties' in manifest.content ? (manifest.content as PostgresContent) : null;

export const postgresFormat: Format<PostgresIdentity> = {
  kinds: ['dump', 'tar', 'sql'] satisfies PostgresKind[],
  logical: true,
  identityFields: ['database', 'systemIdentifier'],
  checkIdentity(identity) {
    identity.text('database', 1);
    if (identity.textOrNull('systemIdentifier') === null) return;
    identity.matching('systemIdentifier', SYSTEM_IDENTIFIER, 'the number of a server, or null');
  },
  checkContent(content) {
    content.whole('largeObjects');
    if (content.has('pathFunctions')) content.whole('pathFunctions');
    const extensions = content.has('extensions') ? content.list('extensions') : null;
    for (const lines of [content.list('properties'), content.listOrNull('roles'), extensions]) {
      for (const index of lines?.names() ?? []) lines?.text(index);
    }
  },
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
