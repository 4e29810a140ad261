import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ERRORS, type ErrorCode } from '../../src/errors.js';
import { LIMITS } from '../../src/server/limits.js';
import { statusOf } from '../../src/server/refusal.js';
import { ROUTES } from '../../src/server/routes.js';
import { type Api, endServers, startApi } from '../helpers/api.js';
import { createDatabase } from '../helpers/sqlite.js';

const page = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text);
const [start = '', calls = '', more = ''] = blocks('sh');

let folder: string;
let api: Api;
let token: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-page-'));
  await createDatabase(join(folder, 'app.db'));
  const [make = '', line = ''] = start.split(/^(?=db-backup serve)/m);
  expect(spawnSync('sh', ['-ec', make], { cwd: folder }).status).toBe(0);
  token = readFileSync(join(folder, 'token'), 'utf8').trim();
  const args = line.replace('/srv/app/app.db', join(folder, 'app.db')).replace('/srv/backups', join(folder, 'backups'));
  api = await startApi(args.trim().split(' ').slice(2), { cwd: folder, env: { DB_BACKUP_TOKEN: '' } });
});
afterAll(async () => {
  try {
    expect(await api.stop()).toBe(0);
  } finally {
    endServers();
  }
  rmSync(folder, { recursive: true });
});

/** Runs it against the server of the test. What it prints. */
async function run(program: string, args: string[], text: string): Promise<string> {
  const env = { PATH: process.env.PATH ?? '', DB_BACKUP_TOKEN: token };
  const { stdout } = await promisify(execFile)(program, [...args, text.replaceAll('http://127.0.0.1:8470', api.url)], {
    cwd: folder,
    env,
  });
  return stdout;
}

/** One JSON after the other. */
const answersIn = (text: string): { success?: boolean; backups?: { filename: string }[] }[] =>
  text.split(/(?<=\})(?=\{)/).map((one) => JSON.parse(one));

test('the calls of the page do what it says, with curl, JavaScript and Python', async () => {
  const first = answersIn(await run('sh', ['-ec'], calls));
  expect(first).toMatchObject([{ status: 'ok' }, { integrity_check: 'passed' }, { success: true }, { count: 1 }]);
  const file = first[3]?.backups?.[0]?.filename ?? '';
  const url = `url=${api.url}\n`;
  const named = more.replace('app-20261130T175107Z-c5d9.sqlite.zst', file);
  expect(named).toContain(file);
  expect(answersIn(await run('sh', ['-ec'], url + named))).toMatchObject([
    { success: true, outcome: 'restored' },
    { success: true, message: expect.stringContaining('Deleted') },
    { backups: { count: 1 } },
  ]);
  const [script = ''] = blocks('js');
  expect(await run(process.execPath, ['--input-type=module', '-e'], script)).toMatch(
    /^app-\S+\.sqlite\.zst \S+ [kM]B\n2\n$/,
  );
  const [python = ''] = blocks('python');
  expect(await run('python3', ['-c'], python)).toMatch(/^Backup of app is good: .*\nRestored app-\S+\n$/);
});

test('the page has each route, and each status and code as the server gives them', () => {
  const told = [...page.matchAll(/^\| `((?:GET|POST|DELETE) \/\S+)` \|/gm)].map(([, call]) => call);
  expect(told).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`));
  const rows = [...page.matchAll(/^\| (\d{3}) \| (.*?) \|/gm)].map(([, status, codes = '']) => ({
    status: Number(status),
    codes: [...codes.matchAll(/`(E_\w+)`/g)].map(([, code]) => code as ErrorCode),
  }));
  // those of the server have several
  const own: ErrorCode[] = ['E_REQUEST', 'E_TOKEN', 'E_LIMIT'];
  for (const { status, codes } of rows) {
    for (const code of codes)
      expect({ code, status: own.includes(code) ? status : statusOf(code) }).toEqual({ code, status });
  }
  const named = rows.flatMap(({ codes }) => codes);
  const unnamed = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => !named.includes(code));
  expect(unnamed.map(statusOf).filter((status) => status !== 500)).toEqual([]);
  const { calls: most, wrong, headersMs, requestMs, bodyBytes, headerBytes, connections, connectionsOfOne } = LIMITS;
  expect([most, wrong]).toEqual([
    { most: 60, perSecond: 2 },
    { most: 10, perSecond: 1 / 6 },
  ]);
  expect([connections, connectionsOfOne]).toEqual([256, 64]);
  expect([headersMs, requestMs, bodyBytes, headerBytes]).toEqual([5_000, 15_000, 16 * 1024, 8 * 1024]);
});

if (spawnSync('systemd-analyze', ['--version']).error !== undefined) {
  test.skip('systemd-analyze, which is not on this machine', () => {});
} else {
  test('systemd has nothing against the unit of the page', () => {
    const [unit = ''] = blocks('ini');
    const file = join(folder, 'db-backup-api.service');
    writeFileSync(file, unit.replace('/usr/local/bin/db-backup', process.execPath));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
    // a key that it does not know is no failure to it
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
}
