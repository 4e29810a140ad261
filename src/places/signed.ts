/** What the signatures of manifests mean to those who read and write them; docs/signatures.md. */
import { type Backup, isTrusted } from '../backups/catalogue.js';
import { type Manifest, serializeManifest } from '../backups/manifest.js';
import { BackupError } from '../errors.js';
import type { Run } from '../run/run.js';

const SIGNED = 'is signed, and this run has no `signing-key`: rewriting its manifest would lose the signature';

/** The text of a manifest that is written for the first time, or with nothing changed: signed when the run has a key. */
export function textOf({ settings: { signing } }: Run, manifest: Manifest): string {
  return serializeManifest(signing === null ? manifest : signing.sign(manifest));
}

/** The text of one that was changed. Throws E_SIGNATURE when that would break its signature, or give one to what nobody has vouched for. */
export function rewrittenText(run: Run, backup: Backup): string {
  demandRewritable(run, backup);
  return textOf(run, backup.manifest);
}

/** Throws E_SIGNATURE. */
export function demandRewritable(run: Run, backup: Backup): void {
  demandTrusted(backup);
  if (mayRewrite(run, backup)) return;
  throw new BackupError('E_SIGNATURE', `${backup.id} ${SIGNED}`, 'Set `signing-key` to the key that signed it.');
}

/** Without a key nothing that is signed is written anew. */
export const mayRewrite = ({ settings }: Run, { manifest }: Pick<Backup, 'manifest'>): boolean =>
  settings.signing !== null || manifest.mac === null;

/** Throws E_SIGNATURE for what is unsigned or forged. */
export function demandTrusted(backup: Backup): void {
  if (!isTrusted(backup)) throw untrusted(backup);
}

/** `nor`: where else it is not. */
export function untrusted({ id, state, detail }: Backup, nor = ''): BackupError {
  return new BackupError(
    'E_SIGNATURE',
    `${id} is ${state}: ${detail}${nor}`,
    state === 'unsigned'
      ? 'If it was made before you had a key, and you trust it, sign it: `command: accept` with its id. Without `signing-key` it is used as it is.'
      : 'If `signing-key` was changed, add the old key as another line. Otherwise somebody has changed it: do not rely on it. Take another backup, and find out who can write there. To delete it, run `command: delete` without `signing-key`.',
  );
}
