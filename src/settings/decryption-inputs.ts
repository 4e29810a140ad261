import { hasKeyOf } from '../backups/packing.js';
import { mendedPem, readPrivateKey } from '../host/private-key.js';
import { parseAgeIdentities } from './age-keys.js';
import type { Parsed } from './declared-inputs.js';
import type { InputReader } from './input-reader.js';
import { parseSecretKeys } from './openpgp-keys.js';
import type { Command, Decryption, Encryption } from './settings.js';
import { withNewlines } from './value-rules.js';

/** Those of old files were chosen by others, of any length; this is for a file that was given in the place of one. */
const LONGEST_PASSPHRASE_BYTES = 4096;
const RULE = 'lines of an age-keygen file (`AGE-SECRET-KEY-1...`), one SSH private key, or armored OpenPGP secret keys';

/** What opens backups; null when nothing was given that could. */
export async function readDecryption(
  reader: InputReader,
  command: Command | undefined,
): Promise<Decryption | null | undefined> {
  if (command === 'backup' && reader.text('encrypt') === 'none') {
    for (const name of ['decryption-key', 'decryption-passphrase'] as const) reader.ignore(name, 'with encrypt none');
  }
  const text = reader.read('decryption-key');
  const passphrase = reader.read('decryption-passphrase');
  if (passphrase && Buffer.byteLength(passphrase) > LONGEST_PASSPHRASE_BYTES) {
    reader.problem('decryption-passphrase', `expected at most ${LONGEST_PASSPHRASE_BYTES} bytes`);
  }
  const key = typeof text === 'string' ? await reader.judge('decryption-key', () => parseKey(reader, text)) : text;
  if (key === undefined || passphrase === undefined) return undefined;
  if (key === null && passphrase === null) return null;
  return { age: null, ssh: null, gpg: null, ...key, passphrase };
}

/**
 * A proof that restores the new backup has to open it, and of recipients only the public half is here. Who gives a key for less than that
 * believes that it is tried, and is told when it can not be.
 */
export function requireOpening(
  reader: InputReader,
  command: Command | undefined,
  verify: Parsed<'verify'> | undefined,
  encryption: Encryption | null | undefined,
  decryption: Decryption | null | undefined,
): void {
  if (command !== 'backup' || decryption === undefined) return;
  if (!encryption || 'passphrase' in encryption) return;
  const { passphrase = null, ...keys } = decryption ?? {};
  if (hasKeyOf(encryption.method, keys)) return;
  const isOfAnotherKind = Object.values(keys).some((key) => key !== null);
  if (verify !== 'restore') {
    const why = `with encrypt ${encryption.method} for these recipients, so nothing opens the new backup`;
    if (isOfAnotherKind) reader.ignore('decryption-key', `${why}: the key is of another kind`);
    if (passphrase !== null) reader.ignore('decryption-passphrase', `${why}: that takes a \`decryption-key\``);
    return;
  }
  const kind = encryption.method === 'age' ? 'an age or SSH key' : 'a GPG secret key';
  const rule = `with encrypt ${encryption.method} and verify restore, because nothing else can open the new backup: ${kind} of one of encryption-recipients. Or set \`verify\` to content`;
  if (isOfAnotherKind) reader.problem('decryption-key', `expected another kind of key ${rule}`);
  else reader.missing('decryption-key', `required ${rule}`);
}

/** Keys of one kind. What was made of them is masked before anybody has it. */
async function parseKey(
  reader: InputReader,
  given: string,
): Promise<{ age: string } | { ssh: string } | { gpg: string }> {
  const text = withNewlines(given);
  const pem = mendedPem(given);
  const isSsh =
    pem !== null || /-----(?:BEGIN|END) (?:[A-Z0-9]+ )*PRIVATE KEY-----|PuTTY-User-Key|^(?:ssh|ecdsa|sk)-/m.test(text);
  const isGpg = /^\s*-----BEGIN PGP /m.test(text);
  const isAge = /^\s*AGE-(?:SECRET-KEY|PLUGIN)-/im.test(text) || (!isGpg && !isSsh && /^\s*age1/m.test(text));
  if (Number(isSsh) + Number(isGpg) + Number(isAge) > 1) throw new Error(`expected keys of one kind: ${RULE}`);
  if (isSsh) return { ssh: await parseSshKey(reader, given, pem) };
  if (isGpg) {
    const gpg = parseSecretKeys(text);
    reader.mask(gpg);
    return { gpg };
  }
  if (/^(?:age-encryption\.org\/|-----BEGIN AGE ENCRYPTED FILE-----)/.test(text)) {
    throw new Error('it is encrypted, and age cannot ask for its passphrase; give what `age -d FILE` prints');
  }
  if (!isAge) throw new Error(`expected ${RULE}`);
  const age = await parseAgeIdentities(text);
  reader.mask(age);
  return { age };
}

async function parseSshKey(reader: InputReader, text: string, mended: string | null): Promise<string> {
  if (mended !== null && isEncrypted(mended)) {
    throw new Error(
      "it is encrypted, and age cannot ask for its passphrase: `ssh-keygen -p -N '' -f COPY` takes it off a copy",
    );
  }
  const { pem, publicLine } = await readPrivateKey(text, undefined, 'decryption-key', 'no input');
  reader.mask(pem);
  if (/^ssh-(?:ed25519|rsa) /.test(publicLine)) return pem;
  throw new Error('age cannot decrypt with an SSH key of this type; it takes Ed25519 and RSA');
}

/** In openssh-key-v1 the name of the cipher follows the magic, after its length; other forms say it in their frame or a header. */
function isEncrypted(pem: string): boolean {
  if (!pem.startsWith('-----BEGIN OPENSSH')) return /^(?:-----BEGIN ENCRYPTED|Proc-Type: .*ENCRYPTED)/m.test(pem);
  const body = Buffer.from(pem.replace(/^-----.*$/gm, ''), 'base64').toString('latin1');
  return body.startsWith('openssh-key-v1\0') && body.slice(19, 23) !== 'none';
}
