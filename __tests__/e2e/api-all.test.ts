import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Api, call, endServers, startApi, startServe } from '../helpers/api.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';

let server: Postgres;
let folder: string;
let api: Api;

/** A configuration in which `all: true` stands for each database of a server. */
beforeAll(async () => {
  server = await startPostgres();
  folder = mkdtempSync(join(tmpdir(), 'dbb-api-all-'));
  for (const name of ['one', 'two']) {
    await server.createDatabase(name);
    await server.sql(name, 'CREATE TABLE t (a int); INSERT INTO t VALUES (1)');
  }
  const database = server.uri().replace(/\/postgres$/, '');
  const pg = { all: true, transport: 'local', directory: join(folder, 'backups'), database };
  writeFileSync(join(folder, 'db-backup.yml'), JSON.stringify({ databases: { pg } }));
  api = await startApi(['--config', 'db-backup.yml'], { cwd: folder });
});
afterAll(async () => {
  endServers();
  await server.remove();
  rmSync(folder, { recursive: true });
});

test('a call names one database of the server, and is about that one alone', async () => {
  expect(api.log()).toContain(', for pg-DATABASE');
  for (const query of ['', '?target=pg', '?target=one']) {
    for (const line of ['GET /api/database/backups', 'POST /api/database/backup'] as const) {
      const refused = await call(api.url, `${line}${query}`);
      expect(refused).toMatchObject({
        ...{ status: 422, body: { error_code: 'E_INPUT', message: expect.stringContaining('pg-DATABASE') } },
      });
    }
  }
  const made = await call(api.url, 'POST /api/database/backup?target=pg-one');
  expect(made).toMatchObject({
    status: 200,
    body: { success: true, backup: { id: expect.stringMatching(/^pg-one-/) } },
  });
  const counts = await Promise.all(
    ['pg-one', 'pg-two'].map((name) => call(api.url, `GET /api/database/backups?target=${name}`)),
  );
  expect(counts.map(({ status, body }) => [status, body.count])).toEqual([
    [200, 1],
    [200, 0],
  ]);
  await server.sql('one', 'DELETE FROM t');
  const { filename } = made.body.backup;
  const restored = await call(api.url, 'POST /api/database/restore?target=pg-one', {
    body: { filename, confirm: 'one' },
  });
  expect(restored).toMatchObject({ status: 200, body: { success: true, outcome: 'restored' } });
  expect(await server.sql('one', 'SELECT count(*) FROM t')).toBe('1');
  const none = await call(api.url, 'POST /api/database/backup?target=pg-none');
  expect(none).toMatchObject({ body: { success: false, error_code: 'E_SOURCE_MISSING' } });
});

test('what would be that of each of them keeps it from starting', async () => {
  const { ended, log } = startServe(['--config', 'db-backup.yml', '--name', 'x'], { cwd: folder });
  expect(await ended).toBe(2);
  expect(log()).toMatch(/E_INPUT: name: it would be that of each of pg-DATABASE: leave it to/);
});
