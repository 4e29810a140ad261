import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { commandLineForAll } from '../helpers/command-line.js';
import { type ScheduleMachine, scheduleMachine } from '../helpers/schedule-machine.js';
import { createDatabase } from '../helpers/sqlite.js';
import { createUser, type TestUser } from '../helpers/users.js';

let machine: ScheduleMachine;
let user: TestUser;
let folder: string;
let config: string;
let directory: string;
let programs: { node: string; cli: string };

beforeAll(async () => {
  [machine, user, programs] = await Promise.all([scheduleMachine(), createUser(), commandLineForAll()]);
  folder = mkdtempSync('/srv/dbb-schedule-');
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'data'));
  await createDatabase(join(folder, 'data', 'app.db'), { owner: user.name });
  chownSync(join(folder, 'data'), user.uid, user.gid);
  directory = join(user.home, 'backups');
  config = join(folder, 'shop.yml');
  configure('');
});
afterAll(async () => {
  machine.remove();
  rmSync(folder, { recursive: true });
  await user.remove();
});
beforeEach(() => {
  for (const name of readdirSync(machine.units)) rmSync(join(machine.units, name), { recursive: true });
});

function configure(more: string, name = 'shop.yml'): string {
  const text = `databases:
  app:
    transport: local
    database: ${join(folder, 'data', 'app.db')}
    directory: ${directory}
${more}`;
  writeFileSync(join(folder, name), text, { mode: 0o644 });
  return join(folder, name);
}

const unit = (name: string): string => readFileSync(join(machine.units, name), 'utf8');
const units = (): string[] =>
  readdirSync(machine.units)
    .filter((name) => /\.(service|timer)$/.test(name))
    .sort();
const install = (...args: string[]) =>
  machine.schedule(['install', '--with', 'systemd', '--config', config, '--user', user.name, ...args]);

const ALL = ['backup', 'health', 'verify'].flatMap((job) => [
  `db-backup-shop-${job}.service`,
  `db-backup-shop-${job}.timer`,
]);

test('install writes what it shows, and its timers begin with the system', async () => {
  const dry = await install('--dry-run');
  expect([dry.code, units()]).toEqual([0, []]);
  expect(dry.stderr).toMatch(new RegExp(`would write for ${config}, to be run by ${user.name} with systemd:`));
  expect(dry.stderr).toMatch(/backup: daily 03:15; next \w{3} [\d-]+ 03:15, \w{3} [\d-]+ 03:15, \w{3} [\d-]+ 03:15 \(/);

  const result = await install();
  expect([result.code, result.stdout]).toEqual([0, dry.stdout]);
  expect(units()).toEqual(ALL);
  const shown = new Map(
    [...result.stdout.matchAll(/^==> (.*) <==\n([\s\S]*?)\n(?===>|$(?![\s\S]))/gm)].map(([, where = '', text = '']) => [
      where,
      text,
    ]),
  );
  expect([...shown.keys()].sort()).toEqual(ALL.map((name) => `/etc/systemd/system/${name}`));
  for (const name of ALL) expect(shown.get(`/etc/systemd/system/${name}`)).toBe(unit(name));
  expect(readdirSync(join(machine.units, 'timers.target.wants')).sort()).toEqual(
    ALL.filter((name) => name.endsWith('.timer')),
  );
  expect(result.stderr).toContain('systemd is not running here: the timers start at the next boot');
});

test('the line of each service, run as it stands by the user, does its job; systemd has nothing to say about the units', async () => {
  await install();
  const files = ALL.map((name) => join(machine.units, name));
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...files], { encoding: 'utf8' });
  expect(stdout + stderr).toBe('');
  for (const job of ['backup', 'verify', 'health']) {
    const service = unit(`db-backup-shop-${job}.service`);
    expect(service).toContain(`\nUser=${user.name}\n`);
    const [, line = ''] = /^ExecStart=(.*)$/m.exec(service) ?? [];
    // what systemd gives to a service: neither a terminal, nor a home of the caller, nor his variables
    const said = execFileSync('runuser', ['-u', user.name, '--', 'env', '-i', 'PATH=/usr/bin:/bin', 'sh', '-c', line], {
      ...{ cwd: '/', encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    });
    expect(said).not.toContain('WRONG');
  }
  const manifests = readdirSync(directory).filter((name) => /^app-.*\.json$/.test(name));
  expect(manifests).toHaveLength(1);
  expect(JSON.parse(readFileSync(join(directory, manifests[0] ?? ''), 'utf8'))).toMatchObject({ reason: 'scheduled' });
});

test('a service may write where the databases and the backups are, and nowhere else', async () => {
  rmSync(directory, { recursive: true, force: true });
  const paths = (): string[] =>
    [...unit('db-backup-shop-backup.service').matchAll(/^ReadWritePaths=(.*)$/gm)].map(([, path = '']) => path);
  await install();
  // as long as the backup directory is not there, the folder that it will be made in
  expect(paths()).toEqual(expect.arrayContaining([`-${folder}/data`, `-${user.home}`]));
  mkdirSync(directory);
  chownSync(directory, user.uid, user.gid);
  await install();
  expect(paths().filter((path) => !/^-\/(?:var\/)?tmp$/.test(path))).toEqual(
    [`-${folder}/data`, `-${directory}`].sort(),
  );

  const confined = (name: string, text: string) => {
    const path = configure(text, name);
    return machine.schedule(['install', '--with', 'systemd', '--config', path, '--user', user.name]);
  };
  await confined('hooks.yml', '    before-command: "true"\n');
  expect(unit('db-backup-hooks-backup.service')).toContain('# not confined');
  expect(unit('db-backup-shop-backup.service')).toContain('ProtectSystem=strict');
});

test('who could change what is run is told', async () => {
  const open = join(folder, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  configure('', 'open/shop.yml');
  const told = await machine.schedule([
    'install',
    '--with',
    'systemd',
    '--config',
    join(open, 'shop.yml'),
    '--dry-run',
  ]);
  expect(told.stderr).toContain(`WARN  another user can change ${open}, and so could do anything as root`);
  const plain = await machine.schedule(['install', '--with', 'systemd', '--config', config, '--dry-run']);
  expect(plain.stderr).not.toContain('WARN');
});

test('credentials are handed to the service, and what can not be there is told', async () => {
  const path = configure(
    '    encrypt: gpg\n    encryption-passphrase: { credential: pass.1 }\n    signing-key: { env: SIGN }\n',
    'secret.yml',
  );
  const result = await machine.schedule(['install', '--with', 'systemd', '--config', path, '--user', user.name]);
  expect(result.code).toBe(0);
  expect(unit('db-backup-secret-backup.service')).toContain('\nLoadCredential=pass.1:%E/credstore/pass.1\n');
  expect(result.stderr).toMatch(/WARN {2}\/etc\/credstore\/pass\.1 is missing/);
  expect(result.stderr).toMatch(/WARN {2}the configuration names the variable SIGN, which is not set/);
  const cron = await machine.schedule([
    'install',
    '--with',
    'cron',
    '--config',
    path,
    '--user',
    user.name,
    '--name',
    'other',
    '--dry-run',
  ]);
  expect([cron.code, cron.stderr]).toEqual([
    2,
    expect.stringContaining('systemd credentials (pass.1), which cron does not support'),
  ]);
  const odd = configure('    signing-key: { credential: "a:/etc/shadow" }\n', 'odd.yml');
  expect((await machine.schedule(['install', '--with', 'systemd', '--config', odd, '--dry-run'])).code).toBe(2);
});

describe('once installed', () => {
  test('installing again replaces it, with the jobs that are wanted now', async () => {
    await install();
    const result = await install('--verify', 'none', '--backup', 'every 6 hours');
    expect(result.code).toBe(0);
    expect(units()).toEqual(ALL.filter((name) => !name.includes('verify')));
    expect(unit('db-backup-shop-backup.timer')).toContain('\nOnCalendar=*-*-* 00/6:00:00\n');
    expect(existsSync(join(machine.units, 'timers.target.wants', 'db-backup-shop-verify.timer'))).toBe(false);
  });

  test('it is listed, and its status tells when a file was changed', async () => {
    await install('--verify', 'none');
    const { stdout } = await machine.schedule(['list', '--json']);
    const jobs = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const common = { name: 'shop', with: 'systemd', user: user.name, config, intact: true };
    expect(jobs).toEqual([
      expect.objectContaining({
        ...common,
        job: 'backup',
        calendar: 'daily 03:15',
        where: '/etc/systemd/system/db-backup-shop-backup.timer',
      }),
      expect.objectContaining({ ...common, job: 'health', calendar: 'daily 08:00' }),
    ]);
    writeFileSync(
      join(machine.units, 'db-backup-shop-health.service'),
      `${unit('db-backup-shop-health.service')}# by hand\n`,
    );
    const status = await machine.schedule(['status', '--name', 'shop']);
    expect([status.code, status.stdout.match(/WRONG: its files were changed/g)]).toEqual([
      3,
      ['WRONG: its files were changed'],
    ]);
    expect((await machine.schedule(['list'])).stdout.split('\n')).toEqual([
      expect.stringMatching(/^shop backup: daily 03:15, next .*\.timer$/),
      expect.stringMatching(/^shop health: daily 08:00, next .*, changed$/),
      '',
    ]);
  });

  test('uninstall takes away that, and nothing else', async () => {
    writeFileSync(join(machine.units, 'db-backup-shop-mine.timer'), '[Timer]\n');
    symlinkSync('/dev/null', join(machine.units, 'db-backup-shop-other.service'));
    await install();
    const other = await machine.schedule(['install', '--with', 'systemd', '--config', config, '--name', 'other']);
    expect([other.code, units()]).toEqual([0, expect.arrayContaining(['db-backup-other-backup.timer'])]);
    const which = await machine.schedule(['uninstall']);
    expect([which.code, which.stderr]).toEqual([2, expect.stringContaining('--name: choose one of other, shop')]);
    const dry = await machine.schedule(['uninstall', '--name', 'shop', '--dry-run']);
    expect([dry.code, units()]).toEqual([0, expect.arrayContaining(ALL)]);

    expect((await machine.schedule(['uninstall', '--name', 'shop'])).code).toBe(0);
    expect((await machine.schedule(['uninstall', '--name', 'other'])).code).toBe(0);
    expect(units()).toEqual(['db-backup-shop-mine.timer', 'db-backup-shop-other.service']);
    const wants = join(machine.units, 'timers.target.wants');
    expect(existsSync(wants) ? readdirSync(wants) : []).toEqual([]);
    const none = await machine.schedule(['uninstall', '--name', 'shop']);
    expect([none.code, none.stderr]).toEqual([
      0,
      expect.stringContaining('nothing to remove: nothing is installed under the name shop'),
    ]);
    expect((await machine.schedule(['status'])).code).toBe(3);
  });

  test('its name is not taken by another configuration, nor by another system', async () => {
    await install();
    const other = configure('', 'other.yml');
    const taken = await machine.schedule(['install', '--with', 'systemd', '--config', other, '--name', 'shop']);
    expect([taken.code, taken.stderr]).toEqual([2, expect.stringContaining(`shop is already installed for ${config}`)]);
    const twice = await machine.schedule(['install', '--with', 'cron', '--config', config, '--user', user.name]);
    expect([twice.code, twice.stderr]).toEqual([
      2,
      expect.stringContaining('shop is already installed, in /etc/systemd/system/'),
    ]);
  });
});

test.each([
  ['a file of somebody else', (path: string) => writeFileSync(path, '[Timer]\n# mine\n')],
  ['a link', (path: string) => symlinkSync(config, path)],
  ['a folder', (path: string) => mkdirSync(path)],
])('%s of that name: it is left, and nothing is written', async (_, make) => {
  const path = join(machine.units, 'db-backup-shop-verify.timer');
  make(path);
  const before = readFileSync(config, 'utf8');
  const result = await install();
  expect([result.code, result.stderr]).toEqual([
    2,
    expect.stringContaining(
      '/etc/systemd/system/db-backup-shop-verify.timer already exists, and was not made by db-backup',
    ),
  ]);
  expect(readdirSync(machine.units)).toEqual(['db-backup-shop-verify.timer']);
  expect(readFileSync(config, 'utf8')).toBe(before);
});

test('a user installs units of his own, and sees those of the system', async () => {
  const home = { XDG_CONFIG_HOME: join(user.home, 'config') };
  const own = (...args: string[]) => machine.schedule(args, { user: user.name, env: { ...home, HOME: user.home } });
  await install('--name', 'whole');
  const result = await own('install', '--with', 'systemd', '--config', config, '--health', 'none', '--verify', 'none');
  expect(result.code).toBe(0);
  const folderOfUser = join(user.home, 'config', 'systemd', 'user');
  expect(readdirSync(folderOfUser).sort()).toEqual([
    'db-backup-shop-backup.service',
    'db-backup-shop-backup.timer',
    'timers.target.wants',
  ]);
  expect(readFileSync(join(folderOfUser, 'db-backup-shop-backup.service'), 'utf8')).not.toMatch(/^User=/m);
  const listed = (await own('list')).stdout;
  expect(listed).toMatch(/^whole backup: /m);
  expect(listed).toMatch(/^shop backup: .*\/config\/systemd\/user\//m);
  const ofRoot = await own('uninstall', '--name', 'whole');
  expect([ofRoot.code, ofRoot.stderr]).toEqual([1, expect.stringContaining('E_PERM')]);
  await install();
  expect((await own('uninstall', '--name', 'shop')).code).toBe(0);
  expect(units()).toHaveLength(12);
  expect(readdirSync(folderOfUser).filter((name) => name.includes('shop'))).toEqual([]);
  const other = await own('install', '--with', 'systemd', '--config', config, '--user', 'root');
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('only root can install it for another user')]);
});

test('who can not write in his home is told that, and not that he is not root', async () => {
  const closed = mkdtempSync('/srv/dbb-closed-');
  try {
    const { code, stderr } = await machine.schedule(['install', '--with', 'systemd', '--config', config], {
      ...{ user: user.name, env: { XDG_CONFIG_HOME: join(closed, 'config') } },
    });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/E_PERM: .*\.service could not be written: EACCES/)]);
    expect(stderr).toContain(`${user.name}, who cannot write to ${closed}: correct that, or install it as root`);
    expect(stderr).not.toContain('whole system');
  } finally {
    rmSync(closed, { recursive: true });
  }
});

describe('what is wrong is told before anything is written', () => {
  const refused = async (args: string[], ...sayings: string[]): Promise<void> => {
    const result = await machine.schedule(['install', '--with', 'systemd', ...args]);
    for (const saying of sayings) expect(result.stderr).toContain(saying);
    expect([result.code, result.stdout, readdirSync(machine.units)]).toEqual([2, '', []]);
  };

  test('no configuration, with how one looks', () =>
    refused([], 'there is no configuration', 'databases:\n', '    database: /srv/app/app.db'.trimStart()));

  test('options, all at once', () =>
    refused(
      [
        '--config',
        config,
        '--backup',
        'now and then',
        '--health',
        '*/5 * * * *',
        '--name',
        '../x',
        '--user',
        'no-such-user',
      ],
      ...[
        '--backup: expected hourly',
        '--health: expected hourly',
        '--name: expected 1 to 64',
        '--user: there is no user "no-such-user"',
      ],
    ));

  test('no job at all', () =>
    refused(['--config', config, '--backup', 'none', '--verify', 'none', '--health', 'none'], 'all jobs are none'));

  test('a configuration that no job could do with', async () => {
    const wrong = configure('    keep: seven\n    no-such-input: 1\n', 'wrong.yml');
    await refused(['--config', wrong], `${wrong}:7: unknown input "no-such-input"`);
    await refused(
      ['--config', configure('    keep: seven\n    max-age: old\n', 'wrong.yml')],
      'app, for backup and health: keep: ',
      'app, for verify and health: max-age: ',
    );
  });

  test('a configuration that the user can not read', async () => {
    const closed = configure('', 'closed.yml');
    chmodSync(closed, 0o600);
    await refused(['--config', closed, '--user', user.name], `${user.name}, who will run it, cannot read ${closed}`);
  });

  test('a file in the home of whoever runs it, which is another one than that of who installs it', async () => {
    const block =
      '    encrypt: gpg\n    encryption-passphrase:\n      file: &pass "~/pass"\n    signing-key: { file: *pass }\n';
    const home = configure(block, 'home.yml');
    await refused(
      ['--config', home, '--user', user.name],
      `${home}: ~/pass would be read from the home of ${user.name}, who will run it: write the absolute path`,
    );
    // one's own is the same for both, and is not there
    const own = await machine.schedule(['install', '--with', 'systemd', '--config', home, '--dry-run']);
    expect(own.stderr).not.toContain('absolute path');
    expect(own.stderr).toContain('/root/pass cannot be read');
  });

  test('a program that npx has fetched for this once', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'dbb-npx-'));
    try {
      mkdirSync(join(cache, '_npx'));
      execFileSync('cp', ['-r', join(programs.cli, '..'), join(cache, '_npx', 'dist')]);
      const { code, stderr } = await machine.shell(
        `exec "${programs.node}" "${join(cache, '_npx', 'dist', 'cli.js')}" schedule install --with systemd --config "${config}"`,
      );
      expect([code, stderr]).toEqual([2, expect.stringContaining('npm install --global db-backup-action')]);
    } finally {
      rmSync(cache, { recursive: true });
    }
  });

  test('tasks of Windows are shown here, and not installed', async () => {
    const shown = await machine.schedule(['install', '--with', 'task-scheduler', '--config', config, '--dry-run']);
    expect([shown.code, shown.stdout]).toEqual([
      0,
      expect.stringContaining('==> the task \\db-backup\\shop-backup <==\n<?xml version="1.0"'),
    ]);
    expect(shown.stderr).toContain('this is for Windows');
    const result = await machine.schedule(['install', '--with', 'task-scheduler', '--config', config]);
    expect([result.code, result.stderr]).toEqual([2, expect.stringContaining('is for Windows')]);
  });
});
