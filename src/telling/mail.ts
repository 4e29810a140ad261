import type { MailServer } from '../settings/notify-urls.js';
import { connectionFailure } from './connection-failure.js';
import { type Attempts, NotDelivered, retried } from './deliver.js';
import { type Message, plainText } from './message.js';
import { entity, within } from './text.js';

const SUBJECT = 200;
const LIMITS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000, dnsTimeout: 10_000 };

/** How many recipients the server has refused, while it took others. Throws NotDelivered. */
export async function sendMail(message: Message, server: MailServer, attempts: Attempts): Promise<number> {
  // Loaded when used: nearly nobody does.
  const { createTransport } = await import('nodemailer');
  const { host, port, secure, login, from, to } = server;
  const auth = login === null ? {} : { auth: { user: login.user, pass: login.password } };
  const transport = createTransport({ host, port, secure, requireTLS: !secure, ...auth, ...LIMITS });
  const mail = {
    from: { name: 'Database backup', address: from },
    to: to.map((address) => ({ name: '', address })),
    subject: within(message.title, SUBJECT),
    text: `${message.title}\n\n${plainText(message)}\n`,
    html: htmlOf(message),
    headers: { 'auto-submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
    signal: attempts.signal,
  };
  try {
    const { rejected } = await retried(
      () => transport.sendMail(mail).catch((error) => Promise.reject(failed(error))),
      attempts,
    );
    return rejected.length;
  } finally {
    transport.close();
  }
}

/** What nodemailer tells of an error, besides its message, which may hold what the server was told. */
interface MailError {
  code?: unknown;
  /** Of the system, where there is one. */
  originalCode?: unknown;
  command?: unknown;
  response?: unknown;
  responseCode?: unknown;
}

function failed(error: MailError): NotDelivered {
  const { code, originalCode, response, responseCode } = error;
  const { text, again } =
    code === 'ESOCKET' || code === 'EDNS'
      ? connectionFailure(originalCode)
      : { text: inWords(error), again: code === 'ETIMEDOUT' || code === 'ECONNECTION' };
  const said = typeof response === 'string' ? `: ${response}` : '';
  const later = typeof responseCode === 'number' ? responseCode < 500 && code !== 'EAUTH' : again;
  return new NotDelivered(text + said, later ? 0 : null);
}

function inWords({ code, command, responseCode }: MailError): string {
  if (responseCode === 530) return 'the server asks for a login'; // RFC 4954
  if (code === 'EPROTOCOL' && typeof responseCode === 'number') return 'the server refuses to talk';
  if (code === 'EENVELOPE' && command === 'RCPT TO') return 'every recipient was refused';
  if (code === 'EENVELOPE' && command === 'MAIL FROM') return 'the sender was refused';
  return WORDS[String(code)] ?? 'the mail was not sent';
}

const WORDS: Record<string, string> = {
  ETIMEDOUT: 'no answer in time',
  EABORT: 'no answer in time',
  ECONNECTION: 'the server closed the connection',
  EPROTOCOL: 'the server is not a mail server',
  ETLS: 'STARTTLS failed, and nothing is sent without it',
  EAUTH: 'the login was refused',
  EENVELOPE: 'the mail was refused',
  EMESSAGE: 'the mail was refused',
};

/** The same as the text, with a table; every text from outside is escaped. */
export function htmlOf({ title, level, sections, facts, link, log }: Message): string {
  const text = (from: string): string => Array.from(from, entity).join('').replaceAll('\n', '<br>\n');
  const rows = facts.map(
    ([name, value]) =>
      `<tr><td style="padding:2px 16px 2px 0;color:#57606a">${text(name)}</td><td style="padding:2px 0">${text(value)}</td></tr>`,
  );
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"></head>',
    '<body style="font:14px/1.5 -apple-system,Segoe UI,Helvetica,Arial,sans-serif;color:#1f2328">',
    `<h2 style="font-size:18px;color:${level === 'failed' ? '#cf222e' : '#1a7f37'}">${text(title)}</h2>`,
    ...sections.map(({ heading, text: told }) => `<p><b>${text(heading)}</b><br>\n${text(told)}</p>`),
    ...(rows.length === 0 ? [] : [`<table style="border-collapse:collapse">${rows.join('\n')}</table>`]),
    ...(link === null ? [] : [`<p><a href="${text(link)}">Open the run</a></p>`]),
    ...(log.length === 0
      ? []
      : [`<pre style="background:#f6f8fa;padding:12px">${Array.from(log.join('\n'), entity).join('')}</pre>`]),
    '</body></html>',
  ].join('\n');
}
