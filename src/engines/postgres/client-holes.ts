import { BackupError } from '../../errors.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Settings } from '../../settings/settings.js';
import type { Dump } from '../restoring.js';
import type { PostgresKind } from './format.js';

/** A hole through which a dump can do more than fill a database while it is restored. */
interface Hole {
  cve: string;
  /** What is restored through it: scripts by psql, archives by pg_restore. */
  kinds: readonly PostgresKind[];
  /** Major version: the first minor one without it. Newer majors never had it, older ones were never mended. */
  fixed: Readonly<Record<number, number>>;
}

/** https://www.postgresql.org/support/security/ */
const HOLES: readonly Hole[] = [
  // commands of psql in a script that pg_dump made of a hostile server
  { cve: 'CVE-2025-8714', kinds: ['sql'], fixed: { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 } },
  // line breaks in the names of objects
  { cve: 'CVE-2025-8715', kinds: ['sql', 'dump', 'tar'], fixed: { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 } },
  // \unrestrict expands commands in backticks, within what mended CVE-2025-8714
  { cve: 'CVE-2026-18408', kinds: ['sql'], fixed: { 14: 24, 15: 19, 16: 15, 17: 11, 18: 6 } },
  // pg_restore itself runs what a crafted archive says
  { cve: 'CVE-2026-116314', kinds: ['dump', 'tar'], fixed: { 14: 25, 15: 20, 16: 16, 17: 12, 18: 7 } },
];

/**
 * The holes that a dump of this kind could use, by `pg_dump --version` (`pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`).
 * A version that can not be read has them all. `fixedIn` is of the same major, or the oldest that was mended.
 */
export function holesOf(version: string, kind: string): { cve: string; fixedIn: string }[] {
  // before the number its maker, in brackets; a beta is older than every minor version
  const [, major, minor] = /^\S+ \([^)]*\) (\d+)(?:\.(\d+)|(?:devel|alpha|beta|rc)\d*)?(?![\d])/.exec(version) ?? [];
  return HOLES.filter(({ kinds }) => kinds.some((one) => one === kind)).flatMap(({ cve, fixed }) => {
    const majors = Object.keys(fixed).map(Number);
    const first = fixed[Number(major)];
    if (first !== undefined && Number(minor ?? -1) >= first) return [];
    if (first === undefined && Number(major) > Math.max(...majors)) return [];
    const mended = first === undefined ? Math.min(...majors) : Number(major);
    return [{ cve, fixedIn: `${mended}.${fixed[mended]}` }];
  });
}

/**
 * Throws E_TOOL_UNSAFE when the client has holes that a dump which this action did not make could use, unless that is allowed. Otherwise
 * what is to be said about it, in at most one sentence.
 */
export function refuseUnsafe(
  version: string,
  dump: Pick<Dump, 'kind' | 'file' | 'manifest'>,
  settings: Settings,
): string[] {
  const holes = holesOf(version, dump.kind);
  if (holes.length === 0) return [];
  const tool = dump.kind === 'sql' ? 'psql' : 'pg_restore';
  const has = `${tool} on the host (${quoteOutside(version, 100)}) has known holes: ${holes.map(({ cve }) => cve).join(', ')}`;
  const install = `the PostgreSQL client ${newest(holes.map(({ fixedIn }) => fixedIn))} or newer`;
  if (dump.manifest !== null) {
    return [
      `${has}. Through them whoever can change the backups, or made objects in the database, can run commands there during a restore: install ${install}`,
    ];
  }
  if (settings.restore.allowUnsafeClient) {
    return [
      `${has}, and ${quoteOutside(dump.file, 500)} is restored with it all the same (allow-unsafe-client): whoever made that file can run commands on the host`,
    ];
  }
  throw new BackupError(
    'E_TOOL_UNSAFE',
    `${has}. Through them whoever made ${quoteOutside(dump.file, 500)} could run commands there while it is restored`,
    `Install ${install} ${settings.container === null ? 'on the host' : 'in the container'} (the package postgresql-client). If you trust whoever made the dump and the server it came from, set \`allow-unsafe-client: true\`.`,
  );
}

/** Of versions `MAJOR.MINOR` the highest. */
function newest(versions: string[]): string {
  const order = new Intl.Collator('en', { numeric: true });
  return versions.toSorted(order.compare).at(-1) ?? '';
}
