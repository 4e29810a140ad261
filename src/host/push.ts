import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { BackupError } from '../errors.js';
import type { Host, Shell } from './host.js';
import { receiveProgram } from './program.js';
import { openSecond } from './second-session.js';

export interface PushOptions {
  signal: AbortSignal;
  idleTimeoutMs: number;
}

const MAX_SAID = 64 << 10;

/**
 * Sends bytes into a new file of a folder of the host, through a second shell of the same connection, no faster than it takes them.
 * Who reads the file afterwards compares it: an end that comes too early looks like any other from there. What `source` throws ends
 * it; it may be left in the middle of a read. Throws E_SHELL, E_REMOTE_LOST, E_TIMEOUT, E_NOSPACE.
 */
export async function push(
  host: Host,
  to: { folder: string; file: string },
  source: AsyncIterable<Buffer>,
  { signal, idleTimeoutMs }: PushOptions,
): Promise<void> {
  const shell = await openSecond(host, 'use `s3-upload-via: host`.');
  const input = shell.input?.();
  if (input === undefined) throw new BackupError('E_INTERNAL', 'there is nothing to push to this machine');
  const answers = new Answers(shell, host.label);
  const ended = new AbortController();
  const stop = (why: unknown): void => ended.abort(why);
  const giveUp = (): void => stop(signal.reason);
  signal.addEventListener('abort', giveUp);
  let isSent = false;
  void shell.closed.then(() => {
    // before that it can not have all, also when it says so: to what takes it, an end that comes too early is an end
    if (!isSent || !answers.areGood) stop(answers.gone(to.folder));
  });
  try {
    signal.throwIfAborted();
    shell.write(receiveProgram(answers.mark, to.folder, to.file));
    const within = <T>(work: Promise<T>): Promise<T> => orTooLong(work, ended.signal, idleTimeoutMs, host.label);
    if ((await within(answers.next())) !== 'ready') {
      throw new BackupError('E_PERM', `no file could be created in ${to.folder} on ${host.label}`);
    }
    const chunks = source[Symbol.asyncIterator]();
    for (;;) {
      // also while nothing comes it is noticed when nobody takes it any more
      const { done, value } = await orTooLong(chunks.next(), ended.signal, null, host.label);
      if (done) break;
      if (!input.write(value)) await within(once(input, 'drain'));
    }
    isSent = true;
    input.end();
    const end = await within(answers.next());
    if (end !== 'end 0') throw answers.failed(to.folder);
  } finally {
    signal.removeEventListener('abort', giveUp);
    input.destroy(); // ends what still receives
  }
}

function orTooLong<T>(work: Promise<T>, ended: AbortSignal, ms: number | null, label: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(ended.reason);
    const tooLong = (seconds: number): void =>
      reject(new BackupError('E_TIMEOUT', `${label} accepted no data for ${seconds} s (idle-timeout)`));
    const timer = ms === null ? undefined : setTimeout(tooLong, ms, Math.round(ms / 1000));
    if (ended.aborted) leave();
    ended.addEventListener('abort', leave);
    void work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      ended.removeEventListener('abort', leave);
    });
  });
}

/** The lines of ours among what the shell prints. */
class Answers {
  readonly mark = `@${randomBytes(16).toString('hex')}`;
  private output = '';
  private said = '';
  private seen = 0;
  private wake: (() => void) | null = null;

  constructor(
    shell: Shell,
    private readonly label: string,
  ) {
    shell.onStdout((chunk) => {
      this.output = (this.output + chunk.toString('latin1')).slice(0, MAX_SAID);
      this.wake?.();
    });
    shell.onStderr((chunk) => {
      this.said = (this.said + chunk.toString('utf8')).slice(0, MAX_SAID);
    });
  }

  /** The next of them, without the mark. */
  async next(): Promise<string> {
    for (;;) {
      const line = [...this.output.matchAll(new RegExp(`\\n${this.mark} (.*)\\n`, 'g'))][this.seen]?.[1];
      if (line !== undefined) {
        this.seen++;
        return line;
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** It has all come. */
  get areGood(): boolean {
    return this.output.endsWith(`\n${this.mark} end 0\n`);
  }

  gone(folder: string): BackupError {
    if (/ end [1-9]\d*\n$/.test(this.output)) return this.failed(folder);
    return new BackupError(
      'E_REMOTE_LOST',
      `the process that received the backup on ${this.label} ended before it had all of it`,
    );
  }

  failed(folder: string): BackupError {
    const said = JSON.stringify(this.said.trim().slice(0, 500));
    return /No space left|uota exceeded|write error/i.test(this.said)
      ? new BackupError(
          'E_NOSPACE',
          `the file system of ${folder} on ${this.label} is full: ${said}`,
          'Free some space. What this run had written was removed, and nothing else was touched.',
        )
      : new BackupError('E_REMOTE_LOST', `the backup could not be written into ${folder} on ${this.label}: ${said}`);
  }
}
