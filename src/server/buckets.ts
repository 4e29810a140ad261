import type { Rate } from './limits.js';

/** Those of whom longest nothing was heard are forgotten. */
const MOST_ADDRESSES = 10_000;

/** Token buckets, one for each address: what is taken comes back with the time. */
export class Buckets {
  private readonly known = new Map<string, { left: number; at: number }>();

  constructor(
    private readonly rate: Rate,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Takes one. The seconds to wait when there is none; 0: there was. */
  take(address: string): number {
    const { most, perSecond } = this.rate;
    const now = this.now();
    const before = this.known.get(address);
    const left = before === undefined ? most : Math.min(most, before.left + ((now - before.at) / 1000) * perSecond);
    const there = left >= 1;
    this.known.delete(address);
    for (const [oldest] of this.known) {
      if (this.known.size < MOST_ADDRESSES) break;
      this.known.delete(oldest);
    }
    this.known.set(address, { left: there ? left - 1 : left, at: now });
    return there ? 0 : Math.ceil((1 - left) / perSecond);
  }
}
