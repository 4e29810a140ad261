import {
  type Backup,
  type Catalogue,
  covering,
  type ListedFile,
  newestVerified,
  readCatalogue,
  wholeOrAll,
} from '../backups/catalogue.js';
import { type BackupPlace, placed } from '../backups/copies.js';
import { coverageOf, showCoverage } from '../backups/coverage.js';
import { type Manifest, parseManifest } from '../backups/manifest.js';
import { manifestFile } from '../backups/names.js';
import { type Candidate, type Decision, planRetention, type RetentionPlan } from '../backups/retention.js';
import { plural } from '../counting.js';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import { clip } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { BackupFacts } from '../reporting/report.js';
import { type Connection, warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import type { S3Settings } from '../settings/settings.js';

/** What is odd in a directory can be as much as somebody puts there. */
const MAX_PROBLEMS = 50;

/** The catalogue as the host listed it, put into the report, with what is odd in it told. */
export function catalogueOf(run: Run, facts: Facts): Catalogue {
  const { report, settings } = run;
  report.directory = facts.path('directory');
  report.storage.freeBytes = /^\d{1,15}$/.test(facts.get('free_kib') ?? '') ? facts.number('free_kib') * 1024 : null;
  const untold = facts.get('untold');
  if (untold !== null) {
    warn(
      run,
      `${quoteOutside(untold, 20)} of the oldest manifests were not read, for all of them are more than the host sends: prune, or move old backups out of ${report.directory}`,
    );
  }
  const catalogue = readCatalogue(
    listing(facts),
    { name: settings.name, identity: run.database.identity(facts) },
    run.now(),
  );
  tellProblems(run, catalogue.problems, report.directory);
  showBackups(run, catalogue.backups);
  return catalogue;
}

/** `where`: for those that are too many to be told. */
export function tellProblems(run: Run, problems: readonly string[], where: string): void {
  for (const problem of problems.slice(0, MAX_PROBLEMS)) warn(run, problem);
  const left = problems.length - MAX_PROBLEMS;
  if (left > 0) warn(run, `${plural(left, 'more problem', 'more problems')} of this kind in ${where}`);
}

/** The backups of that name, of whatever database they are. */
export function backupsNamed(run: Run, name: string, facts: Facts): Backup[] {
  return readCatalogue(listing(facts), { name, identity: null }, run.now()).backups;
}

function listing(facts: Facts): { files: ListedFile[]; manifests: Map<string, string> } {
  const files: ListedFile[] = [];
  const end = facts.entries.findIndex(([key]) => key === 'listed');
  // who is asked after it may be another user, or a container, and is not to speak of the directory
  const told = end < 0 ? facts.entries : facts.entries.slice(0, end);
  for (const line of told.flatMap(([key, lines]) => (key === 'files' ? lines.split('\n') : []))) {
    // mode, links, uid, gid, size, month, day, time, name; the names of ours hold no blanks
    const [, type, bytes, name] = /^(\S)\S* +\d+ +\d+ +\d+ +(\d+) +\S+ +\S+ +\S+ (\S+)(?: -> .*)?$/.exec(line) ?? [];
    if (type && bytes && name) files.push({ name, type, bytes: Number(bytes) });
  }
  const manifests = new Map<string, string>();
  for (const [key, text] of told) {
    if (key.startsWith('manifest ')) manifests.set(key.slice('manifest '.length), text);
  }
  return { files, manifests };
}

/** The backup with its whole manifest, of which the host leaves the long lists out where a catalogue would become too large. */
export async function whole({ send }: Pick<Connection, 'send'>, backup: Backup): Promise<Backup> {
  if (backup.manifest.shortened === undefined) return backup;
  const file = manifestFile(backup.id);
  const facts = await send(['job', 'put_manifest', [file]]);
  const manifest = parseManifest(facts.need(`manifest ${file}`), backup.id);
  if (manifest.shortened === undefined && manifest.sha256 === backup.manifest.sha256) return { ...backup, manifest };
  throw new BackupError('E_MANIFEST', `${file} is another one than a moment ago, or none of ours`);
}

/** Retention by the rules of the run. */
export function plan(
  { settings, now }: Run,
  candidates: readonly Candidate[],
  held?: ReadonlyMap<string, string>,
): RetentionPlan {
  const { keep, keepMadeUnder, keepMinimum, maxDelete } = settings;
  return planRetention(candidates, { rules: keep, madeUnder: keepMadeUnder, keepMinimum, maxDelete }, now(), held);
}

/** Puts the plan into the report and the log. `would`: it is not going to be carried out. */
export function tellPlan(run: Run, decisions: Decision[], would: boolean): void {
  run.report.retention = decisions;
  for (const { id, keep, reasons } of decisions) {
    run.log.info(`${would ? 'would ' : ''}${keep ? 'keep' : 'delete'} ${id}: ${clip(reasons.join(', '), 300)}`);
  }
}

/** Puts these backups into the report as what there is on the host, beside the copies that are known of. */
export function showBackups(run: Run, backups: readonly Backup[]): void {
  const { report, copies } = run;
  const all = placed(backups, copies);
  report.backups = all.map(({ backup, from, places }) => factsOf(run, backup, places, from));
  report.kept = backups.length;
  report.storage.backups = backups.length;
  report.storage.backupsBytes = backups.reduce((sum, backup) => sum + backup.manifest.bytes, 0);
  const known = all.map(({ backup }) => backup);
  const { command } = run.settings;
  const newest = newestVerified(
    command === 'backup' ? covering(known, coverageOf(run.settings.dump)) : wholeOrAll(known),
  );
  report.newestAgeSeconds =
    newest === null ? null : Math.max(0, Math.floor((run.now().getTime() - newest.createdAt.getTime()) / 1000));
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
      from === 's3' && settings.s3 !== null ? copyUri(settings.s3, manifest) : `${report.directory}/${manifest.file}`,
    engine: manifest.engine,
    places,
    createdAt: manifest.createdAt,
    sha256: manifest.sha256,
    bytes: manifest.bytes,
    databaseBytes: manifest.databaseBytes,
    compression: manifest.compression,
    verifiedLevel: manifest.verified.level,
    durationMs: manifest.durationMs,
    pinned: manifest.pinned?.reason ?? null,
    reason: manifest.reason,
    ...(partial === '' ? {} : { partial }),
    state,
  };
}

function copyUri({ bucket, prefix }: S3Settings, { name, file }: Manifest): string {
  return `s3://${[bucket, prefix, name, file].filter((part) => part !== '').join('/')}`;
}
