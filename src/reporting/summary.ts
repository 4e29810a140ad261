import { ERRORS } from '../errors.js';
import { platform } from '../platform/platform.js';
import { checksTable, isInTable, setUpSection } from './doctor-summary.js';
import { formatCount, formatDuration, formatRate } from './format.js';
import { healthSection } from './health-summary.js';
import { historySection } from './history-summary.js';
import { code, escapeCell, fenced, linesWithin, prose } from './markdown.js';
import { helpPages } from './pages.js';
import type { Checked, Problem, Report } from './report.js';
import { nextSection, restoreSection, undoSection } from './restore-summary.js';
import { sizeTrend } from './size-trend.js';
import { backupFacts, backupTable, changesTable, databaseTables, retentionTables } from './summary-tables.js';
import { textSummary } from './text-summary.js';
import { leftUntouched, verdict } from './verdict.js';

/**
 * The job summary: the verdict first, then what it rests on. GitHub-flavoured Markdown in which every text from outside is
 * escaped; well under 200 kB whatever the report holds (GitHub drops a summary over 1 MiB).
 */
export function renderSummary(report: Report): string {
  const { icon, text } = verdict(report, (name) => code(name, 100));
  const sections = [
    `## ${icon} ${text}`,
    notes(report),
    report.ok ? null : failureSection(report),
    problemsSection(
      report.problems.filter((problem) => problem.message !== report.error?.message && !isInTable(problem, report)),
    ),
    factsSection(report),
    report.command === 'doctor' ? checksTable(report.checked) : checkedSection(report.checked),
    setUpSection(report.setUp),
    notesSection(report.notes),
    ...(report.restore === null
      ? []
      : [restoreSection(report.restore), nextSection(report.restore), undoSection(report.restore)]),
    report.health === null ? null : healthSection(report.health, report),
    backupsSection(report),
    historySection(report.history),
    trendSection(report),
    changesTable(report.changes),
    databaseTables(report),
    recoverySection(report),
  ];
  return `${sections.filter((section) => section !== null && section !== '').join('\n\n')}\n`;
}

/** Appends to the summary of the step. Rejects when there is no summary file or it can not be written. */
export async function writeSummary(report: Report): Promise<void> {
  await platform().summary({ markdown: () => renderSummary(report), text: () => textSummary(report) });
}

/** Appends who could not be told how the run ended, which is known when the rest is written. Rejects as `writeSummary`. */
export async function writeUntold(warnings: readonly string[]): Promise<void> {
  const items = warnings.map((warning) => `- ⚠️ ${prose(warning, 500)}`);
  await platform().summary({ markdown: () => `\n### Failed notifications\n\n${items.join('\n')}\n`, text: () => '' }); // warnings, there
}

function notes(report: Report): string | null {
  const paragraphs: string[] = [];
  if (report.dryRun)
    paragraphs.push(
      `**This was a dry run: nothing was changed on the host.** Below ${report.checked.length > 0 ? 'are the checks and ' : 'is '}the plan.`,
    );
  if (report.skipped !== null) paragraphs.push(`No new backup was taken: ${prose(report.skipped, 500)}`);
  return paragraphs.length === 0 ? null : paragraphs.join('\n\n');
}

function failureSection(report: Report): string {
  const errorCode = report.errorCode || 'E_INTERNAL';
  const pages = helpPages(errorCode);
  const happened = report.error?.message ?? 'The run failed without an error message. This is a bug in this action.';
  return [
    `**What happened**<br>${prose(happened, 2000)}`,
    `**Usual cause of \`${errorCode}\`**<br>${prose(ERRORS[errorCode].cause)}`,
    `**What to do**<br>${prose(report.error?.hint ?? ERRORS[errorCode].fix, 1000)}`,
    `**Left as it was**<br>${prose(leftUntouched(report))}`,
    `[More about ${code(errorCode, 40)}](${pages.error}) · [Restore step by step](${pages.restore})`,
  ].join('\n\n');
}

const MAX_PROBLEMS_BYTES = 25_000;

function problemsSection(problems: Problem[]): string | null {
  if (problems.length === 0) return null;
  const items = linesWithin(problems, MAX_PROBLEMS_BYTES, ({ level, code: errorCode, message, todo }) => {
    const label = errorCode === undefined ? '' : `\`${errorCode}\` `;
    const advice = todo === undefined ? '' : `<br>${prose(todo, 500)}`;
    return `- ${level === 'error' ? '❌' : '⚠️'} ${label}${prose(message, 500)}${advice}`;
  });
  const left = problems.length - items.length;
  if (left > 0) items.push(`- and ${formatCount(left)} more, in the log`);
  return `### Problems\n\n${items.join('\n')}`;
}

const MAX_NOTES_BYTES = 5_000;

function notesSection(all: string[]): string | null {
  if (all.length === 0) return null;
  return `### Notes\n\n${linesWithin(all, MAX_NOTES_BYTES, (note) => `- ${prose(note, 500)}`).join('\n')}`;
}

/** What a backup needs, and was there. */
function checkedSection(checked: Checked[]): string | null {
  if (checked.length === 0) return null;
  const rows = checked.map(({ what, found }) => `| ${escapeCell(what, 60)} | ${escapeCell(found, 600)} |`);
  return `### Checked\n\n| What a backup needs | Found |\n| :--- | :--- |\n${rows.join('\n')}`;
}

function factsSection(report: Report): string {
  const rows = backupFacts(report);
  const stages = report.stages.slice(0, 12).map((stage) => {
    const rate = stage.bytes !== undefined && stage.ms >= 1000 ? ` (${formatRate(stage.bytes, stage.ms)})` : '';
    return `${escapeCell(stage.name, 40)} ${formatDuration(stage.ms)}${rate}`;
  });
  rows.push(['Time', [`**${formatDuration(report.durationMs)}**`, ...stages].join(' · ')]);
  // The first fact is the head: Markdown has no table without one, and an empty one is drawn as an empty row.
  const [head, ...body] = rows.map(([name, value]) => `| ${name} | ${value} |`);
  return [head, '| :--- | :--- |', ...body].join('\n');
}

function backupsSection(report: Report): string | null {
  const planned = report.retention.length > 0 || (report.s3?.retention.length ?? 0) > 0;
  return planned ? retentionTables(report) : backupTable(report);
}

function trendSection(report: Report): string | null {
  const charts = sizeTrend(report.backups, report.remembered);
  return charts.length === 0 ? null : ['### Size', ...charts.map((chart) => fenced('mermaid', chart))].join('\n\n');
}

const MAX_RECOVERY_BYTES = 10_000;

function recoverySection(report: Report): string | null {
  if (report.recovery.length === 0) return null;
  const title = '### How to restore by hand';
  // Half of the commands would be worse than none.
  if (linesWithin(report.recovery, MAX_RECOVERY_BYTES, (line) => line).length < report.recovery.length) {
    return `${title}\n\nThe commands are too long to show here; the manifest beside the backup has them, under \`recovery\`.`;
  }
  return `${title}\n\nStock tools, on the host:\n\n${fenced('sh', report.recovery.join('\n'))}`;
}
