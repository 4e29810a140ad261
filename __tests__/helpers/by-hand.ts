import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pathForAll } from './made-once.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const node24 = join(repository, 'node_modules', '.bin', 'node');
const program = join(repository, 'dist', 'cli.js');

type Variables = Record<string, string>;

export interface HandResult {
  /** null when it ended by a signal. */
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

/** Inputs as the variables that `db-backup` reads. */
export const variablesOf = (inputs: Record<string, string>): Variables =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      name === 'passphrase' ? 'DB_BACKUP_KEY_PASSPHRASE' : `DB_BACKUP_${name.toUpperCase().replaceAll('-', '_')}`,
      value,
    ]),
  );

function environment(inputs: Record<string, string>, home: string): Variables {
  return {
    PATH: process.env.PATH ?? '',
    HOME: home,
    LANG: 'C.UTF-8',
    TERM: 'xterm',
    NODE_COMPILE_CACHE: pathForAll('compiled'),
    ...variablesOf(inputs),
  };
}

export interface HandOptions {
  /** Of the process, besides the inputs. */
  env?: Variables;
  /** Who gets stdout as it comes. */
  reader?: (stdout: Readable) => void;
  /** What starts it, such as `withSh`. */
  wrapper?: string[];
}

/** `db-backup` in a pipe, as root, in an empty folder. */
export async function byHand(
  args: readonly string[],
  inputs: Record<string, string>,
  { env = {}, reader = () => {}, wrapper = [] }: HandOptions = {},
): Promise<HandResult> {
  const home = mkdtempSync(join(tmpdir(), 'dbb-hand-'));
  const [command = '', ...words] = [...wrapper, node24, program, ...args];
  const child = spawn(command, words, {
    cwd: home,
    env: { ...environment(inputs, home), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  reader(child.stdout);
  const code = await ended(child);
  rmSync(home, { recursive: true, force: true });
  return { code, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() };
}

/** The same at a terminal, by a person who waits for what is asked. */
export class AtTerminal {
  /** All that came, byte by byte. */
  raw = '';
  private seen = 0;
  private readonly child: ChildProcess;
  private readonly over: Promise<number | null>;
  private wake: () => void = () => {};

  constructor(args: readonly string[], inputs: Record<string, string>, folder: string, env: Variables = {}) {
    const line = [node24, program, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    this.child = spawn('script', ['-qec', `exec ${line}`, '/dev/null'], {
      cwd: folder,
      env: { ...environment(inputs, folder), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.raw += text;
      this.wake();
    });
    this.over = ended(this.child).finally(() => this.wake());
  }

  /** Resolves when that text has come since what was last waited for. Rejects when the program ends without it. */
  async until(text: string): Promise<void> {
    let isOver = false;
    void this.over.then(() => {
      isOver = true;
    });
    while (!this.screen.includes(text, this.seen)) {
      if (isOver) throw new Error(`it ended without ${JSON.stringify(text)}:\n${this.screen}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        void this.over.then(() => resolve());
      });
    }
    this.seen = this.screen.indexOf(text, this.seen) + text.length;
  }

  /** Waits for the question, and answers with these keys. */
  async answer(question: string, keys: string): Promise<void> {
    await this.until(question);
    this.child.stdin?.write(keys);
  }

  /** Resolves with the exit status. */
  end(): Promise<number | null> {
    return this.over;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** What a person reads: without what moves the cursor and what colours. */
  get screen(): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences are made of them
    return this.raw.replace(/\x1b\[[0-?]*[ -/]*[@-~]/g, '').replaceAll('\r', '');
  }
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
}
