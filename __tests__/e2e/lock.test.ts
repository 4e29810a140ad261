import { chownSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { backupsIn, nothingLeft } from '../helpers/outcome.js';
import { processTree } from '../helpers/processes.js';
import type { RunningAction } from '../helpers/run-action.js';
import { SWEEP } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { SeededDirectory } from '../helpers/seed.js';
import { type SlowTools, slowTools } from '../helpers/slow-tools.js';

const HOLDER =
  /backup (app-\d{8}T\d{6}Z-[0-9a-f]{4}) of https:\/\/github\.com\/owner\/repo\/actions\/runs\/1 \(octocat\), since 20\d\d-\d\d-\d\dT[\d:.]+Z/;

describe.each([
  ['with flock', [], SWEEP ? 20 : 8],
  ['without flock', ['flock'], SWEEP ? 8 : 5],
])('the lock of a directory, on a host %s', (_host, missing, together) => {
  let scene: Scene;
  let slow: SlowTools;
  let count = 0;
  beforeAll(async () => {
    slow = slowTools(['sha256sum']);
    const wrapper = missing.length === 0 ? {} : { wrapper: withoutCommands(missing) };
    scene = await startScene({ sshd: { extraConfig: slow.config, ...wrapper } });
  });
  afterAll(async () => {
    await scene.stop();
    slow.remove();
  });

  const fresh = () => new SeededDirectory(scene, join(scene.user.home, `backups-${++count}`));

  /** A run that has the lock, and keeps it until `slow.fast()`. */
  async function holding(directory: string): Promise<RunningAction> {
    slow.delay('sha256sum', 60);
    const run = scene.start({ directory });
    await run.line(/^content check: /);
    return run;
  }

  test('a second run, also of another name, says for whom it waits, and then does its work', async () => {
    const { path } = fresh();
    const first = await holding(path);
    const second = scene.start({ directory: path, name: 'shop' });
    const waiting = await second.line(/waiting for the lock, which another run holds/);
    const holder = HOLDER.exec(waiting)?.[1] ?? '';
    slow.fast();
    await second.line(/^copy: /);
    expect(Object.keys(backupsIn(path))).toContain(`${holder}.json`);
    expect(expectBackup(await first.result())).toBe(holder);
    expect(expectBackup(await second.result())).toMatch(/^shop-/);
    await nothingLeft(scene);
  });

  test('one that does not get it within lock-wait says who has it and since when, and leaves it be', async () => {
    const { path } = fresh();
    const first = await holding(path);
    const before = backupsIn(path);
    const commands = ['backup', 'prune'];
    const all = commands.map((command) => scene.run({ directory: path, command, 'lock-wait': '1s' }));
    for (const [index, failed] of (await Promise.all(all)).entries()) {
      const message = expectFailure(failed, 'E_LOCKED', 'another run holds the lock', HOLDER, 'waited 1 s (lock-wait)');
      expect(message).toContain('raise `lock-wait`');
      expect(reportOf(failed)).toMatchObject({ command: commands[index], backup: null, deleted: 0 });
      expect(backupsIn(path)).toEqual(before);
    }
    const dry = await scene.run({ directory: path, 'dry-run': 'true' });
    expect(reportOf(dry).checked.find(({ what }) => what === 'Lock of the directory')?.found).toMatch(
      new RegExp(`^held by ${HOLDER.source}; a backup would wait 1 min for it$`),
    );
    // reading needs no lock
    expect((await scene.run({ directory: path, command: 'list' })).code).toBe(0);
    slow.fast();
    const id = expectBackup(await first.result());
    expect(JSON.parse(readFileSync(join(path, 'status.json'), 'utf8'))).toMatchObject({ ok: true, backup: { id } });
    await nothingLeft(scene);
  });

  test('waiting for it is not idling', async () => {
    const { path } = fresh();
    const first = await holding(path);
    const second = scene.start({ directory: path, 'idle-timeout': '2s' });
    await second.line(/waiting for the lock, which another run holds/);
    await sleep(4000);
    slow.fast();
    expectBackup(await second.result());
    expectBackup(await first.result());
  });

  test('it ends with its holder, killed in the middle', async () => {
    const dir = fresh();
    expectBackup(await scene.run({ directory: dir.path }));
    const before = backupsIn(dir.path);
    const first = await holding(dir.path);
    const shells = scene.processes().filter(({ command, cwd }) => command === 'sh -s' && cwd === dir.path);
    const shell = shells.find(({ pid }) => processTree(pid).length > shells.length)?.pid ?? 0;
    expect(shell).toBeGreaterThan(0);
    process.kill(shell, 'SIGKILL');
    slow.fast();
    const next = await scene.run({ directory: dir.path, 'lock-wait': '15s' });
    const id = expectBackup(next);
    const failed = await first.result();
    expectFailure(failed, 'E_REMOTE_LOST');
    expect(backupsIn(dir.path)).toMatchObject(before);
    expect(dir.names().filter((name) => name.endsWith('.json'))).toContain(`${id}.json`);
    expect(dir.names()).toHaveLength(6);
    await nothingLeft(scene);
  });

  test('what a dead holder wrote is no obstacle', async () => {
    // no such process, and a process of today with the number of one of yesterday
    const deadHolders = missing.length === 0 ? [''] : ['999999 1 boot', `${process.pid} 1 boot`];
    const results = deadHolders.map((dead) => {
      const dir = fresh();
      mkdirSync(join(dir.path, '.work'), { mode: 0o700 });
      dir.write('.work/holder', 'backup app of nobody, since long ago\n');
      dir.write('.work/lock', '');
      if (dead !== '') symlinkSync(dead, join(dir.path, '.work', 'held'));
      chownSync(join(dir.path, '.work'), scene.user.uid, scene.user.gid);
      return scene.run({ directory: dir.path, 'lock-wait': '1s' });
    });
    for (const result of await Promise.all(results)) {
      expectBackup(result);
      expect(result.visible).not.toContain('waiting');
    }
  });

  test(`${together} at once: all succeed, one after the other`, async () => {
    const dir = fresh();
    const runs = Array.from({ length: together }, (_, index) =>
      scene.run({ directory: dir.path, 'lock-wait': '3m', keep: '50', name: index % 4 === 3 ? 'shop' : 'app' }),
    );
    const results = await Promise.all(runs);
    const ids = results.map(expectBackup);
    expect(new Set(ids).size).toBe(together);
    expect(dir.names()).toEqual(
      ids.flatMap((id) => [`${id}.json`, `${id}.sqlite.zst`, `${id}.sqlite.zst.sha256`]).sort(),
    );
    // each saw what was there before it, so that the counts are those of a queue
    const kept = results.filter((_, index) => index % 4 !== 3).map((result) => Number(result.outputs.kept));
    expect(kept.sort((a, b) => a - b)).toEqual(kept.map((_, index) => index + 1));
    const list = await scene.run({ directory: dir.path, command: 'list' });
    expect(reportOf(list).backups.map(({ state }) => state)).toEqual(kept.map(() => 'ok'));
    expect(reportOf(list).problems).toEqual([]);
    await nothingLeft(scene);
  }, 180_000);
});
