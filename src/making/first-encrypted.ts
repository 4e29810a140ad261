import type { Backup } from '../backups/catalogue.js';
import type { Manifest } from '../backups/manifest.js';
import { isEncryptedAlike } from '../backups/packing.js';
import { warn } from '../run/connect.js';
import { hasKeyFor, showEncrypted } from '../run/keys.js';
import type { Run } from '../run/run.js';

/** Says what the new backup is encrypted for; of the first of its kind that nobody has tried to open, as a warning. */
export function tellEncryption(run: Run, { id, encryption }: Manifest, known: readonly Backup[]): void {
  if (encryption === 'none') return;
  run.log.info(`${id} is ${showEncrypted(encryption)}`);
  if (hasKeyFor(encryption, run.settings)) return; // it was read back through it
  if (known.some(({ state, manifest }) => state === 'ok' && isEncryptedAlike(manifest.encryption, encryption))) return;
  const alone = encryption.recipients.length === 1 ? ', and add a second recipient whose key is kept elsewhere' : '';
  warn(
    run,
    `${id} is the first backup that is ${showEncrypted(encryption)}, and nobody has opened it yet. Check that you have the key${alone}: open it with \`command: verify\` and \`decryption-key\`. docs/encryption.md says how to keep keys`,
  );
}
