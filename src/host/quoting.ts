import { BackupError } from '../errors.js';

/**
 * Quotes a value as one word of POSIX sh.
 *
 * Only for text that `sh` itself reads on stdin. Never for the command of an SSH exec request: that one is read by the
 * login shell, and fish and csh have other rules for what stands between single quotes (fish executed a value that was
 * crafted for it).
 *
 * Throws E_INPUT for what no shell word can hold byte by byte: NUL, and half of a UTF-16 pair (it would silently
 * arrive as U+FFFD). The message does not repeat the value, which may be a secret.
 */
export function quote(value: string): string {
  if (value.includes('\0')) throw new BackupError('E_INPUT', 'a value for the host holds a NUL character');
  if (/\p{Surrogate}/u.test(value)) throw new BackupError('E_INPUT', 'a value for the host is not valid Unicode');
  return `'${value.replaceAll("'", "'\\''")}'`;
}

/**
 * Writes the call of a shell function of the programs, each argument as one quoted word: `dump_sqlite 'a' 'b'`.
 *
 * The function's name is a constant of this program, so a malformed one is a bug here and a plain Error.
 */
export function call(functionName: string, args: readonly string[]): string {
  if (!/^[a-z_]+$/.test(functionName)) throw new Error(`not the name of a shell function: ${functionName}`);
  return [functionName, ...args.map(quote)].join(' ');
}
