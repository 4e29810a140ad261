import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { ageKey } from '../helpers/encryption-keys.js';
import { expectBackup } from '../helpers/failure.js';
import type { ActionResult } from '../helpers/run-action.js';
import { startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { listing } from '../helpers/seed.js';

// `command: doctor`: every precondition in one go, the fix for each, and a set-up that is then shown to be enough.

let scene: Scene;
beforeAll(async () => {
  scene = await startScene();
});
afterAll(async () => {
  rmSync(`/etc/sudoers.d/${scene.user.name}`, { force: true });
  await scene.stop();
});

const doctor = (inputs: Record<string, string> = {}, of = scene) => of.run({ command: 'doctor', ...inputs });
/** `level found` of each row, by what was looked at. */
const rows = (result: ActionResult): Record<string, string> =>
  Object.fromEntries(reportOf(result).checked.map(({ what, level, found }) => [what, `${level} ${found}`]));
const row = (result: ActionResult, what: string) => reportOf(result).checked.find((one) => one.what === what);
const setUp = (result: ActionResult, title: string): string =>
  reportOf(result).setUp.find((part) => part.title.includes(title))?.text ?? '';

/** Red: each of these rows is an error, and no other. */
function expectErrors(result: ActionResult, ...whats: string[]): void {
  const errors = reportOf(result).checked.filter(({ level }) => level === 'error');
  expect(errors.map(({ what }) => what)).toEqual(whats);
  expect(result).toMatchObject({ code: 1, outputs: { 'error-code': 'E_UNHEALTHY', 'backup-ok': 'false' } });
  for (const { todo } of errors) expect(todo).not.toBe('');
  expect(result.visible).toContain('Nothing was changed.');
}

describe('before the first backup', () => {
  let result: ActionResult;
  let before: unknown;
  beforeAll(async () => {
    before = [listing(scene.user.home), listing(join(scene.database, '..'))];
    result = await doctor();
  });

  test('all is there: green, each row told, and nothing made', () => {
    expect(result).toMatchObject({ code: 0, outputs: { 'error-code': '', 'backup-ok': 'false' } });
    expect(rows(result)).toEqual({
      Login: `ok ${scene.user.name}, at 127.0.0.1:${scene.sshd.port}, with a known host key`,
      Tools: expect.stringMatching(/^ok every required tool is installed; zstd; flock$/),
      Clock: expect.stringMatching(/^ok /),
      'Backup directory': `ok ${scene.directory} is missing, and can be created`,
      Backups: 'ok no backups of app yet',
      Database: expect.stringMatching(/^ok .*app\.db with sqlite3 3\..*; compressed with .*Zstandard/),
      'Room for a backup': expect.stringMatching(/^ok [\d.]+ MB needed, [\d.]+ [GT]B free$/),
      Restore: expect.stringMatching(/^skipped there is no backup yet/),
      Encryption: expect.stringMatching(/^skipped /),
      'Off-site copy': expect.stringMatching(/^warning there is none/),
      Schedule: expect.stringMatching(/^skipped /),
    });
    expect([listing(scene.user.home), listing(join(scene.database, '..'))]).toEqual(before);
    expect(existsSync(scene.directory)).toBe(false);
  });

  test('the summary has the table, and what to paste', () => {
    expect(result.summary).toMatch(/^## ⚠️ Requirements for backups of `app` are met, with 1 problem$/m);
    expect(result.summary).toContain('| ✅ | Login |');
    expect(result.summary).toContain('| ⚠️ | Off-site copy |');
    expect(result.summary).toContain('restrict,command="sh -s"');
    expect(result.summary).not.toContain('### Problems');
  });

  test('the line for authorized_keys is enough for everything, and the key can do nothing else', async () => {
    const line = setUp(result, 'authorized_keys on the host');
    expect(line).toMatch(/^restrict,command="sh -s",from="127\.0\.0\.1" ssh-ed25519 \S+( \S+)?$/);
    const file = join(scene.sshd.dir, 'authorized_keys');
    const open = execFileSync('cat', [file], { encoding: 'utf8' });
    try {
      writeFileSync(file, `${line}\n`);
      const id = expectBackup(await scene.run({ verify: 'restore' }));
      expect((await scene.run({ command: 'restore', backup: id, confirm: 'app.db' })).outputs).toMatchObject({
        'restore-outcome': 'restored',
      });
      const again = await doctor();
      expect(rows(again).Login).toContain('authorized_keys forces a command');
      const ssh = ['-p', String(scene.sshd.port), '-i', scene.sshd.clientKeyFile, '-o', 'StrictHostKeyChecking=no'];
      const said = execFileSync(
        'ssh',
        [...ssh, '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', `${scene.user.name}@127.0.0.1`, 'id'],
        { input: 'echo only-sh\n', encoding: 'utf8' },
      );
      expect(said.trim()).toBe('only-sh');
    } finally {
      writeFileSync(file, open);
    }
  });
});

test('on GitHub the address is not fixed, and the line says so', async () => {
  const result = await scene.run({ command: 'doctor' }, { RUNNER_ENVIRONMENT: 'github-hosted' });
  expect(setUp(result, 'authorized_keys on the host')).toMatch(/^restrict,command="sh -s" ssh-ed25519 /);
});

test('with a backup, a restore is planned, and the schedule looked for', async () => {
  const id = expectBackup(await scene.run());
  const result = await doctor();
  expect(result.code).toBe(0);
  expect(rows(result)).toMatchObject({
    Restore: expect.stringMatching(new RegExp(`^ok ${id} into .*app\\.db: .*; [\\d.]+ MB needed, .* free$`)),
    Schedule: expect.stringMatching(/^warning no backup was made by a schedule \(\d+ backups? checked\)$/),
  });
});

describe('what is wrong is a row with its fix, and the rest is looked at all the same', () => {
  test('a directory that can not be made, and a database that is not there', async () => {
    const result = await doctor({ directory: '/var/lib/never-ours', database: '/srv/never/there.db', name: 'app' });
    expectErrors(result, 'Backup directory', 'Database');
    expect(row(result, 'Backup directory')?.todo).toContain(`sudo install -d -m 700 -o ${scene.user.name}`);
    expect(row(result, 'Database')).toMatchObject({ code: 'E_SOURCE_MISSING' });
    expect(setUp(result, 'The backup directory')).toBe(
      `sudo install -d -m 700 -o ${scene.user.name} /var/lib/never-ours`,
    );
  });

  test('a directory that others can write', async () => {
    const directory = join(scene.user.home, 'open');
    mkdirSync(directory);
    chownSync(directory, scene.user.uid, scene.user.gid);
    chmodSync(directory, 0o777);
    const result = await doctor({ directory });
    expectErrors(result, 'Backup directory');
    expect(row(result, 'Backup directory')).toMatchObject({ code: 'E_PERM_UNSAFE' });
    expect(row(result, 'Backup directory')?.todo).toContain(`chmod go-w ${directory}`);
    expect(rows(result).Backups).toMatch(/^skipped /);
    expect(rows(result).Database).toMatch(/^ok /);
  });

  test('a work folder that others can write, and a database with nothing in it', async () => {
    const directory = join(scene.user.home, 'work-open');
    mkdirSync(join(directory, '.work'), { recursive: true });
    for (const path of [directory, join(directory, '.work')]) chownSync(path, scene.user.uid, scene.user.gid);
    chmodSync(join(directory, '.work'), 0o777);
    chmodSync(directory, 0o700);
    const database = join(scene.user.home, 'empty.db');
    execFileSync('sqlite3', [database, 'PRAGMA user_version = 1;']);
    chownSync(database, scene.user.uid, scene.user.gid);
    const result = await doctor({ directory, database });
    expectErrors(result, 'Backup directory');
    expect(row(result, 'Backup directory')).toMatchObject({ code: 'E_PERM_UNSAFE' });
    expect(rows(result)['Room for a backup']).toMatch(/^warning the database is empty/);
  });

  test('tools that are missing, all of them at once, with the line that installs them', async () => {
    const bare = await startScene({ sshd: { wrapper: withoutCommands(['sqlite3', 'python3', 'zstd', 'flock']) } });
    try {
      const result = await doctor({}, bare);
      expectErrors(result, 'Database');
      expect(row(result, 'Database')).toMatchObject({ code: 'E_TOOL_MISSING' });
      expect(rows(result).Tools).toContain(
        'gzip (zstd would be faster and smaller); no flock, so this action uses its own lock',
      );
    } finally {
      await bare.stop();
    }
  });

  test('room, and a program of a command', async () => {
    const result = await doctor({
      ...{ 'min-free': '500TB', 'stop-command': '/opt/no/stop', 'start-command': 'systemctl start shop' },
      'check-command': 'curl -fsS http://localhost | grep ok',
    });
    expectErrors(result, 'Room for a backup', 'Restore', 'stop-command');
    expect(rows(result)).toMatchObject({
      'Room for a backup': expect.stringMatching(/^error 500 TB needed/),
      'stop-command': expect.stringMatching(/^error cannot find an executable program \/opt\/no\/stop,/),
      'start-command': expect.stringMatching(/^ok .*systemctl is there$/),
      'check-command': expect.stringMatching(/^skipped /),
    });
  });

  test('the host can not be reached: the code of that', async () => {
    const result = await doctor({ port: '1' });
    expect(result).toMatchObject({ code: 1, outputs: { 'error-code': 'E_CONNECT' } });
  });
});

describe('commands by sudo', () => {
  const COMMANDS = {
    'stop-command': 'sudo /usr/bin/true stop shop',
    'start-command': 'sudo -n /usr/bin/true start shop',
  };
  const sudoers = () => `/etc/sudoers.d/${scene.user.name}`;
  const allow = (text: string) => writeFileSync(sudoers(), `${text}\n`, { mode: 0o440 });

  test('are not allowed: the line for each, which then is enough', async () => {
    rmSync(sudoers(), { force: true });
    const result = await doctor(COMMANDS);
    expectErrors(result, 'stop-command', 'start-command');
    expect(row(result, 'stop-command')?.todo).toContain(
      `${scene.user.name} ALL=(root) NOPASSWD: /usr/bin/true stop shop`,
    );
    const lines = setUp(result, 'sudoers.d');
    expect(lines.split('\n')).toHaveLength(2);
    allow(lines);
    execFileSync('visudo', ['-c', '-f', sudoers()], { stdio: 'pipe' });
    const again = await doctor(COMMANDS);
    expect(again.code).toBe(0);
    expect(rows(again)).toMatchObject({
      'stop-command': 'ok sudo runs it without a password',
      'start-command': 'ok sudo runs it without a password',
    });
  });

  test('with a password, which nobody can type', async () => {
    allow(`${scene.user.name} ALL=(root) NOPASSWD: /usr/bin/false\n${scene.user.name} ALL=(root) /usr/bin/true`);
    const result = await doctor(COMMANDS);
    expectErrors(result, 'stop-command', 'start-command');
    expect(rows(result)['stop-command']).toContain('asks for a password');
  });

  test('a program that others can write, or that sudo would not find, gets no line', async () => {
    const own = join(scene.user.home, 'bin');
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'stop'), '#!/bin/sh\n', { mode: 0o755 });
    chownSync(join(own, 'stop'), scene.user.uid, scene.user.gid);
    allow(`${scene.user.name} ALL=(root) NOPASSWD: ALL`);
    const result = await doctor({ 'stop-command': `sudo ${own}/stop`, 'start-command': 'sudo no-such-program' });
    expectErrors(result, 'stop-command', 'start-command');
    expect(rows(result)['stop-command']).toContain('users other than root can write to');
    expect(rows(result)['start-command']).toContain('sudo cannot find no-such-program');
    expect(setUp(result, 'sudoers.d')).toBe('');
  });

  test('none of them was run', async () => {
    const trace = join(scene.user.home, 'was-run');
    allow(`${scene.user.name} ALL=(root) NOPASSWD: ALL`);
    await doctor({ 'stop-command': `sudo touch ${trace}`, 'start-command': `touch ${trace}` });
    expect(existsSync(trace)).toBe(false);
  });
});

describe('encryption', () => {
  const [mine, other] = [ageKey(), ageKey()];
  const ENCRYPT = { encrypt: 'age', 'encryption-recipients': `${mine.recipient}\n${other.recipient}` };

  test('what decrypts opens what is encrypted', async () => {
    const result = await doctor({ ...ENCRYPT, 'decryption-key': mine.identity });
    expect(result.code).toBe(0);
    expect(rows(result).Encryption).toMatch(
      /^ok encrypted with age for .*; the decryption key or passphrase you gave opens it$/,
    );
    expect(`${result.visible}${result.summary}${Object.values(result.outputs)}`).not.toContain(
      mine.identity.trim().split('\n').at(-1),
    );
  });

  test('without what decrypts the plan of a restore is left out, and all is well', async () => {
    expectBackup(await scene.run(ENCRYPT));
    const result = await doctor(ENCRYPT);
    expect(result.code).toBe(0);
    expect(rows(result).Restore).toMatch(
      /^skipped .* is encrypted with age for .*, and `decryption-key` is not given$/,
    );
  });

  test('and another key does not', async () => {
    const result = await doctor({ ...ENCRYPT, 'decryption-key': ageKey().identity });
    expectErrors(result, 'Restore', 'Encryption');
    expect(row(result, 'Encryption')).toMatchObject({ code: 'E_DECRYPT' });
  });

  test('one recipient alone is a warning', async () => {
    const result = await doctor({ encrypt: 'age', 'encryption-recipients': mine.recipient });
    expect(rows(result).Encryption).toMatch(/^warning .*if you lose that one key, you lose every backup$/);
  });
});

describe('the store', () => {
  test('is listed and read, and the host reaches it; nothing is written there; the policies name this database alone', async () => {
    const s3 = await startS3Double();
    try {
      const result = await doctor({ ...s3.inputs, 's3-prefix': 'production' });
      expect(result.code).toBe(0);
      expect(rows(result)).toMatchObject({
        'Off-site copy': expect.stringMatching(
          /^ok s3:\/\/shop-backups\/production\/app\/ can be listed, with 0 objects/,
        ),
        'The host reaches the store': expect.stringMatching(/^ok yes, so the host uploads/),
      });
      expect(s3.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
      const writer = JSON.parse(setUp(result, 'the writer'));
      expect(writer.Statement[1].Resource).toBe('arn:aws:s3:::shop-backups/production/app/*');
      expect(JSON.stringify(writer)).not.toContain('Delete');
    } finally {
      await s3.stop();
    }
  });

  test('refuses: a row, and nothing more is asked of it', async () => {
    const s3 = await startS3Double();
    try {
      s3.fail(() => true, { status: 403, code: 'AccessDenied' });
      const result = await doctor(s3.inputs);
      expectErrors(result, 'Off-site copy');
      expect(rows(result)['The host reaches the store']).toMatch(/^skipped /);
    } finally {
      await s3.stop();
    }
  });
});
