import { nameInFile } from '../host/known-hosts.js';
import type { Fingerprint } from './settings.js';
import { parseHost, parsePort } from './value-rules.js';

const RULE =
  'expected "SHA256:" and 43 characters of base64, one per line, alone or in the whole line that `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on the host; you may put the host before it, as in known_hosts: `db.example.com SHA256:...`, or `[db.example.com]:2222 SHA256:...`';
const MD5_RULE =
  'expected "SHA256:" and 43 characters of base64, not an MD5 fingerprint, which can be forged; `ssh-keygen -E sha256 -lf /etc/ssh/ssh_host_ed25519_key.pub` prints the other on the host';

/** The name of a host, the size of the key, its fingerprint, and what ssh-keygen prints behind that: a comment, which may be anything, and the type. */
const LINE = /^(?:(?!\d+[ \t])(\S+)[ \t]+)?(?:\d{3,5}[ \t]+)?SHA256:([A-Za-z0-9+/]{43})=?(?:[ \t](.*)\([A-Z0-9-]+\))?$/;
/** With 16 bytes in hexadecimal; old versions of ssh-keygen print no name before them. */
const MD5 = /(?:^|\s)MD5:|(?:^|\s)(?:[0-9a-f]{2}:){15}[0-9a-f]{2}(?:\s|$)/i;

/**
 * One `SHA256:...` a line, alone or as `ssh-keygen -l` prints it, each with the name of its host before it, or without; padding is removed.
 * Throws an Error whose text is the rule.
 */
export function parseFingerprints(text: string): Fingerprint[] {
  const found = new Map<string, Fingerprint>();
  for (const line of text.split(/\r\n|\r|\n/).map((one) => one.trim())) {
    if (line === '') continue;
    const [, name, base64 = '', comment = ''] = LINE.exec(line) ?? [];
    if (base64 === '' && MD5.test(line)) throw new Error(MD5_RULE);
    // of two lines that became one, only the first would count
    if (/SHA256:|MD5:/.test(comment)) throw new Error(RULE);
    // 43 characters hold two bits more than a hash; where they are not zero, a character was mistyped.
    if (Buffer.from(base64, 'base64').toString('base64') !== `${base64}=`) throw new Error(RULE);
    const host = name === undefined ? null : parseName(name);
    found.set(`${host} ${base64}`, { host, print: `SHA256:${base64}` });
  }
  return [...found.values()];
}

/** The name of a host as known_hosts has it. No patterns: a fingerprint is for telling one host from another. */
function parseName(name: string): string {
  const [, host = name, port = '22'] = /^\[([^\]]*)\]:(\d+)$/.exec(name) ?? [];
  try {
    return nameInFile(parseHost(host), parsePort(port));
  } catch {
    throw new Error(RULE);
  }
}

/** The message for a line that does not say whose key it is, while there are two hosts; undefined: all is well. */
export function unnamedFingerprint(fingerprints: readonly Fingerprint[], hosts: readonly string[]): string | undefined {
  const unnamed = fingerprints.find(({ host }) => host === null);
  if (unnamed === undefined) return undefined;
  return `with jump-host, begin each line with its host, because the jump host could show its own key as the key of the host behind it: ${hosts.map((host) => `\`${host} SHA256:...\``).join(' and ')}; this one does not: ${unnamed.print}`;
}
