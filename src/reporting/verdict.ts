import type { VerifiedLevel } from '../backups/manifest.js';
import type { Decision } from '../backups/retention.js';
import { LEFT } from '../left.js';
import type { Command } from '../settings/settings.js';
import { counted, formatAge } from './format.js';
import { backupOk } from './outputs.js';
import type { BackupFacts, Problem, Report, RestoreReport } from './report.js';

export interface Verdict {
  icon: '✅' | '⚠️' | '❌';
  /** One sentence without a full stop. */
  text: string;
}

/**
 * What came of the run, in one sentence. `quote` marks names: it gets them as they are and returns what may be shown.
 * A tick stands only where a backup counts, or the command did all that it was asked for, without a warning.
 */
export function verdict(report: Report, quote: (name: string) => string): Verdict {
  const of = report.name === '' ? '' : ` of ${quote(report.name)}`;
  if (!report.ok) return { icon: '❌', text: (report.dryRun ? 'Dry run: ' : '') + failure(report, of) };
  if (report.dryRun) return { icon: '⚠️', text: `Dry run, nothing was changed: ${intention(report, of, quote)}` };
  const { good, text } = success(report, of, quote);
  const problems = report.problems.length;
  return {
    icon: good && problems === 0 ? '✅' : '⚠️',
    text: problems === 0 ? text : `${text}, with ${counted(problems, 'problem')}`,
  };
}

const ATTEMPTS: Record<Command, (of: string) => string> = {
  backup: (of) => `Backup${of}`,
  restore: (of) => `Restore${of}`,
  verify: (of) => `Verification of a backup${of}`,
  list: (of) => `Listing the backups${of}`,
  health: (of) => `Health check${of}`,
  doctor: (of) => `Check of the requirements for backups${of}`,
  accept: (of) => `Accepting a backup${of}`,
  prune: (of) => `Retention${of}`,
  delete: (of) => `Deleting a backup${of}`,
  pin: (of) => `Pinning a backup${of}`,
  unpin: (of) => `Unpinning a backup${of}`,
  latest: (of) => `Finding the newest good backup${of}`,
  show: (of) => `Showing a backup${of}`,
  extract: (of) => `Extracting a table${of}`,
};

/** What a restore that failed has left. */
const OUTCOMES: Record<RestoreReport['outcome'], string> = {
  '': 'it is unknown whether the live database was replaced',
  restored: 'the live database is the restored one, but a later step did not finish',
  unchanged: 'the live database is unchanged',
  'rolled-back': 'the live database was rolled back to its state before',
  'rollback-failed': 'rollback failed: the live database needs manual repair',
};

function failure(report: Report, of: string): string {
  if (report.errorCode === 'E_INPUT' && /^command: /m.test(report.error?.message ?? '')) {
    return 'The input "command" is wrong: E_INPUT'; // which one was meant is not known
  }
  if (report.restore !== null) {
    return `Restore${of} failed (${report.errorCode || 'E_INTERNAL'}); ${OUTCOMES[report.restore.outcome]}`;
  }
  if (report.command === 'doctor' && report.errorCode === 'E_UNHEALTHY') {
    return `Requirements for backups${of}: ${findings(report)}`;
  }
  if (report.command === 'health' && report.healthy === false) return `Health${of}: ${findings(report)}`;
  const attempt = ATTEMPTS[report.command](of);
  const made = report.command === 'backup' && report.backup !== null ? ' was made, but the run failed' : ' failed';
  return `${attempt}${made}: ${report.errorCode || 'E_INTERNAL'}`;
}

/** `2 errors, 1 warning` */
function findings({ problems }: Report): string {
  const of = (level: Problem['level']) => problems.filter((one) => one.level === level).length;
  const [errors, warnings] = [of('error'), of('warning')];
  return [counted(errors, 'error'), ...(warnings === 0 ? [] : [counted(warnings, 'warning')])].join(', ');
}

function intention(report: Report, of: string, quote: (name: string) => string): string {
  const { drop } = planned(report.retention);
  const rotation = wouldBe(report.retention);
  const id = report.backup === null ? 'the backup' : quote(report.backup.id);
  switch (report.command) {
    case 'backup':
      return report.skipped === null
        ? `${report.checked.length > 0 ? `everything that a backup${of} needs is in place` : `no backup${of} was taken`}${drop > 0 ? `, ${rotation}` : ''}`
        : `no backup${of} would be taken, because one is young enough`;
    case 'restore':
      return `${from(report, quote)} would be restored${report.name === '' ? '' : ` to ${quote(report.name)}`}`;
    case 'verify':
      return report.dump === undefined
        ? `${id}${of} would be verified`
        : `${quote(report.dump.path)} would be verified`;
    case 'list':
    case 'health':
    case 'doctor':
      return `${counted(report.backups.length, 'backup')}${of}`;
    case 'accept':
      return report.backup === null ? `the loss of a backup${of} would be accepted` : `${id} would be accepted as good`;
    case 'prune':
      return `of the backups${of}, ${rotation}${report.s3 === null ? '' : `; in S3, ${wouldBe(report.s3.retention)}`}`;
    case 'delete':
      return `${id} would be deleted`;
    case 'pin':
      return `${id} would be pinned`;
    case 'unpin':
      return `${id} would be unpinned`;
    case 'latest':
    case 'show':
    case 'extract':
      return `${id} exists`; // they have no dry run
  }
}

function success(report: Report, of: string, quote: (name: string) => string): { good: boolean; text: string } {
  const backup = report.backup;
  const id = backup === null ? 'the backup' : quote(backup.id);
  switch (report.command) {
    case 'backup': {
      if (backup === null || !backupOk(report)) return { good: false, text: `No backup${of} was made` };
      const proof = PROOFS[backup.verifiedLevel];
      if (report.skipped !== null) {
        const age = report.newestAgeSeconds;
        const old = age === null ? '' : `, ${formatAge(age * 1000)} old`;
        return {
          good: backup.verifiedLevel !== 'none',
          text: `An existing backup${of} is young enough${old}: ${proof}`,
        };
      }
      return backup.verifiedLevel === 'none'
        ? { good: false, text: `Backup${of} was made, but is ${proof}` }
        : { good: true, text: `Backup${of} is good: ${proof}` };
    }
    case 'restore':
      return { good: true, text: `Restored ${from(report, quote)}` };
    case 'verify':
      if (report.dump !== undefined) {
        return {
          good: true,
          text: `Dump ${quote(report.dump.path)} is intact: ${PROOFS[report.dump.verifiedLevel]}`,
        };
      }
      return { good: true, text: `Backup ${id}${of} is intact: ${PROOFS[backup?.verifiedLevel ?? 'none']}` };
    case 'list': {
      const count = report.backups.length;
      if (count === 0) return { good: false, text: `There is no backup${of}` };
      const among = (...states: BackupFacts['state'][]) =>
        report.backups.filter((one) => states.includes(one.state)).length;
      const bad = [
        [among('suspect'), 'suspect'],
        [among('unverified', 'damaged', 'future'), 'not verified'],
        [among('unsigned'), 'unsigned'],
        [among('forged'), 'forged'],
      ].flatMap(([some, what]) => (some === 0 ? [] : [`, ${some} ${what}`]));
      const age =
        report.newestAgeSeconds === null ? '' : `, the newest is ${formatAge(report.newestAgeSeconds * 1000)} old`;
      return {
        good: bad.length === 0,
        text: `${counted(count, 'backup')}${of}${bad.join('')}${age}`,
      };
    }
    case 'health': {
      const age = report.newestAgeSeconds;
      const newest = age === null ? '' : `: the newest verified backup is ${formatAge(age * 1000)} old`;
      return { good: true, text: `Health${of}${newest}` };
    }
    case 'doctor':
      return { good: true, text: `Requirements for backups${of} are met` };
    case 'accept':
      return backup === null
        ? { good: true, text: `Accepted the loss of a backup${of}` }
        : { good: true, text: `Backup ${id}${of} was accepted: it counts as good` };
    case 'prune':
      return { good: true, text: `Retention${of}: ${report.deleted} deleted, ${report.kept} kept${inS3(report)}` };
    case 'delete':
      return { good: true, text: `Deleted backup ${id}${of}` };
    case 'pin':
      return { good: true, text: `Pinned backup ${id}${of}: retention leaves it alone` };
    case 'unpin':
      return { good: true, text: `Unpinned backup ${id}${of}: retention may delete it` };
    case 'latest':
      return { good: true, text: `The newest good backup${of} is ${id}` };
    case 'show':
      return { good: true, text: `Backup ${id}${of} is ${backup?.state ?? 'there'}` };
    case 'extract':
      return { good: true, text: `Extracted rows of backup ${id}${of}` };
  }
}

/** Which backup, or dump of somebody else, a restore is about. */
function from({ restore }: Report, quote: (name: string) => string): string {
  return restore === null || restore.from === '' ? 'the backup' : quote(restore.from);
}

const PROOFS: Record<VerifiedLevel, string> = {
  none: 'not verified',
  checksum: 'checksum verified',
  content: 'content verified',
  restore: 'restore verified',
};

function planned(retention: Decision[]): { keep: number; drop: number } {
  const keep = retention.filter((decision) => decision.keep).length;
  return { keep, drop: retention.length - keep };
}

function wouldBe(retention: Decision[]): string {
  const { keep, drop } = planned(retention);
  return `${drop} would be deleted, ${keep} kept`;
}

function inS3({ s3 }: Report): string {
  return s3 === null ? '' : `; in S3 ${s3.deleted} deleted, ${s3.backups} kept`;
}

/** What a failed run left as it was; claims no more than the report shows. */
export function leftUntouched({ dryRun, error, restore, deleted, s3 }: Report): string {
  if (dryRun) return 'Everything: this was a dry run.';
  const sentences: string[] = [LEFT[error?.left ?? 'changed-in-part'].text];
  if (restore !== null && restore.safetyBackupId !== null) {
    sentences.push(`The state before the restore is also in ${restore.safetyBackupId}, which is pinned.`);
  }
  const inStore = s3?.deleted ?? 0;
  const gone = [
    ...(deleted > 0 ? [`${counted(deleted, 'backup')}${inStore > 0 ? ' on the host' : ''}`] : []),
    ...(inStore > 0 ? [`${counted(inStore, 'backup')} in S3`] : []),
  ];
  if (gone.length > 0) sentences.push(`${gone.join(' and ')} had been deleted before the failure.`);
  return sentences.join(' ');
}
