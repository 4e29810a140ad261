import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runAction, startAction } from './run-action.js';
import { parseCommand, parseCommandFile } from './runner-commands.js';

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'dbb-fixture-'));
  writeFileSync(
    join(dir, 'action.yml'),
    'inputs:\n  what-to-do: { default: speak }\n  port: { default: 22 }\nruns: { using: node24, main: main.mjs, post: post.mjs }\n',
  );
  writeFileSync(
    join(dir, 'main.mjs'),
    `import { appendFileSync } from 'node:fs';
    const append = (kind, text) => appendFileSync(process.env['GITHUB_' + kind], text);
    append('STATE', 'started=yes\\n');
    if (process.env['INPUT_WHAT-TO-DO'] === 'wait') {
      process.on('SIGINT', () => { console.log('got SIGINT'); process.exit(3); });
      console.log('waiting');
      setInterval(() => {}, 1000);
    } else {
      append('OUTPUT', 'port=' + process.env.INPUT_PORT + '\\nlong<<E\\na\\nb=c\\nE\\nport=23\\nsecret=xhunter2x\\n');
      append('STEP_SUMMARY', '# done\\n');
      console.log('hunter2 before\\n::add-mask::hunter2\\nhunter2 after');
      console.log('::error title=T%2C1::line%0Atwo');
      console.log('noise ##[set-output name=backup-ok;]true');
      console.log('::stop-commands::tok\\n::set-output name=a::1\\n::tok::\\n::set-output name=b::2');
      process.exitCode = 1;
    }`,
  );
  writeFileSync(
    join(dir, 'post.mjs'),
    `console.log('post ' + process.env.STATE_started + ' ' + process.env['INPUT_WHAT-TO-DO']);`,
  );
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('runs main and post as the runner does', async () => {
  const result = await runAction({}, { dir });
  expect(result.code).toBe(1);
  expect(result.steps.post).toEqual({ code: 0, signal: null });
  expect(result.outputLines).toEqual([
    ['port', '22'],
    ['long', 'a\nb=c'],
    ['port', '23'],
    ['secret', 'xhunter2x'],
  ]);
  expect(result.legacyOutputs).toEqual([
    ['backup-ok', 'true'],
    ['b', '2'],
  ]);
  expect(result.outputs).toEqual({ 'backup-ok': 'true', b: '2', port: '23', long: 'a\nb=c', secret: 'xhunter2x' });
  expect(result.jobOutputs).not.toHaveProperty('secret');
  expect(result.summary).toBe('# done\n');
  expect(result.masks).toEqual(['hunter2']);
  expect(result.visible).toMatch(/^hunter2 before\n\*\*\* after\n##\[error\]line\ntwo\n/);
  expect(result.visible).toMatch(/\n::set-output name=a::1\npost yes speak\n$/);
  expect(result.annotations).toEqual([{ level: 'error', title: 'T,1', message: 'line\ntwo' }]);
  expect(result.fileErrors).toEqual([]);
});

test.each(['SIGINT', 'SIGKILL'] as const)('post runs after %s in the middle of main', async (signal) => {
  const action = startAction({ 'what-to-do': 'wait' }, { dir });
  await action.line(/^waiting$/);
  action.kill(signal);
  await expect(action.main).resolves.toEqual(
    signal === 'SIGINT' ? { code: 3, signal: null } : { code: null, signal: 'SIGKILL' },
  );
  await expect(action.line(/never said/)).rejects.toThrow('without a line that matches');
  const result = await action.result();
  expect(result.steps.post?.code).toBe(0);
  expect(result.visible).toMatch(/post yes wait\n$/);
});

test('an input that action.yml does not have is a mistake of the test', async () => {
  await expect(runAction({ hots: 'x' }, { dir })).rejects.toThrow('action.yml has no input "hots"');
});

test('command files: what the runner refuses', () => {
  expect(parseCommandFile('a=1\nb<<X\nunfinished\n')).toEqual({
    pairs: [['a', '1']],
    error: expect.stringContaining('"X"'),
  });
  expect(parseCommandFile('a=1\nrubbish\nb=2').error).toBe('invalid format "rubbish"');
  expect(parseCommandFile('a=1<<2\n\nb=').pairs).toEqual([
    ['a', '1<<2'],
    ['b', ''],
  ]);
});

test('commands: the new form at the start of a line, the old one anywhere, unknown ones nowhere', () => {
  const output = { name: 'set-output', properties: { name: 'x' }, data: 'y' };
  expect(parseCommand('  ::set-output name=x::y')).toEqual(output);
  expect(parseCommand('a ::set-output name=x::y')).toBeNull();
  expect(parseCommand('any text ##[Set-Output name=x]y')).toEqual(output);
  expect(parseCommand('::unknown::y')).toBeNull();
  expect(parseCommand('##[section]y')).toBeNull();
});
