import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type CommandLineResult, commandLineForAll } from '../helpers/command-line.js';
import { leftAfter, processesOfUser } from '../helpers/processes.js';
import { type ScheduleMachine, scheduleMachine } from '../helpers/schedule-machine.js';
import { createDatabase } from '../helpers/sqlite.js';
import { createUser, type TestUser } from '../helpers/users.js';

/** A name that the shell, and cron itself, would make something of. */
const HOSTILE = `it's 100% "$HOME" \`id\`;.yml`;
/** What others have in their tables: an empty line, bytes that are no text, blanks at the end. */
const FOREIGN = Buffer.from('# mine\n\nMAILTO=""\n5 4 * * * echo "\xff\xe4" \\% \t \n', 'latin1');

let machine: ScheduleMachine;
let user: TestUser;
let folder: string;
let directory: string;
let config: string;

beforeAll(async () => {
  [machine, user] = await Promise.all([scheduleMachine(), createUser()]);
  folder = mkdtempSync('/srv/dbb-cron-');
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'data'));
  await createDatabase(join(folder, 'data', 'app.db'), { owner: user.name });
  chownSync(join(folder, 'data'), user.uid, user.gid);
  directory = join(user.home, 'backups');
  config = join(folder, HOSTILE);
  writeFileSync(
    config,
    `databases: { app: { transport: local, database: ${join(folder, 'data', 'app.db')}, directory: ${directory} } }\n`,
    { mode: 0o644 },
  );
});
afterAll(async () => {
  machine.remove();
  rmSync(folder, { recursive: true });
  await user.remove();
});
beforeEach(() => rmSync(join(machine.tables, user.name), { force: true }));

/** By the user himself. */
const own = (...args: string[]): Promise<CommandLineResult> =>
  machine.schedule(args, { user: user.name, env: { HOME: user.home } });
const install = (...args: string[]): Promise<CommandLineResult> =>
  own('install', '--with', 'cron', '--config', config, '--name', 'shop', ...args);

/** As crontab keeps it, without the lines that it puts before it. */
const table = (): Buffer => {
  const text = readFileSync(join(machine.tables, user.name)).toString('latin1');
  return Buffer.from(text.replace(/^(?:# (?:DO NOT EDIT|\(.*installed on|\(Cron version).*\n)*/, ''), 'latin1');
};

async function withForeign(text: Buffer): Promise<void> {
  const file = join(folder, 'table');
  writeFileSync(file, text);
  expect(await machine.shell(`crontab -u ${user.name} "$FILE"`, { FILE: file })).toEqual({
    code: 0,
    stdout: '',
    stderr: '',
  });
  expect(table()).toEqual(text);
}

test('a real cron does the job that was installed, by the user whose table it is', async () => {
  const due = new Date(Date.now() + 70_000 - ((Date.now() + 10_000) % 60_000));
  const minute = String(due.getMinutes()).padStart(2, '0');
  const installed = await install('--backup', `hourly :${minute}`, '--verify', 'none', '--health', 'none');
  expect([installed.code, installed.stdout]).toEqual([
    0,
    expect.stringContaining(`==> the crontab of ${user.name} <==\n`),
  ]);
  expect(installed.stdout).toContain(table().toString('utf8'));
  const made = (): string[] =>
    existsSync(directory) ? readdirSync(directory).filter((name) => /^app-.*\.json$/.test(name)) : [];
  expect(made()).toEqual([]);
  const result = await machine.shell(
    `cron -f & daemon=$!
    left=1000
    until ls "$DIRECTORY"/app-*.json >/dev/null 2>&1 || [ $left = 0 ]; do sleep 0.1; left=$((left - 1)); done
    kill $daemon`,
    { DIRECTORY: directory },
  );
  expect(result.code).toBe(0);
  expect(made()).toHaveLength(1);
  expect(await leftAfter(() => processesOfUser(user.uid), 15_000)).toEqual([]);
  expect(statSync(join(user.home, '.db-backup-shop-backup.lock')).mode & 0o777).toBe(0o600);

  expect((await own('uninstall', '--name', 'shop')).code).toBe(0);
  expect(existsSync(join(user.home, '.db-backup-shop-backup.lock'))).toBe(false);
});

test('all the rest of the table stays byte for byte', async () => {
  await withForeign(FOREIGN);
  const dry = await install('--dry-run');
  expect([dry.code, table()]).toEqual([0, FOREIGN]);
  expect((await install()).code).toBe(0);
  const first = table();
  expect(first.subarray(0, FOREIGN.length)).toEqual(FOREIGN);
  expect(first.toString('utf8').match(/^\d.* (backup|verify|health) --scheduled --config .*--quiet$/gm)).toHaveLength(
    3,
  );
  // again, with others
  expect((await install('--verify', 'none', '--health', 'hourly')).code).toBe(0);
  const lines = table().subarray(FOREIGN.length).toString('utf8').split('\n');
  expect(lines.filter((line) => /^\d/.test(line)).map((line) => line.split(' umask')[0])).toEqual([
    '15 3 * * *',
    '0 * * * *',
  ]);
  expect((await own('status')).code).toBe(0);
  expect((await own('uninstall')).code).toBe(0);
  expect(table()).toEqual(FOREIGN);
  const none = await own('uninstall');
  expect([none.code, none.stderr]).toEqual([0, expect.stringContaining('nothing of ours is installed')]);
});

test('root installs it for a user, and finds it again', async () => {
  await withForeign(FOREIGN);
  const args = ['--with', 'cron', '--config', config, '--name', 'shop', '--user', user.name];
  expect((await machine.schedule(['install', ...args])).code).toBe(0);
  const { stdout } = await machine.schedule(['list', '--json']);
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object),
  ).toEqual(
    ['backup', 'verify', 'health'].map((job) =>
      expect.objectContaining({
        job,
        with: 'cron',
        user: user.name,
        config,
        where: `the crontab of ${user.name}`,
        intact: true,
      }),
    ),
  );
  const byRoot = await machine.schedule(['install', '--with', 'cron', '--config', config, '--name', 'shop']);
  expect([byRoot.code, byRoot.stderr]).toEqual([
    2,
    expect.stringContaining(`shop is installed already, in the crontab of ${user.name}`),
  ]);
  expect((await machine.schedule(['uninstall', '--name', 'shop'])).code).toBe(0);
  expect(table()).toEqual(FOREIGN);
});

test('a user without a home of his own has no lock there, which could not be made', async () => {
  const { code, stdout } = await machine.schedule([
    ...['install', '--with', 'cron', '--config', config, '--name', 'shop', '--user', 'daemon', '--dry-run'],
  ]);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^15 3 \* \* \* umask 077; \S*\/env PATH=\S+ [^ ]*node /m)]);
});

test('a line that somebody has changed is told, and replaced', async () => {
  await install();
  await withForeign(Buffer.from(table().toString('latin1').replace('15 3 * * *', '15 4 * * *'), 'latin1'));
  const status = await own('status');
  expect([status.code, status.stdout]).toEqual([
    3,
    expect.stringContaining('WRONG: its line was changed after it was written'),
  ]);
  expect((await install()).code).toBe(0);
  expect((await own('status')).code).toBe(0);
});

test('a block in which nothing tells what it is goes as well', async () => {
  await install();
  await withForeign(
    Buffer.from(
      table()
        .toString('latin1')
        .replace(/^# made by .*\n/gm, ''),
      'latin1',
    ),
  );
  expect((await own('uninstall', '--name', 'shop')).code).toBe(0);
  expect(table().toString()).toBe('');
});

test('marks that are damaged: the table stays as it is', async () => {
  await install();
  const damaged = Buffer.from(
    `${table()
      .toString('latin1')
      .replace(/^# <<< .*\n/m, '')}1 1 * * * id\n`,
    'latin1',
  );
  await withForeign(damaged);
  for (const result of [await install(), await own('uninstall', '--name', 'shop')]) {
    expect([result.code, result.stderr]).toEqual([
      2,
      expect.stringContaining('have lost a mark, or have one too many, so nobody knows what is ours'),
    ]);
    expect(table()).toEqual(damaged);
  }
});

test('a table that can not be read is not taken for an empty one', async () => {
  await withForeign(FOREIGN);
  const { node, cli } = await commandLineForAll();
  const { stdout, stderr, code } = await machine.shell(
    `mkdir -p /run/etc/upper /run/etc/work
    mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
    echo root >/etc/cron.allow
    exec runuser -u ${user.name} -- "$NODE" "$CLI" schedule install --with cron --config "$CONFIG" --name shop >/dev/null`,
    { HOME: user.home, CONFIG: config, NODE: node, CLI: cli },
  );
  expect([code, stdout, stderr]).toEqual([
    1,
    '',
    expect.stringMatching(/E_PERM: the crontab of .* can not be read, so it is not written either: .*not allowed/),
  ]);
  expect(table()).toEqual(FOREIGN);
});
