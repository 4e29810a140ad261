import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  port: number;
  /** Destroys all connections that are open now; new ones are accepted. */
  cut(): void;
  /** From now on nothing passes in either direction and nobody is told, as on a link that died silently. */
  freeze(): void;
  /** Each chunk read from now on arrives `ms` later, in both directions: a round trip takes 2 * ms. */
  delay(ms: number): void;
  /** See `startProxy`. */
  roundTrips(): number;
  stop(): Promise<void>;
}

/**
 * A TCP proxy on a free port of 127.0.0.1 to `targetPort` there, which counts round trips by causal depth.
 *
 * Each chunk has a depth. One from the client: 1 + the greatest depth of the chunks from the server that had been delivered to the
 * client when it was sent. One from the server: the greatest depth of the client's chunks that had been delivered to the server. What
 * the server says by itself (a banner) has depth 0. `roundTrips()` is the greatest depth that came back from the server: how often
 * in a row somebody had to wait for the other side. Two requests sent together count once; the one made out of an answer counts
 * again. The TCP handshake (one more) is not in it, nor is a last message that nobody answers.
 *
 * Set `delay` to more than either side needs to think (20 ms and up): without it, two chunks of one answer, or an answer and a request that
 * was already on its way, may look like cause and effect. The figure is for request and answer protocols. In a long stream
 * the receiver's acknowledgements (window adjustments of SSH, beats) look like requests and count as well.
 */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let frozen = false;
  let delayMs = 0;
  let deliveredToClient = 0;
  let deliveredToServer = 0;

  /** Delivers in order, each item at its time; an item is a chunk or the end of that direction. */
  function forward(from: Socket, to: Socket, depthOf: () => number, delivered: (depth: number) => void): void {
    // A timer delivers whatever is first, so that the order holds even where timers of different length overtake each other.
    const queue: (() => void)[] = [];
    const later = (deliver: () => void) => {
      if (delayMs === 0 && queue.length === 0) {
        deliver();
        return;
      }
      queue.push(deliver);
      setTimeout(() => queue.shift()?.(), delayMs);
    };
    from.on('data', (chunk) => {
      const depth = depthOf();
      later(() => {
        if (frozen || to.destroyed) return;
        delivered(depth);
        if (to.write(chunk)) return;
        from.pause();
        to.once('drain', () => {
          if (!frozen) from.resume();
        });
      });
    });
    from.on('end', () => later(() => frozen || to.end()));
    from.on('close', () => {
      sockets.delete(from);
      if (from.errored) later(() => frozen || to.destroy());
    });
    // A reset is part of what is tested; 'close' follows and tells the other side.
    from.on('error', () => {});
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    for (const socket of [client, target]) {
      sockets.add(socket);
      if (frozen) socket.pause();
    }
    forward(
      client,
      target,
      () => deliveredToClient + 1,
      (depth) => {
        deliveredToServer = Math.max(deliveredToServer, depth);
      },
    );
    forward(
      target,
      client,
      () => deliveredToServer,
      (depth) => {
        deliveredToClient = Math.max(deliveredToClient, depth);
      },
    );
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');

  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    port: address.port,
    cut,
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    delay(ms) {
      delayMs = ms;
    },
    roundTrips: () => deliveredToClient,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
