/** PATH_MAX of Linux, in bytes. */
const LONGEST = 4096;

/**
 * Reads a path on the host: absolute, or relative to the home of the login user, which `~/` and `./` stand for as well.
 * Returns it without `.` segments, doubled slashes and a slash at the end; `/` and the home itself are refused.
 *
 * The path arrives quoted, so no shell there would expand `~`. `..` is refused because the checks of owner and mode on the
 * way to a file would not be about the folders that the path spells. Throws an Error whose text is the rule, without the path.
 */
export function parseHostPath(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new Error('expected a path without control characters');
  if (/^~[^/]/.test(text))
    throw new Error('expected a path without "~user": write an absolute path, or "~/" for your own home');
  const segments = text
    .replace(/^~(?=\/|$)/, '.')
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) throw new Error('expected a path without ".." segments');
  if (segments.length === 0) throw new Error('expected a path below "/" or below the home of the login user');
  const path = `${text.startsWith('/') ? '/' : ''}${segments.join('/')}`;
  if (Buffer.byteLength(path) > LONGEST) throw new Error(`expected a path of at most ${LONGEST} bytes`);
  return path;
}

/** The same of a file that the textfile collector of node_exporter reads. */
export function parseMetricsFile(text: string): string {
  if (!/[^/]\.prom$/.test(text)) throw new Error('expected the path of a file that ends in .prom');
  return parseHostPath(text);
}
