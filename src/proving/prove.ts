import { randomBytes } from 'node:crypto';
import type { Backup } from '../backups/catalogue.js';
import { isAtLeast, type Manifest } from '../backups/manifest.js';
import { formatId } from '../backups/names.js';
import { type Dump, dumpOf } from '../engines/restoring.js';
import type { Facts, HostRequest } from '../host/session.js';
import { backupOf } from '../making/new-manifest.js';
import type { HostPlace } from '../places/host.js';
import { factsOf } from '../places/shown.js';
import { mayRewrite } from '../places/signed.js';
import { formatDuration } from '../reporting/format.js';
import { note, warn } from '../run/connect.js';
import { hasKeyFor, keysOf, missingKey, needKeyFor, showEncrypted, warnOfPlain } from '../run/keys.js';
import type { Run } from '../run/run.js';
import { checkAsserts } from './asserts.js';
import { proveOnRunner } from './on-runner.js';

/** How the bytes get to where the proof is made. */
export interface Bytes {
  onHost: (request: (manifest: Manifest) => HostRequest[]) => Promise<Facts>;
  /** Into a new file of the runner. */
  pull: (to: string) => Promise<void>;
}

/** Proves it at the level asked for. Throws E_CHECKSUM, E_MANIFEST, E_ASSERT, or what became of the host or the runner. */
export async function prove(
  run: Run,
  { id, manifest }: Backup,
  { onHost, pull }: Bytes,
  aim?: NonNullable<Dump['aim']>,
): Promise<Manifest['verified']> {
  const { settings, database, log, report } = run;
  const level = levelFor(run, id, manifest);
  const started = performance.now();
  const work = formatId(settings.name, run.now(), randomBytes(2).toString('hex'));
  const facts = await log.group(`Verify ${id}`, () =>
    settings.verifyOn === 'runner'
      ? proveOnRunner(run, level, manifest, work, pull)
      : onHost((there) => [
          ['request', 'expect_work', [work]],
          ...keysOf(settings),
          database.verify(
            { ...settings, verify: level },
            { ...dumpOf({ manifest: there }), ...(aim === undefined ? {} : { aim }) },
          ),
        ]),
  );
  database.checkProof(facts, manifest, aim);
  // of a set to the moment that was asked for
  const counted = database.repository === undefined ? null : database.describe(facts).content;
  report.tables = (counted ?? manifest.content)?.tables ?? [];
  report.tablesLeftOut = manifest.content?.tablesLeftOut ?? 0;
  if (level === 'restore') checkAsserts(settings.asserts, facts);
  const ms = Math.round(performance.now() - started);
  log.info(
    `${id} is intact: ${level} verified in ${formatDuration(ms)}${settings.verifyOn === 'runner' ? ' on the runner' : ''}`,
  );
  report.ok = true;
  return { level, at: run.now().toISOString(), ...(level === 'restore' ? { ms } : {}) };
}

/** What can be proven of it with what was given: of an encrypted one without its key that its bytes are those of its manifest. Throws E_DECRYPT. */
function levelFor(run: Run, id: string, { encryption }: Manifest): Run['settings']['verify'] {
  const { verify } = run.settings;
  warnOfPlain(run, id, encryption);
  if (verify === 'checksum' || encryption === 'none' || hasKeyFor(encryption, run.settings)) return verify;
  if (verify === 'restore') needKeyFor(id, encryption, run.settings);
  warn(
    run,
    `${id} is ${showEncrypted(encryption)}, and ${missingKey(encryption)}: it is verified to the level checksum, not ${verify}`,
  );
  return 'checksum';
}

/** What says that the backup itself is not what it should be. */
export const DAMAGED: readonly string[] = ['E_CHECKSUM', 'E_MANIFEST'];

/** Keeps in the manifest on the host what was proven, when that is more than what it says, or that it is damaged; of a signed one only with a key. */
export async function record(run: Run, host: HostPlace, backup: Backup, proof: Manifest['verified']): Promise<void> {
  const { manifest } = backup;
  const isMore = isAtLeast(proof.level, manifest.verified.level);
  const now = backupOf({ ...manifest, verified: isMore || proof.level === 'none' ? proof : manifest.verified });
  run.report.backup = factsOf(run, now);
  const before = run.left;
  if (!mayRewrite(run, backup)) {
    const what = `is not recorded: ${backup.id} is signed, and this run has no \`signing-key\``;
    if (proof.level === 'none') warn(run, `the damage ${what}`);
    else note(run, `the verified level ${what}`);
    await host.change(null);
    run.left = before;
    return;
  }
  await host.change({ ...now, files: backup.files });
  if (proof.level === 'none' && before === 'backup-as-it-was') run.left = 'backup-marked';
}
