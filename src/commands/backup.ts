import { randomBytes } from 'node:crypto';
import { checkSize } from '../backups/anomalies.js';
import { type Backup, type Catalogue, newestVerified, toCandidates } from '../backups/catalogue.js';
import { type Manifest, serializeManifest } from '../backups/manifest.js';
import { checksumFile, formatId, manifestFile } from '../backups/names.js';
import { isFuture, type RetentionPlan } from '../backups/retention.js';
import { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import { formatAge, formatBytes } from '../reporting/format.js';
import { checkAsserts } from './asserts.js';
import { catalogueOf, factsOf, plan, showBackups, tellPlan, whole } from './catalogue.js';
import { tellChecked } from './checked.js';
import { type Connection, note, warn } from './connect.js';
import { connectedToChange, holderOf, look, openDirectory, statusOf } from './directory.js';
import { manifestOf } from './new-manifest.js';
import { lookOffsite, withStore } from './offsite-backups.js';
import { copyOffsite } from './offsite-copy.js';
import { planCopies, rotateCopies, tellCopiesPlan } from './offsite-rotation.js';
import { checkRemovals, removalArguments, removals, showDeleted } from './removals.js';
import type { Run } from './run.js';

/**
 * Takes a backup, proves it, publishes it, rotates. Two answers of the host are waited for: the proven payload, and its
 * publication. `report.ok` is set only when all that was asked for has been done.
 */
export async function backup(run: Run): Promise<void> {
  await connectedToChange(run, async (connection) => {
    if (run.settings.skipIfYoungerThanMs !== null && (await youngEnough(run, connection))) return;
    await (run.settings.dryRun ? dryRun : take)(run, connection);
  });
}

async function take(run: Run, connection: Connection): Promise<void> {
  const { settings, database, log } = run;
  const started = run.now();
  const suffix = randomBytes(2).toString('hex');
  const work = formatId(settings.name, started, suffix);

  const facts = await log.group(`Back up ${settings.database.given}`, () =>
    connection.send(
      ...openDirectory(run, 'create'),
      ['request', 'expect_work', [work]],
      database.backup(settings, work, holderOf(run, work)),
    ),
  );
  const catalogue = catalogueOf(run, facts);
  checkContent(run, facts, catalogue);
  const createdAt = timeAfter(started, catalogue);
  const id = formatId(settings.name, createdAt, suffix);
  for (const remark of database.remarks(facts)) warn(run, remark);
  for (const remark of database.notes?.(facts) ?? []) note(run, remark);
  const manifest = manifestOf(run, { id, createdAt, started }, facts, await connection.hello);
  if (settings.verify === 'restore') {
    database.checkProof(facts, manifest);
    checkAsserts(settings.asserts, facts);
  }

  const files = [manifestFile(id), manifest.file, checksumFile(manifest.file)];
  const backups: Backup[] = [{ id, createdAt, manifest, state: 'ok', detail: null, files }, ...catalogue.backups];
  const retention = planWith(run, id, createdAt, catalogue);
  const objection = objectionTo(run, manifest, catalogue, retention.refusal);
  const removed = objection === null ? removalArguments(removals(retention, catalogue)) : [];

  const made: Made = { manifest, backups, catalogue, facts, retention, removed, objection };
  await (settings.s3 === null ? publishAndRotate : publishCopyRotate)(run, connection, made);
  if (objection !== null) throw objection;
}

/** The new backup, proven, and what is to become of the older ones. */
interface Made {
  manifest: Manifest;
  /** All, with the new one. */
  backups: Backup[];
  /** Without it. */
  catalogue: Catalogue;
  facts: Facts;
  retention: RetentionPlan;
  removed: string[];
  /** Why nothing is rotated. */
  objection: BackupError | null;
}

/** In one request. */
async function publishAndRotate(run: Run, connection: Connection, made: Made): Promise<void> {
  const { manifest, backups, removed, objection } = made;
  await run.log.group('Publish and rotate', async () => {
    tellPlan(run, made.retention.decisions, objection !== null);
    showMade(run, manifest);
    showDeleted(run, backups, removed);
    run.report.ok = objection === null;
    const done = await connection
      .send(['job', 'finish', [...publication(manifest), statusOf(run), ...removed]])
      .catch((error: unknown) => {
        showDeleted(run, backups, connection.said('deleted'));
        throw unpublished(run, connection, made, error);
      });
    tellMade(run, manifest);
    checkRemovals(run, backups, done);
  });
}

/** The older ones are deleted only when the new one is off-site as well. */
async function publishCopyRotate(run: Run, connection: Connection, made: Made): Promise<void> {
  const { manifest, backups, removed, objection } = made;
  await run.log.group('Publish', async () => {
    showMade(run, manifest);
    showBackups(run, backups);
    await connection.send(['job', 'publish_backup', publication(manifest)]).catch((error: unknown) => {
      throw unpublished(run, connection, made, error);
    });
    tellMade(run, manifest);
  });
  try {
    await copyOffsite(run, connection, manifest);
  } catch (error) {
    if (objection !== null) warn(run, objection.message); // it would not have been rotated either
    throw error;
  }
  await run.log.group('Rotate', async () => {
    tellPlan(run, made.retention.decisions, objection !== null);
    showDeleted(run, backups, removed);
    const done = await connection
      .send(['job', 'change', [statusOf(run), '', '', ...removed]])
      .catch((error: unknown) => {
        showDeleted(run, backups, connection.said('deleted'));
        throw error;
      });
    checkRemovals(run, backups, done);
  });
  if (objection !== null) return;
  await run.log.group('Rotate the copies', () => rotateStore(run, connection, made));
  run.report.ok = true;
  await connection.send(['job', 'put_status', [statusOf(run)]]);
}

async function rotateStore(run: Run, connection: Connection, made: Made): Promise<void> {
  const { backups, removed, facts } = made;
  const gone = new Set(removed);
  const left = backups.filter(({ id }) => !gone.has(manifestFile(id)));
  const catalogue = { backups: left, unreadable: made.catalogue.unreadable };
  const [own] = backups;
  await withStore(run, async (store) => {
    if (store !== null && own !== undefined) await rotateCopies(run, store, { catalogue, facts, connection }, own);
  });
}

const publication = (manifest: Manifest): string[] => [
  manifest.id,
  manifest.file,
  manifest.sha256,
  serializeManifest(manifest),
];

function showMade(run: Run, manifest: Manifest): void {
  const { report } = run;
  report.backup = factsOf(run, { manifest, state: 'ok' });
  report.recovery = manifest.recovery;
  report.tables = manifest.content?.tables ?? [];
  report.tablesLeftOut = manifest.content?.tablesLeftOut ?? 0;
  report.foreignKeyViolations = foreignKeyViolations(manifest);
}

function tellMade({ log, report }: Run, { file, bytes, sha256 }: Manifest): void {
  log.info(`${report.directory}/${file}: ${formatBytes(bytes)}, SHA-256 ${sha256}`);
}

/** Corrects the report to whether the host came to publish it; returns the error. */
function unpublished(run: Run, connection: Connection, { manifest, catalogue }: Made, error: unknown): unknown {
  if (connection.said('published').length > 0) {
    warn(run, `${manifest.id} was published before the run ended; it is complete and proven, and stays`);
    return error;
  }
  run.report.backup = null;
  run.report.recovery = [];
  showBackups(run, catalogue.backups);
  return error;
}

/**
 * The time of the new backup, in whole seconds: when the run began, but always later than the newest there is. The lock
 * orders the runs; a run that began earlier and waited, or in the same second, must not look like the older one.
 */
export function timeAfter(started: Date, { backups }: Catalogue): Date {
  const newest = backups.find((backup) => !isFuture(backup.createdAt, started))?.createdAt.getTime() ?? 0;
  return new Date(Math.max(Math.floor(started.getTime() / 1000), newest / 1000 + 1) * 1000);
}

/** Retention with the backup of this run, the newest of all. */
function planWith(run: Run, id: string, createdAt: Date, { backups }: Catalogue): RetentionPlan {
  const made = { id, createdAt, verified: true, pinned: run.settings.pin, safety: false };
  return plan(run, [made, ...toCandidates(backups)]);
}

/** An empty copy is not a backup, unless the newest verified one is empty as well. Throws E_EMPTY. */
function checkContent({ database }: Run, facts: Facts, catalogue: Catalogue): void {
  if (facts.number('objects') > 0) return;
  if (newestVerified(catalogue.backups)?.manifest.content?.objects === 0) return;
  throw database.empty(facts);
}

function foreignKeyViolations({ content }: Manifest): number {
  return content !== null && 'foreignKeyViolations' in content ? content.foreignKeyViolations : 0;
}

/** Why the backups must not be rotated although the new one is good, or null. */
function objectionTo(
  { settings }: Run,
  manifest: Manifest,
  { backups }: Catalogue,
  refusal: string | null,
): BackupError | null {
  const kept = 'The new backup is good and was kept; no older one was deleted.';
  const anomaly = checkSize(
    manifest.databaseBytes,
    backups.filter((old) => old.state === 'ok').map((old) => old.manifest.databaseBytes),
    { shrink: settings.shrinkLimit, growth: settings.growthLimit },
  );
  if (anomaly !== null) {
    return new BackupError(
      'E_SHRUNK',
      anomaly,
      `${kept} If the change is right, set \`shrink-limit: none\` or \`growth-limit: none\` for one run.`,
    );
  }
  if (refusal === null) return null;
  return new BackupError(
    'E_POLICY',
    refusal,
    `${kept} Look at the plan (\`command: prune\` with \`dry-run: true\`), then change \`keep\`, \`keep-minimum\` or \`max-delete\`.`,
  );
}

async function youngEnough(run: Run, connection: Connection): Promise<boolean> {
  const { settings, log, report } = run;
  const catalogue = catalogueOf(run, await connection.send(...openDirectory(run, 'look'), look(run)));
  // A safety backup is the state that somebody wanted to leave.
  const newest = newestVerified(catalogue.backups.filter(({ manifest }) => manifest.reason !== 'safety'));
  const age = newest === null ? null : run.now().getTime() - newest.createdAt.getTime();
  if (newest === null || age === null || age > (settings.skipIfYoungerThanMs ?? 0)) {
    report.problems = []; // the same catalogue is read again, under the lock
    return false;
  }
  const hashed = await connection.send(['job', 'hash_file', [newest.manifest.file]]);
  if (hashed.need('sha256') !== newest.manifest.sha256) {
    throw new BackupError(
      'E_CHECKSUM',
      `${newest.manifest.file} is young enough, but its SHA-256 is ${hashed.need('sha256')}, not ${newest.manifest.sha256} as in its manifest`,
      'Do not rely on that backup; look at the disk. Remove `skip-if-younger-than` to take a new one. Nothing was changed.',
    );
  }
  const { manifest } = await whole(connection, newest);
  report.backup = factsOf(run, newest);
  // made anew: what the manifest on the host says is not for us to recommend
  report.recovery = run.database.recovery(manifest, report.directory, settings);
  await copyOffsite(run, connection, manifest);
  report.skipped = `${newest.id} is ${formatAge(age)} old, its bytes match its manifest: no new backup was needed`;
  report.ok = true;
  log.info(report.skipped);
  return true;
}

async function dryRun(run: Run, connection: Connection): Promise<void> {
  const { settings, database, log, report } = run;
  const facts = await log.group('Look', () =>
    connection.send(...openDirectory(run, 'look'), database.inspect(settings)),
  );
  const catalogue = catalogueOf(run, facts);
  await tellChecked(run, connection, facts, catalogue);
  log.info(
    `would copy ${database.plan(facts)} (${formatBytes(facts.number('source_bytes'))}), compress it with ${facts.get('compressor')}, into ${report.directory}`,
  );
  if (settings.s3 !== null) {
    const { bucket, prefix } = settings.s3;
    log.info(`would copy it to s3://${[bucket, prefix, settings.name].filter((part) => part !== '').join('/')}/`);
  }
  const made = {
    id: 'the new backup',
    createdAt: timeAfter(run.now(), catalogue),
    verified: true,
    pinned: settings.pin,
    safety: false,
  };
  const retention = plan(run, [made, ...toCandidates(catalogue.backups)]);
  tellPlan(run, without(made.id, retention), true);
  if (retention.refusal !== null) warn(run, `the rotation would be refused: ${retention.refusal}`);
  await withStore(run, async (store) => {
    if (store === null || settings.s3?.keep === null) return;
    const copies = await lookOffsite(run, store, { catalogue, facts, connection });
    const planned = await planCopies(run, copies, [made]);
    if (planned === null) return;
    const { refusal } = planned.retention;
    planned.retention.decisions = without(made.id, planned.retention);
    tellCopiesPlan(run, copies, planned, true);
    if (refusal !== null) warn(run, `the rotation in ${copies.uri} would be refused: ${refusal}`);
  });
  report.ok = true;
}

const without = (id: string, { decisions }: RetentionPlan): RetentionPlan['decisions'] =>
  decisions.filter((decision) => decision.id !== id);
