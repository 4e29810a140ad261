import { platform } from '../platform/platform.js';
import { neutralise } from './neutralise.js';
import type { Report } from './report.js';
import { reportJson } from './report-json.js';

/**
 * The value of `backup-ok`: a backup that counts was made, found young enough, or proven in this very run. Everything else is false,
 * also a suspect backup that was proven, a success of another command, a dry run, and a report that contradicts itself: the gate fails closed.
 */
export function backupOk(report: Report): boolean {
  return (
    ['backup', 'verify'].includes(report.command) &&
    report.ok &&
    report.errorCode === '' &&
    !report.dryRun &&
    report.backup !== null &&
    report.backup.state !== 'suspect'
  );
}

/** The outputs of the step, in the order they are written. Unknown values are empty; `backup-ok` is last, and exactly `true` or `false`. */
export function outputsOf(report: Report): [name: string, value: string][] {
  const { backup, dump } = report;
  return [
    ['error-code', report.errorCode],
    ['backup-id', oneLine(backup?.id)],
    ['backup-path', oneLine((backup ?? dump)?.path)],
    ['sha256', oneLine((backup ?? dump)?.sha256)],
    ['bytes', number((backup ?? dump)?.bytes)],
    ['database-bytes', number(backup?.databaseBytes)],
    ['created-at', oneLine(backup?.createdAt)],
    ['duration-ms', number(backup?.durationMs)],
    ['verified-level', (backup ?? dump)?.verifiedLevel ?? 'none'],
    ['kept', number(report.kept)],
    ['deleted', number(report.deleted)],
    ['s3-uri', oneLine(report.offsite?.uri)],
    ['s3-version-id', oneLine(report.offsite?.versionId ?? undefined)],
    ['restore-outcome', report.restore?.outcome ?? ''],
    ['restore-ms', number(report.restore?.ms)],
    ['safety-backup-id', oneLine(report.restore?.safetyBackupId ?? undefined)],
    ['newest-age-seconds', number(report.newestAgeSeconds)],
    ['healthy', healthy(report)],
    ['report', reportJson(report)],
    ['backup-ok', backupOk(report) ? 'true' : 'false'],
  ];
}

/** Of the commands that look; what was not looked at to the end is not healthy. */
function healthy({ command, healthy }: Report): string {
  return ['list', 'health', 'verify'].includes(command) ? String(healthy === true) : '';
}

/** Writes the outputs. Throws when the runner's file can not be written; `backup-ok` is then missing, and no gate opens. */
export function writeOutputs(report: Report): void {
  for (const [name, value] of outputsOf(report)) platform().output(name, value);
}

function number(value: number | null | undefined): string {
  return typeof value === 'number' && Number.isFinite(value) ? String(Math.round(value)) : '';
}

/** Workflows print these. Names are built from a strict grammar, so only a hostile value is changed. */
function oneLine(value: string | undefined): string {
  return neutralise(value ?? '').replaceAll('\n', ' ');
}
