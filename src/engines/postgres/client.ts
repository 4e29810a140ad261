import type { Facts } from '../../host/facts.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Settings } from '../../settings/settings.js';

/** The client tools on the host, as postgres-client.sh tells of them. */
export interface Client {
  /** `pg_dump --version` */
  version: string;
  /** The package that psql and pg_restore are of; null: they are of none, or nobody could tell. */
  package: { manager: Manager; name: string } | null;
  /** The CVEs that the changelog of that package names. */
  fixes: ReadonlySet<string>;
}

const MANAGERS = {
  deb: (name: string) => `sudo apt-get update && sudo apt-get install --only-upgrade ${name}`,
  rpm: (name: string) => `sudo dnf upgrade ${name}`,
  apk: (name: string) => `sudo apk upgrade --update-cache ${name}`,
} as const;
type Manager = keyof typeof MANAGERS;

/** Where the host has not told, the version is one that can not be read. A package of another version than the program is not the one that the program is of. */
export function clientIn(facts: Facts): Client {
  const version = facts.get('pg_dump_version') ?? '';
  const [, manager, name, packaged] =
    /^(deb|rpm|apk) ([A-Za-z0-9][A-Za-z0-9+._-]{0,100}) (?:\d+:)?(\d[\w.]*)/.exec(facts.get('client_package') ?? '') ??
    [];
  const { major, minor } = majorOfClient(version);
  const isOfIt = packaged !== undefined && new RegExp(`^${major}\\.${minor}(?![0-9])`).test(packaged);
  if (!isOfIt || name === undefined) return { version, package: null, fixes: new Set() };
  return {
    version,
    package: { manager: manager as Manager, name },
    fixes: new Set((facts.get('client_fixes') ?? '').split(' ').filter((cve) => cve !== '')),
  };
}

/** By `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; NaN where it can not be read. A beta is older than every minor version: -1. */
export function majorOfClient(version: string): { major: number; minor: number } {
  // before the number its maker, in brackets
  const [, major, minor] = /^\S+ \([^)]*\) (\d+)(?:\.(\d+)|(?:devel|alpha|beta|rc)\d*)?(?![\d])/.exec(version) ?? [];
  return { major: Number(major ?? Number.NaN), minor: Number(minor ?? -1) };
}

/** What to type so that the client is of that version, `MAJOR.MINOR`, or newer: a sentence or two. */
export function updateOf(client: Client, needed: string, { container }: Pick<Settings, 'container'>): string {
  const at = `PostgreSQL ${needed} or newer`;
  if (container !== null) return `Replace the image of ${quoteOutside(container, 100)} with one of ${at}.`;
  const { major } = majorOfClient(client.version);
  if (client.package === null || Number.parseInt(needed, 10) !== major) {
    const old = Number.parseInt(needed, 10) > major ? `PostgreSQL ${major} no longer gets fixes. ` : '';
    return `${old}Install the client of ${at} (package postgresql-client-${Number.parseInt(needed, 10)} on Debian and Ubuntu; https://www.postgresql.org/download/). The old one may stay: this action uses the newest.`;
  }
  const { manager, name } = client.package;
  return `Update the client on the host to ${at}: \`${MANAGERS[manager](name)}\`.`;
}
