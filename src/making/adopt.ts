import type { Backup, Orphan } from '../backups/catalogue.js';
import { UNKNOWN_COVERAGE } from '../backups/coverage.js';
import { formatNamed } from '../backups/format.js';
import type { Manifest } from '../backups/manifest.js';
import { manifestFile, parseFileName } from '../backups/names.js';
import { stagesOf } from '../backups/packing.js';
import type { HostPlace } from '../places/host.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { hostOf, warn } from '../run/connect.js';
import type { Run } from '../run/run.js';

/** Each is read in full. The others wait for the next run. */
const MOST = 50;

/** Why a backup that was adopted in this run stays, whatever the rules say. */
const ADOPTED_NOW = 'its manifest was missing, and this run adopted it';

/**
 * Gives the payloads that have lost their manifest a new one, where the checksum beside them agrees and they unpack, while the lock is held.
 * Returns which, with why they are kept in this run; the catalogue has them as backups then. With `dry-run` it tells of them only.
 */
export async function adoptLost(run: Run, host: HostPlace): Promise<Map<string, string>> {
  const adopted = new Map<string, string>();
  const lost = host.listed.orphans.filter((orphan) => mayBeOf(run, orphan)).slice(0, MOST);
  if (run.settings.dryRun) {
    for (const { id } of lost) run.log.info(`would adopt ${id} if its bytes match the checksum beside it`);
    return adopted;
  }
  for (const orphan of lost) {
    const manifest = await proven(run, host, orphan);
    if (manifest === null) continue;
    await host.write(backupOf(orphan, manifest));
    adopted.set(orphan.id, ADOPTED_NOW);
    run.log.info(`adopted ${orphan.id}: its bytes match the checksum beside it`);
  }
  return adopted;
}

function mayBeOf({ settings }: Run, { payload }: Orphan): boolean {
  const kind = parseFileName(payload ?? '')?.kind;
  return kind !== undefined && formatNamed(settings.database.engine).kinds.includes(kind);
}

function backupOf({ id, createdAt, files }: Orphan, manifest: Manifest): Backup {
  return { id, createdAt, manifest, state: 'ok', detail: null, files: [manifestFile(id), ...files] };
}

/** The manifest of a backup of which there is nothing but its bytes; null when they do not prove what they are. */
async function proven(
  run: Run,
  { connection, facts }: HostPlace,
  { id, createdAt, payload }: Orphan,
): Promise<Manifest | null> {
  const { settings, database, report } = run;
  const { name, kind, compression } = parseFileName(payload ?? '') ?? {};
  if (payload === null || name === undefined || kind === undefined || compression === undefined) return null;
  const found = await connection.send([
    'job',
    'prove_payload',
    [payload, stagesOf({ compression, encryption: 'none' })],
  ]);
  const why = found.get('unproven');
  if (why !== null) {
    warn(run, `${id} was not adopted: ${quoteOutside(why, 300)}`);
    return null;
  }
  const identity = database.identity(facts);
  const at = run.now().toISOString();
  return {
    ...{ schema: 1, id, name, engine: settings.database.engine, kind, file: payload },
    createdAt: createdAt.toISOString().replace('.000Z', 'Z'),
    ...{ host: hostOf(run, await connection.hello), database: settings.database.given, identity },
    ...{ bytes: found.number('proven_bytes'), sha256: found.need('proven_sha256') },
    databaseBytes: found.number('proven_plain_bytes'),
    ...{ compression, encryption: 'none', tools: {}, content: null },
    verified: { level: 'checksum', at },
    ...{ durationMs: 0, github: null, pinned: null },
    adopted: { at },
    ...(formatNamed(settings.database.engine).logical ? { coverage: UNKNOWN_COVERAGE } : {}),
    reason: 'manual',
    recovery: database.recovery(
      { file: payload, kind, compression, encryption: 'none', identity, content: null },
      report.directory,
      settings,
    ),
    mac: null,
  };
}
