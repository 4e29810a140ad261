import { nameInFile } from '../host/known-hosts.js';
import { readPrivateKey } from '../host/private-key.js';
import type { InputName } from './declared-inputs.js';
import { declared, INPUT_NAMES } from './declared-inputs.js';
import { unnamedFingerprint } from './fingerprints.js';
import { type InputReader, toGive } from './input-reader.js';
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
  const host = reader.require('host', missing('host', HOST));
  const port = reader.require('port');
  const username = reader.require('username', missing('username', USERNAME));
  const key = await readKey(reader, 'key', 'passphrase');
  if (key === null) reader.missing('key', missing('key', KEY));
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

const missing = (name: InputName, inAWorkflow: string): string =>
  `required with transport ssh, but empty: ${toGive(name, inAWorkflow)}`;

// The names are those of the README, which whoever reads this has probably copied.
const HOST =
  'the variable that fills it, such as DB_HOST, is probably not set. Run `gh variable set DB_HOST --body db.example.com`, then use `vars.DB_HOST`';
const USERNAME = 'name the user who logs in to the host, for example `username: deploy`';
const KEY =
  "the secret that fills it, such as DB_SSH_KEY, is probably not set. Make a key without a passphrase (`ssh-keygen -t ed25519 -N '' -f db-key`), add the line in db-key.pub to `~/.ssh/authorized_keys` of that user on the host, run `gh secret set DB_SSH_KEY < db-key`, then use `secrets.DB_SSH_KEY`";

const missingHostKey = (host: string, port: number): string =>
  `required with transport ssh, or fingerprint instead; nothing turns this check off. From a network that you trust, run \`ssh-keyscan -p ${port} ${host} >known_hosts\`. Compare each line that \`ssh-keygen -lf known_hosts\` prints with those of \`for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf "$k"; done\` on the host itself. When they agree, ${toGive('known-hosts', 'run `gh variable set DB_KNOWN_HOSTS <known_hosts`, then use `vars.DB_KNOWN_HOSTS`')}`;
