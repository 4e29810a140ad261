import { existsSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { BackupError } from '../errors.js';
import { platform } from '../platform/platform.js';
import { type Account, type Installation, type Needs, SYSTEMS, type System } from '../schedule/installation.js';
import {
  caller,
  changeableByOthers,
  isRoot,
  isWindows,
  programPath,
  runsSystemd,
  unreadableFor,
} from '../schedule/machine.js';
import type { Scheduler } from '../schedule/scheduler.js';
import { LOCAL_SERVICE } from '../schedule/task-xml.js';
import { oneOf, parseName } from '../settings/value-rules.js';
import type { Config } from './config.js';
import { EXIT } from './exit-status.js';
import type { Given } from './schedule-command.js';
import {
  all,
  begin,
  configured,
  gapsOf,
  input,
  jobsOf,
  lineOf,
  ofUser,
  reading,
  say,
  schedulerOf,
  schedulers,
  show,
  told,
  warn,
} from './schedule-common.js';
import { judge } from './schedule-needs.js';

// `db-backup schedule install`, which returns its exit status.

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
    if (system === 'task-scheduler') platform().warning('this is for Windows, where it has not been tested');
    for (const { where, text } of pieces) show(`==> ${where} <==\n${text}`);
    for (const [job, calendar] of jobs) say(lineOf(job, calendar));
    if (given.dryRun) return EXIT.done;
    if (system === 'task-scheduler' && !isWindows()) {
      throw input('--with task-scheduler is for Windows: elsewhere you can only show it, with --dry-run');
    }
    for (const note of scheduler.install(wanted)) say(note);
    say(
      `installed; check it with \`db-backup schedule status\`, remove it with \`db-backup schedule uninstall --name ${name}\``,
    );
    return EXIT.done;
  });

/** What the options say, all that is wrong with them at once. */
function choices(given: Given, config: Config) {
  const wrong: string[] = [];
  const read = reading(wrong);
  const jobs = jobsOf(given, read);
  const system = read('with', () => (given.with === undefined ? systemHere() : oneOf(SYSTEMS)(given.with)));
  const name = read('name', () => parseName(given.name ?? basename(config.path).replace(/\.ya?ml$/, '')));
  const account = read('user', () => accountFor(given.user, system));
  if (wrong.length === 0 && jobs.size === 0)
    wrong.push('all jobs are none: to remove them, run `db-backup schedule uninstall`');
  if (system === null || name === null || account === null || wrong.length > 0) throw input(...wrong);
  return { jobs, system, name, account };
}

function systemHere(): System {
  if (isWindows()) return 'task-scheduler';
  if (runsSystemd()) return 'systemd';
  if (programPath('crontab') !== null) return 'cron';
  throw new Error(
    'this machine has neither systemd nor cron: install cron, or give --with systemd if this is the image of a machine that has it',
  );
}

function accountFor(given: string | undefined, system: System | null): Account {
  if (system === 'task-scheduler') return { name: given ?? LOCAL_SERVICE, uid: -1, home: '' };
  if (given === undefined) return caller();
  const found = ofUser(given, 'install');
  if (found === null) throw new Error(`there is no user ${JSON.stringify(given)} on this machine`);
  return found;
}

/** Where this program is, and what runs it. */
function programs(): { node: string; cli: string } {
  const cli = realpathSync(process.argv[1] ?? '');
  if (/[/\\]_npx[/\\]/.test(cli)) {
    throw input(
      'npx downloaded this program for this call only, and may remove it: npm install --global db-backup-action',
    );
  }
  return { node: realpathSync(process.execPath), cli };
}

function piecesOf(scheduler: Scheduler, wanted: Installation) {
  try {
    return scheduler.pieces(wanted);
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw input((error as Error).message);
  }
}

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
        `${name} is already installed, in ${where}: run db-backup schedule uninstall --name ${name} --with ${one.system} --user ${mark.user}, or choose another --name`,
      );
    }
    if (isSame && mark.config !== config) {
      throw input(`${name} is already installed for ${mark.config}, in ${where}: choose another --name`);
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
      `the configuration has systemd credentials (${credentials.join(', ')}), which ${system} does not support: use { file: ... }`,
    );
  }
  const odd = credentials
    .filter((one) => !/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(one))
    .map((one) => JSON.stringify(one));
  if (odd.length > 0) {
    throw input(`${odd.join(', ')}: expected names of credentials with only letters, digits, ".", "_" and "-"`);
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
  return [
    ...variables.map(
      (one) => `the configuration names the variable ${one}, which is not set in scheduled jobs: use { file: ... }`,
    ),
    ...credentialHints(credentials, account),
    ...hidden.map((path) => `${path} is in the home of another user`),
    ...(system === 'task-scheduler' ? [] : changeable(wanted)),
    ...(isRoot() && account.uid === 0 && sudo !== undefined && sudo !== 'root'
      ? [`it will run as root; to run it as ${sudo}, give --user ${sudo}`]
      : []),
  ];
}

/** Who can change what is run does what he likes as the one who runs it. */
function changeable({ account, node, cli, config }: Installation): string[] {
  const paths = [node, cli, config]
    .map((path) => changeableByOthers(path, account.uid))
    .filter((path) => path !== null);
  return [...new Set(paths)].map(
    (path) => `another user can change ${path}, and so could do anything as ${account.name}`,
  );
}

function credentialHints(credentials: readonly string[], { home }: Account): string[] {
  const folder = isRoot() ? '/etc/credstore' : `${process.env.XDG_CONFIG_HOME || `${home}/.config`}/credstore`;
  return credentials
    .map((one) => `${folder}/${one}`)
    .filter((path) => !existsSync(path))
    .map((path) => `${path} is missing: the credential is read from it, so write it before the first run`);
}

/** Throws E_INPUT when who runs it could not even begin. */
function expectReadable({ account, node, cli, config, needs }: Installation): void {
  const unreadable = unreadableFor(account, [node, cli, config, ...needs.files]);
  if (unreadable.length === 0) return;
  throw input(...unreadable.map((path) => `${account.name}, who will run it, cannot read ${path}`));
}
