import { type Backup, covering, isTrusted, newestVerified, wholeOrAll } from '../backups/catalogue.js';
import { type BackupPlace, placed } from '../backups/copies.js';
import { coverageOf, showCoverage } from '../backups/coverage.js';
import type { Finding } from '../backups/finding.js';
import { lastRestored } from '../backups/findings.js';
import type { BackupSet, Manifest } from '../backups/manifest.js';
import { manifestFile, parseFileName } from '../backups/names.js';
import { plural } from '../counting.js';
import type { BackupFacts } from '../reporting/report.js';
import { tellFinding, warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { addressOf } from '../stores/object-store.js';

/** What is odd in a directory can be as much as somebody puts there. */
const MAX_PROBLEMS = 50;

/** `where`: for those that are too many to be told. */
export function tellProblems(run: Run, problems: readonly Finding[], where: string): void {
  for (const problem of problems.slice(0, MAX_PROBLEMS)) tellFinding(run, problem);
  const left = problems.length - MAX_PROBLEMS;
  if (left > 0) warn(run, `${plural(left, 'more problem', 'more problems')} of this kind in ${where}`);
}

/** Puts these backups into the report as what there is on the host, beside the copies that are known of. */
export function showBackups(run: Run, backups: readonly Backup[]): void {
  const { report, copies } = run;
  const all = placed(backups, copies);
  report.backups = all.map(({ backup, from, places }) => factsOf(run, backup, places, from));
  report.kept = backups.length;
  report.storage.backups = backups.length;
  const sizes = backups.map(({ manifest }) => manifest.bytes);
  report.storage.backupsBytes = sizes.reduce((sum, bytes) => sum + bytes, 0);
  report.storage.averageBytes = sizes.length === 0 ? null : Math.round(report.storage.backupsBytes / sizes.length);
  report.storage.largestBytes = sizes.reduce<number | null>((most, bytes) => Math.max(most ?? 0, bytes), null);
  const known = all.map(({ backup }) => backup);
  const { command } = run.settings;
  const newest = newestVerified(
    command === 'backup' ? covering(known, coverageOf(run.settings.dump)) : wholeOrAll(known),
  );
  run.known = {
    backups: backups.length,
    newest: newest && { ...newest.manifest, createdAt: newest.createdAt, rows: heldBy(newest.manifest).rows },
    proof: lastRestored(backups),
  };
  report.newestAgeSeconds =
    newest === null ? null : Math.max(0, Math.floor((run.now().getTime() - newest.createdAt.getTime()) / 1000));
}

/** Puts into the report what is gone, by the names of the deleted files; `backups` is what there was, besides what has no manifest. */
export function showDeleted(run: Run, backups: readonly Backup[], deleted: readonly string[]): void {
  const files = new Set(deleted);
  const isGone = ({ id }: Backup): boolean => files.has(manifestFile(id));
  showBackups(
    run,
    backups.filter((backup) => !isGone(backup)),
  );
  const known = new Set(backups.map(({ id }) => id));
  const swept = [...files].map((file) => parseFileName(file)?.id ?? '').filter((id) => id !== '' && !known.has(id));
  run.report.deletedIds = [...new Set([...backups.filter(isGone).map(({ id }) => id), ...swept])];
  run.report.deleted = run.report.deletedIds.length;
}

/** Tables and rows, from which a good backup can be told from one of a database that was destroyed, and the commit. */
function heldBy({
  content,
  shortened,
  github,
}: Manifest): Pick<BackupFacts, 'tables' | 'rows' | 'uncounted' | 'commit'> {
  const commit = /^[0-9a-f]{7,64}$/.test(github?.sha ?? '') ? (github?.sha.slice(0, 12) ?? null) : null;
  if (content === null || shortened) return { tables: null, rows: null, commit };
  const counts = content.tables.flatMap(({ rows }) => (rows === null ? [] : [rows]));
  const tables = content.tables.length + (content.tablesLeftOut ?? 0);
  const uncounted = tables - counts.length;
  return {
    tables,
    rows: counts.length === 0 && tables > 0 ? null : counts.reduce((sum, one) => sum + one, 0),
    ...(uncounted === 0 ? {} : { uncounted }),
    commit,
  };
}

/** A backup as reports show it. `from`: which of its places is meant by its path. */
export function factsOf(
  { report, settings }: Run,
  { manifest, state }: Pick<Backup, 'manifest' | 'state'>,
  places: BackupPlace[] = ['host'],
  from: BackupPlace = 'host',
): BackupFacts {
  const partial = showCoverage(manifest.coverage ?? null);
  return {
    id: manifest.id,
    path:
      from === 's3' && settings.s3 !== null
        ? addressOf(settings.s3, manifest.name, manifest.file)
        : manifest.set === undefined
          ? `${report.directory}/${manifest.file}`
          : manifest.file,
    engine: manifest.engine,
    places,
    createdAt: manifest.createdAt,
    sha256: manifest.sha256,
    bytes: manifest.bytes,
    databaseBytes: manifest.databaseBytes,
    ...heldBy(manifest),
    compression: manifest.compression,
    ...(manifest.encryption === 'none' ? {} : { encryption: manifest.encryption }),
    verifiedLevel: manifest.verified.level,
    durationMs: manifest.durationMs,
    pinned: manifest.pinned?.reason ?? null,
    reason: manifest.reason,
    signed: settings.signing === null ? manifest.mac !== null : isTrusted({ state }),
    ...(partial === '' ? {} : { partial }),
    ...(manifest.set === undefined ? {} : { set: shownSet(manifest.set, manifest.kind) }),
    state,
  };
}

const shownSet = ({ label, needs, log }: BackupSet, kind: string): NonNullable<BackupFacts['set']> => ({
  ...{ label, kind },
  needs: needs.length,
  log: { from: log.from, to: log.to },
});
