import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type EncryptionKeys, makeKeys } from '../helpers/encryption-keys.js';
import { hashes } from '../helpers/invariants.js';
import { nothingLeft, refused, sqlite3, succeeded } from '../helpers/outcome.js';
import { withSh } from '../helpers/posix-sh.js';
import { sampleArgv } from '../helpers/processes.js';
import type { ActionResult } from '../helpers/run-action.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { type Scene, startScene } from '../helpers/scene.js';

// Keys, passphrases and plaintext, over SSH to an account whose environment is after them: where do they turn up?

type Inputs = Record<string, string>;

const DEBUG = { ACTIONS_STEP_DEBUG: 'true', RUNNER_DEBUG: '1' };
/** Of this test alone: those of others are in arguments, perhaps at this very moment. */
const KEY_PASSPHRASE = 'words for the key that nobody else has e17a';
const PASSPHRASE = 'words that "nobody else" has \\ $HOME 5d0e';
/** A text that is in the database, and in nothing else. */
const MARKER = 'a-marker-of-the-plaintext-93be';

let keys: EncryptionKeys;
let folder: string;
/** Comes first in the PATH of the host. */
let tools: string;
/** What the host was sent, where it is there. */
let record: string;
let scene: Scene;
let s3: S3Double;
let keyring: Record<string, string>;

beforeAll(async () => {
  keys = makeKeys(KEY_PASSPHRASE);
  folder = mkdtempSync(join(tmpdir(), 'dbb-hostile-'));
  [tools, record] = [join(folder, 'tools'), join(folder, 'record')];
  mkdirSync(tools);
  writeFileSync(join(folder, 'shell'), LOGIN_SHELL);
  writeFileSync(join(folder, 'hostile.sh'), HOSTILE);
  execFileSync('chmod', ['-R', 'a+rX', folder]);
  chmodSync(join(folder, 'shell'), 0o755);
  const sshd = { wrapper: withSh('bash'), extraConfig: `SetEnv PATH=${tools}:/usr/local/bin:/usr/bin:/bin` };
  [scene, s3] = await Promise.all([startScene({ mb: 0.3, shell: join(folder, 'shell'), sshd }), startS3Double()]);
  sqlite3(scene.database, 'CREATE TABLE marked (t)', `INSERT INTO marked VALUES ('${MARKER}')`);
  makeKeyring();
});
afterEach(async () => {
  // nothing of the account's has had a say, nor was called
  expect(hashes(join(scene.user.home, '.gnupg'))).toEqual(keyring);
  expect(existsSync(join(scene.user.home, 'stolen'))).toBe(false);
  await nothingLeft(scene);
});
afterAll(async () => {
  keys?.remove();
  await Promise.all([scene?.stop(), s3?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const LOGIN_SHELL = `#!/bin/bash
. "$(dirname "$0")/hostile.sh"
record=$(dirname "$0")/record
if [ -e "$record" ]; then tee -a "$record" | sh -s; else exec /bin/bash "$@"; fi
`;

/** The names of the variables that secrets are in on the way, in the environment; functions in the place of the tools; other options. */
const HOSTILE = `
for name in encrypt encrypt_for encrypt_to encrypt_passphrase decrypt_age decrypt_gpg decrypt_passphrase passphrase keys keyring; do
  export "$name=of the account"
done
export GNUPGHOME=$HOME/.gnupg AGE_PASSPHRASE=of-the-account
for name in age gpg gpgconf; do
  eval "$name() { command tee -a ~/stolen; }"
  export -f $name
done
set -o allexport -o noglob
export SHELLOPTS
`;

/** What gpg would fail by if it read it, beside a keyring that it would take keys from. */
function makeKeyring(): void {
  const home = join(scene.user.home, '.gnupg');
  cpSync(keys.home, home, { recursive: true, filter: (path) => !path.includes('S.gpg-agent') });
  for (const name of ['gpg.conf', 'gpg-agent.conf', 'common.conf']) writeFileSync(join(home, name), 'no-such-option\n');
  execFileSync('chown', ['-R', `${scene.user.uid}:${scene.user.gid}`, home]);
  rmSync(join(home, 'private-keys-v1.d'), { recursive: true });
  rmSync(join(home, 'openpgp-revocs.d'), { recursive: true, force: true });
  keyring = hashes(home);
}

const HOWS = ['age', 'locked gpg', 'passphrase'] as const;
type How = (typeof HOWS)[number];
const encrypt = (how: How): Inputs => {
  if (how === 'passphrase') return { encrypt: 'gpg', 'encryption-passphrase': PASSPHRASE };
  const { recipient } = how === 'age' ? keys.age : keys.lockedGpg;
  return { encrypt: how === 'age' ? 'age' : 'gpg', 'encryption-recipients': recipient };
};
const decrypt = (how: How): Inputs => {
  if (how === 'passphrase') return { 'decryption-passphrase': PASSPHRASE };
  if (how === 'age') return { 'decryption-key': keys.age.identity };
  return { 'decryption-key': keys.lockedGpg.identity, 'decryption-passphrase': KEY_PASSPHRASE };
};

const wrong = (how: How): Inputs => {
  if (how === 'passphrase') return { 'decryption-passphrase': KEY_PASSPHRASE };
  return how === 'age'
    ? { 'decryption-key': keys.otherAge.identity }
    : { ...decrypt(how), 'decryption-passphrase': PASSPHRASE };
};

/** Every line of the private keys, and the passphrases. */
function secrets(): string[] {
  const lines = [keys.age, keys.otherAge, keys.lockedGpg].flatMap(({ identity }) => identity.split('\n'));
  return [PASSPHRASE, KEY_PASSPHRASE, ...lines.filter((line) => line.length >= 20 && !/^(-----|#)/.test(line))];
}

/** Those of the texts that a place holds, also as JSON or a shell word has it. */
function held(text: string, wanted: string[]): string[] {
  const forms = (one: string) => [one, JSON.stringify(one).slice(1, -1), one.replaceAll("'", "'\\''")];
  return wanted.filter((one) => forms(one).some((form) => text.includes(form)));
}

/** The environments of all processes of a user since it was begun. */
function sampleEnvironments(uid: number): () => string {
  const seen = new Set<string>();
  const sample = () => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (statSync(`/proc/${pid}`).uid === uid) seen.add(readFileSync(`/proc/${pid}/environ`, 'latin1'));
      } catch {
        // It ended while we looked.
      }
    }
  };
  const timer = setInterval(sample, 5);
  return () => {
    clearInterval(timer);
    return [...seen].join('\n');
  };
}

/** Files of the login user, in the home and where temporary ones go, but for the database. */
function filesOfUser(): string[] {
  const app = dirname(dirname(scene.database));
  // some go while it looks, which to find is an error
  const { stdout: found } = spawnSync(
    'find',
    [
      scene.user.home,
      '/tmp',
      '/var/tmp',
      '/dev/shm',
      '-path',
      app,
      '-prune',
      '-o',
      '-user',
      scene.user.name,
      '-type',
      'f',
      '-print',
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  return [...new Set(found.trim().split('\n'))].filter((file) => existsSync(file));
}

interface Seen {
  argv: string[];
  environments: string;
}

async function watched(inputs: Inputs): Promise<[ActionResult, Seen]> {
  const argv = sampleArgv(5);
  const environments = sampleEnvironments(scene.user.uid);
  const result = await scene.run(inputs, DEBUG);
  return [result, { argv: argv.stop(), environments: environments() }];
}

/** Names of the places where a secret, or the plaintext, turns up. */
function leaks(result: ActionResult, { argv, environments }: Seen): string[] {
  const places: Record<string, string> = {
    // the runner takes these out itself
    log: result.log.replaceAll(/^::add-mask::.*$/gm, ''),
    visible: result.visible,
    outputs: JSON.stringify([result.outputs, result.outputLines]),
    state: JSON.stringify(result.state),
    summary: result.summary,
    annotations: JSON.stringify(result.annotations),
    argv: argv.join('\n'),
    environments,
    'sshd log': scene.sshd.log(),
  };
  for (const file of filesOfUser()) places[file] = readFileSync(file, 'latin1');
  for (const key of s3.keys()) places[`s3 ${key}`] = s3.bucket.need(key, null).body.toString('latin1');
  return Object.entries(places).flatMap(([place, text]) => {
    const found = held(text, [...secrets(), MARKER]);
    return found.length > 0 ? [`${place}: ${found[0]}`] : [];
  });
}

describe.each(HOWS)('encrypted by %s', (how) => {
  let id: string;
  test('neither a key, nor a passphrase, nor plaintext is anywhere: backup, verify, restore', async () => {
    const tool = how === 'age' ? 'age' : 'gpg';
    const [made, seen] = await watched({
      ...encrypt(how),
      ...decrypt(how),
      verify: 'restore',
      ...s3.inputs,
      compression: 'none',
    });
    id = succeeded(made);
    expect(leaks(made, seen)).toEqual([]);
    // the sampling saw the run
    expect(seen.argv.join('\n')).toMatch(new RegExp(`^${tool} .*(-R /dev/fd/3|--symmetric|--encrypt)`, 'm'));
    expect(seen.environments).toContain('AGE_PASSPHRASE=of-the-account');
    expect(s3.keys()).toContain(`app/${id}.sqlite.${tool}`);
    // AES256, iterated and salted SHA256, the largest count: each guess at a passphrase costs what it can
    const begin = readFileSync(join(scene.directory, scene.manifest(id).file))
      .subarray(0, 15)
      .toString('hex');
    if (how === 'passphrase') expect(begin).toMatch(/^8c0d04090308.{16}ff$/);

    const [proven, seenProving] = await watched({ command: 'verify', backup: id, verify: 'restore', ...decrypt(how) });
    expect(proven.outputs).toMatchObject({ 'error-code': '', 'verified-level': 'restore' });
    expect(leaks(proven, seenProving)).toEqual([]);

    const restore = { command: 'restore', backup: id, confirm: 'app.db', ...encrypt(how) };
    const [restored, seenRestoring] = await watched({ ...restore, ...decrypt(how) });
    expect(restored.outputs).toMatchObject({ 'error-code': '', 'restore-outcome': 'restored' });
    expect(leaks(restored, seenRestoring)).toEqual([]);
  });

  test('nor by a run that fails: wrong keys', async () => {
    const [result, seen] = await watched({ command: 'verify', backup: id, ...wrong(how) });
    refused(result, 'E_DECRYPT');
    expect(leaks(result, seen)).toEqual([]);
  });

  test('with verify-on: runner nothing that opens it is sent to the host', async () => {
    const sent = async (on: string): Promise<string> => {
      const proof = { command: 'verify', backup: id, verify: 'restore' };
      writeFileSync(record, '');
      chmodSync(record, 0o666);
      const result = await scene.run({ ...proof, 'verify-on': on, ...decrypt(how) }, DEBUG);
      expect(result.outputs).toMatchObject({ 'error-code': '', 'verified-level': 'restore' });
      const text = readFileSync(record, 'utf8');
      rmSync(record);
      return text;
    };
    // what is searched for is found where it is
    expect(held(await sent('host'), secrets())).not.toEqual([]);
    const text = await sent('runner');
    expect(text).toContain('open_directory');
    expect(held(text, secrets())).toEqual([]);
  });

  test('a tool of the account that encrypts nothing: nothing is published', async () => {
    const before = hashes(scene.directory);
    const tool = join(tools, how === 'age' ? 'age' : 'gpg');
    writeFileSync(tool, `#!/bin/sh\ncase $* in *--version*) echo '${how} 1.0' ;; *) exec cat ;; esac\n`, {
      mode: 0o755,
    });
    try {
      for (const compression of ['none', 'zstd']) {
        const message = refused(await scene.run({ ...encrypt(how), compression }), 'E_DUMP_FAILED');
        expect(message).toMatch(/is not encrypted, although it reported no error/);
      }
    } finally {
      rmSync(tool);
    }
    expect(hashes(scene.directory)).toEqual(before);
  });
});
