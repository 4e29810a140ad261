import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { repository } from '../workflows/workflow-files.js';

const folder = mkdtempSync(join(tmpdir(), 'dbb-report-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Files = Record<string, ('passed' | 'failed' | 'pending')[]>;

/** What jest writes about such files. */
function report(name: string, files: Files): string {
  const testResults = Object.entries(files).map(([file, tests]) => ({
    name: join(repository, file),
    status: tests.includes('failed') || tests.length === 0 ? 'failed' : 'passed',
    assertionResults: tests.map((status, index) => ({ status, fullName: `${file} ${index}` })),
  }));
  const success = testResults.every(({ status }) => status === 'passed');
  writeFileSync(join(folder, name), JSON.stringify({ success, testResults }));
  return join(folder, name);
}

function say(what: string, reports: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync('node', ['scripts/test-report.mjs', what, ...reports], {
    cwd: repository,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
  return { status, out: stdout.trimEnd().split('\n'), err: stderr.trimEnd() };
}

const STEADY: Files = { 'a.ts': ['passed', 'passed'], 'b.ts': ['passed', 'pending'] };

test('all passed, and what was not run is named', () => {
  expect(say('total', [report('1', STEADY)])).toEqual({
    status: 0,
    out: ['not run: b.ts 1', '3 passed, 0 failed'],
    err: '',
  });
});

test('a file that failed twice is a failure, as is one that could not be run', () => {
  const files: Files = { ...STEADY, 'c.ts': ['failed', 'passed'], 'd.ts': [] };
  const first = report('1', files);
  expect(say('failed', [first])).toMatchObject({ out: ['c.ts', 'd.ts'], err: '' });
  const later = report('2', { 'c.ts': ['failed', 'passed'], 'd.ts': [] });
  const told = say('total', [first, later]);
  expect(told).toMatchObject({ status: 1 });
  expect(told.out.at(-1)).toBe('4 passed, 2 failed');
});

test('one that passes alone is a warning, where nobody is strict', () => {
  const first = report('1', { ...STEADY, 'c.ts': ['failed', 'passed'] });
  const later = report('2', { 'c.ts': ['passed', 'passed'] });
  const named = 'c.ts failed beside others and passed alone; that is a bug too';
  expect(say('total', [first, later])).toMatchObject({
    status: 0,
    out: ['not run: b.ts 1', named, 'unsteady: 1', '5 passed, 0 failed'],
  });
  expect(say('total', [first, later], { TEST_STRICT: '1' })).toMatchObject({
    status: 1,
    out: ['not run: b.ts 1', named, 'unsteady: 1', '4 passed, 1 failed'],
  });
});

test('more than four do not fail by chance, which is told', () => {
  const first = report('1', Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`${n}.ts`, ['failed']])));
  expect(say('failed', [first])).toMatchObject({
    out: [''],
    err: '5 files failed: too many for chance, not run again',
  });
  expect(say('total', [first])).toMatchObject({ status: 1, out: ['0 passed, 5 failed'] });
});

test('no test, no report, or a failure of jest itself are failures', () => {
  expect(say('total', [report('1', { 'a.ts': ['pending'] })]).out).toEqual([
    'not run: a.ts 0',
    'no test was run',
    '0 passed, 1 failed',
  ]);
  expect(say('total', [join(folder, 'nowhere')]).out).toEqual(['no test was run', '0 passed, 1 failed']);
  const broken = join(folder, 'broken');
  writeFileSync(broken, JSON.stringify({ success: false, testResults: [] }));
  expect(say('total', [broken])).toMatchObject({ status: 1, out: ['no test was run', '0 passed, 1 failed'] });
});
