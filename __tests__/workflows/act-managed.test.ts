import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { type Ran, runExample } from './act.js';
import { notRun, script } from './tools.js';
import { textOf } from './workflow-files.js';

const act = script('workflow-tools.sh', ['--cached', 'act']);
if (act.status === 3) notRun('managed-database.yml, run by act', act.said);
else if (act.status !== 0) throw new Error(act.said);
else describe('managed-database.yml, run by act', managed);

function managed(): void {
  let server: Postgres;
  let s3: S3Double;
  beforeAll(async () => {
    [server, s3] = await Promise.all([startPostgres(), startS3Double()]);
    await server.createDatabase('shop');
    await server.sql('shop', 'CREATE TABLE orders AS SELECT i FROM generate_series(1, 100) i');
  });
  afterAll(async () => {
    await server?.remove();
    await s3?.stop();
  });

  const orders = () => server.sql('shop', 'SELECT count(*) FROM orders');

  function run(inputs: Record<string, string> = {}): Promise<Ran> {
    const { inputs: store } = s3;
    const client = /run: \|\n {10}sudo apt[\s\S]*?postgresql-client-17\n/.exec(textOf('examples/managed-database.yml'));
    return runExample(act.said, {
      example: 'managed-database.yml',
      event: 'workflow_dispatch',
      inputs,
      vars: {},
      secrets: {
        DATABASE_URL: server
          .uri({ database: 'shop', parameters: { hostaddr: '127.0.0.1' } })
          .replace('@127.0.0.1:', '@ep-shop.example.com:'),
        S3_ACCESS_KEY_ID: store['s3-access-key-id'] ?? '',
        S3_SECRET_ACCESS_KEY: store['s3-secret-access-key'] ?? '',
      },
      changes: {
        [client?.[0] ?? 'the client']: 'run: "true"\n',
        's3-bucket: shop-backups\n': `s3-bucket: ${store['s3-bucket']}\n          s3-endpoint: ${store['s3-endpoint']}\n`,
        's3-region: eu-central-1': `s3-region: ${store['s3-region'] ?? 'us-east-1'}`,
      },
    });
  }

  test('backs up; by the form it plans, then restores what the state before can be undone with', async () => {
    const first = await run();
    expect({ code: first.code, log: first.code === 0 ? '' : first.log }).toEqual({ code: 0, log: '' });
    const id = /published (shop-\S+)/.exec(first.log)?.[1] ?? '';
    expect(id).not.toBe('');

    await server.sql('shop', 'DELETE FROM orders WHERE i > 90');
    const plan = await run({ restore: id });
    expect({ code: plan.code, log: plan.code === 0 ? '' : plan.log }).toEqual({ code: 0, log: '' });
    expect([plan.log.includes('orders: 90 live, 100 in the backup'), await orders()]).toEqual([true, '90']);

    const done = await run({ restore: id, confirm: 'shop' });
    expect({ code: done.code, log: done.code === 0 ? '' : done.log }).toEqual({ code: 0, log: '' });
    expect(await orders()).toBe('100');

    const before = /published (shop-\S+)/.exec(done.log)?.[1] ?? '';
    const undone = await run({ restore: before, confirm: 'shop' });
    expect({ code: undone.code, log: undone.code === 0 ? '' : undone.log }).toEqual({ code: 0, log: '' });
    expect(await orders()).toBe('90');
  });
}
