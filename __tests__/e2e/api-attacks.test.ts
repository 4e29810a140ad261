import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { API_TOKEN, call, raw } from '../helpers/api.js';
import { type InProcess, startInProcess } from '../helpers/api-in-process.js';
import { until } from '../helpers/outcome.js';
import { createDatabase } from '../helpers/sqlite.js';

const MUCH = { most: 10_000, perSecond: 1_000 };
let api: InProcess;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-attacks-'));
  const times = { headersMs: 1_000, requestMs: 1_500, checkMs: 50 };
  api = await startInProcess({ ...times, calls: MUCH, wrong: MUCH, open: MUCH });
});
afterAll(async () => {
  await api.stop(0);
  rmSync(folder, { recursive: true });
});

const HOST = 'Host: localhost\r\n';
const KNOWN = `${HOST}Authorization: Bearer ${API_TOKEN}\r\n`;
const JSON_BODY = `${KNOWN}Content-Type: application/json\r\n`;
const POST = 'POST /api/database/restore HTTP/1.1\r\n';
const chunk = `8000\r\n${'a'.repeat(0x8000)}\r\n`;

/** Name, what is written, what is written again and again, the status that comes of it. */
const ATTACKS: [name: string, first: string, drip: string, status: number][] = [
  ['headers that never end', `GET /health HTTP/1.1\r\n${HOST}`, 'X-a: b\r\n', 408],
  ['a body that never ends', `${POST}${JSON_BODY}Content-Length: 1000\r\n\r\n{`, ' ', 408],
  ['a silent connection', '', '', 408],
  ['20 kB of headers', `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(20_000)}\r\n\r\n`, '', 431],
  ['what is no HTTP', '\x16\x03\x01\x02\x00\x01\r\n\r\n', '', 400],
  ['a large body, as declared', `${POST}${JSON_BODY}Content-Length: 1000000\r\n\r\n`, '', 413],
  ['a large body in chunks', `${POST}${JSON_BODY}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`, '', 413],
  ['two lengths', `${POST}${JSON_BODY}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, '', 400],
  ['a name that leads here, from a web page', `GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n`, '', 421],
  ['no name', 'GET /health HTTP/1.1\r\n\r\n', '', 421],
  ['no token', `GET /api/database/health HTTP/1.1\r\n${HOST}\r\n`, '', 401],
  ['the form of a web page', `${POST}${KNOWN}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}`, '', 415],
  ['two names', `GET /health HTTP/1.1\r\n${HOST}Host: evil.example\r\n\r\n`, '', 421],
  ['a name in other letters', 'GET /health HTTP/1.1\r\nHost: l\u00f6calhost\r\n\r\n', '', 421],
  ['a name with more behind it', 'GET /health HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n', '', 421],
  [
    'the name of another machine in the line',
    'GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n',
    '',
    401,
  ],
  ['a length that is none', `${POST}${JSON_BODY}Content-Length: +5\r\n\r\n{}   `, '', 400],
  ['a header that is folded', `GET /health HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`, '', 400],
  ['a header with a bare line feed', `GET /health HTTP/1.1\r\n${HOST}X: a\nY: b\r\n\r\n`, '', 400],
  [
    'a chunk whose size is none',
    `${POST}${JSON_BODY}Transfer-Encoding: chunked\r\n\r\n0x5\r\n12345\r\n0\r\n\r\n`,
    '',
    400,
  ],
  [
    'a body of a call that has none',
    `GET /api/database/storage HTTP/1.1\r\n${KNOWN}Content-Length: 3\r\n\r\nabc`,
    '',
    400,
  ],
];

test.each(ATTACKS)('%s', async (_name, first, drip, status) => {
  // where the body is not read to its end, the server closes by itself
  const closing = status === 413 ? first : first.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
  const { answer, ms } = await raw(api.port, closing, drip);
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  const [, body = ''] = answer.split('\r\n\r\n');
  expect(JSON.parse(body)).toMatchObject({ success: false, error_code: expect.stringMatching(/^E_(REQUEST|TOKEN)$/) });
  expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  expect(ms).toBeLessThan(20_000); // and not for as long as it likes
  expect(api.lines.at(-1)).toMatch(new RegExp(`^call [A-Z-]+ \\S+ ${status} \\d+ ms client=127\\.0\\.0\\.1 code=E_`));
});

test('who is asked by a name of its own answers to it, and believes nobody about who calls', async () => {
  const call =
    'GET /health HTTP/1.1\r\nHost: API.example.org:443\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n';
  expect((await raw(api.port, call)).answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(api.lines.at(-1)).toMatch(/^call GET \/health 200 \d+ ms client=127\.0\.0\.1$/);
});

test('all of that has left it as it was', async () => {
  expect(await call(api.url, 'GET /health', { token: null })).toMatchObject({ status: 200 });
  expect(api.lines.join('\n')).not.toMatch(/E_INTERNAL|evil|0123456789abcdef/);
});

test('a run may take longer than a call may take to arrive, and its answer comes', async () => {
  const config = join(folder, 'db-backup.yml');
  const database = join(folder, 'app.db');
  await createDatabase(database);
  const slow = { transport: 'local', database, directory: join(folder, 'backups'), 'before-command': 'sleep 2' };
  writeFileSync(config, JSON.stringify({ databases: { app: slow } }));
  const times = { headersMs: 500, requestMs: 500, checkMs: 50, answerMs: 1_000 };
  const patient = await startInProcess(times, { config, targets: ['app'] });
  const made = await call(patient.url, 'POST /api/database/backup').finally(() => patient.stop(0));
  expect(made).toMatchObject({ status: 200, body: { success: true } });
});

test('too many calls of one address wait, wrong tokens soon, and others are not refused for them', async () => {
  const limits = {
    calls: { most: 3, perSecond: 0.01 },
    wrong: { most: 2, perSecond: 0.01 },
    open: { most: 2, perSecond: 0.01 },
  };
  const strict = await startInProcess(limits, { behindProxy: true });
  try {
    const statuses = async (from: string, token: string | null, path: string): Promise<number[]> => {
      const found: number[] = [];
      for (let i = 0; i < 4; i++) {
        const headers = { 'x-forwarded-for': `1.1.1.1, ${from}` };
        const { status, headers: said } = await call(strict.url, `GET /${path}`, { token, headers });
        found.push(status);
        expect(said.has('retry-after')).toBe(status === 429);
      }
      return found;
    };
    expect(await statuses('192.0.2.1', 'x'.repeat(40), 'api/x')).toEqual([401, 401, 429, 429]);
    expect(await statuses('192.0.2.1', API_TOKEN, 'api/x')).toEqual([404, 404, 404, 429]);
    expect(await statuses('192.0.2.1', null, 'health')).toEqual([200, 200, 429, 429]);
    expect(await statuses('2001:db8::1', API_TOKEN, 'api/x')).toEqual([404, 404, 404, 429]);
    expect(strict.lines.at(-1)).toMatch(/^call GET - 429 \d+ ms client=2001:db8::1 code=E_LIMIT$/);
  } finally {
    await strict.stop(0);
  }
});

test('of 200 calls at once some are carried out, the others are told to come again, and none is left without an answer', async () => {
  const other = await startInProcess({ calls: MUCH, connectionsOfOne: 256 });
  const one = () => call(other.url, 'GET /api/database/backups').then(({ status }) => status);
  const found = await Promise.all(Array.from({ length: 200 }, one)).finally(() => other.stop(0));
  // no database is configured: what is carried out is told so
  const count = (status: number): number => found.filter((one) => one === status).length;
  expect({ done: count(422), later: count(503) }).toEqual({ done: 200 - count(503), later: expect.any(Number) });
  expect(count(422)).toBeGreaterThanOrEqual(10);
  expect(count(503)).toBeGreaterThan(0);
}, 60_000);

test('who opens connections without end keeps nobody out: the oldest of its own on which nothing is asked are closed', async () => {
  const other = await startInProcess({ headersMs: 60_000, requestMs: 60_000 });
  const many = 300;
  let closed = 0;
  const open = (from: string): Socket =>
    connect({ port: other.port, host: '127.0.0.1', localAddress: from })
      .on('connect', function (this: Socket) {
        this.write('GET /he');
      })
      .on('error', () => {})
      .on('close', () => closed++);
  const sockets = Array.from({ length: many }, () => open('127.0.0.9'));
  try {
    await until(() => closed === many - 64);
    expect(sockets.slice(-64).every(({ destroyed }) => !destroyed)).toBe(true);
    const alive = 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    for (const from of ['127.0.0.9', '127.0.0.1'])
      expect((await raw(other.port, alive, '', from)).answer).toMatch(/^HTTP\/1\.1 200 /);
    await until(() => closed === many - 64 + 1);
  } finally {
    for (const socket of sockets) socket.destroy();
    await other.stop(0);
  }
});

test('who waits for an answer keeps the connection, and a proxy has as many as there are', async () => {
  writeFileSync(join(folder, 'hold'), '');
  const config = join(folder, 'waiting.yml');
  const database = join(folder, 'waiting.db');
  await createDatabase(database);
  const command = `touch ${folder}/started; while [ -e ${folder}/hold ]; do sleep 0.05; done`;
  const app = { transport: 'local', database, directory: join(folder, 'backups'), 'before-command': command };
  writeFileSync(config, JSON.stringify({ databases: { app } }));
  const few = { connectionsOfOne: 2, calls: MUCH, open: MUCH };
  const direct = await startInProcess(few, { config, targets: ['app'] });
  const proxied = await startInProcess(few, { behindProxy: true });
  const sockets: Socket[] = [];
  try {
    const made = call(direct.url, 'POST /api/database/backup');
    await until(() => existsSync(join(folder, 'started')));
    const five = (port: number): Socket[] =>
      Array.from({ length: 5 }, () =>
        connect(port, '127.0.0.1')
          .on('error', () => {})
          .resume(),
      );
    sockets.push(...five(direct.port));
    const closed = () => sockets.filter(({ destroyed }) => destroyed).length;
    await until(() => closed() === 4);
    rmSync(join(folder, 'hold'));
    expect(await made).toMatchObject({ status: 200 });
    const through = five(proxied.port);
    sockets.push(...through);
    await Promise.all(through.map((socket) => once(socket, 'connect')));
    expect((await call(proxied.url, 'GET /health', { token: null })).status).toBe(200);
    expect(closed()).toBe(4);
  } finally {
    rmSync(join(folder, 'hold'), { force: true });
    for (const socket of sockets) socket.destroy();
    await Promise.all([direct.stop(0), proxied.stop(0)]);
  }
}, 30_000);

test('who has half-open connections does not keep it from ending', async () => {
  const other = await startInProcess({});
  const sockets = ['', 'GET /health HTTP/1.1\r\n', `${POST}${JSON_BODY}Content-Length: 10\r\n\r\n{`].map((text) => {
    const socket = connect({ port: other.port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(text));
    return new Promise((resolve) =>
      socket
        .on('error', () => {})
        .on('close', resolve)
        .resume(),
    );
  });
  await call(other.url, 'GET /health', { token: null });
  await other.stop(0);
  await expect(call(other.url, 'GET /health')).rejects.toThrow();
  await Promise.all(sockets);
});
