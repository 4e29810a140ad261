import { type Encrypted, hasKeyOf } from '../backups/packing.js';
import { BackupError } from '../errors.js';
import type { HostRequest } from '../host/session.js';
import * as format from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Settings } from '../settings/settings.js';
import { warn } from './connect.js';
import type { Run } from './run.js';

type Keys = Pick<Settings, 'encryption' | 'decryption'>;

/**
 * What the programs of a session need to encrypt and to decrypt: over its stdin, and into variables of its shell. They are gone with the
 * session. None where nothing of the kind was given.
 */
export function keysOf({ encryption, decryption }: Keys): HostRequest[] {
  const requests: HostRequest[] = [];
  if (encryption !== null) {
    const { method } = encryption;
    const words =
      'recipients' in encryption
        ? [encryption.recipients, '', '']
        : 'keys' in encryption
          ? [encryption.keys, encryption.fingerprints.join(' '), '']
          : ['', '', encryption.passphrase];
    requests.push(['request', 'encrypt_with', [method, ...words]]);
  }
  if (decryption !== null) {
    const { age, ssh, gpg, passphrase } = decryption;
    requests.push(['request', 'decrypt_with', [age ?? ssh ?? '', gpg ?? '', passphrase ?? '']]);
  }
  return requests;
}

/** What backups of this run are, as manifests have it. */
export function encryptedBy({ encryption }: Pick<Settings, 'encryption'>): Encrypted {
  return encryption === null ? 'none' : { method: encryption.method, recipients: encryption.names };
}

/** Whether something was given that may open what is encrypted in that way. */
export function hasKeyFor(encryption: Encrypted, { encryption: own, decryption }: Keys): boolean {
  if (encryption === 'none') return true;
  const { passphrase = null, ...keys } = decryption ?? {};
  const { method, recipients } = encryption;
  if (method === 'age' || recipients.length > 0) return hasKeyOf(method, keys);
  return passphrase !== null || (own !== null && 'passphrase' in own);
}

/** Throws E_DECRYPT when nothing was given that may open it. */
export function needKeyFor(what: string, encryption: Encrypted, keys: Keys): void {
  if (encryption === 'none' || hasKeyFor(encryption, keys)) return;
  throw new BackupError('E_DECRYPT', `${what} is ${showEncrypted(encryption)}, and ${missingKey(encryption)}`);
}

/** Who can write where backups are can put a plain one in the place of an encrypted one: who has a key for it should know. */
export function warnOfPlain(run: Run, what: string, encryption: Encrypted): void {
  if (encryption !== 'none' || run.settings.decryption === null) return;
  warn(
    run,
    `${what} is not encrypted, although this run has a decryption key or passphrase. If you encrypted your backups before this one was made, somebody else put it there`,
  );
}

/** For the log and messages. */
export const showEncrypted = (encryption: Encrypted): string =>
  format.showEncrypted(encryption, (recipient) => quoteOutside(recipient, 80));

/** What to give. */
export function missingKey(encryption: Exclude<Encrypted, 'none'>): string {
  const input =
    encryption.method === 'gpg' && encryption.recipients.length === 0 ? 'decryption-passphrase' : 'decryption-key';
  return `\`${input}\` is not given`;
}
