/** The armor around OpenPGP keys; errors as in openpgp-keys.ts. */
import { DAMAGED } from './openpgp-packets.js';

const LINE_LENGTH = 64;
const MESSAGE = {
  'PUBLIC KEY BLOCK':
    'expected the OpenPGP public keys themselves, each from "-----BEGIN PGP PUBLIC KEY BLOCK-----" to its END line, not an id, an address or a fingerprint; `gpg --armor --export ID` prints one',
  'PRIVATE KEY BLOCK':
    'expected OpenPGP secret keys, each from "-----BEGIN PGP PRIVATE KEY BLOCK-----" to its END line; `gpg --armor --export-secret-keys ID` prints one',
};

export type Label = keyof typeof MESSAGE;

/** Each block without its armor. Between them may be blank lines and those that begin with "#". */
export function unarmored(text: string, label: Label): Buffer[] {
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
  if (/^(?:age1|ssh-|ecdsa-|sk-)/.test(line)) return 'it is an age or SSH key; set `encrypt` to age for it';
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

export function armored(bytes: Buffer, label: Label): string {
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
