import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { HostRequest } from '../../src/host/session.js';
import {
  type EncryptionKeys,
  encryptByHand,
  KEY_PASSPHRASE,
  makeKeys,
  PASSPHRASE,
} from '../helpers/encryption-keys.js';
import { sqlite3, until } from '../helpers/outcome.js';
import { inTurn } from '../helpers/sample.js';
import { Sessions, SHELLS } from '../helpers/shell-host.js';

// What opens encrypted payloads, in every shell: the look at a dump that others have made takes the same way as every backup.

const WITH_PIPES = SHELLS.filter(([name]) => name !== 'ksh93');
const NAMES = WITH_PIPES.map(([name]) => name);

const sessions = new Sessions();
let keys: EncryptionKeys;
let database: Buffer;
beforeAll(() => {
  keys = makeKeys();
  const path = join(keys.home, 'app.db');
  sqlite3(path, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1), (2), (3)');
  database = readFileSync(path);
  rmSync(path);
});
afterAll(() => keys?.remove());
afterEach(() => sessions.close());

async function look(
  shell: string[],
  dump: Buffer,
  decrypt: [age: string, gpg: string, passphrase: string] | null,
  ...before: HostRequest[]
) {
  const { host, session } = await sessions.open(shell);
  const path = join(host.folder, 'dump');
  writeFileSync(path, dump);
  const requests: HostRequest[] = decrypt === null ? before : [...before, ['request', 'decrypt_with', decrypt]];
  const answer = await session.send(...requests, ['job', 'look_dump', [path]]).then(
    (facts) => ({ kind: facts.get('dump_kind'), refused: facts.get('dump_refused'), said: facts.get('dump_said') }),
    (error: { code: string; facts: { get(key: string): string | null }; text: string }) => ({
      code: error.code,
      why: error.facts.get('not_opened'),
      text: error.text,
    }),
  );
  // the folder of gpg is gone
  await until(() => !readdirSync(host.folder).some((name) => name.startsWith('db-backup.')), 10_000);
  return answer;
}

describe.each(WITH_PIPES)('under %s', (...point) => {
  const [, shell] = point;
  test.each<[string, () => [Buffer, [string, string, string]]]>([
    ['age', () => [encryptByHand('age', database, keys), [keys.age.identity, '', '']]],
    [
      'age, armored, around zstd',
      () => [encryptByHand('age-armor', zstdCompressSync(database), keys), [keys.age.identity, '', '']],
    ],
    ['gpg, around gzip', () => [encryptByHand('gpg-symmetric', gzipSync(database), keys), ['', '', PASSPHRASE]]],
  ])('opens a dump in %s', async (_name, made) => {
    const [dump, decrypt] = made();
    expect(await look(shell, dump, decrypt)).toMatchObject({ kind: 'sqlite' });
  });

  inTurn(NAMES, point[0])('tells a wrong key, a wrong passphrase, and damage apart', async () => {
    const [byAge, byGpg] = [encryptByHand('age', database, keys), encryptByHand('gpg-symmetric', database, keys)];
    const cut = byGpg.subarray(0, 10);
    const opened = { code: 'E_DECRYPT' };
    expect(await look(shell, byAge, [keys.otherAge.identity, '', ''])).toMatchObject({ ...opened, why: 'key' });
    expect(await look(shell, byGpg, ['', '', `${PASSPHRASE}.`])).toMatchObject({ ...opened, why: 'passphrase' });
    expect(await look(shell, byAge.subarray(0, -1), [keys.age.identity, '', ''])).toMatchObject({
      ...opened,
      why: 'damage',
    });
    expect(await look(shell, byGpg.subarray(0, -1), ['', '', PASSPHRASE])).toMatchObject({ ...opened, why: 'damage' });
    // to gpg that is no error
    expect(await look(shell, cut, ['', '', PASSPHRASE])).toMatchObject({ ...opened, why: 'damage' });
  });
});

const ask: string[] = ['dash'];

test('of two passphrases that are tried, what is said is of the one that fits', async () => {
  const damaged = encryptByHand('gpg-symmetric', database, keys).subarray(0, -1);
  const encryptedWith = (passphrase: string): HostRequest => ['request', 'encrypt_with', ['gpg', '', '', passphrase]];
  expect(await look(ask, damaged, ['', '', PASSPHRASE], encryptedWith('another passphrase'))).toMatchObject({
    why: 'damage',
  });
  expect(await look(ask, damaged, ['', '', 'another passphrase'], encryptedWith(PASSPHRASE))).toMatchObject({
    why: 'damage',
  });
  expect(await look(ask, damaged, ['', '', 'another one'], encryptedWith('another passphrase'))).toMatchObject({
    why: 'passphrase',
  });
});

test.each<[string, () => [string, string, string]]>([
  ['a key', () => ['', keys.gpg.identity, '']],
  ['a key with a passphrase', () => ['', keys.lockedGpg.identity, KEY_PASSPHRASE]],
])('gpg: what is encrypted for %s', async (_, decrypt) => {
  const [, key] = decrypt();
  const to = key === keys.gpg.identity ? 'plain@example.com' : 'locked@example.com';
  const options = ['--batch', '--trust-model', 'always', '-r', to, '--encrypt'];
  const dump = execFileSync('gpg', options, { input: database, env: { PATH: process.env.PATH, GNUPGHOME: keys.home } });
  expect(await look(ask, dump, decrypt())).toMatchObject({ kind: 'sqlite' });
  const other = key === keys.gpg.identity ? keys.lockedGpg : keys.gpg;
  expect(await look(ask, dump, ['', other.identity, KEY_PASSPHRASE])).toMatchObject({ code: 'E_DECRYPT', why: 'key' });
});

test('ksh93, whose pipes are sockets: says so', async () => {
  const dump = encryptByHand('age', database, keys);
  expect(await look(['ksh93'], dump, [keys.age.identity, '', ''])).toMatchObject({
    code: 'E_DECRYPT',
    text: expect.stringContaining('ksh93'),
  });
  const byGpg = encryptByHand('gpg-symmetric', database, keys);
  expect(await look(['ksh93'], byGpg, ['', '', PASSPHRASE])).toMatchObject({ kind: 'sqlite' });
});

test('without a key it is refused as what it is', async () => {
  expect(await look(ask, encryptByHand('age', database, keys), null)).toMatchObject({ refused: 'packed', said: 'age' });
  expect(await look(ask, encryptByHand('gpg-symmetric', database, keys), null)).toMatchObject({
    refused: 'packed',
    said: 'gpg',
  });
});

test('bytes of OpenPGP that nobody has encrypted are none, although gpg gives them out without an error', async () => {
  const env = { PATH: process.env.PATH, GNUPGHOME: keys.home };
  const literal = execFileSync('gpg', ['--batch', '--compress-algo', 'none', '--store'], { input: database, env });
  expect(execFileSync('gpg', ['--batch', '-d'], { input: literal, env, stdio: 'pipe' }).equals(database)).toBe(true);
  expect(await look(ask, literal, ['', '', PASSPHRASE])).toMatchObject({ refused: 'unknown' });
  // behind the beginning of a message that is encrypted
  const behind = Buffer.concat([encryptByHand('gpg-symmetric', database, keys).subarray(0, 15), literal]);
  expect(await look(ask, behind, ['', '', PASSPHRASE])).toMatchObject({ code: 'E_DECRYPT' });
});

test('a file of `age -p`, which asks at a terminal', async () => {
  const dump = Buffer.from(
    'YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCAxUFJjMnBINU9uSlU2cUNsNEJHZ1BBIDE4CkwzMzNkd0ZuVzZYVGF2UWx5aC8za2hDakdzbjR2Rk9Fc2wzd1N4UGowbVEKLS0tIElxOWdKZnJxVndiTXFEd2NraG5TOWRlVFY4dFFSOTZ4d2pTWWpiekpLcEEKLsIV+HNtaUsC7ALQSDwlXP52R77gwJH0I9Jo9Ksgc2Bq',
    'base64',
  );
  expect(await look(ask, dump, [keys.age.identity, '', ''])).toMatchObject({
    code: 'E_DECRYPT',
    why: 'age-passphrase',
  });
});

test('what is in it is looked at like any other dump', async () => {
  const twice = encryptByHand('age', encryptByHand('age', database, keys), keys);
  expect(await look(ask, twice, [keys.age.identity, '', ''])).toMatchObject({ refused: 'packed', said: 'age' });
  const unknown = encryptByHand('age', Buffer.from('nothing that anybody knows'), keys);
  expect(await look(ask, unknown, [keys.age.identity, '', ''])).toMatchObject({ refused: 'unknown' });
  const nothing = encryptByHand('age', Buffer.alloc(0), keys);
  expect(await look(ask, nothing, [keys.age.identity, '', ''])).toMatchObject({ refused: 'hollow' });
});

test('the keyring of the user is neither read nor made', async () => {
  const { host, session } = await sessions.open(ask);
  writeFileSync(join(host.folder, 'dump'), encryptByHand('gpg-symmetric', database, keys));
  await session.send(
    ['request', 'decrypt_with', ['', keys.gpg.identity, PASSPHRASE]],
    ['job', 'look_dump', [join(host.folder, 'dump')]],
  );
  expect(existsSync(join(host.folder, '.gnupg'))).toBe(false);
  expect(statSync(host.folder).isDirectory()).toBe(true);
});
