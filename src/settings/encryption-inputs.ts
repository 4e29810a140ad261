import { MOST_RECIPIENTS } from '../backups/packing.js';
import { mendedPem } from '../host/private-key.js';
import { parseAgeRecipients } from './age-keys.js';
import { type InputReader, unset } from './input-reader.js';
import { parsePublicKeys, SecretKeyGiven } from './openpgp-keys.js';
import type { Encryption } from './settings.js';
import { withNewlines } from './value-rules.js';

const SHORTEST_PASSPHRASE = 12;
/** What a person types reaches gpg through its agent, which takes not much more, and `gpg -d` by hand has to open the backup. */
const LONGEST_PASSPHRASE_BYTES = 255;
const SECRET_KEY = /-----(?:BEGIN|END) [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File|AGE-SECRET-KEY-/i;
const SECRET_GIVEN =
  'it contains a secret key, but public keys belong here; whoever can read the workflow or its log may have the secret key by now: make a new pair';
const publicKeys = (): string => `the public keys${unset('vars.BACKUP_RECIPIENTS', 'variable')}`;

/** By what the backup of this run is encrypted; null when it is not. */
export async function readEncryption(reader: InputReader): Promise<Encryption | null | undefined> {
  const method = reader.require('encrypt');
  const recipients = reader.read('encryption-recipients');
  const passphrase = reader.read('encryption-passphrase');
  if (recipients && holdsSecretKey(recipients)) {
    reader.mask(recipients);
    reader.problem('encryption-recipients', SECRET_GIVEN);
    return undefined;
  }
  if (method === undefined || recipients === undefined || passphrase === undefined) return undefined;
  if (method === 'none') return refuseWithNone(reader);
  if (method === 'age') return readAge(reader, recipients, passphrase);
  if (recipients !== null && passphrase !== null) {
    reader.problem(
      'encryption-passphrase',
      'expected either it or encryption-recipients: with both, each of them would open the backup',
    );
    return undefined;
  }
  if (recipients !== null) return readPublicKeys(reader, recipients);
  if (passphrase !== null) return readPassphrase(reader, passphrase);
  reader.missing(
    'encryption-recipients',
    `required with encrypt gpg, or encryption-passphrase instead (12 characters or more): ${publicKeys()}`,
  );
  return undefined;
}

/** Keys that are not too many for a manifest. Throws an Error whose text is the rule. */
function checked<T extends { names: string[] }>(keys: T): T {
  const { length } = keys.names;
  if (length > MOST_RECIPIENTS) throw new Error(`expected at most ${MOST_RECIPIENTS} keys, got ${length}`);
  return keys;
}

/** Who gave what encrypts must not get a backup that everybody can read. */
function refuseWithNone(reader: InputReader): null {
  for (const name of ['encryption-recipients', 'encryption-passphrase'] as const) {
    if (reader.text(name) === null) continue;
    const methods = name === 'encryption-recipients' ? 'age or gpg' : 'gpg';
    reader.problem(name, `expected nothing with encrypt none, which encrypts nothing; set \`encrypt\` to ${methods}`);
  }
  return null;
}

async function readAge(reader: InputReader, recipients: string | null, passphrase: string | null) {
  if (passphrase !== null) {
    reader.problem(
      'encryption-passphrase',
      'expected nothing with encrypt age, which only asks for a passphrase at a terminal; set `encrypt` to gpg',
    );
  }
  if (recipients === null) reader.missing('encryption-recipients', `required with encrypt age: ${publicKeys()}`);
  if (passphrase !== null || recipients === null) return undefined;
  const parsed = await reader.judge('encryption-recipients', async () => checked(await parseAgeRecipients(recipients)));
  return parsed && { method: 'age' as const, ...parsed };
}

async function readPublicKeys(reader: InputReader, text: string): Promise<Encryption | undefined> {
  const parsed = await reader.judge('encryption-recipients', () => {
    try {
      const { keys, fingerprints } = parsePublicKeys(withNewlines(text));
      return checked({ keys, fingerprints, names: fingerprints.map((print) => print.slice(-16)) });
    } catch (error) {
      if (!(error instanceof SecretKeyGiven)) throw error;
      reader.mask(text);
      throw new Error(SECRET_GIVEN);
    }
  });
  return parsed && { method: 'gpg', ...parsed };
}

async function readPassphrase(reader: InputReader, text: string): Promise<Encryption | undefined> {
  const passphrase = await reader.judge('encryption-passphrase', () => {
    if (/\p{Cc}/u.test(text)) throw new Error('expected no control characters, such as tabs');
    if ([...text].length < SHORTEST_PASSPHRASE) throw new Error(`expected at least ${SHORTEST_PASSPHRASE} characters`);
    if (Buffer.byteLength(text) <= LONGEST_PASSPHRASE_BYTES) return text;
    throw new Error(`expected at most ${LONGEST_PASSPHRASE_BYTES} bytes: nobody can type more where gpg asks`);
  });
  return passphrase === undefined ? undefined : { method: 'gpg', passphrase, names: [] };
}

const holdsSecretKey = (text: string): boolean => SECRET_KEY.test(text) || mendedPem(text) !== null;
