/** Puts what goes wrong while connecting into words: what happened, to which hop, why, and what to do. */
import { BackupError } from '../errors.js';
import type { SshTarget } from '../settings/settings.js';
import { type HostKeyPolicy, nameInFile } from './known-hosts.js';
import type { Offer } from './ssh-offer.js';
import type { KeyProof } from './ssh-proof.js';

/** One SSH connection on the way to the database. */
export interface Hop {
  target: SshTarget;
  /** The bastion, not the host itself. */
  isJump: boolean;
  policy: HostKeyPolicy;
  timeoutMs: number;
}

const CLOSED_AT_ONCE =
  "the other side closed the connection at once: it is not an SSH server, or a firewall, fail2ban or sshd's MaxStartups rejects this address";

export const labelOf = (target: SshTarget): string => `${target.username}@${target.host}:${target.port}`;

const placeOf = ({ isJump, target }: Hop): string => `${isJump ? 'the jump host ' : ''}${target.host}:${target.port}`;

/** `seen`: type and fingerprint of each key that the host showed. */
export function hostKeyRefused(hop: Hop, why: string, seen: string[], offer: Offer): BackupError {
  const { host, port } = hop.target;
  const name = nameInFile(host, port);
  if (offer.signsSha1Alone && seen.length === 0) {
    return new BackupError(
      'E_HOSTKEY',
      `${placeOf(hop)} can prove its host key only with SHA-1 (ssh-rsa), which is no longer secure. Offered: ${offer.hostKeys}. Compared with ${hop.policy.comparedWith}`,
      `Install OpenSSH 7.2 or newer on that host, with \`rsa-sha2-512\` in \`HostKeyAlgorithms\` of its sshd_config. Or give it a key of another type (\`ssh-keygen -A\`, and \`HostKey /etc/ssh/ssh_host_ed25519_key\` in sshd_config), and add that to \`known-hosts\` as a line that begins with \`${name}\`. No credential was sent.`,
    );
  }
  const none = `none of a type that can be checked here${offer.hostKeys === '' ? '' : ` (${offer.hostKeys})`}`;
  const weak = offer.signsSha1Alone ? ', and an RSA key with SHA-1 signatures (ssh-rsa), which are not accepted' : '';
  const offered = `${seen.length === 0 ? none : seen.join(', ')}${weak}`;
  return new BackupError(
    'E_HOSTKEY',
    `the host key of ${placeOf(hop)} ${why}. Offered: ${offered}. Compared with ${hop.policy.comparedWith}`,
    `On that host itself (its console, not this connection), run \`for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf "$k"; done\`. Only if it prints an offered fingerprint, set \`fingerprint\` to \`${name} SHA256:...\`, or add the key to \`known-hosts\` as a line that begins with \`${name}\` (\`ssh-keyscan -p ${port} ${host}\` prints it). Otherwise somebody may be intercepting the connection. No credential was sent.`,
  );
}

/** The connection failed before or in authentication, and the host key was not the reason. */
export function connectFailed(hop: Hop, error: Error, offer: Offer, proof: KeyProof): BackupError {
  if (error instanceof BackupError) return error;
  const { isJump, timeoutMs } = hop;
  const { level, code } = error as Error & { level?: string; code?: string };
  const where = placeOf(hop);
  if (level === 'client-authentication' || /authentication (methods failed|failures)/.test(error.message)) {
    return keyRefused(hop, error, proof);
  }
  const disagreement = offer.disagreement(error.message);
  if (disagreement !== null) {
    return new BackupError(
      'E_CONNECT',
      `could not connect to ${where}: ${disagreement.why}`,
      `In sshd_config of that host, set \`${disagreement.line}\`, then run \`systemctl reload ssh\`. Or install a newer OpenSSH there.`,
      { cause: error },
    );
  }
  const input = isJump ? 'jump-host' : 'host';
  const causes: Record<string, string> = {
    ENOTFOUND: `DNS does not know the name; check \`${input}\``,
    EAI_AGAIN: `DNS did not answer; check \`${input}\`, and the network of the runner`,
    ECONNREFUSED: `nothing listens on that port; check \`${isJump ? input : 'port'}\`, and that sshd is running`,
    ECONNRESET: CLOSED_AT_ONCE,
    EHOSTUNREACH: 'there is no route to it',
    ENETUNREACH: 'there is no route to it',
  };
  const timedOut = level === 'client-timeout' || code === 'ETIMEDOUT' || /Timed out/.test(error.message);
  const why = timedOut
    ? `no answer within ${timeoutMs / 1000} s (connect-timeout); a firewall drops the packets, or the address is wrong`
    : (causes[code ?? ''] ?? (/before handshake/.test(error.message) ? CLOSED_AT_ONCE : error.message));
  // the one of E_CONNECT is about the database as well
  const hint = `Check \`${input}\`${isJump ? '' : ', `port`'} and the firewall; GitHub's runners have changing addresses.`;
  return new BackupError('E_CONNECT', `could not connect to ${where}: ${why}`, hint, { cause: error });
}

/** The host was the right one, and did not let the user in. */
function keyRefused(hop: Hop, cause: Error, { left, isPartial, key }: KeyProof): BackupError {
  const { target, isJump } = hop;
  const { username } = target;
  const where = placeOf(hop);
  const known = left.filter((name) => Object.hasOwn(METHODS, name)).map((name) => METHODS[name]);
  const methods = known.join(' or ') || 'an unknown method';
  const refused = (message: string, hint: string) => new BackupError('E_AUTH', message, hint, { cause });
  if (isPartial) {
    return refused(
      `${where} accepted the key of ${username}, but also asks for a second factor: ${methods}`,
      `Exempt this user in sshd_config of that host: \`Match User ${username}\`, and below it \`AuthenticationMethods publickey\`. Or use a separate user for backups that needs no second factor. A run without a person has only its key.`,
    );
  }
  if (left.length > 0 && !left.includes('publickey')) {
    return refused(
      `${where} does not accept a key from ${username}, only ${methods}`,
      `In sshd_config of that host, set \`PubkeyAuthentication yes\`, also in any \`Match\` block for this user. Then add this line to ~${username}/.ssh/authorized_keys there: ${target.key.publicLine}`,
    );
  }
  const rsa =
    key.type === 'ssh-rsa'
      ? ' If the line is already there, that server may not accept RSA keys (`PubkeyAcceptedAlgorithms`): create an Ed25519 key with `ssh-keygen -t ed25519`.'
      : '';
  return refused(
    `${where} refused the key of ${username} (the host key was correct)`,
    `Add this line to ~${username}/.ssh/authorized_keys there, or correct \`${isJump ? 'jump-host' : 'username'}\`: ${target.key.publicLine}${rsa}`,
  );
}

/** Of RFC 4252 and RFC 4256. A server may name any. */
const METHODS: Record<string, string> = {
  publickey: 'another key',
  password: 'a password',
  'keyboard-interactive': 'an interactive answer, such as a code (keyboard-interactive)',
  hostbased: 'the identity of a known host (hostbased)',
  'gssapi-with-mic': 'a Kerberos ticket (gssapi-with-mic)',
};

/** `reason` is that of RFC 4254, 5.1: 1 prohibited, 2 connect failed. */
export function forwardFailed(jump: Hop, to: SshTarget, why: string, reason?: number): BackupError {
  const target = `${to.host}:${to.port}`;
  return new BackupError(
    'E_CONNECT',
    reason === 1
      ? `${placeOf(jump)} forbids forwarding to ${target}: ${why}`
      : `${placeOf(jump)} could not connect to ${target}: ${why}`,
    reason === 1
      ? 'Allow it in its sshd_config: `AllowTcpForwarding yes`, and no `PermitOpen` or `restrict` that excludes the target.'
      : `Check \`host\` and \`port\` as the jump host sees them, that sshd is running there, and the firewall between the two.`,
  );
}

export function lostBeforeShell(label: string, why: string | null): BackupError {
  return new BackupError(
    'E_REMOTE_LOST',
    `the connection to ${label} was lost before the session began: ${why ?? 'closed'}`,
  );
}
