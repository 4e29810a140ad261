import { platform } from '../platform/platform.js';
import { counted, formatBytes } from './format.js';
import type { Report, RestoreReport } from './report.js';
import { inputLines } from './restore-summary.js';
import { verdict } from './verdict.js';

/** With what the log ends, outside of any group: how to undo a restore, what to type after its plan, and what came of a run that is well, in one line. */
export function lastLines(report: Report): string[] {
  return [
    ...(report.restore === null ? [] : undoing(report.restore)),
    ...(report.restore === null ? [] : goingOn(report.restore)),
    ...(report.ok ? [verdictLine(report)] : []), // the annotation of a failure is its verdict
  ];
}

function undoing({ undo, undoNote }: RestoreReport): string[] {
  if (undo === null) return [];
  const hand = platform().byHand;
  const lines =
    hand === null
      ? [
          'to undo this restore, start your restore workflow again with these values in its form, or as inputs with `command: restore`:',
          ...inputLines(undo).map(indented),
        ]
      : ['to undo this restore:', indented(hand.typed({ command: 'restore', ...undo }))];
  return undoNote === null ? lines : [...lines, `note: ${undoNote}`];
}

function goingOn({ next }: RestoreReport): string[] {
  if (next === null) return [];
  const hand = platform().byHand;
  if (hand === null) {
    return [
      'to restore exactly this backup, run again with these inputs, and leave the others as they are:',
      ...inputLines(next).map(indented),
    ];
  }
  return hand.asksNext
    ? []
    : ['to restore exactly this backup:', indented(hand.typed({ command: 'restore', ...next }))];
}

const indented = (line: string): string => `  ${line}`;

function verdictLine(report: Report): string {
  const { icon, text } = verdict(report, (name) => name);
  const { command, dryRun, skipped, backup, name, kept, deleted, s3, problems } = report;
  if (command !== 'backup' || dryRun || skipped !== null || backup === null) return `${icon} ${text}`;
  const more = [
    `verified: ${backup.verifiedLevel}`,
    `${kept} kept`,
    `${deleted} deleted`,
    ...(s3 === null ? [] : [`in S3 ${s3.backups} kept, ${s3.deleted} deleted`]),
    ...(problems.length === 0 ? [] : [`with ${counted(problems.length, 'problem')}`]),
  ];
  return `${icon} Backup ${backup.id} of ${name}: ${formatBytes(backup.bytes)}, ${more.join(', ')}`;
}
