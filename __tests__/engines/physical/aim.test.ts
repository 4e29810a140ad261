import { expect, test } from '@jest/globals';
import type { Backup } from '../../../src/backups/catalogue.js';
import { physicalRepository } from '../../../src/engines/physical/repository.js';
import type { PhysicalSource } from '../../../src/engines/physical/source.js';
import { Facts } from '../../../src/host/facts.js';
import { INFO_2_45 } from './sample.js';
import { failureOf } from './thrown.js';

const [{ name, db, backup: sets }] = JSON.parse(INFO_2_45.replace(/("system-id": ?)(\d+)/g, '$1"$2"'));
const repository = physicalRepository({ stanza: name, given: 'postgresql:///x' } as PhysicalSource);

/** A live cluster of a timeline, beside an archive that has its first and its second one. */
function lookAt(timeline: number, systemIdentifier: string): Facts {
  const facts = new Facts();
  facts.add('sets', INFO_2_45);
  facts.add('segment_bytes', String(16 << 20));
  facts.add('timeline', String(timeline));
  facts.add('system_identifier', systemIdentifier);
  facts.add('wal', '15-1 000000010000000000000002 000000010000000000000020 1796093000 1796093900');
  return facts;
}

const backups = (...states: Backup['state'][]): Backup[] =>
  states.map(
    (state, index) => ({ id: `backup-${index}`, state, manifest: { set: { label: sets[index].label } } }) as Backup,
  );

const about = { backup: null, restoreTime: 'latest', now: new Date() } as const;

test('the timeline of a data directory of another cluster means nothing', () => {
  const own = lookAt(1, db[0]['system-id']);
  expect(repository.aim(own, { ...about, backups: backups('ok', 'ok') })).toMatchObject({
    ...{ backup: { id: 'backup-1' }, aim: { type: 'default', timeline: '1' } },
  });
  const foreign = lookAt(7, '7000000000000000001');
  expect(repository.aim(foreign, { ...about, backups: backups('ok', 'ok') }).aim.timeline).toBe('1');
  expect(repository.window(foreign)).toEqual(repository.window(own));
});

test('a backup that nobody has verified is not taken by itself, and named instead', () => {
  const facts = lookAt(1, db[0]['system-id']);
  expect(repository.aim(facts, { ...about, backups: backups('ok', 'unverified') }).backup.id).toBe('backup-0');
  const { code, message, hint } = failureOf(() =>
    repository.aim(facts, { ...about, backups: backups('unverified', 'damaged') }),
  );
  expect(code).toBe('E_NOT_FOUND');
  expect(message).toContain('backup-0 does, which was never verified');
  expect(hint).toContain('`backup: backup-0`');
  const none = failureOf(() => repository.aim(facts, { ...about, backups: backups('damaged') }));
  expect(none.hint).toContain('there is no moment to recover to');
  const [named] = backups('unverified');
  expect(repository.aim(facts, { ...about, backup: named ?? null, backups: backups('unverified') }).backup.id).toBe(
    'backup-0',
  );
});
