import { serializeManifest } from '../backups/manifest.js';
import { manifestFile } from '../backups/names.js';
import { factsOf, whole } from '../places/catalogue.js';
import { change, find } from '../places/change.js';
import type { Run } from '../run/run.js';

/** `pin` exempts one backup from retention, with a reason; `unpin` takes that back. */
export async function pin(run: Run): Promise<void> {
  const { settings, log, report } = run;
  await change(run, async ({ catalogue, connection }) => {
    const old = await whole(connection, find(run, catalogue));
    const pinned = settings.command === 'pin' ? { reason: settings.pin ?? '', at: run.now().toISOString() } : null;
    const manifest = { ...old.manifest, pinned };
    const backup = { ...old, manifest };
    report.backup = factsOf(run, backup);
    log.info(
      `${settings.dryRun ? 'would ' : ''}${settings.command} ${old.id}${pinned === null ? '' : `: ${pinned.reason}`}`,
    );
    return { rewrite: { file: manifestFile(old.id), text: serializeManifest(manifest), backup } };
  });
}
