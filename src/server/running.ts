import { type ChildProcess, spawn } from 'node:child_process';
import type { Report } from '../reporting/report.js';
import { lost, notStarted } from './lost.js';
import type { Run } from './routes.js';

/** How this program is started once more. */
export interface Program {
  /** What Node runs: `dist/cli.js`. */
  script: string;
  /** With the inputs, as variables. */
  env: NodeJS.ProcessEnv;
  /** Where its log goes. */
  log: 'inherit' | 'ignore';
}

/** A report has a list of at most some thousand backups and tables. */
const MOST_BYTES = 64 << 20;

/** The processes that carry calls out. */
export class Running {
  private readonly all = new Map<() => void, Promise<unknown>>();

  constructor(private readonly program: Program) {}

  /**
   * Runs one command. In a session of its own: a Ctrl-C at the terminal is for the server alone, which decides what ends. One that ended
   * without a report has one all the same, of a failure.
   */
  async run(command: Run['command'], words: readonly string[]): Promise<Report> {
    const { script, env, log } = this.program;
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [script, command, ...words], {
        ...{ env, stdio: ['ignore', 'pipe', log], detached: true, windowsHide: true },
      });
    } catch (error) {
      return notStarted(command, (error as Error).message);
    }
    const parts: Buffer[] = [];
    let bytes = 0;
    const ended = new Promise<Report>((resolve) => {
      child.on('error', ({ message }) => {
        if (child.pid === undefined) resolve(notStarted(command, message));
      });
      child.once('close', (code, signal) => {
        if (child.pid === undefined) return;
        const report = bytes > MOST_BYTES ? null : reportIn(Buffer.concat(parts).toString('utf8'));
        resolve(report ?? lost(command, String(code ?? signal)));
      });
    });
    // there is none where no process could be started
    child.stdout?.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= MOST_BYTES) parts.push(part);
    });
    const stop = (): void => void child.kill('SIGTERM');
    this.all.set(stop, ended);
    return ended.finally(() => this.all.delete(stop));
  }

  /** Waits for those that run; asks those to end that still do after this time, which leave their host clean. */
  async end(graceMs: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const stop of this.all.keys()) stop();
    }, graceMs);
    await Promise.allSettled(this.all.values());
    clearTimeout(timer);
  }
}

function reportIn(text: string): Report | null {
  try {
    const value = JSON.parse(text) as Partial<Report> | null;
    return value !== null && value.schema === 1 && typeof value.errorCode === 'string' ? (value as Report) : null;
  } catch {
    return null;
  }
}
