import { hostname } from 'node:os';
import { expect, test } from '@jest/globals';
import { targetOf } from '../../src/ledger/keeper.js';

type Target = Parameters<typeof targetOf>[0];

const targetAt = (transport: object): string =>
  targetOf({
    settings: { transport, name: 'app', directory: '/srv/backups', database: { engine: 'sqlite' } },
    database: { restoring: { targetName: '/srv/app.db' } },
  } as unknown as Target);

test('with `transport: local` the ledger is the same whatever the runner is called; another host is another one', () => {
  expect(targetAt({ transport: 'local' })).toBe('["sqlite","app","/srv/app.db","/srv/backups"]');
  expect(targetAt({ transport: 'local' })).not.toContain(hostname());
  const ssh = { transport: 'ssh', host: 'db.example.org', port: 22, jump: null };
  expect(targetAt(ssh)).not.toBe(targetAt({ transport: 'local' }));
  expect(targetAt(ssh)).not.toBe(targetAt({ ...ssh, host: 'db-2.example.org' }));
});
