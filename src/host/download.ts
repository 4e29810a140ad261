import { createHash, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { plural } from '../counting.js';
import { BackupError } from '../errors.js';
import type { Host, Shell } from './host.js';
import { downloadProgram } from './program.js';
import { openSecond } from './second-session.js';

export interface Wanted {
  /** Absolute, and a name in it. */
  directory: string;
  file: string;
  bytes: number;
  sha256: string;
}

export interface DownloadOptions {
  signal: AbortSignal;
  idleTimeoutMs: number;
  /** With the bytes so far. */
  onProgress: (bytes: number) => void;
}

const MAX_NOISE = 64 << 10;
const MAX_SAID = 2_000;

/** As `pull`, into a new file here. Throws E_NOSPACE besides; what was written stays for the caller to remove. */
export async function download(host: Host, wanted: Wanted, to: string, options: DownloadOptions): Promise<void> {
  const target = await open(to, 'wx', 0o600);
  try {
    for await (const payload of pull(host, wanted, options)) {
      for (let from = 0; from < payload.length; ) from += (await target.write(payload, from)).bytesWritten;
    }
    await target.sync();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    throw new BackupError(
      'E_NOSPACE',
      `the disk of the runner is full: there is no room for ${plural(wanted.bytes, 'byte')} at ${to}`,
    );
  } finally {
    await target.close();
  }
}

/**
 * The bytes of a file of the backup directory, through a second shell of the same connection, as fast as they are taken. It comes to
 * its end only when they are those that were wanted, by size and SHA-256. Throws E_CHECKSUM when they are not, E_REMOTE_LOST,
 * E_TIMEOUT, E_SHELL.
 */
export async function* pull(host: Host, wanted: Wanted, options: DownloadOptions): AsyncGenerator<Buffer, void> {
  const shell = await openSecond(host, 'use `verify-on: host`.');
  const output = shell.output?.();
  if (output === undefined) throw new BackupError('E_INTERNAL', 'there is nothing to pull from this machine');
  const stop = (why: Error): void => void output.destroy(why);
  const giveUp = (): void => stop(options.signal.reason as Error);
  options.signal.addEventListener('abort', giveUp);
  try {
    options.signal.throwIfAborted();
    yield* receive(host, shell, output, wanted, stop, options);
  } finally {
    options.signal.removeEventListener('abort', giveUp);
    output.on('error', () => {}); // nobody reads it any more
    output.destroy(); // ends what still sends
  }
}

async function* receive(
  host: Host,
  shell: Shell,
  output: Readable,
  wanted: Wanted,
  stop: (why: Error) => void,
  { idleTimeoutMs, onProgress }: DownloadOptions,
): AsyncGenerator<Buffer, void> {
  const mark = `@${randomBytes(16).toString('hex')}`;
  let said = '';
  shell.onStderr((chunk) => {
    said = (said + chunk.toString('utf8')).slice(0, MAX_SAID);
  });
  const incoming = new Incoming(mark, wanted);
  const tooLong = (): void => {
    const seconds = Math.round(idleTimeoutMs / 1000);
    stop(
      new BackupError(
        'E_TIMEOUT',
        `no data of ${wanted.file} arrived from ${host.label} for ${seconds} s (idle-timeout)`,
      ),
    );
  };
  let idle = setTimeout(tooLong, idleTimeoutMs);
  const of = () => `${incoming.bytes} of ${plural(wanted.bytes, 'byte')}`;
  void shell.closed.then(({ lost }) => {
    if (lost !== null) stop(gone(`the connection to ${host.label} was lost after ${of()} of ${wanted.file}: ${lost}`));
  });
  shell.write(downloadProgram(mark, wanted.directory, wanted.file));
  shell.end();
  try {
    for await (const chunk of output) {
      clearTimeout(idle); // as long as it is on us
      yield* incoming.take(chunk as Buffer);
      onProgress(incoming.bytes);
      idle = setTimeout(tooLong, idleTimeoutMs);
    }
  } finally {
    clearTimeout(idle);
  }
  if (incoming.isWhole()) return incoming.check(said);
  throw gone(
    `the process that sent ${wanted.file} on ${host.label} ended after ${of()}${said === '' ? '' : `; its output was: ${JSON.stringify(said)}`}`,
  );
}

const gone = (message: string): BackupError =>
  new BackupError('E_REMOTE_LOST', message, 'Run again. The part that was downloaded was removed from the runner.');

/** Takes what `send_file` of host/programs/download.sh prints apart. The host is not trusted: no more than was asked for is taken. */
class Incoming {
  /** Of the file, so far. */
  bytes = 0;
  private readonly hash = createHash('sha256');
  /** Before the first line of ours. */
  private noise: Buffer | null = Buffer.alloc(0);
  /** The last bytes that came: they may be the line that ends it all. */
  private tail: Buffer = Buffer.alloc(0);
  private readonly tailBytes: number;

  constructor(
    private readonly mark: string,
    private readonly wanted: Wanted,
  ) {
    this.tailBytes = `\n${mark} end 000\n`.length;
  }

  /** The bytes of the file in this chunk. Throws E_CHECKSUM when they are another file's, E_SHELL when none come. */
  take(chunk: Buffer): Buffer[] {
    const rest = this.noise === null ? chunk : this.begin(Buffer.concat([this.noise, chunk]));
    if (rest === null) return [];
    const payload = this.holdBack(rest);
    const { file, bytes } = this.wanted;
    for (const piece of payload) {
      this.bytes += piece.length;
      this.hash.update(piece);
    }
    if (this.bytes > bytes) {
      throw damaged(`the host sent more of ${file} than the ${plural(bytes, 'byte')} in its manifest`);
    }
    return payload;
  }

  /** What is not the tail any more, hardly copied. */
  private holdBack(rest: Buffer): Buffer[] {
    const all = rest.length < this.tailBytes ? [Buffer.concat([this.tail, rest])] : [this.tail, rest];
    const last = all.pop() ?? rest;
    const split = Math.max(0, last.length - this.tailBytes);
    this.tail = Buffer.from(last.subarray(split));
    return [...all, last.subarray(0, split)].filter((piece) => piece.length > 0);
  }

  /** It came to its end, on the word of the shell there. */
  isWhole(): boolean {
    return this.status() !== null;
  }

  /** Throws E_CHECKSUM when what came is not what the manifest says, E_REMOTE_LOST when the sender was killed. */
  check(said: string): void {
    const { file, bytes, sha256 } = this.wanted;
    const status = this.status() ?? 1;
    if (status > 128) {
      throw new BackupError(
        'E_REMOTE_LOST',
        `the process that sent ${file} was killed by signal ${status - 128} after ${this.bytes} of ${plural(bytes, 'byte')}`,
      );
    }
    if (status !== 0) throw damaged(`${file} could not be read completely: ${JSON.stringify(said)}`);
    if (this.bytes !== bytes)
      throw damaged(`${plural(this.bytes, 'byte')} of ${file} arrived, but the manifest says ${bytes}`);
    const digest = this.hash.digest('hex');
    if (digest !== sha256)
      throw damaged(`the SHA-256 of ${file} on the runner is ${digest}, but the manifest says ${sha256}`);
  }

  private status(): number | null {
    const [, status] = new RegExp(`^\\n${this.mark} end (\\d{3})\\n$`).exec(this.tail.toString('latin1')) ?? [];
    return status === undefined ? null : Number(status);
  }

  /** What follows the first line of ours, or null while it has not come. */
  private begin(text: Buffer): Buffer | null {
    this.noise = text;
    const at = text.indexOf(`\n${this.mark} `);
    const end = at < 0 ? -1 : text.indexOf(10, at + 1);
    if (end < 0) {
      if (text.length > MAX_NOISE) {
        throw new BackupError(
          'E_SHELL',
          `the login scripts of the host print more than ${MAX_NOISE} bytes in a session without a terminal`,
        );
      }
      return null;
    }
    const { file, bytes } = this.wanted;
    const line = text.subarray(at + this.mark.length + 2, end).toString('latin1');
    if (line === 'missing') throw damaged(`${file} is missing, or is not a regular file`);
    if (line !== `size ${bytes}`)
      throw damaged(`${file} has ${JSON.stringify(line.replace(/^size /, ''))} bytes, but the manifest says ${bytes}`);
    this.noise = null;
    return text.subarray(end + 1);
  }
}

const damaged = (message: string): BackupError =>
  new BackupError(
    'E_CHECKSUM',
    message,
    'Do not rely on this backup. Take a new one, and check the disk of the host and who can write to that directory. From now on the backup counts as not verified, so no rotation relies on it.',
  );
