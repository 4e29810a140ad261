import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import ssh2 from 'ssh2';
import { expectBackup } from '../helpers/failure.js';
import { startProxy, type TcpProxy } from '../helpers/proxy.js';
import { type Scene, startScene } from '../helpers/scene.js';

/** More than either side needs to think, even on a busy machine; see startProxy. */
const ONE_WAY_MS = 60;

let scene: Scene;
beforeAll(async () => {
  scene = await startScene();
});
afterAll(() => scene.stop());

async function roundTripsOf(work: (proxy: TcpProxy) => Promise<void>): Promise<number> {
  const proxy = await startProxy(scene.sshd.port);
  proxy.delay(ONE_WAY_MS);
  try {
    await work(proxy);
    return proxy.roundTrips();
  } finally {
    await proxy.stop();
  }
}

/** What any client needs to connect and authenticate with the same options, nothing else. */
function bareConnect(proxy: TcpProxy): Promise<void> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.on('ready', () => client.end());
    client.on('error', reject).on('close', () => resolve());
    client.connect({
      sock: connect({ host: '127.0.0.1', port: proxy.port, noDelay: true }),
      username: scene.user.name,
      privateKey: scene.sshd.clientKey,
      authHandler: ['publickey'],
      algorithms: { serverHostKey: ['ssh-ed25519'] },
    });
  });
}

const through = (proxy: TcpProxy) => ({
  port: String(proxy.port),
  'known-hosts': scene.sshd.knownHosts.replaceAll(`:${scene.sshd.port} `, `:${proxy.port} `),
});

/**
 * The least of several runs: on a busy machine a run may take longer than a beat, or a side longer than the delay, and each of
 * these only ever adds to the count.
 */
async function leastRoundTripsOf(enough: number, work: (proxy: TcpProxy) => Promise<void>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 12 && least > enough; run++) least = Math.min(least, await roundTripsOf(work));
  return least;
}

test('connecting and a backup of a small database cost at most four round trips after authentication', async () => {
  const counts = [await roundTripsOf(bareConnect), await roundTripsOf(bareConnect), await roundTripsOf(bareConnect)];
  const bare = counts.toSorted((a, b) => a - b)[1] ?? 0;
  expect(bare).toBeGreaterThan(2);

  let runs = 0;
  const first = await leastRoundTripsOf(bare + 4, async (proxy) => {
    expectBackup(await scene.run({ ...through(proxy), directory: `first-${++runs}` }));
  });
  expectBackup(await scene.run({}));
  // A catalogue to read and backups to delete are part of the same two requests.
  const rotating = await leastRoundTripsOf(bare + 4, async (proxy) => {
    const result = await scene.run({ ...through(proxy), keep: '1', 'keep-made-under': 'false' });
    expectBackup(result);
    expect(result.outputs.deleted).toBe('1');
  });
  expect({ first: first - bare <= 4, rotating: rotating - bare <= 4, bare, total: [first, rotating] }).toMatchObject({
    first: true,
    rotating: true,
  });
});
