/** Signatures of the documents that lie on the host and in the store: docs/signatures.md has their form, and vectors. */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import canonicalize from 'canonicalize';
import { BackupError } from '../errors.js';

/** What a `mac` looks like. */
export const MAC = /^hmac-sha256:[0-9a-f]{64}$/;

/** forged: something else was signed, or by a key that is none of ours. */
export type Verdict = 'signed' | 'unsigned' | 'forged';

/** The keys of a run: the first signs, each of them verifies. They are shown in no text, whatever prints this object. */
export class SigningKeys {
  readonly #keys: readonly KeyObject[];

  /** At least one. */
  constructor(keys: readonly string[]) {
    this.#keys = keys.map((key) => createSecretKey(Buffer.from(key, 'utf8')));
  }

  /** The document as it reads once it is written, with its `mac`. Throws E_SIGNATURE when it has no canonical form. */
  sign<T extends object>(document: T): T & { mac: string } {
    // half a character, as of a text that was cut, has no bytes of its own
    const whole = (_: string, value: unknown) => (typeof value === 'string' ? Buffer.from(value).toString() : value);
    const written = JSON.parse(JSON.stringify(document), whole) as T;
    const text = canonicalText(written);
    const [key] = this.#keys;
    if (text === null || key === undefined) {
      throw new BackupError('E_SIGNATURE', 'a document of this kind cannot be signed: it has no canonical form');
    }
    return { ...written, mac: `hmac-sha256:${digest(key, text).toString('hex')}` };
  }

  /** Of a document as it was parsed, and is used: what the text was that it was parsed from does not matter. */
  verdict(document: object): Verdict {
    const mac = Object.hasOwn(document, 'mac') ? (document as { mac: unknown }).mac : null;
    if (mac === null) return 'unsigned';
    const text = typeof mac === 'string' && MAC.test(mac) ? canonicalText(document) : null;
    if (text === null) return 'forged';
    const claimed = Buffer.from(String(mac).slice(-64), 'hex');
    // every key is tried, so that the time does not tell which one it was
    const fits = this.#keys.filter((key) => timingSafeEqual(digest(key, text), claimed));
    return fits.length > 0 ? 'signed' : 'forged';
  }
}

/** What is signed: the document without `mac`, by RFC 8785 (JCS). null: it has no such form, as with 1e400 or half a surrogate pair in it. */
export function canonicalText(document: object): string | null {
  const { mac: _, ...signed } = document as { mac?: unknown };
  try {
    return canonicalize(signed) ?? null;
  } catch {
    return null;
  }
}

const digest = (key: KeyObject, text: string): Buffer => createHmac('sha256', key).update(text, 'utf8').digest();
