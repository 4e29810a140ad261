import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import type { Scene } from '../helpers/scene.js';

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  scene = await startPostgresScene(server, 'dots', { transport: 'local' });
  await server.createDatabase('dots');
  await server.sql(
    'dots',
    `CREATE SCHEMA a; CREATE SCHEMA "a.x"; CREATE SCHEMA "q"".";
     CREATE TABLE "q""."."t.""" AS SELECT 1 AS i;
     CREATE TABLE "a.x".c AS SELECT generate_series(1, 2) AS i;
     CREATE TABLE a."x.c" AS SELECT generate_series(1, 3) AS i`,
  );
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
});

const rows = () =>
  server.sql(
    'dots',
    `SELECT (SELECT count(*) FROM "a.x".c), (SELECT count(*) FROM a."x.c"), (SELECT count(*) FROM "q""."."t.""")`,
  );

test('tables whose names differ in where their dots belong are told apart, proven and restored, in either way', async () => {
  const id = expectBackup(await scene.run({ verify: 'restore' }));
  const { tables } = scene.manifest(id).content as { tables: { name: string; rows: number }[] };
  expect(Object.fromEntries(tables.map(({ name, rows }) => [name, rows]))).toEqual({
    '"a.x".c': 2,
    'a."x.c"': 3,
    '"q""."."t."""': 1,
  });
  const before = await rows();
  for (const way of ['swap', 'in-place']) {
    await server.sql('dots', 'DELETE FROM "a.x".c');
    const restored = await scene.run({
      command: 'restore',
      backup: id,
      confirm: 'dots',
      'restore-way': way,
      'safety-backup': 'false',
    });
    expect(restored.outputs).toMatchObject({ 'error-code': '', 'restore-outcome': 'restored' });
    expect(await rows()).toBe(before);
  }
});
