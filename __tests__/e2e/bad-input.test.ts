import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectFailure } from '../helpers/failure.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { listing } from '../helpers/seed.js';

let scene: Scene;
beforeAll(async () => {
  scene = await startScene();
});
afterAll(() => scene.stop());

test('every wrong input is told at once, by name, rule and value, before anything is contacted', async () => {
  const wrong: Record<string, [given: string, said: string]> = {
    command: [
      'bakup',
      'expected one of backup, restore, verify, list, health, doctor, accept, prune, delete, pin, unpin, got "bakup"',
    ],
    port: ['22222222', 'got "22222222"'],
    username: ['-oProxyCommand=x', 'got "-oProxyCommand=x"'],
    'run-as': ['a b', 'got "a b"'],
    timeout: ['soon', 'got "soon"'],
    'idle-timeout': ['-1s', 'got "-1s"'],
    'lock-wait': ['5', 'got "5"'],
    name: ['../etc', 'got "../etc"'],
    directory: ['a/../b', 'expected a path without ".." segments, got "a/../b"'],
    umask: ['000', 'expected 077 or 027, in quotes, because YAML reads 077 as the number 77, got "000"'],
    compression: ['lzma', 'got "lzma"'],
    keep: ['daily=seven', 'got "daily=seven"'],
    'keep-minimum': ['0', 'expected a whole number from 1 to 100000, got "0"'],
    'max-delete': ['none', 'got "none"'],
    'dry-run': ['yes', 'got "yes"'],
    'skip-if-younger-than': ['a while', 'got "a while"'],
    verify: ['restored', 'expected one of checksum, content, restore, got "restored"'],
    'shrink-limit': ['150%', 'got "150%"'],
    'growth-limit': ['much', 'got "much"'],
    'min-free': ['1XB', 'got "1XB"'],
    summary: ['maybe', 'got "maybe"'],
  };
  const inputs = Object.fromEntries(Object.entries(wrong).map(([name, [given]]) => [name, given]));
  const before = scene.sshd.log();
  const result = await scene.run(inputs);
  const message = expectFailure(result, 'E_INPUT');
  for (const [name, [, said]] of Object.entries(wrong)) {
    const lines = message.split(/\r?\n/).filter((line) => line.replace('E_INPUT: ', '').startsWith(`${name}: `));
    expect([name, lines]).toEqual([name, [expect.stringContaining(said)]]);
  }
  expect(scene.sshd.log()).toBe(before);
  expect(scene.processes()).toEqual([]);
  expect(listing(scene.directory)).toEqual({});
  expect(result.summary).toContain('E_INPUT');
  for (const name of ['keep-minimum', 'growth-limit']) expect(result.summary).toContain(name);
  expect(reportOf(result)).toMatchObject({ ok: false, errorCode: 'E_INPUT', directory: '', backup: null });
});

test('inputs that are required are all asked for, with what probably is not set', async () => {
  const inputs = { host: '', username: '', key: '', 'known-hosts': '', database: '' };
  const before = scene.sshd.log();
  const message = expectFailure(await scene.run(inputs), 'E_INPUT', 'secrets.DATABASE_URL', 'is not set');
  for (const name of Object.keys(inputs)) expect(message).toMatch(new RegExp(`(^E_INPUT: |\\n)${name}: `));
  expect(scene.sshd.log()).toBe(before);
});

test.each<[string, Record<string, string>, string[]]>([
  ['command: pin', { command: 'pin' }, ['pin: required with command pin', 'backup: required with command pin']],
  [
    'command: delete',
    { command: 'delete', backup: 'other-20260101T000000Z-0001' },
    ['backup: expected the id of a backup of app'],
  ],
])('what %s needs is asked for', async (_what, inputs, says) => {
  const result = await scene.run(inputs);
  expectFailure(result, 'E_INPUT', ...says);
  expect(reportOf(result).command).toBe(inputs.command);
});

test('a secret in the wrong place, or wrong itself, is not shown', async () => {
  const secret = 'correct-horse-battery';
  const result = await scene.run({ key: secret, passphrase: `${secret}-2`, keep: secret, host: `${secret}-2` });
  expectFailure(result, 'E_INPUT', 'keep: ', 'key');
  expect(result.visible).not.toContain(secret);
  expect(result.summary).not.toContain(secret);
  expect(JSON.stringify(result.outputs)).not.toContain(secret);
  expect(result.masks).toEqual(expect.arrayContaining([secret, `${secret}-2`]));
});

test('an input without effect is a warning', async () => {
  const result = await scene.run({ command: 'list', keep: '9', compression: 'gzip' });
  expect(result.code).toBe(0);
  const warnings = result.annotations.filter(({ level }) => level === 'warning').map(({ message }) => message);
  expect(warnings).toEqual([
    'compression: it has no effect with command list',
    'keep: it has no effect with command list',
  ]);
});
