import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { expectFailure } from '../helpers/failure.js';
import { fingerprintOf, type HostIdentity, identityOf } from '../helpers/host-identity.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { startSshd } from '../helpers/sshd.js';
import { expectNoAuthentication, logSince } from '../helpers/sshd-log.js';

let scene: Scene;
let folder: string;
let { name, keys, prints, foreign, hashed, remove } = {} as HostIdentity;
let allOffered: string;
beforeAll(async () => {
  scene = await startScene();
  ({ name, keys, prints, foreign, hashed, folder, remove } = identityOf(scene.sshd));
  allOffered = `Offered: ssh-ed25519 ${prints.ed25519}, ecdsa-sha2-nistp256 ${prints.ecdsa}, ssh-rsa ${prints.rsa}.`;
});
afterAll(async () => {
  remove();
  await scene.stop();
});

type Given = { 'known-hosts'?: string; fingerprint?: string };

describe('refuses before authentication, and says what was shown and compared', () => {
  test.each<[string, () => Given, () => (string | RegExp)[]]>([
    [
      'a changed key',
      () => ({ 'known-hosts': `# old\n${name} ${foreign.ed25519}` }),
      () => [
        `the host key of 127.0.0.1:${scene.sshd.port} is not known`,
        `Offered: ssh-ed25519 ${prints.ed25519}.`,
        `Compared with the keys of ${name} in known-hosts (ssh-ed25519 in line 2)`,
      ],
    ],
    [
      'a changed rsa key, where only that type is known',
      () => ({ 'known-hosts': `${name} ${foreign.rsa}` }),
      () => [`Offered: ssh-rsa ${prints.rsa}.`],
    ],
    [
      'a revoked key, whatever lists it',
      () => ({ 'known-hosts': `${name} ${keys.ed25519}\n@revoked * ${keys.ed25519}`, fingerprint: prints.ed25519 }),
      () => ['is revoked by an @revoked line', `Offered: ssh-ed25519 ${prints.ed25519}.`],
    ],
    [
      'every key revoked',
      () => ({ 'known-hosts': `${name} ${keys.ed25519}\n@revoked ${name} ${keys.ed25519}` }),
      () => [
        'is revoked',
        `Offered: ssh-ed25519 ${prints.ed25519}.`,
        `every key of ${name} is @revoked (ssh-ed25519 in line 1)`,
      ],
    ],
    [
      'every known key revoked, while it shows others',
      () => ({ 'known-hosts': `${name} ${foreign.ed25519}\n@revoked ${name} ${foreign.ed25519}` }),
      () => [allOffered, `every key of ${name} is @revoked (ssh-ed25519 in line 1)`],
    ],
    [
      'no line for the host',
      () => ({ 'known-hosts': `web.example.com ${keys.ed25519}` }),
      () => [allOffered, `Compared with nothing; known-hosts: no line for ${name}.`],
    ],
    [
      'a line without the port',
      () => ({ 'known-hosts': `127.0.0.1 ${keys.ed25519}` }),
      () => [allOffered, `no line for ${name}; there is one for 127.0.0.1 without a port, which only means port 22`],
    ],
    [
      'a negated pattern',
      () => ({ 'known-hosts': `*,!${name} ${keys.ed25519}` }),
      () => [allOffered, `no line for ${name}`],
    ],
    [
      'hashed lines of other hosts',
      () => ({ 'known-hosts': hashed(`127.0.0.1 ${keys.ed25519}\nweb ${keys.rsa}\n`) }),
      () => [allOffered, `no line for ${name}`],
    ],
    [
      'only a certificate authority',
      () => ({ 'known-hosts': `@cert-authority * ${keys.ed25519}` }),
      () => [allOffered, `only @cert-authority lines match ${name}, and host certificates cannot be checked here`],
    ],
    [
      'only a key type that is not supported',
      () => {
        const blob = Buffer.concat(
          ['sk-ssh-ed25519@openssh.com', 'k'.repeat(32), 'ssh:'].map((text) => {
            const length = Buffer.alloc(4);
            length.writeUInt32BE(text.length);
            return Buffer.concat([length, Buffer.from(text)]);
          }),
        );
        return { 'known-hosts': `${name} sk-ssh-ed25519@openssh.com ${blob.toString('base64')}` };
      },
      () => [allOffered, `only unsupported key types match ${name} (sk-ssh-ed25519@openssh.com in line 1)`],
    ],
    [
      'lines that can not be read',
      () => ({ 'known-hosts': `# mine\n${name} ${keys.ed25519.slice(0, 40)}\n${keys.rsa}` }),
      () => [allOffered, `no line for ${name}; these lines cannot be read: 2, 3`],
    ],
    [
      'a wrong fingerprint',
      () => ({ fingerprint: fingerprintOf(foreign.rsa) }),
      () => [allOffered, `Compared with fingerprint (${fingerprintOf(foreign.rsa)}).`],
    ],
    [
      'both inputs, none of which matches',
      () => ({ 'known-hosts': `${name} ${foreign.rsa}`, fingerprint: fingerprintOf(foreign.ecdsa) }),
      () => [
        `ssh-rsa ${prints.rsa}`,
        `ssh-ed25519 ${prints.ed25519}`,
        `the keys of ${name} in known-hosts (ssh-rsa in line 1) and fingerprint (${fingerprintOf(foreign.ecdsa)})`,
      ],
    ],
  ])('%s', async (_, given, says) => {
    const since = logSince(scene.sshd);
    const message = expectFailure(await scene.run({ 'known-hosts': '', ...given() }), 'E_HOSTKEY', ...says());
    // How to check it, where, and with what to go on.
    expect(message).toContain('No credential was sent');
    expect(message).toContain('ssh-keygen -lf');
    expect(message).toContain(`a line that begins with \`${name}\``);
    await expectNoAuthentication(since);
    expect(scene.files()).toEqual([]);
  });

  test('a host that has none of the known types', async () => {
    const sshd = await startSshd({ extraConfig: 'HostKeyAlgorithms ecdsa-sha2-nistp256' });
    const since = logSince(sshd);
    const result = await scene.run({
      port: String(sshd.port),
      'known-hosts': `* ${keys.ed25519}\n* ${keys.rsa}`,
    });
    expectFailure(
      result,
      'E_HOSTKEY',
      `Offered: ecdsa-sha2-nistp256 ${fingerprintOf(sshd.hostKeys.ecdsa)}.`,
      'ssh-ed25519 in line 1, ssh-rsa in line 2',
    );
    await expectNoAuthentication(since);
    await sshd.stop();
  });

  test('a host that can sign with SHA-1 alone, whatever lists its key', async () => {
    const sshd = await startSshd({ extraConfig: 'HostKeyAlgorithms ssh-rsa' });
    const since = logSince(sshd);
    for (const given of [
      { 'known-hosts': sshd.knownHosts },
      { 'known-hosts': '', fingerprint: fingerprintOf(sshd.hostKeys.rsa) },
    ]) {
      const message = expectFailure(
        await scene.run({ port: String(sshd.port), ...given }),
        'E_HOSTKEY',
        `127.0.0.1:${sshd.port} can prove its host key only with SHA-1 (ssh-rsa), which is no longer secure`,
        'Install OpenSSH 7.2 or newer on that host',
        `a line that begins with \`[127.0.0.1]:${sshd.port}\``,
      );
      expect(message).toContain('Offered: ssh-rsa.');
    }
    await expectNoAuthentication(since);
    await sshd.stop();
  });

  test('a host whose known key signs with SHA-1 alone, while it has others', async () => {
    const sshd = await startSshd({ extraConfig: 'HostKeyAlgorithms ssh-ed25519,ssh-rsa' });
    expectFailure(
      await scene.run({ port: String(sshd.port), 'known-hosts': `* ${sshd.hostKeys.rsa}` }),
      'E_HOSTKEY',
      `Offered: ssh-ed25519 ${fingerprintOf(sshd.hostKeys.ed25519)}, and an RSA key with SHA-1 signatures (ssh-rsa), which are not accepted.`,
    );
    await sshd.stop();
  });

  test('a host that shows a certificate alone', async () => {
    const host = join(folder, 'host');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', host]);
    execFileSync('ssh-keygen', ['-q', '-s', join(folder, 'foreign_ed25519'), '-I', 'db', '-h', `${host}.pub`]);
    const sshd = await startSshd({
      extraConfig: `HostKey ${host}\nHostCertificate ${host}-cert.pub\nHostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com`,
    });
    const since = logSince(sshd);
    const result = await scene.run({
      port: String(sshd.port),
      'known-hosts': `@cert-authority * ${foreign.ed25519}`,
    });
    expectFailure(
      result,
      'E_HOSTKEY',
      'Offered: none of a type that can be checked here (ssh-ed25519-cert-v01@openssh.com).',
      'only @cert-authority',
    );
    expect(result.annotations).toContainEqual(
      expect.objectContaining({ level: 'warning', message: expect.stringContaining('@cert-authority lines') }),
    );
    await expectNoAuthentication(since);
    await sshd.stop();
  });

  test('somebody who shows the right key without holding it', async () => {
    const shown = ssh2.utils.parseKey(keys.ed25519);
    const held = ssh2.utils.parseKey(readFileSync(join(folder, 'foreign_ed25519')));
    if (shown instanceof Error || held instanceof Error) throw new Error('no key');
    held.getPublicSSH = () => shown.getPublicSSH();
    let authentications = 0;
    const server = new ssh2.Server({ hostKeys: [{ key: held as never }] }, (client) => {
      client.on('authentication', (context) => {
        authentications += 1;
        context.reject();
      });
      client.on('error', () => {});
    });
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const result = await scene.run({ port: String(port), 'known-hosts': `* ${keys.ed25519}` });
    await new Promise((resolve) => server.close(resolve));
    expectFailure(result, 'E_HOSTKEY', 'was sent by somebody who does not have the private key', prints.ed25519);
    expect(authentications).toBe(0);
  });
});

test('neither of the two is E_INPUT, and nothing is contacted', async () => {
  const since = logSince(scene.sshd);
  expectFailure(
    await scene.run({ 'known-hosts': '' }),
    'E_INPUT',
    'known-hosts: required',
    'nothing turns this check off',
  );
  expectFailure(
    await scene.run({ 'known-hosts': '', fingerprint: `${prints.rsa.slice(0, -1)}` }),
    'E_INPUT',
    'fingerprint: expected "SHA256:"',
  );
  expect(await since.text()).toBe('');
});
