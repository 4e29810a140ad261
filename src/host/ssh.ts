import { connect, type Socket } from 'node:net';
import { type Duplex, PassThrough, type Readable, type Writable } from 'node:stream';
import { NodeSSH } from 'node-ssh';
import ssh2, { type ClientChannel, type ParsedKey } from 'ssh2';
import { BackupError } from '../errors.js';
import type { PrivateKey, SshSettings, SshTarget } from '../settings/settings.js';
import type { Host, Shell, ShellEnd } from './host.js';
import { fingerprint, hostKeyPolicy, keyType, SERVER_HOST_KEY_ALGORITHMS, sharedLines } from './known-hosts.js';
import { connectFailed, forwardFailed, type Hop, hostKeyRefused, labelOf, lostBeforeShell } from './ssh-failures.js';
import { Offer } from './ssh-offer.js';
import { KeyProof } from './ssh-proof.js';

/** Three keepalives of 10 s that stay unanswered: a dead link is noticed within 40 s. */
const KEEPALIVE = { keepaliveInterval: 10_000, keepaliveCountMax: 3 };
const GOODBYE_MS = 1_000;

/** What is left of the output after the exit status. Longer only when an orphan holds the channel open. */
const LAST_WORDS_MS = 3_000;

type Close = () => void;

/**
 * Connects, through the jump host when there is one; on each hop the host key is checked before authentication.
 * Throws E_HOSTKEY, E_CONNECT or E_AUTH. `warn` gets what the user should know about `known-hosts`.
 */
export async function connectSsh(
  settings: SshSettings,
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<Host> {
  const closes: Close[] = [];
  const closeAll: Close = () => {
    for (const close of closes.toReversed()) close();
  };
  const hopTo = (target: SshTarget, isJump: boolean): Hop => {
    const policy = hostKeyPolicy(settings.knownHosts, settings.fingerprints, target.host, target.port);
    for (const warning of policy.warnings) warn(warning);
    return { target, isJump, policy, timeoutMs: settings.connectTimeoutMs };
  };
  // Until there is a session to end; from then on it is the session that ends, and waits for the host to clean up.
  signal.addEventListener('abort', closeAll);
  try {
    const last = hopTo(settings, false);
    let through: (() => Promise<Duplex>) | null = null;
    if (settings.jump !== null) {
      const jump = hopTo(settings.jump, true);
      const shared = sharedLines(settings.knownHosts, settings, settings.jump);
      if (shared !== null) warn(shared);
      const jumpClient = await connectHop(jump, null, closes, signal);
      through = () => forward(jumpClient, jump, settings);
    }
    const client = await connectHop(last, through, closes, signal);
    return new SshHost(labelOf(settings), client, closeAll);
  } catch (error) {
    closeAll();
    throw error;
  } finally {
    signal.removeEventListener('abort', closeAll);
  }
}

class SshHost implements Host {
  private lost: string | null = null;

  constructor(
    readonly label: string,
    private readonly client: NodeSSH,
    readonly close: Close,
  ) {
    client.connection?.on('error', (error) => {
      this.lost ??= error.message;
    });
    client.connection?.on('close', () => {
      this.lost ??= 'closed by the other side';
    });
  }

  async openShell(): Promise<Shell> {
    const { connection } = this.client;
    if (connection === null) throw lostBeforeShell(this.label, this.lost);
    return new Promise<Shell>((resolve, reject) => {
      // The one constant command that passes through the login shell; everything else goes over stdin. The shell listens at
      // once: the exit status of a login that ends at once may come with the very answer.
      connection.exec('sh -s', (error, channel) =>
        error ? reject(error) : resolve(new ChannelShell(channel, () => this.lost)),
      );
      connection.once('close', () => reject(new Error(this.lost ?? 'closed')));
    }).catch((error: Error) => {
      throw this.lost === null
        ? new BackupError('E_SHELL', `${this.label} refused to run a command: ${error.message}`)
        : lostBeforeShell(this.label, this.lost);
    });
  }
}

class ChannelShell implements Shell {
  readonly closed: Promise<ShellEnd>;

  constructor(
    private readonly channel: ClientChannel,
    lost: () => string | null,
  ) {
    const end: ShellEnd = { code: null, signal: null, lost: null };
    channel.on('error', () => {}); // a write after the other side has gone; `close` tells it
    this.closed = new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      channel.on('exit', (code: number | null, signal?: string) => {
        end.code = code;
        end.signal = signal ?? null;
        timer = setTimeout(() => resolve(end), LAST_WORDS_MS);
      });
      channel.on('close', () => {
        clearTimeout(timer);
        resolve(end.code === null && end.signal === null ? { ...end, lost: lost() } : end);
      });
    });
  }

  write(text: string): void {
    if (this.channel.writable) this.channel.write(text);
  }

  end(): void {
    if (this.channel.writable) this.channel.end();
  }

  onStdout(listener: (chunk: Buffer) => void): void {
    this.channel.on('data', listener);
  }

  onStderr(listener: (chunk: Buffer) => void): void {
    this.channel.stderr.on('data', listener);
  }

  /** The channel itself does not keep to the rules of streams when it is destroyed. */
  output(): Readable {
    return this.channel.pipe(new PassThrough()).once('close', () => this.channel.close());
  }

  /** As with `output`; one that came to its end leaves the shell to itself. */
  input(): Writable {
    const input = new PassThrough();
    input.once('close', () => {
      if (!input.writableFinished) this.channel.close();
    });
    input.pipe(this.channel);
    return input;
  }
}

/**
 * One hop. A host shows one key, the first that it has of the types asked for. Where a key of any type could be the right
 * one, each type that the host has is asked for in turn; nothing is sent to a host that was not accepted.
 */
async function connectHop(
  hop: Hop,
  through: (() => Promise<Duplex>) | null,
  closes: Close[],
  signal: AbortSignal,
): Promise<NodeSSH> {
  const { target, policy } = hop;
  const seen: string[] = [];
  const privateKey = parsed(target.key);
  let { algorithms, tryOtherTypes } = policy;
  for (;;) {
    signal.throwIfAborted();
    const key = { type: '', verdict: '' };
    const offer = new Offer();
    const proof = new KeyProof(target.username, privateKey, offer);
    const client = new NodeSSH();
    // noDelay halves the round trips of connecting: ssh2 writes one packet in three pieces.
    const stream =
      through === null ? connect({ host: target.host, port: target.port, noDelay: true }) : await through();
    const close = closing(client, stream);
    closes.push(close);
    const connecting = client.connect({
      sock: stream as Socket,
      username: target.username,
      authHandler: proof.next,
      debug: offer.listen,
      algorithms: { serverHostKey: [...algorithms] as never[] },
      hostVerifier: (blob: Buffer) => {
        key.type = keyType(blob);
        key.verdict = policy.accepts(blob);
        seen.push(`${key.type} ${fingerprint(blob)}`);
        return key.verdict === 'accepted';
      },
      readyTimeout: hop.timeoutMs,
      ...KEEPALIVE,
    });
    // A second error may follow the first, and later ones have no other listener: without this one they end the process.
    client.connection?.on('error', () => {});
    try {
      await connecting;
      return client;
    } catch (error) {
      close();
      closes.splice(closes.indexOf(close), 1);
      const cause = error instanceof Error ? error : new Error(String(error));
      if (key.verdict === 'revoked') throw hostKeyRefused(hop, 'is revoked by an @revoked line', seen, offer);
      if (key.verdict === 'accepted' && cause.message.includes('signature')) {
        throw hostKeyRefused(hop, 'was sent by somebody who does not have the private key', seen, offer);
      }
      const hasNone = key.verdict === '' && cause.message.includes('no matching host key format');
      if (key.verdict !== 'unknown' && !hasNone) throw connectFailed(hop, cause, offer, proof);
      algorithms = nextToAsk(algorithms, { tryOtherTypes, hasNone, shown: key.type });
      if (algorithms.length === 0) throw hostKeyRefused(hop, 'is not known', seen, offer);
      tryOtherTypes ||= hasNone;
    }
  }
}

/**
 * The algorithms to ask the host for after it has shown a key of a type that is not a known one, or has none of those asked for: empty when
 * there is nothing more to ask.
 */
function nextToAsk(
  algorithms: readonly string[],
  { tryOtherTypes, hasNone, shown }: { tryOtherTypes: boolean; hasNone: boolean; shown: string },
): readonly string[] {
  if (tryOtherTypes && !hasNone) return algorithms.filter((name) => !isOfType(name, shown));
  // It has none of the known types. Ask for the others, to be able to say what it has.
  if (!tryOtherTypes && hasNone) return SERVER_HOST_KEY_ALGORITHMS.filter((name) => !algorithms.includes(name));
  return [];
}

/** It was read and proven with the inputs. */
function parsed({ pem, passphrase }: PrivateKey): ParsedKey {
  const key = [ssh2.utils.parseKey(pem, passphrase)].flat()[0];
  if (key === undefined || key instanceof Error) throw key ?? new Error('no key');
  return key;
}

const isOfType = (algorithm: string, type: string): boolean =>
  algorithm === type || (type === 'ssh-rsa' && algorithm.startsWith('rsa-sha2-'));

/** Ends one connection. A link that died silently never answers the goodbye, and would keep this process waiting. */
function closing(client: NodeSSH, stream: Duplex): Close {
  stream.on('error', () => {}); // it may come after ssh2 has stopped listening
  return () => {
    client.dispose();
    setTimeout(() => stream.destroy(), GOODBYE_MS).unref();
  };
}

function forward(jumpClient: NodeSSH, jump: Hop, to: SshTarget): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, reason?: number) => reject(forwardFailed(jump, to, why, reason));
    if (jumpClient.connection === null) {
      fail('it closed the connection');
      return;
    }
    // Its sshd waits for the target as long as TCP does there, which is minutes.
    const timer = setTimeout(
      () => fail(`no answer within ${jump.timeoutMs / 1000} s (connect-timeout)`),
      jump.timeoutMs,
    );
    jumpClient.connection.forwardOut('127.0.0.1', 0, to.host, to.port, (error, channel) => {
      clearTimeout(timer);
      if (error) fail(error.message, (error as Error & { reason?: number }).reason);
      else resolve(channel);
    });
  });
}
