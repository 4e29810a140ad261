/** What makes it this database and no other. */
export type Identity = SqliteIdentity | PostgresIdentity;

export interface SqliteIdentity {
  /** Absolute. */
  path: string;
}

export interface PostgresIdentity {
  database: string;
  /** Of the server's cluster; null where the role may not read it, or nobody has asked the server. */
  systemIdentifier: string | null;
}

/** Whether two identities are of one database, as far as both are known. */
export function sameDatabase(one: Identity, other: Identity): boolean {
  if ('path' in one || 'path' in other) return 'path' in one && 'path' in other && one.path === other.path;
  if (one.database !== other.database) return false;
  return (
    [one.systemIdentifier, other.systemIdentifier].includes(null) || one.systemIdentifier === other.systemIdentifier
  );
}

/** For messages. */
export function showIdentity(identity: Identity): string {
  if ('path' in identity) return JSON.stringify(identity.path);
  const { database, systemIdentifier } = identity;
  const server = systemIdentifier === null ? '' : ` of the server with the system identifier ${systemIdentifier}`;
  return `${JSON.stringify(database)}${server}`;
}
