import { dirname } from 'node:path';
import { onCalendar } from './calendar.js';
import { commandOf, type Installation, type Job } from './installation.js';
import { markLine } from './mark.js';

/** Of the system, by root; or of one user, by himself. */
export type Scope = 'system' | 'user';

export interface Unit {
  file: string;
  text: string;
}

/** `db-backup-shop-verify`; of a configuration that is called db-backup.yml just `db-backup-verify`. */
export const unitName = (name: string, job: Job): string =>
  name === 'db-backup' ? `db-backup-${job}` : `db-backup-${name}-${job}`;

/** The service and the timer of each job. Throws an Error whose text is the rule, for a path that no unit can hold. */
export function unitsOf(wanted: Installation, scope: Scope): Unit[] {
  return [...wanted.jobs].flatMap(([job, calendar]) => {
    const name = unitName(wanted.name, job);
    const delay = calendar.unit === 'hours' ? '2min' : '15min';
    const timer = [
      ...['[Unit]', `Description=Timer: ${ABOUT[job]} of ${wanted.name} (db-backup)`, ''],
      ...['[Timer]', `OnCalendar=${onCalendar(calendar)}`],
      '# run what was missed while the machine was off',
      ...['Persistent=true', '# do not start on all machines at once', `RandomizedDelaySec=${delay}`, ''],
      ...['[Install]', 'WantedBy=timers.target', ''],
    ];
    return [
      { file: `${name}.service`, text: marked(wanted, job, serviceOf(wanted, job, scope)) },
      { file: `${name}.timer`, text: marked(wanted, job, timer) },
    ];
  });
}

const ABOUT: Record<Job, string> = {
  backup: 'backup',
  verify: 'verification of the newest backup',
  health: 'health check of the backups',
};

function marked(wanted: Installation, job: Job, lines: readonly string[]): string {
  const text = lines.join('\n');
  return `# ${markLine(wanted, job, text)}\n${text}`;
}

function serviceOf(wanted: Installation, job: Job, scope: Scope): string[] {
  const { name, account, needs } = wanted;
  const isSystem = scope === 'system';
  return [
    ...['[Unit]', `Description=${ABOUT[job]} of ${name} (db-backup)`],
    ...(isSystem ? ['Wants=network-online.target', 'After=network-online.target'] : []),
    ...['', '[Service]', 'Type=oneshot'],
    ...(isSystem ? [`User=${account.name}`] : []),
    `ExecStart=${execLine(commandOf(wanted, job))}`,
    ...needs.credentials.map((one) => `LoadCredential=${one}:%E/credstore/${one}`),
    // each database has its own time-out; this ends what hangs all the same, before it keeps the next day's from running
    ...['UMask=0077', 'TimeoutStartSec=23h', 'TimeoutStopSec=2min', 'KillMode=mixed'],
    ...['Nice=10', 'IOSchedulingClass=best-effort', 'IOSchedulingPriority=7'],
    ...confinement(wanted, scope),
    '',
  ];
}

/** Tested under a real systemd. Not MemoryDenyWriteExecute=: Node can not live with it. */
function confinement({ account, needs, node, cli, config }: Installation, scope: Scope): string[] {
  if (needs.startsOthers) {
    return [
      '# not confined: the configuration has run-as, container or commands of your own, which may need any right',
    ];
  }
  const ofCalls = [
    ...['NoNewPrivileges=yes', 'RestrictRealtime=yes', 'RestrictSUIDSGID=yes', 'LockPersonality=yes'],
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
    ...['SystemCallArchitectures=native', 'SystemCallFilter=@system-service', 'SystemCallErrorNumber=EPERM'],
  ];
  // what is about mounts and capabilities the systemd of a user can not do
  if (scope === 'user') return ofCalls;
  const used = [account.home, dirname(node), dirname(cli), config, ...needs.folders, ...needs.files];
  const isHome = used.some((path) => /^\/(?:home|root|run\/user)(?:\/|$)/.test(path));
  const isTemporary = used.some((path) => /^\/(?:var\/)?tmp(?:\/|$)/.test(path));
  return [
    ...ofCalls,
    `ProtectSystem=strict`,
    `ProtectHome=${isHome ? 'read-only' : 'yes'}`,
    ...(isTemporary ? [] : ['PrivateTmp=yes']),
    ...['PrivateDevices=yes', 'ProtectKernelTunables=yes', 'ProtectKernelModules=yes', 'ProtectKernelLogs=yes'],
    ...['ProtectControlGroups=yes', 'ProtectClock=yes', 'ProtectHostname=yes', 'ProtectProc=invisible'],
    ...['RestrictNamespaces=yes', 'RemoveIPC=yes'],
    // root goes on reading the databases of others
    `CapabilityBoundingSet=${account.uid === 0 ? 'CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER' : ''}`,
    'AmbientCapabilities=',
    // "-": one that is gone is for the run to tell
    ...[...(isTemporary ? ['/tmp', '/var/tmp'] : []), ...needs.folders].map(
      (path) => `ReadWritePaths=${word(`-${path}`)}`,
    ),
  ];
}

/** A command that starts that program with these very words. */
export function execLine([program = '', ...words]: readonly string[]): string {
  if (/[$"'\\\s]/.test(program)) {
    throw new Error(
      `${JSON.stringify(program)} cannot be started by systemd: expected a path without blanks, quotes, "\\" and "$"`,
    );
  }
  return [word(program), ...words.map((one) => word(one).replaceAll('$', '$$$$'))].join(' ');
}

/** One word of a unit: `%` begins a specifier there; within quotes "\" and the quote itself are escaped. */
export function word(text: string): string {
  if (/\p{Cc}|\p{Surrogate}/u.test(text))
    throw new Error(`${JSON.stringify(text)} has control characters, which are not possible in a unit`);
  const escapedText = text.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%');
  return /^[\w./:@%+=,-]+$/.test(text) ? escapedText : `"${escapedText}"`;
}
