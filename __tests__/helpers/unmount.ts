import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const ENDING_MS = 10_000;

/** Takes a mount away as soon as the processes that are just ending have left it. Throws when one stays. */
export async function unmount(path: string): Promise<void> {
  for (const end = Date.now() + ENDING_MS; ; await sleep(20)) {
    const { status, error, stderr } = spawnSync('umount', [path], { encoding: 'utf8' });
    if (status === 0) return;
    if (error !== undefined || Date.now() > end) throw error ?? new Error(stderr.trim());
  }
}
