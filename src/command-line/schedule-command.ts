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
  'daily 02:00, weekly sunday 03:00, monthly 1 05:00, hourly, every 6 hours, five fields of cron that say one of these, or none';

/** Adds `schedule install|status|list|uninstall`. What they do is loaded when it is asked for. */
export function scheduleCommand(root: Command, done: (status: number) => void): void {
  const schedule = root
    .command('schedule')
    .description('have backups, proofs and looks at their health made by the machine itself')
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
  const dryRun = new Option('--dry-run', 'show it, and change nothing');

  const times = [
    new Option('--backup <when>', `when backups are made: ${CALENDAR}`).default('daily 03:15'),
    new Option('--verify <when>', 'when the newest backup of each database is proven').default('weekly sunday 04:15'),
    new Option('--health <when>', 'when the backups are looked at').default('daily 08:00'),
  ];

  deed(
    'install',
    'write the timers, the lines of cron or the tasks, in the place of those of the same name',
    [
      ...[config, name('what they are called; default: as the file of the configuration')],
      ...times,
      new Option('--user <name>', 'who runs them, where root installs them; default: who calls this'),
      new Option('--with <system>', 'systemd, cron or task-scheduler; default: what this machine has'),
      dryRun,
    ],
    async () => (await import('./schedule.js')).install,
  );
  deed(
    'run',
    'stay in the foreground and start the jobs at their times, until a signal: for containers',
    [config, ...times, dryRun],
    async () => (await import('./schedule.js')).run,
  );
  deed(
    'status',
    'say how the installed jobs are; 3 when one is not as it should be',
    [name('of this installation alone')],
    async () => (await import('./schedule.js')).status,
  );
  deed(
    'list',
    'show the jobs of all installations on this machine, a line each',
    [new Option('--json', 'each line as JSON')],
    async () => (await import('./schedule.js')).list,
  );
  deed(
    'uninstall',
    'take away what install has written, and nothing else',
    [
      name('of this installation; needed where there are several'),
      new Option('--user <name>', 'who runs it; needed where several have that name'),
      new Option('--with <system>', 'systemd, cron or task-scheduler; needed where several have that name'),
      dryRun,
    ],
    async () => (await import('./schedule.js')).uninstall,
  );
}
