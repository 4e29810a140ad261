import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { actionForAll } from './run-action.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
export const NODE = join(repository, 'node_modules', '.bin', 'node');
export const CLI = join(repository, 'dist', 'cli.js');

/** Where Node and dist/cli.js are that every user of the machine can start. */
export async function commandLineForAll(): Promise<{ node: string; cli: string }> {
  const folder = await actionForAll();
  return { node: join(folder, 'node'), cli: join(folder, 'dist', 'cli.js') };
}

export interface CommandLineResult {
  /** null: it ended by a signal. */
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface CommandLineOptions {
  env?: Record<string, string>;
  /** Default: an empty folder, where there is no configuration. */
  cwd?: string;
  /** Default: `dist/cli.js`. */
  program?: string;
  /** Sends this signal as soon as stderr matches, and `when` says so. */
  signal?: { at: RegExp; name: NodeJS.Signals; when?: () => boolean };
}

/** `db-backup` as from cron: no terminal, and of the environment nothing but PATH and a HOME of its own. */
export async function commandLine(
  args: readonly string[],
  options: CommandLineOptions = {},
): Promise<CommandLineResult> {
  const home = mkdtempSync(join(tmpdir(), 'dbb-cli-'));
  try {
    const child = spawn(NODE, [options.program ?? CLI, ...args], {
      cwd: options.cwd ?? home,
      env: { PATH: process.env.PATH, HOME: home, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const result: CommandLineResult = { code: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      result.stdout += text;
    });
    let signal = options.signal;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      result.stderr += text;
      if (signal === undefined || !signal.at.test(result.stderr)) return;
      const { name, when = () => true } = signal;
      signal = undefined;
      const send = (): void => {
        if (when()) child.kill(name);
        else setTimeout(send, 20);
      };
      send();
    });
    result.code = await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    return result;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** The same on a terminal: what it shows there, stdout and stderr together, and the exit status. */
export async function onTerminal(
  args: readonly string[],
  options: CommandLineOptions = {},
): Promise<{ code: number | null; screen: string }> {
  const home = mkdtempSync(join(tmpdir(), 'dbb-cli-'));
  try {
    const line = [NODE, CLI, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    const child = spawn('script', ['-qec', `stty cols 120 rows 40; exec ${line}`, '/dev/null'], {
      cwd: options.cwd ?? home,
      env: { PATH: process.env.PATH, HOME: home, TERM: 'xterm', SHELL: '/bin/sh', ...options.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let screen = '';
    let signal = options.signal;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text;
      if (signal === undefined || !signal.at.test(screen)) return;
      // its only child is the program, which has taken the place of the shell
      process.kill(Number(execFileSync('pgrep', ['-P', String(child.pid)], { encoding: 'utf8' })), signal.name);
      signal = undefined;
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    return { code, screen: screen.replaceAll('\r\n', '\n') };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
