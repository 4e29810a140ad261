/** What two sides of an SSH connection can agree on, as far as it is needed to say why they do not. */

/** The kinds of algorithms that both sides must have in common, by what ssh2 says when they have none. */
const KINDS = {
  'key exchange algorithm': { list: 'KEX method', option: 'KexAlgorithms', add: 'curve25519-sha256' },
  'C->S cipher': { list: 'C->S cipher', option: 'Ciphers', add: 'aes256-gcm@openssh.com' },
  'S->C cipher': { list: 'S->C cipher', option: 'Ciphers', add: 'aes256-gcm@openssh.com' },
  'C->S MAC': { list: 'C->S MAC', option: 'MACs', add: 'hmac-sha2-256-etm@openssh.com' },
  'S->C MAC': { list: 'S->C MAC', option: 'MACs', add: 'hmac-sha2-256-etm@openssh.com' },
};
type Kind = keyof typeof KINDS;

const SHOWN = 12;

/** The lists of one server, and of this client. */
export class Offer {
  /** It said which signatures it takes (RFC 8308). */
  tellsSignatures = false;
  private readonly lists = new Map<string, string[]>();

  /** Takes the lines that ssh2 prints for debugging, the only place where it tells the lists. */
  readonly listen = (line: string): void => {
    if (line === 'Inbound: Received EXT_INFO') this.tellsSignatures = true;
    const [, list, names = ''] = /^Handshake: (\((?:local|remote)\) [^:]*): (.*)$/s.exec(line) ?? [];
    if (list !== undefined) this.lists.set(list, names.split(','));
  };

  /** It has an RSA host key, and signs with it by SHA-1 alone. */
  get signsSha1Alone(): boolean {
    const names = this.lists.get('(remote) Host key format') ?? [];
    return names.includes('ssh-rsa') && !names.some((name) => name.startsWith('rsa-sha2-'));
  }

  /** The signatures of its host keys; empty when they are not known. */
  get hostKeys(): string {
    return shown(this.lists.get('(remote) Host key format'));
  }

  /** Why the two can not talk, and the line of sshd_config that ends it; null when an error of ssh2 is about something else. */
  disagreement(error: string): { why: string; line: string } | null {
    const kind = /^Handshake failed: no matching (.+)$/i.exec(error)?.[1];
    if (kind === undefined || !Object.hasOwn(KINDS, kind)) return null;
    const { list, option, add } = KINDS[kind as Kind];
    const [theirs, ours] = ['(remote)', '(local)'].map((side) => shown(this.lists.get(`${side} ${list}`)));
    const what = kind.replace(/^(C->S|S->C) /, '');
    return {
      why: `it shares no ${what} with this action: it offers ${theirs || 'an unknown list'}, and this action supports ${ours || 'others'}`,
      line: `${option} +${add}`,
    };
  }
}

/** Names as algorithms have them; a server may send anything. */
function shown(names: readonly string[] = []): string {
  const plain = names.filter((name) => /^[\w.@+-]{1,64}$/.test(name));
  const more = plain.length > SHOWN ? ` and ${plain.length - SHOWN} more` : '';
  return plain.slice(0, SHOWN).join(', ') + more;
}
