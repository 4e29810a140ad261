import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type EncryptionKeys, makeKeys, PASSPHRASE } from '../helpers/encryption-keys.js';
import { nothingLeft, refused, succeeded } from '../helpers/outcome.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { unmount } from '../helpers/unmount.js';
import { temporaryPathsOf } from '../helpers/users.js';

// Disks that are full: that of the backups in the middle of what is encrypted, and that in memory which gpg's folder would be in.

const MIB = 1 << 20;
const DATABASE_MIB = 8;

let keys: EncryptionKeys;
let scene: Scene;
/** A small file system in memory, as a login has it. */
let runtime: string;
const mounted: string[] = [];

beforeAll(async () => {
  keys = makeKeys();
  scene = await startScene({ transport: 'local', mb: DATABASE_MIB, wal: false });
  // besides the database as much again: the copy fits, and not what is made of it, which is taken for half as large
  mount(scene.directory, 1.5 * DATABASE_MIB + 2.5);
  runtime = join(scene.user.home, 'runtime');
  mount(runtime, 1);
});
afterEach(async () => {
  await nothingLeft(scene);
  expect(temporaryPathsOf(scene.user.uid)).toEqual([]);
});
afterAll(async () => {
  keys?.remove();
  for (const folder of mounted) await unmount(folder);
  await scene?.stop();
});

function mount(folder: string, mib: number): void {
  const { uid, gid } = scene.user;
  mkdirSync(folder);
  const options = `size=${Math.round(mib * 1024)}k,uid=${uid},gid=${gid},mode=700`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  mounted.push(folder);
}

const encrypt = (way: 'age' | 'gpg' | 'passphrase'): Record<string, string> =>
  way === 'passphrase'
    ? { encrypt: 'gpg', 'encryption-passphrase': PASSPHRASE }
    : { encrypt: way, 'encryption-recipients': keys[way].recipient };

describe('the disk of the backups', () => {
  test.each(['age', 'gpg', 'passphrase'] as const)('fills up in the middle, encrypted by %s', async (way) => {
    const message = refused(await scene.run(encrypt(way)), 'E_NOSPACE');
    expect(message).toMatch(/the file system of .* is full: .*Nothing was kept/s);
    expect(scene.files().filter((name) => name !== 'status.json')).toEqual([]);
    expect(statfsSync(scene.directory).bfree).toBeGreaterThan(DATABASE_MIB * (MIB / 4096));
  });
});

test("a full file system in memory is no place for gpg's folder", async () => {
  execFileSync('mount', ['-o', `remount,size=${4 * DATABASE_MIB}m`, scene.directory]);
  const filler = join(runtime, 'filler');
  try {
    writeFileSync(filler, Buffer.alloc(2 * MIB, 1));
  } catch {
    // ENOSPC
  }
  chownSync(filler, scene.user.uid, scene.user.gid);
  for (const way of ['gpg', 'passphrase'] as const) {
    const result = await scene.run(encrypt(way), { XDG_RUNTIME_DIR: runtime });
    expect(scene.manifest(succeeded(result)).encryption).toMatchObject({ method: 'gpg' });
  }
});
