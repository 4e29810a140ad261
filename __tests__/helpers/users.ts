import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { processesOfUser } from './processes.js';

const run = promisify(execFile);

export interface TestUser {
  name: string;
  home: string;
  uid: number;
  gid: number;
  /** Kills what still runs as this user, then deletes the user and the home. */
  remove(): Promise<void>;
}

/** Makes a login user that sshd lets in by key; needs root. `shell` is a path, default `/bin/sh`. */
export async function createUser(options: { shell?: string; name?: string } = {}): Promise<TestUser> {
  const name = options.name ?? `dbb-${randomBytes(4).toString('hex')}`;
  const homes = join(tmpdir(), 'dbb-homes');
  mkdirSync(homes, { recursive: true, mode: 0o755 });
  // Without a password useradd leaves "!" in the shadow file, which sshd without PAM takes for a locked account.
  await withPasswdLock('useradd', ['-m', '-b', homes, '-p', '*', '-s', options.shell ?? '/bin/sh', name]);
  const { stdout } = await run('getent', ['passwd', name]);
  const fields = stdout.trim().split(':');
  const uid = Number(fields[2]);
  return {
    name,
    uid,
    gid: Number(fields[3]),
    home: fields[5] ?? '',
    async remove() {
      for (const { pid } of processesOfUser(uid)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended by itself in between.
        }
      }
      // what was killed has left its temporary folders, and the next user may get this number
      for (const folder of temporaryPathsOf(uid)) rmSync(folder, { recursive: true, force: true });
      await withPasswdLock('userdel', ['-f', '-r', name]);
    },
  };
}

/** The temporary folders of runs on the host that belong to this user, as other tests make and remove theirs. */
export function temporaryPathsOf(uid: number): string[] {
  return ['/tmp', '/var/tmp', '/dev/shm'].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.startsWith('db-backup.'))
      .map((name) => join(folder, name))
      .filter((path) => lstatSync(path, { throwIfNoEntry: false })?.uid === uid),
  );
}

/** Two test files at once may want the lock of /etc/passwd: then these programs give up at once instead of waiting. */
async function withPasswdLock(program: string, args: string[]): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await run(program, args);
      return;
    } catch (error) {
      const { stderr } = error as { stderr?: string };
      // userdel: 12 is "can't remove home directory", which also covers a mail spool that was never there.
      if (program === 'userdel' && (error as { code?: number }).code === 12) return;
      if (attempt === 40 || !/cannot lock|try again later/.test(stderr ?? '')) throw error;
      await sleep(100);
    }
  }
}
