import { createHash } from 'node:crypto';
import { parseName } from '../settings/value-rules.js';
import { type Calendar, parseCalendar, showCalendar } from './calendar.js';
import { type Installation, JOBS, type Job } from './installation.js';

/** What a piece of ours says of itself, in one line. */
export interface Mark {
  name: string;
  job: Job;
  calendar: Calendar;
  user: string;
  node: string;
  cli: string;
  config: string;
}

const BEGINNING = 'made by db-backup (`db-backup schedule` replaces and removes it): ';

/** The line, without a sign of a comment before it. ASCII alone, and nothing in it ends it. `text`: what the piece is besides. */
export function markLine({ name, account, node, cli, config, jobs }: Installation, job: Job, text: string): string {
  const calendar = jobs.get(job);
  if (calendar === undefined) throw new Error(`${job} has no time to run at`);
  const facts = {
    name,
    job,
    calendar: showCalendar(calendar),
    user: account.name,
    node,
    cli,
    config,
    sum: sumOf(text),
  };
  return `${BEGINNING}${JSON.stringify(facts).replace(/[^ -~]/g, escaped)}`;
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

const sumOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** What such a line says, wherever in it that begins; null: it is none of ours. `isIntact`: whether the text is the one that it was made for. */
export function readMark(line: string): { mark: Mark; isIntact: (text: string) => boolean } | null {
  const at = line.indexOf(BEGINNING);
  if (at < 0) return null;
  try {
    const said = JSON.parse(line.slice(at + BEGINNING.length)) as Record<string, unknown>;
    const text = (key: string): string => {
      const value = said[key];
      if (typeof value !== 'string') throw new Error(`${key} is not a string`);
      return value;
    };
    const job = JOBS.find((one) => one === said.job);
    if (job === undefined) return null;
    const mark: Mark = {
      ...{ name: parseName(text('name')), job, calendar: parseCalendar(text('calendar')) },
      ...{ user: text('user'), node: text('node'), cli: text('cli'), config: text('config') },
    };
    const sum = text('sum');
    return { mark, isIntact: (other) => sumOf(other) === sum };
  } catch {
    return null;
  }
}
