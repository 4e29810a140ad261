import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { cronFields, nextTimes, onCalendar, parseCalendar, showCalendar } from '../../src/schedule/calendar.js';

/** What is asked for, as it is shown, for systemd, for cron. */
const CALENDARS: [text: string, shown: string, systemd: string, cron: string][] = [
  ['hourly', 'hourly', '*-*-* *:00:00', '0 * * * *'],
  ['hourly :05', 'hourly :05', '*-*-* *:05:00', '5 * * * *'],
  ['Every 1 hour', 'hourly', '*-*-* *:00:00', '0 * * * *'],
  ['every 6 hours :30', 'every 6 hours :30', '*-*-* 00/6:30:00', '30 */6 * * *'],
  ['every 12 hours', 'every 12 hours', '*-*-* 00/12:00:00', '0 */12 * * *'],
  ['daily 2:00', 'daily 02:00', '*-*-* 02:00:00', '0 2 * * *'],
  ['  DAILY   23:59 ', 'daily 23:59', '*-*-* 23:59:00', '59 23 * * *'],
  ['weekly sunday 03:00', 'weekly sunday 03:00', 'Sun *-*-* 03:00:00', '0 3 * * 0'],
  ['weekly sat 03:00', 'weekly saturday 03:00', 'Sat *-*-* 03:00:00', '0 3 * * 6'],
  ['monthly 1 05:00', 'monthly 1 05:00', '*-*-01 05:00:00', '0 5 1 * *'],
  ['monthly 28 05:10', 'monthly 28 05:10', '*-*-28 05:10:00', '10 5 28 * *'],
  ['0 2 * * *', 'daily 02:00', '*-*-* 02:00:00', '0 2 * * *'],
  ['15 * * * *', 'hourly :15', '*-*-* *:15:00', '15 * * * *'],
  ['0 */4 * * *', 'every 4 hours', '*-*-* 00/4:00:00', '0 */4 * * *'],
  ['30 3 * * 7', 'weekly sunday 03:30', 'Sun *-*-* 03:30:00', '30 3 * * 0'],
  ['30 3 * * mon', 'weekly monday 03:30', 'Mon *-*-* 03:30:00', '30 3 * * 1'],
  ['30 3 14 * *', 'monthly 14 03:30', '*-*-14 03:30:00', '30 3 14 * *'],
];

test.each(CALENDARS)('%s', (text, shown, systemd, cron) => {
  const calendar = parseCalendar(text);
  expect([showCalendar(calendar), onCalendar(calendar), cronFields(calendar)]).toEqual([shown, systemd, cron]);
  expect(parseCalendar(shown)).toEqual(calendar);
  expect(parseCalendar(cron)).toEqual(calendar);
});

test.each([
  ['', /expected hourly/],
  ['daily', /expected hourly/],
  ['daily 24:00', /the hour to be from 0 to 23/],
  ['daily 02:60', /the minute to be from 0 to 59/],
  ['daily sunday 02:00', /expected hourly/],
  ['weekly 03:00', /expected a day of the week/],
  ['weekly s 03:00', /expected a day of the week/],
  ['weekly 8 03:00', /expected a day of the week/],
  ['monthly 31 05:00', /a day from 1 to 28/],
  ['monthly 0 05:00', /a day from 1 to 28/],
  ['monthly 05:00', /a day from 1 to 28/],
  ['every 5 hours', /expected 1, 2, 3, 4, 6, 8 or 12 hours/],
  ['every 24 hours', /expected 1, 2, 3, 4, 6, 8 or 12 hours/],
  ['every 6 hours :5', /expected hourly/],
  ['hourlyish', /expected hourly/],
  ['*/5 * * * *', /expected hourly/],
  ['0 2 * 1 *', /expected hourly/],
  ['0 2 1 * 1', /expected hourly/],
  ['0 2,4 * * *', /expected hourly/],
  ['0 * 1 * *', /expected hourly/],
  ['0 2 * * *; rm', /expected/],
  ['daily 02:00\n[Service]', /expected/],
])('%j is refused', (text, rule) => {
  expect(() => parseCalendar(text)).toThrow(rule);
});

const node24 = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
const calendarFile = fileURLToPath(new URL('../../src/schedule/calendar.ts', import.meta.url));

describe('the next times', () => {
  const from = new Date(2026, 10, 30, 17, 45, 30);

  test.each([...new Set(CALENDARS.map(([text]) => text))])('%s: as systemd computes them', (text) => {
    const calendar = parseCalendar(text);
    const two = (value: number): string => String(value).padStart(2, '0');
    const stamp = (time: Date): string =>
      `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
    const said = execFileSync(
      'systemd-analyze',
      ['calendar', '--iterations=14', `--base-time=${stamp(from)}`, onCalendar(calendar)],
      { encoding: 'utf8' },
    );
    const theirs = [...said.matchAll(/(?:Next elapse|Iter(?:ation|\.) #\d+): \w{3} (\S+ \S+)/g)].map(
      ([, time]) => time,
    );
    expect(theirs).toHaveLength(14);
    expect(nextTimes(calendar, from, 14).map(stamp)).toEqual(theirs);
  });

  test('a time that is now is not a next one', () => {
    const now = new Date(2026, 10, 30, 2, 0, 0);
    expect(nextTimes(parseCalendar('daily 02:00'), now, 1)).toEqual([new Date(2026, 11, 1, 2, 0, 0)]);
  });

  test.each([
    ['Europe/Berlin', 'daily 02:00', '2027-03-28'],
    ['Europe/Berlin', 'weekly sunday 02:59', '2027-03-28'],
    ['Europe/Berlin', 'daily 03:00', null],
    ['Europe/Berlin', 'daily 01:59', null],
    ['Europe/Berlin', 'monthly 1 02:00', null],
    ['Europe/Berlin', 'hourly', null],
    ['America/New_York', 'daily 02:00', '2027-03-14'],
    ['America/New_York', 'daily 03:15', null],
    ['UTC', 'daily 02:00', null],
  ])('in %s, %s: the day that the clock leaves out is %s, and is no next one', (TZ, text, day) => {
    const script = `const { parseCalendar, leftOut, nextTimes } = await import(process.argv[1]);
const from = new Date(2027, 2, 10, 12);
const calendar = parseCalendar(process.argv[2]);
const days = nextTimes(calendar, from, 20).map((time) => time.toLocaleDateString('sv'));
console.log(JSON.stringify({ gap: leftOut(calendar, from)?.toLocaleDateString('sv') ?? null, days }));`;
    const args = ['--input-type=module', '--no-warnings', '-e', script, '--', calendarFile, text];
    const said = JSON.parse(execFileSync(node24, args, { env: { TZ }, encoding: 'utf8' })) as {
      gap: string;
      days: string[];
    };
    expect(said.gap).toBe(day);
    expect(said.days).not.toContain(day);
    if (text.startsWith('daily')) expect(said.days).toHaveLength(20);
  });

  /** The next times from a moment, in UTC, in that time zone. */
  const timesIn = (TZ: string, text: string, from: string, count: number): string[] => {
    const script = `const { parseCalendar, nextTimes } = await import(process.argv[1]);
console.log(JSON.stringify(nextTimes(parseCalendar(process.argv[2]), new Date(process.argv[3]), Number(process.argv[4]))));`;
    const args = ['--input-type=module', '--no-warnings', '-e', script, '--', calendarFile, text, from, String(count)];
    const said = JSON.parse(execFileSync(node24, args, { env: { TZ }, encoding: 'utf8' })) as string[];
    return said.map((time) => time.slice(5, 16));
  };

  // 25 October 2026, 01:00 in UTC: from 03:00 back to 02:00 in Berlin
  test.each([
    ['hourly :15', '2026-10-24T23:20:00Z', ['10-25T00:15', '10-25T01:15', '10-25T02:15', '10-25T03:15']],
    // from the second of the two hours on
    ['hourly :15', '2026-10-25T01:14:59Z', ['10-25T01:15', '10-25T02:15']],
    ['daily 02:30', '2026-10-24T12:00:00Z', ['10-25T00:30', '10-26T01:30']],
    ['daily 02:30', '2026-10-25T00:40:00Z', ['10-26T01:30']],
    ['every 2 hours', '2026-10-24T22:30:00Z', ['10-25T00:00', '10-25T03:00']],
    // and forward, on 28 March 2027
    ['hourly', '2027-03-27T23:30:00Z', ['03-28T00:00', '03-28T01:00', '03-28T02:00']],
  ])('when the clock of Berlin is set: %s from %s', (text, from, times) => {
    expect(timesIn('Europe/Berlin', text, from, times.length)).toEqual(times);
  });

  test('a clock that is put forward by half an hour has no minutes that it leaves out', () => {
    // 4 October 2026 on Lord Howe: 02:15 is not there
    expect(timesIn('Australia/Lord_Howe', 'daily 02:15', '2026-10-02T20:00:00Z', 2)).toEqual([
      ...['10-04T15:15', '10-05T15:15'],
    ]);
  });
});
