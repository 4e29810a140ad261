const COREUTILS = ['dd', 'df', 'mkfifo', 'mktemp', 'sha256sum', 'tee', 'wc'];
/** Packages of the same name everywhere. */
const TOOLS = {
  ...Object.fromEntries(COREUTILS.map((tool) => [tool, 'coreutils'])),
  ...{ awk: 'gawk', cmp: 'diffutils', xargs: 'findutils' },
};

/** Systems by the names in /etc/os-release (`ID` and `ID_LIKE`): how to install, and packages that are not called as their tool. */
const SYSTEMS: [system: RegExp, install: string, packages: Record<string, string>][] = [
  [/\b(debian|ubuntu)\b/, 'sudo apt-get install -y', TOOLS],
  [/\balpine\b/, 'apk add', { ...TOOLS, sqlite3: 'sqlite' }],
  [
    /\b(fedora|rhel|centos|amzn)\b/,
    'sudo dnf install -y',
    { ...TOOLS, sqlite3: 'sqlite', 'postgresql-client': 'postgresql' },
  ],
  [
    /\b(suse|opensuse)\b/,
    'sudo zypper install -y',
    { ...TOOLS, sqlite3: 'sqlite3', 'postgresql-client': 'postgresql' },
  ],
  [/\barch\b/, 'sudo pacman -S', { ...TOOLS, sqlite3: 'sqlite', 'postgresql-client': 'postgresql' }],
];

/** The line that installs a tool on that system; `system` is `ID ID_LIKE` of /etc/os-release. */
export function installLine(tool: string, system: string): string {
  const [, install, packages] = SYSTEMS.find(([pattern]) => pattern.test(system)) ?? [];
  if (install === undefined) return `install ${tool} with the package manager of the host`;
  return `${install} ${packages?.[tool] ?? tool}`;
}
