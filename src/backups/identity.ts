import { formatOf, type Identity } from './format.js';

export type { Identity };

/** Whether two identities are of one database, as far as both are known. */
export function sameDatabase(one: Identity, other: Identity): boolean {
  const format = formatOf(one);
  return format !== null && format === formatOf(other) && format.isSame(one, other);
}

/** For messages. */
export const showIdentity = (identity: Identity): string => formatOf(identity)?.show(identity) ?? 'an unknown database';

/** What tells its server from every other one, however the host is called; null where that is not known, or there is no server. */
export const serverOf = (identity: Identity): string | null => formatOf(identity)?.serverOf?.(identity) ?? null;

/** It has a server, and nobody has asked that one which it is. */
export const isVague = (identity: Identity): boolean => hasServer(identity) && serverOf(identity) === null;

export const hasServer = (identity: Identity): boolean => formatOf(identity)?.serverOf !== undefined;
