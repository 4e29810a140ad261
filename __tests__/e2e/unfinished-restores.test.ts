import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { leftOnHost } from '../helpers/invariants.js';
import { sqlite3, until } from '../helpers/outcome.js';
import type { ActionResult } from '../helpers/run-action.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { journals, lostInCheck } from '../helpers/unfinished.js';

// Restores that were cut off, and commands of the user that do not end: none of them blocks what comes after.

type Inputs = Record<string, string>;

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ transport: 'local', mb: 1, wal: false });
  asOwner(`rm '${scene.database}'`);
  sql('CREATE TABLE t (n)', 'INSERT INTO t VALUES (1), (2), (3)');
  expectBackup(await scene.run());
  sql('INSERT INTO t VALUES (4)');
  for (const path of [scene.directory, scene.database]) asOwner(`cp -a '${path}' '${file('kept-')}${basename(path)}'`);
});
afterAll(() => scene.stop());

beforeEach(() => {
  asOwner(`rm -rf '${scene.directory}' '${scene.database}'* '${file('log')}' '${file('staging.db')}'`);
  for (const path of [scene.directory, scene.database]) asOwner(`cp -a '${file('kept-')}${basename(path)}' '${path}'`);
});

const file = (name: string): string => join(scene.user.home, name);
const asOwner = (command: string): string =>
  execFileSync('su', ['-s', '/bin/sh', scene.user.name, '-c', command], { encoding: 'utf8' });
const sql = (...statements: string[]): void => {
  asOwner(`sqlite3 -bail '${scene.database}' ${statements.map((one) => `"${one}"`).join(' ')}`);
};
const rows = (): string => sqlite3(scene.database, 'SELECT group_concat(n) FROM t').trim();
const log = (): string[] => (existsSync(file('log')) ? readFileSync(file('log'), 'utf8').trim().split('\n') : []);
const said = (text: string): string => `echo ${text} >> '${file('log')}'`;
const restore = (inputs: Inputs = {}): Promise<ActionResult> =>
  scene.run({ command: 'restore', confirm: 'app.db', ...inputs });
const warnings = (result: ActionResult): string[] =>
  result.annotations.filter(({ level }) => level === 'warning').map(({ message }) => message);

describe('a restore that was cut off', () => {
  const staging = (): Inputs => ({
    'restore-to': file('staging.db'),
    confirm: 'staging.db',
    'allow-other-target': 'true',
  });

  test('into another database: backups of this one go on and tell of it, and the same restore finishes it', async () => {
    const { journal, clean } = await lostInCheck(scene, staging());
    for (const inputs of [{}, { command: 'prune' }] as Inputs[]) {
      const result = await scene.run(inputs);
      expect(result.code).toBe(0);
      expect(warnings(result)).toEqual([
        expect.stringMatching(/into \S*staging\.db was cut off .*about another database, so this run goes on/s),
      ]);
      expect(journals(scene.directory)).toEqual([journal]);
    }
    const result = await restore(staging());
    expect(result.outputs['restore-outcome']).toBe('restored');
    expect(journals(scene.directory)).toEqual([]);
    await clean();
    expect(await leftOnHost(scene)).toEqual([]);
  });

  test('the same under another name of the file: it is that database, and is finished', async () => {
    const alias = file('alias.db');
    symlinkSync(scene.database, alias);
    try {
      const { clean } = await lostInCheck(scene, { confirm: 'app.db' });
      const result = await scene.run({ database: alias, name: 'app' });
      expectBackup(result);
      expect(warnings(result)[0]).toMatch(/was cut off .*the database is the restored one/s);
      expect(journals(scene.directory)).toEqual([]);
      await clean();
    } finally {
      rmSync(alias);
    }
  });

  test('settle-unfinished puts its journal aside, when nobody can finish it, and touches nothing else', async () => {
    const { journal, clean } = await lostInCheck(scene, staging());
    const before = readFileSync(join(scene.directory, '.work', journal), 'utf8');
    const result = await scene.run({ 'settle-unfinished': 'true' });
    expectBackup(result);
    expect(warnings(result)).toEqual([
      expect.stringMatching(/put aside as \.work\/settled-restore-app-.*Check whether \S*staging\.db is in the state/s),
    ]);
    expect(readFileSync(join(scene.directory, '.work', `settled-${journal}`), 'utf8')).toBe(before);
    expect(warnings(await scene.run())).toEqual([]);
    await clean();
  });

  test.each([
    ['an empty journal', ''],
    ['another one that can not be read', '{"schema":2}'],
  ])('%s: E_UNFINISHED says what settles it, from the runner', async (_, text) => {
    const journal = 'restore-app-20261120T101500Z-7f3a';
    asOwner(`printf %s '${text}' > '${join(scene.directory, '.work', journal)}'`);
    const files = scene.files();
    expectFailure(
      await scene.run(),
      'E_UNFINISHED',
      `its journal ${journal} cannot be read`,
      'settle-unfinished: true',
      'Nothing was kept',
    );
    expect(scene.files().filter((name) => name !== 'status.json')).toEqual(
      files.filter((name) => name !== 'status.json'),
    );
    expectBackup(await scene.run({ 'settle-unfinished': 'true' }));
    expectBackup(await scene.run());
    expect(rows()).toBe('1,2,3,4');
  });

  test('a file that only looks like a journal holds nobody up', async () => {
    writeFileSync(join(scene.directory, '.work', 'restore-app- aaaaaaaTbbbbbbZ-cccc'), '');
    expectBackup(await scene.run());
  });

  test('of another series whose name begins the same: nobody is held up', async () => {
    writeFileSync(join(scene.directory, '.work', 'restore-app-staging-20261120T101500Z-7f3a'), '');
    const result = await scene.run();
    expectBackup(result);
    expect(warnings(result)).toEqual([]);
  });
});

describe('a command of the user', () => {
  test('that does not end is ended and has failed: the check is rolled back, and ran once', async () => {
    const result = await restore({ 'command-timeout': '2s', 'check-command': `${said('check')}; sleep 601` });
    expectFailure(result, 'E_ROLLED_BACK', 'check-command did not end within 2 s (command-timeout), and was stopped');
    expect(result.outputs['restore-outcome']).toBe('rolled-back');
    expect(rows()).toBe('1,2,3,4');
    expect(await leftOnHost(scene)).toEqual([]);
    expectBackup(await scene.run());
    expect(log()).toEqual(['check']);
  });

  test('may take longer than idle-timeout, in silence', async () => {
    const result = await restore({ 'idle-timeout': '2s', 'check-command': 'sleep 5' });
    expect(result.outputs['restore-outcome']).toBe('restored');
  });

  test('start-command that does not end: the old state is back, and no later run starts it again', async () => {
    const result = await restore({
      'command-timeout': '2s',
      'stop-command': said('stop'),
      'start-command': `${said('start')}; sleep 602`,
    });
    expect(result.outputs).toMatchObject({ 'error-code': 'E_ROLLED_BACK', 'restore-outcome': 'rolled-back' });
    expect(result.visible).toMatch(
      /start-command did not end within 2 s .*Start long-running programs in the background/,
    );
    expect(rows()).toBe('1,2,3,4');
    const ran = ['stop', 'start', 'stop', 'start'];
    expect(log()).toEqual(ran);
    const next = await restore();
    expect(next.outputs['restore-outcome']).toBe('restored');
    expect(await leftOnHost(scene)).toEqual([]);
    expect(log()).toEqual(ran);
  });

  test('a check that hangs in a run that is lost: one later run tries it once more, for as long as it may take', async () => {
    const action = scene.start({
      ...{ command: 'restore', confirm: 'app.db', 'command-timeout': '4s' },
      'check-command': `${said('check')}; echo checking; sleep 603`,
    });
    await action.line(/^ {2}checking/);
    action.kill('SIGKILL');
    const lost = await action.result(); // post is such a run
    expect(warnings(lost).join()).toMatch(
      /check-command did not end within 4 s .*To undo it, restore its safety backup app-/,
    );
    expect(warnings(await scene.run())).toEqual([]);
    expect(log()).toEqual(['check', 'check']);
    expect(rows()).toBe('1,2,3');
  });

  test('after-restore-command that was cut off: the next run says so, and keeps what was replaced', async () => {
    const action = scene.start({
      ...{ command: 'restore', confirm: 'app.db' },
      'after-restore-command': `${said('migrate')}; echo migrating; sleep 605`,
      'check-command': said('check'),
    });
    await action.line(/^ {2}migrating/);
    action.kill('SIGKILL');
    expect(warnings(await action.result()).join()).toMatch(
      /after-restore-command was started, did not finish, and is not run again\. To undo it, restore its safety backup app-/,
    );
    expect(log()).toEqual(['migrate']);
    expectBackup(await scene.run());
  });

  test('has the signals of any program: also what is started when the run is lost', async () => {
    // of a program of its own: a shell lets what it starts in the background ignore some
    const signals = (name: string): string => `grep SigIgn /proc/self/status >> '${file('log')}'; echo ${name}`;
    const result = await restore({
      'stop-command': signals('stop'),
      'start-command': signals('start'),
      'check-command': signals('check'),
    });
    expect(result.outputs['restore-outcome']).toBe('restored');
    const action = scene.start({
      ...{ command: 'restore', confirm: 'app.db' },
      'stop-command': 'echo stopped; sleep 604',
      'start-command': signals('start'),
    });
    await action.line(/^ {2}stopped/);
    action.kill('SIGKILL');
    await action.result();
    await until(() => log().length === 4);
    const ignored = log().map((line) => BigInt(`0x${line.split('\t')[1]}`));
    const [hup, int, quit, pipe, term] = [1n, 2n, 3n, 13n, 15n].map((signal) => 1n << (signal - 1n));
    for (const mask of ignored)
      expect(mask & ((hup ?? 0n) | (int ?? 0n) | (quit ?? 0n) | (pipe ?? 0n) | (term ?? 0n))).toBe(0n);
  });

  test('start-command goes on when the run is lost in the middle of it, and is not begun again', async () => {
    const action = scene.start({
      ...{ command: 'restore', confirm: 'app.db' },
      'stop-command': said('stop'),
      'start-command': `${said('start')}; echo starting; sleep 4; ${said('started')}`,
    });
    await action.line(/^ {2}starting/);
    action.kill('SIGKILL');
    await action.result();
    await until(() => log().length === 3);
    expectBackup(await scene.run());
    expect(log()).toEqual(['stop', 'start', 'started']);
  });
});
