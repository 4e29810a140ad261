import { randomBytes } from 'node:crypto';
import { newestVerified } from '../backups/catalogue.js';
import { coverageOf, showCoverage } from '../backups/coverage.js';
import type { Manifest } from '../backups/manifest.js';
import { formatId } from '../backups/names.js';
import type { BackupError } from '../errors.js';
import type { Facts } from '../host/session.js';
import { ledgerFindings } from '../ledger/keeper.js';
import { adoptLost } from '../making/adopt.js';
import { answersAlarm, standingOfNew } from '../making/alarm.js';
import { tellEncryption } from '../making/first-encrypted.js';
import { afterFailure, failWithHooks, hooksOf, telling } from '../making/hooks.js';
import { backupOf, manifestOf } from '../making/new-manifest.js';
import { publish } from '../making/publication.js';
import { rehearse } from '../making/rehearsal.js';
import { lookForLosses, pinBefore, suspicionOf } from '../making/row-loss.js';
import { timeAfter } from '../making/time.js';
import { isYoungEnough } from '../making/young-enough.js';
import { HostPlace } from '../places/host.js';
import { withStorePlace } from '../places/with-store.js';
import { checkAsserts } from '../proving/asserts.js';
import { type Connection, note, tellFinding, warn } from '../run/connect.js';
import { connectedToChange, holderOf, openDirectory } from '../run/directory.js';
import { keysOf } from '../run/keys.js';
import type { Run } from '../run/run.js';

/**
 * Takes a backup, proves it, publishes it, rotates. Two answers of the host are waited for: the proven payload, and its
 * publication. `report.ok` is set only when all that was asked for has been done.
 */
export async function backup(run: Run): Promise<void> {
  const { skipIfYoungerThanMs, dryRun } = run.settings;
  await connectedToChange(run, async (connection) => {
    try {
      if (skipIfYoungerThanMs !== null && (await isYoungEnough(run, connection, skipIfYoungerThanMs))) return;
      await (dryRun ? rehearse : take)(run, connection);
    } finally {
      for (const finding of await ledgerFindings(run)) tellFinding(run, finding);
    }
  });
}

async function take(run: Run, connection: Connection): Promise<void> {
  const { settings, database, log } = run;
  const started = run.now();
  const suffix = randomBytes(2).toString('hex');
  const work = formatId(settings.name, started, suffix);

  // a difference to what is there is made of that
  const known = database.repository === undefined ? null : await HostPlace.open(run, connection, 'create');
  const facts = await log
    .group(`Back up ${settings.database.given}`, () =>
      connection.send(
        ...(known === null ? openDirectory(run, 'create') : []),
        ['request', 'expect_work', [work]],
        ...hooksOf(settings, work),
        ...keysOf(settings),
        database.backup(settings, work, holderOf(run, work), known?.sets),
      ),
    )
    .catch((error: unknown) => failWithHooks(run, connection, error));
  const failedHook = afterFailure(facts);
  await telling(run, failedHook, () => keepDump(run, connection, facts, { started, suffix, failedHook }));
}

/** The dump, which is proven, becomes a backup. Throws `failedHook` at the end. */
async function keepDump(
  run: Run,
  connection: Connection,
  facts: Facts,
  { started, suffix, failedHook }: { started: Date; suffix: string; failedHook: BackupError | null },
): Promise<void> {
  const { settings, database } = run;
  const host = await HostPlace.of(run, connection, facts);
  const made = database.repository?.made(host.sets) ?? null;
  if (made === null) checkContent(run, host);
  const adopted = await adoptLost(run, host);
  const createdAt = made?.createdAt ?? timeAfter(started, host.listed);
  const id = formatId(settings.name, createdAt, made?.suffix ?? suffix);
  for (const remark of database.remarks(facts)) warn(run, remark);
  for (const remark of database.notes?.(facts) ?? []) note(run, remark);
  const proven = manifestOf(run, { id, createdAt, started, made }, facts, await connection.hello);
  if (settings.verify === 'restore' || made !== null) database.checkProof(facts, proven);
  if (settings.verify === 'restore') checkAsserts(settings.asserts, facts);
  tellEncryption(run, proven, host.listed.backups);
  const manifest = await judged(run, host, proven);
  await withStorePlace(run, host, (store) => publish(run, host, store, backupOf(manifest), { adopted, failedHook }));
}

/** The manifest with what it counts for, and the rules that it is made under: where nobody rotates, there are none. */
async function judged(run: Run, host: HostPlace, proven: Manifest): Promise<Manifest> {
  const { keep, s3 } = run.settings;
  const known = host.listed.backups;
  const found = await lookForLosses(run, proven, known, host);
  const loss = answersAlarm(run, known) ? null : found;
  const standing = standingOfNew(run, proven, known, suspicionOf(run, loss));
  if (loss !== null && standing.state !== 'suspect') await pinBefore(run, host, loss);
  return { ...proven, keep, ...(s3 === null || s3.keep === null ? {} : { s3Keep: s3.keep }), ...standing };
}

/** An empty copy is not a backup, unless the newest verified one is empty as well. Throws E_EMPTY. */
function checkContent({ database, settings }: Run, { facts, listed }: HostPlace): void {
  if (facts.number('objects') > 0) return;
  const coverage = showCoverage(coverageOf(settings.dump));
  const alike = listed.backups.filter(({ manifest }) => showCoverage(manifest.coverage ?? null) === coverage);
  if (newestVerified(alike)?.manifest.content?.objects === 0) return;
  throw database.empty(facts);
}
