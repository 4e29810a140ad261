import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { payloadFile } from '../../src/backups/names.js';
import type { Encrypted } from '../../src/backups/packing.js';
import { databaseOf } from '../../src/engines/lookup.js';
import { ERRORS } from '../../src/error-codes.js';
import { accepted, type Given, makeKey } from '../settings/given-inputs.js';
import { readPage } from './yaml-blocks.js';

/** What people type from docs/encryption.md has to work as it stands there: with keys there is no second chance. */
const page = readPage('docs/encryption.md');

/** The blocks of shell below such a mark, which does not show: `<!-- run: age -->`. */
function blocks(mark: string): string[] {
  const found = page.matchAll(new RegExp(`^<!-- ${mark} -->\n(\`{3})sh\n([\\s\\S]*?)^\\1$`, 'gm'));
  return [...found].map(([, , text = '']) => text);
}

const BASE: Given = {
  host: 'db.example.com',
  username: 'deploy',
  key: makeKey(),
  'known-hosts': 'db.example.com ssh-ed25519 AAAA',
  database: '/srv/app/app.db',
};

describe('the commands that make keys', () => {
  const PASSPHRASE = 'what a person types';
  const homes: string[] = [];
  afterEach(() => {
    for (const home of homes.splice(0)) {
      execFileSync('gpgconf', ['--kill', 'all'], { env: { PATH: process.env.PATH, HOME: home } });
      rmSync(home, { recursive: true, force: true });
    }
  });

  function newHome(): string {
    const home = mkdtempSync(join(tmpdir(), 'keys-'));
    homes.push(home);
    // in place of the person whom gpg asks
    mkdirSync(join(home, '.gnupg'), { mode: 0o700 });
    writeFileSync(join(home, 'asked'), `${PASSPHRASE}\n`);
    writeFileSync(
      join(home, '.gnupg/gpg.conf'),
      `batch\npinentry-mode loopback\npassphrase-file ${join(home, 'asked')}\n`,
    );
    return home;
  }

  /** All blocks of that name, as somebody types them who has a home and no terminal. */
  function type(name: string, home: string, input = ''): string {
    const lines = blocks(`run: ${name}`);
    expect(lines).not.toEqual([]);
    return execFileSync('setsid', ['-w', 'sh', '-euc', lines.join('')], {
      cwd: home,
      env: { PATH: process.env.PATH, HOME: home },
      input,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  const made = (home: string, name: string): string => readFileSync(join(home, name), 'utf8');
  const isPrivate = (home: string, name: string): void => {
    expect([name, statSync(join(home, name)).mode & 0o077]).toEqual([name, 0]);
  };
  const encryption = (given: Given) => accepted({ ...BASE, ...given }).then(({ settings }) => settings.encryption);
  const decryption = (given: Given) =>
    accepted({ ...BASE, command: 'verify', ...given }).then(({ settings }) => settings.decryption);

  test('age: two pairs, each of which opens what is for both', async () => {
    const home = newHome();
    expect(type('age', home)).toBe('it opens\nit opens\n');
    const recipients = made(home, 'recipients.txt');
    expect(recipients).toMatch(/^(age1\w{58}\n){2}$/);
    expect(await encryption({ encrypt: 'age', 'encryption-recipients': recipients })).toMatchObject({
      names: recipients
        .trim()
        .split('\n')
        .map((line) => line.slice(0, 20)),
    });
    for (const name of ['backup-key.txt', 'offline-key.txt']) {
      isPrivate(home, name);
      expect(await decryption({ 'decryption-key': made(home, name) })).toMatchObject({
        age: expect.stringMatching(/^AGE-SECRET-KEY-1/),
      });
    }
  });

  test('an SSH key', async () => {
    const home = newHome();
    expect(type('ssh', home)).toBe('it opens\n');
    isPrivate(home, 'backup-ssh-key');
    const recipient = made(home, 'backup-ssh-key.pub');
    expect(await encryption({ encrypt: 'age', 'encryption-recipients': recipient })).toMatchObject({
      names: [expect.stringMatching(/^SHA256:/)],
    });
    const key = made(home, 'backup-ssh-key');
    expect(await decryption({ 'decryption-key': key })).toMatchObject({ ssh: expect.any(String) });
  });

  test('gpg: a pair that encrypts, with a passphrase on the private key', async () => {
    const home = newHome();
    expect(type('gpg', home)).toBe('it opens\n');
    isPrivate(home, 'backup-key.asc');
    const recipients = made(home, 'recipients.asc');
    expect(await encryption({ encrypt: 'gpg', 'encryption-recipients': recipients })).toMatchObject({
      names: [expect.stringMatching(/^[0-9A-F]{16}$/)],
    });
    const given = { 'decryption-key': made(home, 'backup-key.asc'), 'decryption-passphrase': PASSPHRASE };
    expect(await decryption(given)).toMatchObject({ gpg: expect.any(String), passphrase: PASSPHRASE });
  });

  test('a passphrase that is long enough', async () => {
    const passphrase = type('passphrase', newHome());
    expect(passphrase).toMatch(/^[\w+/]{32}\n$/);
    expect(await encryption({ encrypt: 'gpg', 'encryption-passphrase': passphrase })).toMatchObject({ method: 'gpg' });
  });

  test('what openssl has encrypted is opened by hand', () => {
    const home = newHome();
    const encrypt = ['enc', '-aes-256-cbc', '-pbkdf2', '-pass', `pass:${PASSPHRASE}`, '-out', join(home, 'app.db.enc')];
    execFileSync('openssl', encrypt, { input: 'the rows' });
    type('openssl', home, `${PASSPHRASE}\n`);
    expect(made(home, 'app-old.db')).toBe('the rows');
    isPrivate(home, 'app-old.db');
  });
});

describe('the recovery sheet', () => {
  const encryption: Encrypted = { method: 'age', recipients: ['age1ql3z7hjy54pw3hyw'] };
  test.each([
    ['sqlite', 'app', '/srv/app/app.db', { engine: 'sqlite', path: '/srv/app/app.db' }],
    [
      'dump',
      'shop',
      'postgresql:///shop?host=/var/run/postgresql',
      { engine: 'postgres', system: '', database: 'shop' },
    ],
  ])('has the commands as the action prints them: %s', async (kind, name, database, identity) => {
    const { settings } = await accepted({ ...BASE, database });
    const file = payloadFile(`${name}-20261120T101500Z-7f3a`, kind, 'zstd', encryption);
    const made = `CREATE DATABASE shop TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' LOCALE_PROVIDER libc OWNER shop;`;
    const content = { tables: [], objects: 1, largeObjects: 0, properties: [made], roles: [], extensions: [] };
    const lines = databaseOf(settings.database, settings.dump).recovery(
      { file, kind, compression: 'zstd', encryption, identity, content } as never,
      '/home/deploy/db-backups',
      settings,
    );
    expect(blocks(`recovery: ${kind}`)).toEqual([`${lines.join('\n')}\n`]);
  });
});

test('the table of failures quotes what the action says', () => {
  const rows = [...page.matchAll(/^\| `(E_\w+)`[^`|]*`([^`]+)`/gm)];
  expect(rows.length).toBeGreaterThan(8);
  const root = fileURLToPath(new URL('../../src', import.meta.url));
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|sh)$/.test(name))
    .map((name) => readFileSync(join(root, name), 'utf8'))
    .join('\n');
  expect(rows.filter(([, code = '', text = '']) => !Object.hasOwn(ERRORS, code) || !sources.includes(text))).toEqual(
    [],
  );
});
