/**
 * Decides from known_hosts lines and fingerprints whether a host is the right one. ssh2 brings no known_hosts reader and
 * accepts every host unless told otherwise. File format: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; checked against `ssh-keygen -F`.
 */
import { createHash, createHmac } from 'node:crypto';
import type { Fingerprint } from '../settings/settings.js';

export interface HostKeyLine {
  /** As in the file: `ssh-ed25519`. */
  type: string;
  key: Buffer;
  /** 1-based, for messages. */
  line: number;
}

export interface HostKeys {
  keys: HostKeyLine[];
  /** `@revoked`: never accepted, whatever else lists them. */
  revoked: HostKeyLine[];
  /** `@cert-authority`: ssh2 can not check host certificates, so these accept nothing. */
  authorities: HostKeyLine[];
  unreadableLines: number[];
}

export type HostKeyVerdict = 'accepted' | 'unknown' | 'revoked';

export interface HostKeyPolicy {
  /** What to ask the host for, in ssh2's `algorithms.serverHostKey`, best first. */
  algorithms: readonly string[];
  /** A key that is not accepted does not end it: the host may have one of another type that is. */
  tryOtherTypes: boolean;
  accepts(key: Buffer): HostKeyVerdict;
  warnings: string[];
  /** What the host's key was compared with, for the message when it is not accepted. */
  comparedWith: string;
}

/**
 * Key types that ssh2 can check, best first, each with its signature algorithms. `ssh-rsa`, the third one of an RSA key, signs SHA-1,
 * of which collisions are for sale: a host that has nothing else is refused.
 */
const ALGORITHMS = new Map([
  ['ssh-ed25519', ['ssh-ed25519']],
  ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
  ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
  ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
  ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256']],
]);

/** Everything that ssh2 can check, best first. */
export const SERVER_HOST_KEY_ALGORITHMS: readonly string[] = [...ALGORITHMS.values()].flat();

/** The type of a raw public key blob, as it begins: `ssh-ed25519`; empty for what is too short, since a host may send anything. */
export function keyType(key: Buffer): string {
  return key.length < 4 ? '' : key.toString('latin1', 4, 4 + key.readUInt32BE(0));
}

/** The strings that a raw public key blob consists of, each after its length (RFC 4253); none where they do not fill it, as of a cut line. */
export function keyFields(key: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  for (let offset = 0; offset < key.length; ) {
    if (key.length < offset + 4) return [];
    const end = offset + 4 + key.readUInt32BE(offset);
    if (end > key.length) return [];
    fields.push(key.subarray(offset + 4, end));
    offset = end;
  }
  return fields;
}

/** The fingerprint as `ssh-keygen -lf` prints it: `SHA256:` and unpadded base64. `key` is the raw public key blob. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** Finds the lines of a known_hosts file that are about this host and port, plain or hashed. */
export function findHostKeys(text: string, host: string, port: number): HostKeys {
  const name = nameInFile(host, port);
  const found: HostKeys = { keys: [], revoked: [], authorities: [], unreadableLines: [] };
  const lists = { '': found.keys, '@revoked': found.revoked, '@cert-authority': found.authorities };
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const fields = line.trim().split(/[ \t]+/);
    if (!fields[0] || fields[0].startsWith('#')) continue;
    const marker = fields[0].startsWith('@') ? (fields.shift() ?? '') : '';
    const [hosts = '', type = '', base64 = ''] = fields;
    const key = readKey(type, base64);
    if (key === null || !(marker in lists)) {
      found.unreadableLines.push(index + 1);
    } else if (matchesHost(hosts, name)) {
      lists[marker as keyof typeof lists].push({ type, key, line: index + 1 });
    }
  }
  return found;
}

/**
 * Makes the rule by which one host is accepted: a known_hosts line or a fingerprint lists its key, and no line revokes it.
 * A fingerprint with a name serves for the host of that name alone. Where nothing can be accepted the host is still asked for each of its
 * keys, since what it shows and why nothing matched is what the user needs to know.
 */
export function hostKeyPolicy(
  knownHosts: string,
  fingerprints: readonly Fingerprint[],
  host: string,
  port: number,
): HostKeyPolicy {
  const name = nameInFile(host, port);
  const found = findHostKeys(knownHosts, host, port);
  const usable = found.keys.filter((line) => ALGORITHMS.has(line.type) && !isIn(found.revoked, line.key));
  const prints = fingerprints.filter((one) => one.host === null || one.host === name).map(({ print }) => print);
  const tryOtherTypes = prints.length > 0 || usable.length === 0;
  const comparedWith = [
    ...(usable.length > 0 ? [`the keys of ${name} in known-hosts (${listOf(usable)})`] : []),
    ...(prints.length > 0 ? [`fingerprint (${prints.join(', ')})`] : []),
  ].join(' and ');
  return {
    algorithms: order(new Set(usable.map((line) => line.type)), tryOtherTypes),
    tryOtherTypes,
    accepts: (key) => {
      if (isIn(found.revoked, key)) return 'revoked';
      return isIn(usable, key) || prints.includes(fingerprint(key)) ? 'accepted' : 'unknown';
    },
    warnings: warningsOf(found, name),
    comparedWith: [
      comparedWith || 'nothing',
      ...(usable.length > 0 || knownHosts === ''
        ? []
        : [`known-hosts: ${whyNothingMatches(found, knownHosts, host, port)}`]),
      ...(prints.length > 0 || fingerprints.length === 0
        ? []
        : [`fingerprint: ${noneNamed(fingerprints, host, port)}`]),
    ].join('; '),
  };
}

/** What to say of lines that list one key for both hosts of the way: whoever holds it can pass for either. null: there are none. */
export function sharedLines(knownHosts: string, host: Place, jump: Place): string | null {
  const [name, jumpName] = [host, jump].map((one) => nameInFile(one.host, one.port));
  if (name === jumpName) return null;
  const ofJump = findHostKeys(knownHosts, jump.host, jump.port).keys.map(({ line }) => line);
  const shared = findHostKeys(knownHosts, host.host, host.port).keys.filter(({ line }) => ofJump.includes(line));
  if (shared.length === 0) return null;
  return `known-hosts: the jump host ${jumpName} can present its own key as the key of ${name}, because one line lists it for both (line ${shared.map(({ line }) => line).join(', ')}); give each host its own line`;
}

type Place = { host: string; port: number };

/** The name of a host in known_hosts. Without a port the default one is meant; OpenSSH writes any other as `[host]:port` and compares in lower case. */
export function nameInFile(host: string, port: number): string {
  return (port === 22 ? host : `[${host}]:${port}`).toLowerCase();
}

/** The key blob, or null unless it is base64 of a whole key of the type that stands before it. */
function readKey(type: string, base64: string): Buffer | null {
  if (!/^[A-Za-z0-9+/]+=*$/.test(base64)) return null;
  const key = Buffer.from(base64, 'base64');
  const fields = keyFields(key);
  return fields.length >= 2 && fields[0]?.toString('latin1') === type ? key : null;
}

function matchesHost(field: string, name: string): boolean {
  if (field.startsWith('|')) {
    const [, version, salt = '', hash = ''] = field.split('|');
    if (version !== '1' || hash === '') return false;
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
  }
  const patterns = field.toLowerCase().split(',');
  // A negated pattern wins over all others of its line, wherever it stands.
  if (patterns.some((pattern) => pattern.startsWith('!') && matchesPattern(pattern.slice(1), name))) return false;
  return patterns.some((pattern) => matchesPattern(pattern, name));
}

function matchesPattern(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\/-]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replace(/\?/g, '.');
  return pattern !== '' && new RegExp(`^${source}$`).test(name);
}

const isIn = (lines: readonly HostKeyLine[], key: Buffer): boolean => lines.some((line) => line.key.equals(key));

/**
 * The host shows the first of its keys that the client asks for. Unless only the known types are asked for, a host known
 * by its RSA key shows its Ed25519 key and is refused. With a fingerprint the other types follow: it may be one of theirs.
 */
function order(known: ReadonlySet<string>, alsoOthers: boolean): string[] {
  const types = [...ALGORITHMS.keys()];
  const asked = types
    .filter((type) => known.has(type))
    .concat(alsoOthers ? types.filter((type) => !known.has(type)) : []);
  return asked.flatMap((type) => ALGORITHMS.get(type) ?? []);
}

const listOf = (lines: readonly HostKeyLine[]): string =>
  lines.map(({ type, line }) => `${type} in line ${line}`).join(', ');

function whyNothingMatches(found: HostKeys, knownHosts: string, host: string, port: number): string {
  const name = nameInFile(host, port);
  const unreadable =
    found.unreadableLines.length > 0 ? `; these lines cannot be read: ${found.unreadableLines.join(', ')}` : '';
  const supported = found.keys.filter((line) => ALGORITHMS.has(line.type));
  if (supported.length > 0) return `every key of ${name} is @revoked (${listOf(supported)})`;
  if (found.keys.length > 0) {
    return `only unsupported key types match ${name} (${listOf(found.keys)}), expected one of ${[...ALGORITHMS.keys()].join(', ')}${unreadable}`;
  }
  if (found.authorities.length > 0) {
    return `only @cert-authority lines match ${name}, and host certificates cannot be checked here: add the host's own key${unreadable}`;
  }
  return `${noLine(host, port, findHostKeys(knownHosts, host, 22).keys.length > 0)}${unreadable}`;
}

const noneNamed = (fingerprints: readonly Fingerprint[], host: string, port: number): string =>
  noLine(
    host,
    port,
    fingerprints.some((one) => one.host === nameInFile(host, 22)),
  );

function noLine(host: string, port: number, withoutPort: boolean): string {
  const name = nameInFile(host, port);
  return port !== 22 && withoutPort
    ? `no line for ${name}; there is one for ${host} without a port, which only means port 22`
    : `no line for ${name}`;
}

function warningsOf(found: HostKeys, name: string): string[] {
  const numbers = (lines: readonly HostKeyLine[]) => lines.map(({ line }) => line).join(', ');
  return [
    ...(found.authorities.length > 0
      ? [
          `known-hosts: the @cert-authority lines for ${name} have no effect, because host certificates cannot be checked here (line ${numbers(found.authorities)})`,
        ]
      : []),
    ...(found.unreadableLines.length > 0
      ? [`known-hosts: lines that cannot be read have no effect (line ${found.unreadableLines.join(', ')})`]
      : []),
  ];
}
