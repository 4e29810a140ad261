/**
 * What age takes as keys. Each function throws an Error whose text is the rule, and holds nothing of what was given: in the place of a public
 * key may be a secret one.
 */
import { fingerprint, keyFields } from '../host/known-hosts.js';

/** As age has it: of an RSA key that is shorter it makes no recipient. */
const SHORTEST_RSA_BYTES = 2048 / 8;
/** age takes no longer line of a file of recipients. */
const LONGEST_LINE = 8192;
/** Of a native key, enough to tell it from others by eye. */
const NAME_LENGTH = 20;
const RECIPIENT =
  'expected the public key of age-keygen (`age1...`) or an SSH public key (`ssh-ed25519 ...`, `ssh-rsa ...`), one per line';
const IDENTITY = 'expected the lines of an age-keygen file (`AGE-SECRET-KEY-1...`)';
const DAMAGED = 'it is damaged (its checksum is wrong): copy all of it again';

/** How keys of each kind begin, and how many bytes they stand for. */
const RECIPIENTS = { age: 32, age1pq: 1216 };
const IDENTITIES = { 'AGE-SECRET-KEY-': 32, 'AGE-SECRET-KEY-PQ-': 32 };

export interface AgeRecipients {
  /** For `age -R`: one a line, without comments. */
  recipients: string;
  /** Of each, what a person compares: the beginning of a native key, the fingerprint of an SSH key. */
  names: string[];
}

/** Public keys, one a line; blank lines and those that begin with "#" are dropped, as age does. */
export async function parseAgeRecipients(text: string): Promise<AgeRecipients> {
  const found = new Map<string, string>();
  for (const { line, number } of keyLines(text)) {
    const { recipient, name } = await parseRecipient(line).catch((error: Error) => refuse(number, error));
    found.set(recipient, name);
  }
  const recipients = [...found.keys()];
  if (recipients.length === 0) throw new Error(RECIPIENT);
  const quantum = recipients.filter((recipient) => recipient.startsWith('age1pq1'));
  if (quantum.length > 0 && quantum.length < recipients.length) {
    throw new Error(
      'expected either only post-quantum keys (`age1pq1...`) or none: age refuses a mixture, because it would not protect anything',
    );
  }
  return { recipients: recipients.join('\n'), names: [...found.values()] };
}

/** Secret keys, one a line; what age reads by `-i`. */
export async function parseAgeIdentities(text: string): Promise<string> {
  const found = new Set<string>();
  for (const { line, number } of keyLines(text)) {
    await checkIdentity(line).catch((error: Error) => refuse(number, error));
    found.add(line);
  }
  if (found.size === 0) throw new Error(IDENTITY);
  return [...found].join('\n');
}

const keyLines = (text: string): { line: string; number: number }[] =>
  text
    .split(/\r\n|\r|\n/)
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'));

function refuse(number: number, error: Error): never {
  throw new Error(`line ${number}: ${error.message}`);
}

async function parseRecipient(line: string): Promise<{ recipient: string; name: string }> {
  if (/^age1\S*[\s,;]/.test(line)) throw new Error('expected one key per line, and nothing after it');
  const hrp = line.slice(0, Math.max(line.lastIndexOf('1'), 0));
  if (Object.hasOwn(RECIPIENTS, hrp)) {
    await checkBech32(line, hrp, RECIPIENTS[hrp as keyof typeof RECIPIENTS]);
    return { recipient: line, name: line.slice(0, NAME_LENGTH) };
  }
  if (/^(?:ssh-(?:ed25519|rsa))\s/.test(line)) return parseSshRecipient(line);
  throw new Error(whyNoRecipient(line));
}

function whyNoRecipient(line: string): string {
  // age would start a program of that name on the host, and what it makes can be opened with the device alone
  if (/^age1[^1]+1|^AGE-PLUGIN-/i.test(line)) {
    return `it belongs to a plugin or a device, which a host does not have; ${RECIPIENT}`;
  }
  if (/^(?:ecdsa-|sk-|ssh-)/.test(line)) {
    return 'it is an SSH key of a type that age cannot encrypt to; give one that begins with `ssh-ed25519` or `ssh-rsa`, or one from age-keygen';
  }
  if (line.startsWith('github:'))
    return `age does not fetch the keys of GitHub users; give what https://github.com/USER.keys shows`;
  if (line.startsWith('-----BEGIN PGP ')) return 'it is an OpenPGP key; for these set `encrypt` to gpg';
  return RECIPIENT;
}

/** A line of a .pub file; its comment is dropped. */
function parseSshRecipient(line: string): { recipient: string; name: string } {
  const [type = '', base64 = ''] = line.split(/\s+/);
  const blob = Buffer.from(base64, 'base64');
  const [inside, first, second, ...more] = keyFields(blob);
  if (blob.toString('base64') !== base64 || inside?.toString() !== type || more.length > 0) {
    throw new Error('it is damaged: copy the whole line of the .pub file again');
  }
  if (type === 'ssh-ed25519') {
    if (first?.length !== 32 || second !== undefined) throw new Error('it is damaged: an Ed25519 key has 32 bytes');
  } else {
    const modulus = second?.subarray(second.findIndex((byte) => byte !== 0));
    if (!first?.length || modulus === undefined) throw new Error('it is damaged: the RSA key is not complete');
    if (modulus.length < SHORTEST_RSA_BYTES)
      throw new Error('age takes RSA keys of at least 2048 bits, but this one is shorter');
  }
  const recipient = `${type} ${base64}`;
  if (recipient.length > LONGEST_LINE)
    throw new Error(`it is longer than the ${LONGEST_LINE} characters that age takes`);
  return { recipient, name: fingerprint(blob) };
}

async function checkIdentity(line: string): Promise<void> {
  if (/^AGE-PLUGIN-/i.test(line))
    throw new Error(`it is the key of a plugin, which would start a program; ${IDENTITY}`);
  if (/^age1/.test(line))
    throw new Error('it is a public key; the secret one is the line that begins with `AGE-SECRET-KEY-`');
  const hrp = line.slice(0, Math.max(line.lastIndexOf('1'), 0));
  if (!Object.hasOwn(IDENTITIES, hrp)) throw new Error(IDENTITY);
  await checkBech32(line, hrp, IDENTITIES[hrp as keyof typeof IDENTITIES]);
}

/** `text` in the case of its kind, whole, and of as many bytes as a key of this kind has. */
async function checkBech32(text: string, hrp: string, length: number): Promise<void> {
  // Loaded here because few runs have keys of age.
  const { bech32 } = await import('@scure/base');
  let bytes: Uint8Array;
  try {
    bytes = bech32.fromWords(bech32.decode(text as `${string}1${string}`, false).words);
  } catch {
    throw new Error(DAMAGED); // the message of the package quotes the key
  }
  // of mixed case it has none, and hrp is in the right one
  if (bytes.length !== length || !text.startsWith(hrp)) throw new Error(DAMAGED);
}
