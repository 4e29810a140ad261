import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { until } from '../helpers/outcome.js';
import { listProcesses } from '../helpers/processes.js';
import { Sessions, SHELLS } from '../helpers/shell-host.js';

// What happens when the shell that holds a command to its limit is killed, and what is kept of what a command says.

const sessions = new Sessions();
afterEach(() => sessions.close());

const ID = 'app-20261120T101500Z-7f3a';
const NOTE_LIMITER = 'echo $PPID >limiter.new; mv limiter.new limiter';
/** Ends only when it is ended, and not at once. */
const BEFORE = `trap 'sleep 0.3; echo before-end >>said; exit 1' TERM; ${NOTE_LIMITER}; while :; do sleep 0.05; done`;

async function begin(command: string[], limit: string, before: string, after: string) {
  const { host, session } = await sessions.open(command);
  const directory = join(host.folder, 'b');
  const file = (name: string) => join(host.folder, name);
  const limiter = async (): Promise<number> => {
    await until(() => existsSync(file('limiter')));
    return Number(readFileSync(file('limiter'), 'utf8'));
  };
  await session.send(
    ['request', 'open_directory', [directory, '077', 'create']],
    ['request', 'expect_hooks', [ID, limit, before, after]],
  );
  return { host, session, directory, file, limiter };
}

test.each(SHELLS)('%s: after-command is not begun before before-command is ended', async (_name, command) => {
  const { session, directory, file, limiter } = await begin(command, '60', BEFORE, 'echo after >>said');
  const failed = session.send(['job', 'before_dump', []]).catch((error: unknown) => error);
  process.kill(await limiter(), 'SIGKILL');
  expect(await failed).toMatchObject({ code: 'E_HOOK' });
  const facts = await session.send(['job', 'end_hooks', []]);
  expect(facts.all('after_command_status')).toEqual(['0']);
  expect(readFileSync(file('said'), 'utf8')).toBe('before-end\nafter\n');
  expect(readdirSync(join(directory, '.work'))).toEqual(['lock']);
});

test.each(SHELLS)('%s: the next run ends before-command first', async (_name, command) => {
  const { host, session, directory, file, limiter } = await begin(command, '60', BEFORE, `echo after >>said`);
  const lost = session.send(['job', 'before_dump', []]).catch((error: unknown) => error);
  const main = host.child.pid;
  const pids = [main, await limiter(), ...listProcesses().flatMap(({ pid, ppid }) => (ppid === main ? [pid] : []))];
  for (const pid of pids) process.kill(pid ?? 0, 'SIGKILL');
  expect(await lost).toBeInstanceOf(Error);
  expect(existsSync(file('said'))).toBe(false);

  const next = await sessions.open(command);
  const facts = await next.session.send(
    ['request', 'open_directory', [directory, '077', 'change']],
    ['job', 'look_locked', ['app', '', '5', 'the test']],
  );
  expect(facts.all('note')).toEqual([expect.stringMatching(/had not been run, and was run first$/)]);
  // each in the home of its own session
  expect(readFileSync(file('said'), 'utf8')).toBe('before-end\n');
  expect(readFileSync(join(next.host.folder, 'said'), 'utf8')).toBe('after\n');
  expect(readdirSync(join(directory, '.work')).sort()).toEqual(['holder', 'lock']);
});

test.each(SHELLS)('%s: before-command alone does not outlive the run either', async (_name, command) => {
  const { session, file, limiter } = await begin(command, '60', BEFORE, '');
  const failed = session.send(['job', 'before_dump', []]).catch((error: unknown) => error);
  process.kill(await limiter(), 'SIGKILL');
  expect(await failed).toMatchObject({ code: 'E_HOOK' });
  expect(readFileSync(file('said'), 'utf8')).toBe('before-end\n');
});

test.each(SHELLS)('%s: whoever waits for after-command holds it to its limit', async (_name, command) => {
  const after = `echo $$ >pid; ${NOTE_LIMITER}; echo begun; exec sleep 300`;
  const { session, file, limiter } = await begin(command, '2', '', after);
  await session.send(['job', 'before_dump', []], ['job', 'dumped', []]);
  process.kill(await limiter(), 'SIGKILL');
  const facts = await session.send(['job', 'end_hooks', []]);
  expect([facts.all('after_command_late'), facts.all('after_said_last')]).toEqual([['2'], ['begun']]);
  const pid = Number(readFileSync(file('pid'), 'utf8'));
  expect(listProcesses().filter((one) => one.pid === pid)).toEqual([]);
});

test.each(SHELLS)(
  '%s: what is kept of the output is bounded, and the last line is the last',
  async (_name, command) => {
    const after = `{ while [ ! -e go ]; do sleep 0.05; done; echo more; echo daemon >>said; } &
    echo first; yes | head -c 5000000; printf 'the end\\n\\n'; exit 3`;
    const { session, directory, file } = await begin(command, '60', '', after);
    await session.send(['job', 'before_dump', []], ['job', 'dumped', []]);
    const folder = join(directory, '.work', `hook.${ID}.d`);
    await until(() => readdirSync(folder).includes('status'));
    const bytes = readdirSync(folder).map((name) => lstatSync(join(folder, name)).size);
    expect(bytes.reduce((sum, size) => sum + size)).toBeLessThan(1 << 20);
    const facts = await session.send(['job', 'end_hooks', []]);
    expect(facts.all('after_command_status')).toEqual(['3']);
    expect(facts.all('after_said_last')).toEqual(['the end']);
    expect(facts.all('after_said')[0]).toBe('first');
    expect(facts.all('after_said').join('\n').length).toBeGreaterThan(65_000);
    expect(facts.all('after_said').join('\n').length).toBeLessThan(200_000);
    expect(readdirSync(join(directory, '.work'))).toEqual(['lock']);
    // what goes on in the background meets no broken pipe
    mkdirSync(file('go'));
    await until(() => existsSync(file('said')) && readFileSync(file('said'), 'utf8') === 'daemon\n');
  },
);
