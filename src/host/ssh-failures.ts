/** Puts what goes wrong while connecting into words: what happened, to which hop, why, and what to do. */
import { BackupError } from '../errors.js';
import type { SshTarget } from '../settings/settings.js';
import type { HostKeyPolicy } from './known-hosts.js';

/** One SSH connection on the way to the database. */
export interface Hop {
  target: SshTarget;
  /** The bastion, not the host itself. */
  isJump: boolean;
  policy: HostKeyPolicy;
  timeoutMs: number;
}

const CLOSED_AT_ONCE =
  'the other side closed the connection at once: what listens there is no SSH server, or a firewall, fail2ban or MaxStartups of sshd turns this address away';

export const labelOf = (target: SshTarget): string => `${target.username}@${target.host}:${target.port}`;

const placeOf = ({ isJump, target }: Hop): string => `${isJump ? 'the jump host ' : ''}${target.host}:${target.port}`;

/** `seen`: type and fingerprint of each key that the host showed. */
export function hostKeyRefused(hop: Hop, why: string, seen: string[]): BackupError {
  const { host, port } = hop.target;
  const hosts = port === 22 ? host : `[${host}]:${port}`;
  const offered = seen.length === 0 ? 'none of a type that can be checked here' : seen.join(', ');
  return new BackupError(
    'E_HOSTKEY',
    `the host key of ${placeOf(hop)} ${why}. Offered: ${offered}. Compared with ${hop.policy.comparedWith}`,
    `No credential was sent. On that host itself (its console, not this connection) run \`for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf "$k"; done\`. Only when it prints an offered fingerprint, put that into \`fingerprint\`, or the key into \`known-hosts\` as a line that begins with \`${hosts}\` (\`ssh-keyscan -p ${port} ${host}\` prints it); otherwise somebody may stand between.`,
  );
}

/** The connection failed before or in authentication, and the host key was not the reason. */
export function connectFailed(hop: Hop, error: Error): BackupError {
  if (error instanceof BackupError) return error;
  const { target, isJump, timeoutMs } = hop;
  const { level, code } = error as Error & { level?: string; code?: string };
  const where = placeOf(hop);
  if (level === 'client-authentication' || /authentication methods failed/.test(error.message)) {
    return new BackupError(
      'E_AUTH',
      `${where} refused the key of ${target.username} (the host key was right)`,
      `Nothing was run. Add this line to ~${target.username}/.ssh/authorized_keys there, or correct \`${isJump ? 'jump-host' : 'username'}\`: ${target.key.publicLine}`,
      { cause: error },
    );
  }
  const input = isJump ? 'jump-host' : 'host';
  const causes: Record<string, string> = {
    ENOTFOUND: `the name is not known to DNS; check \`${input}\``,
    EAI_AGAIN: `DNS did not answer; check \`${input}\`, and the network of the runner`,
    ECONNREFUSED: `nothing listens on that port; check \`${isJump ? input : 'port'}\`, and that sshd runs`,
    ECONNRESET: CLOSED_AT_ONCE,
    EHOSTUNREACH: 'there is no route to it',
    ENETUNREACH: 'there is no route to it',
  };
  const timedOut = level === 'client-timeout' || code === 'ETIMEDOUT' || /Timed out/.test(error.message);
  const why = timedOut
    ? `no answer within ${timeoutMs / 1000} s (connect-timeout); a firewall drops the packets, or the address is wrong`
    : (causes[code ?? ''] ?? (/before handshake/.test(error.message) ? CLOSED_AT_ONCE : error.message));
  return new BackupError('E_CONNECT', `could not connect to ${where}: ${why}`, undefined, { cause: error });
}

/** `reason` is that of RFC 4254, 5.1: 1 prohibited, 2 connect failed. */
export function forwardFailed(jump: Hop, to: SshTarget, why: string, reason?: number): BackupError {
  const target = `${to.host}:${to.port}`;
  return new BackupError(
    'E_CONNECT',
    reason === 1
      ? `${placeOf(jump)} forbids forwarding to ${target}: ${why}`
      : `${placeOf(jump)} could not connect to ${target}: ${why}`,
    reason === 1
      ? 'Nothing was run. In its sshd_config allow it: `AllowTcpForwarding yes` and no `PermitOpen` or `restrict` that excludes the target.'
      : `Nothing was run. Check \`host\` and \`port\` as the jump host sees them, that sshd runs there, and the firewall between the two.`,
  );
}

export function lostBeforeShell(label: string, why: string | null): BackupError {
  return new BackupError(
    'E_REMOTE_LOST',
    `the connection to ${label} was lost before the session began: ${why ?? 'closed'}`,
  );
}
