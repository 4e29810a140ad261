import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { until } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { type FakeTools, fakeTools, holdSession } from '../helpers/postgres-faults.js';
import { expectNothingLeft, expectRestored, leftDatabases } from '../helpers/postgres-restores.js';
import { comesTrue } from '../helpers/postgres-waiting.js';
import { processesOfUser } from '../helpers/processes.js';
import type { RunningAction } from '../helpers/run-action.js';
import { inTurn, sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';

type Inputs = Record<string, string>;
const FORMATS = ['custom', 'plain'] as const;
type Format = (typeof FORMATS)[number];

/** A database that takes ten minutes to load: an index calls a function that waits, but only there. */
let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  scene = await startPostgresScene(server, 'slow', { transport: 'ssh' });
  await server.createDatabase('slow');
  await server.sql(
    'slow',
    `CREATE FUNCTION public.waits(i integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN
       IF current_database() LIKE 'db_backup_new%' AND current_setting('application_name') <> 'quick' THEN PERFORM pg_sleep(600); END IF;
       RETURN i;
     END $f$;
     CREATE TABLE t AS SELECT generate_series(1, 3) AS i;
     CREATE INDEX ON t (public.waits(i));`,
  );
  for (const format of FORMATS) expectBackup(await scene.run({ directory: backups(format), 'dump-format': format }));
  // those of `quick` have no such index
  await server.createDatabase('quick');
  await server.sql('quick', 'CREATE TABLE t AS SELECT generate_series(1, 3) AS i; SELECT lo_from_bytea(7, $$x$$)');
  for (const format of FORMATS) expectBackup(await scene.run({ ...quick(format), command: 'backup' }));
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

const backups = (format: string): string => join(scene.user.home, format);
const inputsOf = (format: Format): Inputs => ({
  ...{ command: 'restore', confirm: 'slow', 'safety-backup': 'false' },
  ...{ directory: backups(format), 'dump-format': format },
});
const quick = (format: Format): Inputs => ({
  ...inputsOf(format),
  ...{
    database: server.uri({ database: 'quick' }),
    confirm: 'quick',
    directory: join(scene.user.home, `quick-${format}`),
  },
});

/** Starts it; resolves in the middle of the load. */
async function middle(format: Format): Promise<RunningAction> {
  await server.sql('slow', 'INSERT INTO t VALUES (4)');
  const running = scene.start(inputsOf(format));
  const waiting =
    "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname LIKE 'db_backup_new%')";
  await comesTrue(server, 'postgres', waiting).catch(async () => {
    running.kill('SIGKILL');
    throw new Error(`the load did not begin: ${(await running.result()).log}`);
  });
  return running;
}

/** The live database is the old one, and nothing is left. */
async function expectUnchanged(format: Format): Promise<void> {
  await expectNothingLeft(scene, server, backups(format));
  expect(await server.sql('slow', 'SELECT count(*) FROM t WHERE i = 4')).not.toBe('0');
  await server.sql('slow', 'DELETE FROM t WHERE i = 4');
}

function killAll(): void {
  for (const { pid } of processesOfUser(scene.user.uid)) kill(pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in between.
  }
}

describe.each(FORMATS)('in the middle of the load of the format %s', (format) => {
  const test = inTurn(FORMATS, format);

  test('the tool is killed', async () => {
    const running = await middle(format);
    const name = format === 'plain' ? /^\S*psql .*db_backup_new/ : /^\S*pg_restore .*db_backup_new/;
    const found = scene.processes().filter(({ command }) => name.test(command));
    expect(found).not.toEqual([]);
    for (const { pid } of found) kill(pid);
    const result = await running.result();
    expectFailure(result, 'E_RESTORE', /killed by signal 9|status 1/i);
    expect(result.outputs['restore-outcome']).toBe('unchanged');
    await expectUnchanged(format);
  });

  test('everything of the run is killed: what it has loaded is gone after the next command', async () => {
    const running = await middle(format);
    killAll();
    expect((await running.result()).code).toBe(1);
    await expectUnchanged(format); // the post step is such a command
  });

  test('the run is cancelled', async () => {
    const running = await middle(format);
    running.kill('SIGINT');
    expectFailure(await running.result(), 'E_CANCELLED');
    await comesTrue(server, 'postgres', "NOT EXISTS (SELECT FROM pg_database WHERE datname LIKE 'db\\_backup\\_%')");
    // its journal is for the next command
    const { command: _, confirm: __, 'safety-backup': ___, ...place } = inputsOf(format);
    expectBackup(await scene.run(place));
    await expectUnchanged(format);
  });
});

test('the server is restarted in the middle of the load', async () => {
  const running = await middle('custom');
  await server.stop('immediate');
  await server.start();
  expectFailure(await running.result(), 'E_RESTORE');
  await expectUnchanged('custom');
});

describe('at the swap', () => {
  /** Keeps the live database from being renamed. */
  const hold = () => holdSession(server, 'postgres', "COMMENT ON DATABASE quick IS 'held'");

  async function atSwap(): Promise<RunningAction> {
    const running = scene.start(quick('custom'));
    const waiting =
      "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER DATABASE%RENAME%')";
    await comesTrue(server, 'postgres', waiting);
    return running;
  }

  test('everything is killed: the live database keeps its name', async () => {
    await server.sql('quick', 'INSERT INTO t VALUES (4)');
    await using held = await hold();
    const running = await atSwap();
    killAll();
    await held.release();
    expect((await running.result()).code).toBe(1);
    await expectNothingLeft(scene, server, quick('custom').directory);
    expect(await server.sql('quick', 'SELECT count(*) FROM t')).toBe('4');
  });

  test('the server crashes', async () => {
    await using held = await hold();
    const running = await atSwap();
    await server.stop('immediate');
    await server.start();
    await held.release();
    expectFailure(await running.result(), 'E_RESTORE');
    await expectNothingLeft(scene, server, quick('custom').directory);
    expect(await server.sql('quick', 'SELECT count(*) FROM t')).toBe('4');
  });

  test('after it everything is killed: the next run finds it restored, and drops what was kept', async () => {
    const once = join(scene.user.home, 'once');
    const check = `test -e ${once} || { touch ${once}; exec sleep 600; }`;
    const running = scene.start({ ...quick('custom'), 'check-command': check });
    await until(() => scene.processes().some(({ command }) => command === 'sleep 600'));
    expect(await leftDatabases(server)).toMatch(/^db_backup_old_\d{14}_[0-9a-f]{4}$/);
    const kept = await leftDatabases(server);
    await expect(server.sql(kept, 'SELECT 1')).rejects.toThrow('not currently accepting connections');
    killAll();
    const result = await running.result();
    expect(result.visible).toContain('the database is the restored one');
    await expectNothingLeft(scene, server, quick('custom').directory);
    expect(await server.sql('quick', 'SELECT count(*) FROM t')).toBe('3');
  });
});

describe('pg_restore of 17, whose scripts set what an older server does not know', () => {
  let tools: FakeTools;
  let host: Scene;
  beforeAll(async () => {
    tools = fakeTools(server);
    host = await startPostgresScene(server, 'quick', { user: scene.user, sshd: { extraConfig: tools.config } });
    const add = `sed '1,20s/^SET lock_timeout = 0;$/&\\nSET transaction_timeout = 0;/'`;
    tools.put(
      'pg_restore',
      `case " $* " in
*' -f - '*) "$real" "$@" | ${add} ;;
*' -d '*) echo 'pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"' >&2; exit 1 ;;
*) exec "$real" "$@" ;;
esac`,
    );
  });
  afterAll(async () => {
    await host?.stop();
    tools?.remove();
  });

  test.each(sample(FORMATS, 1))('%s: verified and restored all the same', async (format) => {
    const inputs = quick(format);
    const { command: _, confirm: __, 'safety-backup': ___, ...place } = inputs;
    const verified = await host.run({ ...place, command: 'verify', verify: 'restore' });
    expect(verified.annotations.filter(({ level }) => level === 'error')).toEqual([]);
    expect(verified.outputs['verified-level']).toBe('restore');
    await server.sql('quick', 'DELETE FROM t');
    await expectRestored(host, server, await host.run(inputs), inputs.directory);
    expect(await server.sql('quick', 'SELECT count(*) FROM t')).toBe('3');
    await server.sql('postgres', 'DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN PASSWORD $$pw$$');
    await server.sql(
      'quick',
      'ALTER DATABASE quick OWNER TO poor; ALTER TABLE t OWNER TO poor; ALTER LARGE OBJECT 7 OWNER TO poor',
    );
    const database = server.uri({ database: 'quick', user: 'poor', password: 'pw' });
    const mine = { ...inputs, database, directory: `${inputs.directory}-mine` };
    expectBackup(await host.run({ ...mine, command: 'backup' }));
    await server.sql('quick', 'DELETE FROM t');
    const result = await host.run(mine);
    await expectRestored(host, server, result, mine.directory);
    expect(result.visible).toContain('in place');
    expect(await server.sql('quick', 'SELECT count(*) FROM t')).toBe('3');
    await server.sql('quick', 'REASSIGN OWNED BY poor TO postgres; ALTER DATABASE quick OWNER TO postgres');
  });
});

test('an assertion has the search_path of the live database', async () => {
  await server.createDatabase('pathed');
  await server.sql(
    'pathed',
    'CREATE SCHEMA s; CREATE TABLE s.only AS SELECT 1; ALTER DATABASE pathed SET search_path = s, public',
  );
  const inputs = {
    database: server.uri({ database: 'pathed' }),
    directory: join(scene.user.home, 'pathed'),
    verify: 'restore',
  };
  expectBackup(await scene.run({ ...inputs, assert: 'SELECT count(*) = 1 FROM "only"' }));
  const result = await scene.run({ ...inputs, assert: 'SELECT count(*) = 1 FROM "only"', command: 'verify' });
  expect(result.annotations).toEqual([]);
});
