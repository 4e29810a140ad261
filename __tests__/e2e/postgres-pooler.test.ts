import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type Pgbouncer, startPgbouncer } from '../helpers/pgbouncer.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { fakeTools } from '../helpers/postgres-faults.js';
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

test('a pooler that hands out the sessions in turn is refused, although two of them look like one for each client', async () => {
  const pooler = await startPgbouncer(server, 'transaction', ['server_round_robin = 1']);
  const database = pooler.uri('app');
  const session = async () =>
    (await run('psql', ['-XAtqw', '-d', database, '-c', 'SELECT pg_backend_pid() FROM pg_sleep(0.3)'])).stdout;
  // at once, so that there are two
  for (let two = ['', '']; two[0] === two[1]; ) two = await Promise.all([session(), session()]);
  expectFailure(await scene.run({ database, 'dry-run': 'true' }), 'E_SOURCE_INVALID', 'leads to a pooler');
  await pooler.stop();
});

// Other clients that come in between at just the wrong moment, each time: what psql prints then. `$next` is how many transactions
// further the session is at each question.
test.each([
  ['others were given it in between', 'next=3', true],
  [
    'the server itself ran one transaction there',
    'next=1; if [ $asked = 3 ] && mkdir "$here/once" 2>/dev/null; then next=2; fi',
    false,
  ],
])('a client that is given its own session again, and %s', async (_, next, refused) => {
  const tools = fakeTools(server);
  tools.put(
    'psql',
    `case " $* " in *' -f - '*) ;; *) exec "$real" "$@" ;; esac
number=2147483640 asked=0
while read -r line; do
  case $line in *pg_postmaster_start_time*) ;; *) continue ;; esac
  asked=$((asked + 1))
  ${next}
  number=$((number + next))
  echo "$$|1796091569.637182|3/$number"
done`,
  );
  const faked = await startPostgresScene(server, 'app', { path: `${tools.directory}:/usr/local/bin:/usr/bin:/bin` });
  const result = await faked.run({ 'dry-run': 'true' });
  if (refused) expectFailure(result, 'E_SOURCE_INVALID', 'leads to a pooler');
  else expect(result).toMatchObject({ code: 0 });
  await faked.stop();
  tools.remove();
});

test('a pooler that keeps a session for one client is none', async () => {
  const pooler = await startPgbouncer(server, 'session');
  expectBackup(await scene.run({ database: pooler.uri('app') }));
  expect(await users(pooler.uri('app'))).toBe('1\n');
  await pooler.stop();
});
