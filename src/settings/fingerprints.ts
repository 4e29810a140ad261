import { nameInFile } from '../host/known-hosts.js';
import type { Fingerprint } from './settings.js';
import { parseHost, parsePort } from './value-rules.js';

const RULE =
  'expected "SHA256:" and 43 characters of base64, one a line, as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints on the host; before it may stand the host that it is of, as in known_hosts: `db.example.com SHA256:...`, or `[db.example.com]:2222 SHA256:...`';

/** One `SHA256:...` a line, each with the name of its host before it, or without; padding is removed. */
export function parseFingerprints(text: string): Fingerprint[] {
  const found = new Map<string, Fingerprint>();
  for (const line of text.split(/\r\n|\r|\n/).map((one) => one.trim())) {
    if (line === '') continue;
    const [, name, base64 = ''] = /^(?:(\S+)[ \t]+)?SHA256:([A-Za-z0-9+/]{43})=?$/.exec(line) ?? [];
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
  return `with jump-host each line begins with the host that it is of, since the jump host could show a key of its own as that of the host behind it: ${hosts.map((host) => `\`${host} SHA256:...\``).join(' and ')}; this one does not: ${unnamed.print}`;
}
