import { readdirSync, unlinkSync } from 'node:fs';
import { BackupError } from '../errors.js';
import { blockOf, blocksIn, Damaged, lockFile, withBlock, without } from './crontab.js';
import { type Account, type Installation, JOBS } from './installation.js';
import { accountOf, call, hasHome, isFolder, isRoot, programPath } from './machine.js';
import type { Scheduler } from './scheduler.js';

/** Where programs of cron keep the tables, a file for each user. */
const SPOOLS = ['/var/spool/cron/crontabs', '/var/spool/cron/tabs', '/var/spool/cron', '/etc/crontabs'];
/** What crontab says when a user has no table: any other failure must not pass for an empty one, which would wipe it. */
const NONE = /\bno crontab for\b|No such file/;

/** A block in the table of `account`; the caller is root, or that user. */
export function onCron(account: Account, me: Account): Scheduler {
  const of = (user: string): string[] => (user === me.name ? [] : ['-u', user]);

  /** Each byte as a character. */
  function tableOf(user: string): string {
    const { status, stdout, stderr } = call('crontab', [...of(user), '-l']);
    if (status === 0) return stdout.toString('latin1');
    if (status !== null && NONE.test(stderr)) return '';
    throw new BackupError(
      'E_PERM',
      `the crontab of ${user} can not be read, so it is not written either: ${stderr || `status ${status}`}`,
      'See whether `crontab -l` works for that user (cron.allow, cron.deny), and whether cron is installed.',
    );
  }

  function change(user: string, name: string, make: (table: string) => string): void {
    let table: string;
    try {
      table = make(tableOf(user));
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      throw new BackupError(
        'E_INPUT',
        `the lines of ${name} in the crontab of ${user} have lost a mark, or have one too many, so nobody knows what is ours`,
        `Mend them with \`crontab -e\`: between "# >>> db-backup ${name} ..." and "# <<< db-backup ${name}", each once, there are our lines and no others.`,
      );
    }
    const { status, stderr } = call('crontab', [...of(user), '-'], Buffer.from(table, 'latin1'));
    if (status === 0) return;
    throw new BackupError(
      'E_PERM',
      `the crontab of ${user} could not be written, and is as it was: ${stderr || `status ${status}`}`,
      'See whether `crontab -e` works for that user.',
    );
  }

  /** Of one that can not be read nothing of ours can be told. */
  function tableIfReadable(user: string): string {
    try {
      return tableOf(user);
    } catch {
      return '';
    }
  }

  /** Those whose tables the caller may read. */
  const users = (): string[] => [...new Set([account.name, me.name, ...(isRoot() ? othersWithTables() : [])])];

  const block = (wanted: Installation): string =>
    blockOf(wanted, { env: programPath('env'), flock: hasHome(wanted.account) ? programPath('flock') : null });

  return {
    system: 'cron',
    whose: account.name,

    pieces: (wanted) => [
      { where: `the crontab of ${account.name}`, text: Buffer.from(block(wanted), 'latin1').toString('utf8') },
    ],

    install(wanted) {
      change(account.name, wanted.name, (table) => withBlock(table, wanted.name, block(wanted)));
      return [
        'cron has to run, and sends what the jobs say (warnings and errors alone) as mail, where the machine can send some',
      ];
    },

    installed: () =>
      users().flatMap((user) =>
        blocksIn(tableIfReadable(user)).flatMap(({ jobs }) =>
          jobs.map(({ mark, isIntact }) => ({
            ...{ system: 'cron' as const, where: `the crontab of ${user}`, isIntact },
            mark: { ...mark, user },
          })),
        ),
      ),

    uninstall(name) {
      const ofThese = users().filter((user) => blocksIn(tableIfReadable(user)).some((block) => block.name === name));
      for (const user of ofThese) {
        change(user, name, (table) => without(table, name));
        const owner = accountOf(user);
        if (owner !== null) for (const job of JOBS) forget(lockFile(name, owner, job));
      }
      return ofThese.map((user) => `the block of ${name} in the crontab of ${user}`);
    },

    state: ({ isIntact }) => ({
      facts: ['cron keeps no results: `db-backup list` and `db-backup health` tell how the backups are'],
      wrong: isIntact ? [] : ['its line was changed after it was written: install again'],
    }),
  };
}

function forget(lock: string): void {
  try {
    unlinkSync(lock);
  } catch {
    // it has never run, or somebody else keeps something of that name
  }
}

function othersWithTables(): string[] {
  return SPOOLS.filter(isFolder)
    .flatMap((folder) => readdirSync(folder, { withFileTypes: true }))
    .filter(
      (entry) => entry.isFile() && /^[a-z_][a-z0-9_.-]{0,31}$/i.test(entry.name) && accountOf(entry.name) !== null,
    )
    .map(({ name }) => name);
}
