import { BackupError } from '../errors.js';
import { formatDuration } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Connection } from '../run/connect.js';
import type { Run } from '../run/run.js';

/** The inputs that hold commands of the user. */
export type CommandInput = 'stop-command' | 'start-command' | 'after-restore-command' | 'check-command';

/** Runs a command of the user on the host, its output in the log. Throws E_HOOK when it fails, or does not end in time. */
export async function runUserCommand(
  run: Run,
  connection: Connection,
  input: CommandInput,
  request: Parameters<Connection['send']>[0],
): Promise<void> {
  const facts = await run.log.group(input, () => connection.send(request));
  const status = facts.get('command_status');
  if (status === null || status === '0') return;
  const last = facts.all('said').findLast((line) => line.trim() !== '');
  const said = last === undefined ? ', and said nothing' : `; it said last: ${quoteOutside(last, 200)}`;
  const output = `The log has its output, under "${input}".`;
  if (facts.get('command_late') !== null) {
    const advice =
      input === 'start-command'
        ? ' What is to go on running belongs into the background, as by `systemctl start` or `nohup ... >/dev/null 2>&1 &`.'
        : '';
    throw new BackupError(
      'E_HOOK',
      `${input} did not end within ${formatDuration(facts.number('command_late') * 1000)} (command-timeout), and was ended${said}`,
      `${output}${advice}`,
    );
  }
  if (status === 'none')
    throw new BackupError('E_HOOK', `${input} was begun, and has not come to its end${said}`, output);
  throw new BackupError('E_HOOK', `${input} ended with status ${quoteOutside(status, 10)}${said}`, output);
}
