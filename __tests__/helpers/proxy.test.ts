import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { startProxy, type TcpProxy } from './proxy.js';

let server: Server;
let proxy: TcpProxy;
const serverSockets = new Set<Socket>();

/** Greets, then answers each line with the same line. */
beforeAll(async () => {
  server = createServer({ noDelay: true }, (socket) => {
    serverSockets.add(socket);
    socket.on('close', () => serverSockets.delete(socket)).on('error', () => {});
    socket.write('hello\n');
    socket.on('data', (chunk) => socket.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

beforeEach(async () => {
  const address = server.address();
  proxy = await startProxy(typeof address === 'object' && address !== null ? address.port : 0);
});

afterEach(() => proxy.stop());

/** A client that can wait until it has received a text. */
function client() {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true }).on('error', () => {});
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  const has = async (text: string) => {
    while (!received.includes(text)) await sleep(1);
  };
  return { socket, has, received: () => received };
}

test('counts waits, not messages', async () => {
  proxy.delay(20);
  const { socket, has } = client();
  await has('hello\n');
  expect(proxy.roundTrips()).toBe(0);
  // Two requests together: one round trip.
  socket.write('a\n');
  await sleep(5);
  socket.write('b\n');
  await has('a\nb\n');
  expect(proxy.roundTrips()).toBe(1);
  // Each made out of the answer before: one more each.
  for (const word of ['c\n', 'd\n', 'e\n']) {
    socket.write(word);
    await has(word);
  }
  expect(proxy.roundTrips()).toBe(4);
  socket.destroy();
});

test('delay makes a round trip take twice as long', async () => {
  const { socket, has } = client();
  await has('hello\n');
  proxy.delay(50);
  const start = performance.now();
  socket.write('a\n');
  await has('a\n');
  expect(performance.now() - start).toBeGreaterThanOrEqual(95);
  socket.destroy();
});

test('cut ends both sides, and a new connection works', async () => {
  const { socket, has } = client();
  await has('hello\n');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  proxy.cut();
  await closed;
  while (serverSockets.size > 0) await sleep(1);
  const next = client();
  await next.has('hello\n');
  next.socket.destroy();
});

test('freeze is silent: nothing passes, nobody is told', async () => {
  const { socket, has, received } = client();
  await has('hello\n');
  proxy.freeze();
  socket.write('a\n');
  await sleep(100);
  expect(received()).toBe('hello\n');
  expect(socket.closed).toBe(false);
  socket.destroy();
  await sleep(50);
  expect(serverSockets.size).toBe(1);
});
