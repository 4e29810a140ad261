import { change } from '../places/change.js';
import { named } from '../places/find.js';
import { factsOf } from '../places/shown.js';
import type { Run } from '../run/run.js';

/** `pin` exempts one backup from retention, with a reason; `unpin` takes that back. */
export async function pin(run: Run): Promise<void> {
  const { settings, log, report } = run;
  await change(run, async (host) => {
    const old = await host.whole(await named(run, host));
    const pinned = settings.command === 'pin' ? { reason: settings.pin ?? '', at: run.now().toISOString() } : null;
    const rewrite = { ...old, manifest: { ...old.manifest, pinned } };
    report.backup = factsOf(run, rewrite);
    log.info(
      `${settings.dryRun ? 'would ' : ''}${settings.command} ${old.id}${pinned === null ? '' : `: ${pinned.reason}`}`,
    );
    return { rewrite };
  });
}
