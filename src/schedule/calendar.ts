/** When a job runs, by the clock of the machine: no more than systemd, cron and the Task Scheduler of Windows can all say. */
export type Calendar =
  /** `every` divides 24. */
  | { unit: 'hours'; every: number; minute: number }
  | { unit: 'day'; hour: number; minute: number }
  /** 0: Sunday. */
  | { unit: 'week'; day: number; hour: number; minute: number }
  /** 1 to 28, which every month has. */
  | { unit: 'month'; day: number; hour: number; minute: number };

export const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;

const MINUTE_MS = 60_000;
const FORMS =
  'expected hourly, hourly :15, every 6 hours, daily 02:00, weekly sunday 03:00, monthly 1 05:00, or a cron expression for one of these, such as "0 2 * * *"';

/** Reads `daily 02:00` and its like. Throws an Error whose text is the rule. */
export function parseCalendar(text: string): Calendar {
  const words = text.trim().toLowerCase().replace(/\s+/g, ' ');
  const parts = words.split(' ');
  return parts.length === 5 && /^[\d*]/.test(words) ? fromCron(parts) : fromWords(words);
}

function fromWords(words: string): Calendar {
  const [, every, minute] = /^(?:hourly|every (\d{1,2}) hours?)(?: :(\d\d))?$/.exec(words) ?? [];
  if (/^(?:hourly|every) ?/.test(words)) {
    if (!/^(?:hourly|every \d{1,2} hours?)(?: :\d\d)?$/.test(words)) throw new Error(FORMS);
    return { unit: 'hours', every: hours(every ?? '1'), minute: number(minute ?? '0', 0, 59, 'minute') };
  }
  const [, unit, which = '', hour = '', past = ''] =
    /^(daily|weekly|monthly)(?: ([a-z]+|\d{1,2}))? (\d{1,2}):(\d\d)$/.exec(words) ?? [];
  const time = (): { hour: number; minute: number } => ({
    hour: number(hour, 0, 23, 'hour'),
    minute: number(past, 0, 59, 'minute'),
  });
  if (unit === 'daily' && which === '') return { unit: 'day', ...time() };
  if (unit === 'weekly') return { unit: 'week', day: dayOfWeek(which), ...time() };
  if (unit === 'monthly') return { unit: 'month', day: dayOfMonth(which), ...time() };
  throw new Error(FORMS);
}

/** As scripts have it: single numbers, and `*` or `*\/6` for the hours. */
function fromCron([minute = '', hour = '', date = '', month = '', day = '']: readonly string[]): Calendar {
  const past = number(minute, 0, 59, 'minute');
  const step = /^\*(?:\/(\d{1,2}))?$/.exec(hour);
  if (month !== '*') throw new Error(FORMS);
  if (step !== null) {
    if (date !== '*' || day !== '*') throw new Error(FORMS);
    return { unit: 'hours', every: hours(step[1] ?? '1'), minute: past };
  }
  const time = { hour: number(hour, 0, 23, 'hour'), minute: past };
  if (date === '*' && day === '*') return { unit: 'day', ...time };
  if (date === '*') return { unit: 'week', day: dayOfWeek(day), ...time };
  if (day === '*') return { unit: 'month', day: dayOfMonth(date), ...time };
  throw new Error(FORMS);
}

function number(text: string, least: number, most: number, what: string): number {
  if (!/^\d{1,2}$/.test(text)) throw new Error(FORMS);
  if (Number(text) >= least && Number(text) <= most) return Number(text);
  throw new Error(`expected the ${what} to be from ${least} to ${most}`);
}

function hours(text: string): number {
  if (Number(text) > 0 && Number(text) < 24 && 24 % Number(text) === 0) return Number(text);
  throw new Error('expected 1, 2, 3, 4, 6, 8 or 12 hours, which divide a day evenly');
}

function dayOfWeek(text: string): number {
  const byNumber = /^[0-7]$/.test(text) ? Number(text) % 7 : -1;
  const found =
    byNumber >= 0 ? byNumber : DAYS.findIndex((day) => text.length >= 3 && (day === text || day.slice(0, 3) === text));
  if (found >= 0) return found;
  throw new Error(`expected a day of the week, such as weekly sunday 03:00: ${DAYS.join(', ')}`);
}

function dayOfMonth(text: string): number {
  if (/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= 28) return Number(text);
  throw new Error('expected a day from 1 to 28, because every month has these, such as monthly 1 05:00');
}

const two = (value: number): string => String(value).padStart(2, '0');
const clock = ({ hour, minute }: { hour: number; minute: number }): string => `${two(hour)}:${two(minute)}`;

/** As parseCalendar reads it. */
export function showCalendar(calendar: Calendar): string {
  switch (calendar.unit) {
    case 'hours': {
      const minute = calendar.minute === 0 ? '' : ` :${two(calendar.minute)}`;
      return calendar.every === 1 ? `hourly${minute}` : `every ${calendar.every} hours${minute}`;
    }
    case 'day':
      return `daily ${clock(calendar)}`;
    case 'week':
      return `weekly ${DAYS[calendar.day]} ${clock(calendar)}`;
    case 'month':
      return `monthly ${calendar.day} ${clock(calendar)}`;
  }
}

/** For `OnCalendar=`. */
export function onCalendar(calendar: Calendar): string {
  switch (calendar.unit) {
    case 'hours':
      return `*-*-* ${calendar.every === 1 ? '*' : `00/${calendar.every}`}:${two(calendar.minute)}:00`;
    case 'day':
      return `*-*-* ${clock(calendar)}:00`;
    case 'week':
      return `${['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][calendar.day]} *-*-* ${clock(calendar)}:00`;
    case 'month':
      return `*-*-${two(calendar.day)} ${clock(calendar)}:00`;
  }
}

/** The first five fields of a line of cron. */
export function cronFields(calendar: Calendar): string {
  switch (calendar.unit) {
    case 'hours':
      return `${calendar.minute} ${calendar.every === 1 ? '*' : `*/${calendar.every}`} * * *`;
    case 'day':
      return `${calendar.minute} ${calendar.hour} * * *`;
    case 'week':
      return `${calendar.minute} ${calendar.hour} * * ${calendar.day}`;
    case 'month':
      return `${calendar.minute} ${calendar.hour} ${calendar.day} * *`;
  }
}

/**
 * The next times after `from`, by the clock of the machine. One that the clock leaves out, when summer time begins, is none; of two that it
 * shows alike, when summer time ends, the first is one. What is hourly comes in each hour that passes, however the clock is set.
 */
export function nextTimes(calendar: Calendar, from: Date, count: number): Date[] {
  if (calendar.unit === 'hours' && calendar.every === 1) return eachHour(calendar.minute, from, count);
  const found: Date[] = [];
  for (let days = 0; found.length < count; days++) {
    const times = timesOn(calendar, from, days).filter(({ time, exists }) => exists && time > from);
    found.push(...times.map(({ time }) => time).slice(0, count - found.length));
  }
  return found;
}

function eachHour(minute: number, from: Date, count: number): Date[] {
  const found: Date[] = [];
  let time = Math.floor(from.getTime() / MINUTE_MS) * MINUTE_MS;
  while (found.length < count) {
    time += MINUTE_MS;
    const next = new Date(time);
    if (next.getMinutes() === minute) found.push(next);
  }
  return found;
}

/** The first time within a year that the clock leaves out; null: it has all, or the job comes more often than once a day. */
export function leftOut(calendar: Calendar, from: Date): Date | null {
  if (calendar.unit === 'hours') return null;
  for (let days = 0; days < 366; days++) {
    const missing = timesOn(calendar, from, days).find(({ exists }) => !exists);
    if (missing !== undefined) return missing.time;
  }
  return null;
}

/** On the day that is so many days later. `exists`: the clock shows that hour on that day. */
function timesOn(calendar: Calendar, from: Date, days: number): { time: Date; exists: boolean }[] {
  const day = new Date(from.getFullYear(), from.getMonth(), from.getDate() + days, 12);
  if (calendar.unit === 'week' && day.getDay() !== calendar.day) return [];
  if (calendar.unit === 'month' && day.getDate() !== calendar.day) return [];
  const all =
    calendar.unit === 'hours'
      ? Array.from({ length: 24 / calendar.every }, (_, nth) => nth * calendar.every)
      : [calendar.hour];
  return all.map((hour) => {
    const time = new Date(day.getFullYear(), day.getMonth(), day.getDate(), hour, calendar.minute);
    return { time, exists: time.getHours() === hour && time.getMinutes() === calendar.minute };
  });
}
