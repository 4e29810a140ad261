import { BackupError } from '../../errors.js';
import type { Facts } from '../../host/facts.js';
import { quoteOutside } from '../../reporting/neutralise.js';
import type { Dump, DumpVersions } from '../restoring.js';

// Which pg_restore reads what a pg_dump wrote: each version of the format of archives, and the first PostgreSQL that knows it.
// https://github.com/postgres/postgres/blob/master/src/bin/pg_dump/pg_backup_archiver.h

const FORMATS: readonly [format: string, major: number][] = [
  ['1.14', 12],
  ['1.15', 16],
  ['1.16', 17],
];

/** The major version at the beginning of `17.2 (Debian ...)`, or in `pg_dump (PostgreSQL) 17.2`; 0 where there is none. */
export const majorOf = (version: string | null | undefined): number =>
  Number(/^(?:pg_dump \(PostgreSQL\) )?(\d{1,3})/.exec(version ?? '')?.[1] ?? 0);

/** What made a dump and from what; of one of ours its manifest says so. */
export function versionsOf({ manifest, versions }: Dump): DumpVersions {
  if (manifest === null) return versions ?? { tool: null, server: null };
  return { tool: manifest.tools.pg_dump ?? null, server: manifest.tools.PostgreSQL ?? null };
}

/** Throws E_TOOL_VERSION when the client that was found can not read the archive. */
export function checkClient(dump: Dump, facts: Facts): void {
  const { tool } = versionsOf(dump);
  const made = majorOf(tool);
  const there = majorOf(facts.get('pg_dump_version'));
  const needed = Math.max(0, ...FORMATS.map(([, major]) => major).filter((major) => major <= made));
  if (dump.kind === 'sql' || there === 0 || there >= needed) return;
  throw tooOldFor(`it was made by pg_dump ${quoteOutside(tool ?? '', 100)}`, needed, facts);
}

/** What pg_restore says of an archive that is newer than itself, as E_TOOL_VERSION; null where it does not say that. */
export function unreadable(text: string, facts: Facts): BackupError | null {
  const [, format] = /unsupported version \((\d+\.\d+)\) in file header/.exec(text) ?? [];
  if (format === undefined) return null;
  const needed = FORMATS.find(([name]) => name === format)?.[1] ?? null;
  return tooOldFor(`its format is ${format}`, needed, facts);
}

function tooOldFor(why: string, needed: number | null, facts: Facts): BackupError {
  const version = facts.get('pg_dump_version');
  const there = version === null ? '' : `, but the newest client there is ${quoteOutside(version, 100)}`;
  const [what, name] =
    needed === null
      ? ['the client of the PostgreSQL that made it', '']
      : [
          `the client of PostgreSQL ${needed} or newer`,
          ` (postgresql-client-${needed} on Debian and Ubuntu, postgresql${needed} on Red Hat and similar)`,
        ];
  return new BackupError(
    'E_TOOL_VERSION',
    `only ${what} can read the dump: ${why}${there}`,
    `Install it${name} where the tools run. The old one may stay: the newest is used (https://www.postgresql.org/download/).`,
  );
}
