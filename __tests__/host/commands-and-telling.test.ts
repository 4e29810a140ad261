import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { until } from '../helpers/outcome.js';
import { Sessions, SHELLS } from '../helpers/shell-host.js';

const sessions = new Sessions();
afterEach(() => sessions.close());

const ID = 'app-20261120T101500Z-7f3a';
const HELP = '# HELP db_backup_last_run_timestamp_seconds x\n';

test.each(SHELLS)('%s: the commands around a dump, and one that was still due', async (_name, command) => {
  const { host, session } = await sessions.open(command);
  const directory = join(host.folder, 'b');
  const said = join(host.folder, 'said');
  const work = join(directory, '.work');
  mkdirSync(work, { recursive: true, mode: 0o700 });
  writeFileSync(join(work, 'hook.shop-20261120T101500Z-7f3a'), '# 60\necho left >>said');
  const locked = await session.send(
    ['request', 'open_directory', [directory, '077', 'change']],
    ['request', 'expect_hooks', [ID, '60', 'echo before | tee -a said', 'cat said; echo after >>said; exit 3']],
    ['job', 'look_locked', ['app', '', '5', 'the test']],
  );
  expect(locked.all('note')).toEqual([expect.stringMatching(/had not been run, and was run first$/)]);
  expect(readdirSync(work).sort()).toEqual(['holder', 'lock']);
  expect(readFileSync(said, 'utf8')).toBe('left\n');

  // as a dump that ends right after it has begun
  const facts = await session.send(['job', 'before_dump', []], ['job', 'end_hooks', []]);
  expect(facts.entries.filter(([key]) => /^(running|(before|after)_)/.test(key))).toEqual([
    ['running', 'before-command'],
    ['before_said', 'before'],
    ['before_command_status', '0'],
    ['running', 'after-command'],
    ['after_said', 'left'],
    ['after_said', 'before'],
    ['after_said_last', 'before'],
    ['after_command_status', '3'],
  ]);
  expect(readFileSync(said, 'utf8')).toBe('left\nbefore\nafter\n');
  // it is not due any more
  expect((await session.send(['job', 'end_hooks', []])).entries).toEqual([]);
  expect(readdirSync(work).sort()).toEqual(['holder', 'lock']);
});

test.each(SHELLS)('%s: what is due is run when the session ends', async (_name, command) => {
  const { host, session } = await sessions.open(command);
  const said = join(host.folder, 'said');
  await session.send(
    ['request', 'open_directory', [join(host.folder, 'b'), '077', 'create']],
    ['request', 'expect_hooks', [ID, '60', '', 'echo after >>said']],
    ['request', 'before_dump', []],
  );
  expect(existsSync(said)).toBe(false);
  expect(await session.close()).toBe(true);
  await until(() => existsSync(said) && readFileSync(said, 'utf8') !== '');
  expect(readFileSync(said, 'utf8')).toBe('after\n');
});

test.each(SHELLS)('%s: status, history and metrics', async (_name, command) => {
  const { host, session } = await sessions.open(command);
  const directory = join(host.folder, 'b');
  const file = (name: string): string => readFileSync(join(directory, name), 'utf8');
  await session.send(['request', 'open_directory', [directory, '077', 'create']]);
  const long = `{"at":"${'x'.repeat(1_900)}"}`;
  const tell = (history: string, backups: string) =>
    session.send(
      ['request', 'will_tell', ['{}\n', history, 'b/app.prom', `${HELP}db_backup_healthy 1\n`, backups]],
      ['job', 'tell_run', []],
    );
  expect((await tell(long, 'db_backup_backups 5\n')).entries).toEqual([]);
  writeFileSync(join(directory, 'history.jsonl'), `${long}\n{"torn`);
  expect((await tell('{"ü":2}', '')).entries).toEqual([]);
  expect(file('status.json')).toBe('{}\n');
  expect(file('history.jsonl')).toBe(`${long}\n{"torn\n{"ü":2}\n`);
  expect(file('app.prom')).toBe(`${HELP}db_backup_healthy 1\ndb_backup_backups 5\n`);
  writeFileSync(join(directory, 'history.jsonl'), 'y'.repeat(5_000_000));
  await tell('{"b":3}', '');
  expect(file('history.jsonl')).toBe('{"b":3}\n');
  const facts = await session.send(['job', 'put_history', []]);
  expect(facts.all('history').map((text) => text.length)).toEqual([65_536, 7]);
  expect(readdirSync(directory).sort()).toEqual([
    ...['.work', 'app.prom', 'history.1.jsonl', 'history.jsonl', 'status.json'],
  ]);
  expect(readdirSync(join(directory, '.work'))).toEqual(['lock']);
});
