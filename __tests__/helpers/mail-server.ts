import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';

/** A certificate for loopback that nobody trusts yet, and its key. */
export function makeCertificate(): { cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-cert-'));
  try {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const how = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', ...how, ...names, '-keyout', key, '-out', cert], { stdio: 'pipe' });
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface Mail {
  /** The session was encrypted when it came. */
  tls: boolean;
  /** Who has logged in. */
  user: string | undefined;
  recipients: string[];
  raw: string;
}

export interface MailServer {
  port: number;
  mails: Mail[];
  stop(): Promise<void>;
}

interface Options {
  certificate: { cert: string; key: string };
  /** TLS from the first byte. */
  secure?: boolean;
  /** Of the server, as SMTP has them. */
  without?: string[];
  /** Most bytes of a mail. */
  size?: number;
}

/** Takes mail from and to every address that does not begin with `no`, by `alerts` with the password `p@ss/word`. */
export async function startMailServer({
  certificate,
  secure = false,
  without = [],
  size,
}: Options): Promise<MailServer> {
  const mails: Mail[] = [];
  const refusal = (message: string, responseCode: number) => Object.assign(new Error(message), { responseCode });
  const server = new SMTPServer({
    ...certificate,
    secure,
    ...(size === undefined ? {} : { size }),
    disabledCommands: without,
    authOptional: without.includes('AUTH'),
    onAuth({ username, password }, _, done) {
      if (username === 'alerts' && password === 'p@ss/word') done(null, { user: username });
      else done(refusal(`bad login of ${username}`, 535));
    },
    onMailFrom({ address }, _, done) {
      done(address.startsWith('no') ? refusal('no such sender', 550) : null);
    },
    onRcptTo({ address }, _, done) {
      done(address.startsWith('no') ? refusal('no such user', 550) : null);
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const recipients = session.envelope.rcptTo.map(({ address }) => address);
        const raw = Buffer.concat(chunks).toString('utf8');
        mails.push({ tls: session.secure, user: session.user as string | undefined, recipients, raw });
        done(stream.sizeExceeded ? refusal('too big', 552) : null);
      });
    },
  });
  server.on('error', () => {}); // a client that goes away, or does not trust the certificate
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
