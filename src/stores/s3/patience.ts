import { setTimeout as sleep } from 'node:timers/promises';
import { BackupError } from '../../errors.js';
import type { S3Settings } from '../../settings/settings.js';
import { type Attempt, explainRefusal, isPassing, type Refusal, refusalOf } from './failures.js';

const TRIES = 6;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;

/**
 * How long failures of a store are borne that may pass: each request is tried six times at most, and all of them together stop when
 * none came through for `giveUpMs`. The waits in between double, and are drawn by lot, so that many runs do not come back at once.
 */
export class Patience {
  /** null: the last request came through. */
  private failingSince: number | null = null;

  constructor(
    private readonly s3: S3Settings,
    private readonly signal: AbortSignal,
    private readonly giveUpMs: number,
  ) {}

  /**
   * Does it until it comes through. Throws the reason of the signal, or a BackupError in words. What the caller wants to tell apart by
   * itself (there is no such object) it takes out in `work`.
   */
  async with<T>(attempt: Attempt, work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      this.signal.throwIfAborted();
      try {
        const result = await work();
        this.renew();
        return result;
      } catch (error) {
        await this.pauseAfterError(error, attempt, tries);
      }
    }
  }

  /** As `pauseAfter`; what is no failure of the store is thrown as it is. */
  async pauseAfterError(error: unknown, attempt: Attempt, tries: number): Promise<void> {
    this.signal.throwIfAborted();
    if (isOurs(error)) throw error;
    await this.pauseAfter(refusalOf(error), attempt, tries);
  }

  /** Waits before the next try; throws when there is none. */
  async pauseAfter(refusal: Refusal, attempt: Attempt, tries: number): Promise<void> {
    this.failingSince ??= Date.now();
    const wait = Math.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries - 1));
    const isOver = tries >= TRIES || Date.now() + wait - this.failingSince > this.giveUpMs;
    if (isOver || !isPassing(refusal)) throw explainRefusal(refusal, attempt, this.s3, tries);
    await sleep(wait, undefined, { signal: this.signal }).catch(() => this.signal.throwIfAborted());
  }

  /** Something came through. */
  renew(): void {
    this.failingSince = null;
  }
}

/** Already in words, or a bug, which is not to be taken for the store's. */
const isOurs = (error: unknown): boolean =>
  error instanceof BackupError || error instanceof TypeError || error instanceof ReferenceError;
