import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ActionResult } from '../helpers/run-action.js';
import { type Scene, startScene } from '../helpers/scene.js';

const PASSPHRASE = 'a passphrase & "quotes"';

let scene: Scene;
let folder: string;
let key: string;
let line: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-terminal-'));
  scene = await startScene();
  const file = join(folder, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', PASSPHRASE, '-C', '', '-f', file]);
  scene.sshd.authorize(readFileSync(`${file}.pub`, 'utf8'));
  key = readFileSync(file, 'utf8');
  line = key.split('\n')[2] ?? '';
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await scene.stop();
});

/** As from a shell: the files of a runner may be there, and are not its own. */
const run = (inputs: Record<string, string> = {}, env: Record<string, string> = {}): Promise<ActionResult> =>
  scene.run({ key, passphrase: PASSPHRASE, ...inputs }, { GITHUB_ACTIONS: '', RUNNER_DEBUG: '1', ...env });

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (?:(?:INFO|WARN) {2}|ERROR |DEBUG )/;

/** A line of a list is what was asked for, and no log. */
const RESULT = /^app-\d{8}T\d{6}Z-[0-9a-f]{4} {2}/;

/** Expects nothing for a runner, and no secret; of the log each line with its time and level. Returns the log without them. */
function expectPlain(result: ActionResult): string {
  const lines = result.log.replace(/\n$/, '').split('\n');
  expect(lines.filter((one) => !STAMP.test(one) && !RESULT.test(one))).toEqual([]);
  expect(result.log).not.toMatch(/^\s*::|##\[/m);
  expect(result).toMatchObject({ outputLines: [], outputs: {}, state: {}, summary: '', masks: [], annotations: [] });
  for (const secret of [PASSPHRASE, ...key.split('\n').filter((one) => one.length > 20 && !one.startsWith('-----'))]) {
    expect(result.log).not.toContain(secret);
  }
  return lines
    .map((one) => one.replace(STAMP, one.includes(' ERROR ') ? 'error: ' : one.includes(' WARN ') ? 'warning: ' : ''))
    .join('\n');
}

test('a run tells what it does in plain text, and by its exit status', async () => {
  const result = await run();
  const log = expectPlain(result);
  expect(result.code).toBe(0);
  expect(log).toMatch(/^Connect\n/m);
  expect(log).toMatch(/^published app-/m);
});

test('a failure is plain as well', async () => {
  const failed = await run({ database: '/nowhere.db' });
  const log = expectPlain(failed);
  expect(failed.code).toBe(1);
  expect(log).toMatch(/^error: E_SOURCE_MISSING: there is no database at \/nowhere\.db/m);

  const wrong = await run({ directory: line, keep: `x ${PASSPHRASE}` });
  expect(expectPlain(wrong)).toMatch(/^error: E_INPUT: keep: /m);
  const warned = await run({ command: 'list', 'max-delete': '3' });
  expect(expectPlain(warned)).toMatch(/^warning: max-delete: it has no effect/m);
});

test('secrets are replaced in what a command of the user says, and in the message about it', async () => {
  const result = await run({
    command: 'restore',
    confirm: 'app.db',
    'check-command': `cat <<'END'\nit is ${PASSPHRASE}\nand ${line}\nEND\nfalse`,
  });
  const log = expectPlain(result);
  expect(result.code).toBe(1);
  expect(log).toMatch(/^ {2}it is \*\*\*\n {2}and \*\*\*$/m);
  expect(log).toMatch(/^error: E_ROLLED_BACK: .*and \*\*\*/m);
});

test('what is the runner goes by its own word alone', async () => {
  const result = await run({ command: 'list' }, { GITHUB_ACTIONS: 'true' });
  expect(result.masks).toContain(PASSPHRASE);
  expect(result.outputs['error-code']).toBe('');
});
