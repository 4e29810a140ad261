import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readConfig } from '../../src/command-line/config.js';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-config-'));
  path = join(folder, 'db-backup.yml');
});
afterAll(() => rmSync(folder, { recursive: true }));

async function read(text: string, env: Record<string, string> = {}) {
  writeFileSync(path, text);
  const config = await readConfig(path, env);
  if (config === null) throw new Error('there is none');
  return config;
}

/** By database, what each input gives: its text, or the rule that it breaks. */
async function given(text: string, env?: Record<string, string>): Promise<Record<string, Record<string, string>>> {
  const { targets, wrong } = await read(text, env);
  expect(wrong).toEqual([]);
  const said = (read: () => string) => {
    try {
      return read();
    } catch (error) {
      return `! ${(error as Error).message}`;
    }
  };
  return Object.fromEntries(
    targets.map(({ name, inputs }) => [
      name,
      Object.fromEntries([...inputs].map(([input, read]) => [input, said(read)])),
    ]),
  );
}

describe('what is in it', () => {
  test('databases with inputs of their own, and those of all', async () => {
    expect(
      await given(`
defaults: &all
  transport: local
  keep: 5
  umask: 027
databases:
  shop: { database: /srv/shop.db, keep: last=3 daily=7 }
  crm:
    name: customers
    database: postgres:///crm
    exclude-table: [public.log, 'audit.*']
    summary: ~
    encrypt: true
`),
    ).toEqual({
      shop: { name: 'shop', transport: 'local', keep: 'last=3 daily=7', umask: '027', database: '/srv/shop.db' },
      crm: {
        ...{ name: 'customers', transport: 'local', keep: '5', umask: '027' },
        ...{ database: 'postgres:///crm', 'exclude-table': 'public.log\naudit.*', encrypt: 'true' },
      },
    });
  });

  test('a secret, as what says where it is: read when it is asked for, and once', async () => {
    writeFileSync(join(folder, 'token'), 'from a file\n');
    writeFileSync(join(folder, 'empty'), ' \n');
    const count = join(folder, 'count');
    const text = `
databases:
  shop:
    database: { env: DATABASE_URL }
    key: { file: token }
    passphrase: { command: 'echo x >>${count}; echo said' }
    database-password: { credential: password }
    s3-access-key-id: { env: NOBODY }
    s3-secret-access-key: { file: empty }
    s3-session-token: { command: 'echo secret; exit 7' }
    signing-key: { file: /nowhere/key }
    encryption-passphrase: { credential: ../token }
`;
    const { targets } = await read(text, { DATABASE_URL: 'postgres:///x' });
    const [inputs] = targets.map((one) => one.inputs);
    const all = await given(text, { DATABASE_URL: 'postgres:///x', CREDENTIALS_DIRECTORY: folder });
    expect(all.shop).toEqual({
      ...{ name: 'shop', database: 'postgres:///x', key: 'from a file', passphrase: 'said' },
      'database-password': `! ${join(folder, 'password')} cannot be read: ENOENT`,
      's3-access-key-id': '! the variable NOBODY is empty',
      's3-secret-access-key': `! ${join(folder, 'empty')} is empty`,
      's3-session-token': '! the command for it failed: exit 7',
      'signing-key': '! /nowhere/key cannot be read: ENOENT',
      'encryption-passphrase': '! expected the name of a credential',
    });
    expect(inputs?.get('passphrase')?.()).toBe('said');
    expect(inputs?.get('passphrase')?.()).toBe('said');
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(count, 'utf8')).toBe('x\nx\n'); // of two configurations, once each; reading them ran nothing
  });

  test('the variables that it names, for whoever takes them away', async () => {
    const text = 'databases: { a: { key: { env: KEY }, database: { env: URL } }, b: { passphrase: { file: x } } }';
    expect((await read(text)).variables).toEqual(['KEY', 'URL']);
  });

  test('keys as they stand there, and not as the numbers that they might be', async () => {
    expect((await read('databases: { 007: {}, 1.10: {}, 0x1F: {} }')).targets.map(({ name }) => name)).toEqual([
      '007',
      '1.10',
      '0x1F',
    ]);
  });

  test('by another name it is the same, with the files of its own folder', async () => {
    const other = mkdtempSync(join(tmpdir(), 'dbb-config-'));
    try {
      writeFileSync(join(folder, 'token'), 'ours');
      writeFileSync(join(other, 'token'), 'of somebody else');
      writeFileSync(path, 'databases: { a: { key: { file: token } } }');
      symlinkSync(path, join(other, 'db-backup.yml'));
      const config = await readConfig(join(other, 'db-backup.yml'), {});
      expect(config?.path).toBe(path);
      expect(config?.targets[0]?.inputs.get('key')?.()).toBe('ours');
    } finally {
      rmSync(other, { recursive: true });
    }
  });

  test('what a command says besides is shown when it fails alone, and moves no cursor', async () => {
    const all = await given(`
databases:
  a:
    key: { command: 'echo ::error::hunter2 >&2; echo yes' }
    passphrase: { command: 'printf "no\\n\\033[2Jsuch entry" >&2; exit 1' }
`);
    expect(all.a?.key).toBe('yes');
    expect(all.a?.passphrase).toMatch(/^! the command for it failed: exit 1, and said: [^\n]*such entry$/);
    expect(all.a?.passphrase).not.toContain('\u001b');
  });
});

describe('what is wrong with it, all at once, each with its line', () => {
  test.each<[string, string, (string | RegExp)[]]>([
    ['no mapping', '- a', ['1: expected `databases:` with a name and the inputs of each']],
    ['empty', '', ['1: expected `databases:` with a name and the inputs of each']],
    ['nothing in it', 'databases: {}', ['1: there are no databases under `databases:`']],
    [
      'all kinds',
      `databases:
  'a b': { database: x }
  shop:
    databse: x
    command: list
    key: -----BEGIN
    host: [a, b]
    keep: { last: 3 }
    port: { env: A, file: B }
other: 1
`,
      [
        '10: unknown key "other": expected databases or defaults',
        /^2: the name "a b": /,
        '4: unknown input "databse"',
        '5: unknown input "command"',
        '6: key: the configuration must not contain a secret: write where to find it, key: { file: /etc/db-backup/key }, or { env: VARIABLE }, { credential: NAME }, { command: LINE }',
        '7: host: expected one text, not a list',
        '8: keep: expected one of { env: ... }, { file: ... }, { credential: ... }, { command: ... }',
        '9: port: expected one of { env: ... }, { file: ... }, { credential: ... }, { command: ... }',
      ],
    ],
    ['a key that stands twice', 'databases:\n  a: {}\n  a: {}\n', [/^3: .*unique/]],
    ['not YAML', 'databases: {\n', [/^2: /]],
  ])('%s', async (_, text, expected) => {
    const { wrong, targets } = await read(text);
    const told = wrong.map((one) => one.replace(`${path}:`, ''));
    expect(told).toEqual(
      expected.map((one) => (typeof one === 'string' ? one : expect.stringMatching(one))) as unknown as string[],
    );
    expect(JSON.stringify(wrong)).not.toContain('BEGIN');
    expect(targets.length).toBeLessThan(3);
  });

  test('others can change it', async () => {
    writeFileSync(path, 'databases: { a: {} }');
    chmodSync(path, 0o664);
    try {
      const config = await readConfig(path, {});
      expect(config?.wrong).toEqual([
        `${path}: others can write it (chmod go-w): whoever can change it decides what runs, and where`,
      ]);
      expect(config?.targets).toEqual([]);
    } finally {
      chmodSync(path, 0o644);
    }
  });

  test.each(['mkfifo pipe', 'mkdir pipe', 'ln -s /dev/zero pipe'])(
    'it is none that can be read to its end (%s)',
    async (made) => {
      const other = mkdtempSync(join(tmpdir(), 'dbb-config-'));
      try {
        execFileSync('sh', ['-c', made], { cwd: other });
        const config = await readConfig(join(other, 'pipe'), {});
        expect(config?.wrong).toEqual([`${join(other, 'pipe')}: it cannot be read: it is not a file`]);
        writeFileSync(path, `databases: { a: { key: { file: ${join(other, 'pipe')} } } }`);
        const key = (await readConfig(path, {}))?.targets[0]?.inputs.get('key');
        expect(key).toThrow(`${join(other, 'pipe')} cannot be read: it is not a file`);
      } finally {
        rmSync(other, { recursive: true });
      }
    },
  );

  test('it is not there', async () => {
    const config = await readConfig(join(folder, 'nowhere.yml'), {});
    expect(config?.wrong).toEqual([`${join(folder, 'nowhere.yml')}: it cannot be read: ENOENT`]);
  });

  test('references that grow without an end are refused', async () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 9; i++) {
      const [name, before] = ['abcdefghi'[i], 'abcdefghi'[i - 1]];
      lines.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]`);
    }
    const { wrong } = await read(`${lines.join('\n')}\ndatabases: { shop: { host: *i } }`);
    expect(wrong.length).toBeGreaterThan(0);
  });
});
