import type { Command } from './settings/settings.js';

/**
 * What a run that fails leaves as it was, in a sentence each. The run keeps which of them is true (`Run.left`); every failure ends with it,
 * and none says it in words of its own.
 */
export const LEFT = {
  'nothing-contacted': 'Nothing was contacted.',
  'nothing-run': 'Nothing was run on the host.',
  'nothing-changed': 'Nothing was changed.',
  'nothing-deleted': 'Nothing was deleted.',
  'nothing-kept': 'Nothing was kept, nothing was rotated, the database was not changed.',
  'nothing-restored': 'Nothing was restored, nothing was changed.',
  'backup-as-it-was': 'The backup was left as it is, and the live database was not touched.',
  'backup-marked':
    'The backup is recorded as not verified, so no rotation relies on it; its bytes and the live database were not touched.',
  'backup-unknown':
    'Whether the new backup was published before the host was lost is not known: when it was, it is complete and proven, and `command: list` shows it. The database was not changed.',
  'backup-stays': 'The backup on the host is good and stays; nothing was rotated.',
  'backup-rotating':
    'The new backup is good and was kept. Older ones may have been deleted before that: `command: list` shows what is there.',
  'backup-suspect': 'The new backup stays, and no good one was deleted.',
  'changed-in-part': 'What had been done before that stays done; `command: list` shows what is there.',
  'database-as-it-was': 'The live database is as it was.',
  'database-unknown':
    'Whether the live database was already replaced is not known: it is whole in any case, and the next run of this action looks at it.',
  'database-restored': 'The live database is the restored one, whole.',
  'database-rolled-back': 'The live database is as it was before the restore.',
  'database-needs-you': 'The live database is not as it was before the restore.',
} as const satisfies Record<string, string>;

export type Left = keyof typeof LEFT;

/** The same after something else in the backup directory was changed: what said that nothing was is not true any more. */
export const touched = (left: Left): Left => (/^(nothing-|backup-as-it-was$)/.test(left) ? 'changed-in-part' : left);

/** What is left as it was as long as the command has not begun to change anything. */
export function leftBefore({ command, dryRun }: { command: Command; dryRun: boolean }): Left {
  if (dryRun) return 'nothing-changed';
  if (command === 'backup') return 'nothing-kept';
  if (command === 'restore') return 'nothing-restored';
  if (command === 'verify') return 'backup-as-it-was';
  return command === 'prune' || command === 'delete' ? 'nothing-deleted' : 'nothing-changed';
}
