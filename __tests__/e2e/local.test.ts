import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { leftAfter, processesMentioning } from '../helpers/processes.js';
import { type ActionResult, startAction } from '../helpers/run-action.js';
import { reportOf } from '../helpers/scene.js';
import { checkInvariant, createDatabase, restorePayload } from '../helpers/sqlite.js';

let folder: string;
let directory: string;
let temp: string;
let database: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-local-'));
  directory = join(folder, 'back ups');
  temp = join(folder, 'temp');
  mkdirSync(temp);
  database = join(folder, "app's.db");
  await createDatabase(database, { mb: 1 });
});
afterAll(() => rmSync(folder, { recursive: true }));

const start = (inputs: Record<string, string> = {}, env: Record<string, string> = {}) =>
  startAction(
    { transport: 'local', database, directory, name: 'app', ...inputs },
    { env: { RUNNER_TEMP: temp, ...env }, post: 'always' },
  );
const run = (inputs?: Record<string, string>): Promise<ActionResult> => start(inputs).result();

const backups = () =>
  existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => name !== '.work' && name !== 'history.jsonl')
        .sort()
    : [];
const leftovers = () => readdirSync(join(directory, '.work')).filter((name) => !['lock', 'holder'].includes(name));
/** Shells and tools of ours, which work in the backup directory; not the action, nor who holds the database's lock. */
const working = () =>
  processesMentioning(directory).filter(({ command }) => !/dist\/index\.js|^sqlite3.*-bail/.test(command));

async function middleOf(inputs: Record<string, string>) {
  const running = start({ 'lock-wait': '10m', ...inputs });
  await running.line(/logged in as/);
  for (const end = Date.now() + 15_000; !processesMentioning(join(directory, '.work')).length; ) {
    if (Date.now() > end) throw new Error('the copy did not begin');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return running;
}

test('a backup and its list, without any input of ssh', async () => {
  const result = await run();
  const id = expectBackup(result);
  expect(result.annotations).toEqual([]);
  expect(result.steps.post).toEqual({ code: 0, signal: null });
  expect(backups()).toEqual([`${id}.json`, `${id}.sqlite.zst`, `${id}.sqlite.zst.sha256`, 'status.json']);
  execFileSync('sha256sum', ['-c', `${id}.sqlite.zst.sha256`], { cwd: directory });
  await restorePayload(join(directory, `${id}.sqlite.zst`), join(folder, 'restored.db'));
  await checkInvariant(join(folder, 'restored.db'));
  expect(reportOf(result).host).toBe('this machine');
  // What the program on the host says is for us alone, not for the log.
  expect(result.log).not.toMatch(/@[0-9a-f]{32}/);

  const list = await run({ command: 'list' });
  expect(list.code).toBe(0);
  expect(reportOf(list).backups.map((backup) => backup.id)).toEqual([id]);
  expect(await leftAfter(working, 15_000)).toEqual([]);
  expect(readdirSync(temp)).toEqual([]);
});

test('a failure there is told like any other', async () => {
  expectFailure(await run({ database: join(folder, 'missing.db') }), 'E_SOURCE_MISSING', 'missing.db');
  expect(existsSync(join(folder, 'missing.db'))).toBe(false);
  expect(readdirSync(temp)).toEqual([]);
});

test('commands of the user get the environment of a login, and nothing of the inputs and the runner', async () => {
  const id = expectBackup(await run());
  const [home, said] = [join(folder, 'home'), join(folder, 'environment')];
  mkdirSync(home);
  const login = {
    ...{ HOME: home, USER: 'deploy', LOGNAME: 'deploy', SHELL: '/bin/sh', LC_TIME: 'C', TZ: 'Europe/Berlin' },
    ...{ LANG: 'C.UTF-8', XDG_RUNTIME_DIR: '/run/user/1', DBUS_SESSION_BUS_ADDRESS: 'unix:path=/run/user/1/bus' },
    ...{ https_proxy: 'http://proxy.example:3128', NO_PROXY: 'localhost', DOCKER_HOST: 'unix:///run/docker.sock' },
  };
  const runner = {
    ...{ GITHUB_TOKEN: 'ghs_secret', ACTIONS_RUNTIME_TOKEN: 'a-token', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'a-token' },
    ...{ AWS_SECRET_ACCESS_KEY: 'a-key', RUNNER_TRACKING_ID: 'github_1', NPM_TOKEN: 'a-token', PGPASSWORD: 'a-word' },
    ...{ BASH_ENV: join(folder, 'rc'), NODE_OPTIONS: '--no-warnings', LC_secret: 'a-word' },
  };
  const tell = (name: string) => `env >'${said}.${name}'`;
  const result = await start(
    {
      command: 'restore',
      backup: id,
      confirm: "app's.db",
      'stop-command': tell('stop'),
      'start-command': tell('start'),
      'after-restore-command': tell('after'),
      'check-command': tell('check'),
    },
    { ...login, ...runner },
  ).result();
  expect(result).toMatchObject({ code: 0, outputs: { 'restore-outcome': 'restored' } });
  for (const name of ['stop', 'start', 'after', 'check']) {
    const pairs = readFileSync(`${said}.${name}`, 'utf8').split('\n').filter(Boolean);
    const seen = Object.fromEntries(pairs.map((line) => [line.slice(0, line.indexOf('=')), line]));
    // The shells add their own; PATH gets the folders of the system at its end.
    for (const own of ['PATH', 'PWD', 'OLDPWD', 'SHLVL', '_']) delete seen[own];
    expect(seen).toEqual(Object.fromEntries(Object.entries(login).map(([key, value]) => [key, `${key}=${value}`])));
  }
});

test('the lock holds against a second run; SIGTERM ends the first one whole', async () => {
  const before = backups().filter((name) => name !== 'status.json');
  const unlock = (await holdLock(database, EXCLUSIVE)).release;
  const first = await middleOf({});

  const second = await run({ 'lock-wait': '1s' });
  expectFailure(second, 'E_LOCKED', 'another run holds the lock', 'https://github.com/owner/repo/actions/runs/1');

  first.kill('SIGTERM');
  const result = await first.result();
  expectFailure(result, 'E_CANCELLED', 'SIGTERM');
  expect(await leftAfter(working, 15_000)).toEqual([]);
  expect(leftovers()).toEqual([]);
  expect(backups().filter((name) => name !== 'status.json')).toEqual(before);
  expect(readdirSync(temp)).toEqual([]);
  await unlock();

  expectBackup(await run({ 'lock-wait': '1s' }));
});

test('SIGKILL of the action: the shell sees its requests end, and cleans up by itself', async () => {
  const unlock = (await holdLock(database, EXCLUSIVE)).release;
  const running = await middleOf({});
  running.kill('SIGKILL');
  expect((await running.main).signal).toBe('SIGKILL');
  expect(await leftAfter(working, 15_000)).toEqual([]);
  expect(leftovers()).toEqual([]);
  const { steps } = await running.result();
  expect(steps.post?.code).toBe(0);
  await unlock();
  expectBackup(await run({ 'lock-wait': '1s' }));
});
