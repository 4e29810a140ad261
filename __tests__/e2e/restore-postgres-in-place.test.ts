import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { until } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { definitionsOf, startPostgresScene } from '../helpers/postgres-backups.js';
import { type FakeTools, fakeTools, holdSession } from '../helpers/postgres-faults.js';
import { expectNothingLeft, expectRestored, propertiesOf } from '../helpers/postgres-restores.js';
import { contentsOf, fillSample } from '../helpers/postgres-sample.js';
import { processesOfUser } from '../helpers/processes.js';
import type { ActionResult } from '../helpers/run-action.js';
import { reportOf, type Scene } from '../helpers/scene.js';

type Inputs = Record<string, string>;
const FORMATS = ['custom', 'plain'] as const;

/** The role of the URL owns the database, and may not create another one. */
let server: Postgres;
let scene: Scene;
let tools: FakeTools;
let good: unknown;
/** When set to a session that holds it, the restore stops in the middle: an index calls a function that waits for that lock. */
const LOCK = 'SELECT pg_advisory_lock(42)';

beforeAll(async () => {
  server = await startPostgres({ settings: { max_locks_per_transaction: 256 } });
  tools = fakeTools(server);
  await server.createRole('app', 'pw');
  await fillSample(server, 'shop', 'app');
  await server.sql(
    'shop',
    `DROP TABLE unlogged_table; -- a crash empties it
     SET SESSION AUTHORIZATION app;
     CREATE FUNCTION public.waits(i integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN
       PERFORM pg_advisory_xact_lock_shared(42);
       RETURN i;
     END $f$;
     CREATE TABLE public.slow AS SELECT 1 AS i;
     CREATE INDEX ON public.slow (public.waits(i));
     CREATE PROCEDURE public.commits() LANGUAGE plpgsql AS $f$
BEGIN
COMMIT;
END $f$;`,
  );
  good = await stateOf();
  scene = await startPostgresScene(server, 'shop', { sshd: { extraConfig: tools.config } });
  scene.inputs.database = server.uri({ user: 'app', password: 'pw', database: 'shop' });
  for (const format of FORMATS) expectBackup(await scene.run({ directory: backups(format), 'dump-format': format }));
}, 60_000);
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
  tools?.remove();
});

const backups = (format: string): string => join(scene.user.home, format);
const inputsOf = (inputs: Inputs = {}): Inputs => ({
  ...{ command: 'restore', confirm: 'shop', 'safety-backup': 'false', directory: backups('custom') },
  ...inputs,
});
const restore = (inputs: Inputs = {}): Promise<ActionResult> => scene.run(inputsOf(inputs));

async function stateOf(): Promise<unknown> {
  return [await contentsOf(server, 'shop'), await definitionsOf(server, 'shop'), await propertiesOf(server, 'shop')];
}

/** The state that is replaced has objects that the backup does not know, and lacks some. */
let before: unknown;
async function change(): Promise<void> {
  await server.sql(
    'shop',
    `SET SESSION AUTHORIZATION app;
     CREATE TABLE public.newer (id integer REFERENCES shop.customers);
     CREATE SCHEMA newer; CREATE TABLE newer.t AS SELECT 1; CREATE FUNCTION public.newer() RETURNS int LANGUAGE sql AS 'SELECT 1';
     CREATE TYPE public.newer_type AS ENUM ('a'); CREATE DOMAIN public.newer_domain AS integer;
     DELETE FROM shop.orders; REFRESH MATERIALIZED VIEW shop.totals; SELECT lo_unlink(4711); SELECT lo_from_bytea(99, 'newer'); DROP VIEW shop.paid CASCADE;`,
  );
  before = await stateOf();
}

describe.each(FORMATS)('a backup in the format %s', (format) => {
  beforeEach(change);

  test('is restored in one transaction, for which clients wait', async () => {
    const failed: unknown[] = [];
    let going = true;
    const client = (async () => {
      while (going) {
        const read = server.sql('shop', 'SET ROLE app; SELECT count(*) FROM shop.customers');
        await read.then(
          (rows) => expect(rows).toBe('200'),
          (error) => failed.push(error),
        );
      }
    })();
    const result = await restore({ directory: backups(format), 'dump-format': format });
    going = false;
    await client;
    await expectRestored(scene, server, result, backups(format));
    expect(await stateOf()).toEqual(good);
    expect(failed).toEqual([]);
    const { plan } = reportOf(result).restore ?? {};
    expect(plan).toMatchObject({ state: 'sound', way: 'in-place' });
    expect(result.visible).toContain('The role app may not create databases, so it is restored in place');
  });

  test('changes nothing when everything of the run is killed in the middle', async () => {
    const lock = await holdSession(server, 'shop', LOCK);
    const running = scene.start(inputsOf({ directory: backups(format), 'dump-format': format }));
    await stopped();
    for (const { pid } of processesOfUser(scene.user.uid)) kill(pid);
    const result = await running.result();
    expect(result.code).toBe(1);
    await lock.release();
    await untilAlone();
    expect(await stateOf()).toEqual(before);
    // the next run finds what there is to finish, and goes on
    const next = await restore({ directory: backups(format), 'dump-format': format });
    await expectRestored(scene, server, next, backups(format));
    expect(await stateOf()).toEqual(good);
  });
});

/** Waits until a session of the restore waits for the lock that the test holds. */
async function stopped(): Promise<void> {
  const waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
  for (const end = Date.now() + 30_000; (await server.sql('shop', waiting)) === '0'; await sleep(20)) {
    if (Date.now() > end) throw new Error('the restore did not begin');
  }
}

async function untilAlone(): Promise<void> {
  for (const end = Date.now() + 15_000; (await server.backendPids('shop')).length > 0; await sleep(20)) {
    if (Date.now() > end) throw new Error('a session is left');
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in between.
  }
}

test('a run that dies after the commit: the next one finds it restored', async () => {
  await change();
  const once = join(scene.user.home, 'once');
  const running = scene.start(inputsOf({ 'check-command': `test -e ${once} || { touch ${once}; exec sleep 600; }` }));
  await until(() => scene.processes().some(({ command }) => command === 'sleep 600'));
  for (const { pid } of processesOfUser(scene.user.uid)) kill(pid);
  const result = await running.result();
  expect(result.code).toBe(1);
  expect(result.visible).toContain('the database is the restored one');
  expect(await stateOf()).toEqual(good);
  await expectNothingLeft(scene, server, backups('custom'));
});

describe('what fails', () => {
  beforeAll(change);

  test('waits for a lock only as long as lock-wait says', async () => {
    const holder = await holdSession(server, 'shop', 'SELECT * FROM shop.customers LIMIT 1');
    const message = expectFailure(await restore({ 'lock-wait': '1s' }), 'E_BUSY', /stayed locked.*lock timeout/);
    expect(message).toContain('idle in a transaction');
    await holder.release();
    expect(await stateOf()).toEqual(before);
    await expectNothingLeft(scene, server, backups('custom'));
  });

  test('psql is killed in the middle', async () => {
    const lock = await holdSession(server, 'shop', LOCK);
    const running = scene.start(inputsOf());
    await stopped();
    const found = scene.processes().filter(({ command }) => /(^|\/)psql /.test(command));
    expect(found).not.toEqual([]);
    for (const { pid } of found) kill(pid);
    expectFailure(await running.result(), 'E_RESTORE');
    await lock.release();
    await untilAlone();
    expect(await stateOf()).toEqual(before);
    await expectNothingLeft(scene, server, backups('custom'));
  });

  test('the server is restarted in the middle', async () => {
    const lock = await holdSession(server, 'shop', LOCK);
    const running = scene.start(inputsOf());
    await stopped();
    await server.stop('immediate');
    await server.start();
    const result = await running.result();
    await lock.release();
    expectFailure(result, 'E_RESTORE');
    expect(result.outputs['restore-outcome']).toBe('unchanged');
    expect(await stateOf()).toEqual(before);
    await expectNothingLeft(scene, server, backups('custom'));
  });

  test('a pg_restore that stops in the middle and tells of no error', async () => {
    tools.put('pg_restore', 'case "$*" in *-1*) "$real" "$@" | head -n 300 ;; *) exec "$real" "$@" ;; esac');
    const result = await restore();
    tools.reset();
    expectFailure(result, 'E_RESTORE');
    expect(await stateOf()).toEqual(before);
    await expectNothingLeft(scene, server, backups('custom'));
  });

  test('a check that fails: the safety backup is put back in the same way', async () => {
    const result = await restore({ 'safety-backup': 'true', 'check-command': 'false' });
    expect(result.outputs).toMatchObject({ 'error-code': 'E_ROLLED_BACK', 'restore-outcome': 'rolled-back' });
    expect(await stateOf()).toEqual(before);
    await expectNothingLeft(scene, server, backups('custom'));
  });
});
