import { BackupError } from '../errors.js';
import type { Host, Shell } from './host.js';

/**
 * A session beside that of the program, for bytes of a backup. `otherwise` is what to do where the host allows one only. Throws E_SHELL.
 */
export async function openSecond(host: Host, otherwise: string): Promise<Shell> {
  try {
    return await host.openShell();
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'E_SHELL') throw error;
    throw new BackupError(
      'E_SHELL',
      `reading or writing the backup needs a second session on the connection, and ${error.message}`,
      `Allow two sessions per connection in sshd_config of the host (\`MaxSessions 2\` or more), or ${otherwise}`,
    );
  }
}
