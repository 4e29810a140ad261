import { formatBytes, formatDuration, formatRate } from './format.js';
import type { Log } from './log.js';

const FIRST_AFTER_MS = 3_000;
export const EVERY_MS = 10_000;

/** Tells how far a long transfer is: nothing in the first 3 s, then at most one line each 10 s. */
export class Progress {
  private readonly started: number;
  private printed: number | null = null;

  /** `expectedBytes` is null when nobody knows; `now` is a clock in milliseconds that never goes back. */
  constructor(
    private readonly log: Log,
    private readonly label: string,
    private readonly expectedBytes: number | null,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.started = now();
  }

  /** `bytes` is the total so far. True when a line was printed. */
  update(bytes: number): boolean {
    const now = this.now();
    const elapsed = now - this.started;
    if (elapsed < FIRST_AFTER_MS) return false;
    if (this.printed !== null && now - this.printed < EVERY_MS) return false;
    this.printed = now;
    this.log.info(`${this.label}: ${this.progress(bytes, elapsed)}`);
    return true;
  }

  private progress(bytes: number, elapsed: number): string {
    const rate = formatRate(bytes, elapsed);
    const expected = this.expectedBytes;
    // The expected size is an estimate. Past it, a share or a time left would be made up.
    if (expected === null || expected <= 0 || bytes > expected) return `${formatBytes(bytes)}, ${rate}`;
    const share = `${formatBytes(bytes)} of ${formatBytes(expected)} (${Math.floor((bytes / expected) * 100)} %)`;
    // the first bytes tell little of the rest
    if (bytes < expected / 100) return `${share}, ${rate}`;
    return `${share}, ${rate}, about ${formatDuration(((expected - bytes) * elapsed) / bytes)} left`;
  }
}
