import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The path below the folder that all test files of one run share; it goes with the run. */
export function pathForAll(name: string): string {
  process.env.TEST_FOLDER ??= ownFolder();
  return join(process.env.TEST_FOLDER, name);
}

/** Outside of jest (the demonstration, the benchmark) nobody has made one. */
function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-once-'));
  chmodSync(folder, 0o755); // the user of the servers has to get through
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What `make` makes at a path, made by the first test file that asks and only read by all; resolves to where it is. */
export async function madeOnce(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const [path, lock, unfinished] = [pathForAll(name), pathForAll(`${name}.lock`), pathForAll(`${name}.unfinished`)];
  for (; !existsSync(path); await sleep(20)) {
    try {
      mkdirSync(lock);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw error;
    }
    try {
      if (!existsSync(path)) {
        await make(unfinished);
        renameSync(unfinished, path);
      }
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
      rmdirSync(lock);
    }
  }
  return path;
}
