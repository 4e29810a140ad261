import type { AuthHandlerMiddleware, ParsedKey } from 'ssh2';
import type { Offer } from './ssh-offer.js';

/** How one key is offered to one server, and what it answered. */
export class KeyProof {
  /** What the server would take after the last refusal: `publickey`, `password`. */
  left: readonly string[] = [];
  /** It took the key, and wants something else as well. */
  isPartial = false;
  private readonly attempts: (() => ParsedKey | null)[];

  constructor(
    private readonly username: string,
    readonly key: ParsedKey,
    offer: Offer,
  ) {
    // By itself ssh2 signs with SHA-256 as soon as the server knows it, also where it takes SHA-512 alone: sshd tells all that it
    // knows, not what its PubkeyAcceptedAlgorithms leave. SHA-1 is for servers that do not say what they know.
    this.attempts =
      key.type === 'ssh-rsa'
        ? [
            () => signing(key, 'rsa-sha2-512', 'sha512'),
            () => signing(key, 'rsa-sha2-256', 'sha256'),
            () => (offer.tellsSignatures ? null : key),
          ]
        : [() => key];
  }

  /** For ssh2: called before the first attempt, and after each refusal. */
  readonly next: AuthHandlerMiddleware = (left, partial, next) => {
    this.left = left ?? [];
    this.isPartial = partial ?? false;
    const asked = left == null || left.includes('publickey');
    const key = this.isPartial || !asked ? null : (this.attempts.shift()?.() ?? null);
    next(key === null ? (false as never) : { type: 'publickey', username: this.username, key });
  };
}

/** The same key under the name of one kind of signature, by which ssh2 leaves the choice of the kind to us. */
function signing(key: ParsedKey, name: string, hash: string): ParsedKey {
  const sign: ParsedKey['sign'] = (data) => key.sign(data, hash);
  return Object.assign(Object.create(key) as ParsedKey, { type: name, sign });
}
