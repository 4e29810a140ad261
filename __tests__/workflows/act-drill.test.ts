import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import type { Scene } from '../helpers/scene.js';
import { type Ran, runExample } from './act.js';
import { notRun, script } from './tools.js';
import { textOf } from './workflow-files.js';

const act = script('workflow-tools.sh', ['--cached', 'act']);
if (act.status === 3) notRun('the drill, run by act', act.said);
else if (act.status !== 0) throw new Error(act.said);
else describe('drill.yml, run by act', drill);

function drill(): void {
  let production: Postgres;
  /** In the place of the service container, for which act needs Docker. */
  let service: Postgres;
  let scene: Scene;
  beforeAll(async () => {
    [production, service] = await Promise.all([startPostgres(), startPostgres()]);
    await production.createDatabase('shop');
    await production.sql(
      'shop',
      `CREATE TABLE users AS SELECT 1 AS id;
       CREATE TABLE orders AS SELECT now() AS created_at`,
    );
    scene = await startPostgresScene(production, 'shop', { transport: 'ssh' });
  });
  afterAll(async () => {
    await scene?.stop();
    await Promise.all([production?.remove(), service?.remove()]);
  });

  /** Between two texts of the example, with both. */
  function part(from: string, to: string): string {
    const text = textOf('examples/drill.yml');
    const begin = text.indexOf(from);
    const end = text.indexOf(to, begin);
    if (begin < 0 || end < 0) throw new Error(`drill.yml has no ${from} and ${to}`);
    return text.slice(begin, end + to.length);
  }

  function run(): Promise<Ran> {
    const { inputs } = scene;
    return runExample(act.said, {
      example: 'drill.yml',
      event: 'schedule',
      vars: { DB_HOST: inputs.host ?? '', DB_KNOWN_HOSTS: inputs['known-hosts'] ?? '' },
      secrets: { DB_SSH_KEY: inputs.key ?? '', DATABASE_URL: production.uri({ database: 'shop' }) },
      changes: {
        [part('    services:\n', '--health-retries 10\n')]: '',
        [part('run: |\n          sudo apt', 'postgresql-client-17\n')]: 'run: "true"\n',
        'postgresql://postgres:drill@localhost:5432/postgres': service.uri(),
        'username: deploy\n': `username: ${inputs.username}\n          port: ${inputs.port}\n`,
      },
    });
  }

  test('red without a backup; green when it can be restored and the asserts are true; red when one is not', async () => {
    const none = await run();
    expect(none.code).not.toBe(0);
    expect(none.log).toContain('E_STALE');

    expectBackup(await scene.run({ name: 'shop' }));
    const good = await run();
    expect({ code: good.code, log: good.code === 0 ? '' : good.log }).toEqual({ code: 0, log: '' });
    expect(service.log()).toContain('database=db_backup');
    expect(await service.sql('postgres', 'SELECT datname FROM pg_database ORDER BY 1')).toBe(
      'postgres\ntemplate0\ntemplate1',
    );

    await production.sql('shop', 'TRUNCATE users');
    expectBackup(await scene.run({ name: 'shop' }));
    const bad = await run();
    expect(bad.code).not.toBe(0);
    expect(bad.log).toContain('E_ASSERT');
  });
}
