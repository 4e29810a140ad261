import type { KeepRules } from './retention.js';

export type PeriodRule = Exclude<keyof KeepRules, 'last' | 'within'>;

/** The calendar periods, finest first: the label of the one that holds `date`. All in UTC, so no night has a gap or a double hour. */
export const PERIODS: Readonly<Record<PeriodRule, (date: Date) => string>> = {
  hourly: (date) => date.toISOString().slice(0, 13),
  daily: (date) => date.toISOString().slice(0, 10),
  weekly: isoWeek,
  monthly: (date) => date.toISOString().slice(0, 7),
  yearly: (date) => date.toISOString().slice(0, 4),
};

const DAY = 86_400_000;

/** `2026-W53`. A week belongs to the year of its Thursday (ISO 8601), so 1 January may lie in week 53 of the year before. */
function isoWeek(date: Date): string {
  const midnight = Math.floor(date.getTime() / DAY) * DAY;
  const thursday = new Date(midnight + (4 - (date.getUTCDay() || 7)) * DAY);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / DAY / 7) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}
