import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { sampleArgv } from '../helpers/processes.js';
import type { ActionResult } from '../helpers/run-action.js';
import { type Scene, startScene } from '../helpers/scene.js';

const PASSPHRASE = 'a passphrase & "quotes"';
const JUMP_PASSPHRASE = 'another-passphrase-of-the-bastion';
const DEBUG = { ACTIONS_STEP_DEBUG: 'true', RUNNER_DEBUG: '1' };

let scene: Scene;
let folder: string;
let key: string;
let pkcs8: string;
let jumpKey: string;
let secrets: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-secrets-'));
  scene = await startScene();
  const make = (name: string, passphrase: string, ...options: string[]) => {
    const file = join(folder, name);
    execFileSync('ssh-keygen', ['-q', '-N', passphrase, '-C', '', '-f', file, ...options]);
    scene.sshd.authorize(readFileSync(`${file}.pub`, 'utf8'));
    return readFileSync(file, 'utf8');
  };
  key = make('key', PASSPHRASE, '-t', 'ed25519');
  jumpKey = make('jump', JUMP_PASSPHRASE, '-t', 'ecdsa');
  // It is decrypted into another text, of which nothing was given.
  pkcs8 = make('pkcs8', PASSPHRASE, '-t', 'rsa', '-b', '2048', '-m', 'PKCS8');
  secrets = everySecret();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await scene.stop();
});

/** Every line of a key, and what the program makes of an encrypted PKCS#8 key. */
function everySecret(): string[] {
  const options = ['rsa', '-in', join(folder, 'pkcs8'), '-passin', `pass:${PASSPHRASE}`, '-traditional'];
  const decrypted = execFileSync('openssl', options, { encoding: 'utf8', stdio: 'pipe' });
  const lines = [key, jumpKey, pkcs8, decrypted].flatMap((text) => text.split('\n'));
  return [PASSPHRASE, JUMP_PASSPHRASE, ...lines.filter((line) => line.length >= 20 && !line.startsWith('-----'))];
}

const everyFile = (path: string): string[] =>
  readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile());

/** Names of the places where a secret, or its JSON or escaped form, turns up. */
function leaks(result: ActionResult, argv: string[]): string[] {
  // The runner takes the masks out of the log itself; nothing else may hold a secret, masked or not.
  const log = result.log.split('\n').filter((line) => !line.startsWith('::add-mask::'));
  const places: Record<string, string> = {
    log: log.join('\n'),
    visible: result.visible,
    outputs: JSON.stringify(result.outputs),
    state: JSON.stringify(result.state),
    summary: result.summary,
    annotations: JSON.stringify(result.annotations),
    argv: argv.join('\n'),
    'sshd log': scene.sshd.log(),
  };
  for (const file of everyFile(scene.user.home)) places[file] = readFileSync(file, 'latin1');
  return Object.entries(places).flatMap(([place, text]) =>
    secrets.some((secret) => text.includes(secret) || text.includes(JSON.stringify(secret).slice(1, -1)))
      ? [place]
      : [],
  );
}

const RUNS: [string, () => Record<string, string>][] = [
  ['an OpenSSH key', () => ({ key, passphrase: PASSPHRASE })],
  ['a PKCS#8 key', () => ({ key: pkcs8, passphrase: PASSPHRASE })],
  [
    'a jump host with its own key',
    () => ({
      key,
      passphrase: PASSPHRASE,
      'jump-host': `127.0.0.1:${scene.sshd.port}`,
      'jump-key': jumpKey,
      'jump-passphrase': JUMP_PASSPHRASE,
    }),
  ],
];

test.each(RUNS)('no secret is told anywhere, also with debugging on: %s', async (_, inputs) => {
  const sampler = sampleArgv(10);
  const result = await scene.run(inputs(), DEBUG);
  const argv = sampler.stop();
  expectBackup(result);
  expect(result.masks).toEqual(
    expect.arrayContaining(
      Object.entries(inputs()).flatMap(([name, text]) => (name === 'jump-host' ? [] : [text.trim()])),
    ),
  );
  expect(leaks(result, argv)).toEqual([]);
  // The sampling saw the run.
  expect(argv.some((line) => line.includes('dist/index.js'))).toBe(true);
  expect(argv).toContain('sh -s');
});

test.each<[string, () => Record<string, string>, string]>([
  ['a wrong passphrase', () => ({ key, passphrase: JUMP_PASSPHRASE }), 'E_INPUT'],
  [
    'a key in the wrong input',
    () => ({ key, passphrase: PASSPHRASE, directory: key.split('\n')[1] ?? '', name: jumpKey }),
    'E_INPUT',
  ],
  ['a refused key', () => ({ key, passphrase: PASSPHRASE, username: 'nobody-of-that-name' }), 'E_AUTH'],
  ['a failing backup', () => ({ key, passphrase: PASSPHRASE, database: '/nowhere.db' }), 'E_SOURCE_MISSING'],
])('nor by a run that fails: %s', async (_, inputs, code) => {
  const sampler = sampleArgv(10);
  const result = await scene.run(inputs(), DEBUG);
  const argv = sampler.stop();
  expectFailure(result, code);
  expect(result.log).toContain('::debug::');
  expect(leaks(result, argv)).toEqual([]);
});
