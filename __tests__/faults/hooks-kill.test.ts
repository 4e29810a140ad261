import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { leftOnHost } from '../helpers/invariants.js';
import { until } from '../helpers/outcome.js';
import { listProcesses, type ProcessInfo } from '../helpers/processes.js';
import type { RunningAction } from '../helpers/run-action.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { type SlowTools, slowTools } from '../helpers/slow-tools.js';

// A backup with commands around its dump is killed in each of them and in the dump, in each way: after-command is run once in any case, and
// to its end where anything is left to run it.

const AT_ONCE = 3;
const STAGES = ['before-command', 'dump', 'after-command'] as const;
type Stage = (typeof STAGES)[number];

const kill = (signal: NodeJS.Signals, process_: ProcessInfo | undefined): void => {
  if (process_ === undefined) throw new Error('it is not there');
  process.kill(process_.pid, signal);
};

const FAULTS: Record<string, (host: Host, action: RunningAction) => void> = {
  'the runner is killed': (_, action) => action.kill('SIGKILL'),
  'the run is cancelled': (_, action) => action.kill('SIGINT'),
  'the shell of the host is killed': (host) => kill('SIGKILL', host.main()),
  'the job on the host is killed': (host) => kill('SIGKILL', host.job()),
  'the job on the host is stopped': (host) => kill('SIGTERM', host.job()),
  'the link is lost': (host) => kill('SIGKILL', host.session()),
  'all that there is of the user on the host is killed': (host) => host.crash(),
};

class Host {
  private constructor(
    private readonly scene: Scene,
    private readonly slow: SlowTools,
  ) {}

  static async start(): Promise<Host> {
    const slow = slowTools(['sqlite3']);
    return new Host(await startScene({ sshd: { extraConfig: slow.config } }), slow);
  }

  async stop(): Promise<void> {
    await this.scene.stop();
    this.slow.remove();
  }

  private get file(): string {
    return join(this.scene.user.home, 'said');
  }
  private noted(): string[] {
    return existsSync(this.file) ? readFileSync(this.file, 'utf8').trimEnd().split('\n') : [];
  }

  /** The shell that reads the requests. */
  main(): ProcessInfo | undefined {
    const own = this.scene.processes();
    return own.find(
      ({ ppid, command }) => command === 'sh -s' && !own.some((one) => one.pid === ppid && one.command === 'sh -s'),
    );
  }

  /** The child of that shell that is not the guard. */
  job(): ProcessInfo | undefined {
    const own = this.scene.processes();
    const isGuard = ({ pid }: ProcessInfo) => own.some(({ ppid, command }) => ppid === pid && command === 'sleep 2');
    return own.find((one) => one.ppid === this.main()?.pid && one.command === 'sh -s' && !isGuard(one));
  }

  session(): ProcessInfo | undefined {
    return listProcesses().find(({ command }) => command.startsWith(`sshd: ${this.scene.user.name}@notty`));
  }

  crash(): void {
    execFileSync('su', ['-s', '/bin/sh', this.scene.user.name, '-c', 'kill -9 -1 || true'], { stdio: 'ignore' });
  }

  async strike(stage: Stage, fault: string): Promise<void> {
    const { scene, slow } = this;
    const go = join(scene.user.home, 'go');
    for (const file of [this.file, go]) rmSync(file, { force: true });
    const action = scene.start({
      'before-command': 'echo before >>said; while [ ! -e go ]; do sleep 0.05; done; echo before-end >>said',
      'after-command': 'echo after >>said; sleep 1; echo after-end >>said',
    });
    await until(() => this.noted().includes('before'));
    if (stage !== 'before-command') {
      if (stage === 'dump') slow.delay('sqlite3', 60);
      writeFileSync(go, '');
      const isThere = () =>
        stage === 'dump'
          ? scene.processes().some(({ command }) => command.includes('sqlite3'))
          : this.noted().includes('after');
      await until(isThere);
    }
    FAULTS[fault]?.(this, action);
    await action.main;
    slow.fast();
    const crashed = fault.startsWith('all');
    if (!crashed) await until(() => this.noted().includes('after-end'));
    const result = await action.result(); // post has looked
    expect(result.outputs['backup-ok'] ?? 'false').toBe('false');
    if (fault === 'the link is lost' && stage === 'before-command') {
      expect(result.annotations.map(({ message }) => message).join()).toContain(
        'by itself; if it cannot, the next run does so first',
      );
    }
    // whatever is still due is done by the next run
    expectBackup(await scene.run());
    await until(() => crashed || this.noted().includes('after-end'));
    const cutOff = crashed && stage === 'after-command';
    expect(this.noted()).toEqual([
      ...['before', ...(stage === 'before-command' ? [] : ['before-end'])],
      ...['after', ...(cutOff ? [] : ['after-end'])],
    ]);
    expect(await leftOnHost(scene)).toEqual([]);
  }
}

let hosts: Host[];
beforeAll(async () => {
  hosts = await Promise.all(Array.from({ length: AT_ONCE }, () => Host.start()));
});
afterAll(() => Promise.all(hosts.map((host) => host.stop())));

test('after-command is run once, and to its end, whatever dies', async () => {
  const points = STAGES.flatMap((stage) => Object.keys(FAULTS).map((fault) => ({ stage, fault })));
  const wrong: string[] = [];
  await Promise.all(
    hosts.map(async (host) => {
      for (let point = points.shift(); point !== undefined; point = points.shift()) {
        try {
          await host.strike(point.stage, point.fault);
        } catch (error) {
          wrong.push(`in ${point.stage} ${point.fault}: ${(error as Error).message.slice(0, 1500)}`);
        }
      }
    }),
  );
  expect(wrong).toEqual([]);
}, 180_000);
