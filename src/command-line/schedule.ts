import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { cancel } from '../cancel.js';
import { BackupError, describe } from '../errors.js';
import { platform, usePlatform } from '../platform/platform.js';
import { terminal } from '../platform/terminal.js';
import { neutralise } from '../reporting/neutralise.js';
import { type Calendar, leftOut, nextTimes, parseCalendar, showCalendar } from '../schedule/calendar.js';
import { inForeground, waiting } from '../schedule/foreground.js';
import {
  type Account,
  commandOf,
  type Installation,
  JOBS,
  type Job,
  type Needs,
  SYSTEMS,
  type System,
} from '../schedule/installation.js';
import {
  accountOf,
  caller,
  changeableByOthers,
  isRoot,
  isWindows,
  programPath,
  runsSystemd,
  unreadableFor,
} from '../schedule/machine.js';
import { onCron } from '../schedule/on-cron.js';
import { onSystemd } from '../schedule/on-systemd.js';
import { onWindows } from '../schedule/on-windows.js';
import type { Installed, Scheduler } from '../schedule/scheduler.js';
import { LOCAL_SERVICE } from '../schedule/task-xml.js';
import { oneOf, parseName, parseRunAs } from '../settings/value-rules.js';
import { type Config, readConfig } from './config.js';
import { EXIT } from './exit-status.js';
import type { Given } from './schedule-command.js';
import { judge } from './schedule-needs.js';

// `db-backup schedule`: each returns its exit status.

export const install = (given: Given): Promise<number> =>
  told(async () => {
    const config = await configured(given);
    const { system, account, jobs, name } = choices(given, config);
    const { needs, wrong, warnings } = await judge(config.targets, [...jobs.keys()], account);
    begin(); // after a look at other inputs
    if (wrong.length > 0) throw input(...wrong);
    const wanted: Installation = { name, jobs, account, ...programs(), config: config.path, needs };
    refuseCredentials(needs, system);
    const scheduler = schedulerOf(system, account);
    const pieces = piecesOf(scheduler, wanted);
    refuseOthers(wanted, scheduler);
    for (const warning of [...warnings, ...hints(wanted, system)]) platform().warning(neutralise(warning));
    if (system !== 'task-scheduler') expectReadable(wanted);

    say(`${given.dryRun ? 'would write' : 'writing'} for ${config.path}, to be run by ${account.name} with ${system}:`);
    if (system === 'task-scheduler')
      platform().warning('this is for Windows, where it has not been run by those who wrote it');
    for (const { where, text } of pieces) show(`==> ${where} <==\n${text}`);
    for (const [job, calendar] of jobs) say(lineOf(job, calendar));
    if (given.dryRun) return EXIT.done;
    if (system === 'task-scheduler' && !isWindows()) {
      throw input(
        '--with task-scheduler is for Windows: elsewhere it can be shown with --dry-run, and not be installed',
      );
    }
    for (const note of scheduler.install(wanted)) say(note);
    say(
      `installed; \`db-backup schedule status\` says how it is, \`db-backup schedule uninstall --name ${name}\` takes it away`,
    );
    return EXIT.done;
  });

/** Stays in the foreground, for containers, and starts the jobs by itself until a signal. */
export const run = (given: Given): Promise<number> =>
  told(async () => {
    const config = await configured(given);
    const wrong: string[] = [];
    const jobs = jobsOf(given, reading(wrong));
    if (wrong.length > 0) throw input(...wrong);
    if (jobs.size === 0) throw input('all jobs are none: there is nothing to wait for');
    const program = { node: process.execPath, cli: realpathSync(process.argv[1] ?? ''), config: config.path };
    for (const [job, calendar] of jobs) say(lineOf(job, calendar));
    if (given.dryRun) return EXIT.done;
    const { signal } = cancel;
    await inForeground(jobs, {
      now: () => new Date(),
      wait: waiting(signal),
      start: async (job) => {
        const [node = '', ...args] = commandOf(program, job);
        const ended = await carryOut(node, args, signal);
        say(`${job} ended with ${ended}`);
      },
      tell: (job, at) => say(`next: ${job}, ${timeOf(at)}`),
      signal,
    });
    say('ended, as it was asked to');
    return EXIT.done;
  });

/** A process of its own, which tells by itself. A signal is passed on, and its end waited for, since it leaves nothing behind. */
function carryOut(node: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(node, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    const end = () => void child.kill('SIGTERM');
    signal.addEventListener('abort', end, { once: true });
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, by) => {
      signal.removeEventListener('abort', end);
      resolve(by === null ? `status ${code}` : by);
    });
  });
}

export const status = (given: Given): Promise<number> =>
  told(async () => {
    const found = all().filter(({ one }) => given.name === undefined || one.mark.name === given.name);
    if (found.length === 0) {
      say(given.name === undefined ? 'nothing is installed' : `nothing is installed under the name ${given.name}`);
      return EXIT.suspect;
    }
    let isWell = true;
    for (const { one, scheduler } of found) {
      const { facts, wrong } = scheduler.state(one);
      const gone = [one.mark.node, one.mark.cli, one.mark.config].filter((path) => !existsSync(path));
      const faults = [...wrong, ...gone.map((path) => `${path} is not there any more`)];
      show(
        `${headOf(one)}${[...facts, ...faults.map((fault) => `WRONG: ${fault}`)].map((line) => `\n  ${line}`).join('')}`,
      );
      if (faults.length > 0) isWell = false;
    }
    return isWell ? EXIT.done : EXIT.suspect;
  });

export const list = (given: Given): Promise<number> =>
  told(async () => {
    for (const { one } of all()) {
      const { mark, system, where, isIntact } = one;
      const { name, job, calendar, user, config } = mark;
      const next = nextTimes(calendar, new Date(), 1)[0]?.toISOString();
      const facts = {
        name,
        job,
        calendar: showCalendar(calendar),
        next,
        with: system,
        user,
        config,
        where,
        intact: isIntact,
      };
      show(given.json ? JSON.stringify(facts) : headOf(one));
    }
    return EXIT.done;
  });

export const uninstall = (given: Given): Promise<number> =>
  told(async () => {
    const found = all();
    const names = [...new Set(found.map(({ one }) => one.mark.name))];
    if (given.name === undefined && names.length > 1) throw input(`--name: say which of ${names.join(', ')}`);
    const name = given.name ?? names[0] ?? '';
    const gone = given.dryRun
      ? found.flatMap(({ one }) => (one.mark.name === name ? [headOf(one)] : []))
      : takenAway(name);
    for (const one of gone) say(`${given.dryRun ? 'would take away' : 'took away'} ${one}`);
    if (gone.length === 0) say(`nothing of ours is installed${name === '' ? '' : ` under the name ${name}`}`);
    return EXIT.done;
  });

/** What is for the whole system only where a user has nothing of that name for himself. */
function takenAway(name: string): string[] {
  const isOwn = ({ whose }: Scheduler): boolean => isRoot() || whose !== 'the system';
  const own = schedulers()
    .filter(isOwn)
    .flatMap((scheduler) => scheduler.uninstall(name));
  return own.length > 0
    ? own
    : schedulers().flatMap((scheduler) => (isOwn(scheduler) ? [] : scheduler.uninstall(name)));
}

async function told(deed: () => Promise<number>): Promise<number> {
  begin();
  try {
    return await deed();
  } catch (error) {
    const { code, message, hint } = describe(error);
    platform().error(neutralise([code, ': ', message, hint === '' ? '' : `\n${hint}`].join('')));
    return code === 'E_INPUT' ? EXIT.input : EXIT.failed;
  }
}

const begin = (): void => usePlatform(terminal());
const say = (text: string): void => platform().info(neutralise(text));
const show = (text: string): void => platform().result(neutralise(text));
const input = (...wrong: string[]): BackupError =>
  new BackupError('E_INPUT', wrong.join('\n'), '`db-backup schedule install --help` says what there is.');

const EXAMPLE = `databases:
  app:
    transport: local
    database: /srv/app/app.db
    directory: /var/backups/app`;

async function configured(given: Given): Promise<Config> {
  const config = await readConfig(given.config ?? (process.env.DB_BACKUP_CONFIG || null), process.env);
  if (config === null) {
    throw new BackupError(
      'E_INPUT',
      'there is no configuration, and the machine has nobody to ask',
      `Write /etc/db-backup/db-backup.yml, for example:\n${EXAMPLE}`,
    );
  }
  if (config.wrong.length > 0) throw input(...config.wrong);
  return config;
}

/** Reads an option; what is wrong with it goes to the others. */
const reading =
  (wrong: string[]) =>
  <T>(option: string, parse: () => T): T | null => {
    try {
      return parse();
    } catch (error) {
      wrong.push(`--${option}: ${(error as Error).message}`);
      return null;
    }
  };

/** What the options say, all that is wrong with them at once. */
function choices(given: Given, config: Config) {
  const wrong: string[] = [];
  const read = reading(wrong);
  const jobs = jobsOf(given, read);
  const system = read('with', () => (given.with === undefined ? systemHere() : oneOf(SYSTEMS)(given.with)));
  const name = read('name', () => parseName(given.name ?? basename(config.path).replace(/\.ya?ml$/, '')));
  const account = read('user', () => accountFor(given.user, system));
  if (wrong.length === 0 && jobs.size === 0)
    wrong.push('all jobs are none: `db-backup schedule uninstall` takes them away');
  if (system === null || name === null || account === null || wrong.length > 0) throw input(...wrong);
  return { jobs, system, name, account };
}

function jobsOf(given: Given, read: <T>(option: string, parse: () => T) => T | null): ReadonlyMap<Job, Calendar> {
  const jobs = new Map<Job, Calendar>();
  for (const job of JOBS) {
    const text = given[job] ?? 'none';
    const calendar = text.trim() === 'none' ? null : read(job, () => parseCalendar(text));
    if (calendar !== null) jobs.set(job, calendar);
  }
  return jobs;
}

function systemHere(): System {
  if (isWindows()) return 'task-scheduler';
  if (runsSystemd()) return 'systemd';
  if (programPath('crontab') !== null) return 'cron';
  throw new Error(
    'neither systemd nor cron is here: install cron, or say systemd when this is the image of a machine that has it',
  );
}

function accountFor(given: string | undefined, system: System | null): Account {
  if (system === 'task-scheduler') return { name: given ?? LOCAL_SERVICE, uid: -1, home: '' };
  const me = caller();
  if (given === undefined || given === me.name) return me;
  const found = accountOf(parseRunAs(given));
  if (found === null) throw new Error(`there is no user ${JSON.stringify(given)} on this machine`);
  if (!isRoot())
    throw new Error(`root alone can install it for another user: sudo db-backup schedule install --user ${given}`);
  return found;
}

/** Where this program is, and what runs it. */
function programs(): { node: string; cli: string } {
  const cli = realpathSync(process.argv[1] ?? '');
  if (/[/\\]_npx[/\\]/.test(cli)) {
    throw input(
      'this program was fetched by npx for this once, and may be gone tomorrow: npm install --global db-backup-action',
    );
  }
  return { node: realpathSync(process.execPath), cli };
}

const schedulerOf = (system: System, account: Account): Scheduler =>
  system === 'systemd'
    ? onSystemd(isRoot() ? 'system' : 'user', caller())
    : system === 'cron'
      ? onCron(account, caller())
      : onWindows();

function piecesOf(scheduler: Scheduler, wanted: Installation) {
  try {
    return scheduler.pieces(wanted);
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw input((error as Error).message);
  }
}

/** All that can run jobs here, as far as this user can see. */
function schedulers(): Scheduler[] {
  if (isWindows()) return [onWindows()];
  const me = caller();
  return [
    onSystemd('system', me),
    ...(isRoot() ? [] : [onSystemd('user', me)]),
    ...(programPath('crontab') === null ? [] : [onCron(me, me)]),
  ];
}

const all = (): { one: Installed; scheduler: Scheduler }[] =>
  schedulers().flatMap((scheduler) => scheduler.installed().map((one) => ({ one, scheduler })));

/** What has this name already, and would be lost, or run besides. Throws E_INPUT. */
function refuseOthers({ name, config, account }: Installation, { system, whose }: Scheduler): void {
  for (const { one, scheduler } of all()) {
    const { mark, where } = one;
    // of the system, or of somebody else: not in the way of what a user installs for himself
    if (mark.name !== name || (!isRoot() && scheduler.whose === 'the system')) continue;
    const isSame =
      one.system === system && (system === 'cron' ? mark.user === account.name : scheduler.whose === whose);
    if (!isSame) {
      throw input(
        `${name} is installed already, in ${where}: db-backup schedule uninstall --name ${name}, or choose another --name`,
      );
    }
    if (mark.config !== config) {
      throw input(`${name} is what is installed for ${mark.config}, in ${where}: choose another --name`);
    }
  }
}

/** Throws E_INPUT for credentials that are not handed over. */
function refuseCredentials({ credentials }: Needs, system: System): void {
  if (system !== 'systemd' && credentials.length > 0) {
    throw input(
      `the configuration has credentials of systemd (${credentials.join(', ')}), which ${system} does not know: use { file: ... }`,
    );
  }
  const odd = credentials
    .filter((one) => !/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(one))
    .map((one) => JSON.stringify(one));
  if (odd.length > 0) {
    throw input(`${odd.join(', ')}: expected names of credentials, of letters, digits, ".", "_" and "-"`);
  }
}

/** What may go wrong when nobody looks. */
function hints(wanted: Installation, system: System): string[] {
  const { needs, account, cli, node } = wanted;
  const { credentials, variables } = needs;
  const sudo = process.env.SUDO_USER;
  const hidden = [node, cli].filter(
    (path) => /^\/(?:home|root)\//.test(path) && account.uid !== 0 && !path.startsWith(`${account.home}/`),
  );
  const gaps = [...wanted.jobs].map(([job, calendar]) => ({ job, gap: leftOut(calendar, new Date()) }));
  return [
    ...gaps.flatMap(({ job, gap }) =>
      gap === null
        ? []
        : [
            `${job}: on ${timeOf(gap).slice(4, 14)} the clock of this machine is put forward over that time, and the day may be left out: choose another hour`,
          ],
    ),
    ...variables.map(
      (one) =>
        `the variable ${one}, which the configuration names, will not be set when it runs by itself: use { file: ... }`,
    ),
    ...credentialHints(credentials, account),
    ...hidden.map((path) => `${path} is in the home of somebody else`),
    ...(system === 'task-scheduler' ? [] : changeable(wanted)),
    ...(isRoot() && account.uid === 0 && sudo !== undefined && sudo !== 'root'
      ? [`it will run as root; --user ${sudo} has ${sudo} run it`]
      : []),
  ];
}

/** Who can change what is run does what he likes as the one who runs it. */
function changeable({ account, node, cli, config }: Installation): string[] {
  const paths = [node, cli, config]
    .map((path) => changeableByOthers(path, account.uid))
    .filter((path) => path !== null);
  return [...new Set(paths)].map(
    (path) => `${path} can be changed by another user, who could so do anything as ${account.name}`,
  );
}

function credentialHints(credentials: readonly string[], { home }: Account): string[] {
  const folder = isRoot() ? '/etc/credstore' : `${process.env.XDG_CONFIG_HOME || `${home}/.config`}/credstore`;
  return credentials
    .map((one) => `${folder}/${one}`)
    .filter((path) => !existsSync(path))
    .map((path) => `${path} is not there: the credential is read from it, so write it before the first run`);
}

/** Throws E_INPUT when who runs it could not even begin. */
function expectReadable({ account, node, cli, config, needs }: Installation): void {
  const unreadable = unreadableFor(account, [node, cli, config, ...needs.files]);
  if (unreadable.length === 0) return;
  throw input(...unreadable.map((path) => `${account.name}, who is to run it, can not read ${path}`));
}

const headOf = ({ mark, system, isIntact, where }: Installed): string =>
  `${mark.name} ${mark.job}: ${showCalendar(mark.calendar)}, next ${timeOf(nextTimes(mark.calendar, new Date(), 1)[0])}, by ${mark.user} with ${system}, for ${mark.config}, in ${where}${isIntact ? '' : ', changed'}`;

function lineOf(job: Job, calendar: Calendar): string {
  const times = nextTimes(calendar, new Date(), 3).map(timeOf).join(', ');
  return `${job}: ${showCalendar(calendar)}; next ${times} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
}

const timeOf = (time: Date | undefined): string => {
  if (time === undefined) return 'never';
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][time.getDay()];
  return `${day} ${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`;
};
