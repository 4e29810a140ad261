import type { Readable, Writable } from 'node:stream';

/** Where the database lives: a machine on which one POSIX shell can be started. */
export interface Host {
  /** For messages: `deploy@db.example.org:22`, or `this machine`. */
  readonly label: string;
  /** Starts `sh -s`; its stdin stays open until `end`. Rejects with a BackupError. */
  openShell(): Promise<Shell>;
  /** Ends the connection; never throws. */
  close(): void;
}

export interface Shell {
  write(text: string): void;
  /** Ends stdin: the signal for the program on the host to stop and clean up. */
  end(): void;
  onStdout(listener: (chunk: Buffer) => void): void;
  onStderr(listener: (chunk: Buffer) => void): void;
  /** Stdout as a stream that waits for its reader, instead of `onStdout`; destroying it ends the shell. Where the host is another machine. */
  output?(): Readable;
  /** Stdin as a stream that tells when to wait, beside `write`; destroying it ends the shell. Where the host is another machine. */
  input?(): Writable;
  /** Resolves when the shell is gone, in whatever way; never rejects. */
  readonly closed: Promise<ShellEnd>;
}

export interface ShellEnd {
  /** null: no exit status was reported. */
  code: number | null;
  signal: string | null;
  /** Set when the connection was lost, not the shell ended. */
  lost: string | null;
}
