import { nameInFile } from '../host/known-hosts.js';
import { readPrivateKey } from '../host/private-key.js';
import { declared, INPUT_NAMES } from './declared-inputs.js';
import { unnamedFingerprint } from './fingerprints.js';
import { type InputReader, unset } from './input-reader.js';
import type { PrivateKey, SshTarget, TransportSettings } from './settings.js';
import type { JumpHost } from './value-rules.js';

/** Reads where the database lives and how to get there. What is wrong is noted in the reader; then it returns undefined. */
export async function readTransport(reader: InputReader): Promise<TransportSettings | undefined> {
  const transport = reader.require('transport');
  if (transport === 'local') {
    for (const name of INPUT_NAMES) if (declared[name].ssh) reader.ignore(name, 'with transport local');
    return { transport };
  }
  // Inputs of ssh are not missing when nobody knows what was meant.
  if (transport === undefined) return undefined;
  const host = reader.require('host', missing('SSH_HOST'));
  const port = reader.require('port');
  const username = reader.require('username', missing('SSH_USER'));
  const key = await readKey(reader, 'key', 'passphrase');
  if (key === null) reader.missing('key', missing('SSH_KEY'));
  const knownHosts = reader.read('known-hosts');
  const fingerprints = reader.read('fingerprint');
  if (knownHosts === null && fingerprints === null) {
    reader.missing('known-hosts', missingHostKey(host ?? 'HOST', port ?? 22));
  }
  const jumpPlace = reader.read('jump-host');
  if (jumpPlace !== null) {
    // Hosts that are wrong themselves are told as such; here they only have to be called something.
    const names = [
      nameInFile(host ?? 'HOST', port ?? 22),
      nameInFile(jumpPlace?.host ?? 'JUMP', jumpPlace?.port ?? 22),
    ];
    const rule = unnamedFingerprint(fingerprints ?? [], names);
    if (rule !== undefined) reader.problem('fingerprint', rule);
  }
  const jump = await readJump(reader, jumpPlace, username, key);
  const connectTimeoutMs = reader.require('connect-timeout');
  if (!host || !port || !username || !key || jump === undefined || connectTimeoutMs === undefined) return undefined;
  if (knownHosts === undefined || fingerprints === undefined) return undefined;
  return {
    transport,
    ...{ host, port, username, key, jump, connectTimeoutMs },
    knownHosts: knownHosts ?? '',
    fingerprints: fingerprints ?? [],
  };
}

async function readJump(
  reader: InputReader,
  place: JumpHost | null | undefined,
  username: string | undefined,
  key: PrivateKey | null | undefined,
): Promise<SshTarget | null | undefined> {
  if (place === null) {
    reader.ignore('jump-key', 'without jump-host');
    reader.ignore('jump-passphrase', 'without jump-host');
    return null;
  }
  const ownKey = await readKey(reader, 'jump-key', 'jump-passphrase');
  if (ownKey === null) reader.ignore('jump-passphrase', 'without jump-key: the bastion gets key with its passphrase');
  const jumpKey = ownKey === null ? key : ownKey;
  const jumpUser = place?.username ?? username;
  if (!place || !jumpKey || !jumpUser) return undefined;
  return { host: place.host, port: place.port, username: jumpUser, key: jumpKey };
}

async function readKey(
  reader: InputReader,
  name: 'key' | 'jump-key',
  passphraseName: 'passphrase' | 'jump-passphrase',
): Promise<PrivateKey | null | undefined> {
  const text = reader.read(name);
  const passphrase = reader.read(passphraseName);
  if (!text || passphrase === undefined) return text === null ? null : undefined;
  const key = await reader.check(() => readPrivateKey(text, passphrase ?? undefined, name, passphraseName));
  // PKCS#8 became another text, of which no line was masked so far.
  if (key) reader.mask(key.pem);
  return key;
}

const missing = (example: string): string =>
  `required with transport ssh, but empty${unset(`secrets.${example} or vars.${example}`)}`;

const missingHostKey = (host: string, port: number): string =>
  `required with transport ssh, or fingerprint instead; nothing turns this check off. Run \`ssh-keyscan -p ${port} ${host}\` from a network that you trust, compare with \`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\` on the host itself, and put the lines into a variable`;
