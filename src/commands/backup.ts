import { randomBytes } from 'node:crypto';
import {
  alarmsIn,
  type Backup,
  type Catalogue,
  covering,
  leftovers,
  newestVerified,
  standingOf,
  toCandidates,
} from '../backups/catalogue.js';
import { coverageOf, showCoverage } from '../backups/coverage.js';
import { type Manifest, serializeManifest, VERIFIED_LEVELS, type VerifiedLevel } from '../backups/manifest.js';
import { checksumFile, formatId, manifestFile } from '../backups/names.js';
import type { Candidate, RetentionPlan } from '../backups/retention.js';
import { BackupError, describe } from '../errors.js';
import type { Facts } from '../host/session.js';
import { adoptLost } from '../making/adopt.js';
import { alarm, answersAlarm, standingInStore, standingOfNew } from '../making/alarm.js';
import { manifestOf } from '../making/new-manifest.js';
import { lookForLosses, pinBefore, suspicionOf } from '../making/row-loss.js';
import { timeAfter } from '../making/time.js';
import { catalogueOf, factsOf, plan, showBackups, tellPlan, whole } from '../places/catalogue.js';
import { lookOffsite, withStore } from '../places/copies.js';
import { copyOffsite } from '../places/copy.js';
import { checkRemovals, removalArguments, removals, showDeleted } from '../places/removals.js';
import { NOTHING_GOOD_GOES, planCopies, rotateCopies, tellCopiesPlan } from '../places/rotate-copies.js';
import { checkAsserts } from '../proving/asserts.js';
import { formatAge, formatBytes } from '../reporting/format.js';
import { tellChecked } from '../run/checked.js';
import { type Connection, note, warn } from '../run/connect.js';
import { connectedToChange, holderOf, look, openDirectory, statusOf } from '../run/directory.js';
import type { Run } from '../run/run.js';

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
  const adopted = await adoptLost(run, connection, catalogue, facts);
  const createdAt = timeAfter(started, catalogue);
  const id = formatId(settings.name, createdAt, suffix);
  for (const remark of database.remarks(facts)) warn(run, remark);
  for (const remark of database.notes?.(facts) ?? []) note(run, remark);
  const proven = manifestOf(run, { id, createdAt, started }, facts, await connection.hello);
  if (settings.verify === 'restore') {
    database.checkProof(facts, proven);
    checkAsserts(settings.asserts, facts);
  }

  const found = await lookForLosses(run, proven, catalogue.backups, connection);
  const loss = answersAlarm(run, catalogue.backups) ? null : found;
  const standing = standingOfNew(run, proven, catalogue.backups, suspicionOf(run, loss));
  const manifest = { ...proven, ...rulesOf(settings), ...standing };
  if (loss !== null && standing.state !== 'suspect') await pinBefore(run, connection, catalogue, loss);
  const made = decide(run, manifest, catalogue, facts, adopted);
  await (settings.s3 === null ? publishAndRotate : publishCopyRotate)(run, connection, made);
  if (made.objection !== null) throw made.objection;
}

/** Which rules it is made under; where nobody rotates, there are none. */
function rulesOf({ keep, s3 }: Run['settings']): Pick<Manifest, 'keep' | 's3Keep'> {
  return { keep, ...(s3 === null || s3.keep === null ? {} : { s3Keep: s3.keep }) };
}

/** What is to become of the older backups. While the new one is suspect, no good one goes. */
function decide(
  run: Run,
  manifest: Manifest,
  catalogue: Catalogue,
  facts: Facts,
  adopted: ReadonlyMap<string, string>,
): Made {
  const { id } = manifest;
  const createdAt = new Date(manifest.createdAt);
  const files = [manifestFile(id), manifest.file, checksumFile(manifest.file)];
  const own: Backup = { id, createdAt, manifest, ...standingOf(manifest), files };
  const backups = [own, ...catalogue.backups];
  const isSuspect = own.state === 'suspect';
  const good = isSuspect ? catalogue.backups.filter(isGood) : [];
  const held = new Map([...adopted, ...good.map(({ id }): [string, string] => [id, NOTHING_GOOD_GOES])]);
  const retention = plan(run, [...toCandidates(backups), ...leftovers(catalogue.orphans)], held);
  const suspicion = isSuspect ? (manifest.suspicion ?? null) : null;
  const objection = suspicion === null ? policyObjection(retention.refusal) : alarm(manifest, suspicion);
  const carriesOut = retention.refusal === null;
  const removed = carriesOut ? removalArguments(removals(retention, catalogue)) : [];
  return { manifest, backups, catalogue, facts, adopted, retention, carriesOut, removed, objection };
}

const isGood = ({ state }: Backup): boolean => state === 'ok';

/** The new backup, proven, and what is to become of the older ones. */
interface Made {
  manifest: Manifest;
  /** All, with the new one. */
  backups: Backup[];
  /** Without it. */
  catalogue: Catalogue;
  facts: Facts;
  /** Backups that were adopted in this run, with why they stay. */
  adopted: ReadonlyMap<string, string>;
  retention: RetentionPlan;
  /** The plan is not refused. */
  carriesOut: boolean;
  removed: string[];
  /** What the run ends with although the new backup is there. */
  objection: BackupError | null;
}

/** In one request. */
async function publishAndRotate(run: Run, connection: Connection, made: Made): Promise<void> {
  const { manifest, backups, removed, objection } = made;
  await run.log.group('Publish and rotate', async () => {
    tellPlan(run, made.retention.decisions, !made.carriesOut);
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
    checkRotation(run, made, done);
  });
}

/** The older ones are deleted only when the new one is off-site as well. */
async function publishCopyRotate(run: Run, connection: Connection, made: Made): Promise<void> {
  await publishAndCopy(run, connection, made);
  const { backups, removed, objection } = made;
  await run.log.group('Rotate', async () => {
    tellPlan(run, made.retention.decisions, !made.carriesOut);
    showDeleted(run, backups, removed);
    const done = await connection
      .send(['job', 'change', [statusOf(run), '', '', ...removed]])
      .catch((error: unknown) => {
        showDeleted(run, backups, connection.said('deleted'));
        throw error;
      });
    checkRotation(run, made, done);
  });
  if (objection !== null && made.manifest.state !== 'suspect') return;
  await run.log
    .group('Rotate the copies', () => rotateStore(run, connection, made))
    .catch((error: unknown) => {
      if (objection === null) throw error;
      warn(run, describe(error).message); // that the new backup is suspect is more to be told
    });
  if (objection !== null) return;
  run.report.ok = true;
  await connection.send(['job', 'put_status', [statusOf(run)]]);
}

/** The sizes in the store tell what a host that has lost its directory does not know: by them the new backup may still become suspect. */
async function publishAndCopy(run: Run, connection: Connection, made: Made): Promise<void> {
  const { manifest, backups, catalogue, facts } = made;
  await run.log.group('Publish', async () => {
    showMade(run, manifest);
    showBackups(run, backups);
    await connection.send(['job', 'publish_backup', publication(manifest)]).catch((error: unknown) => {
      throw unpublished(run, connection, made, error);
    });
    tellMade(run, manifest);
  });
  try {
    await copyOffsite(run, connection, manifest, async (store) => {
      if (manifest.state === 'suspect') return manifest;
      const judged = await standingInStore(run, connection, store, { manifest, catalogue, facts });
      if (judged === manifest) return manifest;
      // on the host first, which a store that fails now must not keep from knowing it
      await connection.send(['job', 'write_manifest', [manifestFile(judged.id), serializeManifest(judged)]]);
      Object.assign(made, decide(run, judged, catalogue, facts, made.adopted));
      showMade(run, judged);
      return judged;
    });
  } catch (error) {
    // it would not have been rotated either
    if (made.objection !== null) warn(run, made.objection.message);
    throw error;
  }
}

/** That the new backup is suspect is more to be told than what could not be deleted. Throws E_ROTATE otherwise. */
function checkRotation(run: Run, { backups, objection }: Made, done: Facts): void {
  try {
    checkRemovals(run, backups, done);
  } catch (error) {
    if (objection === null) throw error;
    warn(run, describe(error).message);
  }
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
  report.backup = factsOf(run, { manifest, ...standingOf(manifest) });
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

/** An empty copy is not a backup, unless the newest verified one is empty as well. Throws E_EMPTY. */
function checkContent({ database, settings }: Run, facts: Facts, catalogue: Catalogue): void {
  if (facts.number('objects') > 0) return;
  const coverage = showCoverage(coverageOf(settings.dump));
  const alike = catalogue.backups.filter(({ manifest }) => showCoverage(manifest.coverage ?? null) === coverage);
  if (newestVerified(alike)?.manifest.content?.objects === 0) return;
  throw database.empty(facts);
}

function foreignKeyViolations({ content }: Manifest): number {
  return content !== null && 'foreignKeyViolations' in content ? content.foreignKeyViolations : 0;
}

/** Why the backups must not be rotated although the new one is good, or null. */
function policyObjection(refusal: string | null): BackupError | null {
  if (refusal === null) return null;
  return new BackupError(
    'E_POLICY',
    refusal,
    `The new backup is good and was kept; no older one was deleted. Look at the plan (\`command: prune\` with \`dry-run: true\`), then change \`keep\`, \`keep-minimum\` or \`max-delete\`.`,
  );
}

const isProvenAs = ({ verified }: Manifest, level: VerifiedLevel): boolean =>
  VERIFIED_LEVELS.indexOf(verified.level) >= VERIFIED_LEVELS.indexOf(level);

async function youngEnough(run: Run, connection: Connection): Promise<boolean> {
  const { settings, log, report } = run;
  const catalogue = catalogueOf(run, await connection.send(...openDirectory(run, 'look'), look(run)));
  const usable = covering(catalogue.backups, coverageOf(settings.dump));
  // A safety backup is the state that somebody wanted to leave.
  const newest = newestVerified(
    usable.filter(({ manifest }) => manifest.reason !== 'safety' && isProvenAs(manifest, settings.verify)),
  );
  const age = newest === null ? null : run.now().getTime() - newest.createdAt.getTime();
  if (newest !== null && age !== null && age <= (settings.skipIfYoungerThanMs ?? 0) && alarmsIn(usable).length > 0) {
    log.info(`${newest.id} is young enough, but a newer one is suspect: another backup is taken`);
    report.problems = [];
    return false;
  }
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
  const made: Candidate = {
    id: 'the new backup',
    createdAt: timeAfter(run.now(), catalogue),
    verified: true,
    partial: showCoverage(coverageOf(settings.dump)),
    pinned: settings.pin,
    safety: false,
  };
  await adoptLost(run, connection, catalogue, facts);
  const retention = plan(run, [made, ...toCandidates(catalogue.backups), ...leftovers(catalogue.orphans)]);
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
