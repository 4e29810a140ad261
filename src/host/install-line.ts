const COREUTILS = ['dd', 'df', 'mkfifo', 'mktemp', 'sha256sum', 'tee', 'wc'];
/** Packages of the same name everywhere. */
const TOOLS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(COREUTILS.map((tool) => [tool, 'coreutils'])),
  ...{ awk: 'gawk', cmp: 'diffutils', xargs: 'findutils', gpg: 'gnupg' },
};

/** Systems by the names in /etc/os-release (`ID` and `ID_LIKE`), and how to install there. */
const SYSTEMS = {
  debian: [/\b(debian|ubuntu)\b/, 'sudo apt-get install -y'],
  alpine: [/\balpine\b/, 'apk add'],
  redhat: [/\b(fedora|rhel|centos|amzn)\b/, 'sudo dnf install -y'],
  suse: [/\b(suse|opensuse)\b/, 'sudo zypper install -y'],
  arch: [/\barch\b/, 'sudo pacman -S'],
} as const satisfies Record<string, readonly [names: RegExp, install: string]>;

type System = keyof typeof SYSTEMS;

/** Packages that are not called as their tool, by tool and system. */
export type Packages = Readonly<Record<string, Readonly<Partial<Record<System, string>>>>>;

/** The line that installs a tool on that system; `system` is `ID ID_LIKE` of /etc/os-release, `packages` are those of an engine. */
export function installLine(tool: string, system: string, packages: Packages = {}): string {
  const name = (Object.keys(SYSTEMS) as System[]).find((one) => SYSTEMS[one][0].test(system));
  if (name === undefined) return `install ${tool} with the package manager of the host`;
  const own = Object.hasOwn(packages, tool) ? packages[tool]?.[name] : undefined;
  return `${SYSTEMS[name][1]} ${own ?? (Object.hasOwn(TOOLS, tool) ? TOOLS[tool] : tool)}`;
}
