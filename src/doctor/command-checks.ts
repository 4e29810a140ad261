import { BackupError } from '../errors.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Looked } from '../reporting/report.js';
import type { CommandInput } from '../run/user-command.js';
import type { Checks } from './checks.js';
import type { HostFacts } from './host-checks.js';
import { asksNothing, inSudoers, type PlainCommand, plainCommand } from './sudo-rules.js';

/**
 * Whether the commands of a backup and of a restore could be run: what they begin with is there, and sudo asks for no password. None is run.
 * Resolves to the lines of sudoers that they need.
 */
export async function lookAtCommands(checks: Checks, host: HostFacts): Promise<string[]> {
  const { restore, hooks } = checks.run.settings;
  const { stopCommand, startCommand, afterCommand, checkCommand } = restore;
  const commands: [CommandInput, string | null][] = [
    ['before-command', hooks.before],
    ['after-command', hooks.after],
    ['stop-command', stopCommand],
    ['start-command', startCommand],
    ['after-restore-command', afterCommand],
    ['check-command', checkCommand],
  ];
  const lines: string[] = [];
  for (const [input, text] of commands) {
    if (text === null) continue;
    await checks.probe(input, async () => {
      const command = plainCommand(text);
      if (command === null) {
        return { level: 'skipped', found: 'this is more than one plain command: only a run shows if it works' };
      }
      if (command.sudo === null) return lookAtProgram(checks, command);
      return lookAtSudo(checks, command, host, lines);
    });
  }
  return lines;
}

async function lookAtProgram(checks: Checks, { words }: PlainCommand): Promise<Looked> {
  const [first = ''] = words;
  const facts = await checks.send(['job', 'look_program', [first]]);
  const program = facts.get('program') ?? '';
  if (program !== '') return `${quoteOutside(program, 200)} is there`;
  throw new BackupError(
    'E_HOOK',
    `cannot find an executable program ${first}, neither in the PATH of the login user nor as a path`,
    'Give the full path. Commands get the environment of a login without a terminal.',
  );
}

async function lookAtSudo(
  checks: Checks,
  { sudo, words }: PlainCommand,
  { hello }: HostFacts,
  lines: string[],
): Promise<Looked> {
  const facts = await checks.send(['job', 'look_sudo', [sudo ?? '', ...words]]);
  if (hello.get('uid') === '0') return 'root may run it';
  const program = facts.get('program') ?? '';
  if (!/^\/[\w@%+=:,./-]+$/.test(program)) {
    throw new BackupError(
      'E_HOOK',
      `sudo cannot find ${words[0]} (it looks in /usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin, /bin)`,
      'Give the full path.',
    );
  }
  const [mode = '', owner = ''] = (facts.get('program_owner') ?? '').split(' ');
  if (owner !== '0' || /^.{5}w|^.{8}w/.test(mode)) {
    throw new BackupError(
      'E_HOOK',
      `users other than root can write to ${program}: with this sudo rule, they would become root`,
      `As root: \`chown root ${program}; chmod go-w ${program}\`, and check the directories above it.`,
    );
  }
  const user = userInSudoers(hello.get('user') ?? '', hello.get('uid') ?? '');
  const as = sudo || 'root';
  const line = `${user} ALL=(${as}) NOPASSWD: ${inSudoers([program, ...words.slice(1)])}`;
  lines.push(line);
  const todo = `As root, add this line to /etc/sudoers.d/db-backup (\`visudo -f\`): \`${line}\``;
  const said = quoteOutside(facts.get('sudo_said') ?? '', 300);
  if (facts.get('sudo_status') !== '0') {
    throw new BackupError('E_HOOK', `sudo does not allow ${user} to run it${said === '' ? '' : `: ${said}`}`, todo);
  }
  const free = asksNothing(facts.get('sudo_rules') ?? '', as, program, words);
  if (free === true) return 'sudo runs it without a password';
  if (free === null)
    return { level: 'warning', found: 'sudo allows it, but its list does not show if it asks for a password', todo };
  throw new BackupError('E_HOOK', 'sudo allows it, but asks for a password, which nobody can type', todo);
}

/** A name that sudoers takes as it is, else the number. */
export const userInSudoers = (name: string, uid: string): string =>
  /^[a-z_][a-z0-9_-]*$/i.test(name) ? name : `#${uid}`;
