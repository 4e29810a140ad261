import { expect, test } from '@jest/globals';
import { ENGINES } from '../../src/engines/lookup.js';
import { installLine } from '../../src/host/install-line.js';

const own = Object.assign({}, ...Object.values(ENGINES).map(({ packages }) => packages));

test.each([
  ['sqlite3', 'debian ', 'sudo apt-get install -y sqlite3'],
  ['sqlite3', 'alpine ', 'apk add sqlite'],
  ['sqlite3', 'rocky rhel centos fedora', 'sudo dnf install -y sqlite'],
  ['sqlite3', 'opensuse-leap suse opensuse', 'sudo zypper install -y sqlite3'],
  ['sqlite3', 'manjaro arch', 'sudo pacman -S sqlite'],
  ['postgresql-client', 'ubuntu debian', 'sudo apt-get install -y postgresql-client'],
  ['postgresql-client', 'alpine ', 'apk add postgresql-client'],
  ['postgresql-client', 'amzn fedora', 'sudo dnf install -y postgresql'],
  ['postgresql-client', 'opensuse-leap suse opensuse', 'sudo zypper install -y postgresql'],
  ['postgresql-client', 'arch ', 'sudo pacman -S postgresql'],
  ['sha256sum', 'debian ', 'sudo apt-get install -y coreutils'],
  ['cmp', 'alpine ', 'apk add diffutils'],
  ['zstd', 'arch ', 'sudo pacman -S zstd'],
  ['constructor', 'debian ', 'sudo apt-get install -y constructor'],
  ['sqlite3', ' ', 'install sqlite3 with the package manager of the host'],
])('%s on %j: %s', (tool, system, line) => {
  expect(installLine(tool, system, own)).toBe(line);
});
