/**
 * Armored OpenPGP keys (RFC 9580), as far as they can be judged without gpg: which keys there are, and whether they are whole. Each function
 * throws an Error whose text is the rule, and holds nothing of what was given.
 */
import { createHash } from 'node:crypto';

const PACKET = { signature: 2, secretKey: 5, publicKey: 6, secretSubkey: 7, userId: 13, publicSubkey: 14 };
/** What a key consists of besides: marker, trust, user attribute, padding. */
const BESIDE = [10, 12, 17, 21];
/** Algorithms that encrypt: RSA, Elgamal, ECDH, X25519, X448. Others only sign. */
const ENCRYPTING = [1, 2, 16, 18, 25, 26];
const SHA1_FRAME = 0x99;
const LINE_LENGTH = 64;
const DAMAGED = 'it is damaged: what stands between its BEGIN and END lines is not whole; copy it again';
const MESSAGE = {
  'PUBLIC KEY BLOCK':
    'expected the OpenPGP public keys themselves, each from "-----BEGIN PGP PUBLIC KEY BLOCK-----" to its END line, not an id, an address or a fingerprint; `gpg --armor --export ID` prints one',
  'PRIVATE KEY BLOCK':
    'expected OpenPGP secret keys, each from "-----BEGIN PGP PRIVATE KEY BLOCK-----" to its END line; `gpg --armor --export-secret-keys ID` prints one',
};

type Label = keyof typeof MESSAGE;

interface Packet {
  tag: number;
  body: Buffer;
}

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
      throw new Error(
        tag === PACKET.publicKey ? 'it is a public key, not a secret one' : 'it is something else than keys',
      );
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
    throw new Error(`expected OpenPGP keys of version 4, which every GnuPG takes, and one is of version ${version}`);
  }
  if (!key.some(({ tag }) => tag === PACKET.userId)) {
    throw new Error('a key in it has no name (user id), without which gpg imports none; export it with one');
  }
  const parts = key.filter(({ tag }) => tag === PACKET.publicKey || tag === PACKET.publicSubkey);
  if (!parts.some(({ body }) => ENCRYPTING.includes(body[5] ?? 0))) {
    throw new Error(
      'a key in it can only sign; give one with a subkey that encrypts (`gpg --quick-add-key FINGERPRINT cv25519 encr`)',
    );
  }
  const frame = Buffer.from([SHA1_FRAME, primary.body.length >> 8, primary.body.length & 0xff]);
  return createHash('sha1').update(frame).update(primary.body).digest('hex').toUpperCase();
}

/** With newlines that were written as `\n`, as some secret stores have them; no key has a backslash. */
export const withNewlines = (text: string): string =>
  (/[\r\n]/.test(text) ? text : text.replace(/\\r|\\n/g, '\n')).replace(/\uFEFF/g, '');

/** Each block without its armor. Between them may be blank lines and those that begin with "#". */
function unarmored(text: string, label: Label): Buffer[] {
  const blocks: Buffer[] = [];
  let inside: string[] | null = null;
  for (const line of text.split(/\r\n|\r|\n/).map((one) => one.trim())) {
    if (inside !== null) {
      if (line === `-----END PGP ${label}-----`) {
        blocks.push(decoded(inside));
        inside = null;
      } else inside.push(line);
    } else if (line === `-----BEGIN PGP ${label}-----`) inside = [];
    else if (line !== '' && !line.startsWith('#')) throw new Error(whyNoKey(line, label));
  }
  if (inside !== null) throw new Error('its END line is missing: the key was cut off');
  if (blocks.length === 0) throw new Error(MESSAGE[label]);
  return blocks;
}

function whyNoKey(line: string, label: Label): string {
  if (line === '-----BEGIN PGP PUBLIC KEY BLOCK-----') {
    return 'it is a public key; `gpg --armor --export-secret-keys ID` prints the secret one';
  }
  if (/^(?:age1|ssh-|ecdsa-|sk-)/.test(line)) return 'it is a key of age or SSH; for these set `encrypt` to age';
  return MESSAGE[label];
}

/** The bytes of base64 behind the headers (`Comment: ...`), compared with the checksum at its end where there is one. */
function decoded(lines: string[]): Buffer {
  const rest = lines.slice(lines.findIndex((line) => !/^[A-Za-z]+: /.test(line))).filter((line) => line !== '');
  const checksum = rest.at(-1)?.startsWith('=') ? rest.pop() : undefined;
  const base64 = rest.join('');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length === 0 || bytes.toString('base64') !== base64) throw new Error(DAMAGED);
  if (checksum !== undefined && checksum !== `=${crc24(bytes)}`) throw new Error(DAMAGED);
  return bytes;
}

function armored(bytes: Buffer, label: Label): string {
  const lines = bytes.toString('base64').match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return [`-----BEGIN PGP ${label}-----`, '', ...lines, `=${crc24(bytes)}`, `-----END PGP ${label}-----`, ''].join(
    '\n',
  );
}

function crc24(bytes: Buffer): string {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x800000 ? (crc << 1) ^ 0x1864cfb : crc << 1;
  }
  return Buffer.from([crc >> 16, crc >> 8, crc]).toString('base64');
}

/** Each packet; lengths that are not told before the packet are for messages, not for keys. */
function packets(bytes: Buffer): Packet[] {
  const found: Packet[] = [];
  let at = 0;
  while (at < bytes.length) {
    const head = bytes[at] ?? 0;
    const isNew = (head & 0x40) !== 0;
    const [length, start] = isNew ? newLength(bytes, at + 1) : oldLength(bytes, at + 1, head & 3);
    const end = start + length;
    if ((head & 0x80) === 0 || end > bytes.length) throw new Error(DAMAGED);
    found.push({ tag: isNew ? head & 0x3f : (head >> 2) & 0xf, body: bytes.subarray(start, end) });
    at = end;
  }
  return found;
}

/** The length, and where what has it begins. */
function newLength(bytes: Buffer, at: number): [length: number, start: number] {
  const first = bytes[at] ?? 0;
  if (first < 192) return [first, at + 1];
  if (first < 224) return [((first - 192) << 8) + number(bytes, at + 1, 1) + 192, at + 2];
  if (first < 255) throw new Error(DAMAGED);
  return [number(bytes, at + 1, 4), at + 5];
}

function oldLength(bytes: Buffer, at: number, kind: number): [length: number, start: number] {
  if (kind === 3) throw new Error(DAMAGED);
  const size = 1 << kind;
  return [number(bytes, at, size), at + size];
}

function number(bytes: Buffer, at: number, size: number): number {
  if (at + size > bytes.length) throw new Error(DAMAGED);
  return bytes.readUIntBE(at, size);
}
