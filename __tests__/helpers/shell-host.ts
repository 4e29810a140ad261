import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { programsOf } from '../../src/engines/lookup.js';
import { sqlite } from '../../src/engines/sqlite/index.js';
import type { Host, ShellEnd } from '../../src/host/host.js';
import { Session, type SessionOptions } from '../../src/host/session.js';
import { type ProcessInfo, processesMentioning } from './processes.js';

/** The shells that the host programs must run under. */
export const SHELLS: [name: string, command: string[]][] = [
  ['dash', ['dash']],
  ['bash', ['bash']],
  ['bash --posix', ['bash', '--posix']],
  ['busybox sh', ['busybox', 'sh']],
  ['mksh', ['mksh']],
  ['ksh93', ['ksh93']],
];

export interface ShellHost extends Host {
  child: ChildProcess;
  /** Home and working directory of the shell. */
  folder: string;
  /** The shell and all that it started, as far as alive: found by the folder, also when they are orphans. */
  processes(): ProcessInfo[];
  /** Ends what is left and removes the folder. */
  remove(): void;
}

/** A host whose session shell is a child of the tests; `rewrite` changes what it is sent. */
export function shellHost(command: string[], rewrite: (text: string) => string = (text) => text): ShellHost {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-shell-'));
  const [program = '', ...args] = command;
  const child = spawn(program, [...args, '-s'], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, XDG_RUNTIME_DIR: folder },
  });
  child.stdin.on('error', () => {}); // it was killed
  const closed = new Promise<ShellEnd>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, lost: null }));
  });
  return {
    label: command.join(' '),
    child,
    folder,
    openShell: async () => ({
      write: (text) => void child.stdin.write(rewrite(text)),
      end: () => void child.stdin.end(),
      input: () => child.stdin,
      onStdout: (listener) => void child.stdout.on('data', listener),
      onStderr: (listener) => void child.stderr.on('data', listener),
      closed,
    }),
    close: () => {},
    processes: () => processesMentioning(folder),
    remove() {
      for (const { pid } of processesMentioning(folder)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended by itself in between.
        }
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The sessions of one test, and their end after it. */
export class Sessions {
  private readonly opened: { host: ShellHost; session: Session }[] = [];

  async open(command: string[], options: Partial<SessionOptions> = {}, rewrite?: (text: string) => string) {
    const host = shellHost(command, rewrite);
    const session = await Session.open(host, {
      engine: programsOf(sqlite),
      idleTimeoutMs: 60_000,
      startTimeoutMs: 60_000,
      ...options,
    });
    this.opened.push({ host, session });
    return { host, session };
  }

  async close(): Promise<void> {
    for (const { host } of this.opened) host.child.kill('SIGKILL');
    await Promise.all(this.opened.map(({ session }) => session.close()));
    for (const { host } of this.opened.splice(0)) host.remove();
  }
}

export const lost = (message: RegExp) => ({ code: 'E_REMOTE_LOST', message: expect.stringMatching(message) });

/** Processes of a command, for example `sleep 61`. */
export const running = (of: ShellHost, text: string) => of.processes().filter(({ command }) => command === text);
