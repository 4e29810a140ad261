import { createPrivateKey, type KeyObject } from 'node:crypto';
import { BackupError } from '../errors.js';
import type { PrivateKey } from '../settings/settings.js';
import { type KeyText, mendKeyText, UnusableKey } from './private-key-text.js';

const SUPPORTED = 'use an Ed25519, ECDSA (nistp256, nistp384, nistp521) or RSA key';
const DAMAGED = 'it is damaged; copy the whole file again';
const WRONG_PASSPHRASE = (input: string) => `the passphrase in ${input} does not open it (or it is damaged)`;
const locked = (input: string): string =>
  `it has a passphrase: give that in ${input}, or give a key without one (\`ssh-keygen -p -N '' -f COPY\` takes it off a copy)`;
const MAGIC = 'openssh-key-v1\0';
const OPENSSH_CIPHERS = /^(?:aes(?:128|192|256)-(?:cbc|ctr)|aes(?:128|256)-gcm@openssh\.com|3des-cbc)$/;
const OPENSSH_TYPES = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa'];

/**
 * Reads a private key in any form that OpenSSH or OpenSSL writes, mends paste damage, and proves that it works: what it
 * signs, its public half verifies. Done before connecting, because ssh2 reports an unusable key as "All configured
 * authentication methods failed".
 *
 * Throws E_INPUT, with a message for each way a key can be wrong and without any of its text.
 */
export async function readPrivateKey(
  text: string,
  passphrase: string | undefined,
  inputName: string,
  passphraseInput: string,
): Promise<PrivateKey> {
  try {
    const mended = mendKeyText(text);
    const openSsh = mended.label === 'OPENSSH PRIVATE KEY';
    const encrypted = openSsh ? checkOpenSshHeader(mended.body) : mended.hasCipherHeader || /^ENC/.test(mended.label);
    if (encrypted && !passphrase) throw new UnusableKey(locked(passphraseInput));
    const pem = openSsh ? mended.pem : convert(mended, encrypted ? passphrase : undefined, passphraseInput);
    const stillEncrypted = encrypted && openSsh;
    const publicLine = await provePair(pem, stillEncrypted ? passphrase : undefined, passphraseInput);
    return { pem, publicLine, ...(stillEncrypted && passphrase ? { passphrase } : {}) };
  } catch (error) {
    // Other errors come from the parsers, on damage that got past the checks here; what they quote is not known.
    throw new BackupError('E_INPUT', `${inputName}: ${error instanceof UnusableKey ? error.message : DAMAGED}`);
  }
}

/** The mended text of a key, for masking before anything else is done with it; null when there is no key in it. */
export function mendedPem(text: string): string | null {
  try {
    return mendKeyText(text).pem;
  } catch {
    return null;
  }
}

/**
 * Reads the open part of an openssh-key-v1 file (OpenSSH, PROTOCOL.key): cipher and type. Returns whether it is encrypted.
 * ssh2's own errors do not tell these cases apart: chacha20 gives "Invalid initialization vector".
 */
function checkOpenSshHeader(body: Buffer): boolean {
  if (body.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new UnusableKey(DAMAGED);
  const [cipher, offset] = readString(body, MAGIC.length);
  const [, afterKdf] = readString(body, offset);
  const [, afterOptions] = readString(body, afterKdf);
  // After the options: the number of keys, the length of the first public key, and that key, which starts with its type.
  const [type] = readString(body, afterOptions + 8);
  if (!/^(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]{1,40}$/.test(type)) throw new UnusableKey(DAMAGED);
  if (!OPENSSH_TYPES.includes(type)) throw new UnusableKey(unsupportedType(type));
  if (cipher !== 'none' && !OPENSSH_CIPHERS.test(cipher)) {
    const name = /^[a-z0-9]+(-[a-z0-9]+)*(@openssh\.com)?$/.test(cipher) ? cipher : 'a cipher';
    throw new UnusableKey(
      `it is encrypted with ${name}, which is not supported; \`ssh-keygen -p -Z aes256-ctr -f COPY\` rewrites a copy of it`,
    );
  }
  return cipher !== 'none';
}

function readString(body: Buffer, offset: number): [text: string, end: number] {
  if (offset + 4 > body.length) throw new UnusableKey(DAMAGED);
  const end = offset + 4 + body.readUInt32BE(offset);
  if (end > body.length) throw new UnusableKey(DAMAGED);
  return [body.toString('latin1', offset + 4, end), end];
}

function unsupportedType(type: string): string {
  return type.startsWith('sk-')
    ? `it is stored on a security key (${type}), which a runner does not have; ${SUPPORTED}`
    : `its type ${type} is not supported; ${SUPPORTED}`;
}

/** Turns the forms of OpenSSL, decrypted, into one that ssh2 reads: it knows no PKCS#8 at all. */
function convert(mended: KeyText, passphrase: string | undefined, passphraseInput: string): string {
  if (mended.label.startsWith('DSA')) throw new UnusableKey(unsupportedType('ssh-dss'));
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: mended.pem, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    // For a key without encryption OpenSSL says "unsupported" of every damage as well.
    if (passphrase !== undefined && isUnsupported(error) && isSoWithAny(mended.pem)) {
      throw new UnusableKey(`its cipher or form is not supported; \`ssh-keygen -p -f COPY\` rewrites a copy of it`);
    }
    throw new UnusableKey(passphrase === undefined ? DAMAGED : WRONG_PASSPHRASE(passphraseInput));
  }
  if (key.asymmetricKeyType === 'rsa') return key.export({ type: 'pkcs1', format: 'pem' }).toString();
  if (key.asymmetricKeyType === 'ed25519') return openSshEd25519(key);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === 'prime256v1' || curve === 'secp384r1' || curve === 'secp521r1') {
    return key.export({ type: 'sec1', format: 'pem' }).toString();
  }
  throw new UnusableKey(
    unsupportedType(key.asymmetricKeyType === 'dsa' ? 'ssh-dss' : (curve ?? String(key.asymmetricKeyType))),
  );
}

const isUnsupported = (error: unknown): boolean => /unsupported/i.test(String((error as NodeJS.ErrnoException).code));

/** One wrong passphrase in 256 leaves what ends as padding should, and is then called unsupported too; not three others as well. */
function isSoWithAny(pem: string): boolean {
  return ['1', '2', '3'].every((passphrase) => {
    try {
      createPrivateKey({ key: pem, passphrase });
      return false;
    } catch (error) {
      return isUnsupported(error);
    }
  });
}

/** Ed25519 has no older PEM form, so it is written as openssh-key-v1, without encryption. */
function openSshEd25519(key: KeyObject): string {
  const { x = '', d = '' } = key.export({ format: 'jwk' });
  const publicHalf = Buffer.from(x, 'base64url');
  const number = (value: number) => Buffer.from([0, 0, 0, value]);
  const string = (value: Buffer | string) => {
    const bytes = Buffer.from(value as string);
    return Buffer.concat([number(bytes.length), bytes]);
  };
  const type = string('ssh-ed25519');
  const secret = [
    number(1),
    number(1),
    type,
    string(publicHalf),
    string(Buffer.concat([Buffer.from(d, 'base64url'), publicHalf])),
    string(''),
  ];
  const length = Buffer.concat(secret).length;
  const padding = Buffer.from(Array.from({ length: (8 - (length % 8)) % 8 }, (_, index) => index + 1));
  const none = [string('none'), string('none'), string('')];
  const file = Buffer.concat([
    Buffer.from(MAGIC),
    ...none,
    number(1),
    string(Buffer.concat([type, string(publicHalf)])),
    string(Buffer.concat([...secret, padding])),
  ]);
  const lines = file.toString('base64').match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** Parses with ssh2 itself and lets the key sign; returns the line for authorized_keys. */
async function provePair(pem: string, passphrase: string | undefined, passphraseInput: string): Promise<string> {
  // Loaded here because the local transport never needs it.
  const { utils } = (await import('ssh2')).default;
  const parsed = [utils.parseKey(pem, passphrase)].flat()[0];
  if (parsed === undefined || !('getPublicSSH' in parsed)) {
    throw new UnusableKey(passphrase === undefined ? DAMAGED : WRONG_PASSPHRASE(passphraseInput));
  }
  const sample = Buffer.from('sample');
  const algorithm = parsed.type === 'ssh-rsa' ? 'sha256' : undefined;
  const signature: Buffer | Error = parsed.sign(sample, algorithm);
  if (!Buffer.isBuffer(signature) || parsed.verify(sample, signature, algorithm) !== true) {
    throw new UnusableKey(`${DAMAGED} (its public and private halves do not match)`);
  }
  return `${parsed.type} ${parsed.getPublicSSH().toString('base64')}`;
}
