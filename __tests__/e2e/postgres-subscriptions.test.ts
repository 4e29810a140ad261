import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { expectRestored, leftDatabases } from '../helpers/postgres-restores.js';
import { sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';

// A database with a subscription can not be dropped: not the one of a rehearsal, and not the one that was replaced.

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('app');
  await server.sql(
    'app',
    `CREATE TABLE t AS SELECT 1 AS i; CREATE PUBLICATION p FOR TABLE t;
     CREATE SUBSCRIPTION "odd ""; name" CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = 'fed')`,
  );
  scene = await startPostgresScene(server, 'app');
});
afterAll(async () => {
  // nor can the cluster be stopped in time with one that tries to connect
  await server?.sql(
    'app',
    `ALTER SUBSCRIPTION "odd ""; name" SET (slot_name = NONE); DROP SUBSCRIPTION "odd ""; name"`,
  );
  await scene?.stop();
  await server?.remove();
});

test.each(sample(['custom', 'plain', 'directory'], 1))(
  'in the format %s nothing is left on the server',
  async (format) => {
    const id = expectBackup(await scene.run({ 'dump-format': format, verify: 'restore' }));
    expect(await leftDatabases(server)).toBe('');
    const restore = { command: 'restore', backup: id, confirm: 'app' };
    for (const enabled of [false, true]) {
      if (enabled) await server.sql('app', `ALTER SUBSCRIPTION "odd ""; name" ENABLE`);
      const result = await scene.run(restore);
      await expectRestored(scene, server, result);
      expect(result.annotations.map(({ message }) => message).join()).not.toContain('could not be dropped');
      expect(await server.sql('app', 'SELECT subname, subenabled FROM pg_subscription')).toBe('odd "; name|f');
    }
    const failing = await scene.run({ ...restore, 'check-command': 'false' });
    expect(failing.outputs).toMatchObject({ 'restore-outcome': 'rolled-back' });
    expect(await leftDatabases(server)).toBe('');
  },
);
