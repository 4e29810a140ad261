import type { Socket } from 'node:net';

/** Open connections, by address: who has too many loses those of its own on which nothing is asked, the oldest first. */
export class Connections {
  private readonly open = new Map<string, Set<Socket>>();
  private readonly busy = new WeakSet<Socket>();

  /** So many of one address. */
  constructor(private readonly most: number) {}

  /** A new one, which is closed when all others of its address are waited on. */
  add(socket: Socket): void {
    const address = socket.remoteAddress ?? 'gone';
    const own = this.open.get(address) ?? new Set();
    this.open.set(address, own.add(socket));
    socket.once('close', () => {
      own.delete(socket);
      if (own.size === 0) this.open.delete(address);
    });
    if (own.size <= this.most) return;
    const idle = [...own].find((one) => !this.busy.has(one)) ?? socket;
    own.delete(idle);
    idle.destroy();
  }

  /** A call of it is answered: until `done` it is not taken from whoever waits for that. */
  begin(socket: Socket): void {
    this.busy.add(socket);
  }

  done(socket: Socket): void {
    this.busy.delete(socket);
  }
}
