import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec } from '@actions/exec';
import { BackupError } from '../errors.js';
import type { Host, Shell, ShellEnd } from './host.js';
import { localEnvironment } from './local-environment.js';

/** `transport: local`: the same shell on the machine that runs this. */
export function localHost(): Host {
  return { label: 'this machine', openShell, close: () => {} };
}

/**
 * The toolkit's exec closes stdin after a fixed input, so the shell reads its requests from a fifo. This process holds
 * the writing end: when it dies, stdin of the shell ends, as over SSH.
 */
async function openShell(): Promise<Shell> {
  const env = localEnvironment(process.env);
  const folder = await mkdtemp(join(process.env.RUNNER_TEMP || tmpdir(), 'db-backup-'));
  const fifo = join(folder, 'requests');
  try {
    await exec('mkfifo', ['-m', '600', fifo], { silent: true, env });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw new BackupError('E_SHELL', `no FIFO could be created on this machine: ${String(error)}`);
  }
  // Reading and writing, so that opening does not wait for the shell, and a write never fails for want of a reader.
  const requests = await open(fifo, 'r+');
  const listeners: { stdout: ((chunk: Buffer) => void)[]; stderr: ((chunk: Buffer) => void)[] } = {
    stdout: [],
    stderr: [],
  };
  let removing: Promise<void> | null = null;
  const forget = (): Promise<void> => (removing ??= rm(folder, { recursive: true, force: true }).catch(() => {}));
  const closed = exec('sh', ['-c', 'exec sh -s <"$1"', 'sh', fifo], {
    silent: true,
    env,
    ignoreReturnCode: true,
    delay: 1_000,
    listeners: {
      stdout: (chunk) => {
        void forget(); // it has opened the fifo
        for (const listener of listeners.stdout) listener(chunk);
      },
      stderr: (chunk) => {
        for (const listener of listeners.stderr) listener(chunk);
      },
    },
  }).then(
    (code): ShellEnd => ({ code, signal: null, lost: null }),
    (error: unknown): ShellEnd => ({ code: null, signal: null, lost: String(error) }),
  );
  let writing = Promise.resolve();
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    writing = writing.then(() => requests.close()).catch(() => {});
  };
  void closed.then(() => {
    end();
    return forget();
  });
  return {
    write: (text) => {
      if (!ended) writing = writing.then(() => requests.writeFile(text)).catch(() => {});
    },
    end,
    onStdout: (listener) => listeners.stdout.push(listener),
    onStderr: (listener) => listeners.stderr.push(listener),
    closed,
  };
}
