import { describe, expect, test } from '@jest/globals';
import { LEFT } from '../../src/left.js';
import type { Report, RestoreReport } from '../../src/reporting/report.js';
import { leftUntouched, verdict } from '../../src/reporting/verdict.js';
import { failedReport, sampleBackup, sampleReport, sampleRestore } from './sample-report.js';

const ID = sampleBackup().id;
const warning = { level: 'warning', message: 'clock is off' } as const;

function told(report: Report): string {
  const { icon, text } = verdict(report, (name) => `<${name}>`);
  return `${icon} ${text}`;
}

describe('verdict of a run that is well', () => {
  test.each<[Partial<Report>, string]>([
    [{}, '✅ Backup of <app> is good: content verified'],
    [{ name: '' }, '✅ Backup is good: content verified'],
    [{ backup: sampleBackup(0, { verifiedLevel: 'checksum' }) }, '✅ Backup of <app> is good: checksum verified'],
    [{ backup: sampleBackup(0, { verifiedLevel: 'none' }) }, '⚠️ Backup of <app> was made, but is not verified'],
    [{ problems: [warning] }, '⚠️ Backup of <app> is good: content verified, with 1 problem'],
    [{ notes: ['rows of 3 tables were not counted'] }, '✅ Backup of <app> is good: content verified'],
    [{ backup: null }, '⚠️ No backup of <app> was made'],
    [
      { skipped: 'younger than 1 h', newestAgeSeconds: 600 },
      '✅ An existing backup of <app> is young enough, 10 minutes old: content verified',
    ],
    [{ dryRun: true }, '⚠️ Dry run, nothing was changed: no backup of <app> was taken, 1 would be deleted, 6 kept'],
    [
      { dryRun: true, checked: [{ what: 'Login', found: 'deploy' }] },
      '⚠️ Dry run, nothing was changed: everything that a backup of <app> needs is in place, 1 would be deleted, 6 kept',
    ],
    [{ dryRun: true, retention: [] }, '⚠️ Dry run, nothing was changed: no backup of <app> was taken'],
    [
      { dryRun: true, skipped: 'x' },
      '⚠️ Dry run, nothing was changed: no backup of <app> would be taken, because one is young enough',
    ],
    [{ command: 'list' }, '✅ 7 backups of <app>, the newest is 2 seconds old'],
    [{ command: 'list', backups: [], newestAgeSeconds: null }, '⚠️ There is no backup of <app>'],
    [
      { command: 'list', backups: [sampleBackup(0, { state: 'damaged' })], newestAgeSeconds: null },
      '⚠️ 1 backup of <app>, 1 not verified',
    ],
    [
      {
        command: 'list',
        backups: (['ok', 'suspect', 'unsigned', 'forged', 'forged', 'future', 'unverified'] as const).map(
          (state, age) => sampleBackup(age, { state }),
        ),
      },
      '⚠️ 7 backups of <app>, 1 suspect, 2 not verified, 1 unsigned, 2 forged, the newest is 2 seconds old',
    ],
    [{ command: 'list', dryRun: true }, '⚠️ Dry run, nothing was changed: 7 backups of <app>'],
    [{ command: 'prune' }, '✅ Retention of <app>: 1 deleted, 6 kept'],
    [
      { command: 'prune', dryRun: true },
      '⚠️ Dry run, nothing was changed: of the backups of <app>, 1 would be deleted, 6 kept',
    ],
    [{ command: 'delete' }, `✅ Deleted backup <${ID}> of <app>`],
    [{ command: 'delete', dryRun: true }, `⚠️ Dry run, nothing was changed: <${ID}> would be deleted`],
    [{ command: 'pin' }, `✅ Pinned backup <${ID}> of <app>: retention leaves it alone`],
    [{ command: 'pin', dryRun: true }, `⚠️ Dry run, nothing was changed: <${ID}> would be pinned`],
    [{ command: 'unpin' }, `✅ Unpinned backup <${ID}> of <app>: retention may delete it`],
    [{ command: 'unpin', dryRun: true }, `⚠️ Dry run, nothing was changed: <${ID}> would be unpinned`],
    [{ command: 'restore', restore: sampleRestore() }, `✅ Restored <${ID}>`],
    [
      { command: 'restore', dryRun: true, restore: sampleRestore() },
      `⚠️ Dry run, nothing was changed: <${ID}> would be restored to <app>`,
    ],
  ])('%j', (changes, expected) => {
    expect(told(sampleReport(changes))).toBe(expected);
  });
});

describe('verdict of a restore that failed', () => {
  test.each<[RestoreReport['outcome'], string]>([
    ['unchanged', 'the live database is unchanged'],
    ['rolled-back', 'the live database was rolled back to its state before'],
    ['rollback-failed', 'rollback failed: the live database needs manual repair'],
    ['restored', 'the live database is the restored one, but a later step did not finish'],
    ['', 'it is unknown whether the live database was replaced'],
  ])('%s', (outcome, text) => {
    const report = failedReport({ command: 'restore', errorCode: 'E_RESTORE', restore: sampleRestore({ outcome }) });
    expect(told(report)).toMatch(new RegExp(`^❌ Restore of <app> failed \\(E_RESTORE\\); ${text}$`));
    expect(leftUntouched(report)).toContain(sampleRestore().safetyBackupId);
  });
});

describe('verdict of a failure', () => {
  test.each<[Partial<Report>, string]>([
    [{}, '❌ Backup of <app> failed: E_NOSPACE'],
    [{ name: '', errorCode: 'E_INPUT' }, '❌ Backup failed: E_INPUT'],
    [
      {
        name: '',
        errorCode: 'E_INPUT',
        error: {
          message: 'command: expected one of backup, health, got "heatlh"\nkeep: x',
          hint: '',
          left: 'nothing-contacted',
        },
      },
      '❌ The input "command" is wrong: E_INPUT',
    ],
    [{ errorCode: '' }, '❌ Backup of <app> failed: E_INTERNAL'],
    [{ dryRun: true }, '❌ Dry run: Backup of <app> failed: E_NOSPACE'],
    [{ backup: sampleBackup(), errorCode: 'E_ROTATE' }, '❌ Backup of <app> was made, but the run failed: E_ROTATE'],
    [{ command: 'list' }, '❌ Listing the backups of <app> failed: E_NOSPACE'],
    [{ command: 'prune', errorCode: 'E_POLICY' }, '❌ Retention of <app> failed: E_POLICY'],
    [{ command: 'delete', backup: sampleBackup() }, '❌ Deleting a backup of <app> failed: E_NOSPACE'],
    [{ command: 'pin' }, '❌ Pinning a backup of <app> failed: E_NOSPACE'],
    [{ command: 'unpin' }, '❌ Unpinning a backup of <app> failed: E_NOSPACE'],
  ])('%j', (changes, expected) => {
    expect(told(failedReport(changes))).toBe(expected);
  });
});

describe('leftUntouched', () => {
  const kept = LEFT['nothing-kept'].text;

  test.each<[Partial<Report>, string]>([
    [{}, kept],
    [{ dryRun: true }, 'Everything: this was a dry run.'],
    [{ deleted: 2 }, `${kept} 2 backups had been deleted before the failure.`],
  ])('%j', (changes, expected) => {
    expect(leftUntouched(failedReport(changes))).toBe(expected);
  });

  test('nobody has said so: it claims nothing', () => {
    expect(leftUntouched(failedReport({ error: null }))).toBe(LEFT['changed-in-part'].text);
  });
});
