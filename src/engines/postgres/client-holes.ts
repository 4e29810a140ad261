import { BackupError } from '../../errors.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Settings } from '../../settings/settings.js';
import type { Dump } from '../restoring.js';
import { type Client, majorOfClient, updateOf } from './client.js';
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
 * The holes that a dump of this kind could use. A distribution that keeps a version, and mends it, names what it has mended in the
 * changelog of its package (`client.fixes`); Debian and Ubuntu take the versions of PostgreSQL themselves for as long as there are any.
 * A version that can not be read has them all. `fixedIn` is of the same major, or the oldest that was mended.
 */
export function holesOf({ version, fixes }: Pick<Client, 'version' | 'fixes'>, kind: string) {
  const { major, minor } = majorOfClient(version);
  return HOLES.filter(({ kinds, cve }) => kinds.some((one) => one === kind) && !fixes.has(cve)).flatMap(
    ({ cve, fixed }) => {
      const majors = Object.keys(fixed).map(Number);
      const first = fixed[major];
      if (first !== undefined && minor >= first) return [];
      if (first === undefined && major > Math.max(...majors)) return [];
      const mended = first === undefined ? Math.min(...majors) : major;
      return [{ cve, fixedIn: `${mended}.${fixed[mended]}` }];
    },
  );
}

/**
 * Throws E_TOOL_UNSAFE when the client has holes that a dump which this action did not make could use, unless that is allowed. Otherwise
 * what is to be said about it, in at most one sentence.
 */
export function refuseUnsafe(
  client: Client,
  dump: Pick<Dump, 'kind' | 'file' | 'manifest'>,
  settings: Settings,
): string[] {
  const holes = holesOf(client, dump.kind);
  if (holes.length === 0) return [];
  const tool = dump.kind === 'sql' ? 'psql' : 'pg_restore';
  const where = settings.container === null ? 'on the host' : 'in the container';
  const listed = holes.map(({ cve, fixedIn }) => `${cve} (fixed in ${fixedIn})`).join(', ');
  const has = `${tool} ${where} (${quoteOutside(client.version, 100)}) has known vulnerabilities: ${listed}`;
  const update = updateOf(client, newest(holes.map(({ fixedIn }) => fixedIn)), settings);
  const file = quoteOutside(dump.file, 500);
  if (dump.manifest !== null) {
    return [
      `${has}. Anyone who can change the backups, or create objects in the database, can run commands there during a restore. ${update}`,
    ];
  }
  if (settings.restore.allowUnsafeClient) {
    return [
      `${has}, but ${file} is read with it anyway (allow-unsafe-client): whoever wrote that file can run commands ${where}`,
    ];
  }
  throw new BackupError(
    'E_TOOL_UNSAFE',
    `${has}. Through them, whoever wrote ${file} could run commands there when it is read`,
    `${update} If you cannot, and you trust whoever wrote the dump and the server it came from, set \`allow-unsafe-client: true\`: ${tool} then reads the dump ${who(settings)}, and a crafted dump can run any command that this user can.`,
  );
}

function who({ container, runAs, transport }: Settings): string {
  if (container !== null) return `in the container ${quoteOutside(container, 100)}`;
  if (runAs !== null) return `as ${quoteOutside(runAs, 60)} on the host`;
  return transport?.transport === 'ssh'
    ? `as ${quoteOutside(transport.username, 60)}, the login user of the host`
    : 'as the user who runs this action';
}

/** Of versions `MAJOR.MINOR` the highest. */
function newest(versions: string[]): string {
  const order = new Intl.Collator('en', { numeric: true });
  return versions.toSorted(order.compare).at(-1) ?? '';
}
