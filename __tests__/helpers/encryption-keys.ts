import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestUser } from './users.js';

/** A key as the stock tools make it: what backups are encrypted for, and what opens them. */
export interface KeyPair {
  recipient: string;
  /** As a person keeps it, in a file. */
  identity: string;
}

export interface EncryptionKeys {
  age: KeyPair;
  otherAge: KeyPair;
  ssh: KeyPair;
  gpg: KeyPair;
  /** Its secret key has a passphrase, KEY_PASSPHRASE where no other was asked for. */
  lockedGpg: KeyPair;
  /** A GNUPGHOME with the secret keys, for gpg as people run it. */
  home: string;
  remove(): void;
}

// Of this process alone: where one is searched for, what other tests do is not to be found.
export const PASSPHRASE = `four words & "quotes" \\ $HOME ${process.pid}`;
export const KEY_PASSPHRASE = `the key's own passphrase ${process.pid}`;

/** Keys of every kind, in a folder of their own. */
export function makeKeys(keyPassphrase = KEY_PASSPHRASE): EncryptionKeys {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-keys-'));
  const home = join(folder, 'gnupg');
  mkdirSync(home, { mode: 0o700 });
  return {
    age: ageKey(),
    otherAge: ageKey(),
    ssh: sshKey(join(folder, 'ssh')),
    gpg: gpgKey(home, 'plain@example.com', ''),
    lockedGpg: gpgKey(home, 'locked@example.com', keyPassphrase),
    home,
    remove() {
      gpg(home, [], '', 'gpgconf', '--kill', 'all');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function ageKey(): KeyPair {
  const identity = execFileSync('age-keygen', { encoding: 'utf8', stdio: 'pipe' });
  const [, recipient = ''] = /^# public key: (.*)$/m.exec(identity) ?? [];
  return { recipient, identity };
}

function sshKey(file: string): KeyPair {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'backup', '-f', file]);
  return { recipient: readFileSync(`${file}.pub`, 'utf8').trim(), identity: readFileSync(file, 'utf8') };
}

function gpgKey(home: string, name: string, passphrase: string): KeyPair {
  // not as an argument: other tests look for it in those of all processes
  const asked = ['--passphrase-fd', '0'];
  gpg(home, [...asked, '--quick-gen-key', name, 'default', 'default', 'never'], passphrase);
  return {
    recipient: gpg(home, ['--armor', '--export', name]),
    identity: gpg(home, [...asked, '--armor', '--export-secret-keys', name], passphrase),
  };
}

function gpg(home: string, args: string[], input = '', ...command: string[]): string {
  const [program = 'gpg', ...words] = command;
  const options = command.length > 0 ? words : ['--batch', '--quiet', '--pinentry-mode', 'loopback', ...args];
  return execFileSync(program, options, {
    input,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, GNUPGHOME: home },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Where a person has the keys for a recovery by hand, and what answers in the place of the person who is asked for a passphrase. */
export function layKeys(user: TestUser, keys: EncryptionKeys, { identity }: KeyPair, passphrase: string) {
  const [gnupg, file] = [join(user.home, 'gnupg'), join(user.home, 'age-key.txt')];
  cpSync(keys.home, gnupg, { recursive: true, filter: (path) => !path.includes('S.gpg-agent') });
  writeFileSync(join(gnupg, 'answer'), `${passphrase}\n`);
  writeFileSync(join(gnupg, 'gpg.conf'), `batch\npinentry-mode loopback\npassphrase-file ${join(gnupg, 'answer')}\n`);
  writeFileSync(file, identity, { mode: 0o600 });
  execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, gnupg, file]);
  const env = { GNUPGHOME: gnupg };
  return {
    env,
    remove() {
      execFileSync('su', [user.name, '-s', '/bin/sh', '-c', 'gpgconf --kill all'], {
        env: { PATH: process.env.PATH, ...env },
      });
      rmSync(gnupg, { recursive: true });
      rmSync(file);
    },
  };
}

/** Encrypts bytes as somebody would by hand. */
export function encryptByHand(how: 'age' | 'age-armor' | 'gpg-symmetric', bytes: Buffer, keys: EncryptionKeys): Buffer {
  if (how !== 'gpg-symmetric') {
    const armor = how === 'age-armor' ? ['-a'] : [];
    return execFileSync('age', ['-e', ...armor, '-r', keys.age.recipient], { input: bytes, maxBuffer: 1 << 28 });
  }
  const file = join(keys.home, 'passphrase');
  writeFileSync(file, PASSPHRASE, { mode: 0o600 });
  // as the scripts of old do it: gpg compresses as well; with a count that takes less time than theirs
  const options = [
    '--batch',
    '--pinentry-mode',
    'loopback',
    '--passphrase-file',
    file,
    ...['--s2k-count', '65536', '--symmetric'],
    '--cipher-algo',
    'AES256',
  ];
  return execFileSync('gpg', options, {
    input: bytes,
    maxBuffer: 1 << 28,
    env: { PATH: process.env.PATH, GNUPGHOME: keys.home },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}
