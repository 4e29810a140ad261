import * as v from 'valibot';
import type { Manifest } from '../backups/manifest.js';
import { parseId } from '../backups/names.js';
import { instant, list, matching, object, oneOf, text, whole } from '../schemas.js';
import type { Report } from './report.js';
import { encode, shorten } from './report-json.js';

/** Bytes of one line. */
const MAX_LINE = 2_000;
/** More are only counted. */
const MOST_IDS = 20;
const SHOWN = 20;

const id = v.pipe(
  text(),
  v.check((one) => parseId(one) !== null, 'an id of the grammar'),
);
const bounded = (most: number) => v.pipe(text(), v.maxLength(most, `at most ${most} characters`));

const ENTRY = object({
  /** When the run ended, by the clock of the runner. */
  at: instant,
  name: bounded(64),
  command: matching(/^[a-z]{1,20}$/, 'a command'),
  result: matching(/^(ok|E_[A-Z0-9_]{1,30})$/, 'ok, or the code of an error'),
  ms: whole(),
  /** The backup made, proven, restored, changed or deleted; null: none. */
  backup: v.nullable(id),
  bytes: v.nullable(whole()),
  databaseBytes: v.nullable(whole()),
  verified: oneOf(['none', 'checksum', 'content', 'restore']),
  /** How many were deleted on the host, and the first of these. */
  deleted: whole(),
  deletedIds: list(id),
  /** null: the command was another one. */
  restore: v.nullable(
    object({ outcome: oneOf(['', 'restored', 'unchanged', 'rolled-back', 'rollback-failed']), safety: v.nullable(id) }),
  ),
  /** null: the run was outside of GitHub. */
  by: v.nullable(object({ actor: bounded(100), event: bounded(60), url: bounded(300) })),
});
/** A run that has changed something, or tried to: a line of `history.jsonl`. */
export type HistoryEntry = v.InferOutput<typeof ENTRY>;

/** The line of a run that is over, without its end: JSON of at most 2000 bytes, in which no text stands but names, ids and codes. */
export function historyLine(report: Report, github: Manifest['github'], at: Date): string {
  const { backup, restore } = report;
  const entry: HistoryEntry = {
    at: at.toISOString(),
    name: report.name,
    command: report.command,
    result: report.ok ? 'ok' : report.errorCode || 'E_INTERNAL',
    ms: report.durationMs,
    backup: backup?.id ?? null,
    bytes: backup?.bytes ?? null,
    databaseBytes: backup?.databaseBytes ?? null,
    verified: backup?.verifiedLevel ?? 'none',
    deleted: report.deleted,
    deletedIds: report.deletedIds.slice(0, MOST_IDS),
    restore: restore && { outcome: restore.outcome, safety: restore.safetyBackupId },
    by: github && {
      actor: shorten(github.actor, 100),
      event: shorten(github.event, 60),
      url: shorten(github.runUrl, 300),
    },
  };
  while (Buffer.byteLength(encode(entry)) > MAX_LINE && entry.deletedIds.length > 0) entry.deletedIds.pop();
  return encode(entry);
}

/** The last entries of that name, the newest first; what does not fit the schema is none, nor is a line that was cut off. */
export function readHistory(texts: readonly string[], name: string): HistoryEntry[] {
  return texts
    .flatMap((one) => one.split('\n'))
    .flatMap((line) => entryIn(line) ?? [])
    .filter((entry) => entry.name === name)
    .slice(-SHOWN)
    .reverse();
}

function entryIn(line: string): HistoryEntry | null {
  if (line.length > MAX_LINE) return null;
  try {
    return v.parse(ENTRY, JSON.parse(line));
  } catch {
    return null;
  }
}
