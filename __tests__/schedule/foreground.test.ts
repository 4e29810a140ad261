import { describe, expect, test } from '@jest/globals';
import { parseCalendar } from '../../src/schedule/calendar.js';
import { inForeground } from '../../src/schedule/foreground.js';
import type { Job } from '../../src/schedule/installation.js';

const local = (text: string) => new Date(`2026-11-${text}`);
const shown = (time: Date) =>
  `${time.getDate()} ${String(time.getHours()).padStart(2, '0')}:${String(time.getMinutes()).padStart(2, '0')}`;

/** Which jobs were started when, from Monday the 23rd at noon until `until`; a job takes `minutes`. */
async function started(jobs: [Job, string][], until: string, minutes: (job: Job) => number): Promise<string[]> {
  let clock = local('23T12:00:00').getTime();
  const ending = new AbortController();
  const found: string[] = [];
  const pass = (ms: number) => {
    clock += ms;
    if (clock >= local(until).getTime()) ending.abort();
  };
  await inForeground(new Map(jobs.map(([job, text]) => [job, parseCalendar(text)])), {
    now: () => new Date(clock),
    wait: async (ms) => pass(ms),
    start: async (job) => {
      found.push(`${shown(new Date(clock))} ${job}`);
      pass(minutes(job) * 60_000);
    },
    tell: () => {},
    signal: ending.signal,
  });
  return found;
}

describe('jobs in the foreground', () => {
  test('each at its time', async () => {
    const jobs: [Job, string][] = [
      ['backup', 'daily 02:00'],
      ['verify', 'weekly wednesday 03:00'],
      ['health', 'every 12 hours :30'],
    ];
    expect(await started(jobs, '25T12:00:00', () => 1)).toEqual([
      ...['23 12:30 health', '24 00:30 health', '24 02:00 backup', '24 12:30 health'],
      ...['25 00:30 health', '25 02:00 backup', '25 03:00 verify'],
    ]);
  });

  test('one after another, and what was due meanwhile once', async () => {
    const jobs: [Job, string][] = [
      ['backup', 'daily 13:00'],
      ['health', 'hourly'],
    ];
    const long = (job: Job) => (job === 'backup' ? 200 : 1);
    expect(await started(jobs, '23T18:30:00', long)).toEqual([
      ...['23 13:00 backup', '23 16:20 health', '23 17:00 health', '23 18:00 health'],
    ]);
  });

  test('none', async () => {
    expect(await started([], '24T12:00:00', () => 1)).toEqual([]);
  });
});
