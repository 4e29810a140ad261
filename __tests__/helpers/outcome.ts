import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { hashes } from './invariants.js';
import { leftAfter } from './processes.js';
import type { Scene } from './scene.js';
import { checkInvariant, type Invariant, restorePayload } from './sqlite.js';

export { expectBackup as succeeded, expectFailure as refused } from './failure.js';

/** Everything about a live database that a backup must leave as it is; also which `-wal`, `-shm`, `-journal` lie beside it. */
export interface FileState {
  sha256: string;
  inode: number;
  owner: string;
  mode: number;
  mtimeMs: number;
  beside: string[];
}

export function stateOf(path: string): FileState {
  const { ino, uid, gid, mode, mtimeMs } = statSync(path);
  return {
    sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
    inode: ino,
    owner: `${uid}:${gid}`,
    mode,
    mtimeMs,
    beside: readdirSync(dirname(path)).filter((name) => name.startsWith(basename(path)) && name !== basename(path)),
  };
}

/** Name and bytes of each backup file, so that a test can expect that none has changed. */
export const backupsIn = (directory: string): Record<string, string> =>
  existsSync(directory) ? hashes(directory) : {};

/** Expects that the run left nothing in the work folder and no process. */
export async function nothingLeft(scene: Scene): Promise<void> {
  expect(await leftAfter(() => scene.processes(), 15_000)).toEqual([]);
  expect(scene.leftovers()).toEqual([]);
}

/** Unpacks a backup with the stock tools after `sha256sum -c`, and hands the file to `look`. */
export async function restored<T>(scene: Scene, id: string, look: (path: string) => T | Promise<T>): Promise<T> {
  const { file } = scene.manifest(id);
  execFileSync('sha256sum', ['-c', `${file}.sha256`], { cwd: scene.directory });
  const folder = mkdtempSync(join(tmpdir(), 'dbb-restored-'));
  try {
    await restorePayload(join(scene.directory, file), join(folder, 'app.db'));
    return await look(join(folder, 'app.db'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Expects one committed state in the backup. */
export function committedState(scene: Scene, id: string): Promise<Invariant> {
  return restored(scene, id, checkInvariant);
}

export function sqlite3(path: string, ...statements: string[]): string {
  return execFileSync('sqlite3', ['-batch', '-init', '/dev/null', '-bail', path, ...statements], { encoding: 'utf8' });
}

/** Looks every 20 ms until the condition holds; rejects after `ms`. */
export async function until(condition: () => boolean, ms = 30_000): Promise<void> {
  for (const end = Date.now() + ms; !condition(); await sleep(20)) {
    if (Date.now() > end) throw new Error(`it did not come true in ${ms} ms: ${condition}`);
  }
}

/** The folders that runs of this user on `run-as` have in /var/tmp; other tests make some for other users at the same time. */
export function temporaryFolders(uid: number): string[] {
  return readdirSync('/var/tmp').filter((name) => {
    if (!name.startsWith('db-backup.')) return false;
    return statSync(join('/var/tmp', name), { throwIfNoEntry: false })?.uid === uid;
  });
}

/** Those of them whose run is over. */
export function abandonedFolders(uid: number): string[] {
  return temporaryFolders(uid).filter((name) => {
    const session = join('/var/tmp', name, 'session');
    return existsSync(session) && !existsSync(`/proc/${readFileSync(session, 'utf8').split(' ')[0]}`);
  });
}
