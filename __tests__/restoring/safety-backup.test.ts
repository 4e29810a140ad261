import { expect, test } from '@jest/globals';
import type { Backup } from '../../src/backups/catalogue.js';
import type { Manifest } from '../../src/backups/manifest.js';
import { backupOf } from '../../src/making/new-manifest.js';
import { outlived } from '../../src/restoring/safety-backup.js';
import { idAt, manifestOf } from '../backups/sample-backups.js';

const AT = '2026-11-20T10:15:00Z';
const ours = { reason: 'before the restore', at: AT, by: 'restore' as const };

/** A backup of that minute. */
function at(minute: number, change: Partial<Manifest>): Backup {
  return backupOf(manifestOf(idAt(`2026-11-20T10:${String(minute).padStart(2, '0')}:00Z`), change));
}
const safety = (minute: number, pinned: Manifest['pinned'] = ours): Backup => at(minute, { reason: 'safety', pinned });
const minutes = (backups: Backup[]): number[] =>
  backups.map(({ manifest }) => new Date(manifest.createdAt).getUTCMinutes()).sort((one, other) => one - other);

test.each([
  ['none', [], []],
  ['two, which with the one that is made are three', [safety(1), safety(2)], []],
  ['three', [safety(3), safety(1), safety(2)], [1]],
  ['five', [safety(1), safety(2), safety(3), safety(4), safety(5)], [1, 2, 3]],
  ['one that is not pinned any more', [safety(1, null), safety(2), safety(3)], [1]],
  ['one that a person has pinned', [safety(1, { reason: 'evidence', at: AT }), safety(2), safety(3), safety(4)], [2]],
  ['one that was pinned before a loss of rows', [safety(1, { ...ours, by: 'row-loss' }), safety(2), safety(3)], []],
  [
    'others, which are not for a restore to delete',
    [at(1, { reason: 'manual' }), at(2, { pinned: ours }), safety(3)],
    [],
  ],
])('of the safety backups those beyond the last three go: %s', (_, backups, gone) => {
  expect(minutes(outlived(backups))).toEqual(gone);
});
