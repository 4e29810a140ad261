import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sshd } from './sshd.js';

type OfEachType = Record<'ed25519' | 'ecdsa' | 'rsa', string>;

export interface HostIdentity {
  /** What known_hosts calls the host. */
  name: string;
  /** The lines of the host's keys without names, and their fingerprints as ssh-keygen prints them. */
  keys: OfEachType;
  prints: OfEachType;
  /** Keys that the host has not; their private halves are `folder/foreign_TYPE`. */
  foreign: OfEachType;
  folder: string;
  /** As `ssh-keygen -H` leaves the file: no host name to read. */
  hashed(text: string): string;
  remove(): void;
}

export function fingerprintOf(line: string): string {
  return execFileSync('ssh-keygen', ['-lf', '-'], { input: line, encoding: 'utf8' }).split(' ')[1] ?? '';
}

/** What a test of host keys needs to know of an sshd, and keys to confuse it with. */
export function identityOf(sshd: Sshd): HostIdentity {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-host-keys-'));
  const makeKey = (type: string): string => {
    const file = join(folder, `foreign_${type}`);
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', '', '-f', file]);
    return readFileSync(`${file}.pub`, 'utf8').trim();
  };
  const keys = sshd.hostKeys;
  return {
    name: `[127.0.0.1]:${sshd.port}`,
    keys,
    prints: { ed25519: fingerprintOf(keys.ed25519), ecdsa: fingerprintOf(keys.ecdsa), rsa: fingerprintOf(keys.rsa) },
    foreign: { ed25519: makeKey('ed25519'), ecdsa: makeKey('ecdsa'), rsa: makeKey('rsa') },
    folder,
    hashed(text) {
      const file = join(folder, 'hashed');
      writeFileSync(file, text);
      execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' });
      const result = readFileSync(file, 'utf8');
      if (!result.startsWith('|1|')) throw new Error(`ssh-keygen -H left it readable: ${result}`);
      return result;
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
