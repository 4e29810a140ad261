import { BackupError, type ErrorCode } from '../errors.js';

/** A table with its rows; the name as the bytes of the database, in its own encoding. */
export interface CountedRows {
  name: Buffer;
  rows: number;
}

/** What a program on the host reported, in order. */
export class Facts {
  readonly entries: [key: string, text: string][] = [];
  private readonly byKey = new Map<string, string[]>();
  readonly rows: CountedRows[] = [];
  /** The same of a copy that was made of a backup. */
  readonly restored: CountedRows[] = [];

  add(key: string, text: string): void {
    this.entries.push([key, text]);
    const texts = this.byKey.get(key);
    if (texts === undefined) this.byKey.set(key, [text]);
    else texts.push(text);
  }

  /** The last text under a key, or null. */
  get(key: string): string | null {
    return this.byKey.get(key)?.at(-1) ?? null;
  }

  /** Throws E_INTERNAL when the program did not report it. */
  need(key: string): string {
    const text = this.get(key);
    if (text === null) throw new BackupError('E_INTERNAL', `the program on the host did not report ${key}`);
    return text;
  }

  /** A whole number; throws E_INTERNAL when it is none. */
  number(key: string): number {
    const text = this.need(key);
    if (!/^\d{1,15}$/.test(text)) {
      throw new BackupError('E_INTERNAL', `the host reported ${key} as ${JSON.stringify(text.slice(0, 80))}`);
    }
    return Number(text);
  }

  /** The same where it may not have been reported: null. */
  numberOrNull(key: string): number | null {
    return this.get(key) === null ? null : this.number(key);
  }

  /** An absolute path as the host resolved it, in one line, no longer than one can be; throws E_INTERNAL when it is none. */
  path(key: string): string {
    const path = this.need(key);
    if (/^\/[^\p{Cc}]*$/u.test(path) && path.length <= 4096) return path;
    throw new BackupError('E_INTERNAL', `the host reported ${key} as ${JSON.stringify(path.slice(0, 80))}`);
  }

  all(key: string): string[] {
    return [...(this.byKey.get(key) ?? [])];
  }
}

/** A failure as the program on the host reported it; `engines/` and `run/` put it into words. */
export class HostFailure extends Error {
  override readonly name = 'HostFailure';
  constructor(
    readonly code: ErrorCode,
    readonly text: string,
    readonly facts: Facts,
  ) {
    super(`${code}: ${text}`);
  }
}

/** How far the job is, in bytes; 0 where it is not known. */
export interface HostProgress {
  /** Size of the copy. */
  copied: number;
  /** Bytes that went into the compressor. */
  packed: number;
  /** Bytes that the tool at work has read. */
  read: number;
}
