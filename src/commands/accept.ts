import { type Backup, standingOf } from '../backups/catalogue.js';
import { type Manifest, serializeManifest } from '../backups/manifest.js';
import { manifestFile } from '../backups/names.js';
import { BackupError } from '../errors.js';
import { factsOf, whole } from '../places/catalogue.js';
import { type Change, change, find } from '../places/change.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';

/** Says that a suspect backup is right: it is a good one from now on, and the history of sizes and rows begins anew with it. */
export async function accept(run: Run): Promise<void> {
  const { settings, log, report } = run;
  await change(run, async ({ catalogue, connection }): Promise<Change> => {
    const old = await whole(connection, find(run, catalogue));
    report.backup = factsOf(run, old);
    if (old.state === 'ok') {
      warn(run, `${old.id} is not suspect: there is nothing to accept`);
      return {};
    }
    if (old.state !== 'suspect') throw notAcceptable(old);
    const manifest: Manifest = {
      ...old.manifest,
      state: 'ok',
      accepted: { by: 'command: accept', at: run.now().toISOString() },
    };
    const backup = { ...old, manifest, ...standingOf(manifest) };
    report.backup = factsOf(run, backup);
    log.info(`${settings.dryRun ? 'would accept' : 'accepted'} ${old.id}: ${quoteOutside(old.detail ?? '', 500)}`);
    return { rewrite: { file: manifestFile(old.id), text: serializeManifest(manifest), backup } };
  });
}

function notAcceptable({ id, state, detail }: Backup): BackupError {
  return new BackupError(
    'E_POLICY',
    `${id} is not suspect but ${state}: ${quoteOutside(detail ?? state, 300)}`,
    `To accept it would not make it a good one${state === 'unverified' ? '; `command: verify` may' : ''}. Nothing was changed.`,
  );
}
