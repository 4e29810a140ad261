import { type Backup, standingOf } from '../backups/catalogue.js';
import type { Manifest } from '../backups/manifest.js';
import { BackupError } from '../errors.js';
import { change } from '../places/change.js';
import { named } from '../places/find.js';
import { factsOf } from '../places/shown.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';

/**
 * Says that a suspect backup is right: it is a good one from now on, and the history of sizes and rows begins anew with it. With
 * `signing-key` the same of one that was never signed, suspect or not: it is signed then. What was forged stays so.
 */
export async function accept(run: Run): Promise<void> {
  const { settings, log, report } = run;
  await change(run, async (host) => {
    const found = await host.whole(await named(run, host, true));
    const old: Backup = { ...found, ...found.ifSigned };
    report.backup = factsOf(run, found);
    if (found.state === 'unsigned' && old.state === 'ok') {
      report.backup = factsOf(run, old);
      log.info(`${settings.dryRun ? 'would sign' : 'signed'} ${old.id}`);
      return { rewrite: old };
    }
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
    const rewrite = { ...old, manifest, ...standingOf(manifest) };
    report.backup = factsOf(run, rewrite);
    log.info(`${settings.dryRun ? 'would accept' : 'accepted'} ${old.id}: ${quoteOutside(old.detail ?? '', 500)}`);
    return { rewrite };
  });
}

function notAcceptable({ id, state, detail }: Backup): BackupError {
  return new BackupError(
    'E_POLICY',
    `${id} is not suspect but ${state}: ${quoteOutside(detail ?? state, 300)}`,
    `To accept it would not make it a good one${state === 'unverified' ? '; `command: verify` may' : ''}.`,
  );
}
