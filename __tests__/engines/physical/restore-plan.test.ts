import { expect, test } from '@jest/globals';
import { physicalRestoring } from '../../../src/engines/physical/restore.js';
import type { PhysicalSource } from '../../../src/engines/physical/source.js';
import type { Dump } from '../../../src/engines/restoring.js';
import { Facts } from '../../../src/host/facts.js';
import { parseRestoreTime } from '../../../src/settings/restore-time.js';
import type { Settings } from '../../../src/settings/settings.js';
import { INFO_2_45 } from './sample.js';

const [{ name, db, backup: sets }] = JSON.parse(INFO_2_45.replace(/("system-id": ?)(\d+)/g, '$1"$2"'));
const restoring = physicalRestoring({ stanza: name, given: 'postgresql:///x' } as PhysicalSource);
const moment = parseRestoreTime('2026-12-01T02:50:00Z');
const settings = { restoreTime: moment, minFreeBytes: 0, runAs: 'postgres' } as Settings;
const dump = {
  file: 'x',
  manifest: { set: { label: sets[0].label, log: { to: sets[0].archive.stop } }, verified: { level: 'restore' } },
  aim: { type: 'time', target: moment === 'latest' ? '' : moment.text, timeline: '1', past: '1' },
} as unknown as Dump;

function planWith(told: Record<string, string>) {
  const facts = new Facts();
  for (const [key, value] of Object.entries({
    ...{ sets: INFO_2_45, segment_bytes: String(16 << 20), timeline: '1', cluster: '/data', cluster_version: '15' },
    ...{ cluster_kib: '1000', room: '1000 1000000 /data', server_running: '1', system_identifier: db[0]['system-id'] },
    wal: '15-1 000000010000000000000002 000000010000000000000020 1796093000 1796096000',
    ...told,
  })) {
    if (value !== '') facts.add(key, value);
  }
  return restoring.plan(settings, facts, dump);
}

test('says how many transactions would be lost, as far as the server has their WAL', () => {
  expect(planWith({}).differences.at(-1)).toMatch(/ of work$/);
  expect(planWith({ lost_commits: '1' }).differences.at(-1)).toMatch(/ of work, 1 transaction$/);
  expect(planWith({ lost_commits: '12', lost_more: '1' }).differences.at(-1)).toMatch(/, at least 12 transactions$/);
});

test('names a cluster that is another one than that of the repository', () => {
  expect(planWith({}).differences.join()).not.toContain('another cluster');
  expect(planWith({ system_identifier: '7000000000000000001' }).differences).toContainEqual(
    expect.stringContaining('the data directory holds another cluster (system identifier 7000000000000000001)'),
  );
});

test('a damaged data directory is replaced like a sound one, and says so', () => {
  expect(planWith({}).state).toBe('sound');
  expect(planWith({ cluster_damaged: 'torn', system_identifier: '' }).state).toBe('damaged');
});

test('hands the server back to systemd by stopping it first', () => {
  const { remarks } = planWith({
    unit: 'postgresql@15-main.service',
    unit_stop: '/usr/lib/postgresql/15/bin/pg_ctl stop -D /data -m fast',
  });
  expect(remarks.join()).toContain(
    "sudo -u 'postgres' /usr/lib/postgresql/15/bin/pg_ctl stop -D /data -m fast` and then `sudo systemctl start postgresql@15-main.service`",
  );
});
