import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Debian's place for servers and clients: a directory for each major version. */
const DEBIAN = '/usr/lib/postgresql';

/** Whether the system has a server of this version. */
export const hasSystem = (version: string): boolean => existsSync(join(DEBIAN, version, 'bin', 'initdb'));

/** The newest version that the system has. */
export function systemVersion(): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const newest = versions
    .filter(hasSystem)
    .sort((a, b) => Number(a) - Number(b))
    .at(-1);
  if (newest === undefined) throw new Error(`no server in ${DEBIAN}; install the package postgresql`);
  return newest;
}

/** The directory of the programs of the system, with all clients. */
export function systemPrograms(version = systemVersion()): string {
  return join(DEBIAN, version, 'bin');
}

/**
 * The directory of `postgres` and `initdb` of this version: that of the system, or a copy below the directory, where the system has none,
 * or these files of extensions are to be there as well.
 */
export function serverPrograms(version: string, directory: string, extensions: Record<string, string> = {}): string {
  const system = systemPrograms(version);
  if (!hasSystem(version)) return copyOfPackage(version, directory);
  return Object.keys(extensions).length === 0 ? system : copyOfSystem(version, directory, extensions);
}

/** A server finds its other files by the way from its own place. */
function copyOfSystem(version: string, directory: string, extensions: Record<string, string>): string {
  const [own, share] = [
    join(directory, 'usr', DEBIAN.slice(5), version),
    join(directory, 'usr/share/postgresql', version),
  ];
  mkdirSync(join(own, 'bin'), { recursive: true });
  for (const program of ['postgres', 'initdb'])
    cpSync(join(systemPrograms(version), program), join(own, 'bin', program));
  symlinkSync(join(DEBIAN, version, 'lib'), join(own, 'lib'));
  cpSync(join('/usr/share/postgresql', version), share, { recursive: true });
  for (const [name, text] of Object.entries(extensions)) writeFileSync(join(share, 'extension', name), text);
  return join(own, 'bin');
}

/**
 * Unpacks a server of scripts/postgres-18 below the directory, since its user may not be able to go where we are. The links to its libraries are
 * made here: a package of npm holds none, and the install script that makes them is not run.
 */
function copyOfPackage(version: string, directory: string): string {
  const source = fileURLToPath(
    new URL(`../../scripts/postgres-${version}/node_modules/postgres-${version}/`, import.meta.url),
  );
  if (!existsSync(source)) throw new Error(`there is no PostgreSQL ${version}, neither in ${DEBIAN} nor as ${source}`);
  const target = join(directory, 'program');
  cpSync(join(source, 'native'), join(target, 'native'), { recursive: true, filter: (file) => !file.endsWith('.a') });
  const links = JSON.parse(readFileSync(join(source, 'native/pg-symlinks.json'), 'utf8')) as Record<string, string>[];
  for (const { source: file = '', target: link = '' } of links) symlinkSync(basename(file), join(target, link));
  return join(target, 'native/bin');
}

let owner: { uid: number; gid: number } | undefined;

/** The user whom the Debian package makes: servers refuse root. */
export function ownerOfServers(): { uid: number; gid: number } {
  if (owner === undefined) {
    const fields = execFileSync('getent', ['passwd', 'postgres'], { encoding: 'utf8' }).split(':');
    owner = { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  return owner;
}

/** Nothing of the caller's, whose PG variables would lead elsewhere. */
export function environment(): NodeJS.ProcessEnv {
  return { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8' };
}
