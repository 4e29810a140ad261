import { type AddressInfo, createServer, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { parseNotifyUrl, type MailServer as To } from '../../src/settings/notify-urls.js';
import { type Attempts, NotDelivered } from '../../src/telling/deliver.js';
import { sendMail } from '../../src/telling/mail.js';
import { type Message, messageOf } from '../../src/telling/message.js';
import { type MailServer, makeCertificate, startMailServer } from '../helpers/mail-server.js';
import { failedReport } from '../reporting/sample-report.js';

// Real SMTP on loopback, by certificates of our own.

const certificate = makeCertificate();
const known = getCACertificates('default');
beforeAll(() => setDefaultCACertificates([...known, certificate.cert]));
afterAll(() => setDefaultCACertificates(known));

const servers: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});
async function mailServer(options: Partial<Parameters<typeof startMailServer>[0]> = {}): Promise<MailServer> {
  const server = await startMailServer({ certificate, ...options });
  servers.push(server);
  return server;
}

const USER = 'alerts:p%40ss%2Fword@';
function to({ port }: { port: number }, { scheme = 'smtp', user = USER, who = 'to=ops@example.com' } = {}): To {
  return parseNotifyUrl(`${scheme}://${user}127.0.0.1:${port}/?from=backup@example.com&${who}`).target as To;
}
const attempts = (changes: Partial<Attempts> = {}): Attempts => ({
  signal: new AbortController().signal,
  pausesMs: [0],
  ...changes,
});
const messageFrom = (changes: Partial<Message> = {}): Message => ({
  ...messageOf({
    report: failedReport(),
    github: null,
    level: 'failed',
    log: [],
    now: new Date(0),
    clean: (text) => text,
  }),
  ...changes,
});

async function reason(server: To, changes: Partial<Attempts> = {}): Promise<string> {
  const error = await sendMail(messageFrom(), server, attempts(changes)).then(
    () => new Error('it was delivered'),
    (thrown: Error) => thrown,
  );
  expect(error).toBeInstanceOf(NotDelivered);
  expect(error.message).not.toMatch(/p@ss|p%40ss/);
  return error.message;
}

test.each([
  ['STARTTLS', 'smtp', false],
  ['TLS from the first byte', 'smtps', true],
])('by %s, with a login', async (_, scheme, secure) => {
  const server = await mailServer({ secure });
  expect(await sendMail(messageFrom(), to(server, { scheme }), attempts())).toBe(0);
  expect(server.mails).toMatchObject([{ tls: true, user: 'alerts', recipients: ['ops@example.com'] }]);
  const raw = server.mails[0]?.raw ?? '';
  expect(raw).toMatch(/^From: Database backup <backup@example\.com>\r$/m);
  expect(raw).toMatch(/^Content-Type: text\/plain/m);
  expect(raw).toMatch(/^Content-Type: text\/html/m);
  expect(raw).toMatch(/^Subject: =\?UTF-8\?/m);
});

test('no header comes out of a text', async () => {
  const server = await mailServer();
  const title = 'failed\r\nBcc: evil@example.com\r\n\r\nbody';
  await sendMail(messageFrom({ title }), to(server), attempts());
  expect(server.mails[0]?.recipients).toEqual(['ops@example.com']);
  expect(server.mails[0]?.raw.split('\r\n\r\n')[0]).not.toMatch(/^Bcc:/m);
});

test('some recipients are refused, which is told', async () => {
  const server = await mailServer();
  expect(await sendMail(messageFrom(), to(server, { who: 'to=ops@example.com,no@example.com' }), attempts())).toBe(1);
  expect(server.mails[0]?.recipients).toEqual(['ops@example.com']);
  expect(await reason(to(server, { who: 'to=no@example.com' }))).toBe('every recipient was refused: 550 no such user');
});

describe('is not sent', () => {
  test('in clear, also where nobody has to log in', async () => {
    const server = await mailServer({ without: ['STARTTLS', 'AUTH'] });
    expect(await reason(to(server, { user: '' }))).toMatch(/^STARTTLS failed, and nothing is sent without it: 500 /);
    expect(server.mails).toEqual([]);
  });

  test('with a wrong password, which is tried once', async () => {
    const server = await mailServer();
    expect(await reason(to(server, { user: 'alerts:wrong@' }), { pausesMs: [60_000] })).toMatch(
      /^the login was refused: 535 /,
    );
  });

  test('by a sender that is refused', async () => {
    const refused = { ...to(await mailServer()), from: 'nobody@example.com' };
    expect(await reason(refused)).toBe('the sender was refused: 550 no such sender');
  });

  test('without a login where one is asked for', async () => {
    expect(await reason(to(await mailServer(), { user: '' }))).toMatch(/^the server asks for a login: 530 /);
  });

  test('when it is too large', async () => {
    expect(await reason(to(await mailServer({ size: 500 })))).toMatch(/^the mail was refused: 552 /);
  });

  test('to a server whose certificate nobody knows', async () => {
    const server = await mailServer({ certificate: makeCertificate() });
    expect(await reason(to(server), { pausesMs: [60_000] })).toBe(
      'the TLS certificate of the server is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)',
    );
    expect(server.mails).toEqual([]);
  });

  test('by TLS from the first byte to a server that begins in clear, which is tried once', async () => {
    expect(await reason(to(await mailServer(), { scheme: 'smtps' }), { pausesMs: [60_000] })).toMatch(
      /^no TLS connection could be made \(ERR_SSL_/,
    );
  });

  test.each([
    ['is none for mail', 'HTTP/1.1 400 Bad Request\r\n', 'the server is not a mail server: HTTP/1.1 400 Bad Request'],
    ['is too busy', '421 try later\r\n', 'the server refuses to talk: 421 try later'],
    ['hangs up', '', 'the server closed the connection'],
  ])('to a server that %s', async (_, greeting, expected) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(greeting);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    expect(await reason(to(server.address() as AddressInfo))).toBe(expected);
    await new Promise((resolve) => server.close(resolve));
  });

  test('to one that greets and says no more, when the time of all is over', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.write('220 x\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const signal = AbortSignal.timeout(200);
    expect(await reason(to(server.address() as AddressInfo), { signal, pausesMs: [60_000] })).toBe('no answer in time');
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test('to nobody who listens: it is tried again', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(await reason(to(address))).toBe('cannot connect (ECONNREFUSED)');
  });
});
