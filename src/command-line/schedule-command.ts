import { type Command, Option } from 'commander';

/** What the options of `schedule` say, each as it stands there. */
export interface Given {
  config?: string;
  name?: string;
  backup?: string;
  verify?: string;
  health?: string;
  user?: string;
  with?: string;
  dryRun?: boolean;
  json?: boolean;
}

type Deed = (given: Given) => Promise<number>;

const CALENDAR =
  'daily 02:00, weekly sunday 03:00, monthly 1 05:00, hourly, every 6 hours, a cron expression for one of these, or none';

/** Adds `schedule install|status|list|uninstall`. What they do is loaded when it is asked for. */
export function scheduleCommand(root: Command, done: (status: number) => void): void {
  const schedule = root
    .command('schedule')
    .description('let this machine make, verify and check backups by itself')
    .exitOverride();
  const deed = (name: string, about: string, options: readonly Option[], act: () => Promise<Deed>): void => {
    const command = schedule.command(name).description(about).exitOverride();
    for (const option of options) command.addOption(option);
    command.action(async (given: Given) => done(await (await act())(given)));
  };
  const config = new Option(
    '--config <file>',
    'the configuration; default: db-backup.yml here, then /etc/db-backup/db-backup.yml',
  );
  const name = (about: string): Option => new Option('--name <name>', about);
  const dryRun = new Option('--dry-run', 'show the plan, change nothing');

  const times = [
    new Option('--backup <when>', `when to make backups: ${CALENDAR}`).default('daily 03:15'),
    new Option('--verify <when>', 'when to verify the newest backup of each database').default('weekly sunday 04:15'),
    new Option('--health <when>', 'when to check the health of the backups').default('daily 08:00'),
  ];

  deed(
    'install',
    'write the timers, cron lines or tasks; replaces those of the same name',
    [
      ...[config, name('the name of the installation (default: the name of the configuration file)')],
      ...times,
      new Option('--user <name>', 'the user who runs them, if root installs them (default: you)'),
      new Option('--with <system>', 'systemd, cron or task-scheduler (default: what this machine has)'),
      dryRun,
    ],
    async () => (await import('./schedule.js')).install,
  );
  deed(
    'run',
    'stay in the foreground and run the jobs at their times, until a signal (for containers)',
    [config, ...times, dryRun],
    async () => (await import('./schedule.js')).run,
  );
  deed(
    'status',
    'show the state of the installed jobs; exit status 3 if something is wrong with one',
    [name('only this installation')],
    async () => (await import('./schedule.js')).status,
  );
  deed(
    'list',
    'list the jobs of all installations on this machine, one per line',
    [new Option('--json', 'print each line as JSON')],
    async () => (await import('./schedule.js')).list,
  );
  deed(
    'uninstall',
    'remove what install wrote, and nothing else',
    [
      name('this installation; required if there are several'),
      new Option('--user <name>', 'the user who runs it; required if several have that name'),
      new Option('--with <system>', 'systemd, cron or task-scheduler; required if several have that name'),
      dryRun,
    ],
    async () => (await import('./schedule.js')).uninstall,
  );
}
