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
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
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
  expect([none.code, none.stderr]).toEqual([0, expect.stringContaining('nothing to remove: nothing is installed')]);
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
  expect((await machine.schedule(['uninstall', '--name', 'shop'])).code).toBe(0);
  expect(table()).toEqual(FOREIGN);
});

test('what one user has is not in the way of another one of that name, and stays when that is taken away', async () => {
  const byRoot = (...args: string[]) => machine.schedule(args);
  const here = ['--config', config, '--name', 'shop'];
  try {
    expect((await install()).code).toBe(0);
    const before = table();
    const units = () => readdirSync(machine.units).filter((name) => /^db-backup-shop-/.test(name));
    // for root himself, once in the one place, and once in the other
    expect((await byRoot('install', '--with', 'systemd', ...here)).code).toBe(0);
    const twice = await byRoot('install', '--with', 'cron', ...here);
    expect([twice.code, twice.stderr]).toEqual([
      2,
      expect.stringContaining('uninstall --name shop --with systemd --user root, or choose another --name'),
    ]);
    for (const dryRun of [['--dry-run'], []]) {
      const which = await byRoot('uninstall', ...dryRun);
      expect([which.code, which.stderr]).toEqual([
        2,
        expect.stringMatching(
          /shop is installed more than once: choose with --with and --user one of --with systemd --user root; --with cron --user dbb-/,
        ),
      ]);
    }
    expect([units().length, table()]).toEqual([6, before]);
    const would = await byRoot('uninstall', '--with', 'systemd', '--dry-run');
    expect([would.code, would.stderr]).toEqual([0, expect.not.stringContaining(user.name)]);
    expect((await byRoot('uninstall', '--with', 'systemd')).code).toBe(0);
    expect([units(), table()]).toEqual([[], before]);

    expect((await byRoot('install', '--with', 'cron', ...here)).code).toBe(0);
    const whose = await byRoot('uninstall');
    expect([whose.code, whose.stderr]).toEqual([2, expect.stringContaining('choose with --user one of')]);
    expect((await byRoot('uninstall', '--user', 'root')).code).toBe(0);
    expect([readFileSync(join(machine.tables, 'root'), 'latin1'), table()]).toEqual([
      expect.not.stringContaining('db-backup'),
      before,
    ]);
    const foreign = await own('uninstall', '--user', 'root');
    expect([foreign.code, foreign.stderr]).toEqual([
      2,
      expect.stringContaining('only root can uninstall it for another user'),
    ]);
    const odd = await own('uninstall', '--with', 'at');
    expect([odd.code, odd.stderr]).toEqual([2, expect.stringContaining('--with: expected one of')]);
    expect((await byRoot('uninstall', '--user', user.name)).code).toBe(0);
    expect(table().toString()).toBe('');
  } finally {
    rmSync(join(machine.tables, 'root'), { force: true });
  }
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
    expect.stringContaining('WRONG: its line was changed after installation'),
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
  const status = await own('status');
  expect([status.code, status.stdout]).toEqual([
    3,
    expect.stringMatching(/^shop in the crontab of .*\n {2}WRONG: the block of shop .* does not say which jobs it has/),
  ]);
  expect((await own('uninstall', '--name', 'shop')).code).toBe(0);
  expect(table().toString()).toBe('');
});

test.each([
  ['no end', /^# <<< .*\n/m],
  ['no beginning', /^# >>> .*\n/m],
  ['neither', /^# (?:>>>|<<<) .*\n/gm],
])('marks that are damaged, %s: the table stays as it is, and status tells', async (_, mark) => {
  await install();
  const damaged = Buffer.from(`${table().toString('latin1').replace(mark, '')}1 1 * * * id\n`, 'latin1');
  await withForeign(damaged);
  const saying = 'have a missing or an extra marker, so it is not clear which lines are ours';
  for (const result of [
    await install(),
    await own('uninstall', '--name', 'shop'),
    await own('uninstall'),
    await own('install', '--with', 'systemd', '--config', config, '--name', 'shop'),
  ]) {
    expect([result.code, result.stderr]).toEqual([2, expect.stringContaining(saying)]);
    expect(table()).toEqual(damaged);
  }
  for (const name of [[], ['--name', 'shop']]) {
    const status = await own('status', ...name);
    expect([status.code, status.stdout]).toEqual([
      3,
      expect.stringMatching(new RegExp(`WRONG: .*${saying}\n {2}Repair them with \`crontab -e\``)),
    ]);
  }
  const list = await own('list');
  expect([list.code, list.stderr]).toEqual([0, expect.stringMatching(new RegExp(`WARN .*${saying}`))]);
  expect((await own('status', '--name', 'app')).stderr).toContain('nothing is installed under the name app');
});

/** Two that install at once: none of them writes before both have read, and none looks before both have written. */
const AT_ONCE = `#!/bin/sh
wait_for_two() {
  : >"FOLDER/$1.$PPID"
  left=600
  until [ "$(ls FOLDER | grep -c "^$1\\.")" -ge 2 ] || [ $left = 0 ]; do sleep 0.1; left=$((left - 1)); done
}
case $1 in
-l) cat FOLDER/table ;;
*)
  cat >"FOLDER/new.$PPID"
  wait_for_two begun
  mv "FOLDER/new.$PPID" FOLDER/table
  wait_for_two written ;;
esac
`;
/** Somebody writes the table that he has read before, whenever somebody else has written it. */
const ALWAYS_AGAIN = '#!/bin/sh\ncase $1 in -l) cat FOLDER/table ;; *) cat >/dev/null ;; esac\n';

describe('a table that somebody else writes at the same time', () => {
  let stub: string;
  beforeEach(() => {
    stub = mkdtempSync('/srv/dbb-stub-');
    writeFileSync(join(stub, 'table'), FOREIGN);
  });
  afterEach(() => rmSync(stub, { recursive: true }));

  const withCrontab = async (script: string, line: string): Promise<CommandLineResult> => {
    mkdirSync(join(stub, 'bin'));
    writeFileSync(join(stub, 'bin', 'crontab'), script.replaceAll('FOLDER', stub), { mode: 0o755 });
    const { node, cli } = await commandLineForAll();
    const install = `"$NODE" "$CLI" schedule install --with cron --config "$CONFIG"`;
    return machine.shell(`PATH="$STUB/bin:$PATH"; install() { ${install} "$@" 2>&1 >/dev/null; }; ${line}`, {
      ...{ NODE: node, CLI: cli, CONFIG: config, STUB: stub },
    });
  };

  test('both are there in the end', async () => {
    const result = await withCrontab(AT_ONCE, 'install --name one & first=$!; install --name two && wait $first');
    expect([result.code, result.stdout.match(/ installed; /g)]).toEqual([0, [' installed; ', ' installed; ']]);
    const text = readFileSync(join(stub, 'table'), 'latin1');
    expect(text.startsWith(FOREIGN.toString('latin1'))).toBe(true);
    expect(text.match(/^# (?:>>>|<<<) db-backup \w+/gm)?.sort()).toEqual([
      ...['# <<< db-backup one', '# <<< db-backup two', '# >>> db-backup one', '# >>> db-backup two'],
    ]);
  });

  test('what does not stay there is not called installed', async () => {
    const result = await withCrontab(ALWAYS_AGAIN, 'install --name one');
    expect([result.code, result.stdout]).toEqual([
      1,
      expect.stringMatching(
        /E_LOCKED: the crontab of root was written 5 times, and each time something else changed it/,
      ),
    ]);
    expect(result.stdout).not.toContain('installed');
  });
});

test('a table that can not be read is not taken for an empty one', async () => {
  await withForeign(FOREIGN);
  const { node, cli } = await commandLineForAll();
  const denied = (line: string): Promise<CommandLineResult> =>
    machine.shell(
      `mkdir -p /run/etc/upper /run/etc/work
      mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
      echo root >/etc/cron.allow
      exec runuser -u ${user.name} -- "$NODE" "$CLI" schedule ${line}`,
      { HOME: user.home, CONFIG: config, NODE: node, CLI: cli },
    );
  const saying = /the crontab of .* cannot be read, so .*: .*not allowed/;
  const install = 'install --with cron --config "$CONFIG" --name shop >/dev/null';
  for (const line of [install, 'uninstall', 'uninstall --name shop --dry-run', 'uninstall --with cron']) {
    expect(await denied(line)).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(saying) });
  }
  expect(table()).toEqual(FOREIGN);
  expect((await denied('uninstall --with systemd')).code).toBe(0);
  const status = await denied('status --name shop');
  expect([status.code, status.stdout]).toEqual([3, expect.stringMatching(new RegExp(`WRONG: ${saying.source}`))]);
  const list = await denied('list');
  expect([list.code, list.stderr]).toEqual([0, expect.stringMatching(new RegExp(`WARN {2}${saying.source}`))]);
});
