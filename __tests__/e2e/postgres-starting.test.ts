import { spawn } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { backupsIn, nothingLeft, refused, succeeded } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import type { Scene } from '../helpers/scene.js';

// A server that runs, and lets nobody in yet, or any more.

let server: Postgres;
let scene: Scene;
let before: Record<string, string>;
beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.sql('shop', 'CREATE TABLE orders AS SELECT 1 AS id');
  scene = await startPostgresScene(server, 'shop');
  succeeded(await scene.run());
  before = backupsIn(scene.directory);
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

/** Runs a backup, once the server says this to everybody. */
async function expectTurnedAway(says: string): Promise<void> {
  for (const end = Date.now() + 30_000; ; await sleep(20)) {
    const said = await server.sql('postgres', '').then(String, String);
    if (said.includes(says)) break;
    if (Date.now() > end) throw new Error(`the server does not say "${says}": ${said}`);
  }
  refused(
    await scene.run(),
    'E_CONNECT',
    `does not accept connections at the moment: `,
    says,
    'Nothing was kept, nothing was rotated, and the database was not changed.',
  );
  expect(backupsIn(scene.directory)).toEqual(before);
  await nothingLeft(scene);
}

test('it is shutting down, and waits for a session to end', async () => {
  const session = spawn(join(server.clientDirectory, 'psql'), ['-X', server.uri({ database: 'shop' })], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  try {
    while ((await server.backendPids('shop')).length === 0);
    process.kill(server.pid, 'SIGTERM');
    await expectTurnedAway('the database system is shutting down');
  } finally {
    session.stdin.end();
    await server.stop();
  }
});

test('it is starting up, and waits for its archive; then it works', async () => {
  await server.stop();
  const go = join(server.dataDirectory, 'go');
  // what would bring a file of the archive, of which there is none
  const restore = `until test -e ${go}; do sleep 0.05; done; false`;
  appendFileSync(join(server.dataDirectory, 'postgresql.conf'), `restore_command = '${restore}'\n`);
  writeFileSync(join(server.dataDirectory, 'recovery.signal'), '');
  const starting = server.start();
  try {
    await expectTurnedAway('the database system is starting up');
  } finally {
    writeFileSync(go, '');
    await starting;
  }
  succeeded(await scene.run());
});
