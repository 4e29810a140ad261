import { spawn } from 'node:child_process';

/** `await using` it: a holder that is left would keep the tests from ending. */
export interface LockHolder extends AsyncDisposable {
  pid: number;
  /** Ends the holder's process, and with it the lock. */
  release(): Promise<void>;
}

/** A process of the sqlite3 tool, of `user` or of the tests, that has carried out `statements` on a database and stays connected. */
export async function holdLock(
  path: string,
  statements: string,
  user: { uid?: number; gid?: number } = {},
): Promise<LockHolder> {
  const child = spawn('sqlite3', ['-batch', '-init', '/dev/null', '-bail', path], {
    ...{ stdio: ['pipe', 'pipe', 'inherit'], uid: user.uid, gid: user.gid },
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.includes('it is held')) resolve();
    });
    child.once('close', () => reject(new Error(`no lock on ${path}: ${statements}`)));
    child.stdin.write(`${statements}\n.print it is held\n`);
  });
  const release = async () => {
    child.stdin.end();
    await ended;
  };
  return { pid: child.pid ?? 0, release, [Symbol.asyncDispose]: release };
}

/** The lock that stops every reader of a database in rollback mode. */
export const EXCLUSIVE = 'BEGIN EXCLUSIVE;';
