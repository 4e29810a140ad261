import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionResult } from './run-action.js';
import type { Scene } from './scene.js';

/** What runs tell in a backup directory beside its backups. */
export const TOLD = ['.work', 'status.json', 'history.jsonl'];

/** SHA-256 of each file in a folder by name, without what runs tell there. */
export function hashes(directory: string): Record<string, string> {
  const names = readdirSync(directory).filter((name) => !TOLD.includes(name));
  return Object.fromEntries(names.sort().map((name) => [name, sha256(join(directory, name))]));
}

export const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/**
 * What must not be there after a run that did not succeed, as a list of sentences; empty when all is well. Every final name
 * belongs to a backup that is complete and proven (a run may die right after it published), and those of `before` are as they were.
 */
export function wrongIn(directory: string, before: Record<string, string>): string[] {
  const wrong: string[] = [];
  const now = hashes(directory);
  for (const [name, hash] of Object.entries(before)) {
    if (now[name] !== hash)
      wrong.push(`${name} of an earlier backup ${now[name] === undefined ? 'is gone' : 'has changed'}`);
  }
  for (const name of Object.keys(now)) {
    const id = name.replace(/\.(json|sqlite.*)$/, '');
    const needed = [`${id}.json`, `${id}.sqlite.zst`, `${id}.sqlite.zst.sha256`];
    const missing = needed.filter((file) => now[file] === undefined);
    if (!needed.includes(name) || missing.length > 0) wrong.push(`${name} is there without ${missing.join(', ')}`);
    else if (name.endsWith('.json') && before[name] === undefined) wrong.push(...unproven(directory, id));
  }
  return wrong;
}

function unproven(directory: string, id: string): string[] {
  const manifest = JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')) as { file: string; sha256: string };
  if (manifest.sha256 !== sha256(join(directory, manifest.file)))
    return [`${id} has another SHA-256 than its manifest`];
  try {
    execFileSync('sha256sum', ['-c', '--quiet', `${manifest.file}.sha256`], { cwd: directory, stdio: 'pipe' });
    execFileSync('zstd', ['-q', '-t', manifest.file], { cwd: directory, stdio: 'pipe' });
    return [];
  } catch (error) {
    return [`${id}: ${String(error)}`];
  }
}

/** Waits at most `ms`, and returns what is still left on the host: processes, work folders, a lock; empty when nothing is. */
export async function leftOnHost(scene: Scene, directory = scene.directory, ms = 15_000): Promise<string[]> {
  for (const end = Date.now() + ms; ; await sleep(100)) {
    const left = [
      ...scene.processes().map(({ pid, command }) => `process ${pid}: ${command.slice(0, 200)}`),
      ...workOf(directory).map((name) => `.work/${name}`),
      ...(isLocked(directory) ? ['the lock is held'] : []),
    ];
    if (left.length === 0 || Date.now() > end) return left;
  }
}

/** What lies in the work folder but the lock. */
export function workOf(directory: string): string[] {
  const work = join(directory, '.work');
  return existsSync(work) ? readdirSync(work).filter((name) => !['lock', 'holder'].includes(name)) : [];
}

export function isLocked(directory: string): boolean {
  const lock = join(directory, '.work', 'lock');
  return existsSync(lock) && spawnSync('flock', ['-n', lock, 'true']).status !== 0;
}

/** What every failed run tells. */
export function told(result: ActionResult): {
  code: number | null;
  backupOk: string | undefined;
  error: string | undefined;
} {
  return { code: result.code, backupOk: result.outputs['backup-ok'], error: result.outputs['error-code'] };
}

export const failedWith = (error: string) => ({ code: 1, backupOk: 'false', error });
