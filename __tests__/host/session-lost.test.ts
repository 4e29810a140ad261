import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import type { HostProgress, Session, SessionOptions } from '../../src/host/session.js';
import { until } from '../helpers/outcome.js';
import { leftAfter, processTree } from '../helpers/processes.js';
import { lost, running, Sessions, SHELLS, type ShellHost } from '../helpers/shell-host.js';

// These tests wait for beats and watchers, so each runs in all the shells at once.

const sessions = new Sessions();
afterEach(() => sessions.close());

/** A session with a work folder, as a backup has one. */
async function open(command: string[], options: Partial<SessionOptions> = {}, rewrite?: (text: string) => string) {
  const { host, session } = await sessions.open(command, options, rewrite);
  mkdirSync(join(host.folder, '.work/x'), { recursive: true });
  await session.send(['request', 'eval', ['directory=$PWD']], ['request', 'expect_work', ['x']]);
  return { host, session };
}

const inEveryShell = (name: string, work: (command: string[]) => Promise<void>, shells = SHELLS): void =>
  test(`${name}, in ${shells.map(([shell]) => shell).join(', ')}`, async () => {
    await Promise.all(shells.map(([, command]) => work(command)));
  });
/** The `sleep` of ksh93 is no program of its own, by which its parent could be told. */
const WITH_SLEEP = SHELLS.filter(([shell]) => shell !== 'ksh93');

/** A job that would go on for long, and the first process that it started. */
async function longJob(host: ShellHost, session: Session) {
  const answer = session.send(['job', 'run', ['/bin/sleep', '61']]);
  answer.catch(() => {});
  await until(() => running(host, '/bin/sleep 61').length === 1, 15_000);
  return { answer, sleeper: running(host, '/bin/sleep 61')[0] };
}

inEveryShell('a job that is killed can not say so; a beat does', async (command) => {
  const { host, session } = await open(command);
  const { answer, sleeper } = await longJob(host, session);
  process.kill(sleeper?.ppid ?? 0, 'SIGKILL');
  await expect(answer).rejects.toMatchObject(lost(/stopped before it finished \(killed\)/));
  expect(await session.close()).toBe(true);
  expect(await leftAfter(host.processes, 5000)).toEqual([]); // also not the orphan
});

inEveryShell('a shell that is killed: its watcher ends the job', async (command) => {
  const { host, session } = await open(command);
  const { answer } = await longJob(host, session);
  host.child.kill('SIGKILL');
  await expect(answer).rejects.toMatchObject(
    lost(/ended before the program finished, by signal SIGKILL|stopped before it finished/),
  );
  expect(await leftAfter(host.processes, 10_000)).toEqual([]);
});

inEveryShell('a shell that is told to end: the same', async (command) => {
  const { host, session } = await open(command);
  const { answer } = await longJob(host, session);
  host.child.kill('SIGTERM');
  await expect(answer).rejects.toMatchObject(lost(/ended before the program finished|stopped before it finished/));
  expect(await leftAfter(host.processes, 10_000)).toEqual([]);
});

inEveryShell(
  'a watcher that is killed is started again by the next beat',
  async (command) => {
    const { host, session } = await open(command);
    const { answer } = await longJob(host, session);
    const watchers = () =>
      processTree(host.child.pid ?? 0).filter(({ pid }) => running(host, 'sleep 2').some(({ ppid }) => ppid === pid));
    await until(() => watchers().length === 1, 15_000);
    const killed = watchers()[0]?.pid ?? 0;
    process.kill(killed, 'SIGKILL');
    await until(() => watchers().some(({ pid }) => pid !== killed), 15_000);
    host.child.kill('SIGKILL');
    await expect(answer).rejects.toMatchObject(lost(/./));
    expect(await leftAfter(host.processes, 10_000)).toEqual([]);
  },
  WITH_SLEEP,
);

inEveryShell('a session without beats is ended by its watcher', async (command) => {
  // the silence of 45 s made shorter; the beats get lost
  const silent = (text: string) => (text === '{ beat; }\n' ? '' : text.replace('-lt 22', '-lt 2'));
  const { host, session } = await open(command, {}, silent);
  const { answer } = await longJob(host, session);
  await expect(answer).rejects.toMatchObject(lost(/./));
  expect(await leftAfter(host.processes, 10_000)).toEqual([]);
});

inEveryShell('beats keep a session, and are answered in the middle of a text that a job sends', async (command) => {
  const seen: HostProgress[] = [];
  const slowText =
    'slow_text() { printf "%s begin slow\\nhalf" "$mark"; run sleep 5; printf "way\\n%s end\\n" "$mark"; }';
  const { host, session } = await open(
    command,
    { idleTimeoutMs: 4000, onProgress: (progress) => seen.push(progress) },
    (text) => text.replace('-lt 22', '-lt 2').replace('\nhello\n}', `\n${slowText}\nhello\n}`),
  );
  let bytes = 0;
  // what moves is not idle
  const moving = setInterval(() => writeFileSync(join(host.folder, '.work/x/copy.db'), 'x'.repeat(++bytes)), 100);
  try {
    expect((await session.send(['job', 'slow_text', []])).get('slow')).toBe('halfway');
  } finally {
    clearInterval(moving);
  }
  expect(seen.length).toBeGreaterThan(2);
  // the file is empty for a moment whenever it is written anew
  expect(seen.some(({ copied }) => copied > 0)).toBe(true);
  expect(await session.close()).toBe(true);
});

test('a session in which nothing moves is E_TIMEOUT, naming the input', async () => {
  const { host, session } = await open(['dash'], { idleTimeoutMs: 1000 });
  const { answer } = await longJob(host, session);
  await expect(answer).rejects.toMatchObject({
    code: 'E_TIMEOUT',
    message: 'dash made no progress for 1 s (idle-timeout)',
  });
  expect(await session.close()).toBe(true);
  expect(await leftAfter(host.processes, 5_000)).toEqual([]); // the watcher sleeps out its two seconds
});
