import type { ErrorCode } from '../errors.js';
import { formatBytes } from '../reporting/format.js';
import type { BackupFacts, Problem, Report } from '../reporting/report.js';
import { leftUntouched, verdict } from '../reporting/verdict.js';
import { count, list, object, orNull, ref, type Schema, text, time, truth } from './schema.js';
import { forCallers, hintForCallers } from './wording.js';

/** An answer: its schema, and how it is made of the report of the run. */
export interface Answer {
  schema: Schema;
  of(report: Report): object;
}

const bytes = (size: number | null) => ({ size, size_human: size === null ? null : formatBytes(size) });
const BYTES = { size: count('Bytes'), size_human: text('For example "302 MB"') };

const BACKUP = object({
  filename: text('File name of the payload; `restore` and `DELETE` take this or the id'),
  path: text('On the host, or s3:// if it is only in the store'),
  ...BYTES,
  created_at: time('When the backup was started'),
  encrypted: truth('Whether it is encrypted'),
  checksum: text('SHA-256 of the payload, in hex'),
  id: text('The id of the backup'),
  state: text('Only "ok" counts as a good backup', {
    enum: ['ok', 'suspect', 'unverified', 'damaged', 'future', 'unsigned', 'forged'],
  }),
  suspect: truth('It tripped a limit, and nobody has accepted it yet'),
  verified: text('How far it was verified', { enum: ['none', 'checksum', 'content', 'restore'] }),
  pinned: orNull(text('Why it is pinned, so that rotation keeps it; null: not pinned')),
});

const backupOf = (backup: BackupFacts) => ({
  filename: backup.path.replace(/^.*\//s, ''),
  path: backup.path,
  ...bytes(backup.bytes),
  created_at: backup.createdAt,
  encrypted: backup.encryption !== undefined,
  checksum: backup.sha256,
  id: backup.id,
  state: backup.state,
  suspect: backup.state === 'suspect',
  verified: backup.verifiedLevel,
  pinned: backup.pinned,
});

const PROBLEM = object(
  {
    level: text('How serious it is', { enum: ['warning', 'error'] }),
    code: text('An error code of docs/errors.md'),
    message: text('What was found'),
    todo: text('What to do'),
  },
  ['code', 'todo'],
);

function problemOf({ todo = '', ...problem }: Problem): Problem {
  const hint = hintForCallers(todo);
  return { ...problem, message: forCallers(problem.message), ...(hint === '' ? {} : { todo: hint }) };
}

const CHANGED = { success: truth('Whether everything was done'), message: text('The result, in a sentence') };
const WARNINGS = { warnings: list(text('Something to check')) };

/** What came of it, in a sentence. */
const said = (report: Report): string => verdict(report, (name) => name).text;
const changed = (report: Report) => ({ success: report.ok, message: said(report) });
const warningsOf = ({ problems }: Report): string[] => problems.map(({ message }) => forCallers(message));

const Health: Answer = {
  schema: object({
    healthy: truth('No finding about the database, its backups or their places is an error'),
    integrity_check: orNull(
      text('null: it was not read completely, or its engine has no such check', {
        enum: ['passed', 'failed', null],
      }),
    ),
    size: orNull(count('Bytes of the database; null, here and below: it could not be checked')),
    size_human: orNull(text('For example "302 MB"')),
    tables: orNull(count('How many there are')),
    table_details: list(
      object({ name: text('Name of the table'), rows: orNull(count('Number of rows; null: not known')) }),
    ),
    page_count: orNull(count('Number of pages; null: its engine has none')),
    page_size: orNull(count('Bytes; null: its engine has none')),
    foreign_key_errors: orNull(count('Rows whose foreign key points nowhere; null: its engine allows none')),
    last_checked: time('When it was checked'),
    estimated: truth('The row counts are estimates of the server'),
    newest_age_seconds: orNull(count('Age of the newest good backup; null: there is none')),
    problems: list(PROBLEM),
  }),
  of(report) {
    const database = report.health?.database ?? null;
    const figure = (name: string): number | null => (database?.[name] ?? null) as number | null;
    const integrity = database?.integrity ?? null;
    return {
      healthy: report.healthy === true,
      integrity_check: integrity === null ? null : integrity === 'ok' ? 'passed' : 'failed',
      ...bytes(figure('bytes')),
      tables: database === null ? null : report.tables.length + report.tablesLeftOut,
      table_details: report.tables.map(({ name, rows }) => ({ name, rows })),
      page_count: figure('pageCount'),
      page_size: figure('pageSize'),
      foreign_key_errors: figure('foreignKeyErrors'),
      last_checked: report.startedAt,
      estimated: database?.estimated === true,
      newest_age_seconds: report.newestAgeSeconds,
      problems: report.problems.map(problemOf),
    };
  },
};

const Backups: Answer = {
  schema: object({ backups: list(ref('Backup')), count: count('How many there are') }),
  of: (report) => ({ backups: report.backups.map(backupOf), count: report.backups.length }),
};

const Made: Answer = {
  schema: object({
    ...CHANGED,
    backup: { description: 'null: the configuration asks for a dry run', anyOf: [ref('Backup'), { type: 'null' }] },
    ...WARNINGS,
  }),
  of: (report) => ({
    ...changed(report),
    backup: report.backup && backupOf(report.backup),
    warnings: warningsOf(report),
  }),
};

const OUTCOME = text('The state of the live database; empty: not known', {
  enum: ['', 'restored', 'unchanged', 'rolled-back', 'rollback-failed'],
});

const Restored: Answer = {
  schema: object({
    ...CHANGED,
    warning: text('Something to check; empty: nothing'),
    outcome: OUTCOME,
    safety_backup: orNull(text('The id of the safety backup; restore it to undo this restore')),
  }),
  of: (report) => ({
    ...changed(report),
    warning: warningsOf(report).join('; '),
    outcome: report.restore?.outcome ?? 'unchanged',
    safety_backup: report.restore?.safetyBackupId ?? null,
  }),
};

const Deleted: Answer = {
  schema: object({ ...CHANGED, ...WARNINGS }),
  of: (report) => ({ ...changed(report), warnings: warningsOf(report) }),
};

const Storage: Answer = {
  schema: object({
    database: object({ size: orNull(count('Bytes; null: it could not be checked')), size_human: orNull(text('')) }),
    backups: object({
      count: count('Number of backups on the host'),
      total_size: count('Bytes'),
      size_human: text('Of `total_size`'),
      average_size: count('Bytes; 0: there are no backups'),
    }),
    data_directory: object({
      total_size: orNull(count('Bytes of everything in the backup directory; null: there is no directory')),
      size_human: orNull(text('Of `total_size`')),
    }),
  }),
  of({ health: found, storage: { backups: many, backupsBytes, averageBytes, directoryBytes } }) {
    const { size: total_size, size_human } = bytes(directoryBytes);
    return {
      database: bytes((found?.database?.bytes ?? null) as number | null),
      backups: {
        count: many,
        total_size: backupsBytes,
        size_human: formatBytes(backupsBytes),
        average_size: averageBytes ?? 0,
      },
      data_directory: { total_size, size_human },
    };
  },
};

export const ANSWERS = { Health, Backups, Made, Restored, Deleted, Storage };

/** What goes wrong, whatever was asked for. */
const FAILURE = object(
  {
    success: { type: 'boolean', const: false },
    message: text('What happened'),
    error_code: text('An error code of docs/errors.md', { pattern: '^E_[A-Z0-9_]+$' }),
    hint: text('What to do; absent if only the operator of the server can do something'),
    left: text('What did not change'),
    outcome: OUTCOME,
    suspect: truth('A backup was made and kept, but does not count until somebody accepts it'),
    backup: ref('Backup'),
    running: object({
      command: text('Which change is running'),
      target: orNull(text('For which database of the configuration')),
      since: time('When it started'),
      client: text('The address that called for it'),
      actor: orNull(text('The name given in X-Actor')),
    }),
  },
  ['hint', 'left', 'outcome', 'suspect', 'backup', 'running'],
);

/** Of a run that failed. */
export function failureOf(report: Report): object {
  const { error, errorCode, restore: restoring, backup: made, command } = report;
  const hint = hintForCallers(error?.hint ?? '');
  return {
    success: false,
    message: forCallers(error?.message ?? said(report)),
    error_code: (errorCode || 'E_INTERNAL') satisfies ErrorCode,
    ...(hint === '' ? {} : { hint }),
    left: forCallers(leftUntouched(report)),
    ...(restoring === null ? {} : { outcome: restoring.outcome }),
    ...(command === 'backup' && made !== null ? { suspect: made.state === 'suspect', backup: backupOf(made) } : {}),
  };
}

/** By the names that the OpenAPI document has for them. */
export const SCHEMAS: Record<string, Schema> = {
  Backup: BACKUP,
  Failure: FAILURE,
  ...Object.fromEntries(Object.entries(ANSWERS).map(([name, { schema }]) => [name, schema])),
  Alive: object({ status: text('The server is running', { const: 'ok' }) }),
};
