import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft, stateOf } from '../helpers/outcome.js';
import { SWEEP } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, listing, SeededDirectory } from '../helpers/seed.js';
import { unmount } from '../helpers/unmount.js';

let scene: Scene;
let tools: string;
let count = 0;
beforeAll(async () => {
  // a clock that can be set, and a run's PATH that leads to it
  tools = mkdtempSync(join(tmpdir(), 'dbb-clock-'));
  chmodSync(tools, 0o755);
  writeFileSync(
    join(tools, 'date'),
    `#!/bin/sh\nif [ "$*" = +%s ]; then echo $(($(/bin/date +%s) + $(cat ${tools}/offset))); else exec /bin/date "$@"; fi\n`,
  );
  chmodSync(join(tools, 'date'), 0o755);
  setClock(0);
  scene = await startScene({ sshd: { extraConfig: `SetEnv PATH=${tools}:/usr/local/bin:/usr/bin:/bin` } });
});
afterAll(async () => {
  await scene.stop();
  rmSync(tools, { recursive: true });
});

const setClock = (seconds: number) => writeFileSync(join(tools, 'offset'), String(seconds));
const at = (name: string) => join(scene.user.home, name);
const fresh = () => new SeededDirectory(scene, at(`backups-${++count}`));
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const toUser = (path: string) => chownSync(path, scene.user.uid, scene.user.gid);

describe('modes', () => {
  test.each([
    ['077', '700', '600'],
    ['027', '750', '640'],
  ])('umask %s: the directory is %s, files are %s, whatever the account has', async (umask, directory, file) => {
    const path = at(`umask/${umask}`);
    writeFileSync(at('.profile'), 'umask 000\n');
    writeFileSync(at('.bashrc'), 'umask 000\n');
    const id = expectBackup(await scene.run({ directory: path, umask }));
    expect(modeOf(path)).toBe(directory);
    const files = readdirSync(path).filter((name) => name !== '.work');
    expect(files).toEqual([
      ...[`${id}.json`, `${id}.sqlite.zst`, `${id}.sqlite.zst.sha256`],
      ...['history.jsonl', 'status.json'],
    ]);
    for (const name of files) expect([name, modeOf(join(path, name))]).toEqual([name, file]);
    expect(modeOf(join(path, '.work'))).toBe('700');
    expectBackup(await scene.run({ directory: path, umask }));
  });
});

describe('a directory that others can write is E_PERM_UNSAFE, and nothing there is touched', () => {
  const cases: [string, string, (dir: SeededDirectory) => void][] = [
    ['by the group', 'other users can write to it', (dir) => chmodSync(dir.path, 0o770)],
    ['by the world', 'other users can write to it', (dir) => chmodSync(dir.path, 0o707)],
    ['by the world, sticky', 'other users can write to it', (dir) => chmodSync(dir.path, 0o1777)],
    ['as its owner', 'belongs to uid 0', (dir) => execFileSync('chown', ['root:root', dir.path])],
    [
      'in .work',
      '.work has the mode',
      (dir) => {
        mkdirSync(join(dir.path, '.work'));
        toUser(join(dir.path, '.work'));
        chmodSync(join(dir.path, '.work'), 0o777);
      },
    ],
    ['where .work leads to', '.work is a symbolic link', (dir) => symlinkSync('/tmp', join(dir.path, '.work'))],
  ];
  test.each(cases)('%s', async (how, said, make) => {
    const dir = fresh();
    dir.backup(daysAgo(1));
    dir.backup(daysAgo(2));
    chmodSync(dir.path, 0o755);
    make(dir);
    const [before, live] = [listing(dir.path), stateOf(scene.database)];
    const failed = await scene.run({ directory: dir.path, keep: '1' });
    const lines: Record<string, string> = {
      '.work is a symbolic link': 'rm',
    };
    const line = lines[said] ?? 'chmod go-w';
    // what is somebody else's, perhaps the system's, is not handed over
    const fix =
      said === 'belongs to uid 0'
        ? `\`sudo install -d -m 700 -o ${scene.user.name} ${dir.path}/app\`) and set \`directory: ${dir.path}/app\``
        : `\`${line} ${dir.path}`;
    expectFailure(failed, 'E_PERM_UNSAFE', dir.path, said, fix, 'Nothing was kept');
    if (SWEEP || how === 'by the world')
      expectFailure(await scene.run({ directory: dir.path, command: 'prune', keep: '1' }), 'E_PERM_UNSAFE', said);
    expect(listing(dir.path)).toEqual(before);
    expect(stateOf(scene.database)).toEqual(live);
    expect(await nothingRuns()).toBe(true);
  });
});

async function nothingRuns(): Promise<boolean> {
  for (let tries = 0; tries < 100 && scene.processes().length > 0; tries++) await sleep(100);
  return scene.processes().length === 0;
}

describe('a directory that can not be used is E_PERM', () => {
  test('a file in the way, in its place and above', async () => {
    writeFileSync(at('a-file'), 'mine');
    toUser(at('a-file'));
    expectFailure(await scene.run({ directory: 'a-file' }), 'E_PERM', `${at('a-file')} is not a directory`);
    expectFailure(await scene.run({ directory: 'a-file/below' }), 'E_PERM', at('a-file/below'));
    symlinkSync('nowhere', at('dangling'));
    expectFailure(await scene.run({ directory: 'dangling' }), 'E_PERM', `${at('dangling')} is not a directory`);
    expect(readFileSync(at('a-file'), 'utf8')).toBe('mine');
  });

  test('a parent that the user can not write', async () => {
    mkdirSync('/srv/dbb-not-yours', { recursive: true });
    try {
      const failed = await scene.run({ directory: '/srv/dbb-not-yours/backups' });
      expectFailure(
        failed,
        'E_PERM',
        `${scene.user.name} cannot write to /srv/dbb-not-yours/backups`,
        'Permission denied',
        `Run \`sudo install -d -m 700 -o ${scene.user.name} /srv/dbb-not-yours/backups\` on the host, or choose`,
      );
      // The line is one that can be typed, whatever the path is.
      const odd = "/srv/dbb-not-yours/a b/it's";
      const told = expectFailure(await scene.run({ directory: odd, umask: '027' }), 'E_PERM');
      const line = /`sudo (install [^`]*)`/.exec(told)?.[1] ?? '';
      expect(line).toBe(`install -d -m 750 -o ${scene.user.name} '/srv/dbb-not-yours/a b/it'\\''s'`);
      // Nor does a first look promise what a backup can not do.
      expectFailure(
        await scene.run({ directory: odd, 'dry-run': 'true' }),
        'E_PERM',
        `${scene.user.name} cannot write to ${odd}`,
        '`sudo install -d -m 700',
      );
      expect(readdirSync('/srv/dbb-not-yours')).toEqual([]);
      execFileSync('sh', ['-c', line]);
      expectBackup(await scene.run({ directory: odd, umask: '027' }));
    } finally {
      rmSync('/srv/dbb-not-yours', { recursive: true });
    }
  });

  test('one that the user can not enter', async () => {
    const dir = fresh();
    chmodSync(dir.path, 0o000);
    expectFailure(await scene.run({ directory: dir.path }), 'E_PERM', `cannot enter ${dir.path}`, 'sudo install -d');
  });

  test('a file system mounted read-only, whether or not backups are there', async () => {
    const mount = at('read-only');
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=700,uid=${scene.user.uid}`, 'none', mount]);
    try {
      const dir = new SeededDirectory(scene, join(mount, 'backups'));
      const id = expectBackup(await scene.run({ directory: dir.path }));
      execFileSync('mount', ['-o', 'remount,ro', mount]);
      const before = listing(mount);
      expectFailure(await scene.run({ directory: dir.path }), 'E_PERM', dir.path, 'Read-only file system');
      expectFailure(await scene.run({ directory: join(mount, 'new') }), 'E_PERM', 'Read-only file system');
      expectFailure(await scene.run({ directory: dir.path, command: 'delete', backup: id }), 'E_PERM', 'Read-only');
      const list = await scene.run({ directory: dir.path, command: 'list' });
      expect(reportOf(list).backups.map((backup) => backup.id)).toEqual([id]);
      expect(listing(mount)).toEqual(before);
    } finally {
      await unmount(mount);
    }
  });
});

describe('where a directory is', () => {
  test('a symbolic link is resolved once, and shown as what it leads to', async () => {
    const [real, other] = [fresh(), fresh()];
    symlinkSync(real.path, at('link'));
    const result = await scene.run({ directory: 'link' });
    const id = expectBackup(result);
    expect(result.outputs['backup-path']).toBe(join(real.path, `${id}.sqlite.zst`));
    expect(reportOf(result).directory).toBe(real.path);
    expect(reportOf(result).recovery[0]).toContain(`cd '${real.path}'`);

    // led elsewhere in the middle of a run: it stays where it began
    const running = scene.start({ directory: 'link' });
    await running.line(/^copy: /);
    symlinkSync(other.path, at('link.new'));
    renameSync(at('link.new'), at('link'));
    const second = expectBackup(await running.result());
    expect(real.names()).toContain(`${second}.json`);
    expect(listing(other.path)).toEqual({});
  });

  test.each([
    ['relative', 'some where/deep'],
    ['of hostile characters', `-n 'a' "b" $(touch pwned) \`touch pwned\`; touch pwned & * ? [x] \\ %s é 日 ##[x] ::y`],
    ['with a leading dash', '-rf'],
    ['a tilde', '~/tilde'],
  ])('%s: %s', async (_what, directory) => {
    const path = at(directory.replace('~/', ''));
    const result = await scene.run({ directory });
    const id = expectBackup(result);
    expect(existsSync(join(path, `${id}.json`))).toBe(true);
    expect(existsSync(at('pwned')) || existsSync(join(path, 'pwned'))).toBe(false);
    expect(result.outputs['backup-path']).toBe(join(path, `${id}.sqlite.zst`).replace('##[', '## ['));
    expect(reportOf(result).directory).toBe(path);
    // the commands beside the backup work as they are
    execFileSync('sh', ['-c', reportOf(result).recovery[0] ?? 'false'], { stdio: 'pipe' });
    const pruned = await scene.run({ directory, command: 'delete', backup: id });
    expectFailure(pruned, 'E_POLICY', 'is the last verified backup');
  });
});

describe('status.json', () => {
  test('is the report, and no reader ever finds half of one', async () => {
    const dir = fresh();
    const file = join(dir.path, 'status.json');
    let reading = true;
    const seen = new Set<string>();
    const monitor = (async () => {
      for (; reading; await sleep(1)) {
        if (existsSync(file)) seen.add(JSON.parse(readFileSync(file, 'utf8')).errorCode);
      }
    })();
    const good = await scene.run({ directory: dir.path });
    expectBackup(good);
    const ofGood = dir.status();
    const failed = await scene.run({ directory: dir.path, database: '/srv/not/there.db', name: 'app' });
    expectFailure(failed, 'E_SOURCE_MISSING');
    const ofFailed = dir.status();
    await scene.run({ directory: dir.path, command: 'prune' });
    reading = false;
    await monitor;
    expect(seen).toEqual(new Set(['', 'E_SOURCE_MISSING']));
    for (const [status, result] of [
      [ofGood, good],
      [ofFailed, failed],
    ] as const) {
      const { durationMs: _took, stages: _stages, ...report } = reportOf(result);
      expect(status).toMatchObject(report);
      expect(Object.keys(status as object)).toEqual(Object.keys(reportOf(result)));
    }
  });

  test('one that can not be written is told, and takes nothing from the backup', async () => {
    const dir = fresh();
    mkdirSync(join(dir.path, 'status.json'));
    const result = await scene.run({ directory: dir.path });
    expectBackup(result);
    expect(result.visible).toContain(`${dir.path}/status.json could not be written`);
    expect(readdirSync(join(dir.path, 'status.json'))).toEqual([]);
    expect(scene.leftovers()).toEqual([]);
  });
});

describe('the clocks', () => {
  test.each([3600, -3600])('%d s apart: E_CLOCK, and nothing is made', async (offset) => {
    const dir = fresh();
    const id = dir.backup(daysAgo(1));
    dir.backup(daysAgo(2));
    const before = listing(scene.user.home);
    setClock(offset);
    try {
      for (const [directory, inputs] of [
        ['never-made', {}],
        [dir.path, { keep: '1' }],
        [dir.path, { command: 'prune', keep: '1' }],
        [dir.path, { command: 'pin', backup: id, pin: 'why' }],
        [dir.path, { command: 'list' }],
      ] as const) {
        const failed = await scene.run({ directory, ...inputs });
        expectFailure(
          failed,
          'E_CLOCK',
          'the clock of the host says 20',
          /(1 h|59 min \d+ s) apart/,
          'timedatectl',
          /Nothing was (kept|deleted|changed)/,
        );
      }
    } finally {
      setClock(0);
    }
    expect(listing(scene.user.home)).toEqual(before);
    expect(await nothingRuns()).toBe(true);
  });

  test('ten minutes apart are allowed', async () => {
    setClock(-600);
    try {
      expectBackup(await scene.run({ directory: fresh().path }));
    } finally {
      setClock(0);
    }
    await nothingLeft(scene);
  });
});
