import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
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
import { fromEnvironment } from './environment.js';
import { EXIT } from './exit-status.js';
import type { Given } from './schedule-command.js';
import { judge } from './schedule-needs.js';

// `db-backup schedule`: each returns its exit status.

export const install = (given: Given): Promise<number> =>
  told(async () => {
    const config = await configured(given);
    const { system, account, jobs, name } = choices(given, config);
    const { needs, wrong, warnings } = await judge(config, [...jobs.keys()], account);
    begin(); // after a look at other inputs
    if (wrong.length > 0) throw input(...wrong);
    const wanted: Installation = { name, jobs, account, ...programs(), config: config.path, needs };
    refuseCredentials(needs, system);
    const scheduler = schedulerOf(system, account);
    const pieces = piecesOf(scheduler, wanted);
    refuseOthers(wanted, scheduler);
    warn(...warnings, ...gapsOf(jobs), ...hints(wanted, system));
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
    const environment = { ...process.env }; // for the jobs, whole: what may be a secret is taken out of ours
    const config = await configured(given);
    const wrong: string[] = [];
    const jobs = jobsOf(given, reading(wrong));
    if (wrong.length > 0) throw input(...wrong);
    if (jobs.size === 0) throw input('all jobs are none: there is nothing to wait for');
    // the jobs have our home and our variables
    const account = { ...caller(), home: homedir() };
    const judged = await judge(config, [...jobs.keys()], account, fromEnvironment({ ...environment }));
    begin(); // after a look at other inputs
    if (judged.wrong.length > 0) throw input(...judged.wrong);
    warn(...judged.warnings, ...gapsOf(jobs));
    const program = { node: process.execPath, cli: realpathSync(process.argv[1] ?? ''), config: config.path };
    for (const [job, calendar] of jobs) say(lineOf(job, calendar));
    if (given.dryRun) return EXIT.done;
    const { signal } = cancel;
    await inForeground(jobs, {
      now: () => new Date(),
      wait: waiting(signal),
      start: async (job) => {
        const [node = '', ...args] = commandOf(program, job);
        const ended = await carryOut(node, args, environment, signal);
        say(`${job} ended with ${ended}`);
      },
      tell: (job, at) => say(`next: ${job}, ${timeOf(at)}`),
      signal,
    });
    say('ended, as it was asked to');
    return EXIT.done;
  });

/** A process of its own, which tells by itself. A signal is passed on, and its end waited for, since it leaves nothing behind. */
function carryOut(node: string, args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(node, args, { env, stdio: ['ignore', 'inherit', 'inherit'] });
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
    const isAsked = (name: string | null): boolean => given.name === undefined || name === null || name === given.name;
    const found = all().filter(({ one }) => isAsked(one.mark.name));
    const unclear = schedulers().flatMap((scheduler) => scheduler.unclear().filter(({ name }) => isAsked(name)));
    if (found.length === 0 && unclear.length === 0) {
      say(given.name === undefined ? 'nothing is installed' : `nothing is installed under the name ${given.name}`);
      return EXIT.suspect;
    }
    let isWell = unclear.length === 0;
    const tell = (head: string, lines: readonly string[]): void =>
      show([head, ...lines.map((line) => `  ${line}`)].join('\n'));
    for (const { one, scheduler } of found) {
      const { facts, wrong } = scheduler.state(one);
      const gone = [one.mark.node, one.mark.cli, one.mark.config].filter((path) => !existsSync(path));
      const faults = [...wrong, ...gone.map((path) => `${path} is not there any more`)];
      tell(headOf(one), [...facts, ...faults.map((fault) => `WRONG: ${fault}`)]);
      if (faults.length > 0) isWell = false;
    }
    for (const { name, where, fault } of unclear)
      tell(name === null ? where : `${name} in ${where}`, [`WRONG: ${fault.message}`, fault.hint]);
    return isWell ? EXIT.done : EXIT.suspect;
  });

export const list = (given: Given): Promise<number> =>
  told(async () => {
    for (const { fault } of schedulers().flatMap((scheduler) => scheduler.unclear())) warn(fault.message);
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
    const found = ours(given);
    const names = [...new Set(found.map(({ name }) => name))];
    if (given.name === undefined && names.length > 1) throw input(`--name: say which of ${names.join(', ')}`);
    const place = onlyOne(found, names[0] ?? '');
    if (place === null) {
      const name = given.name === undefined ? '' : ` under the name ${given.name}`;
      say(`nothing of ours is installed${name}`);
    } else {
      const gone = given.dryRun ? place.heads : place.scheduler.uninstall(place.name, place.user);
      for (const one of gone) say(`${given.dryRun ? 'would take away' : 'took away'} ${one}`);
    }
    return EXIT.done;
  });

/** What is installed under one name in one place, for one user. */
interface Place {
  name: string;
  user: string;
  scheduler: Scheduler;
  /** A line for each job, or for what is unclear. */
  heads: string[];
}

/** What is ours, of that name, system and user where they are given. Throws E_INPUT, and why something can not be looked at. */
function ours({ name, with: chosen, user }: Given): Place[] {
  const wrong: string[] = [];
  const read = reading(wrong);
  const system = chosen === undefined ? null : read('with', () => oneOf(SYSTEMS)(chosen));
  const account = user === undefined ? null : read('user', () => (isWindows() ? null : ofUser(user, 'uninstall')));
  if (wrong.length > 0) throw input(...wrong);
  const places: Place[] = [];
  const add = (scheduler: Scheduler, place: Omit<Place, 'scheduler' | 'heads'>, head: string): void => {
    if ((name !== undefined && place.name !== name) || (user !== undefined && place.user !== user)) return;
    const same = places.find(
      (one) => one.name === place.name && one.user === place.user && one.scheduler === scheduler,
    );
    if (same === undefined) places.push({ ...place, scheduler, heads: [head] });
    else same.heads.push(head);
  };
  for (const scheduler of schedulers(account ?? undefined)) {
    if (system !== null && scheduler.system !== system) continue;
    for (const one of scheduler.installed()) add(scheduler, one.mark, headOf(one));
    for (const one of scheduler.unclear()) {
      if (one.name !== null) add(scheduler, { name: one.name, user: one.user }, `${one.name} in ${one.where}`);
      else if (user === undefined || one.user === user) throw one.fault;
    }
  }
  // what is for the whole system only where a user has nothing of that name for himself
  const isOwn = ({ scheduler }: Place): boolean => isRoot() || scheduler.whose !== 'the system';
  return places.filter((place) => isOwn(place) || !places.some((one) => isOwn(one) && one.name === place.name));
}

/** null: there is none. Throws E_INPUT when there are several. */
function onlyOne(places: readonly Place[], name: string): Place | null {
  const [first, ...more] = places;
  if (first === undefined || more.length === 0) return first ?? null;
  const differs = (of: (place: Place) => string): boolean => new Set(places.map(of)).size > 1;
  const options = [
    ...(differs(({ scheduler }) => scheduler.system) ? ['--with'] : []),
    ...(differs(({ user }) => user) ? ['--user'] : []),
  ];
  const each = places.map(({ scheduler, user }) => `--with ${scheduler.system} --user ${user}`);
  throw input(`${name} is installed more than once: say by ${options.join(' and ')} which of ${each.join(', ')}`);
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
const warn = (...texts: string[]): void => {
  for (const text of texts) platform().warning(neutralise(text));
};
const show = (text: string): void => platform().result(neutralise(text));
const input = (...wrong: string[]): BackupError =>
  new BackupError('E_INPUT', wrong.join('\n'), '`db-backup schedule install --help` says what there is.');

const EXAMPLE = `databases:
  app:
    transport: local
    database: /srv/app/app.db
    directory: /var/backups/app`;

async function configured(given: Given): Promise<Config> {
  // a copy, since variables that the configuration names are taken out of ours
  const config = await readConfig(given.config ?? (process.env.DB_BACKUP_CONFIG || null), { ...process.env });
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
  if (given === undefined) return caller();
  const found = ofUser(given, 'install');
  if (found === null) throw new Error(`there is no user ${JSON.stringify(given)} on this machine`);
  return found;
}

/** null: there is none of that name. Throws an Error for another one than the caller, who is not root. */
function ofUser(given: string, command: string): Account | null {
  const me = caller();
  if (given === me.name) return me;
  const found = accountOf(parseRunAs(given));
  if (found !== null && !isRoot())
    throw new Error(
      `root alone can ${command} it for another user: sudo db-backup schedule ${command} --user ${given}`,
    );
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

/** All that can run jobs here, as far as this user can see; `account`: who is meant besides. */
function schedulers(account: Account = caller()): Scheduler[] {
  if (isWindows()) return [onWindows()];
  const me = caller();
  return [
    onSystemd('system', me),
    ...(isRoot() ? [] : [onSystemd('user', me)]),
    ...(programPath('crontab') === null ? [] : [onCron(account, me)]),
  ];
}

const all = (account?: Account): { one: Installed; scheduler: Scheduler }[] =>
  schedulers(account).flatMap((scheduler) => scheduler.installed().map((one) => ({ one, scheduler })));

/** What has this name already, and would be lost, or run besides for the same user. Throws E_INPUT. */
function refuseOthers({ name, config, account }: Installation, { system, whose }: Scheduler): void {
  for (const { one, scheduler } of all(account)) {
    const { mark, where } = one;
    // of the system: not in the way of what a user installs for himself
    if (mark.name !== name || (!isRoot() && scheduler.whose === 'the system')) continue;
    const isSame =
      one.system === system && (system === 'cron' ? mark.user === account.name : scheduler.whose === whose);
    if (!isSame && mark.user === account.name) {
      throw input(
        `${name} is installed already, in ${where}: db-backup schedule uninstall --name ${name} --with ${one.system} --user ${mark.user}, or choose another --name`,
      );
    }
    if (isSame && mark.config !== config) {
      throw input(`${name} is what is installed for ${mark.config}, in ${where}: choose another --name`);
    }
  }
  for (const scheduler of schedulers(account)) {
    for (const one of scheduler.unclear()) {
      if (one.name === name && one.user === account.name && one.system !== system) throw one.fault;
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

/** Which of the jobs are at an hour that the clock leaves out once a year. */
function gapsOf(jobs: ReadonlyMap<Job, Calendar>): string[] {
  return [...jobs].flatMap(([job, calendar]) => {
    const gap = leftOut(calendar, new Date());
    return gap === null
      ? []
      : [
          `${job}: on ${timeOf(gap).slice(4, 14)} the clock of this machine is put forward over that time, and the day may be left out: choose another hour`,
        ];
  });
}

/** What may go wrong when nobody looks. */
function hints(wanted: Installation, system: System): string[] {
  const { needs, account, cli, node } = wanted;
  const { credentials, variables } = needs;
  const sudo = process.env.SUDO_USER;
  const hidden = [node, cli].filter(
    (path) => /^\/(?:home|root)\//.test(path) && account.uid !== 0 && !path.startsWith(`${account.home}/`),
  );
  return [
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
