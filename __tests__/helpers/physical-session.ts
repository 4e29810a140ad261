import { programsOf } from '../../src/engines/lookup.js';
import { pgbackrest } from '../../src/engines/physical/index.js';
import type { Facts } from '../../src/host/facts.js';
import { Session } from '../../src/host/session.js';
import type { Physical } from './physical.js';
import { type ShellHost, shellHost } from './shell-host.js';

/** The steps of a restore as the runner asks for them, each in a session of its own. */
export class Steps {
  private readonly opened: { host: ShellHost; session: Session }[] = [];
  constructor(private readonly physical: Physical) {}

  /** With what the runner would say; `how` besides or instead. `rewrite` changes what the host is sent. */
  async send(name: string, how: Record<string, string>, rewrite?: (text: string) => string): Promise<Facts> {
    const host = shellHost(['dash'], rewrite);
    const session = await Session.open(host, {
      engine: programsOf(pgbackrest),
      idleTimeoutMs: 60_000,
      startTimeoutMs: 60_000,
    });
    this.opened.push({ host, session });
    const { stanza, server } = this.physical;
    const args = {
      ...{ name: 'x', run_as: 'postgres', container: '', verify: 'restore', wanted: 'auto', level: '', asserts: '' },
      ...{ min_free_kib: '0', sha256: '', lock_wait: '60', jobs: '', password: '', stanza, label: '' },
      ...{ target: '', moment: '', type: 'default', timeline: '1', id: 'x-20261201T000000Z-abcd' },
      connection: `host='${server.socketDirectory}' port='${server.port}' user='postgres' dbname='postgres'`,
      ...how,
    };
    return session.send(['job', name, Object.entries(args).flat()]);
  }

  async close(): Promise<void> {
    for (const { host } of this.opened) host.child.kill('SIGKILL');
    await Promise.all(this.opened.map(({ session }) => session.close()));
    for (const { host } of this.opened.splice(0)) host.remove();
  }
}
