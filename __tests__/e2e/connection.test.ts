import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { expectFailure } from '../helpers/failure.js';
import { startProxy } from '../helpers/proxy.js';
import type { ActionResult } from '../helpers/run-action.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { startSshd } from '../helpers/sshd.js';
import { logSince } from '../helpers/sshd-log.js';

const PASSPHRASE = 'correct horse battery staple';

let scene: Scene;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-keys-'));
  scene = await startScene();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await scene.stop();
});

/** Makes a key pair that ssh-keygen writes; returns the private file's text and the public line. */
function sshKey(name: string, ...options: string[]): { text: string; line: string } {
  const file = join(folder, name);
  execFileSync('ssh-keygen', ['-q', '-C', '', ...(options.includes('-N') ? [] : ['-N', '']), ...options, '-f', file]);
  return { text: readFileSync(file, 'utf8'), line: readFileSync(`${file}.pub`, 'utf8').trim() };
}

/** Makes a PKCS#8 key with openssl, which is what Terraform and cloud consoles hand out. */
function pkcs8Key(name: string, ...options: string[]): { text: string; line: string } {
  const file = join(folder, name);
  execFileSync('openssl', ['genpkey', ...options, '-out', file], { stdio: 'ignore' });
  execFileSync('chmod', ['600', file]);
  const text = readFileSync(file, 'utf8');
  if (text.includes('ENCRYPTED')) {
    return {
      text,
      line: execFileSync('ssh-keygen', ['-y', '-P', PASSPHRASE, '-f', file], { encoding: 'utf8' }).trim(),
    };
  }
  const publicPem = execFileSync('openssl', ['pkey', '-in', file, '-pubout'], { encoding: 'utf8' });
  // ssh-keygen can not import an Ed25519 key from PKCS#8; its raw public half is the end of the DER text.
  if (options.includes('ED25519')) {
    const der = Buffer.from(publicPem.replace(/-----.*-----/g, ''), 'base64');
    const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
    const blob = Buffer.concat([field(Buffer.from('ssh-ed25519')), field(der.subarray(-32))]);
    return { text, line: `ssh-ed25519 ${blob.toString('base64')}` };
  }
  return { text, line: execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim() };
}

describe('logs in with', () => {
  const plain =
    (...options: string[]) =>
    (name: string) => ({ ...sshKey(name, ...options), passphrase: '' });
  const locked =
    (...options: string[]) =>
    (name: string) => ({
      ...sshKey(name, ...options, '-N', PASSPHRASE),
      passphrase: PASSPHRASE,
    });
  const damaged = (damage: (text: string) => string) => (name: string) => {
    const { text, line } = sshKey(name, '-t', 'ed25519');
    expect(damage(text)).not.toBe(text);
    return { text: damage(text), line, passphrase: '' };
  };
  test.each<[string, (name: string) => { text: string; line: string; passphrase: string }, RegExp]>([
    ['ed25519', plain('-t', 'ed25519'), /BEGIN OPENSSH/],
    ['ecdsa nistp256', plain('-t', 'ecdsa'), /BEGIN OPENSSH/],
    ['ecdsa nistp521', plain('-t', 'ecdsa', '-b', '521'), /BEGIN OPENSSH/],
    ['rsa', plain('-t', 'rsa', '-b', '2048'), /BEGIN OPENSSH/],
    ['rsa in PEM', plain('-t', 'rsa', '-b', '2048', '-m', 'PEM'), /BEGIN RSA/],
    ['ecdsa in PEM', plain('-t', 'ecdsa', '-m', 'PEM'), /BEGIN EC /],
    ['rsa in PKCS#8', plain('-t', 'rsa', '-b', '2048', '-m', 'PKCS8'), /BEGIN PRIVATE/],
    ['ed25519 in PKCS#8', (name) => ({ ...pkcs8Key(name, '-algorithm', 'ED25519'), passphrase: '' }), /BEGIN PRIVATE/],
    ['ed25519 with a passphrase', locked('-t', 'ed25519'), /BEGIN OPENSSH/],
    ['rsa in PEM with a passphrase', locked('-t', 'rsa', '-b', '2048', '-m', 'PEM'), /DEK-Info/],
    [
      'ecdsa in PKCS#8 with a passphrase',
      (name) => ({
        ...pkcs8Key(
          name,
          '-algorithm',
          'EC',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-aes256',
          '-pass',
          `pass:${PASSPHRASE}`,
        ),
        passphrase: PASSPHRASE,
      }),
      /BEGIN ENCRYPTED/,
    ],
    ['CRLF', damaged((text) => text.replaceAll('\n', '\r\n')), /\r\n/],
    ['no last newline', damaged((text) => text.trimEnd()), /-----$/],
    ['blanks around it and before its lines', damaged((text) => `\n \t\n${text.replace(/^/gm, '  ')}\n\n `), /^\n/],
    ['newlines written as \\n', damaged((text) => text.replaceAll('\n', '\\n')), /\\n/],
  ])('%s', async (label, make, form) => {
    const { text, line, passphrase } = make(label.replace(/\W/g, '-'));
    expect(text).toMatch(form);
    scene.sshd.authorize(line);
    const since = logSince(scene.sshd);
    const result = await scene.run({ command: 'list', key: text, passphrase });
    expect({ code: result.code, visible: result.visible }).toMatchObject({ code: 0 });
    const print = execFileSync('ssh-keygen', ['-lf', '-'], { input: line, encoding: 'utf8' }).split(' ')[1];
    expect(await since.text()).toContain(` ${print} found at`);
    // One attempt: a key that is offered twice counts as a failure for MaxAuthTries and fail2ban.
    expect(await since.text()).not.toMatch(/^Failed/m);
  });
});

describe('a key that can not be used is told before anything is contacted', () => {
  let good: string;
  let locked: string;
  let ppk: string;
  beforeAll(() => {
    good = sshKey('good', '-t', 'ed25519').text;
    locked = sshKey('locked', '-t', 'ed25519', '-N', PASSPHRASE).text;
    ppk = 'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: c\nPublic-Lines: 2\nAAAA\nBBBB\n';
  });

  test.each<[string, () => Record<string, string>, string]>([
    [
      'a wrong passphrase',
      () => ({ key: locked, passphrase: 'wrong' }),
      'key: the passphrase in passphrase does not open it',
    ],
    [
      'no passphrase',
      () => ({ key: locked }),
      'key: it has a passphrase: give that in passphrase, or give a key without one',
    ],
    [
      'an end that is missing',
      () => ({ key: good.slice(0, 200) }),
      'key: its END line is missing: copy the whole file',
    ],
    [
      'a middle that is missing',
      () => ({ key: good.replace(/\n.{40}/, '\n') }),
      'key: it is damaged; copy the whole file again',
    ],
    [
      'the public key',
      () => ({ key: readFileSync(join(folder, 'good.pub'), 'utf8') }),
      'key: it is a public key; the private one is in the file without .pub',
    ],
    ['a PuTTY key', () => ({ key: ppk }), 'key: it is a PuTTY .ppk file; export it as an OpenSSH key'],
    ['the path of the file', () => ({ key: '~/.ssh/id_ed25519' }), 'key: it looks like the path of a file'],
    ['nothing', () => ({ key: '  \n' }), 'key: required with transport ssh, but empty: the secret'],
  ])('%s', async (_, inputs, says) => {
    const since = logSince(scene.sshd);
    const given = inputs();
    const message = expectFailure(await scene.run(given), 'E_INPUT', says);
    for (const line of (given.key ?? '').split('\n').filter((text) => text.length > 20 && !text.startsWith('-----'))) {
      expect(message).not.toContain(line);
    }
    expect(await since.text()).toBe('');
  });
});

describe('the host refuses', () => {
  test('a key that it does not know: E_AUTH with the line to add', async () => {
    const { text, line } = sshKey('unknown', '-t', 'ed25519');
    expectFailure(
      await scene.run({ key: text }),
      'E_AUTH',
      `refused the key of ${scene.user.name} (the host key was correct)`,
      `Add this line to ~${scene.user.name}/.ssh/authorized_keys there, or correct \`username\`: ${line}`,
      'Nothing was run',
    );
    expect(scene.files()).toEqual([]);
  });

  test('a user that it does not know', async () => {
    expectFailure(await scene.run({ username: 'nobody-of-that-name' }), 'E_AUTH', 'nobody-of-that-name', '`username`');
  });
});

describe('a server that asks for more, or for something else', () => {
  /** What a run against such a server says. */
  async function against(extraConfig: string, inputs: Record<string, string> = {}): Promise<ActionResult> {
    const sshd = await startSshd({ extraConfig });
    sshd.authorize(readFileSync(`${scene.sshd.clientKeyFile}.pub`, 'utf8'));
    for (const line of lines) sshd.authorize(line);
    const result = await scene.run({
      command: 'list',
      port: String(sshd.port),
      'known-hosts': sshd.knownHosts,
      ...inputs,
    });
    log = sshd.log();
    await sshd.stop();
    return result;
  }
  let lines: string[];
  let log: string;
  let rsa: { text: string; line: string };
  let ofUser: string;
  beforeAll(() => {
    ofUser = `Match User ${scene.user.name}`;
    rsa = sshKey('any-rsa', '-t', 'rsa', '-b', '2048');
    lines = [rsa.line];
  });

  test('a second factor: E_AUTH that says that the key was taken', async () => {
    const message = expectFailure(
      await against(`${ofUser}\nPasswordAuthentication yes\nAuthenticationMethods publickey,password`),
      'E_AUTH',
      `accepted the key of ${scene.user.name}, but also asks for a second factor: a password`,
      `\`Match User ${scene.user.name}\`, and below it \`AuthenticationMethods publickey\``,
    );
    expect(message).not.toContain('authorized_keys');
    expectFailure(
      await against('AuthenticationMethods publickey,publickey'),
      'E_AUTH',
      'asks for a second factor: another key',
    );
  });

  test('a code after the key, as PAM asks for it', async () => {
    const server = new ssh2.Server({ hostKeys: [readFileSync(join(scene.sshd.dir, 'host_ed25519'))] }, (client) => {
      client.on('error', () => {}).on('authentication', (context) => context.reject(['keyboard-interactive'], true));
    });
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const result = await scene.run({ port: String(port), 'known-hosts': `* ${scene.sshd.hostKeys.ed25519}` });
    await new Promise((resolve) => server.close(resolve));
    expectFailure(result, 'E_AUTH', 'asks for a second factor: an interactive answer, such as a code');
  });

  test('no keys at all', async () => {
    expectFailure(
      await against(`${ofUser}\nPasswordAuthentication yes\nPubkeyAuthentication no`),
      'E_AUTH',
      `does not accept a key from ${scene.user.name}, only a password`,
      'PubkeyAuthentication yes',
    );
  });

  test('fewer attempts than there are ways to sign', async () => {
    const { text, line } = sshKey('unknown-rsa', '-t', 'rsa', '-b', '2048');
    expectFailure(
      await against('MaxAuthTries 1', { key: text }),
      'E_AUTH',
      `refused the key of ${scene.user.name} (the host key was correct)`,
      line,
      'PubkeyAcceptedAlgorithms',
    );
  });

  test.each(['rsa-sha2-512', 'rsa-sha2-256'])('RSA keys signed by %s alone', async (algorithm) => {
    expect(await against(`PubkeyAcceptedAlgorithms ${algorithm}`, { key: rsa.text })).toMatchObject({ code: 0 });
    expect(log).toMatch(/^Accepted publickey .* RSA /m);
  });

  test.each([
    [
      'key exchange',
      'KexAlgorithms sntrup761x25519-sha512@openssh.com',
      'it shares no key exchange algorithm with this action: it offers sntrup761x25519-sha512@openssh.com',
      'this action supports curve25519-sha256',
      'KexAlgorithms +curve25519-sha256',
    ],
    [
      'cipher',
      'Ciphers aes256-cbc',
      'it shares no cipher with this action',
      'it offers aes256-cbc, and this',
      'Ciphers +aes256-gcm',
    ],
    [
      'MAC',
      'Ciphers aes256-ctr\nMACs hmac-md5',
      'it shares no MAC with this action',
      'offers hmac-md5, and this',
      'MACs +hmac-sha2',
    ],
  ])('no common %s: E_CONNECT that names both lists, and no firewall', async (_, config, ...says) => {
    const message = expectFailure(await against(config), 'E_CONNECT', ...says);
    expect(message).not.toMatch(/firewall|DNS/);
  });
});

describe('E_CONNECT', () => {
  test('nothing listens on the port', async () => {
    expectFailure(
      await scene.run({ port: '1' }),
      'E_CONNECT',
      '127.0.0.1:1: nothing listens on that port; check `port`',
    );
    // Two addresses, ::1 and 127.0.0.1: their errors come together, as one without a text.
    expectFailure(await scene.run({ host: 'localhost', port: '1' }), 'E_CONNECT', 'nothing listens on that port');
  });

  test('a host name that does not exist', async () => {
    const message = expectFailure(
      await scene.run({ host: 'db.example.invalid', 'connect-timeout': '5s' }),
      'E_CONNECT',
      /could not connect to db\.example\.invalid:\d+: (DNS does not know the name; check `host`|DNS did not answer|no answer within 5 s)/,
      'Check `host`, `port` and the firewall',
    );
    expect(message).not.toMatch(/database|compose/);
  });

  test('nobody answers: within connect-timeout', async () => {
    const proxy = await startProxy(scene.sshd.port);
    proxy.freeze();
    const result = await scene.run({ port: String(proxy.port), 'connect-timeout': '2s' });
    await proxy.stop();
    expectFailure(result, 'E_CONNECT', 'no answer within 2 s (connect-timeout)');
    expect(Number(JSON.parse(result.outputs.report ?? '{}').durationMs)).toBeLessThan(10_000);
  });

  test('something else than an SSH server listens there', async () => {
    const server = createServer((socket) => {
      socket
        .resume()
        .on('error', () => {})
        .end('HTTP/1.1 400 Bad Request\r\n\r\n##[set-output name=backup-ok]true\r\n');
    });
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const result = await scene.run({ port: String(port), 'connect-timeout': '5s' });
    await new Promise((resolve) => server.close(resolve));
    expectFailure(result, 'E_CONNECT', 'closed the connection at once: it is not an SSH server');
  });
});
