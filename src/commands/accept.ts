import { type Backup, standingOf } from '../backups/catalogue.js';
import type { Manifest } from '../backups/manifest.js';
import { BackupError } from '../errors.js';
import { type Change, change } from '../places/change.js';
import { named } from '../places/find.js';
import { factsOf } from '../places/shown.js';
import { quoteOutside } from '../reporting/neutralise.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';

/**
 * Says that a suspect backup is right: it is a good one from now on, and the history of sizes and rows begins anew with it. With
 * `signing-key` the same of one that was never signed: it is signed then, and counts for what it is. What was forged stays so.
 */
export async function accept(run: Run): Promise<void> {
  const { settings, log, report } = run;
  await change(run, async (host) => {
    const found = await host.whole(await named(run, host, true));
    const old: Backup = { ...found, ...found.ifSigned };
    report.backup = factsOf(run, old);
    if (found.state === 'unsigned' && old.state === 'ok') return signed(run, old);
    if (old.state === 'ok') {
      warn(run, `${old.id} is not suspect: there is nothing to accept`);
      return {};
    }
    if (found.state === 'unsigned' && old.state === 'unverified') return signed(run, old);
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

function signed(run: Run, rewrite: Backup): Change {
  run.report.backup = factsOf(run, rewrite);
  run.log.info(`${run.settings.dryRun ? 'would sign' : 'signed'} ${rewrite.id}`);
  return { rewrite };
}

function notAcceptable({ id, state, detail }: Backup): BackupError {
  return new BackupError(
    'E_POLICY',
    `${id} is not suspect but ${state}: ${quoteOutside(detail ?? state, 300)}`,
    `To accept it would not make it a good one${state === 'unverified' ? '; `command: verify` may' : ''}.`,
  );
}
