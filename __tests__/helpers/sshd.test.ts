import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createMinimalHost, type MinimalHost, withoutCommands } from './chroot.js';
import { leftAfter, processesMentioning, processesOfUser } from './processes.js';
import { type Sshd, startSshd } from './sshd.js';
import { createUser, type TestUser } from './users.js';

const run = promisify(execFile);

/** A login with the stock client, host key checked. */
async function login(sshd: Sshd, user: string, command: string): Promise<string> {
  const knownHosts = join(sshd.dir, 'known_hosts');
  writeFileSync(knownHosts, sshd.knownHosts);
  const options = ['-F', '/dev/null', '-o', `UserKnownHostsFile=${knownHosts}`, '-o', 'StrictHostKeyChecking=yes'];
  const target = [
    '-o',
    'BatchMode=yes',
    '-i',
    sshd.clientKeyFile,
    '-p',
    String(sshd.port),
    `${user}@127.0.0.1`,
    command,
  ];
  const { stdout } = await run('ssh', [...options, ...target]);
  return stdout;
}

let user: TestUser;
let host: MinimalHost;

beforeAll(async () => {
  [user, host] = await Promise.all([createUser(), createMinimalHost()]);
});

afterAll(async () => {
  await host.remove();
  await user.remove();
});

test('users log in by the client key, and nothing is left after stop', async () => {
  const sshd = await startSshd();
  await expect(login(sshd, user.name, 'id -un; pwd')).resolves.toBe(`${user.name}\n${user.home}\n`);
  await expect(login(sshd, 'root', 'id -un')).resolves.toMatch(/^root$/m);
  expect(sshd.log()).toContain(`Accepted publickey for ${user.name}`);
  const session = login(sshd, user.name, 'exec sleep 300').catch(() => 'ended');
  while (!processesOfUser(user.uid).some(({ command }) => command === 'sleep 300')) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await sshd.stop();
  await expect(session).resolves.toBe('ended');
  expect(await leftAfter(() => [...processesOfUser(user.uid), ...processesMentioning(sshd.dir)])).toEqual([]);
  expect(existsSync(sshd.dir)).toBe(false);
});

test('another host key than the one in knownHosts is refused by the client', async () => {
  const [one, other] = await Promise.all([startSshd(), startSshd()]);
  try {
    const wrong = { ...one, knownHosts: other.knownHosts.replaceAll(`:${other.port} `, `:${one.port} `) };
    await expect(login(wrong, user.name, 'true')).rejects.toThrow(/HOST IDENTIFICATION HAS CHANGED/);
  } finally {
    await Promise.all([one.stop(), other.stop()]);
  }
});

test('the minimal host has busybox and nothing else', async () => {
  const sshd = await startSshd(host.sshd);
  try {
    const script = `. /etc/os-release; echo $ID; id -un; pwd; readlink /bin/gzip; ps >/dev/null && echo x >/dev/null && df . >/dev/null && echo sound
      for c in sqlite3 python3 bash zstd node; do command -v $c; done; touch here; echo end`;
    const lines = (await login(sshd, host.user.name, script)).trim().split('\n');
    expect(lines).toEqual(['alpine', host.user.name, host.user.home, '/bin/busybox', 'sound', 'end']);
    expect(existsSync(host.resolve(`${host.user.home}/here`))).toBe(true);
    // Everybody else is where they always are.
    await expect(login(sshd, user.name, 'command -v sqlite3')).resolves.toMatch(/sqlite3$/m);
  } finally {
    await sshd.stop();
  }
});

test('hidden commands are gone for every shell, others stay, the machine keeps both', async () => {
  const sshd = await startSshd({ wrapper: withoutCommands(['sqlite3', 'pigz']) });
  try {
    const script = `for s in dash bash 'busybox sh'; do $s -c 'command -v sqlite3 || command -v pigz || { command -v python3; command -v zstd; }'; done`;
    const lines = (await login(sshd, user.name, script)).trim().split('\n');
    expect(lines).toEqual(Array(3).fill(['/usr/bin/python3', '/usr/bin/zstd']).flat());
    expect(existsSync('/usr/bin/sqlite3')).toBe(true);
  } finally {
    await sshd.stop();
  }
  expect(() => withoutCommands(['no-such-command'])).toThrow('no-such-command is not on this machine');
});
