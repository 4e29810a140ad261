import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { API_TOKEN, call, endServers, startApi, startServe } from '../helpers/api.js';
import { until } from '../helpers/outcome.js';
import { leftAfter, processesMentioning, processTree } from '../helpers/processes.js';
import { checkInvariant, createDatabase } from '../helpers/sqlite.js';

let folder: string;
let inputs: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-serve-'));
  const database = join(folder, 'app.db');
  await createDatabase(database);
  inputs = ['--transport', 'local', '--database', database, '--directory', join(folder, 'backups')];
});
afterEach(() => {
  rmSync(join(folder, 'hold'), { force: true });
  endServers();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A command of a user that stays until the file is gone. */
const waiting = (): string => `touch ${folder}/started; while [ -e ${folder}/hold ]; do sleep 0.05; done`;
function hold(): void {
  rmSync(join(folder, 'started'), { force: true });
  writeFileSync(join(folder, 'hold'), '');
}
const hasStarted = (): boolean => existsSync(join(folder, 'started'));

test('options and variables are enough; the token is in no argument, and in no environment but that of the server', async () => {
  const file = join(folder, 'token');
  writeFileSync(file, `${API_TOKEN}\n`);
  hold();
  const api = await startApi([...inputs, '--token-file', file, '--keep=3'], {
    env: { DB_BACKUP_TOKEN: 'another token, which the option counts before', DB_BACKUP_BEFORE_COMMAND: waiting() },
  });
  const made = call(api.url, 'POST /api/database/backup');
  await until(hasStarted);
  const [child] = processesMentioning('--json').filter(({ ppid }) => ppid === api.child.pid);
  expect(child?.command).toMatch(/cli\.js backup --json$/);
  const environment = readFileSync(`/proc/${child?.pid}/environ`, 'utf8').split('\0');
  expect(environment.filter((one) => /TOKEN/.test(one) || one.includes(API_TOKEN))).toEqual([]);
  expect(environment).toContain('DB_BACKUP_KEEP=3');
  const all = processTree(api.child.pid ?? 0).map(({ command }) => command);
  expect(all.length).toBeGreaterThan(2);
  expect(all.filter((command) => command.includes(API_TOKEN))).toEqual([]);
  rmSync(join(folder, 'hold'));
  expect(await made).toMatchObject({ status: 200, body: { success: true } });
  const other = await call(api.url, 'GET /api/database/backups?target=app');
  expect(other).toMatchObject({ status: 422, body: { message: expect.stringContaining('no configuration') } });
  expect(await api.stop()).toBe(0);
});

test('SIGTERM waits for what runs, answers it, and takes nothing else', async () => {
  hold();
  const api = await startApi(inputs, { env: { DB_BACKUP_BEFORE_COMMAND: waiting() } });
  const made = call(api.url, 'POST /api/database/backup');
  await until(hasStarted);
  const ended = api.stop();
  await until(() => api.log().includes('stopping'));
  const late = await call(api.url, 'GET /api/database/backups');
  expect(late).toMatchObject({
    status: 503,
    body: { error_code: 'E_LIMIT', message: expect.stringContaining('stopping') },
  });
  expect(late.headers.get('connection')).toBe('close');
  rmSync(join(folder, 'hold'));
  expect(await made).toMatchObject({ status: 200, body: { success: true } });
  expect(await ended).toBe(0);
  await expect(call(api.url, 'GET /health')).rejects.toThrow();
});

test('after its time what runs is asked to end, which leaves the host clean', async () => {
  hold();
  const before = readdirSync(join(folder, 'backups'));
  const api = await startApi([...inputs, '--stop-timeout', '1s'], { env: { DB_BACKUP_BEFORE_COMMAND: waiting() } });
  const made = call(api.url, 'POST /api/database/backup');
  await until(hasStarted);
  expect(await api.stop()).toBe(0);
  expect(await made).toMatchObject({
    ...{ status: 503, body: { success: false, error_code: 'E_CANCELLED', left: expect.any(String) } },
  });
  expect(await leftAfter(() => processesMentioning(folder), 15_000)).toEqual([]);
  const work = readdirSync(join(folder, 'backups', '.work')).filter((name) => !['lock', 'holder'].includes(name));
  expect({ work, backups: readdirSync(join(folder, 'backups')) }).toEqual({ work: [], backups: before });
  await checkInvariant(join(folder, 'app.db'));
});

test('of a restore that is killed it is told what is not known; the host settles it, and the next one works', async () => {
  hold();
  const api = await startApi(inputs, {
    env: { DB_BACKUP_STOP_COMMAND: waiting(), DB_BACKUP_START_COMMAND: 'true' },
  });
  const { filename } = (await call(api.url, 'POST /api/database/backup')).body.backup;
  const again = () => call(api.url, 'POST /api/database/restore', { body: { filename, confirm: 'app.db' } });
  const restored = again();
  await until(hasStarted);
  const [child] = processesMentioning('restore --json').filter(({ ppid }) => ppid === api.child.pid);
  expect(child?.pid).toBeGreaterThan(1);
  process.kill(Number(child?.pid), 'SIGKILL');
  expect(await restored).toMatchObject({
    status: 500,
    body: {
      ...{
        success: false,
        error_code: 'E_INTERNAL',
        outcome: '',
        hint: expect.stringContaining('/api/database/health'),
      },
      message: 'restore ended with SIGKILL, without a report: it is not known if the database was replaced',
      left: expect.stringContaining('unknown'),
    },
  });
  expect(api.log()).toMatch(/ call POST \/api\/database\/restore 500 \d+ ms .*code=E_INTERNAL/);
  rmSync(join(folder, 'hold'));
  expect(await leftAfter(() => processesMentioning(`${folder}/started`), 15_000)).toEqual([]);
  expect(await again()).toMatchObject({ status: 200, body: { outcome: 'restored' } });
  await checkInvariant(join(folder, 'app.db'));
  expect(await api.stop()).toBe(0);
});

test('Ctrl-C at a terminal, which goes to all that were started there, ends the server alone', async () => {
  hold();
  const file = join(folder, 'token');
  writeFileSync(file, API_TOKEN);
  const token = { DB_BACKUP_TOKEN: '', DB_BACKUP_TOKEN_FILE: file };
  const api = await startApi(inputs, { env: { ...token, DB_BACKUP_BEFORE_COMMAND: waiting() } });
  const made = call(api.url, 'POST /api/database/backup');
  await until(hasStarted);
  const group = (pid: number | undefined): string =>
    spawnSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
  const [child] = processesMentioning('backup --json').filter(({ ppid }) => ppid === api.child.pid);
  expect(group(child?.pid)).not.toBe(group(api.child.pid));
  api.child.kill('SIGINT');
  await until(() => api.log().includes('stopping'));
  rmSync(join(folder, 'hold'));
  expect(await made).toMatchObject({ status: 200 });
  expect(await api.ended).toBe(0);
});

test.each<[what: string, args: string[], env: Record<string, string>, message: RegExp]>([
  ['no token', [], { DB_BACKUP_TOKEN: '' }, /E_INPUT: token: it is required: .*--token-file FILE/],
  ['a short token', [], { DB_BACKUP_TOKEN: 'x'.repeat(31) }, /E_INPUT: token: expected at least 32 characters/],
  ['a token with a blank', [], { DB_BACKUP_TOKEN: `${API_TOKEN} x` }, /E_INPUT: token: expected printable ASCII/],
  ['a token as an option', [`--token=${API_TOKEN}`], {}, /E_INPUT: token: it cannot be an option, because every user/],
  ['a file that is not there', ['--token-file', '/nowhere'], {}, /E_INPUT: token: \/nowhere cannot be read: ENOENT/],
  ['a secret as an option', ['--key', 'x'], {}, /E_INPUT: key: a secret cannot be an option/],
  ['an input that is wrong', ['--keep', 'seven'], {}, /E_INPUT: keep: expected/],
  ['no port', ['--port', '65536'], {}, /E_INPUT: port: expected/],
  ['an address for all', ['--listen', '0.0.0.0'], {}, /E_INPUT: allowed-host: required with --listen 0\.0\.0\.0/],
  ['a name that is none', ['--allowed-host', 'http://x/'], {}, /E_INPUT: allowed-host: expected a name/],
  [
    'no configuration where one is said to be',
    ['--config', '/nowhere.yml'],
    {},
    /E_INPUT: \/nowhere\.yml: it cannot be read/,
  ],
  ['an option that is none', ['--databse', 'x'], {}, /unknown option '--databse'/],
])('does not start with %s', async (_what, args, env, message) => {
  const { ended, log } = startServe([...inputs, ...args], { env, cwd: folder });
  expect(await ended).toBe(2);
  expect(log()).toMatch(message);
  expect(log()).not.toContain(API_TOKEN);
});

test('it says at once what is missing, and what would be that of several databases', async () => {
  const none = startServe([], { cwd: folder });
  expect(await none.ended).toBe(2);
  expect(none.log()).toMatch(/E_INPUT: database: required/);
  writeFileSync(join(folder, 'two.yml'), 'databases: { a: { database: /a.db }, b: { database: /b.db } }\n');
  const both = startServe(['--config', 'two.yml', '--name', 'x'], { cwd: folder, env: { DATABASE_URL: '/c.db' } });
  expect(await both.ended).toBe(2);
  expect(both.log()).toMatch(/E_INPUT: database: it would apply to each of a, b: set it in/);
  expect(both.log()).toMatch(/E_INPUT: name: it would apply to each of a, b/);
});

test('a port that is taken, and an address that others reach', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { port: number };
  const refused = startServe([...inputs, '--port', String(port)]);
  expect(await refused.ended).toBe(1);
  expect(refused.log()).toMatch(new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`));
  taken.close();

  const api = await startApi([...inputs, '--listen', '0.0.0.0', '--allowed-host', 'Backup.example.org']);
  await until(() => /WARN +other machines can reach 0\.0\.0\.0, and the traffic is not encrypted/.test(api.log()));
  expect((await call(api.url.replace('0.0.0.0', '127.0.0.1'), 'GET /health', { token: null })).status).toBe(200);
  expect(await api.stop()).toBe(0);
});
