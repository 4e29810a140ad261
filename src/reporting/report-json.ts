import type { Decision } from '../backups/retention.js';
import { clip, counted } from './format.js';
import type { BackupFacts, HealthReport, Report, RestoreReport } from './report.js';

/**
 * Bytes of the `report` output. Linux takes no environment variable longer than 128 KiB, and `env:` is how a workflow hands the
 * report to a script; with a longer one that step fails with "Argument list too long".
 */
export const MAX_REPORT_BYTES = 120_000;

const MOST = {
  backups: 400,
  decisions: 500,
  deleted: 50,
  tables: 1000,
  problems: 50,
  notes: 10,
  stages: 50,
  reasons: 10,
  lines: 40,
};
/** JSON bytes of one text. Everything that is no long list stays under half of the whole, whatever is in it. */
const TEXT = 1000;
const LONG_TEXT = 2000;
const SHORT_TEXT = 300;
const PROBLEM = 700;
const RECOVERY = 10_000;
const NOTICE = 1000;

/**
 * The report as one line of JSON, at most MAX_REPORT_BYTES. What does not fit is left out: tables first, then the oldest backups
 * with their decisions; `problems` then says so. Printed by a later step, the text can not command the runner: `##[` and invisible
 * characters are written as JSON escapes, so it parses to the same values.
 */
export function reportJson(report: Report): string {
  const cuts = new Set<string>();
  const text = (value: string, maxBytes = TEXT): string => {
    const short = shorten(value, maxBytes);
    if (short !== value) cuts.add('the end of long texts');
    return short;
  };
  const bounded = withoutLists(report, text);
  // Half a command could do harm, and half of the commands do not restore: all of them or none.
  if (report.recovery.reduce((sum, line) => sum + line.length, 0) > RECOVERY || bytesOf(report.recovery) > RECOVERY) {
    cuts.add('the recovery commands');
  } else bounded.recovery = report.recovery;
  bounded.problems = report.problems.slice(0, MOST.problems).map((problem) => ({
    ...problem,
    message: text(problem.message, PROBLEM),
    ...(problem.todo === undefined ? {} : { todo: text(problem.todo, SHORT_TEXT) }),
  }));
  bounded.notes = report.notes.slice(0, MOST.notes).map((note) => text(note, PROBLEM));
  bounded.checked = report.checked.map((checked) => ({
    ...checked,
    what: text(checked.what, SHORT_TEXT),
    found: text(checked.found),
    ...(checked.todo === undefined ? {} : { todo: text(checked.todo, SHORT_TEXT) }),
  }));
  bounded.setUp = report.setUp.slice(0, MOST.lines).map((part) => ({ ...part, text: text(part.text, LONG_TEXT) }));
  bounded.stages = report.stages
    .slice(0, MOST.stages)
    .map((stage) => ({ ...stage, name: text(stage.name, SHORT_TEXT) }));

  let room = MAX_REPORT_BYTES - NOTICE - bytesOf(bounded);
  /** False when there is no room for it. */
  const add = <T>(list: T[], item: T | undefined): boolean => {
    if (item === undefined) return true;
    room -= bytesOf(item) + 1;
    if (room >= 0) list.push(item);
    return room >= 0;
  };
  for (let i = 0; i < Math.max(MOST.backups, MOST.decisions); i++) {
    const backup = i < MOST.backups ? report.backups[i] : undefined;
    const decision = i < MOST.decisions ? report.retention[i] : undefined;
    const offsite = i < MOST.decisions ? report.s3?.retention[i] : undefined;
    if (!add(bounded.backups, backup && backupWithin(backup, text))) break;
    if (!add(bounded.retention, decision && decisionWithin(decision, text))) break;
    if (!add(bounded.s3?.retention ?? [], offsite && decisionWithin(offsite, text))) break;
  }
  for (const entry of report.history) {
    if (!add(bounded.history, entry)) break;
  }
  for (const table of report.tables.slice(0, MOST.tables)) {
    if (!add(bounded.tables, { ...table, name: text(table.name, SHORT_TEXT) })) break;
  }

  const missing = (noun: string, all: unknown[], kept: unknown[]) => {
    if (kept.length < all.length) cuts.add(`${counted(all.length - kept.length, noun)} of ${all.length}`);
  };
  missing('table', report.tables, bounded.tables);
  missing('backup', report.backups, bounded.backups);
  missing('retention decision', report.retention, bounded.retention);
  missing('retention decision in S3', report.s3?.retention ?? [], bounded.s3?.retention ?? []);
  missing('line of the history', report.history, bounded.history);
  missing('problem', report.problems, bounded.problems);
  missing('note', report.notes, bounded.notes);
  missing('stage', report.stages, bounded.stages);
  if (cuts.size > 0) {
    const message = `report: too large for an output, left out: ${[...cuts].join('; ')}`;
    bounded.problems.unshift({ level: 'warning', message });
  }
  return encode(bounded);
}

type Shorten = (value: string, maxBytes?: number) => string;

function withoutLists(report: Report, text: Shorten): Report {
  return {
    ...report,
    error: report.error && {
      message: text(report.error.message, LONG_TEXT),
      hint: text(report.error.hint, LONG_TEXT),
      left: report.error.left,
    },
    startedAt: text(report.startedAt),
    skipped: report.skipped === null ? null : text(report.skipped),
    host: text(report.host),
    database: text(report.database),
    name: text(report.name),
    directory: text(report.directory),
    backup: report.backup && backupWithin(report.backup, text),
    ...(report.dump === undefined ? {} : { dump: { ...report.dump, path: text(report.dump.path) } }),
    recovery: [],
    backups: [],
    retention: [],
    tables: [],
    deletedIds: report.deletedIds.slice(0, MOST.deleted).map((id) => text(id, SHORT_TEXT)),
    history: [],
    stages: [],
    problems: [],
    notes: [],
    checked: [],
    setUp: [],
    health: report.health && healthWithin(report.health, text),
    ...(report.changes === undefined ? {} : { changes: changesWithin(report.changes, text) }),
    restore: report.restore && restoreWithin(report.restore, text),
    offsite: report.offsite && {
      ...report.offsite,
      uri: text(report.offsite.uri),
      versionId: report.offsite.versionId === null ? null : text(report.offsite.versionId),
    },
    s3: report.s3 && { ...report.s3, uri: text(report.s3.uri), retention: [] },
  };
}

function healthWithin(health: HealthReport, text: Shorten): HealthReport {
  const { database } = health;
  const bounded = Object.entries(database ?? {}).map(([name, value]) => [
    name,
    typeof value === 'string' ? text(value, SHORT_TEXT) : value,
  ]);
  return { ...health, database: database && Object.fromEntries(bounded) };
}

function changesWithin(
  { since, tables }: NonNullable<Report['changes']>,
  text: Shorten,
): NonNullable<Report['changes']> {
  return {
    since: text(since, SHORT_TEXT),
    tables: tables.slice(0, MOST.lines).map((table) => ({ ...table, name: text(table.name, SHORT_TEXT) })),
  };
}

function restoreWithin(restore: RestoreReport, text: Shorten): RestoreReport {
  const { plan } = restore;
  const few = (lines: string[]) => lines.slice(0, MOST.lines).map((line) => text(line, SHORT_TEXT));
  const inputs = (given: Record<string, string> | null) =>
    given && Object.fromEntries(Object.entries(given).map(([name, value]) => [name, text(value)]));
  return {
    ...restore,
    target: text(restore.target),
    targetName: text(restore.targetName),
    from: text(restore.from),
    undo: inputs(restore.undo),
    next: inputs(restore.next),
    plan: plan && {
      ...plan,
      way: text(plan.way),
      tables: plan.tables.slice(0, MOST.lines).map((table) => ({ ...table, name: text(table.name, SHORT_TEXT) })),
      differences: few(plan.differences),
      users: few(plan.users),
      commands: few(plan.commands),
    },
  };
}

function backupWithin(facts: BackupFacts, text: Shorten): BackupFacts {
  return {
    ...facts,
    id: text(facts.id, SHORT_TEXT),
    path: text(facts.path),
    createdAt: text(facts.createdAt, SHORT_TEXT),
    sha256: text(facts.sha256, SHORT_TEXT),
    pinned: facts.pinned === null ? null : text(facts.pinned, SHORT_TEXT),
    reason: text(facts.reason, SHORT_TEXT),
    commit: facts.commit === null ? null : text(facts.commit, SHORT_TEXT),
    ...(facts.partial === undefined ? {} : { partial: text(facts.partial, SHORT_TEXT) }),
    ...(facts.detail === undefined ? {} : { detail: text(facts.detail, SHORT_TEXT) }),
    ...(facts.largest === undefined
      ? {}
      : { largest: facts.largest.map(({ name, rows }) => ({ name: text(name, SHORT_TEXT), rows })) }),
  };
}

function decisionWithin({ id, keep, reasons }: Decision, text: Shorten): Decision {
  const few = reasons.slice(0, MOST.reasons).map((reason) => text(reason, SHORT_TEXT));
  return { id: text(id, SHORT_TEXT), keep, reasons: few };
}

/** The text, cut so that as JSON it has no more bytes than that. */
export function shorten(value: string, maxBytes: number): string {
  let length = maxBytes;
  // A character may take up to six bytes, as \u0007 does.
  while (bytesOf(clip(value, length)) > maxBytes + 2) length = Math.floor(length * 0.9);
  return clip(value, length);
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(encode(value));
}

/** JSON in one line that no program which prints it takes for a command. */
export function encode(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('##[', '##\\u005b')
    .replace(/[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu, (found) =>
      Array.from({ length: found.length }, (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
        '',
      ),
    );
}
