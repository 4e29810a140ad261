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
      `the bytes of the backup need a second session of the connection, and ${error.message}`,
      `In sshd_config of the host allow two sessions for a connection (\`MaxSessions 2\` or more), or ${otherwise}`,
    );
  }
}
