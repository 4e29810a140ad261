import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { leftOnHost } from '../helpers/invariants.js';
import { sqlite3, until } from '../helpers/outcome.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { unmount } from '../helpers/unmount.js';

// A backup is on its way from the store to the host, and something ends it. Nothing of it is left, and the live database is as it was.

const MIB = 1_048_576;

let scene: Scene;
let s3: S3Double;
/** In the store, and not on the host, whose disk for backups has 16 MiB. */
let good: string;
beforeAll(async () => {
  [scene, s3] = await Promise.all([startScene({ mb: 6, wal: false }), startS3Double()]);
  good = expectBackup(await scene.run({ ...s3.inputs, compression: 'none' }));
  rmSync(scene.directory, { recursive: true });
  mkdirSync(scene.directory, { mode: 0o700 });
  const options = `size=16m,mode=700,uid=${scene.user.uid},gid=${scene.user.gid}`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', scene.directory]);
});
beforeEach(() => s3.heal());
afterEach(async () => {
  expect(await leftOnHost(scene)).toEqual([]);
  expect(sqlite3(scene.database, 'PRAGMA integrity_check').trim()).toBe('ok');
  expect(readdirSync(scene.directory).filter((name) => name.startsWith('app-'))).toEqual([]);
});
afterAll(async () => {
  await unmount(scene.directory);
  await scene.stop();
  await s3.stop();
});

const inputs = (via: string) => ({
  ...{ command: 'restore', confirm: 'app.db', backup: `s3://shop-backups/app/${good}.sqlite` },
  ...{ ...s3.inputs, 's3-upload-via': via, 'safety-backup': 'false' },
});
const isPayload = ({ method, key }: { method: string; key: string }): boolean =>
  method === 'GET' && key.endsWith('.sqlite');
/** What has come so far. */
const part = (): string => {
  const folder = scene.leftovers().find((name) => name.endsWith('-from'));
  return folder === undefined ? '' : join(scene.directory, '.work', folder, `${good}.sqlite`);
};
const hasCome = (bytes: number) => (): boolean => existsSync(part()) && statSync(part()).size >= bytes;

describe.each(['host', 'runner'])('through the %s', (via) => {
  const stall = (): void => s3.fail(isPayload, { after: 3 * MIB, stays: true }, 1);

  test('the run is cancelled', async () => {
    stall();
    const action = scene.start(inputs(via));
    await until(hasCome(2 * MIB));
    expect(statSync(part()).mode & 0o777).toBe(0o600);
    action.kill('SIGINT');
    expectFailure(await action.result(), 'E_CANCELLED');
  });

  test('the runner is killed', async () => {
    stall();
    const action = scene.start(inputs(via));
    await until(hasCome(2 * MIB));
    action.kill('SIGKILL');
    expect((await action.result()).signal).toBe('SIGKILL');
  });

  test('everything on the host is killed: the next run sweeps', async () => {
    stall();
    const action = scene.start(inputs(via));
    await until(hasCome(2 * MIB));
    for (let round = 0; round < 3; round++) {
      for (const { pid } of scene.processes()) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {} // it was faster
      }
    }
    const result = await action.result();
    expect(result.outputs['error-code']).toBe('E_REMOTE_LOST');
    const next = await scene.run({ command: 'pin', backup: good, pin: 'x' });
    expect(next.outputs['error-code']).toBe('E_NOT_FOUND');
  });

  test('there is no room, or it goes on the way', async () => {
    writeFileSync(join(scene.directory, 'filler'), Buffer.alloc(11 * MIB));
    const before = await scene.run(inputs(via));
    expectFailure(before, 'E_NOSPACE', /are needed \(the file from the store and min-free\)/, scene.directory);

    writeFileSync(join(scene.directory, 'filler'), Buffer.alloc(1 * MIB));
    s3.fail(isPayload, {
      ...{ after: 3 * MIB },
      before: () => writeFileSync(join(scene.directory, 'filler'), Buffer.alloc(11 * MIB)),
    });
    expectFailure(await scene.run(inputs(via)), 'E_NOSPACE', scene.directory, 'What this run had written was removed');
    rmSync(join(scene.directory, 'filler'));
  });
});
