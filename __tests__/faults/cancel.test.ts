import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { failedWith, hashes, isLocked, leftOnHost, told, wrongIn } from '../helpers/invariants.js';
import { startProxy, type TcpProxy } from '../helpers/proxy.js';
import type { ActionResult, RunningAction } from '../helpers/run-action.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { type SlowTools, slowTools } from '../helpers/slow-tools.js';

// How a run ends that is not allowed to go on: told, cleaned up, and the process gone.

let slow: SlowTools;
let scene: Scene;
let before: Record<string, string>;
const proxies: TcpProxy[] = [];

beforeAll(async () => {
  slow = slowTools(['zstd', 'rm', 'sha256sum']);
  scene = await startScene({ mb: 4, post: 'always', sshd: { extraConfig: slow.config } });
  expect((await scene.run()).code).toBe(0);
  before = hashes(scene.directory);
});
afterEach(async () => {
  slow.fast();
  for (const proxy of proxies.splice(0)) await proxy.stop();
});
afterAll(async () => {
  await scene.stop();
  slow.remove();
});

/** Inputs by which the host is reached through a proxy. */
async function throughProxy(): Promise<{ proxy: TcpProxy; inputs: Record<string, string> }> {
  const proxy = await startProxy(scene.sshd.port);
  proxies.push(proxy);
  const lines = Object.values(scene.sshd.hostKeys).map((line) => `[127.0.0.1]:${proxy.port} ${line}`);
  return { proxy, inputs: { port: String(proxy.port), 'known-hosts': lines.join('\n') } };
}

const errorOf = (result: ActionResult): string =>
  result.annotations.find(({ level }) => level === 'error')?.message ?? 'no error';

/** Milliseconds from the last output of main to its end. */
async function lingering(action: RunningAction): Promise<number> {
  let last = Date.now();
  for (const stream of [action.child.stdout, action.child.stderr]) {
    stream?.on('data', () => {
      last = Date.now();
    });
  }
  await action.main;
  return Date.now() - last;
}

async function expectNothingLeft(): Promise<void> {
  expect(await leftOnHost(scene)).toEqual([]);
  expect(wrongIn(scene.directory, before)).toEqual([]);
}

describe('a cancelled run', () => {
  test('that waits for the lock says what happened, and does not wait on', async () => {
    const holder = spawn('flock', [join(scene.directory, '.work/lock'), 'sleep', '60']);
    try {
      while (!isLocked(scene.directory)) await new Promise((resolve) => setTimeout(resolve, 20));
      const action = scene.start({ 'lock-wait': '60s' });
      await action.line(/waiting for the lock, which another run holds/);
      action.kill('SIGINT');
      const result = await action.result();
      expect(told(result)).toEqual(failedWith('E_CANCELLED'));
      expect(errorOf(result)).toBe(
        'E_CANCELLED: the run was cancelled (SIGINT). Nothing unfinished is left on the host: no process, no lock, no partial file. Run again, and keep `cancel-in-progress: false` for backups. Nothing was kept, nothing was rotated, and the database was not changed.',
      );
      expect(result.outputLines.at(-1)).toEqual(['backup-ok', 'false']);
      expect(result.summary).toContain('E_CANCELLED');
    } finally {
      spawn('pkill', ['-P', String(holder.pid)]);
      await new Promise((resolve) => holder.once('close', resolve));
    }
    await expectNothingLeft();
  });

  test('on a link that died before the connection was there ends at once', async () => {
    const { proxy, inputs } = await throughProxy();
    proxy.freeze();
    const action = scene.start(inputs);
    await action.line(/connecting to/);
    action.kill('SIGTERM');
    expect(await lingering(action)).toBeLessThan(2_000);
    expect(told(await action.result())).toEqual(failedWith('E_CANCELLED'));
    await expectNothingLeft();
  });

  test('on a link that died in the middle ends within the time that the runner leaves', async () => {
    slow.delay('zstd', 60);
    const { proxy, inputs } = await throughProxy();
    const action = scene.start(inputs);
    await action.line(/^content check: /);
    proxy.freeze();
    action.kill('SIGINT');
    const sent = Date.now();
    await action.main;
    expect(Date.now() - sent).toBeLessThan(7_500);
    await proxy.stop(); // else the host would wait for a beat for 45 s, which is shown elsewhere
    const result = await action.result();
    expect(told(result)).toEqual(failedWith('E_CANCELLED'));
    expect(result.visible).toContain('did not confirm that it has cleaned up; the post step checks');
    // the proxy is gone: post can not look, says so, and does not fail
    expect(result.steps.post?.code).toBe(0);
    expect(result.annotations.filter(({ level }) => level === 'warning').map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^the run ended early, and what it left on the host could not be looked at \(E_CONNECT: .*next run sweeps/,
      ),
    ]);
    await expectNothingLeft();
  });
});

describe('time-outs', () => {
  test('timeout: E_TIMEOUT names the input, the host is cleaned up', async () => {
    slow.delay('zstd', 60);
    const result = await scene.run({ timeout: '3s' });
    expect(told(result)).toEqual(failedWith('E_TIMEOUT'));
    expect(errorOf(result)).toMatch(/^E_TIMEOUT: the run took longer than 3 s \(timeout\)/);
    expect(result.visible).toContain('compress and hash: stopped after');
    await expectNothingLeft();
  });

  test('idle-timeout: the same, when nothing moves', async () => {
    slow.delay('zstd', 60);
    const result = await scene.run({ 'idle-timeout': '2s' });
    expect(told(result)).toEqual(failedWith('E_TIMEOUT'));
    expect(errorOf(result)).toMatch(/^E_TIMEOUT: .* made no progress for 2 s \(idle-timeout\)/);
    await expectNothingLeft();
  });

  test('idle-timeout: not while something does, and the log says how far it is', async () => {
    slow.throttle('zstd', 1_000_000);
    const action = scene.start({ 'idle-timeout': '2s', keep: '50' });
    const times: number[] = [];
    action.child.stdout?.on('data', (chunk: Buffer) => {
      if (/, about .* left/.test(chunk.toString())) times.push(Date.now());
    });
    const result = await action.result();
    expect(told(result)).toEqual({ code: 0, backupOk: 'true', error: '' });
    const lines = result.visible.split('\n').filter((line) => line.includes(' left'));
    expect(lines[0]).toMatch(
      /^compress and hash: [\d.]+ MB of 4\.\d+ MB \(\d+ %\), [\d.]+ (k|M)B\/s, about [\d.]+ s left$/,
    );
    expect(lines.length).toBe(times.length);
    for (const [index, time] of times.slice(1).entries()) expect(time - (times[index] ?? 0)).toBeGreaterThan(9_500);
    // each stage with its time, size and rate, in groups
    for (const stage of ['copy', 'content check', 'compress and hash', 'read back']) {
      expect(result.visible).toMatch(
        new RegExp(`^${stage}: [\\d.]+ MB in [\\d.]+ s \\(([\\d.]+ (k|M)B/s|unknown)\\)$`, 'm'),
      );
    }
    expect(result.visible.match(/^##\[group\].*$/gm)).toEqual([
      '##[group]Connect',
      `##[group]Back up ${scene.database}`,
      '##[group]Publish and rotate',
    ]);
    expect(result.visible).toMatch(/^Publish and rotate: done in [\d.]+ s$/m);
    before = hashes(scene.directory);
  });

  test.each([
    ['a backup that is young enough is hashed', { 'skip-if-younger-than': '1h' }, () => {}],
    [
      'one that has lost its manifest is adopted',
      { command: 'prune', keep: '50' },
      () => {
        for (const file of scene.files().filter((name) => /^app-.*[.]json$/.test(name))) {
          rmSync(join(scene.directory, file));
        }
      },
    ],
  ])('idle-timeout: not while %s', async (_, inputs: Record<string, string>, first) => {
    first();
    slow.throttle('sha256sum', 800_000);
    const started = performance.now();
    const result = await scene.run({ ...inputs, 'idle-timeout': '3s' });
    expect({ code: result.code, error: result.outputs['error-code'] }).toEqual({ code: 0, error: '' });
    expect(performance.now() - started).toBeGreaterThan(4_500);
    before = hashes(scene.directory);
    await expectNothingLeft();
  });
});

describe('post', () => {
  const endedEarly = 'the run ended early';

  test('does nothing after a run that ended in order, and after E_INPUT', async () => {
    for (const inputs of [{ command: 'list' }, { keep: 'seven' }]) {
      const action = scene.start(inputs);
      await action.main;
      const started = Date.now();
      const result = await action.result();
      expect(Date.now() - started).toBeLessThan(3_000);
      expect(result.visible.match(/##\[group\]Connect/g) ?? []).toHaveLength('keep' in inputs ? 0 : 1);
      expect(result.visible).not.toContain(endedEarly);
      expect(result.steps.post?.code).toBe(0);
    }
  });

  test('does nothing, above all no backup, when main was killed before it began', async () => {
    const action = scene.start();
    action.kill('SIGKILL');
    const result = await action.result();
    expect(result).toMatchObject({ signal: 'SIGKILL', log: '', outputs: {}, steps: { post: { code: 0 } } });
    await expectNothingLeft();
  });
});

describe('the end of the process', () => {
  test('comes at once after a success', async () => {
    const action = scene.start({ keep: '50' });
    expect(await lingering(action)).toBeLessThan(2_000);
    expect(told(await action.result())).toMatchObject({ backupOk: 'true' });
    before = hashes(scene.directory);
  });

  test('comes at once after a failure on a link that died', async () => {
    slow.delay('zstd', 60);
    const { proxy, inputs } = await throughProxy();
    const action = scene.start({ ...inputs, timeout: '3s' });
    await action.line(/^content check: /);
    proxy.freeze();
    expect(await lingering(action)).toBeLessThan(2_000 + 5_000); // it waits 5 s for the host
    await proxy.stop();
    expect(told(await action.result())).toEqual(failedWith('E_TIMEOUT'));
    await expectNothingLeft();
  });
});

describe('an exception of ours', () => {
  const preload = (code: string) => ({
    NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(code)}"`,
  });

  test.each([
    ['in the middle of the run', `AbortSignal.prototype.throwIfAborted = () => null.sabotage;`],
    ['outside of any call', `if (!process.argv[1]?.endsWith('post.js')) setTimeout(() => null.sabotage, 250);`],
  ])('%s is E_INTERNAL, says that it is our bug, and shows its stack to those who debug', async (_, code) => {
    slow.delay('zstd', 1);
    const result = await scene.run({ keep: '50' }, preload(code));
    expect(told(result)).toEqual(failedWith('E_INTERNAL'));
    expect(errorOf(result)).toMatch(
      /^E_INTERNAL: unexpected error: Cannot read properties of null .*Please report it/s,
    );
    expect(errorOf(result)).not.toMatch(/\bat .*index\.js/);
    const stack = result.log.split('\n').filter((line) => /at .*(index\.js|data:text)/.test(line));
    expect(stack).toContainEqual(expect.stringMatching(/^::debug::TypeError/));
    for (const line of stack) expect(line).toMatch(/^::debug::/);
    expect(result.summary).toContain('E_INTERNAL');
    await expectNothingLeft();
  });
});
