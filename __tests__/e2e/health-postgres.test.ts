import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { sessionsLeft } from '../helpers/postgres-refusal.js';
import type { ActionResult } from '../helpers/run-action.js';
import { reportOf, type Scene } from '../helpers/scene.js';
import { listing } from '../helpers/seed.js';

// `command: health` with PostgreSQL: what the server counts by itself.

const PASSWORD = 'only-for-this-test';
let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres({
    settings: { max_connections: 12, wal_level: 'replica', archive_mode: 'on', archive_command: 'false' },
  });
  await server.createDatabase('shop');
  await server.createRole('app', PASSWORD);
  await server.sql(
    'shop',
    `CREATE TABLE customers AS SELECT i AS id FROM generate_series(1, 1000) i;
     CREATE TABLE fresh (id integer);
     ANALYZE customers;
     GRANT SELECT ON ALL TABLES IN SCHEMA public TO app;`,
  );
  scene = await startPostgresScene(server, 'shop');
  expectBackup(await scene.run());
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
});

const health = (inputs: Record<string, string> = {}) => scene.run({ command: 'health', ...inputs });
const as = (user: string, password: string) => server.uri({ database: 'shop', user, password });
const found = (result: ActionResult): string[] =>
  reportOf(result).problems.map(({ level, code, message }) => `${level} ${code}: ${message}`);
const figures = (result: ActionResult) => reportOf(result).health?.database;

test('a healthy server: every figure is told, rows are estimates and named so, nothing is written', async () => {
  const before = listing(scene.directory);
  const result = await health();
  expect(found(result)).toEqual([]);
  expect(result).toMatchObject({ code: 0, outputs: { healthy: 'true', 'error-code': '' } });
  expect(listing(scene.directory)).toEqual(before);
  expect(figures(result)).toEqual({
    ...{ bytes: expect.any(Number), estimated: true, connections: 1, maxConnections: 12 },
    ...{ longestTransactionSeconds: 0, replicationSlots: 0, inactiveSlots: 0, heldWalBytes: 0, unusedWalBytes: 0 },
    ...{ wraparoundAge: expect.any(Number), archiving: true, archiveFailures: 0, archiveFailing: false },
    ...{ replicas: 0, replicaLagSeconds: null, standby: false, standbyLagSeconds: null },
    ...{ checksumFailures: 0, invalidIndexes: 0, unreadable: 0 },
  });
  expect(reportOf(result).tables).toHaveLength(2);
  expect(reportOf(result).tables).toContainEqual({ name: 'public.customers', rows: 1000 });
  expect(reportOf(result).tables).toContainEqual({ name: 'public.fresh', rows: null });
  expect(result.summary).toContain('| Estimated | yes |');
  expect(await sessionsLeft(server)).toEqual([]);
});

test('estimates are compared with nothing', async () => {
  await server.sql('shop', 'DELETE FROM customers WHERE id > 1; ANALYZE customers;');
  const result = await health();
  expect(found(result)).toEqual([]);
  expect(reportOf(result).tables).toContainEqual({ name: 'public.customers', rows: 1 });
});

test('a role that may not see others: what it may not see is not known, and the right is named', async () => {
  const result = await health({ database: as('app', PASSWORD) });
  expect(result.outputs.healthy).toBe('true');
  expect(figures(result)).toMatchObject({ longestTransactionSeconds: null, maxConnections: 12 });
  expect(reportOf(result).notes).toEqual([expect.stringContaining('`GRANT pg_monitor TO`')]);
  expect(`${result.visible}${result.summary}${Object.values(result.outputs)}`).not.toContain(PASSWORD);
});

describe('findings', () => {
  test('a server that is not there is one, and the backups are looked at all the same', async () => {
    const result = await health({
      database: server.uri({ database: 'shop' }).replace(`:${server.port}/`, ':1/'),
      'max-age': '1s',
    });
    expect(result).toMatchObject({ code: 1, outputs: { healthy: 'false', 'error-code': 'E_UNHEALTHY' } });
    expect(found(result)).toEqual([
      expect.stringMatching(/^error E_CONNECT: .*Connection refused/),
      expect.stringMatching(/^error E_STALE: the newest backup of shop is /),
    ]);
    expect(figures(result)).toBeNull();
  });

  test('a password that is wrong', async () => {
    const result = await health({ database: as('app', 'not-the-password') });
    expect(found(result)).toEqual([expect.stringMatching(/^error E_AUTH: /)]);
    expect(result.visible).not.toContain('not-the-password');
  });

  test('connections that are nearly all taken, and an index that is invalid', async () => {
    const held = await Promise.all(Array.from({ length: 9 }, () => hold("SELECT 'held'")));
    await server
      .sql('shop', 'INSERT INTO fresh VALUES (1), (1)')
      .then(() => server.sql('shop', 'CREATE UNIQUE INDEX CONCURRENTLY fresh_id ON fresh (id)'))
      .catch(() => {});
    try {
      const result = await health({ database: server.uri({ database: 'shop' }) });
      expect(result.outputs.healthy).toBe('true');
      expect(found(result)).toEqual([
        expect.stringMatching(/^warning E_UNHEALTHY: 1[0-2] of 12 connections are in use$/),
        'warning E_UNHEALTHY: this database has 1 invalid index',
      ]);
    } finally {
      await Promise.all(held.map((end) => end()));
      await server.sql('shop', 'DROP INDEX fresh_id');
    }
  });

  test('WAL that can not be archived is an error', async () => {
    await server.sql('shop', 'CREATE TABLE more (); SELECT pg_switch_wal();');
    const failing = 'SELECT failed_count > 0 FROM pg_stat_archiver';
    for (let tries = 0; tries < 1200 && (await server.sql('shop', failing)) !== 't'; tries++) await sleep(50);
    const result = await health();
    expect(result.outputs.healthy).toBe('false');
    expect(found(result)).toEqual([expect.stringMatching(/^error E_UNHEALTHY: the server cannot archive its WAL/)]);
    expect(result.summary).toContain('`pg_stat_archiver`');
  });
});

describe('replication', () => {
  test('slots, and a standby: how far behind it is', async () => {
    await server.sql('shop', "SELECT pg_create_physical_replication_slot('unused', true)");
    const standby = await server.standby();
    try {
      for (
        let tries = 0;
        tries < 1200 && (await server.sql('shop', 'SELECT count(*) FROM pg_stat_replication')) !== '1';
      )
        await sleep(50 + tries++);
      const of = figures(await health());
      expect(of).toMatchObject({ replicationSlots: 1, inactiveSlots: 1, replicas: 1, standby: false });
      expect(of?.heldWalBytes).not.toBeNull();

      const uri = standby.uri({ database: 'shop', parameters: { target_session_attrs: 'any' } });
      const there = await health({ database: uri });
      expect(figures(there)).toMatchObject({ standby: true });
      expect(figures(there)?.standbyLagSeconds ?? 0).toBeLessThan(300);
    } finally {
      await standby.remove();
      await server.sql('shop', "SELECT pg_drop_replication_slot('unused')");
    }
  });
});

/** A session that stays; resolves to what ends it. */
async function hold(statement: string): Promise<() => Promise<void>> {
  const { spawn } = await import('node:child_process');
  const child = spawn('psql', ['-X', '-A', '-t', server.uri({ database: 'shop' })], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: `${server.clientDirectory}:${process.env.PATH}` },
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve) => {
    child.stdout.once('data', () => resolve());
    child.stdin.write(`${statement};\n`);
  });
  return async () => {
    child.stdin.end();
    await closed;
  };
}
