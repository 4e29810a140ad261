import { BackupError, describe } from '../errors.js';
import { platform, usePlatform } from '../platform/platform.js';
import { terminal } from '../platform/terminal.js';
import { neutralise } from '../reporting/neutralise.js';
import { type Calendar, leftOut, nextTimes, parseCalendar, showCalendar } from '../schedule/calendar.js';
import { type Account, JOBS, type Job, type System } from '../schedule/installation.js';
import { accountOf, caller, isRoot, isWindows, programPath } from '../schedule/machine.js';
import { onCron } from '../schedule/on-cron.js';
import { onSystemd } from '../schedule/on-systemd.js';
import { onWindows } from '../schedule/on-windows.js';
import type { Installed, Scheduler } from '../schedule/scheduler.js';
import { parseRunAs } from '../settings/value-rules.js';
import { type Config, readConfig } from './config.js';
import { EXIT } from './exit-status.js';
import type { Given } from './schedule-command.js';

// What the commands of `db-backup schedule` have in common.

export async function told(deed: () => Promise<number>): Promise<number> {
  begin();
  try {
    return await deed();
  } catch (error) {
    const { code, message, hint } = describe(error);
    platform().error(neutralise([code, ': ', message, hint === '' ? '' : `\n${hint}`].join('')));
    return code === 'E_INPUT' ? EXIT.input : EXIT.failed;
  }
}

export const begin = (): void => usePlatform(terminal());

export const say = (text: string): void => platform().info(neutralise(text));

export const warn = (...texts: string[]): void => {
  for (const text of texts) platform().warning(neutralise(text));
};

export const show = (text: string): void => platform().result(neutralise(text));

export const input = (...wrong: string[]): BackupError =>
  new BackupError('E_INPUT', wrong.join('\n'), 'Run `db-backup schedule install --help` to see the options.');

const EXAMPLE = `databases:
  app:
    transport: local
    database: /srv/app/app.db
    directory: /var/backups/app`;

export async function configured(given: Given): Promise<Config> {
  // a copy, since variables that the configuration names are taken out of ours
  const config = await readConfig(given.config ?? (process.env.DB_BACKUP_CONFIG || null), { ...process.env });
  if (config === null) {
    throw new BackupError(
      'E_INPUT',
      'there is no configuration, and a scheduled job has nobody to ask',
      `Write /etc/db-backup/db-backup.yml, for example:\n${EXAMPLE}`,
    );
  }
  if (config.wrong.length > 0) throw input(...config.wrong);
  return config;
}

/** Reads an option; what is wrong with it goes to the others. */
export const reading =
  (wrong: string[]) =>
  <T>(option: string, parse: () => T): T | null => {
    try {
      return parse();
    } catch (error) {
      wrong.push(`--${option}: ${(error as Error).message}`);
      return null;
    }
  };

export function jobsOf(
  given: Given,
  read: <T>(option: string, parse: () => T) => T | null,
): ReadonlyMap<Job, Calendar> {
  const jobs = new Map<Job, Calendar>();
  for (const job of JOBS) {
    const text = given[job] ?? 'none';
    const calendar = text.trim() === 'none' ? null : read(job, () => parseCalendar(text));
    if (calendar !== null) jobs.set(job, calendar);
  }
  return jobs;
}

/** null: there is none of that name. Throws an Error for another one than the caller, who is not root. */
export function ofUser(given: string, command: string): Account | null {
  const me = caller();
  if (given === me.name) return me;
  const found = accountOf(parseRunAs(given));
  if (found !== null && !isRoot())
    throw new Error(`only root can ${command} it for another user: sudo db-backup schedule ${command} --user ${given}`);
  return found;
}

export const schedulerOf = (system: System, account: Account): Scheduler =>
  system === 'systemd'
    ? onSystemd(isRoot() ? 'system' : 'user', caller())
    : system === 'cron'
      ? onCron(account, caller())
      : onWindows();

/** All that can run jobs here, as far as this user can see; `account`: who is meant besides. */
export function schedulers(account: Account = caller()): Scheduler[] {
  if (isWindows()) return [onWindows()];
  const me = caller();
  return [
    onSystemd('system', me),
    ...(isRoot() ? [] : [onSystemd('user', me)]),
    ...(programPath('crontab') === null ? [] : [onCron(account, me)]),
  ];
}

export const all = (account?: Account): { one: Installed; scheduler: Scheduler }[] =>
  schedulers(account).flatMap((scheduler) => scheduler.installed().map((one) => ({ one, scheduler })));

/** Which of the jobs are at an hour that the clock leaves out once a year. */
export function gapsOf(jobs: ReadonlyMap<Job, Calendar>): string[] {
  return [...jobs].flatMap(([job, calendar]) => {
    const gap = leftOut(calendar, new Date());
    return gap === null
      ? []
      : [
          `${job}: on ${timeOf(gap).slice(4, 14)} the clock of this machine skips that time, and the job may not run that day: choose another hour`,
        ];
  });
}

export function lineOf(job: Job, calendar: Calendar): string {
  const times = nextTimes(calendar, new Date(), 3).map(timeOf).join(', ');
  return `${job}: ${showCalendar(calendar)}; next ${times} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
}

export const timeOf = (time: Date | undefined): string => {
  if (time === undefined) return 'never';
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][time.getDay()];
  return `${day} ${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`;
};
