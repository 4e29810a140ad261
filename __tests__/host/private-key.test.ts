import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { BackupError } from '../../src/errors.js';
import { mendedPem, readPrivateKey } from '../../src/host/private-key.js';

const folder = mkdtempSync(join(tmpdir(), 'private-key-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PASSPHRASE = 'correct horse';
let made = 0;

interface Key {
  text: string;
  publicLine: string;
}

function keygen(...options: string[]): Key {
  made += 1;
  const file = join(folder, `ssh-${made}`);
  const passphrase = options.includes('-N') ? [] : ['-N', ''];
  execFileSync('ssh-keygen', ['-q', '-C', 'someone@somewhere', '-f', file, ...passphrase, ...options]);
  const publicLine = readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');
  return { text: readFileSync(file, 'utf8'), publicLine };
}

/** What ssh-keygen says is the public half; it reads PKCS#8 of RSA and ECDSA, with the passphrase on its command line. */
function publicLineOf(text: string, passphrase = ''): string {
  made += 1;
  const file = join(folder, `pub-${made}`);
  writeFileSync(file, text, { mode: 0o600 });
  const line = execFileSync('ssh-keygen', ['-y', '-P', passphrase, '-f', file], { encoding: 'utf8' });
  return line.trim().split(' ').slice(0, 2).join(' ');
}

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

function pkcs8(algorithm: string, ...options: string[]): string {
  return openssl('genpkey', '-algorithm', algorithm, ...options);
}

function encryptPkcs8(text: string): string {
  made += 1;
  const file = join(folder, `p8-${made}`);
  writeFileSync(file, text);
  return openssl('pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-passout', `pass:${PASSPHRASE}`, '-in', file);
}

const RSA_OPTIONS = ['-pkeyopt', 'rsa_keygen_bits:2048'];
const EC_OPTIONS = ['-pkeyopt', 'ec_paramgen_curve:P-384'];
const ed25519 = keygen('-t', 'ed25519');
const rsaPem = keygen('-t', 'rsa', '-b', '2048', '-m', 'PEM');
const pkcs8Rsa = pkcs8('RSA', ...RSA_OPTIONS);
const pkcs8Ec = pkcs8('EC', ...EC_OPTIONS);
const pkcs8Ed = pkcs8('ed25519');

const PLAIN: [string, Key][] = [
  ['Ed25519', ed25519],
  ['ECDSA 256', keygen('-t', 'ecdsa')],
  ['ECDSA 521', keygen('-t', 'ecdsa', '-b', '521')],
  ['RSA', keygen('-t', 'rsa', '-b', '2048')],
  ['RSA PEM', rsaPem],
  ['EC PEM', keygen('-t', 'ecdsa', '-b', '384', '-m', 'PEM')],
  ['RSA PKCS#8', { text: pkcs8Rsa, publicLine: publicLineOf(pkcs8Rsa) }],
  ['EC PKCS#8', { text: pkcs8Ec, publicLine: publicLineOf(pkcs8Ec) }],
];
const ENCRYPTED: [string, Key][] = [
  ['Ed25519', keygen('-t', 'ed25519', '-N', PASSPHRASE, '-a', '1')],
  [
    'RSA with aes128-gcm',
    keygen('-t', 'rsa', '-b', '2048', '-N', PASSPHRASE, '-a', '1', '-Z', 'aes128-gcm@openssh.com'),
  ],
  ['ECDSA with aes256-gcm', keygen('-t', 'ecdsa', '-N', PASSPHRASE, '-a', '1', '-Z', 'aes256-gcm@openssh.com')],
  ['Ed25519 with aes192-cbc', keygen('-t', 'ed25519', '-N', PASSPHRASE, '-a', '1', '-Z', 'aes192-cbc')],
  ['Ed25519 with 3des-cbc', keygen('-t', 'ed25519', '-N', PASSPHRASE, '-a', '1', '-Z', '3des-cbc')],
  ['RSA PEM', keygen('-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', PASSPHRASE, '-a', '1')],
  ['EC PEM', keygen('-t', 'ecdsa', '-m', 'PEM', '-N', PASSPHRASE, '-a', '1')],
  ['RSA PKCS#8', { text: encryptPkcs8(pkcs8Rsa), publicLine: publicLineOf(pkcs8Rsa) }],
  ['EC PKCS#8', { text: encryptPkcs8(pkcs8Ec), publicLine: publicLineOf(pkcs8Ec) }],
];

const lines = (text: string) => text.trim().split('\n');
const DAMAGE: [string, (text: string) => string][] = [
  ['as it is', (text) => text],
  ['no last newline', (text) => text.trimEnd()],
  ['CRLF', (text) => text.replaceAll('\n', '\r\n')],
  ['CR alone', (text) => text.replaceAll('\n', '\r')],
  ['a byte order mark', (text) => `\uFEFF${text}`],
  ['blanks around', (text) => `\n  \t${text}\n\n  `],
  [
    'indented',
    (text) =>
      lines(text)
        .map((line) => `    ${line}\n`)
        .join(''),
  ],
  [
    'blanks at line ends',
    (text) =>
      lines(text)
        .map((line) => `${line}  \n`)
        .join(''),
  ],
  ['blank lines between', (text) => text.replaceAll('\n', '\n\n')],
  ['newlines turned into blanks', (text) => text.trim().replaceAll('\n', ' ')],
  ['no-break spaces', (text) => text.trim().replaceAll('\n', '\u00a0\n')],
  ['newlines written as \\n', (text) => text.replaceAll('\n', '\\n')],
  ['newlines written as \\r\\n', (text) => text.replaceAll('\n', '\\r\\n')],
  ['double quotes', (text) => `"${text}"`],
  ['single quotes and \\n', (text) => `'${text.replaceAll('\n', '\\n')}'`],
  ['text before and after', (text) => `Here it is:\n${text}\nThanks.`],
  ['base64 of the file', (text) => Buffer.from(text).toString('base64')],
  ['base64 of the file in lines', (text) => Buffer.from(text).toString('base64').replace(/.{76}/g, '$&\n')],
];

const read = (text: string, passphrase?: string) => readPrivateKey(text, passphrase, 'key', 'passphrase');

async function refusal(text: string, passphrase?: string): Promise<BackupError> {
  const error: unknown = await read(text, passphrase).then(
    () => new Error('the key was accepted'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BackupError)) throw error;
  expect(error.code).toBe('E_INPUT');
  return error;
}

/** That ssh2 takes it as it is, and that it is the same key. */
function expectSame(key: Awaited<ReturnType<typeof read>>, publicLine: string): void {
  expect(key.publicLine).toBe(publicLine);
  const parsed = ssh2.utils.parseKey(key.pem, key.passphrase);
  if (parsed instanceof Error) throw parsed;
  expect(`${parsed.type} ${parsed.getPublicSSH().toString('base64')}`).toBe(publicLine);
}

describe.each(PLAIN)('%s', (_, { text, publicLine }) => {
  test.each(DAMAGE)('%s', async (_, damage) => {
    const key = await read(damage(text));
    expectSame(key, publicLine);
    expect(key.passphrase).toBeUndefined();
  });

  test('a needless passphrase is left out', async () => {
    expect((await read(text, PASSPHRASE)).passphrase).toBeUndefined();
  });
});

describe.each(ENCRYPTED)('encrypted %s', (_, { text, publicLine }) => {
  test('opens with its passphrase', async () => {
    expectSame(await read(text, PASSPHRASE), publicLine);
  });

  test('opens when its newlines became blanks', async () => {
    expectSame(await read(text.trim().replaceAll('\n', ' '), PASSPHRASE), publicLine);
  });

  test.each([undefined, ''])('asks for its passphrase when given %j', async (passphrase) => {
    expect((await refusal(text, passphrase)).message).toBe(
      "key: it has a passphrase: give that in passphrase, or give a key without one (`ssh-keygen -p -N '' -f COPY` takes it off a copy)",
    );
  });

  test('refuses a wrong passphrase', async () => {
    const error = await refusal(text, 'battery staple');
    expect(error.message).toBe('key: the passphrase in passphrase does not open it (or it is damaged)');
  });
});

test('a wrong passphrase that leaves what could be padding (one in 256) is called one, too', async () => {
  const [, { text } = ed25519] = ENCRYPTED.find(([name]) => name === 'RSA PEM') ?? [];
  const messages = new Set<string>();
  for (let i = 0; i < 1500; i += 1) messages.add((await refusal(text, `wrong ${i}`)).message);
  expect([...messages]).toEqual(['key: the passphrase in passphrase does not open it (or it is damaged)']);
});

test('PKCS#8 of Ed25519 becomes a key that OpenSSH reads too', async () => {
  const key = await read(pkcs8Ed);
  expectSame(key, publicLineOf(key.pem));
  expectSame(await read(encryptPkcs8(pkcs8Ed), PASSPHRASE), key.publicLine);
});

test('names the inputs that it was told', async () => {
  const { text } = ENCRYPTED[0]?.[1] ?? ed25519;
  await expect(readPrivateKey(text, undefined, 'jump-key', 'jump-passphrase')).rejects.toThrow(
    "jump-key: it has a passphrase: give that in jump-passphrase, or give a key without one (`ssh-keygen -p -N '' -f COPY` takes it off a copy)",
  );
});

test('mendedPem gives the text to mask, or null', () => {
  expect(mendedPem(ed25519.text.replaceAll('\n', '\\n'))).toBe(ed25519.text);
  expect(mendedPem('rubbish')).toBeNull();
});

/** An openssh-key-v1 file with another type at the length of the old one, which is all that the reader looks at. */
function retyped(type: string): string {
  const old = 'ssh-ed25519';
  const body = Buffer.from(lines(ed25519.text).slice(1, -1).join(''), 'base64');
  const at = body.indexOf(old);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  const changed = Buffer.concat([body.subarray(0, at - 4), length, Buffer.from(type), body.subarray(at + old.length)]);
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${changed.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** Ed25519 with the public half of another key. */
function mismatched(): string {
  const body = Buffer.from(lines(ed25519.text).slice(1, -1).join(''), 'base64');
  const half = Buffer.from(ed25519.publicLine.split(' ')[1] ?? '', 'base64').subarray(-32);
  for (let at = body.indexOf(half); at !== -1; at = body.indexOf(half, at + 1)) body[at] = (body[at] ?? 0) ^ 1;
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

const DAMAGED = 'key: it is damaged; copy the whole file again';
const USE = 'use an Ed25519, ECDSA (nistp256, nistp384, nistp521) or RSA key';
const REFUSED: [string, string, string][] = [
  ['nothing', ' \n', 'key: it is empty'],
  ['empty quotes', '""', 'key: it is empty'],
  ['a public key', ed25519.publicLine, 'key: it is a public key; the private one is in the file without .pub'],
  [
    'a public key in PEM',
    '-----BEGIN PUBLIC KEY-----\nMCowBQ\n-----END PUBLIC KEY-----',
    'key: it is a public key; the private one is in the file without .pub',
  ],
  [
    'a PuTTY file',
    'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n',
    'key: it is a PuTTY .ppk file; export it as an OpenSSH key (PuTTYgen: Conversions, or puttygen FILE -O private-openssh)',
  ],
  ['no END line', lines(ed25519.text).slice(0, -1).join('\n'), 'key: its END line is missing: copy the whole file'],
  ['no BEGIN line', lines(ed25519.text).slice(1).join('\n'), 'key: its BEGIN line is missing: copy the whole file'],
  ['a path', '~/.ssh/id_ed25519', 'key: it looks like the path of a file; give the contents of that file'],
  [
    'the middle alone',
    lines(ed25519.text).slice(1, -1).join('\n'),
    'key: it is not a private key: it has no "-----BEGIN ... PRIVATE KEY-----" line',
  ],
  [
    'rubbish',
    'hunter2 is my password',
    'key: it is not a private key: it has no "-----BEGIN ... PRIVATE KEY-----" line',
  ],
  [
    'a missing character',
    ed25519.text.replace('AAAA', 'AAA'),
    'key: it is damaged: the text between its BEGIN and END lines is not complete base64; copy the file again',
  ],
  ['two missing lines', lines(ed25519.text).toSpliced(2, 2).join('\n'), DAMAGED],
  ['a missing line of PEM', lines(rsaPem.text).toSpliced(2, 1).join('\n'), DAMAGED],
  ['another format inside', ed25519.text.replace('b3Blbn', 'AAAAAA'), DAMAGED],
  [
    'a cut header',
    '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----',
    DAMAGED,
  ],
  ['halves of two keys', mismatched(), `${DAMAGED} (its public and private halves do not match)`],
  ['DSA', keygen('-t', 'dsa').text, `key: its type ssh-dss is not supported; ${USE}`],
  ['DSA PEM', keygen('-t', 'dsa', '-m', 'PEM').text, `key: its type ssh-dss is not supported; ${USE}`],
  ['Ed448', pkcs8('ed448'), `key: its type ed448 is not supported; ${USE}`],
  [
    'another curve',
    pkcs8('EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'),
    `key: its type secp256k1 is not supported; ${USE}`,
  ],
  [
    'a security key',
    retyped('sk-ssh-ed25519@openssh.com'),
    `key: it is stored on a security key (sk-ssh-ed25519@openssh.com), which a runner does not have; ${USE}`,
  ],
  ['rubbish for a type', retyped('Secret Text'), DAMAGED],
  [
    'chacha20',
    keygen('-t', 'ed25519', '-N', PASSPHRASE, '-a', '1', '-Z', 'chacha20-poly1305@openssh.com').text,
    'key: it is encrypted with chacha20-poly1305@openssh.com, which is not supported; `ssh-keygen -p -Z aes256-ctr -f COPY` rewrites a copy of it',
  ],
];

describe('refuses', () => {
  test.each([
    ['PEM', ['rsa', '-traditional', '-des']],
    ['PKCS#8', ['pkcs8', '-topk8', '-v1', 'PBE-MD5-DES']],
  ])('a cipher of the past in %s', async (_, command) => {
    const file = join(folder, 'old-cipher');
    writeFileSync(file, pkcs8Rsa);
    const legacy = ['-provider', 'legacy', '-provider', 'default', '-passout', `pass:${PASSPHRASE}`];
    const text = openssl(...command, '-in', file, ...legacy);
    expect((await refusal(text, PASSPHRASE)).message).toBe(
      'key: its cipher or form is not supported; `ssh-keygen -p -f COPY` rewrites a copy of it',
    );
  });

  test.each(REFUSED)('%s', async (_, text, message) => {
    expect((await refusal(text, PASSPHRASE)).message).toBe(message);
  });

  test('without any part of the key or passphrase in the error', async () => {
    const cases = [...REFUSED.map(([, text]) => text), ...ENCRYPTED.map(([, { text }]) => text)];
    for (const text of cases) {
      const error = await refusal(text, 'wrong-pass-phrase');
      const told = `${error.message}\n${error.hint}\n${String(error.cause)}`;
      expect(told).not.toContain('wrong-pass-phrase');
      // Names that the messages use on purpose are no part of a key.
      for (const word of text.split(/[^A-Za-z0-9+/=]+/).filter((part) => part.length > 20)) {
        expect(told).not.toContain(word.slice(0, 20));
      }
      expect(told).not.toMatch(/hunter2|Secret Text|id_ed25519/);
    }
  });
});
