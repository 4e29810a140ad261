import { setTimeout as sleep } from 'node:timers/promises';
import { type Calendar, nextTimes } from './calendar.js';
import type { Job } from './installation.js';

/** What the foreground needs of the world. */
export interface Around {
  now(): Date;
  /** Resolves after so many milliseconds, or when the run is to end. */
  wait(ms: number): Promise<void>;
  /** Carries a job out to its end. */
  start(job: Job): Promise<void>;
  /** Before the first job and after each, what comes next. */
  tell(job: Job, at: Date): void;
  signal: AbortSignal;
}

/** No longer at once: the clock may be set meanwhile, and a laptop may sleep. */
const LONGEST_MS = 60_000;

/**
 * Starts each job at its time, one after another, until the signal. What falls due while another one runs is started after it, once
 * however often it was due. What was missed before the beginning is not made up for.
 */
export async function inForeground(
  jobs: ReadonlyMap<Job, Calendar>,
  { now, wait, start, tell, signal }: Around,
): Promise<void> {
  const begun = now();
  const due = new Map([...jobs].map(([job, calendar]) => [job, next(calendar, begun)]));
  while (!signal.aborted) {
    const [first] = [...due].sort(([, one], [, other]) => one.getTime() - other.getTime());
    if (first === undefined) return;
    const [job, at] = first;
    tell(job, at);
    while (!signal.aborted && now() < at) await wait(Math.min(LONGEST_MS, at.getTime() - now().getTime()));
    if (signal.aborted) return;
    await start(job);
    const calendar = jobs.get(job);
    if (calendar !== undefined) due.set(job, next(calendar, now()));
  }
}

function next(calendar: Calendar, from: Date): Date {
  const [time] = nextTimes(calendar, from, 1);
  if (time === undefined) throw new Error('a calendar without a next time');
  return time;
}

/** As `Around.wait`. */
export const waiting =
  (signal: AbortSignal) =>
  (ms: number): Promise<void> =>
    sleep(ms, undefined, { signal }).catch(() => {});
