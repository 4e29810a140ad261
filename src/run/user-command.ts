import { BackupError } from '../errors.js';
import { formatDuration } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Connection } from './connect.js';
import type { Run } from './run.js';

/** The inputs that hold commands of the user. */
export type CommandInput =
  | 'before-command'
  | 'after-command'
  | 'stop-command'
  | 'start-command'
  | 'after-restore-command'
  | 'check-command';

/** Runs a command of the user on the host, its output in the log. Throws E_HOOK when it fails, or does not end in time. */
export async function runUserCommand(
  run: Run,
  connection: Connection,
  input: CommandInput,
  request: Parameters<Connection['send']>[0],
): Promise<void> {
  const facts = await run.log.group(input, () => connection.send(request));
  const failure = commandFailure(input, (key) => facts.all(key));
  if (failure !== null) throw failure;
}

/** E_HOOK, when what was told under these keys says that it has failed, or did not end in time. `prefix`: of the keys. */
export function commandFailure(input: CommandInput, told: (key: string) => string[], prefix = ''): BackupError | null {
  const status = told(`${prefix}command_status`).at(-1) ?? '0';
  if (status === '0') return null;
  const last = told(`${prefix}said_last`).at(-1) ?? '';
  const said = last === '' ? ', without any output' : `; its last output: ${quoteOutside(last, 200)}`;
  const output = `See its output in the log, under "${input}".`;
  const late = told(`${prefix}command_late`).at(-1);
  if (late !== undefined) {
    const advice =
      input === 'start-command' || input === 'after-command'
        ? ' Start long-running programs in the background, for example with `systemctl start` or `nohup ... >/dev/null 2>&1 &`.'
        : '';
    return new BackupError(
      'E_HOOK',
      `${input} did not end within ${formatDuration((Number(late) || 0) * 1000)} (command-timeout), and was stopped${said}`,
      `${output}${advice}`,
    );
  }
  if (status === 'none') return new BackupError('E_HOOK', `${input} was started, but did not finish${said}`, output);
  return new BackupError('E_HOOK', `${input} ended with status ${quoteOutside(status, 10)}${said}`, output);
}
