/**
 * OpenPGP keys (RFC 9580), as far as they can be judged without gpg: which there are, whether they are whole and can encrypt. Each function
 * throws an Error whose text is the rule, and holds nothing of what was given.
 */
import { createHash } from 'node:crypto';
import { armored, unarmored } from './openpgp-armor.js';
import { DAMAGED, number, type Packet, packets, subpacketLength } from './openpgp-packets.js';

const PACKET = { signature: 2, secretKey: 5, publicKey: 6, secretSubkey: 7, userId: 13, publicSubkey: 14 };
/** What a key consists of besides: marker, trust, user attribute, padding. */
const BESIDE = [10, 12, 17, 21];
/** Algorithms that encrypt: RSA, Elgamal, ECDH, X25519, X448. Others only sign. */
const ENCRYPTING = [1, 2, 16, 18, 25, 26];
/** The subpacket that says what a key is for, and of its bits those for encryption. */
const KEY_FLAGS = 27;
const ENCRYPTION_FLAGS = 0x0c;
const SHA1_FRAME = 0x99;

export interface PublicKeys {
  /** For `gpg --import`. */
  keys: string;
  /** Of each primary key. */
  fingerprints: string[];
}

/** A key that is secret stands where public ones are expected; who reads it has to mask it. */
export class SecretKeyGiven extends Error {}

/** The public keys of one or more blocks, each of one or more keys. */
export function parsePublicKeys(text: string): PublicKeys {
  const blocks = unarmored(text, 'PUBLIC KEY BLOCK');
  const keys = blocks.flatMap((block) => transferableKeys(packets(block), PACKET.publicKey));
  return {
    keys: blocks.map((block) => armored(block, 'PUBLIC KEY BLOCK')).join(''),
    fingerprints: [...new Set(keys.map(fingerprintOf))],
  };
}

/** The secret keys of one or more blocks, for `gpg --import`. */
export function parseSecretKeys(text: string): string {
  const blocks = unarmored(text, 'PRIVATE KEY BLOCK');
  for (const block of blocks) transferableKeys(packets(block), PACKET.secretKey);
  return blocks.map((block) => armored(block, 'PRIVATE KEY BLOCK')).join('');
}

/** Whole keys: a primary key, and what belongs to it. */
function transferableKeys(all: Packet[], primary: number): Packet[][] {
  const keys: Packet[][] = [];
  for (const packet of all) {
    const { tag } = packet;
    if (primary === PACKET.publicKey && (tag === PACKET.secretKey || tag === PACKET.secretSubkey)) {
      throw new SecretKeyGiven('it is a secret key');
    }
    if (tag === primary) keys.push([packet]);
    else if (keys.length === 0 || !isPartOfKey(tag, primary)) {
      throw new Error(tag === PACKET.publicKey ? 'it is a public key, not a secret one' : 'it is not a key');
    } else keys.at(-1)?.push(packet);
  }
  if (keys.length === 0) throw new Error(DAMAGED);
  return keys;
}

function isPartOfKey(tag: number, primary: number): boolean {
  if (tag === PACKET.secretSubkey) return primary === PACKET.secretKey;
  return [PACKET.signature, PACKET.userId, PACKET.publicSubkey, ...BESIDE].includes(tag);
}

/** Of a key that gpg takes and can encrypt to, as far as its structure tells; 40 digits in capitals. */
function fingerprintOf(key: Packet[]): string {
  const [primary] = key;
  const version = primary?.body[0];
  if (primary === undefined || version !== 4) {
    throw new Error(`expected OpenPGP keys of version 4, which every GnuPG takes, but one has version ${version}`);
  }
  if (!key.some(({ tag }) => tag === PACKET.userId)) {
    throw new Error('a key in it has no name (user id), and gpg does not import it without one; export it with one');
  }
  if (!canEncrypt(key)) {
    throw new Error(
      'a key in it can only sign; give one with a subkey that encrypts (`gpg --quick-add-key FINGERPRINT cv25519 encr`)',
    );
  }
  const frame = Buffer.from([SHA1_FRAME, primary.body.length >> 8, primary.body.length & 0xff]);
  return createHash('sha1').update(frame).update(primary.body).digest('hex').toUpperCase();
}

/** Whether the algorithm of the key or of a subkey encrypts, and what its signatures say of its use allows it. gpg has the last word. */
function canEncrypt(key: Packet[]): boolean {
  const parts: { encrypts: boolean; uses: number[] }[] = [];
  for (const { tag, body } of key) {
    if (tag === PACKET.publicKey || tag === PACKET.publicSubkey) {
      parts.push({ encrypts: ENCRYPTING.includes(body[5] ?? 0), uses: [] });
    } else if (tag === PACKET.signature) parts.at(-1)?.uses.push(...usesIn(body));
  }
  // keys of before there were such flags have none
  return parts.some(
    ({ encrypts, uses }) => encrypts && (uses.length === 0 || uses.some((flags) => flags & ENCRYPTION_FLAGS)),
  );
}

/** The key flags in the hashed subpackets of a signature. */
function usesIn(signature: Buffer): number[] {
  if (signature[0] !== 4) return [];
  const end = 6 + number(signature, 4, 2);
  const found: number[] = [];
  for (let at = 6; at < end; ) {
    const [length, start] = subpacketLength(signature, at);
    if ((number(signature, start, 1) & 0x7f) === KEY_FLAGS) found.push(number(signature, start + 1, 1));
    at = start + length;
  }
  return found;
}
