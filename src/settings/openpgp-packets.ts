/** The packets of which OpenPGP keys are made (RFC 9580, 4); errors as in openpgp-keys.ts. */

export const DAMAGED = 'it is damaged: the text between its BEGIN and END lines is not complete; copy it again';

export interface Packet {
  tag: number;
  body: Buffer;
}

/** Each packet; lengths that are not told before the packet are for messages, not for keys. */
export function packets(bytes: Buffer): Packet[] {
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

/** As of a packet, but nothing is partial here. */
export function subpacketLength(bytes: Buffer, at: number): [length: number, start: number] {
  const first = bytes[at] ?? 0;
  return first >= 224 && first < 255 ? twoBytes(bytes, at) : newLength(bytes, at);
}

/** The length, and where what has it begins. */
function newLength(bytes: Buffer, at: number): [length: number, start: number] {
  const first = bytes[at] ?? 0;
  if (first < 192) return [first, at + 1];
  if (first < 224) return twoBytes(bytes, at);
  if (first < 255) throw new Error(DAMAGED);
  return [number(bytes, at + 1, 4), at + 5];
}

const twoBytes = (bytes: Buffer, at: number): [length: number, start: number] => [
  number(bytes, at, 2) - (192 << 8) + 192,
  at + 2,
];

function oldLength(bytes: Buffer, at: number, kind: number): [length: number, start: number] {
  if (kind === 3) throw new Error(DAMAGED);
  const size = 1 << kind;
  return [number(bytes, at, size), at + size];
}

export function number(bytes: Buffer, at: number, size: number): number {
  if (at + size > bytes.length) throw new Error(DAMAGED);
  return bytes.readUIntBE(at, size);
}
