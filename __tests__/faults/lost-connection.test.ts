import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { failedWith, hashes, leftOnHost, sha256, told, wrongIn } from '../helpers/invariants.js';
import { listProcesses, type ProcessInfo, processesOfUser } from '../helpers/processes.js';
import { startProxy, type TcpProxy } from '../helpers/proxy.js';
import type { ActionResult, RunningAction } from '../helpers/run-action.js';
import { sample } from '../helpers/sample.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { slowTools } from '../helpers/slow-tools.js';

// In the middle of a run, while the compressor does not move, something dies. Each case has a host of its own and all run
// at once, since the silent link takes most of a minute.

interface Processes {
  /** sshd's processes of this login, also the privileged one. */
  sshd: ProcessInfo[];
  /** The shell that reads the requests. */
  main: ProcessInfo;
  job: ProcessInfo;
  guard: ProcessInfo;
  /** Every process of ours that is a shell. */
  shells: ProcessInfo[];
}

interface Fault {
  name: string;
  strike(processes: Processes, proxy: TcpProxy, action: RunningAction): void;
  /** What the message says. */
  says: RegExp;
}

const kill = (signal: NodeJS.Signals, ...processes: ProcessInfo[]): void => {
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended with the one before.
    }
  }
};

const SHELL = /^sh( -c sh)? -s$/;

const FAULTS: Fault[] = [
  {
    name: 'SIGKILL of the sshd session',
    strike: ({ sshd }) => kill('SIGKILL', ...sshd),
    says: /connection to .* was lost/,
  },
  {
    name: 'SIGKILL of the shell',
    strike: ({ main }) => kill('SIGKILL', main),
    says: /(stopped|ended) before (it|the program) finished/,
  },
  {
    name: 'SIGTERM of the shell',
    strike: ({ main }) => kill('SIGTERM', main),
    says: /(stopped|ended) before (it|the program) finished/,
  },
  {
    name: 'SIGKILL of the job',
    strike: ({ job }) => kill('SIGKILL', job),
    says: /stopped before it finished \(killed\)/,
  },
  {
    name: 'SIGTERM of the job',
    strike: ({ job }) => kill('SIGTERM', job),
    says: /stopped before it finished \(status 143\)/,
  },
  {
    name: 'SIGKILL of all shells at once',
    strike: ({ shells }) => kill('SIGKILL', ...shells),
    says: /(stopped|ended) before (it|the program) finished/,
  },
  { name: 'a cut link', strike: (_, proxy) => proxy.cut(), says: /connection to .* was lost/ },
  {
    name: 'SIGSTOP of the sshd session (a silent link)',
    strike: ({ sshd }) => kill('SIGSTOP', ...sshd),
    says: /connection to .* was lost/,
  },
];

/** A run that stands still in the middle, on a host of its own with an earlier backup. */
class Case {
  proxy!: TcpProxy;
  scene!: Scene;
  action!: RunningAction;
  before!: Record<string, string>;
  source!: string;
  processes!: Processes;
  readonly slow = slowTools(['zstd']);

  async start(): Promise<void> {
    this.scene = await startScene({ mb: 2, post: 'always', sshd: { extraConfig: this.slow.config } });
    const { sshd } = this.scene;
    this.proxy = await startProxy(sshd.port);
    const knownHosts = Object.values(sshd.hostKeys).map((line) => `[127.0.0.1]:${this.proxy.port} ${line}\n`);
    expect((await this.scene.run()).code).toBe(0);
    this.before = hashes(this.scene.directory);
    this.source = sha256(this.scene.database);
    this.slow.delay('zstd', 120);
    this.action = this.scene.start({ port: String(this.proxy.port), 'known-hosts': knownHosts.join('') });
    await this.action.line(/^content check: /);
    const work = join(this.scene.directory, '.work');
    const inTheMiddle = () => readdirSync(work).some((name) => existsSync(join(work, name, 'payload')));
    for (const end = Date.now() + 20_000; !inTheMiddle() || this.find() === null; await sleep(50)) {
      if (Date.now() > end) throw new Error('the run did not come to the compressor');
    }
    this.processes = this.find() as Processes;
  }

  /** Null while the session is not complete. */
  private find(): Processes | null {
    const own = processesOfUser(this.scene.user.uid);
    const childrenOf = (parent: ProcessInfo) => own.filter(({ ppid }) => ppid === parent.pid);
    const sshd = listProcesses().filter(({ command }) => command.startsWith(`sshd: ${this.scene.user.name}`));
    // dash of Debian 12 stays as `sh -c sh -s` between sshd and the shell
    const main = own.find(
      ({ ppid, command }) => command === 'sh -s' && !own.some((one) => one.pid === ppid && one.command === 'sh -s'),
    );
    if (main === undefined) return null;
    const guard = childrenOf(main).find((one) => childrenOf(one).some(({ command }) => command === 'sleep 2'));
    const job = childrenOf(main).find((one) => childrenOf(one).some(({ command }) => command.startsWith('tee ')));
    if (guard === undefined || job === undefined) return null;
    return { sshd, main, guard, job, shells: own.filter(({ command }) => SHELL.test(command)) };
  }

  async stop(): Promise<void> {
    await this.action?.result();
    for (const { pid } of this.processes?.sshd ?? []) {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // It is gone.
      }
    }
    await this.proxy?.stop();
    await this.scene?.stop();
    this.slow.remove();
  }
}

const POINTS = sample(FAULTS, 7);

interface Outcome {
  subject: Case;
  result: ActionResult;
  left: string[];
  next: ActionResult;
}

const cases = new Map(POINTS.map(({ name }) => [name, new Case()]));
const guardCase = new Case();
const nobodyCase = new Case();
const outcomes = new Map<string, Outcome>();

beforeAll(async () => {
  const all = [...cases.values(), guardCase, nobodyCase];
  // a few at a time: starting is work, standing still is none
  for (let index = 0; index < all.length; index += 3)
    await Promise.all(all.slice(index, index + 3).map((one) => one.start()));
  await Promise.all(
    POINTS.map(async ({ name, strike }) => {
      const subject = cases.get(name) as Case;
      strike(subject.processes, subject.proxy, subject.action);
      const result = await subject.action.result();
      const left = await leftOnHost(subject.scene);
      subject.slow.fast();
      outcomes.set(name, { subject, result, left, next: await subject.scene.run() });
    }),
  );
}, 180_000);

afterAll(async () => {
  for (const one of [...cases.values(), guardCase, nobodyCase]) await one.stop();
});

describe.each(POINTS)('$name', ({ name, says }) => {
  test('is E_REMOTE_LOST, leaves nothing, and the next run works', () => {
    const { subject, result, left, next } = outcomes.get(name) as Outcome;
    expect(told(result)).toEqual(failedWith('E_REMOTE_LOST'));
    expect(result.annotations.find(({ level }) => level === 'error')?.message).toMatch(says);
    expect(result.outputs['backup-id']).toBe('');
    expect(left).toEqual([]);
    expect(wrongIn(subject.scene.directory, subject.before)).toEqual([]);
    expect(sha256(subject.scene.database)).toBe(subject.source);
    expect(result.steps.post?.code).toBe(0);
    expect(next.outputs['backup-ok']).toBe('true');
    expect(hashes(subject.scene.directory)).toMatchObject(subject.before);
  });
});

test('SIGKILL of the watcher: a new one takes its place, and the run goes on', async () => {
  const { action, scene, slow, processes, before } = guardCase;
  kill('SIGKILL', processes.guard);
  const watched = () =>
    processesOfUser(scene.user.uid).some(
      ({ command, ppid }) => command === 'sleep 2' && ppid !== 1 && ppid !== processes.guard.pid,
    );
  for (const end = Date.now() + 30_000; !watched() && Date.now() < end; ) await sleep(50);
  expect(watched()).toBe(true);
  slow.fast();
  const result = await action.result();
  expect(told(result)).toEqual({ code: 0, backupOk: 'true', error: '' });
  expect(await leftOnHost(scene)).toEqual([]);
  expect(wrongIn(scene.directory, before)).toEqual([]);
});

test('SIGKILL of the action and of all shells: nobody cleans up, the next run sweeps the orphans', async () => {
  const { action, scene, slow, before } = nobodyCase;
  const shells = () => scene.processes().filter(({ command }) => SHELL.test(command));
  for (let alive = shells(); alive.length > 0; alive = shells()) {
    kill('SIGSTOP', ...alive); // none is to see another one die
    kill('SIGKILL', ...alive);
  }
  action.kill('SIGKILL');
  await action.main;
  const orphans = scene.processes().map(({ command }) => command.split(' ')[0]);
  expect(orphans).toEqual(expect.arrayContaining(['tee', '/usr/bin/perl']));
  slow.fast();
  const next = await scene.run();
  expect(next.visible).toContain('removed what an earlier run left behind');
  expect(next.outputs['backup-ok']).toBe('true');
  expect(await leftOnHost(scene)).toEqual([]);
  expect(wrongIn(scene.directory, before)).toEqual([]);
});
