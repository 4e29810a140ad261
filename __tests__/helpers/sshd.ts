import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { madeOnce } from './made-once.js';
import { processTree } from './processes.js';

const run = promisify(execFile);

export interface SshdOptions {
  /** Lines at the end of sshd_config; `Match` blocks are welcome. */
  extraConfig?: string;
  /** A command that ends in running its arguments, for example `unshare -m ...`; it must `exec` them. */
  wrapper?: string[];
}

export interface Sshd {
  port: number;
  dir: string;
  /** known_hosts lines for `[127.0.0.1]:port`, one a key type. */
  knownHosts: string;
  /** Public lines, `type base64`. */
  hostKeys: { ed25519: string; ecdsa: string; rsa: string };
  /** An OpenSSH private key that may log in as every user, and the file that holds it. */
  clientKey: string;
  clientKeyFile: string;
  /** Lets one more public key in; options such as `restrict,command="..."` may stand before it. */
  authorize(publicLine: string): void;
  log(): string;
  /** Ends the server, its sessions and what runs in them, and removes the directory. */
  stop(): Promise<void>;
}

const KEY_TYPES = ['ed25519', 'ecdsa', 'rsa'] as const;

/** Starts an OpenSSH server of its own on a free port of 127.0.0.1; as root it lets every user in by the client key. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const dir = mkdtempSync(join(tmpdir(), 'dbb-sshd-'));
  // sshd reads authorized_keys as the user who logs in: a directory of 0700 refuses everybody but root.
  chmodSync(dir, 0o755);
  const keyFile = (name: string) => join(dir, name);
  const makeKey = (type: string, file: string, ...more: string[]) =>
    run('ssh-keygen', ['-q', '-t', type, ...more, '-N', '', '-f', file]);
  // That of RSA takes up to a second to make, so all servers of a run have the same.
  const rsa = await madeOnce('ssh-host-rsa', async (folder) => {
    mkdirSync(folder);
    await makeKey('rsa', join(folder, 'key'), '-b', '2048');
  });
  for (const end of ['', '.pub']) copyFileSync(join(rsa, `key${end}`), keyFile(`host_rsa${end}`));
  await Promise.all([
    makeKey('ed25519', keyFile('host_ed25519')),
    makeKey('ecdsa', keyFile('host_ecdsa')),
    makeKey('ed25519', keyFile('client'), '-C', 'tester'),
  ]);
  const publicLine = (name: string) =>
    readFileSync(keyFile(`${name}.pub`), 'utf8')
      .split(' ')
      .slice(0, 2)
      .join(' ')
      .trim();
  const authorizedKeys = keyFile('authorized_keys');
  writeFileSync(authorizedKeys, `${publicLine('client')}\n`, { mode: 0o644 });
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });

  const port = await freePort();
  const pidFile = keyFile('sshd.pid');
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    ...KEY_TYPES.map((type) => `HostKey ${keyFile(`host_${type}`)}`),
    `PidFile ${pidFile}`,
    `AuthorizedKeysFile ${authorizedKeys}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'PrintMotd no',
    'UseDNS no',
    'MaxStartups 100',
    'MaxSessions 50',
    'LogLevel VERBOSE',
    'Subsystem sftp internal-sftp',
    options.extraConfig ?? '',
  ];
  writeFileSync(keyFile('sshd_config'), `${config.join('\n')}\n`);

  // The absolute path is required: sshd executes itself again for each connection.
  const sshd = ['/usr/sbin/sshd', '-D', '-f', keyFile('sshd_config'), '-E', keyFile('sshd.log')];
  const [program = '', ...args] = [...(options.wrapper ?? []), ...sshd];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      stderr += error.message;
      resolve();
    });
  });
  const log = () => (existsSync(keyFile('sshd.log')) ? readFileSync(keyFile('sshd.log'), 'utf8') : '');
  const stop = async () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      // Sessions outlive the listener, and have their own processes: take all of them, children first.
      for (const { pid } of processTree(child.pid)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended by itself in between.
        }
      }
    }
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };

  // The pid file is written after listen().
  for (const end = Date.now() + 10_000; !existsSync(pidFile); await sleep(10)) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined || Date.now() > end) {
      const said = `${stderr}${log()}`.trim();
      await stop();
      throw new Error(`sshd did not start: ${said || 'no pid file after 10 s'}`);
    }
  }
  const hostKeys = {
    ed25519: publicLine('host_ed25519'),
    ecdsa: publicLine('host_ecdsa'),
    rsa: publicLine('host_rsa'),
  };
  return {
    port,
    dir,
    hostKeys,
    knownHosts: Object.values(hostKeys)
      .map((line) => `[127.0.0.1]:${port} ${line}\n`)
      .join(''),
    clientKey: readFileSync(keyFile('client'), 'utf8'),
    clientKeyFile: keyFile('client'),
    authorize: (line) => appendFileSync(authorizedKeys, `${line.trim()}\n`),
    log,
    stop,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** What the OpenSSH client gets back from `sh -s` with this input; throws when that fails. */
export function shOverSsh(sshd: Sshd, user: string, input: string): string {
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  return execFileSync(
    'ssh',
    [
      ...['-F', '/dev/null', '-i', sshd.clientKeyFile, '-p', String(sshd.port)],
      ...options.flatMap((option) => ['-o', option]),
      ...[`${user}@127.0.0.1`, 'sh -s'],
    ],
    { input, encoding: 'utf8' },
  );
}
