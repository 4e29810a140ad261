import { open, rm } from 'node:fs/promises';
import { BackupError } from '../errors.js';
import { platform } from '../platform/platform.js';

/**
 * What the command was asked for, byte by byte, into a new file that its user alone can read, or to stdout. False: nobody reads on. Throws
 * E_INPUT, E_NOSPACE, or what `signal` was aborted with, also when nobody reads any more; what had come into the file is then removed.
 */
export async function writeAway(
  bytes: AsyncIterable<Buffer>,
  file: string | null,
  signal: AbortSignal,
): Promise<boolean> {
  if (file === null) return toStdout(bytes, signal);
  const target = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new BackupError('E_INPUT', `output: ${file} cannot be created: ${error.code ?? 'unknown error'}`);
  });
  try {
    for await (const chunk of bytes) await target.writeFile(chunk);
    await target.sync();
    return true;
  } catch (error) {
    await rm(file, { force: true });
    throw full(error, file);
  } finally {
    await target.close();
  }
}

async function toStdout(bytes: AsyncIterable<Buffer>, signal: AbortSignal): Promise<boolean> {
  const hand = platform().byHand;
  if (hand === null) throw new BackupError('E_INTERNAL', 'there is no stdout for rows');
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {}); // it may come when nobody waits
  for await (const chunk of bytes) {
    try {
      await Promise.race([hand.write(chunk), aborted]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false;
      throw full(error, 'stdout');
    }
  }
  return true;
}

function full(error: unknown, where: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new BackupError(
    'E_NOSPACE',
    `the disk is full: the rows do not fit into ${where}`,
    'Free some space, then run again.',
  );
}
