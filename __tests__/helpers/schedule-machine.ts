import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandLineResult, commandLineForAll } from './command-line.js';

/** A machine in which `db-backup schedule` may write what is for the whole system: the folders are its own, all the rest is that of the tests. */
export interface ScheduleMachine {
  /** What is /etc/systemd/system there. */
  units: string;
  /** What is /var/spool/cron/crontabs there. */
  tables: string;
  /** Runs `db-backup schedule` as root, or as a user. */
  schedule(
    args: readonly string[],
    options?: { user?: string; env?: Record<string, string> },
  ): Promise<CommandLineResult>;
  /** Runs a line of the shell as root. */
  shell(line: string, env?: Record<string, string>): Promise<CommandLineResult>;
  remove(): void;
}

/**
 * No systemd runs there, as in an image that is being made, whether one runs here or not; and the tables of cron, and what else cron
 * would carry out, are out of sight.
 */
const PRIVATE = `set -e
mount --bind "$UNITS" /etc/systemd/system
mount -t tmpfs tmpfs /run
mkdir -p /run/lock && chmod 1777 /run/lock
chown root:crontab "$TABLES" && chmod 1730 "$TABLES"
mount --bind "$TABLES" /var/spool/cron/crontabs
if [ -e /etc/crontab ]; then mount --bind /dev/null /etc/crontab; fi
if [ -d /etc/cron.d ]; then mount -t tmpfs tmpfs /etc/cron.d; fi
cd /
eval "$LINE"`;

export async function scheduleMachine(): Promise<ScheduleMachine> {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-machine-'));
  const [units, tables] = [join(folder, 'units'), join(folder, 'tables')];
  for (const path of [units, tables]) mkdirSync(path);
  const { node, cli } = await commandLineForAll();
  const run = (line: string, args: readonly string[], env: Record<string, string>): Promise<CommandLineResult> =>
    new Promise((resolve) => {
      const options = {
        env: { PATH: process.env.PATH ?? '', HOME: '/root', UNITS: units, TABLES: tables, LINE: line, ...env },
        maxBuffer: 16 << 20,
      };
      const words = ['-m', '--propagation', 'private', 'sh', '-c', PRIVATE, 'sh', ...args];
      execFile('unshare', words, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        resolve({ code, stdout, stderr });
      });
    });
  return {
    units,
    tables,
    schedule(args, { user, env = {} } = {}) {
      const as = user === undefined ? '' : `runuser -u ${user} -- `;
      return run(`exec ${as}"$@"`, [node, cli, 'schedule', ...args], env);
    },
    shell: (line, env = {}) => run(line, [], env),
    remove: () => rmSync(folder, { recursive: true }),
  };
}
