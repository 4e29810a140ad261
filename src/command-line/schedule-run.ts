import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { cancel } from '../cancel.js';
import { inForeground, waiting } from '../schedule/foreground.js';
import { commandOf } from '../schedule/installation.js';
import { caller } from '../schedule/machine.js';
import { fromEnvironment } from './environment.js';
import { EXIT } from './exit-status.js';
import type { Given } from './schedule-command.js';
import {
  begin,
  configured,
  gapsOf,
  input,
  jobsOf,
  lineOf,
  reading,
  say,
  timeOf,
  told,
  warn,
} from './schedule-common.js';
import { judge } from './schedule-needs.js';

// `db-backup schedule run`, which returns its exit status.

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
    say('stopped by a signal');
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
