import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { INPUT_NAMES, type InputName } from '../../src/settings/declared-inputs.js';
import { COMMANDS } from '../../src/settings/settings.js';
import { type Given, makeKey, reading } from './given-inputs.js';

const SECRET_INPUTS: InputName[] = [
  ...(['key', 'passphrase', 'jump-key', 'jump-passphrase'] as const),
  ...(['encryption-passphrase', 'decryption-key', 'decryption-passphrase'] as const),
];
const PASSPHRASE = 'open "sesame" \\ 4711';
const key = makeKey();
const encrypted = makeKey(PASSPHRASE);

/** The lines of a key that nobody may see: not its frame. */
const bodyOf = (pem: string): string[] => pem.split('\n').filter((line) => line !== '' && !line.startsWith('-----'));

const SSH: Given = {
  ...{ host: 'db', username: 'deploy', 'known-hosts': 'x', database: '/srv/app.db', 'jump-host': 'bastion' },
};

describe('masking', () => {
  test('every secret input is masked although everything else is wrong', async () => {
    const wrong = Object.fromEntries(INPUT_NAMES.map((name) => [name, '\x01'])) as Given;
    const given = {
      ...wrong,
      key: 'first',
      passphrase: 'second',
      'jump-key': 'third',
      'jump-passphrase': 'fourth',
      'database-password': 'fifth',
      'encryption-passphrase': 'sixth',
      'decryption-key': 'seventh',
      'decryption-passphrase': 'eighth',
      'signing-key': 'of signatures',
      's3-access-key-id': 'ninth',
      's3-secret-access-key': 'tenth',
      's3-session-token': 'eleventh',
    };
    const { error, masks } = await reading(given);
    expect(error?.code).toBe('E_INPUT');
    expect(masks.slice(0, 12)).toEqual([
      ...[
        'first',
        'second',
        'third',
        'fourth',
        'fifth',
        'sixth',
        'seventh',
        'eighth',
        'of signatures',
        'ninth',
        'tenth',
        'eleventh',
      ],
    ]);
  });

  test('what was read is in the environment no more', async () => {
    await reading({ ...SSH, key, database: 'postgres://app:hunter2@db/shop' });
    expect(Object.keys(process.env).filter((name) => name.startsWith('INPUT_'))).toEqual([]);
  });

  test('also with transport local and with commands that use none of them', async () => {
    for (const command of COMMANDS) {
      const { masks } = await reading({ command, transport: 'local', key, 'jump-passphrase': 'fourth' });
      expect(masks).toEqual([key.trim(), 'fourth']);
    }
  });

  test.each([
    ['newlines written as \\n', key.replaceAll('\n', '\\n')],
    ['base64 of the file', Buffer.from(key).toString('base64')],
    ['newlines turned into blanks', key.trim().replaceAll('\n', ' ')],
  ])('a key with %s is masked as given and as mended', async (_, text) => {
    const { result, masks } = await reading({ ...SSH, key: text });
    expect(result).not.toBeNull();
    expect(masks[0]).toBe(text);
    expect(masks.flatMap((mask) => mask.split('\n'))).toEqual(expect.arrayContaining(bodyOf(key)));
  });

  test('the mended form is masked even when the key can not be used', async () => {
    const { error, masks } = await reading({ ...SSH, key: encrypted.replaceAll('\n', '\\n') });
    expect(error?.message).toContain('key: it has a passphrase');
    expect(masks.flatMap((mask) => mask.split('\n'))).toEqual(expect.arrayContaining(bodyOf(encrypted)));
  });

  test('a converted key is masked in its new form', async () => {
    const pkcs8 = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const { result, masks } = await reading({ ...SSH, key: pkcs8 });
    const transport = result?.settings.transport;
    if (transport?.transport !== 'ssh') throw new Error('no key');
    expect(transport.key.pem).toContain('BEGIN OPENSSH PRIVATE KEY');
    expect(masks.flatMap((mask) => mask.split('\n'))).toEqual(expect.arrayContaining(bodyOf(transport.key.pem)));
  });

  test('database, host and user are not masked: the runner drops outputs that hold a masked text', async () => {
    const { masks } = await reading({ ...SSH, key });
    expect(masks.join('\n')).not.toMatch(/deploy|app\.db|bastion/);
  });
});

describe('no secret is in any error or warning', () => {
  const secrets: [string, string][] = [
    ['a key', key],
    ['an encrypted key', encrypted],
    ['half a key', key.slice(0, 150)],
    ['a passphrase', PASSPHRASE],
    ['a path', '/srv/../hunter2-hunter2'],
    ['a rule of keep', 'hunter2-hunter2'],
  ];

  /** Each long enough part of the secret, also as JSON would write it. */
  const partsOf = (secret: string): string[] =>
    [...secret.split(/\s*\n\s*/), JSON.stringify(secret).slice(1, -1)].filter(
      (part) => part.length > 10 && !part.startsWith('-----') && part !== '',
    );

  test.each(secrets)('%s, pasted into each input while it is also a secret input', async (_, secret) => {
    let failures = 0;
    for (const holder of SECRET_INPUTS) {
      for (const name of INPUT_NAMES) {
        for (const pasted of [secret, `prefix ${secret}`]) {
          const { result, error } = await reading({ ...SSH, key, [holder]: secret, [name]: pasted });
          const told = [error?.message, error?.hint, String(error?.cause), ...(result?.warnings ?? [])].join('\n');
          for (const part of partsOf(secret)) expect(told).not.toContain(part);
          if (error) failures += 1;
        }
      }
    }
    expect(failures).toBeGreaterThan(50);
  });

  test('a private key in another input is not shown, also when it is no secret input', async () => {
    const { error } = await reading({ ...SSH, key: makeKey(), host: key, name: key.replaceAll('\n', ' ') });
    for (const line of bodyOf(key)) expect(error?.message).not.toContain(line);
    expect(error?.message).toBe(
      'host: expected one line\nname: it is malformed; it is not shown here because it contains a secret',
    );
  });

  test('a rule that names a host does not name one that is also a secret', async () => {
    const { error } = await reading({ ...SSH, key, host: 'hunter2', passphrase: 'hunter2', 'known-hosts': '' });
    expect(error?.message).toContain('`ssh-keyscan -p 22 *** >known_hosts`');
    expect(error?.message).not.toContain('hunter2');
  });

  test('a database that is refused is never shown', async () => {
    for (const database of [
      'postgres://u:hunter2@h',
      'postgres://u:hunter2@h:99999/d',
      'hunter2:x',
      'Data Source=x;Password=hunter2',
      '/a/../hunter2',
    ]) {
      const { error } = await reading({ transport: 'local', database });
      expect(error?.message).toMatch(/^database: /);
      expect(error?.message).not.toContain('hunter2');
    }
  });
});
