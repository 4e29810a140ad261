import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Webhook } from '../../src/settings/notify-urls.js';
import { type Attempts, deliver } from '../../src/telling/deliver.js';
import { jsonDelivery } from '../../src/telling/delivery.js';
import { messageOf } from '../../src/telling/message.js';
import { endPing, startPing } from '../../src/telling/ping.js';
import { slack } from '../../src/telling/slack.js';
import { telegram } from '../../src/telling/telegram.js';
import { makeCertificate } from '../helpers/mail-server.js';
import { type Receiver, startReceiver } from '../helpers/receiver.js';
import { failedReport, sampleReport } from '../reporting/sample-report.js';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.stop());

const SECRET = 'secret-of-the-url';
const attempts = (changes: Partial<Attempts> = {}): Attempts => ({
  signal: new AbortController().signal,
  pausesMs: [0, 0],
  ...changes,
});
const to = (url = `http://127.0.0.1:${receiver.port}/${SECRET}`) => jsonDelivery(url, { a: 1 }, { 'x-own': 'b' });

/** Why it was not delivered; names no URL. */
async function reason(work: Promise<void>): Promise<string> {
  const error = await work.then(
    () => new Error('it was delivered'),
    (thrown: Error) => thrown,
  );
  expect(error.message).not.toMatch(new RegExp(`${SECRET}|127\\.0\\.0\\.1|http:`));
  return error.message;
}

/** How often something was tried, also where it did not arrive. */
function counting(): { fetch: typeof fetch; tries: () => number } {
  let tries = 0;
  return {
    tries: () => tries,
    fetch: (...request) => {
      tries++;
      return fetch(...request);
    },
  };
}

/** Answers with these in turn; a number is a status. */
function answers(...all: (number | { status: number; headers?: Record<string, string>; body?: string })[]): void {
  receiver.answer = (_, response) => {
    const next = all.shift() ?? 200;
    const { status, headers = {}, body = '' } = typeof next === 'number' ? { status: next } : next;
    response.writeHead(status, headers).end(body);
  };
}

test('one POST', async () => {
  await deliver(to(), attempts());
  expect(receiver.received).toMatchObject([
    {
      method: 'POST',
      path: `/${SECRET}`,
      body: '{"a":1}',
      headers: { 'content-type': 'application/json', 'x-own': 'b' },
    },
  ]);
});

describe('again', () => {
  test.each([
    ['after two errors of the server', [500, 503]],
    ['after too many requests', [{ status: 429, headers: { 'retry-after': '0' } }]],
  ])('%s', async (_, before) => {
    answers(...before);
    await deliver(to(), attempts());
    expect(receiver.received).toHaveLength(before.length + 1);
  });

  test('as late as the service asks for', async () => {
    answers({ status: 429, headers: { 'retry-after': '1' } });
    const began = performance.now();
    await deliver(to(), attempts());
    expect(performance.now() - began).toBeGreaterThan(990);
  });

  test('twice, and no more', async () => {
    answers(500, 500, { status: 500, body: 'down' }, 200);
    expect(await reason(deliver(to(), attempts()))).toBe('HTTP 500: down');
    expect(receiver.received).toHaveLength(3);
  });

  test.each([
    ['the request itself is wrong', { status: 400, body: 'invalid_payload' }, 'HTTP 400: invalid_payload'],
    ['the hook is gone', 404, 'HTTP 404'],
    ['the service asks for an hour', { status: 429, headers: { 'retry-after': '3600' } }, 'HTTP 429'],
  ])('not when %s', async (_, answer, expected) => {
    answers(answer, 200);
    expect(await reason(deliver(to(), attempts()))).toBe(expected);
    expect(receiver.received).toHaveLength(1);
  });

  test('not after the end of all', async () => {
    answers(500);
    const over = new AbortController();
    const ending: typeof fetch = async (...request) => {
      const response = await fetch(...request);
      setTimeout(() => over.abort());
      return response;
    };
    const work = deliver(to(), attempts({ signal: over.signal, pausesMs: [60_000, 0], fetch: ending }));
    expect(await reason(work)).toBe('HTTP 500');
    expect(receiver.received).toHaveLength(1);
  });
});

test.each(['/pa%C3%BCth/opensesame?key=a%20b%2Fcdefg', '/paüth/opensesame', 'opensesame', 'a b/cdefg'])(
  'an answer with the URL in it, or part of that, is told without: %s',
  async (echo) => {
    answers({ status: 404, body: `<${echo}>` });
    const url = `http://127.0.0.1:${receiver.port}/pa%C3%BCth/opensesame?key=a%20b%2Fcdefg`;
    expect(await reason(deliver(to(url), attempts()))).toBe('HTTP 404: <***>');
  },
);

test('a redirect is not followed', async () => {
  answers({ status: 307, headers: { location: `http://127.0.0.1:${receiver.port}/elsewhere` } });
  expect(await reason(deliver(to(), attempts()))).toBe('the server answered with a redirect, which is not followed');
  expect(receiver.received).toHaveLength(1);
});

test('of a huge answer the beginning is read', async () => {
  receiver.answer = (_, response) => {
    response.writeHead(400);
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      response.once('drain', more);
    };
    more();
  };
  expect(await reason(deliver(to(), attempts()))).toBe(`HTTP 400: ${'x'.repeat(4096)}`);
});

test('silence ends by the time limit of an attempt, and of all', async () => {
  receiver.answer = () => {};
  const counted = counting();
  expect(await reason(deliver(to(), attempts({ attemptMs: 50, ...counted })))).toBe('no answer in time');
  expect(counted.tries()).toBe(3);
  const all = attempts({ signal: AbortSignal.timeout(50), pausesMs: [60_000], ...counted });
  expect(await reason(deliver(to(), all))).toBe('no answer in time');
  expect(counted.tries()).toBe(4);
});

test('nobody who listens, and a connection that is cut', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  expect(await reason(deliver(to(`http://127.0.0.1:${port}/${SECRET}`), attempts()))).toMatch(
    /^the connection was closed \((?:UND_ERR_SOCKET|ECONNRESET)\)$/,
  );
  await new Promise((resolve) => server.close(resolve));
  expect(await reason(deliver(to(`http://127.0.0.1:${port}/${SECRET}`), attempts()))).toBe(
    'cannot connect (ECONNREFUSED)',
  );
});

test('a certificate that nobody knows is refused, at once', async () => {
  const secured = await startReceiver(makeCertificate());
  try {
    const counted = counting();
    const work = deliver(to(`https://127.0.0.1:${secured.port}/${SECRET}`), attempts(counted));
    expect(await reason(work)).toBe('the TLS certificate of the server is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)');
    expect([counted.tries(), secured.received.length]).toEqual([1, 0]);
  } finally {
    await secured.stop();
  }
});

const message = messageOf({
  report: failedReport(),
  github: null,
  level: 'failed',
  log: [],
  now: new Date(0),
  clean: (text) => text,
});
const good = messageOf({
  report: sampleReport(),
  github: null,
  level: 'ok',
  log: [],
  now: new Date(0),
  clean: (text) => text,
});

test('a service that is known by its host gets what is made for it, as it is', async () => {
  const hosts: string[] = [];
  const here: typeof fetch = (url, init) => {
    const { host, pathname } = new URL(String(url));
    hosts.push(host);
    return fetch(`http://127.0.0.1:${receiver.port}${pathname}`, init);
  };
  const webhook = (url: string): Webhook => ({ service: 'Slack', url, headers: {}, to: '5' });
  await deliver(slack(message, webhook('https://hooks.slack.com/services/T0/B0/x')), attempts({ fetch: here }));
  await deliver(telegram(message, webhook('https://api.telegram.org/bot1:x/sendMessage')), attempts({ fetch: here }));
  expect(hosts).toEqual(['hooks.slack.com', 'api.telegram.org']);
  expect(receiver.received.map(({ path }) => path)).toEqual(['/services/T0/B0/x', '/bot1:x/sendMessage']);
  expect(JSON.parse(receiver.received[1]?.body ?? '')).toMatchObject({
    chat_id: '5',
    text: expect.stringContaining('E_NOSPACE'),
  });
});

describe('pings', () => {
  const healthchecks = { service: 'healthchecks', url: 'https://hc-ping.com/key/app?create=1' } as const;
  const kuma = { service: 'Uptime Kuma', url: 'https://kuma.example/api/push/x' } as const;

  test('of healthchecks: begin, success, failure', () => {
    const urls = [
      startPing(healthchecks, 'r'),
      endPing(healthchecks, 'r', good, 5),
      endPing(healthchecks, 'r', message, 5),
    ].map((ping) => ping?.url);
    const query = '?create=1&rid=r';
    expect(urls).toEqual(['/start', '', '/fail'].map((ending) => `https://hc-ping.com/key/app${ending}${query}`));
  });

  test('of healthchecks: no more text than it keeps', () => {
    const long = { ...message, sections: [{ heading: 'a', text: 'ä'.repeat(20_000) }] };
    const { body } = endPing(healthchecks, 'r', long, 5);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(10_000);
    expect(body.startsWith('❌ Backup of app failed')).toBe(true);
  });

  test('of Uptime Kuma: up, down, and nothing when a run begins', () => {
    expect(startPing(kuma, 'r')).toBeNull();
    const told = [good, message].map((one) =>
      Object.fromEntries(new URL(endPing(kuma, 'r', one, 1234.5).url).searchParams),
    );
    expect(told).toEqual([
      { status: 'up', msg: good.title, ping: '1235' },
      { status: 'down', msg: message.title, ping: '1235' },
    ]);
  });
});
