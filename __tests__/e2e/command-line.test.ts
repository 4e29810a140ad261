import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CLI, commandLine, NODE, onTerminal } from '../helpers/command-line.js';
import { type SlowTools, slowTools } from '../helpers/slow-tools.js';
import { createDatabase, sql } from '../helpers/sqlite.js';
import { type Sshd, startSshd } from '../helpers/sshd.js';

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARN|ERROR) +\S/;

let folder: string;
let database: string;
let directory: string;
let local: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-command-line-'));
  database = join(folder, "app's.db");
  await createDatabase(database, { mb: 1 });
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  directory = mkdtempSync(join(folder, 'back ups '));
  local = ['--database', database, '--directory', directory, '--transport', 'local', '--name', 'app'];
});

const ids = () =>
  readdirSync(directory)
    .filter((name) => /^app-.*\.json$/.test(name))
    .map((name) => name.slice(0, -5));
const rows = async () => (await sql(database, 'select count(*) from blobs')).trim();
const plain = (stderr: string) => {
  const lines = stderr.trimEnd().split('\n');
  expect(lines.filter((line) => !STAMP.test(line))).toEqual([]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be there
  expect(stderr).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]|::/);
  return lines;
};

test('a backup, its list, its proof, its deletion, as from cron', async () => {
  const backup = await commandLine(['backup', ...local]);
  expect(backup).toMatchObject({ code: 0, stdout: '' });
  expect(plain(backup.stderr).at(-1)).toMatch(/INFO {2}✅ Backup app-\S+ of app: .*verified: content, 1 kept/);
  const [id = ''] = ids();
  expect(JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8'))).toMatchObject({
    reason: 'manual',
    github: null,
  });

  const list = await commandLine(['list', ...local]);
  expect(list.code).toBe(0);
  expect(list.stdout).toMatch(new RegExp(`^${id}  [^\n]* verified: content\n$`));
  plain(list.stderr);

  expect((await commandLine(['verify', id, '--verify', 'restore', ...local])).code).toBe(0);
  const pinned = await commandLine(['pin', id, 'for the audit', '--json', ...local]);
  expect(pinned.code).toBe(0);
  expect(JSON.parse(pinned.stdout)).toMatchObject({
    command: 'pin',
    ok: true,
    backup: { id, pinned: 'for the audit' },
  });

  const scheduled = await commandLine(['backup', '--scheduled', '--quiet', ...local]);
  expect(scheduled).toEqual({ code: 0, stdout: '', stderr: '' });
  const [other = ''] = ids().filter((one) => one !== id);
  expect(JSON.parse(readFileSync(join(directory, `${other}.json`), 'utf8'))).toMatchObject({ reason: 'scheduled' });

  const gone = await commandLine(['delete', other, ...local]);
  expect(gone.code).toBe(0);
  expect(ids()).toEqual([id]);
});

test('a restore, with the name of the database', async () => {
  await commandLine(['backup', ...local]);
  const [id = ''] = ids();
  const before = await rows();
  await sql(database, 'delete from blobs');
  const unasked = await commandLine(['restore', id, ...local]);
  expect(unasked.code).toBe(2);
  expect(plain(unasked.stderr).at(-1)).toMatch(/ERROR E_CONFIRM: /);
  expect(await rows()).toBe('0');
  const restored = await commandLine(['restore', id, '--confirm', "app's.db", ...local]);
  expect(restored.stderr).toContain('✅ Restored');
  expect(restored.code).toBe(0);
  expect(await rows()).toBe(before);
  const [, undo = ''] = /to undo this restore:\n.* INFO {4}db-backup (.*)\n/.exec(restored.stderr) ?? [];
  expect(undo).toMatch(
    /^restore app-\S+ --confirm 'app'\\''s.db' --dry-run false --transport local --database '.*' --name app --directory '.*'$/,
  );
});

describe('exit status', () => {
  test('a failure is 1, and plain', async () => {
    const failed = await commandLine(['backup', ...local, '--database', '/nowhere.db'].toSpliced(1, 2));
    expect(failed.code).toBe(1);
    expect(plain(failed.stderr).at(-1)).toMatch(/ERROR E_SOURCE_MISSING: there is no database at \/nowhere\.db/);
  });

  test('wrong input is 2, all of it at once, before anything is touched', async () => {
    const wrong = await commandLine(['backup', ...local, '--keep', 'x', '--umask', 'y', '--key', 'hunter2'], {
      env: { DB_BACKUP_HOST: '-bad', DB_BACKUP_S3_BUCKET_FILE: '/nowhere' },
    });
    expect(wrong.code).toBe(2);
    const said = plain(wrong.stderr).join('\n');
    for (const input of ['keep', 'umask', 'key', 's3-bucket']) expect(said).toMatch(new RegExp(`\\b${input}: `));
    expect(said).toContain('set DB_BACKUP_KEY, or DB_BACKUP_KEY_FILE');
    expect(wrong.stderr + wrong.stdout).not.toContain('hunter2');
    expect(readdirSync(directory)).toEqual([]);
  });

  test('the path of a known_hosts file is none, and it says where one goes', async () => {
    const args = ['backup', '--transport', 'ssh', '--known-hosts', '/etc/ssh/ssh_known_hosts'];
    const { code, stderr } = await commandLine(args);
    expect(code).toBe(2);
    expect(stderr).toContain(
      'known-hosts: it looks like the path of a file; give the contents of that file, or set DB_BACKUP_KNOWN_HOSTS_FILE to the path',
    );
  });

  test('what is missing is named as somebody gives it there', async () => {
    const none = await commandLine(['backup', '--transport', 'ssh']);
    expect(none.code).toBe(2);
    const said = plain(none.stderr).join('\n');
    for (const [input, advice] of [
      ['host', 'give it as `--host`, or set DB_BACKUP_HOST'],
      ['key', 'set DB_BACKUP_KEY, or DB_BACKUP_KEY_FILE to a file that holds it'],
      ['known-hosts', 'When they agree, give it as `--known-hosts`, or set DB_BACKUP_KNOWN_HOSTS'],
      ['database', 'give it as `--database`, or set DB_BACKUP_DATABASE'],
    ]) {
      expect(said).toMatch(new RegExp(`\\b${input}: required.*${advice}`));
    }
    expect(said).not.toMatch(/secret|gh |vars\./);
  });

  test('no input at all says what is missing, and where help is', async () => {
    const none = await commandLine(['backup']);
    expect(none.code).toBe(2);
    expect(none.stderr).toMatch(/database: .*missing|database: it is (empty|required)/);
    expect(none.stderr).toContain('db-backup COMMAND --help');
  });

  test('what to do is said as somebody types it', async () => {
    const unconfirmed = await commandLine(['restore', 'latest', ...local]);
    expect(unconfirmed.code).toBe(2);
    expect(plain(unconfirmed.stderr).at(-1)).toContain(
      "Run with `--dry-run` to see what would be lost. If you accept that, give `--confirm 'app'\\''s.db'`.",
    );
  });

  test('suspect and unhealthy are 3', async () => {
    expect((await commandLine(['health', ...local])).code).toBe(3); // there is no backup
    const shrinking = join(folder, 'shrinking.db');
    await sql(shrinking, 'create table t(a); insert into t select value from generate_series(1, 1000)');
    const own = local.with(1, shrinking);
    expect((await commandLine(['backup', ...own])).code).toBe(0);
    await sql(shrinking, 'delete from t');
    const shrunk = await commandLine(['backup', '--on-row-loss', 'fail', ...own]);
    expect(shrunk.stderr).toContain('E_SHRUNK');
    expect(shrunk.code).toBe(3);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('cancelled by %s is 130, and nothing is left', async (name) => {
    const before = `sleep 600 # ${directory}`;
    const ended = await commandLine(['backup', '--before-command', before, ...local], {
      signal: { at: /before-command/, name },
    });
    expect(ended.code).toBe(130);
    expect(ended.stderr).toContain('E_CANCELLED');
    expect(ids()).toEqual([]);
    expect(readdirSync(join(directory, '.work')).filter((one) => !['lock', 'holder'].includes(one))).toEqual([]);
  });
});

test('a terminal that is closed ends it, and elsewhere it goes on, as by nohup', async () => {
  const before = ['--before-command', 'sleep 1'];
  const going = await commandLine(['backup', ...before, ...local], {
    signal: { at: /before-command/, name: 'SIGHUP' },
  });
  expect(going.code).toBe(0);
  const args = ['backup', '--before-command', `sleep 600 # ${directory}`, ...local];
  const closed = await onTerminal(args, { signal: { at: /before-command/, name: 'SIGHUP' } });
  expect(closed.screen).toContain('E_CANCELLED: the run was cancelled (SIGHUP)');
  expect(closed.code).toBe(130);
});

test('what goes wrong before any run is a failure, and told', async () => {
  const loop = join(directory, 'loop');
  mkdirSync(loop);
  symlinkSync('db-backup.yml', join(loop, 'db-backup.yml'));
  const looped = await commandLine(['backup', ...local], { cwd: loop });
  expect(looped.code).toBe(2);
  expect(plain(looped.stderr).at(-1)).toContain('db-backup.yml: it cannot be read: ELOOP');
  // a bundle of which a piece is missing
  const broken = join(directory, 'dist');
  cpSync(dirname(CLI), broken, { recursive: true });
  for (const name of readdirSync(broken)) if (/^\d+\.index\.js$/.test(name)) rmSync(join(broken, name));
  const missing = await commandLine(['backup', ...local], { program: join(broken, 'cli.js') });
  expect(missing.code).toBe(1);
  expect(missing.stderr).toContain('db-backup could not be loaded: ');
  rmSync(join(broken, 'action.yml'));
  expect((await commandLine(['backup', '--help'], { program: join(broken, 'cli.js') })).code).toBe(1);
  expect(ids()).toEqual([]);
});

test('what can not be written to stdout is a failure', async () => {
  await commandLine(['backup', ...local]);
  const line = `exec "$0" "$@" >/dev/full`;
  for (const args of [
    ['list', ...local],
    ['list', '--json', ...local],
    ['completion', 'bash'],
    ['latest', ...local],
  ]) {
    const { status, stderr } = spawnSync('sh', ['-c', line, NODE, CLI, ...args], {
      ...{ cwd: directory, encoding: 'utf8', env: { PATH: process.env.PATH } }, // those of a job refuse `latest`
    });
    expect([status, stderr]).toEqual([1, expect.stringContaining('the result could not be written to stdout: ')]);
  }
});

test('a secret of one digit leaves the report JSON', async () => {
  await commandLine(['backup', ...local]);
  const { code, stdout } = await commandLine(['list', '--json', ...local], {
    env: { DB_BACKUP_DECRYPTION_PASSPHRASE: '1', DB_BACKUP_SIGNING_KEY: '' },
  });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ schema: 1, ok: true });
});

test('which configuration counts is told where nobody has named one', async () => {
  const folder = join(directory, 'somewhere');
  mkdirSync(folder);
  writeFileSync(join(folder, 'db-backup.yml'), 'databases: { app: { transport: local } }');
  const { stderr } = await commandLine(['list', ...local], { cwd: folder });
  expect(plain(stderr)[0]).toContain(`INFO  configuration: ${join(folder, 'db-backup.yml')}`);
});

describe('over ssh', () => {
  let sshd: Sshd;
  let tools: SlowTools;
  let args: string[];
  beforeAll(async () => {
    tools = slowTools(['zstd']);
    sshd = await startSshd({ extraConfig: tools.config });
  });
  afterAll(async () => {
    await sshd.stop();
    tools.remove();
  });
  beforeEach(() => {
    const host = ['--host', '127.0.0.1', '--port', String(sshd.port), '--known-hosts', sshd.knownHosts];
    args = ['backup', '--database', database, '--directory', directory, ...host, '--username', userInfo().username];
  });

  test('with a key from a variable, which is shown nowhere', async () => {
    const result = await commandLine(args, { env: { DB_BACKUP_KEY: sshd.clientKey } });
    expect(result.stderr).toContain('✅');
    expect(result.code).toBe(0);
    for (const line of sshd.clientKey.split('\n').filter((one) => one.length > 20))
      expect(result.stderr).not.toContain(line);
  });

  test('on a terminal the last line of what takes long is written anew, and goes when that is done', async () => {
    tools.throttle('zstd', 250_000); // of 1 MB, so that a beat of the host, each 2 s, comes while it works
    const { code, screen } = await onTerminal(args, { env: { DB_BACKUP_KEY: sshd.clientKey } });
    expect(code).toBe(0);
    expect(screen).toMatch(/[█░]{20} (compress and hash|read back): .* of .* \(\d+ %\), .*\/s, about .* left/);
    const after = screen.slice(screen.lastIndexOf(' left'));
    expect(after.indexOf('\u001b[2K')).toBeGreaterThan(0);
    expect(after.slice(after.indexOf('\u001b[2K'))).toMatch(/(compress and hash|read back): \d/);
  });
});

describe('a configuration', () => {
  const config = (text: string) => {
    const file = join(directory, '..', `config ${Math.random()}.yml`);
    writeFileSync(file, text);
    return file;
  };

  test('several databases, one after another: one failure stops none, and the worst status is that of all', async () => {
    const file = config(`
defaults: { transport: local, directory: ${JSON.stringify(directory)} }
databases:
  first: { database: ${JSON.stringify(database)} }
  gone: { database: /nowhere.db }
  last: { database: ${JSON.stringify(database)} }
`);
    const result = await commandLine(['backup', '--config', file, '--json']);
    expect(result.code).toBe(1);
    const reports = result.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(reports.map(({ name, ok }) => [name, ok])).toEqual([
      ['first', true],
      ['gone', false],
      ['last', true],
    ]);
    expect(plain(result.stderr).filter((line) => / ERROR /.test(line))).toEqual([
      expect.stringMatching(/ERROR \[gone\] E_SOURCE_MISSING: /),
    ]);
    const one = await commandLine(['list', '--config', file, '--target', 'first']);
    expect(one.code).toBe(0);
    expect(one.stdout).toMatch(/^first-\S+ [^\n]*\n$/);
  });

  test('an option counts before a variable, a variable before the configuration', async () => {
    const file = config(`
databases:
  app: { transport: local, database: ${JSON.stringify(database)}, directory: /nowhere/a, lock-wait: 1s, keep: 3 }
`);
    const { stdout } = await commandLine(['list', '--config', file, '--json', '--directory', directory], {
      env: { DB_BACKUP_DIRECTORY: '/nowhere/b', DB_BACKUP_DATABASE: '/nowhere/c.db' },
    });
    expect(JSON.parse(stdout)).toMatchObject({ name: 'app', database: '/nowhere/c.db', directory });
  });

  test('db-backup.yml of the folder is taken by itself, and not when others can change it', async () => {
    const folder = join(directory, 'with config');
    mkdirSync(folder);
    const file = join(folder, 'db-backup.yml');
    writeFileSync(
      file,
      `databases: { app: { transport: local, database: ${JSON.stringify(database)}, directory: ${JSON.stringify(directory)}, key: { command: 'touch "${folder}/was-run"; echo x' } } }`,
    );
    expect((await commandLine(['list'], { cwd: folder })).code).toBe(0);
    rmSync(join(folder, 'was-run'));
    chmodSync(file, 0o666);
    const refused = await commandLine(['list'], { cwd: folder });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('others can write it');
    expect(existsSync(join(folder, 'was-run'))).toBe(false);
  });

  test('what is wrong in it, in the options and in the choice is told at once', async () => {
    const file = config('databases: { a: { databse: x }, b: {} }');
    const result = await commandLine(['backup', '--config', file, '--target', 'c', '--keep', 'x']);
    expect(result.code).toBe(2);
    for (const text of ['unknown input "databse"', 'keep: ']) expect(result.stderr).toContain(text);
    const good = config('databases: { a: { database: /a }, b: { database: /b } }');
    const many = await commandLine(['restore', '--config', good, '--confirm', 'x']);
    expect(many.code).toBe(2);
    expect(many.stderr).toContain('restore takes one database: choose one of a, b');
    expect((await commandLine(['list', '--config', good, '--target', 'c'])).stderr).toContain('there is no "c" in');
    const shared = await commandLine(['backup', '--config', good, '--database', '/c']);
    expect(shared.code).toBe(2);
    expect(shared.stderr).toContain('it would apply to each of a, b');
  });
});

test('a schedule in the foreground waits for its times, and ends when it is asked to', async () => {
  const file = join(folder, 'foreground.yml');
  writeFileSync(file, `databases: { app: { transport: local, database: ${JSON.stringify(database)} } }`);
  const args = ['schedule', 'run', '--config', file, '--verify', 'none'];
  const ended = await commandLine(args, { signal: { at: /next: /, name: 'SIGTERM' } });
  expect(ended.code).toBe(0);
  expect(plain(ended.stderr).at(-1)).toMatch(/INFO {2}stopped by a signal$/);
  expect((await commandLine(['schedule', 'run', '--config', file, '--backup', 'sometimes'])).code).toBe(2);
});

describe('on a terminal', () => {
  test('colours and a summary; the log ends with the verdict', async () => {
    await commandLine(['backup', ...local]);
    const { code, screen } = await onTerminal(['backup', ...local]);
    expect(code).toBe(0);
    expect(screen).toContain('\u001b[1mConnect\u001b[22m\n');
    expect(screen).toMatch(/\n {2}verified +content\n/);
    expect(screen).toMatch(/\n {2}sizes +[▁▂▃▄▅▆▇█]{2} {2}/);
    expect(screen.trimEnd().split('\n').at(-1)).toContain('✅ Backup app-');
    expect(screen).not.toMatch(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /);
  });

  test('without colours where nobody wants them', async () => {
    const { code, screen } = await onTerminal(['list', ...local], { env: { NO_COLOR: '1' } });
    expect(code).toBe(0);
    expect(screen).not.toContain('\u001b');
  });
});

test('an older Node is told what is needed, and nothing else happens', async () => {
  const older = join(folder, 'older.cjs');
  writeFileSync(
    older,
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } });",
  );
  const result = await commandLine(['backup', ...local], { env: { NODE_OPTIONS: `--require ${older}` } });
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toBe('db-backup needs Node.js 22.12 or newer, and this is 20.19.0: see https://nodejs.org\n');
});

test('help of a command is that of its inputs', async () => {
  const { code, stdout } = await commandLine(['backup', '--help']);
  expect(code).toBe(0);
  expect(stdout).toContain('--before-command <value>');
  expect(stdout).toContain('DB_BACKUP_S3_SECRET_ACCESS_KEY');
  expect(stdout.replace(/\s+/g, ' ')).toContain('Secrets cannot be options.');
});

test('the program is one that can be started as it lies', () => {
  expect(readFileSync(CLI, 'utf8').split('\n')[0]).toBe('#!/usr/bin/env node');
  expect(statSync(CLI).mode & 0o777).toBe(0o755);
});

test('a restore that is ended in its hooks is settled before the program ends', async () => {
  await commandLine(['backup', ...local]);
  const [id = ''] = ids();
  const once = `test -e '${directory}/once' || { touch '${directory}/once'; exec sleep 600; }`;
  const args = ['restore', id, '--confirm', "app's.db", '--check-command', once, ...local];
  const ended = await commandLine(args, {
    signal: { at: /INFO {2}check-command\n/, name: 'SIGTERM', when: () => existsSync(join(directory, 'once')) },
  });
  expect(ended.code).toBe(130);
  expect(readdirSync(join(directory, '.work')).filter((one) => !['lock', 'holder'].includes(one))).toEqual([]);
  expect((await commandLine(['health', ...local])).stderr).not.toContain('E_UNFINISHED');
});
