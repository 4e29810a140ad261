import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe } from '../errors.js';
import { platform } from '../platform/platform.js';
import { encode } from '../reporting/report-json.js';
import { type Audited, audit } from './audit.js';
import { Calls, type Reply, type Served } from './calls.js';
import { Connections } from './connections.js';
import { LIMITS, type Limits } from './limits.js';
import { Refusal } from './refusal.js';
import { clientOf, hasBody } from './request.js';

export interface Serving {
  /** The one that was given, or found for 0. */
  port: number;
  /**
   * Calls that come from now on are refused. Those that are carried out are waited for; what still runs after this time is asked to end,
   * and leaves its host clean. Resolves when all have their answer and the port is free.
   */
  stop(graceMs: number): Promise<void>;
}

/** How long somebody may take to take the last answers. */
const LAST_ANSWERS_MS = 2_000;

/** Starts it. Rejects when the address can not be listened on. */
export async function startServer(
  served: Served & { listen: string; port: number },
  limits: Limits = LIMITS,
): Promise<Serving> {
  const calls = new Calls(served, limits);
  /** Whose call is being answered: what is wrong with the connection from then on is told there. */
  const answering = new WeakSet<object>();
  const connections = new Connections(limits.connectionsOfOne);
  let isStopping = false;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const started = performance.now();
    const client = clientOf(request, served.behindProxy);
    const noted: Pick<Audited, 'path' | 'code'> = { path: null };
    answering.add(request.socket);
    connections.begin(request.socket);
    response.once('close', () => connections.done(request.socket));
    const reply = await calls.answer(request, noted).catch((error: unknown) => replyTo(error));
    answering.delete(request.socket);
    const code = noted.code || (reply.body as { error_code?: string }).error_code || '';
    const ms = performance.now() - started;
    audit({ ...noted, client, method: request.method ?? '-', status: reply.status, ms, code });
    // what is left of a body is not read to its end
    const isLast = isStopping || (hasBody(request) && !request.complete);
    send(response, reply, isLast, limits.answerMs);
  };
  const server = createServer(
    {
      ...{ maxHeaderSize: limits.headerBytes, headersTimeout: limits.headersMs, requestTimeout: limits.requestMs },
      ...{ connectionsCheckingInterval: limits.checkMs, insecureHTTPParser: false },
      // those who wait for a run send nothing, and others forget a connection on which nothing is sent
      ...{ keepAlive: true, keepAliveInitialDelay: 30_000 },
      requireHostHeader: false, // by us, as any other that is wrong
    },
    (request, response) => void handle(request, response),
  );
  server.maxConnections = limits.connections;
  if (!served.behindProxy) server.on('connection', (socket) => connections.add(socket));
  // an expectation that is not known may be left unmet
  server.on('checkExpectation', (request, response) => void handle(request, response));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
    const reply = replyTo(faultOf(error.code));
    if (!answering.has(socket)) {
      const client = socket.remoteAddress?.replace(/^::ffff:(?=[0-9.]+$)/, '') ?? 'gone';
      audit({ client, method: '-', path: null, status: reply.status, ms: 0, code: 'E_REQUEST' });
    }
    const body = encode(reply.body);
    socket.end(
      `HTTP/1.1 ${reply.status} Refused\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  });
  server.listen(served.port, served.listen);
  await once(server, 'listening');
  server.on('error', (error) => platform().error(`a connection could not be accepted: ${error.message}`));

  return {
    port: (server.address() as AddressInfo).port,
    async stop(graceMs) {
      isStopping = true;
      await calls.stop(graceMs);
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** What Node's parser, or its clock, has against a call. */
function faultOf(code: string | undefined): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Refusal(408, 'E_REQUEST', 'the request did not arrive in time');
  if (code === 'HPE_HEADER_OVERFLOW') return new Refusal(431, 'E_REQUEST', 'the headers are too large');
  return new Refusal(400, 'E_REQUEST', 'the request is not valid HTTP');
}

function replyTo(error: unknown): Reply {
  if (error instanceof Refusal) {
    const { status, code, message, more } = error;
    const body = { success: false, message, error_code: code, ...more.fields };
    return more.headers === undefined ? { status, body } : { status, body, headers: more.headers };
  }
  const { code, message } = describe(error);
  platform().error(`${code}: ${message}`);
  return {
    status: 500,
    body: { success: false, message: 'internal error: see the log of the server', error_code: code },
  };
}

function send(response: ServerResponse, { status, body, headers }: Reply, isLast: boolean, answerMs: number): void {
  if (response.destroyed) return; // who called has gone
  const bytes = Buffer.from(encode(body));
  response.setTimeout(answerMs, () => response.destroy());
  response.writeHead(status, {
    ...{ 'content-type': 'application/json', 'content-length': bytes.length },
    ...{ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
    ...(isLast ? { connection: 'close' } : {}),
    ...headers,
  });
  response.end(bytes);
}
