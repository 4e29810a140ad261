import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Report } from '../../src/reporting/report.js';
import { commandLine } from '../helpers/command-line.js';
import { createDatabase } from '../helpers/sqlite.js';

let folder: string;
let config: string;
const backups = (name: string): string[] =>
  readdirSync(join(folder, 'backups')).filter((file) => file.startsWith(`${name}-`) && file.endsWith('.json'));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-several-'));
  config = join(folder, 'db-backup.yml');
  for (const name of ['first', 'last']) await createDatabase(join(folder, `${name}.db`));
  writeFileSync(
    config,
    `defaults: { transport: local, directory: ${join(folder, 'backups')} }
databases:
  first: { database: ${join(folder, 'first.db')} }
  gone: { database: ${join(folder, 'gone.db')} }
  wrong: { database: ${join(folder, 'first.db')}, keep: seven }
  last: { database: ${join(folder, 'last.db')} }
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

test('the failure of one is told, the others go on, and the exit status is the worst', async () => {
  const result = await commandLine(['backup', '--config', config, '--json']);
  const reports = result.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Report);
  expect(reports.map(({ name, errorCode }) => [name, errorCode])).toEqual([
    ['first', ''],
    ['gone', 'E_SOURCE_MISSING'],
    ['wrong', 'E_INPUT'],
    ['last', ''],
  ]);
  expect(result.stderr).toMatch(/ERROR \[gone\] E_SOURCE_MISSING: /);
  expect(result.stderr).toMatch(/ERROR \[wrong\] E_INPUT: keep: /);
  expect(result.code).toBe(1);
  expect([backups('first').length, backups('last').length]).toEqual([1, 1]);
});

test('wrong input alone is 2, and those that are well alone are 0', async () => {
  const verify = (...names: string[]) =>
    commandLine(['verify', '--config', config, '--quiet', ...names.flatMap((name) => ['--target', name])]);
  expect((await commandLine(['prune', '--config', config, '--target', 'first', '--target', 'wrong'])).code).toBe(2);
  // without an id it is the newest
  expect(await verify('first', 'last')).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('an unhealthy one is 3, beside one that is well', async () => {
  const result = await commandLine(['health', '--config', config, '--target', 'first', '--target', 'gone', '--json']);
  const healthy = result.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as Report).healthy);
  expect(healthy).toEqual([true, false]);
  expect(result.code).toBe(3);
});
