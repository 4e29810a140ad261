import { existsSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { startPhysical } from './physical.js';
import { leftAfter, processesMentioning } from './processes.js';

test('a cluster that archives into a repository of its own, and goes without a trace', async () => {
  const physical = await startPhysical();
  try {
    await physical.backrest('check');
    expect(await physical.backrest('backup')).toBe('');
    const [info] = JSON.parse(await physical.backrest('info', '--output=json'));
    expect(info).toMatchObject({ name: physical.stanza, backup: [{ type: 'full' }], status: { code: 0 } });
    expect(await physical.sql('SHOW track_commit_timestamp')).toBe('on');
    expect(physical.postmaster()).toBe(physical.server.pid);
  } finally {
    await physical.remove();
  }
  expect(existsSync(physical.directory)).toBe(false);
  expect(existsSync(`/etc/pgbackrest/conf.d/${physical.stanza}.conf`)).toBe(false);
  expect(await leftAfter(() => processesMentioning(physical.directory))).toEqual([]);
});
