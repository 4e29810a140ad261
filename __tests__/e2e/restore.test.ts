import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { isLocked, leftOnHost } from '../helpers/invariants.js';
import { sqlite3 } from '../helpers/outcome.js';
import type { ActionResult } from '../helpers/run-action.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { SeededDirectory } from '../helpers/seed.js';

// The story of the command, with a SQLite database; what each engine does is in restore-sqlite and restore-postgres.

type Inputs = Record<string, string>;

let scene: Scene;
/** A backup with 1, 2, 3 rows in the table t. */
let good: string;
beforeAll(async () => {
  scene = await startScene({ transport: 'local', mb: 1, wal: false });
  asOwner(`rm '${scene.database}'`);
  live('CREATE TABLE t (n)', 'INSERT INTO t VALUES (1), (2), (3)');
  good = expectBackup(await scene.run());
  live('INSERT INTO t VALUES (4)', 'CREATE TABLE newer (n)');
  for (const path of [scene.directory, scene.database]) asOwner(`cp -a '${path}' '${file('kept-')}${basename(path)}'`);
});
afterAll(() => scene.stop());

beforeEach(() => {
  asOwner(`rm -rf '${scene.directory}' '${scene.database}' '${file('log')}' '${file('once')}'`);
  for (const path of [scene.directory, scene.database]) asOwner(`cp -a '${file('kept-')}${basename(path)}' '${path}'`);
});

const file = (name: string): string => join(scene.user.home, name);
const asOwner = (command: string): string =>
  execFileSync('su', ['-s', '/bin/sh', scene.user.name, '-c', command], { encoding: 'utf8' });
const live = (...sql: string[]): void => {
  asOwner(`sqlite3 -bail '${scene.database}' ${sql.map((one) => `"${one}"`).join(' ')}`);
};
/** The numbers of t, and the tables. */
const content = (path = scene.database): string =>
  sqlite3(
    path,
    'SELECT group_concat(n) FROM t',
    "SELECT group_concat(name) FROM sqlite_master WHERE type = 'table'",
  ).trim();
const AT = '2026-11-20T10:15:00Z';
const BEFORE = '1,2,3,4\nt,newer';
const AFTER = '1,2,3\nt';
const log = (): string[] => readFileSync(file('log'), 'utf8').trim().split('\n');
const said = (text: string): string => `echo ${text} >> '${file('log')}'`;
const restore = (inputs: Inputs = {}, env?: Record<string, string>): Promise<ActionResult> =>
  scene.run({ command: 'restore', confirm: 'app.db', ...inputs }, env);
/** Everything that is on the disk of the host. */
const disk = (): string =>
  createHash('sha256')
    .update(readFileSync(scene.database))
    .update(execFileSync('find', [scene.directory, '-printf', '%p %s %T@\n'], { encoding: 'utf8' }))
    .digest('hex');

async function expectRestored(result: ActionResult): Promise<void> {
  expect(result.annotations.filter(({ level }) => level === 'error')).toEqual([]);
  expect({ code: result.code, ...result.outputs }).toMatchObject({
    code: 0,
    'error-code': '',
    'backup-ok': 'false',
    'restore-outcome': 'restored',
    'restore-ms': expect.stringMatching(/^\d+$/),
  });
  expect(await leftOnHost(scene)).toEqual([]);
}

describe('a restore', () => {
  test('of the newest backup: what is newer is gone, and is in the safety backup', async () => {
    const result = await restore();
    await expectRestored(result);
    expect(content()).toBe(AFTER);
    expect(result.outputs['backup-id']).toBe(good);
    const safety = scene.manifest(result.outputs['safety-backup-id'] ?? '');
    expect(safety).toMatchObject({
      reason: 'safety',
      pinned: { reason: `safety backup before the restore of ${good}` },
      verified: { level: 'content' },
      content: {
        tables: [
          { name: 'newer', rows: 0 },
          { name: 't', rows: 4 },
        ],
      },
    });
    expect(result.summary).toContain('✅ Restored');
    expect(result.summary).toContain(safety.id);
    expect(reportOf(result).restore?.plan?.tables).toContainEqual({ name: 't', live: 4, backup: 3 });
    expect(reportOf(result).backups.map(({ id }) => id)).toEqual([safety.id, good]);

    // the state that was left is no `latest`, and can be had again by its id
    await expectRestored(await restore());
    expect(content()).toBe(AFTER);
    const undo = { backup: safety.id, confirm: 'app.db', 'dry-run': 'false' };
    expect(reportOf(result).restore).toMatchObject({ undo, undoNote: null });
    expect(result.summary).toContain('### How to undo this restore\n\n');
    expect(result.summary).toContain(`\n\n\`\`\`yaml\nbackup: ${safety.id}\nconfirm: app.db\ndry-run: false\n\`\`\`\n`);
    expect(result.visible.trimEnd()).toMatch(
      new RegExp(`  backup: ${safety.id}\\n  confirm: app.db\\n  dry-run: false\\n✅ Restored ${good}$`),
    );
    await expectRestored(await restore(undo));
    expect(content()).toBe(BEFORE);
  });

  test('keeps the last three safety backups, and those that a person has pinned', async () => {
    const directory = new SeededDirectory(scene);
    const seeded = ['restore', 'restore', undefined, 'restore'].map((by, nth) =>
      directory.backup(new Date(Date.now() - (9 - nth) * 3_600_000), {
        manifest: { reason: 'safety', pinned: { reason: 'kept', at: AT, ...(by && { by: 'restore' as const }) } },
      }),
    );
    const made = (await restore()).outputs['safety-backup-id'];
    const left = scene.files().filter((name) => name.endsWith('.json') && name !== 'status.json');
    expect(left).toEqual([good, ...seeded.slice(1), made].map((id) => `${id}.json`).sort());
  });

  test('of what a deploy took before it began', async () => {
    const env = {
      GITHUB_REPOSITORY: 'o/r',
      GITHUB_RUN_ID: '1',
      GITHUB_SHA: 'abcdef0123456789',
      GITHUB_EVENT_NAME: 'push',
    };
    const first = expectBackup(await scene.run({}, env));
    live('INSERT INTO t VALUES (5)');
    expectBackup(await scene.run({}, env)); // the deploy was run again
    expectBackup(await scene.run({}, { ...env, GITHUB_EVENT_NAME: 'schedule' }));
    const result = await restore({ backup: 'before-deploy:abcdef01' });
    await expectRestored(result);
    expect(result.outputs['backup-id']).toBe(first);
    expect(content()).toBe(BEFORE);
    expectFailure(await restore({ backup: 'before-deploy:abcdef9' }), 'E_NOT_FOUND', 'commit abcdef9');
  });

  test('into a file that is not there, in folders that are not there, needs neither leave nor a safety backup', async () => {
    const to = file('staging/new/copy.db');
    const result = await restore({ 'restore-to': to, confirm: 'copy.db' });
    await expectRestored(result);
    expect([content(to), content()]).toEqual([AFTER, BEFORE]);
    expect(result.outputs['safety-backup-id']).toBe('');
    expect(reportOf(result).restore?.undo).toBeNull();
    expect(result.summary).not.toContain('How to undo');
    asOwner(`rm -rf '${file('staging')}'`);
  });

  test('into another database needs leave, and backs that one up under its own name', async () => {
    const to = file('other.db');
    asOwner(`sqlite3 '${to}' 'CREATE TABLE mine (x)'`);
    const inputs = { 'restore-to': to, confirm: 'other.db' };
    expectFailure(await restore(inputs), 'E_TARGET_MISMATCH', to, '`allow-other-target: true`');
    const result = await restore({ ...inputs, 'allow-other-target': 'true' });
    await expectRestored(result);
    expect(content(to)).toBe(AFTER);
    expect(result.outputs['safety-backup-id']).toMatch(/^other-/);
    const { undo } = reportOf(result).restore ?? {};
    expect(undo).toMatchObject(inputs);
    await expectRestored(await restore(undo ?? {}));
    expect(execFileSync('sqlite3', [to, '.tables'], { encoding: 'utf8' }).trim()).toBe('mine');
    asOwner(`rm '${to}'`);
  });
});

describe('what is refused before anything is touched', () => {
  test.each([
    ['', 'confirm is empty'],
    ['true', 'confirm is "true"'],
    ['app', 'confirm is "app"'],
  ])('confirm %j: E_CONFIRM', async (confirm, says) => {
    const before = disk();
    const result = await restore({ confirm });
    expectFailure(result, 'E_CONFIRM', says, '"app.db"', 'dry-run: true', 'Nothing was contacted');
    expect(result.visible).not.toContain('connecting to');
    expect(result.outputs['restore-outcome']).toBe('unchanged');
    expect(disk()).toBe(before);
  });

  test.each(['pull_request', 'issue_comment'])('the event %s: E_EVENT', async (event) => {
    const env = { GITHUB_REPOSITORY: 'o/r', GITHUB_RUN_ID: '1', GITHUB_EVENT_NAME: event };
    for (const inputs of [{}, { 'dry-run': 'true' }, { 'allow-event': 'workflow_run' }]) {
      const result = await restore(inputs, env);
      expectFailure(result, 'E_EVENT', event, 'workflow_dispatch', `allow-event: ${event}`, 'Nothing was contacted');
      expect(result.visible).not.toContain('connecting to');
    }
    const allowed = await restore({ 'allow-event': `workflow_run ${event}`, 'dry-run': 'true' }, env);
    expect(allowed.outputs['error-code']).toBe('');
  });

  test('an id that is not there: E_NOT_FOUND, with those that are', async () => {
    const message = expectFailure(await restore({ backup: 'app-20200101T000000Z-0000' }), 'E_NOT_FOUND', good);
    expect(message).toContain('Nothing was restored');
    expect(content()).toBe(BEFORE);
  });

  test('another name than that of the backups: E_NOT_FOUND, with theirs', async () => {
    const message = expectFailure(await restore({ name: 'shop' }), 'E_NOT_FOUND');
    expect(message).toContain('The directory has backups named app: set `name: app`.');
    expect(message).not.toContain('none at all');
  });

  test('a backup of another database: E_TARGET_MISMATCH', async () => {
    const other = file('foreign.db');
    asOwner(`sqlite3 '${other}' 'CREATE TABLE t (n)' 'INSERT INTO t VALUES (9)'`);
    const id = expectBackup(await scene.run({ database: other }));
    expectFailure(await restore({ backup: id }), 'E_TARGET_MISMATCH', id, other);
    expect(content()).toBe(BEFORE);
    await expectRestored(await restore({ backup: id, 'allow-other-target': 'true' }));
    expect(content()).toBe('9\nt');
    asOwner(`rm '${other}'`);
  });
});

test('a dry run changes nothing and tells what would be lost', async () => {
  const before = disk();
  const result = await restore({
    'dry-run': 'true',
    confirm: '',
    'stop-command': said('stopped'),
    'start-command': said('started'),
  });
  expect(result.code).toBe(0);
  expect(disk()).toBe(before);
  expect(existsSync(file('log'))).toBe(false);
  expect(result.outputs['restore-outcome']).toBe('unchanged');
  const plan = reportOf(result).restore?.plan;
  expect(plan).toMatchObject({ state: 'sound', way: 'in-place' });
  expect(plan?.tables).toEqual(
    expect.arrayContaining([
      { name: 't', live: 4, backup: 3 },
      { name: 'newer', live: 0, backup: null },
    ]),
  );
  expect(plan?.commands).toEqual([expect.stringMatching(/^stop-command/), expect.stringMatching(/^start-command/)]);
  expect(result.visible).toMatch(/t: 4 live, 3 in the backup/);
  expect(result.summary).toContain('would be restored');
  // what to type next is what was planned
  const next = { backup: good, confirm: 'app.db', 'dry-run': 'false' };
  expect(reportOf(result).restore?.next).toEqual(next);
  const lines = ['backup: ID', 'confirm: app.db', 'dry-run: false'].map((line) => line.replace('ID', good));
  expect(result.summary).toContain(`\n\n\`\`\`yaml\n${lines.join('\n')}\n\`\`\`\n`);
  expect(result.visible).toContain(`\n  ${lines.join('\n  ')}\n`);
  await expectRestored(await restore(next));
  expect(content()).toBe(AFTER);
});

describe('the commands of the user', () => {
  const commands = (more: Inputs = {}): Inputs => ({
    'stop-command': `${said('stop')}\n${said('stop')}`,
    'after-restore-command': `${said('after')}; sqlite3 '${scene.database}' 'INSERT INTO t VALUES (30)'`,
    'start-command': said('start'),
    'check-command': `${said('check')}; echo "all is well"`,
    ...more,
  });

  test('are run in their order, as the login user, and their output is in the log', async () => {
    const result = await restore(commands({ 'check-command': `${said('check')}; id -un; umask; echo "##[error]x"` }));
    await expectRestored(result);
    expect(log()).toEqual(['stop', 'stop', 'after', 'start', 'check']);
    expect(content()).toBe('1,2,3,30\nt');
    expect(result.visible).toContain(`  ${scene.user.name}\n`);
    expect(result.visible).toMatch(/ {2}0022?\n/);
    expect(result.annotations).toEqual([]);
  });

  test('a check that fails rolls back, and everything is as it was', async () => {
    const result = await restore(
      commands({ 'check-command': `${said('check')}; echo unwell; false; ${said('never')}` }),
    );
    expectRolledBack(result, 'check-command ended with status 1; its last output: unwell');
    expect(result.visible).toContain('If you restored because that database had a fault');
    expect(result.visible).toContain('restore without the check: leave out `check-command`');
    expect(log()).toEqual(['stop', 'stop', 'after', 'start', 'check', 'stop', 'stop', 'start']);
  });

  test.each(['after-restore-command', 'start-command'])('%s that fails rolls back', async (name) => {
    const result = await restore(commands({ [name]: `${said(name)}; exit 7` }));
    const stopped = name === 'start-command' ? 'The application may still be down' : '';
    expectRolledBack(result, `${name} ended with status 7`, stopped);
    expect(result.visible).not.toContain('restore without the check');
  });

  function expectRolledBack(result: ActionResult, why: string, stopped = ''): void {
    const errors = result.annotations.filter(({ level }) => level === 'error').map(({ message }) => message);
    // an application that does not start is told by itself
    expect(errors.map((message) => message.slice(0, 40))).toHaveLength(stopped === '' ? 1 : 2);
    expect(errors.at(-1)).toMatch(/^E_ROLLED_BACK: /);
    expect(errors.at(-1)).toContain(why);
    expect(errors.at(-1)).toContain(stopped);
    expect({ code: result.code, ...result.outputs }).toMatchObject({
      code: 1,
      'error-code': 'E_ROLLED_BACK',
      'restore-outcome': 'rolled-back',
    });
    expect(result.outputs['safety-backup-id']).not.toBe('');
    expect(content()).toBe(BEFORE);
    expect(result.summary).toContain('rolled back');
  }

  test('a stop-command that fails: nothing is restored, and what was stopped is started', async () => {
    const result = await restore(commands({ 'stop-command': `${said('stop')}; exit 3` }));
    expectFailure(result, 'E_HOOK', 'stop-command ended with status 3', 'The live database is as it was');
    expect(result.outputs).toMatchObject({ 'restore-outcome': 'unchanged', 'safety-backup-id': '' });
    expect(log()).toEqual(['stop', 'start']);
    expect(content()).toBe(BEFORE);
  });

  test('a daemon that start-command leaves running does not hold the run', async () => {
    const daemon = `sh -c 'while sleep 1; do echo alive; done' & echo $! > '${file('pid')}'`;
    await restore({ 'start-command': daemon }).then(({ code }) => expect(code).toBe(0));
    const pid = readFileSync(file('pid'), 'utf8').trim();
    expect(execFileSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' })).toMatch(/^[SR]/);
    process.kill(Number(pid));
  });
});

test('no safety backup, no restore: E_SAFETY_BACKUP', async () => {
  const result = await restore({
    'stop-command': `chmod 500 '${scene.directory}'; ${said('stop')}`,
    'start-command': `chmod 700 '${scene.directory}'; ${said('start')}`,
  });
  expectFailure(result, 'E_SAFETY_BACKUP', 'the safety backup failed', 'The live database is as it was');
  expect(result.outputs).toMatchObject({ 'restore-outcome': 'unchanged', 'safety-backup-id': '' });
  expect(content()).toBe(BEFORE);
  expect(log()).toEqual(['stop', 'start']);
});

describe('a run that is cut off', () => {
  const SLOW = 'sleep 30';
  /** Does nothing the second time. */
  const once = (command: string): string => `[ -e '${file('once')}' ] || { touch '${file('once')}'; ${command}; }`;

  async function cut(inputs: Inputs, at: RegExp, signal: NodeJS.Signals): Promise<ActionResult> {
    const action = scene.start({ command: 'restore', confirm: 'app.db', ...inputs });
    await action.line(at);
    await sleep(300);
    action.kill(signal);
    await action.main;
    return action.result();
  }

  test.each(['SIGINT', 'SIGKILL'] as const)('%s while the application is stopped: it is started', async (signal) => {
    const result = await cut(
      { 'stop-command': `${said('stop')}; echo down; ${SLOW}`, 'start-command': said('start') },
      /^ {2}down/,
      signal,
    );
    if (signal === 'SIGINT') expectFailure(result, 'E_CANCELLED', 'The live database is as it was');
    for (const end = Date.now() + 10_000; log().length < 2 && Date.now() < end; ) await sleep(100);
    expect(log().slice(0, 2)).toEqual(['stop', 'start']);
    expect(content()).toBe(BEFORE);
    expect(isLocked(scene.directory)).toBe(false);
    await expectNextRun();
  });

  test('SIGKILL in the check: the restored database stays, and the next run of any command finishes it', async () => {
    const result = await cut({ 'check-command': once(`echo checking; ${SLOW}`) }, /^ {2}checking/, 'SIGKILL');
    expect(content()).toBe(AFTER);
    expect(result.outputs['backup-ok']).not.toBe('true');
    await expectNextRun();
    expect(content()).toBe(AFTER);
  });

  /** The journal was found by post, or is found now; after that a backup is as any. */
  async function expectNextRun(): Promise<void> {
    expectBackup(await scene.run({ keep: '50' }));
    const work = readdirSync(join(scene.directory, '.work'));
    expect(work.filter((name) => !['lock', 'holder'].includes(name))).toEqual([]);
    expect(await leftOnHost(scene)).toEqual([]);
  }
});
