import { BackupError } from '../errors.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { Connection } from './connect.js';
import type { Run } from './run.js';

/** The inputs that hold commands of the user. */
export type CommandInput = 'stop-command' | 'start-command' | 'after-restore-command' | 'check-command';

/** Runs a command of the user on the host, its output in the log. Throws E_HOOK when it fails. */
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
  throw new BackupError(
    'E_HOOK',
    `${input} ended with status ${quoteOutside(status, 10)}${last === undefined ? ', and said nothing' : `; it said last: ${quoteOutside(last, 200)}`}`,
    `The log has its output, under "${input}".`,
  );
}
