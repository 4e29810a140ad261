/**
 * Mends what happens to a private key on its way through clipboards, secret stores and YAML, without reading the key itself.
 * ssh2 survives CRLF and a missing last newline; everything else here it calls "Unsupported key format".
 */

/** A key that can not be used: the text says why, and holds nothing of the key. */
export class UnusableKey extends Error {}

export interface KeyText {
  /** What stands behind BEGIN: `OPENSSH PRIVATE KEY`, `RSA PRIVATE KEY`, `PRIVATE KEY`, ... */
  label: string;
  /** Of the old PEM form that carries its cipher in headers. */
  hasCipherHeader: boolean;
  body: Buffer;
  /** The whole key again, lines of standard length, one newline at the end. */
  pem: string;
}

const PRIVATE_KEY = /-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----([\s\S]*?)-----END \1-----/;
const CIPHER_HEADER = /^\s*Proc-Type:\s*(\S+)\s+DEK-Info:\s*(\S+)\s+/;
const PUBLIC_KEY = /^(?:(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ |-----? ?BEGIN (?:[A-Z0-9]+ )*(?:PUBLIC KEY|CERTIFICATE))/;

/** Finds and mends the key in `text`. Throws UnusableKey. */
export function mendKeyText(text: string): KeyText {
  const clean = unwrap(text);
  if (clean === '') throw new UnusableKey('it is empty');
  const found = PRIVATE_KEY.exec(clean);
  if (found === null) {
    const inside = decoded(clean);
    if (inside !== null) return mendKeyText(inside);
    throw new UnusableKey(whyNoKey(clean));
  }
  const [, label = '', content = ''] = found;
  const cipherHeader = CIPHER_HEADER.exec(content);
  const base64 = content.slice(cipherHeader?.[0].length ?? 0).replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) {
    throw new UnusableKey(
      'it is damaged: the text between its BEGIN and END lines is not complete base64; copy the file again',
    );
  }
  // OpenSSH writes 70 characters a line, OpenSSL 64; both read any length, ssh2 included.
  const lines = base64.match(label.startsWith('OPENSSH') ? /.{1,70}/g : /.{1,64}/g) ?? [];
  const header = cipherHeader === null ? [] : [`Proc-Type: ${cipherHeader[1]}`, `DEK-Info: ${cipherHeader[2]}`, ''];
  return {
    label,
    hasCipherHeader: cipherHeader !== null,
    body: Buffer.from(base64, 'base64'),
    pem: `${[`-----BEGIN ${label}-----`, ...header, ...lines, `-----END ${label}-----`].join('\n')}\n`,
  };
}

/** Byte order mark, other blanks, CR, quotes around the whole, and newlines written as `\n`. */
function unwrap(text: string): string {
  const plain = text
    .replace(/[\uFEFF\u200B\u2060]/g, '')
    .replace(/[\u00A0\u2028\u2029]/g, ' ')
    .replace(/\r\n?/g, '\n')
    .trim()
    .replace(/^(["'])([\s\S]*)\1$/, '$2')
    .trim();
  return !plain.includes('\n') || /-----\\n/.test(plain) ? plain.replace(/\\r|\\n/g, '\n').trim() : plain;
}

/** A whole key file in base64, as some secret stores want it. */
function decoded(text: string): string | null {
  if (!/^[A-Za-z0-9+/=\s]+$/.test(text)) return null;
  const inside = Buffer.from(text, 'base64').toString('latin1');
  return PRIVATE_KEY.test(unwrap(inside)) ? inside : null;
}

function whyNoKey(text: string): string {
  if (text.startsWith('PuTTY-User-Key-File-')) {
    return 'it is a PuTTY .ppk file; export it as an OpenSSH key (PuTTYgen: Conversions, or puttygen FILE -O private-openssh)';
  }
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text)) return 'its END line is missing: copy the whole file';
  if (/-----END [A-Z0-9 ]*PRIVATE KEY-----/.test(text)) return 'its BEGIN line is missing: copy the whole file';
  if (PUBLIC_KEY.test(text)) return 'it is a public key; the private one is in the file without .pub';
  if (!/\s/.test(text) && /^[~./]|^[A-Za-z]:\\/.test(text)) {
    return 'it looks like the path of a file; give the contents of that file';
  }
  return 'it is not a private key: it has no "-----BEGIN ... PRIVATE KEY-----" line';
}
