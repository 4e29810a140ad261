import { Refusal } from './refusal.js';

/** Calls that change nothing: some at once, some wait, more are refused. */
export class Turns {
  private running = 0;
  private readonly queue: (() => void)[] = [];

  constructor(
    private readonly most: number,
    private readonly waiting: number,
  ) {}

  /** Throws a Refusal when too many wait. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.running < this.most) this.running++;
    else if (this.queue.length < this.waiting) await new Promise<void>((resolve) => this.queue.push(resolve));
    else {
      const headers = { 'retry-after': '5' };
      throw new Refusal(
        503,
        'E_LIMIT',
        `the server is busy: ${this.most} calls are running and ${this.waiting} are waiting; try again`,
        {
          headers,
        },
      );
    }
    try {
      return await work();
    } finally {
      const next = this.queue.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }
}
