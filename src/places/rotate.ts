import { leftovers } from '../backups/catalogue.js';
import { type Candidate, type Decision, planRetention, type RetentionPlan } from '../backups/retention.js';
import { BackupError, describe } from '../errors.js';
import { touched } from '../left.js';
import { clip } from '../reporting/format.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';
import { isOfStore } from '../stores/object-store.js';
import type { Held, Place, Unit } from './place.js';

/** Why a good one stays that no rule keeps. */
const NOTHING_GOOD_GOES = 'the newest backup is suspect, so no good one is deleted';

/** What is to become of the backups of a place. */
export interface Rotation {
  place: Place;
  retention: RetentionPlan;
  /** What goes; nothing when the plan is refused. */
  remove: Unit[];
}

/**
 * Decides by the rules of the run from what is in the place alone. What must not go yet there stays. `made`: the backup of this run, whether
 * it is there already or not; while it is suspect, no good one goes. `kept`: what else stays in this run, by id, with why. Nothing is
 * decided where the place is not for us to rotate, and it is not asked.
 */
export async function planRotation(
  run: Run,
  place: Place,
  { made = null, kept = new Map() }: { made?: Candidate | null; kept?: ReadonlyMap<string, string> } = {},
): Promise<Rotation> {
  const { rules } = place;
  if (rules === null) {
    run.log.info("the bucket's lifecycle rotates the off-site copies (s3-keep: none)");
    return { place, retention: { decisions: [], refusal: null }, remove: [] };
  }
  const { keepMadeUnder: madeUnder, keepMinimum, maxDelete } = run.settings;
  const { backups, orphans } = await place.catalogue();
  const there = await place.candidates();
  const more = made === null || there.some(({ id }) => id === made.id) ? [] : [made];
  const candidates = [...more, ...there, ...leftovers(orphans)];
  const stay = new Map(kept);
  if (made?.suspect) {
    for (const { id, verified } of there) if (verified) stay.set(id, NOTHING_GOOD_GOES);
  }
  const now = run.now();
  const plan = (): RetentionPlan => planRetention(candidates, { rules, madeUnder, keepMinimum, maxDelete }, now, stay);
  const doomed = goingBy(plan().decisions, [...backups, ...orphans]);
  for (const { id, why } of await place.held(doomed)) stay.set(id, why);
  const retention = plan();
  return { place, retention, remove: retention.refusal === null ? goingBy(retention.decisions, doomed) : [] };
}

function goingBy(decisions: readonly Decision[], units: readonly Unit[]): Unit[] {
  const dropped = new Set(decisions.filter(({ keep }) => !keep).map(({ id }) => id));
  return units.filter(({ id }) => dropped.has(id));
}

/** Puts the plan into the report and the log. `would`: it is not going to be carried out. */
export function tellRotation(run: Run, { place, retention: { decisions } }: Rotation, would: boolean): void {
  if (place.kind === 'host') run.report.retention = decisions;
  else if (run.report.s3 !== null) run.report.s3.retention = decisions;
  const [may, where] = [would ? 'would ' : '', place.kind === 'host' ? '' : place.uri];
  for (const { id, keep, reasons } of decisions) {
    run.log.info(`${may}${keep ? 'keep' : 'delete'} ${where}${id}: ${clip(reasons.join(', '), 300)}`);
  }
}

/** Why the plan must not be carried out, or null. */
export function refusalOf({ place, retention: { refusal } }: Rotation): string | null {
  return refusal === null || place.kind === 'host' ? refusal : `in ${place.uri}: ${refusal}`;
}

/** The same as what the run ends with. */
export function objectionTo(rotation: Rotation): BackupError | null {
  const refusal = refusalOf(rotation);
  if (refusal === null) return null;
  const rules = rotation.place.kind === 'host' ? 'keep' : 's3-keep';
  return new BackupError(
    'E_POLICY',
    refusal,
    `Check the plan (\`command: prune\` with \`dry-run: true\`), then change \`${rules}\`, \`keep-minimum\` or \`max-delete\`.`,
  );
}

/** Carries a plan out. Throws E_ROTATE, with the report corrected to what was really deleted. */
export async function carryOut(run: Run, { place, retention, remove }: Rotation): Promise<void> {
  if (remove.length === 0) return;
  run.left = touched(run.left);
  const { held, failure } = await place.remove(remove);
  keepHeld(retention, held);
  for (const { id, why } of held) run.log.info(`keep ${place.uri}${id}: ${why}`);
  if (failure !== null) throw notRotated(run, failure.what, failure.error, failure.todo);
}

function keepHeld({ decisions }: RetentionPlan, held: readonly Held[]): void {
  for (const { id, why } of held) {
    const decision = decisions.find((one) => one.id === id);
    if (decision !== undefined) Object.assign(decision, { keep: true, reasons: [why] });
  }
}

/** Only what the place says is about the rotation; that the run was cancelled is another story, in which this is a side note. */
export function notRotated(run: Run, what: string, error: unknown, todo: string): unknown {
  const { code, message, hint } = describe(error);
  if (isOfStore(error) || code === 'E_ROTATE')
    return new BackupError('E_ROTATE', `${what}: ${message}`, `${hint} ${todo}`);
  warn(run, what);
  return error;
}
