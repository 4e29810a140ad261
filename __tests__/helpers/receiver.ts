import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Received {
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** What receives notifications on loopback. */
export interface Receiver {
  port: number;
  /** Everything that has come, in order, also what was answered with an error. */
  received: Received[];
  /** From now on; default: 200 with `ok`. */
  answer: (request: Received, response: ServerResponse) => void;
  stop(): Promise<void>;
}

/** `tls`: a certificate and its key, both PEM. */
export async function startReceiver(tls?: { cert: string; key: string }): Promise<Receiver> {
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url: path = '', headers } = request;
    const one = { method, path, headers, body: Buffer.concat(chunks).toString('utf8') };
    receiver.received.push(one);
    receiver.answer(one, response);
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    // a sender that gives up breaks the request off
    handle(request, response).catch(() => response.destroy());
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: Receiver = {
    port: (server.address() as AddressInfo).port,
    received: [],
    answer: (_, response) => response.end('ok'),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
