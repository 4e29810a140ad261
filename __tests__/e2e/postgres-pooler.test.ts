import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type Pgbouncer, startPgbouncer } from '../helpers/pgbouncer.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import type { Scene } from '../helpers/scene.js';

const run = promisify(execFile);

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('app');
  await server.sql('app', 'CREATE TABLE users AS SELECT 1 AS id');
  scene = await startPostgresScene(server, 'app');
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

const users = async (uri: string) =>
  (await run('psql', ['-XAtqw', '-d', uri, '-c', 'SELECT count(*) FROM users'])).stdout;

/** An application that asks again and again, through several clients. */
function busy(uri: string) {
  let going = true;
  const one = async () => {
    while (going) await users(uri);
  };
  const clients = Promise.all([one(), one(), one()]);
  return async () => {
    going = false;
    await clients;
  };
}

describe('a pooler that gives sessions away (transaction mode)', () => {
  let pooler: Pgbouncer;
  beforeAll(async () => {
    pooler = await startPgbouncer(server, 'transaction');
  });
  afterAll(() => pooler.stop());

  test.each(['quiet', 'busy'])('is refused before anything is dumped, %s, and the application goes on', async (how) => {
    const database = pooler.uri('app');
    const stop = how === 'busy' ? busy(database) : async () => {};
    for (const inputs of [{}, { 'dry-run': 'true' }, { verify: 'checksum' }]) {
      const message = expectFailure(await scene.run({ database, ...inputs }), 'E_SOURCE_INVALID');
      expect(message).toMatch(
        /leads to a pooler that shares the sessions .* between clients .*Name the server itself in `database`, or a pool/,
      );
    }
    await stop();
    expect(await users(database)).toBe('1\n');
    await nothingLeft(scene);
  });

  test('is refused by a restore as well', async () => {
    const id = expectBackup(await scene.run());
    const inputs = {
      database: pooler.uri('app'),
      command: 'restore',
      backup: id,
      confirm: 'app',
      'allow-other-target': 'true',
    };
    expectFailure(await scene.run(inputs), 'E_SOURCE_INVALID');
    expect(await users(pooler.uri('app'))).toBe('1\n');
  });
});

test('a pooler that keeps a session for one client is none', async () => {
  const pooler = await startPgbouncer(server, 'session');
  expectBackup(await scene.run({ database: pooler.uri('app') }));
  expect(await users(pooler.uri('app'))).toBe('1\n');
  await pooler.stop();
});
