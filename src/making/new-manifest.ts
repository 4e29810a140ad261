import { type Backup, standingOf } from '../backups/catalogue.js';
import { coverageOf } from '../backups/coverage.js';
import { formatNamed } from '../backups/format.js';
import type { Manifest, Reason, VerifiedLevel } from '../backups/manifest.js';
import { withinLimit } from '../backups/manifest-size.js';
import { checksumFile, manifestFile, payloadFile } from '../backups/names.js';
import { compressionBy, type Encrypted, methodOf } from '../backups/packing.js';
import type { MadeSet } from '../engines/database.js';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import { formatCount } from '../reporting/format.js';
import { hostOf, note, READ_BACK } from '../run/connect.js';
import { encryptedBy } from '../run/keys.js';
import type { Run } from '../run/run.js';

/**
 * The manifest of the backup that the host has just made and proven; `damaged`: of a copy of the files of a database that is damaged.
 * Throws E_INTERNAL when the host left something out.
 */
export function manifestOf(
  run: Run,
  { id, createdAt, started, made = null }: { id: string; createdAt: Date; started: Date; made?: MadeSet | null },
  facts: Facts,
  hello: Facts,
  damaged = false,
): Manifest {
  const { settings, database, report } = run;
  const compression = made === null ? compressionBy(facts.need('compressor')) : 'none';
  const encryption = encryptionOf(run, facts);
  const kind = made?.kind ?? (damaged ? formatNamed(settings.database.engine).damaged?.kind : null) ?? database.kind;
  const file = made?.file ?? payloadFile(id, kind, compression, encryption);
  const engine = damaged
    ? { databaseBytes: facts.number('plain_bytes'), tools: {}, content: null }
    : database.describe(facts);
  const identity = database.identity(facts);
  const sha256 = made?.sha256 ?? facts.need('sha256');
  const coverage = coverageOf(settings.dump);
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new BackupError('E_INTERNAL', 'the host did not report a SHA-256');
  const now = run.now();
  const manifest = withinLimit({
    schema: 1,
    id,
    name: settings.name,
    engine: settings.database.engine,
    kind,
    file,
    ...(made === null ? {} : { set: made.set }),
    createdAt: createdAt.toISOString().replace('.000Z', 'Z'),
    host: hostOf(run, hello),
    database: settings.database.given,
    identity,
    bytes: made?.bytes ?? facts.number('bytes'),
    sha256,
    databaseBytes: made?.databaseBytes ?? engine.databaseBytes,
    compression,
    encryption,
    tools: engine.tools,
    content: engine.content,
    verified: verifiedBy(run, damaged ? 'none' : settings.verify, now),
    durationMs: now.getTime() - started.getTime(),
    github: run.github,
    pinned: settings.pin === null ? null : { reason: settings.pin, at: now.toISOString() },
    ...(coverage === null ? {} : { coverage }),
    reason: reasonOf(run),
    recovery: damaged
      ? []
      : database.recovery(
          {
            ...{ file, kind, compression, encryption, identity, content: engine.content },
            ...(made === null ? {} : { set: made.set }),
          },
          report.directory,
          settings,
        ),
    mac: null,
  });
  tellLeftOut(run, manifest);
  return manifest;
}

/** As the manifest of a backup that has just been made has it. */
function verifiedBy({ report: { stages } }: Run, level: VerifiedLevel, now: Date): Manifest['verified'] {
  const restoring = stages.slice(stages.findLastIndex(({ name }) => name === READ_BACK) + 1);
  const ms = restoring.reduce((sum, stage) => sum + stage.ms, 0);
  return { level, at: now.toISOString(), ...(level === 'restore' ? { ms } : {}) };
}

/** The backup of that manifest, whole and just made. */
export function backupOf(manifest: Manifest): Backup {
  const { id, file, verified, set } = manifest;
  const standing =
    verified.level === 'none' ? ({ state: 'unverified', detail: 'not verified' } as const) : standingOf(manifest);
  const files = [manifestFile(id), ...(set === undefined ? [file, checksumFile(file)] : [])];
  return { id, createdAt: new Date(manifest.createdAt), manifest, ...standing, files };
}

/** What the host has encrypted it by is what was asked for, or nothing is believed. */
function encryptionOf({ settings }: Run, facts: Facts): Encrypted {
  const asked = encryptedBy(settings);
  const method = methodOf(asked);
  if ((facts.get('encryption') ?? 'none') === method) return asked;
  throw new BackupError('E_INTERNAL', `the host did not report that the backup is encrypted with ${method}`);
}

function tellLeftOut(run: Run, { content }: Manifest): void {
  const left = content?.tablesLeftOut ?? 0;
  if (content === null || left === 0) return;
  note(
    run,
    `the manifest has no room for all ${formatCount(content.tables.length + left)} tables: it lists the largest ${formatCount(content.tables.length)}. The backup has all of them. A later verify or restore compares the rows of the listed tables only`,
  );
}

function reasonOf(run: Run): Reason {
  if (run.isScheduled) return 'scheduled';
  return run.github === null || run.github.event === 'workflow_dispatch' ? 'manual' : 'deploy';
}
