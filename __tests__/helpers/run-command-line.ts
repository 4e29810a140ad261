import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { actionForAll } from './run-action.js';

export interface CommandLineResult {
  /** The exit status; null when it ended by a signal. */
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface CommandLineOptions {
  /** Who calls; default: root. */
  user?: { uid: number; gid: number; home?: string };
  /** Above PATH and HOME, the only ones there are. */
  env?: Record<string, string>;
  cwd?: string;
}

/** Where Node and dist/cli.js are that every user of the machine can start. */
export async function commandLineForAll(): Promise<{ node: string; cli: string }> {
  const folder = await actionForAll();
  return { node: join(folder, 'node'), cli: join(folder, 'dist', 'cli.js') };
}

/** Runs `db-backup` as a shell would. */
export async function runCommandLine(
  args: readonly string[],
  { user, env = {}, cwd = '/' }: CommandLineOptions = {},
): Promise<CommandLineResult> {
  const { node, cli } = await commandLineForAll();
  const { home = '/root', ...ids } = user ?? {};
  return new Promise((resolve) => {
    const options = {
      ...{ ...ids, cwd, env: { PATH: process.env.PATH ?? '', HOME: home, ...env } },
      maxBuffer: 64 << 20,
    };
    const child = execFile(node, [cli, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end();
  });
}
