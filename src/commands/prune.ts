import { adoptLost } from '../making/adopt.js';
import { adoptCopies } from '../places/adopt-copies.js';
import { change } from '../places/change.js';
import { carryOut, objectionTo, planRotation, type Rotation, refusalOf, tellRotation } from '../places/rotate.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';

/**
 * Applies retention alone, on the host and then in the store. Throws E_POLICY when one of the two plans is refused; nothing is deleted
 * then.
 */
export async function prune(run: Run): Promise<void> {
  await change(run, async (host, store) => {
    const onHost = await planRotation(run, host, { kept: await adoptLost(run, host) });
    tell(run, onHost);
    const { remove } = onHost;
    if (store === null) return { remove };
    const inStore = await planRotation(run, store, { kept: await adoptCopies(run, store, host) });
    tell(run, inStore);
    return { remove, after: () => carryOut(run, inStore) };
  });
}

/** Throws E_POLICY; with `dry-run` that is told only. */
function tell(run: Run, rotation: Rotation): void {
  const { dryRun } = run.settings;
  const objection = objectionTo(rotation);
  tellRotation(run, rotation, dryRun || objection !== null);
  if (objection === null) return;
  if (!dryRun) throw objection;
  warn(run, `this plan would be refused: ${refusalOf(rotation)}`);
}
