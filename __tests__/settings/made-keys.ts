import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as helper from '../helpers/encryption-keys.js';

/** A folder for one call, which is gone after it. */
export function inFolder<T>(action: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  try {
    return action(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What age-keygen writes: comments, and the identity. */
export function ageKey(): { file: string; identity: string; recipient: string } {
  const { recipient, identity: file } = helper.ageKey();
  const [identity = ''] = /^AGE-SECRET-KEY-.*$/m.exec(file) ?? [];
  return { file, identity, recipient };
}

/** `print`: the fingerprint as ssh-keygen shows it. */
export function sshKey(...options: string[]): { key: string; line: string; print: string } {
  return inFolder((folder) => {
    const file = join(folder, 'key');
    execFileSync('ssh-keygen', ['-q', '-a', '1', '-N', '', '-C', 'me@laptop', '-f', file, ...options]);
    const shown = execFileSync('ssh-keygen', ['-lf', `${file}.pub`], { encoding: 'utf8' });
    return {
      key: readFileSync(file, 'utf8'),
      line: readFileSync(`${file}.pub`, 'utf8'),
      print: shown.split(' ')[1] ?? '',
    };
  });
}

/** gpg with a home of its own, which is removed with its agent. */
export function withGpg<T>(action: (gpg: Gpg) => T): T {
  return inFolder((folder) => {
    const home = join(folder, 'home');
    mkdirSync(home, { mode: 0o700 });
    const environment = { ...process.env, GNUPGHOME: home, LC_ALL: 'C' };
    const run = (options: string[], input: string | Buffer = '') => {
      const { status, stdout, stderr } = spawnSync('gpg', ['--batch', '--no-tty', '--quiet', ...options], {
        ...{ env: environment, input },
      });
      return { status, stdout, stderr: stderr.toString() };
    };
    const gpg: Gpg = {
      folder,
      home,
      run,
      text(...options) {
        const { status, stdout, stderr } = run(options);
        if (status !== 0) throw new Error(`gpg ${options.join(' ')}: ${stderr}`);
        return stdout.toString();
      },
      make(name, ...usage) {
        gpg.text('--pinentry-mode', 'loopback', '--passphrase', '', '--quick-gen-key', name, ...usage);
        return gpg.fingerprint(name);
      },
      fingerprint(name) {
        const [, print = ''] = /^fpr:+([0-9A-F]+):/m.exec(gpg.text('--with-colons', '--list-keys', `=${name}`)) ?? [];
        return print;
      },
    };
    try {
      return action(gpg);
    } finally {
      spawnSync('gpgconf', ['--kill', 'all'], { env: environment });
    }
  });
}

export interface Gpg {
  folder: string;
  home: string;
  run(options: string[], input?: string | Buffer): { status: number | null; stdout: Buffer; stderr: string };
  /** What it prints; throws when it does not succeed. */
  text(...options: string[]): string;
  /** Makes a key without passphrase; returns its fingerprint. */
  make(name: string, ...usage: string[]): string;
  fingerprint(name: string): string;
}

/** What age makes of `input`, with each text of `files` as the file behind its option. */
export function age(options: string[], files: [option: string, text: string][], input: Buffer): Buffer {
  return inFolder((folder) => {
    const given = files.flatMap(([option, text], index) => {
      const file = join(folder, String(index));
      writeFileSync(file, text, { mode: 0o600 });
      return [option, file];
    });
    return execFileSync('age', [...options, ...given], { input, stdio: 'pipe' });
  });
}
