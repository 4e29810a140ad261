import type { Manifest, TableRows } from '../backups/manifest.js';
import { type Packing, stagesOf } from '../backups/packing.js';
import { plural } from '../counting.js';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Settings } from '../settings/settings.js';

// What the engines share.

/** The named arguments of a request to the program on the host. */
export const named = (values: Record<string, string>): string[] => Object.entries(values).flat();

/** Those that every engine's program takes. */
export function commonArguments(settings: Settings): Record<string, string> {
  return {
    name: settings.name,
    run_as: settings.runAs ?? '',
    verify: settings.verify,
    wanted: settings.compression,
    level: settings.compressionLevel === null ? '' : String(settings.compressionLevel),
    asserts: settings.asserts.join('\n'),
    min_free_kib: String(Math.ceil(settings.minFreeBytes / 1024)),
  };
}

type Payload = Packing & Pick<Manifest, 'file' | 'kind' | 'sha256' | 'bytes'> & { databaseBytes: number | null };

/** Those of every request that reads a payload. */
export function payloadArguments(payload: Payload): Record<string, string> {
  const { file, sha256, bytes, databaseBytes, kind } = payload;
  return {
    payload: file,
    sha256,
    bytes: String(bytes),
    plain_bytes: databaseBytes === null ? '' : String(databaseBytes),
    packing: stagesOf(payload),
    kind,
  };
}

/** The rows of a restored copy are those that were counted at the time of the backup, as far as the manifest has them; else E_MANIFEST. */
export function checkRows(
  { tables, tablesLeftOut = 0 }: Pick<NonNullable<Manifest['content']>, 'tables' | 'tablesLeftOut'>,
  restored: readonly TableRows[],
): void {
  const found = new Map(restored.map(({ name, rows }) => [name, rows]));
  const wrong: string[] = [];
  for (const { name, rows } of tables) {
    const there = found.get(name);
    found.delete(name);
    if (there === undefined) wrong.push(`${name} is missing`);
    else if (rows !== null && there !== null && rows !== there)
      wrong.push(`${name} has ${plural(there, 'row')}, not ${rows}`);
  }
  const surplus = [...found].flatMap(([name, rows]): [string, number][] => (rows ? [[name, rows]] : []));
  if (surplus.length > tablesLeftOut) {
    for (const [name, rows] of surplus) wrong.push(`${name} has ${plural(rows, 'row')}, and is not in the manifest`);
  }
  if (wrong.length === 0) return;
  const shown = wrong.slice(0, 5).map((one) => quoteOutside(one, 120));
  throw new BackupError(
    'E_MANIFEST',
    `the restored copy differs from the manifest: ${shown.join('; ')}${wrong.length > shown.length ? `; and ${wrong.length - shown.length} more` : ''}`,
    'Do not rely on this backup: take a new one, and check who can write to that directory.',
  );
}

/** Whole seconds, not fewer than asked for. */
export const seconds = (ms: number): string => String(Math.ceil(ms / 1000));

/** What packs, with its version, for the manifest. */
export function packersOf(facts: Facts): Record<string, string> {
  const tools = ['compressor', 'encryption'].flatMap((key) => {
    const tool = facts.get(key);
    return tool === null || tool === 'none' ? [] : [[tool, quoteOutside(facts.get(`${key}_version`) ?? '', 100)]];
  });
  return Object.fromEntries(tools);
}

/** The user who logs in, for messages. */
export const loginUser = ({ transport }: Settings): string =>
  transport.transport === 'ssh' ? transport.username : 'the user of this runner';
