import { execFileSync } from 'node:child_process';
import { chownSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft, sqlite3 } from '../helpers/outcome.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { type SlowTools, slowTools } from '../helpers/slow-tools.js';
import { unmount } from '../helpers/unmount.js';

// The disk of the live database is full, or becomes so; the backups are on another one.

const MIB = 1_048_576;

let slow: SlowTools;
let scene: Scene;
let disk: string;
beforeAll(async () => {
  slow = slowTools(['sqlite3']);
  scene = await startScene({ mb: 1, sshd: { extraConfig: slow.config } });
  disk = dirname(scene.database);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=8m,mode=755,uid=${scene.user.uid}`, 'tmpfs', disk]);
  sqlite3(
    scene.database,
    'PRAGMA journal_mode = WAL',
    'CREATE TABLE t (x)',
    'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t SELECT randomblob(10000) FROM n',
  );
  chownSync(scene.database, scene.user.uid, scene.user.gid);
  expectBackup(await scene.run());
  sqlite3(scene.database, 'INSERT INTO t VALUES (1)');
});
afterAll(async () => {
  await unmount(disk);
  await scene.stop();
  slow.remove();
});

const fill = (mib: number): void => writeFileSync(join(disk, 'filler'), Buffer.alloc(mib * MIB));
const inputs = { command: 'restore', confirm: 'app.db' };

async function expectUnchanged(): Promise<void> {
  rmSync(join(disk, 'filler'));
  expect(sqlite3(scene.database, 'PRAGMA integrity_check', 'SELECT count(*) FROM t').trim()).toBe('ok\n201');
  expect(readdirSync(disk).filter((name) => !/^app\.db(-wal|-shm)?$/.test(name))).toEqual([]);
  await nothingLeft(scene);
}

test('there is no room for a second copy: E_NOSPACE before anything is stopped or written', async () => {
  fill(3);
  const result = await scene.run({ ...inputs, 'stop-command': 'touch stopped', 'start-command': 'rm -f stopped' });
  expectFailure(result, 'E_NOSPACE', disk, /the restore needs .* beside .*only .* are free/, /[Nn]othing was changed/);
  expect(result.outputs).toMatchObject({ 'restore-outcome': 'unchanged', 'safety-backup-id': '' });
  expect(readdirSync(scene.user.home)).not.toContain('stopped');
  await expectUnchanged();
});

test('others fill it in the middle of the swap: E_NOSPACE, and the live database is as it was', async () => {
  slow.delay('sqlite3', 0.5);
  const action = scene.start(inputs);
  await action.line(/group::Swap/);
  fill(3.8);
  const result = await action.result();
  slow.fast();
  expectFailure(result, 'E_NOSPACE', 'The live database is as it was');
  expect(result.outputs).toMatchObject({ 'restore-outcome': 'unchanged' });
  await expectUnchanged();
});
