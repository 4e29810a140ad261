import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { fingerprintOf } from '../helpers/host-identity.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { leftAfter } from '../helpers/processes.js';
import { startProxy } from '../helpers/proxy.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { type Sshd, startSshd } from '../helpers/sshd.js';
import { expectNoAuthentication, logSince } from '../helpers/sshd-log.js';
import { createUser, type TestUser } from '../helpers/users.js';

let scene: Scene;
let jump: Sshd;
let jumpUser: TestUser;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-jump-'));
  [scene, jump, jumpUser] = await Promise.all([startScene({ wal: false }), startSshd(), createUser()]);
});
afterAll(async () => {
  await Promise.all([scene.stop(), jump.stop()]);
  await jumpUser.remove();
  rmSync(folder, { recursive: true });
});

/** The inputs for the way through the jump host, with its own key. */
const through = (port = jump.port) => ({
  'jump-host': `${jumpUser.name}@127.0.0.1:${port}`,
  'jump-key': jump.clientKey,
  'known-hosts': `${scene.sshd.knownHosts}${jump.knownHosts.replaceAll(`:${jump.port} `, `:${port} `)}`,
});

function makeKey(name: string, passphrase = ''): { text: string; line: string } {
  const file = join(folder, name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', '', '-f', file]);
  return { text: readFileSync(file, 'utf8'), line: readFileSync(`${file}.pub`, 'utf8').trim() };
}

test('a backup goes through it, with a key of its own', async () => {
  const [atJump, atHost] = [logSince(jump), logSince(scene.sshd)];
  const { text, line } = makeKey('locked', 'jump passphrase');
  jump.authorize(line);
  expectBackup(await scene.run({ ...through(), 'jump-key': text, 'jump-passphrase': 'jump passphrase' }));
  expect(await atJump.text()).toMatch(new RegExp(`^Accepted publickey for ${jumpUser.name} `, 'm'));
  expect(await atHost.text()).toMatch(new RegExp(`^Accepted publickey for ${scene.user.name} `, 'm'));
  expect(await atJump.connections()).toBe(1);
  expect(await atHost.connections()).toBe(1);
});

test('the key and the user of the host serve for it as well, when it has none of its own', async () => {
  jump.authorize(readFileSync(`${scene.sshd.clientKeyFile}.pub`, 'utf8'));
  const atJump = logSince(jump);
  expectBackup(await scene.run({ 'jump-host': `127.0.0.1:${jump.port}`, 'known-hosts': through()['known-hosts'] }));
  expect(await atJump.text()).toMatch(new RegExp(`^Accepted publickey for ${scene.user.name} `, 'm'));
});

/** As `fingerprint` has it. */
const print = (port: number, line: string): string => `[127.0.0.1]:${port} ${fingerprintOf(line)}`;

test('fingerprints alone serve, each for its host, whatever type it prefers', async () => {
  const fingerprint = [print(scene.sshd.port, scene.sshd.hostKeys.rsa), print(jump.port, jump.hostKeys.ecdsa)];
  expectBackup(await scene.run({ ...through(), 'known-hosts': '', fingerprint: fingerprint.join('\n') }));
});

test('fingerprints that do not name their host are refused before anything is contacted', async () => {
  const [atJump, atHost] = [logSince(jump), logSince(scene.sshd)];
  const fingerprint = [fingerprintOf(scene.sshd.hostKeys.ed25519), print(jump.port, jump.hostKeys.ed25519)];
  expectFailure(
    await scene.run({ ...through(), 'known-hosts': '', fingerprint: fingerprint.join('\n') }),
    'E_INPUT',
    'fingerprint: with jump-host, begin each line with its host',
    `\`[127.0.0.1]:${scene.sshd.port} SHA256:...\` and \`[127.0.0.1]:${jump.port} SHA256:...\``,
  );
  expect(await Promise.all([atJump.text(), atHost.text()])).toEqual(['', '']);
});

test('it can not show its own key as that of the host behind it', async () => {
  // Whoever has the bastion decides where a connection to the host leads.
  const instead = await startProxy(jump.port);
  const prints = [print(instead.port, scene.sshd.hostKeys.ed25519), print(jump.port, jump.hostKeys.ed25519)];
  const result = await scene.run({
    ...through(),
    port: String(instead.port),
    'known-hosts': '',
    fingerprint: prints.join('\n'),
  });
  await instead.stop();
  expectFailure(
    result,
    'E_HOSTKEY',
    `the host key of 127.0.0.1:${instead.port} is not known`,
    `Compared with fingerprint (${fingerprintOf(scene.sshd.hostKeys.ed25519)})`,
  );
});

test('a line of known-hosts that lists one key for both is a warning', async () => {
  const result = await scene.run({
    ...through(),
    command: 'list',
    'known-hosts': `${through()['known-hosts']}* ${jump.hostKeys.ed25519}`,
  });
  expect(result).toMatchObject({ code: 0 });
  expect(result.annotations).toMatchObject([
    { level: 'warning', message: expect.stringMatching(/^known-hosts: the jump host .* can present its own key/) },
  ]);
});

test('its host key is checked before authentication, and the host is not contacted', async () => {
  const [atJump, atHost] = [logSince(jump), logSince(scene.sshd)];
  const message = expectFailure(
    await scene.run({ ...through(), 'known-hosts': scene.sshd.knownHosts }),
    'E_HOSTKEY',
    `the host key of the jump host 127.0.0.1:${jump.port} is not known`,
    `no line for [127.0.0.1]:${jump.port}`,
  );
  expect(message).toContain('Offered: ssh-ed25519 SHA256:');
  await expectNoAuthentication(atJump);
  expect(await atHost.text()).toBe('');
});

test('the host key behind it is checked, too', async () => {
  const atHost = logSince(scene.sshd);
  const message = expectFailure(
    await scene.run({ ...through(), 'known-hosts': jump.knownHosts }),
    'E_HOSTKEY',
    `the host key of 127.0.0.1:${scene.sshd.port} is not known`,
  );
  expect(message).not.toContain('jump host');
  await expectNoAuthentication(atHost);
});

test('a key that it does not know: E_AUTH that names it', async () => {
  const { text, line } = makeKey('stranger');
  expectFailure(
    await scene.run({ ...through(), 'jump-key': text }),
    'E_AUTH',
    `the jump host 127.0.0.1:${jump.port} refused the key of ${jumpUser.name}`,
    `correct \`jump-host\`: ${line}`,
  );
});

test('it can sign its host key with SHA-1 alone: E_HOSTKEY', async () => {
  const old = await startSshd({ extraConfig: 'HostKeyAlgorithms ssh-rsa' });
  const since = logSince(old);
  expectFailure(
    await scene.run({
      ...through(),
      'jump-host': `${jumpUser.name}@127.0.0.1:${old.port}`,
      'known-hosts': `${scene.sshd.knownHosts}${old.knownHosts}`,
    }),
    'E_HOSTKEY',
    `the jump host 127.0.0.1:${old.port} can prove its host key only with SHA-1 (ssh-rsa)`,
  );
  await expectNoAuthentication(since);
  await old.stop();
});

test('it is not there', async () => {
  expectFailure(
    await scene.run(through(1)),
    'E_CONNECT',
    'could not connect to the jump host 127.0.0.1:1: nothing listens on that port; check `jump-host`',
  );
});

test('it forbids forwarding', async () => {
  const { text, line } = makeKey('restricted');
  jump.authorize(`restrict ${line}`);
  expectFailure(
    await scene.run({ ...through(), 'jump-key': text }),
    'E_CONNECT',
    `the jump host 127.0.0.1:${jump.port} forbids forwarding to 127.0.0.1:${scene.sshd.port}`,
    'AllowTcpForwarding',
  );
});

test('it does not reach the host', async () => {
  expectFailure(
    await scene.run({ ...through(), port: '1', 'known-hosts': `* ${jump.hostKeys.ed25519}` }),
    'E_CONNECT',
    `the jump host 127.0.0.1:${jump.port} could not connect to 127.0.0.1:1`,
    'as the jump host sees them',
  );
});

test('behind it nobody answers: within connect-timeout', async () => {
  const silent = await startProxy(scene.sshd.port);
  silent.freeze();
  const result = await scene.run({ ...through(), port: String(silent.port), 'connect-timeout': '2s' });
  await silent.stop();
  expectFailure(result, 'E_CONNECT', `127.0.0.1:${silent.port}: no answer within 2 s (connect-timeout)`);
});

test('it never answers to the wish to forward: within connect-timeout', async () => {
  // An sshd whose own connect() hangs, as one behind a firewall that drops packets does for minutes.
  const server = new ssh2.Server({ hostKeys: [readFileSync(join(jump.dir, 'host_ed25519'))] }, (client) => {
    client.on('error', () => {}).on('authentication', (context) => context.accept());
    client.on('ready', () => client.on('tcpip', () => {}));
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  const result = await scene.run({ ...through(port), 'connect-timeout': '2s' });
  await new Promise((resolve) => server.close(resolve));
  expectFailure(result, 'E_CONNECT', `the jump host 127.0.0.1:${port} could not connect`, 'no answer within 2 s');
});

test('it dies in the middle: E_REMOTE_LOST, the host cleans up, the next run works', async () => {
  const before = scene.files();
  const proxy = await startProxy(jump.port);
  const unlock = (await holdLock(scene.database, EXCLUSIVE)).release;
  const running = scene.start({ ...through(proxy.port), 'lock-wait': '10m' });
  await running.line(/logged in as/);
  proxy.cut();
  const result = await running.result();
  expectFailure(result, 'E_REMOTE_LOST', `the connection to ${scene.user.name}@127.0.0.1:${scene.sshd.port} was lost`);
  expect(await leftAfter(scene.processes, 15_000)).toEqual([]);
  expect(scene.leftovers()).toEqual([]);
  expect(scene.files()).toEqual(before);
  await Promise.all([unlock(), proxy.stop()]);
  expectBackup(await scene.run({ ...through(), 'lock-wait': '1s' }));
});
