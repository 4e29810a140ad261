/** Systems by the names in /etc/os-release (`ID` and `ID_LIKE`): how to install, and packages that are not called as their tool. */
const SYSTEMS: [system: RegExp, install: string, packages: Record<string, string>][] = [
  [/\b(debian|ubuntu)\b/, 'sudo apt-get install -y', {}],
  [/\balpine\b/, 'apk add', { sqlite3: 'sqlite' }],
  [/\b(fedora|rhel|centos|amzn)\b/, 'sudo dnf install -y', { sqlite3: 'sqlite', 'postgresql-client': 'postgresql' }],
  [/\b(suse|opensuse)\b/, 'sudo zypper install -y', { sqlite3: 'sqlite3', 'postgresql-client': 'postgresql' }],
  [/\barch\b/, 'sudo pacman -S', { sqlite3: 'sqlite', 'postgresql-client': 'postgresql' }],
];

/** The line that installs a tool on that system; `system` is `ID ID_LIKE` of /etc/os-release. */
export function installLine(tool: string, system: string): string {
  const [, install, packages] = SYSTEMS.find(([pattern]) => pattern.test(system)) ?? [];
  if (install === undefined) return `install ${tool} with the package manager of the host`;
  return `${install} ${packages?.[tool] ?? tool}`;
}
