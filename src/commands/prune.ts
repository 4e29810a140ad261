import { leftovers, toCandidates } from '../backups/catalogue.js';
import { BackupError } from '../errors.js';
import { adoptLost } from '../making/adopt.js';
import { plan, tellPlan } from '../places/catalogue.js';
import { change } from '../places/change.js';
import { withStore } from '../places/copies.js';
import { removals } from '../places/removals.js';
import { pruneCopies } from '../places/rotate-copies.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';

/**
 * Applies retention alone, on the host and then in the S3 store. Throws E_POLICY when one of the two plans is refused; nothing is deleted
 * then.
 */
export async function prune(run: Run): Promise<void> {
  const { dryRun } = run.settings;
  await withStore(run, (store) =>
    change(run, async (found) => {
      const { catalogue } = found;
      const adopted = await adoptLost(run, found.connection, catalogue, found.facts);
      const retention = plan(run, [...toCandidates(catalogue.backups), ...leftovers(catalogue.orphans)], adopted);
      tellPlan(run, retention.decisions, dryRun || retention.refusal !== null);
      if (retention.refusal !== null) {
        if (!dryRun) {
          throw new BackupError(
            'E_POLICY',
            retention.refusal,
            'Nothing was deleted. Change `keep`, `keep-minimum` or `max-delete`; `dry-run: true` shows the plan.',
          );
        }
        warn(run, `this plan would be refused: ${retention.refusal}`);
      }
      const remove = removals(retention, catalogue);
      if (store === null) return { remove };
      const carryOut = await pruneCopies(run, store, found);
      const left = catalogue.backups.filter((backup) => !remove.includes(backup));
      return { remove, after: () => carryOut(left) };
    }),
  );
}
