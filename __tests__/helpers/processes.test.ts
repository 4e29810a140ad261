import { execFileSync, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { expect, test } from '@jest/globals';
import { leftAfter, processesMentioning, processTree, sampleArgv } from './processes.js';

test('finds a process by its argument and by its directory, and sees it go', async () => {
  const child = spawn('sh', ['-c', 'sleep 301; :', 'mark-of-this-test'], { cwd: tmpdir() });
  while (!processTree(child.pid ?? 0).some(({ command }) => command === 'sleep 301')) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const found = processesMentioning('mark-of-this-test');
  expect(found).toEqual([expect.objectContaining({ pid: child.pid, ppid: process.pid, uid: process.getuid?.() })]);
  expect(processesMentioning(tmpdir()).map(({ pid }) => pid)).toContain(child.pid);
  expect(await leftAfter(() => processesMentioning('mark-of-this-test'), 50)).toHaveLength(1);
  for (const { pid } of processTree(child.pid ?? 0)) process.kill(pid, 'SIGKILL');
  expect(await leftAfter(() => processesMentioning('mark-of-this-test'))).toEqual([]);
});

test('what has ended and waits for its parent is no process any more', async () => {
  const parent = spawn('sh', ['-c', 'true & exec sleep 302'], { stdio: 'ignore' });
  const states = () =>
    execFileSync('ps', ['-o', 'stat=', '--ppid', String(parent.pid)], { encoding: 'utf8' })
      .trim()
      .slice(0, 1);
  while (!processTree(parent.pid ?? 0).some(({ command }) => command === 'sleep 302') || states() !== 'Z') {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(processTree(parent.pid ?? 0)).toHaveLength(1);
  const ended = new Promise((resolve) => parent.once('close', resolve));
  parent.kill('SIGKILL');
  await ended;
});

test('the sampler sees what ps would show', async () => {
  const sampler = sampleArgv(2);
  const child = spawn('sh', ['-c', 'cat >/dev/null; :', 'secret-in-argv']);
  while (!sampler.saw('secret-in-argv')) await new Promise((resolve) => setTimeout(resolve, 5));
  child.stdin.end();
  await new Promise((resolve) => child.once('close', resolve));
  expect(sampler.stop()).toContain('sh -c cat >/dev/null; : secret-in-argv');
  const later = sampleArgv(2);
  execFileSync('true');
  expect(later.stop().join('\n')).not.toContain('secret-in-argv');
});
