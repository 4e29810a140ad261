import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { until } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { reportOf, type Scene } from '../helpers/scene.js';

// docs/managed-databases.md: a database without a host to log in to. Every run is on another machine, with an empty disk; only the server
// and the store stay.

let s3: S3Double;
let server: Postgres;
let scene: Scene;
let tools: string;
let run = 0;
beforeAll(async () => {
  tools = mkdtempSync(join(tmpdir(), 'dbb-runner-'));
  chmodSync(tools, 0o755);
  [s3, server] = await Promise.all([startS3Double(), startPostgres()]);
  await server.createRole('app', 'secret', 'CREATEDB');
  await server.createDatabase('shop', 'OWNER app');
  await server.sql('shop', 'CREATE TABLE orders (i integer); ALTER TABLE orders OWNER TO app');
  scene = await startPostgresScene(server, 'shop', {
    path: `${tools}:${server.clientDirectory}:/usr/local/bin:/usr/bin:/bin`,
  });
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
  await s3?.stop();
  rmSync(tools, { recursive: true, force: true });
});

/** One job: a new name of the machine, and an empty directory. */
function job(inputs: Record<string, string>) {
  run += 1;
  const uname = join(tools, 'uname');
  writeFileSync(uname, `#!/bin/sh\n[ "$1" = -n ] && { echo runner-${run}; exit; }\nexec /bin/uname "$@"\n`);
  chmodSync(uname, 0o755);
  return scene.run({ ...s3.inputs, directory: join(scene.user.home, `empty-${run}`), 's3-keep': '2', ...inputs });
}

/** As a service calls it, by a name that is not of this machine; `hostaddr` leads here. */
const endpoint = (user: string, password: string): string =>
  server
    .uri({ database: 'shop', user, password, parameters: { hostaddr: '127.0.0.1' } })
    .replace('@127.0.0.1:', '@ep-shop.example.com:');

test.each([
  ['tells', 'GRANT'],
  ['does not tell', 'REVOKE'],
])(
  'rotated in the store, listed, proven and restored from there, by ever new machines; the server %s its number',
  async (_, may) => {
    const prefix = may.toLowerCase();
    for (const name of ['postgres', 'shop']) {
      await server.sql(
        name,
        `${may} EXECUTE ON FUNCTION pg_control_system() ${may === 'GRANT' ? 'TO' : 'FROM'} PUBLIC`,
      );
    }
    const inputs = { database: endpoint('app', 'secret'), 's3-prefix': prefix };
    await server.sql('shop', 'TRUNCATE orders; INSERT INTO orders SELECT generate_series(1, 1000)');
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      const second = Math.floor(Date.now() / 1000);
      const made = await job(inputs);
      await until(() => Math.floor(Date.now() / 1000) > second); // ids of one second have no order
      ids.push(expectBackup(made));
      expect(reportOf(made).problems).toEqual([]);
    }
    const listed = reportOf(await job({ ...inputs, command: 'list', 's3-keep': '' }));
    expect(listed.problems).toEqual([]);
    expect(listed.backups.map(({ id }) => id)).toEqual([ids[2], ids[1]]);

    const verified = await job({
      ...{ ...inputs, command: 'verify', 's3-keep': '' },
      ...{ verify: 'restore', assert: 'SELECT count(*) = 1000 FROM orders' },
    });
    expect(expectBackup(verified)).toBe(ids[2]);

    await server.sql('shop', 'DELETE FROM orders WHERE i > 10');
    const fewer = await job({ ...inputs, 'on-row-loss': 'fail' });
    expect(fewer.outputs).toMatchObject({ 'backup-ok': 'false', 'error-code': 'E_SHRUNK' });

    const restored = await job({ ...inputs, command: 'restore', 's3-keep': '', confirm: 'shop' });
    expect(restored.outputs).toMatchObject({ 'restore-outcome': 'restored', 'backup-id': ids[2] });
    expect(await server.sql('shop', 'SELECT count(*) FROM orders')).toBe('1000');
    // it undoes nothing in the next job
    const note = 'The safety backup is on this machine alone. If this is a runner that is thrown away after the job,';
    expect(restored.summary.split('### How to undo this restore')[1]).toContain(note);
    expect(restored.visible).toContain(`  dry-run: false\nnote: ${note}`);
  },
);
