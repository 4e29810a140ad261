import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, type Stats, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Account } from './installation.js';

export interface Said {
  /** null: it could not be started, or a signal ended it. */
  status: number | null;
  stdout: Buffer;
  /** For people, without blanks around it. */
  stderr: string;
}

const PATIENCE_MS = 60_000;
/** What these programs get of our variables, in which there may be secrets. */
const PASSED = [
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'TZ', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'DBUS_SESSION_BUS_ADDRESS'],
  ...['SystemRoot', 'ComSpec', 'PATHEXT', 'TEMP', 'TMP'],
];

/** Runs a program of the system; in English, since some of what it says is understood. */
export function call(program: string, args: readonly string[], input?: Buffer): Said {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    ...{ input: input ?? '', timeout: PATIENCE_MS, maxBuffer: 16 << 20 },
    env: { ...Object.fromEntries(PASSED.map((name) => [name, process.env[name]])), LC_ALL: 'C' },
  });
  const said = (stderr ?? Buffer.alloc(0)).toString('utf8').trim();
  return { status, stdout: stdout ?? Buffer.alloc(0), stderr: said || (error === undefined ? '' : error.message) };
}

/** The path of a program; null: it is not there. */
export function programPath(name: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/bin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    if (!folder.startsWith('/')) continue;
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // not there
    }
  }
  return null;
}

export const isRoot = (): boolean => process.getuid?.() === 0;
export const isWindows = (): boolean => process.platform === 'win32';
/** As `sd_booted(3)` says it. */
export const runsSystemd = (): boolean => isFolder('/run/systemd/system');

export function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

/** undefined: it is not there, or not for this user to see. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Whether an account has a home in which it can make files: many a one of a service has none, or that of somebody else. */
export function hasHome({ uid, home }: Account): boolean {
  const found = statOf(home);
  return found?.isDirectory() === true && found.uid === uid && (found.mode & 0o300) === 0o300;
}

/** The one who calls. */
export function caller(): Account {
  const { username, uid, homedir } = userInfo();
  return { name: username, uid, home: homedir };
}

/** An account of this machine; null: there is none of that name. */
export function accountOf(name: string): Account | null {
  const asked = call('getent', ['passwd', '--', name]);
  const lines = asked.status === 0 ? asked.stdout.toString('utf8') : passwd();
  const fields = lines
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name);
  const uid = Number(fields?.[2]);
  return fields === undefined || !Number.isInteger(uid) ? null : { name, uid, home: fields[5] ?? '/' };
}

function passwd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}

/** Those of these paths that this account can not read, as far as that can be found out. */
export function unreadableFor(account: Account, paths: readonly string[]): string[] {
  const isOther = isRoot() && account.uid !== 0;
  const runuser = isOther ? programPath('runuser') : null;
  return paths.filter((path) => {
    if (!isOther) return !isReadable(path);
    return runuser !== null && call(runuser, ['-u', account.name, '--', 'test', '-r', path]).status !== 0;
  });
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** The file, or the folder on the way to it, that somebody else than this account and root can change; null: there is none. */
export function changeableByOthers(path: string, uid: number): string | null {
  const found = statOf(path);
  const isSticky = found !== undefined && (found.mode & 0o1000) !== 0;
  if (found !== undefined && ((found.uid !== 0 && found.uid !== uid) || ((found.mode & 0o002) !== 0 && !isSticky)))
    return path;
  return dirname(path) === path ? null : changeableByOthers(dirname(path), uid);
}
