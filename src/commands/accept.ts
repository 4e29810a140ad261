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
 * `signing-key` the same of one that was never signed, suspect or not: it is signed then. What was forged stays so. What the ledger misses,
 * or remembers with another hash, is right as it is from then on (`LedgerKeeper.save`).
 */
export async function accept(run: Run): Promise<void> {
  const { settings, log, report } = run;
  await change(run, async (host) => {
    const id = settings.backup ?? '';
    const isDisputed = (await run.ledger?.isDisputed(id)) ?? false;
    if (isDisputed && !host.listed.backups.some((one) => one.id === id)) {
      log.info(`${settings.dryRun ? 'would accept' : 'accepted'} that ${id} is gone`);
      return {};
    }
    const found = await host.whole(await named(run, host, true));
    const old: Backup = { ...found, ...found.ifSigned };
    report.backup = factsOf(run, found);
    if (found.state === 'unsigned' && old.state === 'ok') {
      report.backup = factsOf(run, old);
      log.info(`${settings.dryRun ? 'would sign' : 'signed'} ${old.id}`);
      return { rewrite: old };
    }
    if (old.state === 'ok') {
      if (isDisputed) log.info(`${settings.dryRun ? 'would accept' : 'accepted'} ${id} as it is now`);
      else warn(run, `${id} is not suspect: there is nothing to accept`);
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
    `Accepting it would not make it good${state === 'unverified' ? '; `command: verify` may' : ''}.`,
  );
}
