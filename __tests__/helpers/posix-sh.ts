import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * The `wrapper` for `startSshd` under which `sh` is this shell, for everything below that sshd: its file lies over that of `sh` in a mount
 * namespace of its own. Needs root.
 */
export function withSh(shell: 'dash' | 'bash' | 'busybox' | 'mksh' | 'ksh93'): string[] {
  const file = realpathSync(execFileSync('sh', ['-c', `command -v ${shell}`], { encoding: 'utf8' }).trim());
  const script = 'mount --bind "$1" "$2"; shift 2; exec "$@"';
  return ['unshare', '-m', 'sh', '-c', script, 'with-sh', file, realpathSync('/bin/sh')];
}

export interface LoginShells {
  dash: string;
  ash: string;
  remove(): void;
}

/** Login shells whose files `withSh` does not cover: a copy of dash, and busybox's ash, which is chosen by its first argument. */
export function ownLoginShells(): LoginShells {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-shells-'));
  chmodSync(folder, 0o755);
  const file = (name: string) => join(folder, name);
  cpSync(realpathSync('/bin/dash'), file('dash'));
  writeFileSync(file('ash'), '#!/bin/busybox ash\nexec /bin/busybox ash "$@"\n', { mode: 0o755 });
  return { dash: file('dash'), ash: file('ash'), remove: () => rmSync(folder, { recursive: true }) };
}
