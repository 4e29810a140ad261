import { readdirSync, unlinkSync } from 'node:fs';
import { BackupError, describe } from '../errors.js';
import { blockIn, blockOf, blocksIn, Damaged, damagedIn, lockFile, withBlock, without } from './crontab.js';
import { type Account, type Installation, JOBS } from './installation.js';
import { accountOf, call, hasHome, isFolder, isRoot, programPath } from './machine.js';
import type { Scheduler, Unclear } from './scheduler.js';

/** Where programs of cron keep the tables, a file for each user. */
const SPOOLS = ['/var/spool/cron/crontabs', '/var/spool/cron/tabs', '/var/spool/cron', '/etc/crontabs'];
/** What crontab says when a user has no table: any other failure must not pass for an empty one, which would wipe it. */
const NONE = /\bno crontab for\b|No such file/;
const ATTEMPTS = 5;
const LONGEST_WAIT_MS = 5_000;

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
      `the crontab of ${user} cannot be read, so it is not changed either: ${stderr || `status ${status}`}`,
      'Check that cron is installed, and that `crontab -l` works for that user (cron.allow, cron.deny).',
    );
  }

  /** Others may change the table between our reading and our writing, since crontab has no lock: so it is looked whether ours was the last. */
  function change(user: string, name: string, make: (table: string) => string): void {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const began = Date.now();
      const table = unlessDamaged(user, name, () => make(tableOf(user)));
      const { status, stderr } = call('crontab', [...of(user), '-'], Buffer.from(table, 'latin1'));
      if (status !== 0) {
        throw new BackupError(
          'E_PERM',
          `the crontab of ${user} could not be written, and did not change: ${stderr || `status ${status}`}`,
          'Check that `crontab -e` works for that user.',
        );
      }
      // who has read it before we wrote has written by then, when that takes as long for others as for us
      sleep(Math.min(Date.now() - began, LONGEST_WAIT_MS));
      if (unlessDamaged(user, name, () => blockIn(tableOf(user), name)) === blockIn(table, name)) return;
    }
    throw new BackupError(
      'E_LOCKED',
      `the crontab of ${user} was written ${ATTEMPTS} times, and each time something else changed it right afterwards, so it is not correct now`,
      'Find out what else writes it (`crontab -l`), and try again.',
    );
  }

  function unlessDamaged<T>(user: string, name: string, deed: () => T): T {
    try {
      return deed();
    } catch (error) {
      throw error instanceof Damaged ? damaged(user, name) : error;
    }
  }

  const damaged = (user: string, name: string): BackupError =>
    new BackupError(
      'E_INPUT',
      `the lines of ${name} in the crontab of ${user} have a missing or an extra marker, so it is not clear which lines are ours`,
      `Repair them with \`crontab -e\`: "# >>> db-backup ${name} ..." and "# <<< db-backup ${name}" must each occur once, with only our lines between them.`,
    );

  /** Of what can not be read, which of these tables it is, is told by `unclear`. */
  function tableIfReadable(user: string): string {
    try {
      return tableOf(user);
    } catch {
      return '';
    }
  }

  function unclearOf(user: string): Unclear[] {
    const where = `the crontab of ${user}`;
    const one = (name: string | null, fault: BackupError): Unclear => ({ system: 'cron', name, user, where, fault });
    let table: string;
    try {
      table = tableOf(user);
    } catch (error) {
      // of others, nobody has asked for
      return user === account.name || user === me.name ? [one(null, describe(error))] : [];
    }
    const names = damagedIn(table);
    const unknown = blocksIn(table).filter(({ name, jobs }) => jobs.length === 0 && !names.includes(name));
    return [
      ...names.map((name) => one(name, damaged(user, name))),
      ...unknown.map(({ name }) => one(name, unknowable(user, name))),
    ];
  }

  const unknowable = (user: string, name: string): BackupError =>
    new BackupError(
      'E_INPUT',
      `the block of ${name} in the crontab of ${user} does not say which jobs it has`,
      'Install it again, or uninstall it with `db-backup schedule uninstall`.',
    );

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
      return ['cron has to be running; it mails the warnings and errors of the jobs if the machine can send mail'];
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

    unclear: () => users().flatMap(unclearOf),

    uninstall(name, user) {
      if (unlessDamaged(user, name, () => blockIn(tableOf(user), name)) === '') return [];
      change(user, name, (table) => without(table, name));
      const owner = accountOf(user);
      if (owner !== null) for (const job of JOBS) forget(lockFile(name, owner, job));
      return [`the block of ${name} in the crontab of ${user}`];
    },

    state: ({ isIntact }) => ({
      facts: ['cron keeps no results: run `db-backup list` and `db-backup health` to see the state of the backups'],
      wrong: isIntact ? [] : ['its line was changed after installation: install it again'],
    }),
  };
}

const sleep = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

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
