import { quoteOutside } from '../reporting/neutralise.js';
import { encryptedBy, keysOf, showEncrypted } from '../run/keys.js';
import type { Checks } from './checks.js';

/** Whether the host encrypts as it is asked to, and whether what decrypts opens that. */
export async function lookAtEncryption(checks: Checks): Promise<void> {
  const { settings } = checks.run;
  await checks.probe('Encryption', async () => {
    const keys = keysOf(settings);
    if (settings.encryption === null) {
      return { level: 'skipped', found: 'backups are not encrypted (`encrypt: age`)' };
    }
    const facts = await checks.send(...keys, ['job', 'look_encryption', []]);
    const encrypted = encryptedBy(settings);
    const version = quoteOutside(facts.get('encryption_version') ?? '', 100);
    const found = `${showEncrypted(encrypted)}, with version ${version}`;
    if (facts.get('opens') === '0') {
      return {
        ...{
          level: 'error',
          code: 'E_DECRYPT',
          found: `${found}; the decryption key or passphrase you gave does not open it`,
        },
        todo: 'Set `decryption-key` to the private key of one of the recipients.',
      };
    }
    if (encrypted !== 'none' && encrypted.recipients.length === 1) {
      return {
        ...{ level: 'warning', found: `${found}: if you lose that one key, you lose every backup` },
        todo: 'Give two recipients, and keep the private key of one of them offline.',
      };
    }
    return facts.get('opens') === '1' ? `${found}; the decryption key or passphrase you gave opens it` : found;
  });
}
