import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { leftAfter } from '../helpers/processes.js';
import { startProxy, type TcpProxy } from '../helpers/proxy.js';
import { type Scene, startScene } from '../helpers/scene.js';

let scene: Scene;
let proxy: TcpProxy;
let unlock = async () => {};
beforeAll(async () => {
  scene = await startScene({ wal: false });
  proxy = await startProxy(scene.sshd.port);
});
afterAll(async () => {
  await unlock();
  await proxy.stop();
  await scene.stop();
});

const through = (proxy: TcpProxy) => ({
  port: String(proxy.port),
  'known-hosts': scene.sshd.knownHosts.replaceAll(`:${scene.sshd.port} `, `:${proxy.port} `),
});
const hashOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Waits until the host is in the middle of the runs: each copy waits for the database. */
async function inTheMiddle(runs: number): Promise<void> {
  const copies = () => scene.processes().filter(({ command }) => command.startsWith('sqlite3 '));
  for (const end = Date.now() + 15_000; copies().length < runs; ) {
    if (Date.now() > end) throw new Error('the copies did not begin');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a link that dies silently in the middle of a long run ends both sides, and the next run works', async () => {
  const kept = expectBackup(await scene.run(through(proxy)));
  const before = scene.files().map((name) => [name, hashOf(`${scene.directory}/${name}`)]);
  const database = hashOf(scene.database);
  unlock = (await holdLock(scene.database, EXCLUSIVE)).release;

  const long = { 'lock-wait': '10m' };
  const patient = scene.start({ ...through(proxy), ...long });
  const impatient = scene.start({ ...through(proxy), ...long, directory: 'elsewhere', 'idle-timeout': '3s' });
  await inTheMiddle(2);
  const frozen = Date.now();
  proxy.freeze();
  const noticed = patient.main.then(() => Date.now() - frozen);

  // Its process must not wait for an answer to its goodbye.
  expectFailure(await impatient.result(), 'E_TIMEOUT', 'made no progress', 'for 3 s (idle-timeout)');
  const lost = `the connection to ${scene.user.name}@127.0.0.1:${proxy.port} was lost: Keepalive timeout`;
  expectFailure(await patient.result(), 'E_REMOTE_LOST', lost);
  expect(await noticed).toBeLessThan(60_000); // post looks at the host after that, and finds no way either

  // The proxy still holds the connections to the host open: nobody tells it that the runner is gone.
  expect(await leftAfter(scene.processes, 15_000)).toEqual([]);
  expect(scene.leftovers()).toEqual([]);
  expect(scene.files().map((name) => [name, hashOf(`${scene.directory}/${name}`)])).toEqual(before);
  await unlock();
  expect(hashOf(scene.database)).toBe(database);

  expectBackup(await scene.run({ 'lock-wait': '1s' }));
  expect(scene.files()).toContain(`${kept}.json`);
});
