import { type Backup, leftovers, type Orphan } from '../backups/catalogue.js';
import { manifestFile } from '../backups/names.js';
import { type Candidate, planRetention, type RetentionPlan } from '../backups/retention.js';
import { BackupError, describe } from '../errors.js';
import { clip, counted } from '../reporting/format.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { leaving } from '../stores/s3/failures.js';
import type { Store } from '../stores/s3/store.js';
import { adoptCopies } from './adopt-copies.js';
import { type Copies, lookOffsite, type OnHost, showCopies } from './copies.js';
import { type Held, heldOf, removeCopies } from './removal.js';
import { removals } from './removals.js';

const HIDDEN =
  'the bucket keeps versions: what was deleted is hidden by delete markers, and takes space until a lifecycle rule (NoncurrentVersionExpiration) removes it';

/** Why a good one stays that no rule keeps. */
export const NOTHING_GOOD_GOES = 'the newest backup is suspect: no good one is deleted';

/** Retention of the copies: what is decided, and what is to be deleted. */
export interface CopiesPlan {
  retention: RetentionPlan;
  remove: (Backup | Orphan)[];
}

/** Decides from what is in the store alone; what is locked there stays. `more`: a copy that is not there yet. */
export async function planCopies(
  run: Run,
  { store, catalogue, candidates }: Copies,
  more: Candidate[] = [],
  kept: ReadonlyMap<string, string> = new Map(),
): Promise<CopiesPlan | null> {
  const { s3, name, keepMadeUnder: madeUnder, keepMinimum, maxDelete } = run.settings;
  const rules = s3?.keep ?? null;
  if (rules === null) return null;
  const now = run.now();
  const plan = (held: ReadonlyMap<string, string>): RetentionPlan =>
    planRetention(
      [...more, ...candidates, ...leftovers(catalogue.orphans)],
      { rules, madeUnder, keepMinimum, maxDelete },
      now,
      held,
    );
  const doomed = removals(plan(kept), catalogue);
  const held = new Map([
    ...kept,
    ...(await heldOf(store, name, doomed, now)).map(({ id, why }): [string, string] => [id, why]),
  ]);
  return { retention: plan(held), remove: doomed.filter(({ id }) => !held.has(id)) };
}

function keepHeld({ decisions }: RetentionPlan, held: readonly Held[]): void {
  for (const { id, why } of held) {
    const decision = decisions.find((one) => one.id === id);
    if (decision !== undefined) Object.assign(decision, { keep: true, reasons: [why] });
  }
}

/** Puts the plan into the report and the log. `would`: it is not going to be carried out. */
export function tellCopiesPlan(run: Run, { uri }: Copies, { retention }: CopiesPlan, would: boolean): void {
  if (run.report.s3 !== null) run.report.s3.retention = retention.decisions;
  const may = would ? 'would ' : '';
  for (const { id, keep, reasons } of retention.decisions) {
    run.log.info(`${may}${keep ? 'keep' : 'delete'} ${uri}${id}: ${clip(reasons.join(', '), 300)}`);
  }
}

/** Carries a plan out. Throws E_ROTATE, with the report corrected to what was really deleted. */
export async function deleteCopies(
  run: Run,
  { store, uri }: Copies,
  { retention, remove }: CopiesPlan,
  onHost: readonly Backup[],
): Promise<void> {
  const { report, log, settings } = run;
  const removal = await removeCopies(store, settings.name, remove, (file) => log.info(`deleted ${file}`));
  keepHeld(retention, removal.held);
  const gone = new Set(removal.deleted);
  run.copies = run.copies.filter(({ id }) => !gone.has(manifestFile(id)));
  if (report.s3 !== null) {
    report.s3.deleted = remove.filter(({ files: [first = ''] }) => gone.has(first)).length;
    report.s3.hidden = removal.hides;
  }
  showCopies(run, onHost);
  for (const { id, why } of removal.held) log.info(`keep ${uri}${id}: ${why}`);
  if (removal.hides) log.info(HIDDEN);
  if (removal.failure === null) return;
  const { error, file } = removal.failure;
  const left = remove.filter(({ files }) => !files.every((one) => gone.has(one))).length - removal.held.length;
  const what = `${counted(left, 'old copy', 'old copies')} could not be deleted, the first at ${file}`;
  throw notRotated(run, error, what);
}

const AGAIN = '`prune` tries again; with `s3-keep: none` the lifecycle of the bucket does it.';

/** Only what the store says is about the rotation; that the run was cancelled is another story, in which this is a side note. */
function notRotated(run: Run, error: unknown, what: string, then = AGAIN): unknown {
  const { code, message, hint } = describe(leaving(error, 'The backups on the host are as they are.'));
  if (code.startsWith('E_S3_') || code === 'E_ROTATE') {
    return new BackupError('E_ROTATE', `${what}: ${message}`, `${hint} ${then}`);
  }
  warn(run, what);
  return error;
}

/**
 * Rotates the copies after this run's own was read back: `id` has to be among them. While it is suspect, no good one is deleted. Throws
 * E_ROTATE, E_POLICY.
 */
export async function rotateCopies(run: Run, store: Store, onHost: OnHost, made: Backup): Promise<void> {
  if (run.settings.s3?.keep === null) {
    run.log.info('the copies in the store are left to the lifecycle of the bucket (s3-keep: none)');
    return;
  }
  const copies = await lookOffsite(run, store, onHost).catch((error: unknown) => {
    throw notRotated(run, error, 'the copies in the store could not be listed, so none was deleted');
  });
  const { backups } = onHost.catalogue;
  const own = copies.catalogue.backups.find(({ id }) => id === made.id);
  if (own?.state !== made.state) {
    throw new BackupError(
      'E_ROTATE',
      `${copies.uri} is listed without ${made.id}, which was read back there a moment ago`,
      'The store or its credentials do not show all that is there. No copy was deleted; `prune` tries again.',
    );
  }
  const plan = await planAfter(run, copies, made, onHost).catch((error: unknown) => {
    throw notRotated(run, error, 'the copies in the store could not be looked at, so none was deleted');
  });
  if (plan === null) return;
  const { refusal } = plan.retention;
  tellCopiesPlan(run, copies, plan, refusal !== null);
  if (refusal !== null) {
    const kept = 'The new backup is good, on the host and in the store; no older copy was deleted.';
    throw refused(copiesRefusal(copies.uri, refusal), kept);
  }
  await deleteCopies(run, copies, plan, backups);
}

async function planAfter(run: Run, copies: Copies, made: Backup, onHost: OnHost): Promise<CopiesPlan | null> {
  const kept = await adoptCopies(run, copies, onHost);
  const good = made.state === 'suspect' ? copies.candidates.filter(({ verified }) => verified) : [];
  for (const { id } of good) kept.set(id, NOTHING_GOOD_GOES);
  return planCopies(run, copies, [], kept);
}

const copiesRefusal = (uri: string, refusal: string): string => `in ${uri}: ${refusal}`;

const refused = (refusal: string, kept: string): BackupError =>
  new BackupError(
    'E_POLICY',
    refusal,
    `${kept} Look at the plan (\`command: prune\` with \`dry-run: true\`), then change \`s3-keep\`, \`keep-minimum\` or \`max-delete\`.`,
  );

/** `prune`: the plan for the copies, told; what carries it out, null when there is nothing to do. Throws E_POLICY when it is refused. */
export async function pruneCopies(
  run: Run,
  store: Store,
  onHost: OnHost,
): Promise<(left: readonly Backup[]) => Promise<void>> {
  const { dryRun, s3 } = run.settings;
  if (s3?.keep === null) {
    run.log.info('the copies in the store are left to the lifecycle of the bucket (s3-keep: none)');
    return async () => {};
  }
  const copies = await lookOffsite(run, store, onHost);
  const adopted = await adoptCopies(run, copies, onHost);
  const plan = await planCopies(run, copies, [], adopted);
  if (plan === null) return async () => {};
  const { refusal } = plan.retention;
  tellCopiesPlan(run, copies, plan, dryRun || refusal !== null);
  if (refusal !== null) {
    if (!dryRun) throw refused(copiesRefusal(copies.uri, refusal), 'Nothing was deleted, on the host neither.');
    warn(run, `this plan would be refused: ${copiesRefusal(copies.uri, refusal)}`);
  }
  return (left) => deleteCopies(run, copies, plan, left);
}

/** `delete`: the copy of one backup. Throws E_ROTATE. */
export async function deleteCopy(
  run: Run,
  { store, uri }: Copies,
  copy: Pick<Backup, 'id' | 'files'>,
  onHost: readonly Backup[],
): Promise<void> {
  const { report, log, settings } = run;
  const { deleted, hides, held, failure } = await removeCopies(store, settings.name, [copy], (file) =>
    log.info(`deleted ${file}`),
  );
  if (deleted.includes(manifestFile(copy.id))) run.copies = run.copies.filter(({ id }) => id !== copy.id);
  if (report.s3 !== null) Object.assign(report.s3, { deleted: deleted.length > 0 ? 1 : 0, hidden: hides });
  showCopies(run, onHost);
  if (hides) log.info(HIDDEN);
  const what = `the copy of ${copy.id} in ${uri} could not be deleted`;
  const again =
    deleted.length === 0 ? 'Run again.' : 'What is left of it there is no backup any more: run again to delete it.';
  if (failure !== null) throw notRotated(run, failure.error, what, again);
  if (held.length > 0)
    throw new BackupError('E_ROTATE', `${what}: it is ${held[0]?.why}`, 'Run again when the lock has ended.');
}
