import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { SshdOptions } from './sshd.js';
import { createUser, type TestUser } from './users.js';

export interface MinimalHost {
  /** The only user who lands in the chroot. */
  user: TestUser;
  /** The chroot directory on the real file system. */
  root: string;
  /** Where a path of the minimal host is on the real file system. */
  resolve(path: string): string;
  /** For `startSshd({ ...host.sshd })`: puts the user into the chroot, and /proc and /dev there. */
  sshd: Required<SshdOptions>;
  /** After `sshd.stop()`. */
  remove(): Promise<void>;
}

/**
 * A host that has nothing but a static busybox, like a bare Alpine: no sqlite3, python3, bash, zstd, gzip of GNU.
 * Needs root and the package busybox-static. /proc and /dev are mounted in the namespace of that sshd alone, so they go with it.
 * Debian's ash prefers its own applets to PATH, so `command -v gzip` says `gzip` there and not `/bin/gzip` as on Alpine.
 */
export async function createMinimalHost(): Promise<MinimalHost> {
  const user = await createUser({ shell: '/bin/sh' });
  // sshd refuses a chroot with a component that others can write, so it can not be in /tmp.
  const root = join('/var/lib', `dbb-host-${randomBytes(4).toString('hex')}`);
  const resolve = (path: string) => join(root, path);
  for (const dir of ['bin', 'etc', 'proc', 'dev', 'usr/bin', 'var'])
    mkdirSync(resolve(dir), { recursive: true, mode: 0o755 });
  for (const dir of ['tmp', 'var/tmp']) {
    mkdirSync(resolve(dir));
    chmodSync(resolve(dir), 0o1777);
  }
  cpSync(realpathSync('/bin/busybox'), resolve('bin/busybox'));
  for (const applet of execFileSync('busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('/bin/busybox', resolve(`bin/${applet}`));
  }
  writeFileSync(
    resolve('etc/passwd'),
    `root:x:0:0:root:/root:/bin/sh\n${user.name}:x:${user.uid}:${user.gid}::${user.home}:/bin/sh\n`,
  );
  writeFileSync(resolve('etc/group'), `root:x:0:\n${user.name}:x:${user.gid}:\n`);
  writeFileSync(
    resolve('etc/os-release'),
    'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n',
  );
  mkdirSync(resolve(user.home), { recursive: true, mode: 0o755 });
  chownSync(resolve(user.home), user.uid, user.gid);
  chmodSync(resolve(user.home), 0o700);

  // The root is bound to itself so that it is a mount point: `df` in the chroot finds none otherwise.
  const mounts =
    'set -e; root=$1; shift; mount --bind "$root" "$root"; mount --rbind /proc "$root/proc"; mount --rbind /dev "$root/dev"; exec "$@"';
  return {
    user,
    root,
    resolve,
    sshd: {
      extraConfig: `Match User ${user.name}\n  ChrootDirectory ${root}\n`,
      wrapper: ['unshare', '-m', 'sh', '-c', mounts, 'minimal-host', root],
    },
    async remove() {
      await user.remove();
      // A mount that leaked out of the namespace would make this delete the machine's /dev: other device, stop.
      for (const dir of [resolve('proc'), resolve('dev')]) {
        if (statSync(dir).dev !== statSync(root).dev)
          throw new Error(`${dir} is still mounted; ${root} was left as it is`);
      }
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/**
 * The `wrapper` for `startSshd` that hides programs, by name, from everything below that sshd: `withoutCommands(['sqlite3'])`.
 * They are really gone there (overlay whiteouts in a mount namespace of its own); a file without the x bit in their place would not
 * do, since `command -v` of bash and busybox finds that too. Nothing is left behind; the directory /mnt is in use meanwhile. Needs root.
 */
export function withoutCommands(commands: string[]): string[] {
  const path = `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${process.env.PATH ?? ''}`;
  const files = new Set<string>();
  for (const dir of new Set(path.split(':'))) {
    for (const command of commands) {
      try {
        const file = join(realpathSync(dir), command);
        statSync(file);
        files.add(file);
      } catch {
        // Not in this directory.
      }
    }
  }
  for (const command of commands) {
    if (![...files].some((file) => basename(file) === command)) throw new Error(`${command} is not on this machine`);
  }
  const hide = [
    'set -e',
    'mount -t tmpfs none /mnt',
    'n=0',
    'while [ "$1" != -- ]; do',
    '  n=$((n + 1)); mkdir "/mnt/$n" "/mnt/$n/upper" "/mnt/$n/work"',
    '  mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/$n/upper,workdir=/mnt/$n/work" "$1"',
    '  shift',
    'done',
    'shift',
    'while [ "$1" != -- ]; do rm "$1"; shift; done',
    'shift',
    'exec "$@"',
  ].join('\n');
  const dirs = new Set([...files].map((file) => dirname(file)));
  return ['unshare', '-m', 'sh', '-c', hide, 'without-commands', ...dirs, '--', ...files, '--'];
}
