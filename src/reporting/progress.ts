import { formatBytes, formatDuration, formatRate } from './format.js';
import type { Log } from './log.js';

const FIRST_AFTER_MS = 3_000;
const LIVE_AFTER_MS = 1_000;
export const EVERY_MS = 10_000;

/** Tells how far a long transfer is: nothing in the first 3 s, then at most one line each 10 s; where a line can be written anew, that from the first second on. */
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

  /** `bytes` is the total so far. `mayPrint`: whether it is time for a line. True when one was printed. */
  update(bytes: number, mayPrint = true): boolean {
    const now = this.now();
    const elapsed = now - this.started;
    if (elapsed >= LIVE_AFTER_MS && this.log.live(this.told(bytes, elapsed), this.share(bytes))) return false;
    if (!mayPrint || elapsed < FIRST_AFTER_MS) return false;
    if (this.printed !== null && now - this.printed < EVERY_MS) return false;
    this.printed = now;
    this.log.info(this.told(bytes, elapsed));
    return true;
  }

  /** null: nobody knows. The expected size is an estimate: past it, a share or a time left would be made up. */
  private share(bytes: number): number | null {
    const expected = this.expectedBytes;
    return expected === null || expected <= 0 || bytes > expected ? null : bytes / expected;
  }

  private told(bytes: number, elapsed: number): string {
    const rate = formatRate(bytes, elapsed);
    const share = this.share(bytes);
    if (share === null) return `${this.label}: ${formatBytes(bytes)}, ${rate}`;
    const of = `${this.label}: ${formatBytes(bytes)} of ${formatBytes(this.expectedBytes ?? 0)} (${Math.floor(share * 100)} %), ${rate}`;
    // the first bytes tell little of the rest
    return share < 0.01 ? of : `${of}, about ${formatDuration((elapsed * (1 - share)) / share)} left`;
  }
}
