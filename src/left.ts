import type { Command } from './settings/settings.js';

/**
 * What a run that fails leaves as it was, in a sentence each. The run keeps which of them is true (`Run.left`); every failure ends with it,
 * and none says it in words of its own. `untouched`: it says so of everything in the backup directory.
 */
export const LEFT = {
  'nothing-contacted': { text: 'Nothing was contacted.', untouched: true },
  'nothing-run': { text: 'Nothing was run on the host.', untouched: true },
  'nothing-changed': { text: 'Nothing was changed.', untouched: true },
  'nothing-deleted': { text: 'Nothing was deleted.', untouched: true },
  'nothing-kept': {
    text: 'Nothing was kept, nothing was rotated, and the database was not changed.',
    untouched: true,
  },
  'nothing-restored': { text: 'Nothing was restored, and nothing was changed.', untouched: true },
  'backup-as-it-was': { text: 'Neither the backup nor the live database was touched.', untouched: true },
  'backup-marked': {
    text: 'The backup is now marked as not verified, so rotation does not rely on it; its bytes and the live database were not touched.',
    untouched: false,
  },
  'backup-unknown': {
    text: 'It is unknown whether the new backup was published before the host was lost. If it was, it is complete and verified, and `command: list` shows it. The database was not changed.',
    untouched: false,
  },
  'backup-stays': { text: 'The backup on the host is good and was kept; nothing was rotated.', untouched: false },
  'backup-rotating': {
    text: 'The new backup is good and was kept. Older ones may already have been deleted: `command: list` shows what is there.',
    untouched: false,
  },
  'backup-suspect': { text: 'The new backup was kept, and no good one was deleted.', untouched: false },
  'changed-in-part': {
    text: 'What was done before the failure stays done; `command: list` shows what is there.',
    untouched: false,
  },
  'database-as-it-was': { text: 'The live database is as it was.', untouched: false },
  'database-unknown': {
    text: 'It is unknown whether the live database was already replaced. It is complete either way, and the next run of this action checks it.',
    untouched: false,
  },
  'database-restored': { text: 'The live database is the restored one, and it is complete.', untouched: false },
  'database-rolled-back': { text: 'The live database is as it was before the restore.', untouched: false },
  'database-needs-you': { text: 'The live database is not as it was before the restore.', untouched: false },
} as const satisfies Record<string, { text: string; untouched: boolean }>;

export type Left = keyof typeof LEFT;

/** The same after something else in the backup directory was changed: what said that nothing was is not true any more. */
export const touched = (left: Left): Left => (LEFT[left].untouched ? 'changed-in-part' : left);

/** What is left as it was as long as the command has not begun to change anything. */
export function leftBefore({ command, dryRun }: { command: Command; dryRun: boolean }): Left {
  if (dryRun) return 'nothing-changed';
  if (command === 'backup') return 'nothing-kept';
  if (command === 'restore') return 'nothing-restored';
  if (command === 'verify') return 'backup-as-it-was';
  return command === 'prune' || command === 'delete' ? 'nothing-deleted' : 'nothing-changed';
}
