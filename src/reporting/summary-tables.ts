import { formatNamed } from '../backups/format.js';
import type { TableRows, VerifiedLevel } from '../backups/manifest.js';
import type { Decision } from '../backups/retention.js';
import type { TableChange } from '../backups/rows.js';
import {
  clip,
  counted,
  formatAge,
  formatBytes,
  formatCount,
  formatDuration,
  formatMoment,
  parseTime,
  showEncrypted,
  showPlaces,
  showRows,
} from './format.js';
import { type Column, code, escapeCell, longCode, type TableBounds, table } from './markdown.js';
import type { BackupFacts, DumpFacts, OffsiteCopy, Report, WindowReport } from './report.js';

const PROOFS: Record<VerifiedLevel, string> = {
  none: '**not verified**',
  checksum: 'checksum: every byte was read back and compared with what was written',
  content: "content: every byte was read by the database's own tools, objects counted against the source",
  restore: 'restore: restored into a throw-away database, rows counted',
};

/** The same of a set in a repository. */
const SET_PROOFS: Record<VerifiedLevel, string> = {
  ...PROOFS,
  checksum: 'checksum: its list of files, with a checksum of each, was read back',
  content: 'content: every byte of it and of its WAL was read by the tool that made it',
  restore: 'restore: restored into a throw-away cluster, recovered, rows counted',
};

/** What is known of the backup and where it is, as rows of two cells. */
export function backupFacts(report: Report): [name: string, value: string][] {
  const rows: [string, string][] = [];
  const backup = report.backup;
  if (backup !== null) {
    rows.push(
      ['Backup', code(backup.id, 160)],
      ['Taken', `${when(backup.createdAt)} UTC, in ${formatDuration(backup.durationMs)}`],
      ['Size', sizes(backup)],
      [
        'Verified',
        proofs(backup)[backup.verifiedLevel] +
          unrestored(report, backup) +
          (backup.signed ? '; its manifest is signed' : '') +
          (backup.state === 'ok' ? '' : ` (state: **${backup.state}**)`),
      ],
      ['SHA-256', longCode(backup.sha256, 64)],
      ...placeRows(backup),
    );
    if (backup.partial !== undefined) rows.push(['Covers', `**not everything**: ${escapeCell(backup.partial, 300)}`]);
    if (backup.pinned !== null) rows.push(['Pinned', escapeCell(backup.pinned)]);
    if (report.offsite !== null)
      rows.push(['Off-site', offsite(report.offsite, report.command === 'backup' ? STORED : FETCHED)]);
  } else if (report.dump !== undefined) rows.push(...dumpFacts(report.dump));
  else if (report.directory !== '') rows.push(['Directory', longCode(report.directory)]);
  if (report.database !== '') rows.push(['Database', longCode(report.database)]);
  if (report.host !== '') rows.push(['Host', code(report.host, 260)]);
  if (report.window !== undefined) rows.push(['Recovery', windowCell(report.window)]);
  const { backups, backupsBytes, freeBytes } = report.storage;
  if (backups > 0 || freeBytes !== null) {
    const free = freeBytes === null ? '' : `; ${formatBytes(freeBytes)} free`;
    rows.push(['Stored', `${counted(backups, 'backup')}, ${formatBytes(backupsBytes)}${free}`]);
  }
  if (report.s3 !== null) {
    const { uri, backups, backupsBytes } = report.s3;
    rows.push(['In S3', `${counted(backups, 'backup')}, ${formatBytes(backupsBytes)}, in ${longCode(uri)}`]);
  }
  if (report.newestAgeSeconds !== null && report.skipped === null && !report.ok) {
    rows.push(['Newest backup', `${formatAge(report.newestAgeSeconds * 1000)} old`]);
  }
  return rows;
}

const proofs = ({ set }: BackupFacts): typeof PROOFS => (set === undefined ? PROOFS : SET_PROOFS);

const placeRows = ({ set, path }: BackupFacts): [string, string][] =>
  set === undefined
    ? [['File', longCode(path)]]
    : [
        ['Set', longCode(path)],
        ['Type', setCell(set)],
      ];

function setCell({ kind, needs, log }: NonNullable<BackupFacts['set']>): string {
  const base = needs === 0 ? '' : `, needs the ${counted(needs, 'backup')} before it`;
  return `${escapeCell(kind, 20)}${base}; WAL ${code(log.from, 40)} to ${code(log.to, 40)}`;
}

/** To which moments one can recover, with the gaps. */
function windowCell({ spans, gaps, newest }: WindowReport): string {
  const shown = spans
    .slice(-MOST_SPANS)
    .map(({ from, to }) => `any moment from **${moment(from)}** to **${moment(to)}** UTC`);
  const left = spans.length > MOST_SPANS ? [`and ${counted(spans.length - MOST_SPANS, 'older span')}`] : [];
  const missing = gaps.slice(-MOST_SPANS).map((gap) => `⚠️ ${escapeCell(gap, 300)}`);
  const last = newest === null ? [] : [`newest WAL: ${moment(newest)} UTC`];
  return [...(shown.length === 0 ? ['**to no moment**'] : shown), ...left, ...missing, ...last].join('<br>');
}

/** To the second, in a text that GitHub does not break. */
function moment(iso: string): string {
  const date = parseTime(iso);
  return date === null ? escapeCell(iso, 40) : formatMoment(date).replaceAll('-', '\u2011').replace(' ', '\u00a0');
}

const MOST_SPANS = 5;

const DUMP_PROOFS: Record<VerifiedLevel, string> = {
  none: '**not verified**',
  checksum: 'checksum: every byte was read',
  content: "content: read to its end by the database's own tools",
  restore: 'restore: restored into a throw-away database, rows counted',
};

/** What is known of a dump that this action did not make. */
function dumpFacts({ path, bytes, compression, compared, sha256, verifiedLevel }: DumpFacts): [string, string][] {
  const beside = compared
    ? 'its bytes match the `.sha256` file beside it'
    : 'no `.sha256` file beside it to compare its bytes with';
  return [
    ['Dump', longCode(path)],
    ['Size', `**${formatBytes(bytes)}**${compression === 'none' ? '' : ` (${compression})`}`],
    ['Verified', `${DUMP_PROOFS[verifiedLevel]}; ${beside}; no manifest to compare its content with`],
    ['SHA-256', longCode(sha256, 64)],
  ];
}

/** What a logical dump calls while it is loaded is tried by loading one alone. */
function unrestored({ command, backups }: Report, { engine, verifiedLevel }: BackupFacts): string {
  const isAbout = (command === 'backup' || command === 'verify') && verifiedLevel !== 'none';
  if (
    !isAbout ||
    !formatNamed(engine).logical ||
    [verifiedLevel, ...backups.map((one) => one.verifiedLevel)].includes('restore')
  )
    return '';
  return '; **never restored yet**: none of these backups was verified with `verify: restore`, and nothing else shows that a dump can be loaded';
}

type Ways = Record<OffsiteCopy['via'], string>;
const STORED: Ways = {
  host: 'uploaded straight from the host, read back',
  runner: 'uploaded through the runner, read back',
  none: 'already there, read back',
};
const FETCHED: Ways = { host: 'fetched by the host', runner: 'fetched through the runner', none: '' };

function offsite({ uri, versionId, via, lockedUntil }: OffsiteCopy, ways: Ways): string {
  const version = versionId === null ? '' : `, version ${code(versionId, 100)}`;
  const lock = lockedUntil === null ? '' : `, locked until ${when(lockedUntil)} UTC`;
  return `${longCode(uri)}${version}, ${ways[via]}${lock}`;
}

function sizes({ databaseBytes, bytes, compression, encryption, set }: BackupFacts): string {
  if (set !== undefined)
    return `cluster **${formatBytes(databaseBytes)}**, **${formatBytes(bytes)}** new in the repository`;
  const database = `database **${formatBytes(databaseBytes)}**`;
  const encrypted = encryption === undefined ? '' : `, ${showEncrypted(encryption, (one) => code(one, 80))}`;
  if (compression === 'none') return `${database}, stored uncompressed (${formatBytes(bytes)})${encrypted}`;
  const ratio =
    bytes > 0 && databaseBytes > bytes * 1.05 ? `, ${(databaseBytes / bytes).toFixed(1)} times smaller` : '';
  return `${database}, backup **${formatBytes(bytes)}** (${compression}${ratio})${encrypted}`;
}

const BACKUP_ROWS: TableBounds = { visible: 30, maxBytes: 40_000, noun: 'backup' };

/** Every decision of the retention plan with its reasons, newest first: of that on the host, then of that in the S3 store. */
export function retentionTables(report: Report): string {
  const { retention, kept, deleted, s3 } = report;
  const tables = retention.length === 0 ? [] : [retentionTable(report, '', { retention, kept, deleted })];
  if (s3 !== null && s3.retention.length > 0) {
    const { retention, backups, deleted, hidden } = s3;
    const versions = hidden
      ? '\n\nThe bucket keeps versions: deleted objects are only hidden, and take up space until a lifecycle rule removes them.'
      : '';
    tables.push(retentionTable(report, ' in S3', { retention, kept: backups, deleted }) + versions);
  }
  return tables.join('\n\n');
}

function retentionTable(
  report: Report,
  where: string,
  { retention, kept, deleted }: { retention: Decision[]; kept: number; deleted: number },
): string {
  const facts = new Map(report.backups.map((backup) => [backup.id, backup]));
  const drops = retention.filter((decision) => !decision.keep).length;
  // A plan that was not carried out whole must not read as if it had been.
  const carriedOut = !report.dryRun && deleted === drops;
  const keep = carriedOut ? 'kept' : 'keep';
  const drop = carriedOut ? '**deleted**' : '**delete**';
  const title = carriedOut
    ? `### Retention${where}: ${formatCount(kept)} kept, ${formatCount(deleted)} deleted`
    : `### Retention plan${where}: ${formatCount(retention.length - drops)} to keep, ${formatCount(drops)} to delete`;
  const caution =
    carriedOut || report.dryRun
      ? ''
      : `The plan was carried out only in part: ${formatCount(deleted)} of ${formatCount(drops)} deleted.\n\n`;
  const columns: Column<Decision>[] = [
    { title: 'Backup', cell: ({ id }) => code(id, 160) },
    { title: carriedOut ? 'Outcome' : 'Plan', cell: (decision) => (decision.keep ? keep : drop) },
    { title: 'Why', cell: (decision) => escapeCell(reasons(decision), 200) },
    { title: 'Database', cell: ({ id }) => size(facts.get(id)?.databaseBytes), right: true },
    { title: 'File', cell: ({ id }) => size(facts.get(id)?.bytes), right: true },
  ];
  return `${title}\n\n${caution}${table(columns, retention, BACKUP_ROWS)}`;
}

/** Cut one by one before they are joined: they may be huge. */
function reasons(decision: Decision): string {
  return decision.reasons
    .slice(0, 10)
    .map((reason) => clip(reason, 200))
    .join(', ');
}

const CATALOGUE: Column<BackupFacts>[] = [
  { title: 'Backup', cell: ({ id }) => code(id, 160) },
  { title: 'Taken (UTC)', cell: ({ createdAt }) => when(createdAt) },
  {
    title: 'Verified',
    cell: ({ state, verifiedLevel, signed }) =>
      state === 'ok' ? `${verifiedLevel}${signed ? ', signed' : ''}` : `⚠️ ${state}`,
  },
  { title: 'Database', cell: ({ databaseBytes }) => size(databaseBytes), right: true },
  {
    title: 'File',
    cell: ({ bytes, encryption }) => size(bytes) + (encryption === undefined ? '' : `, ${encryption.method}`),
    right: true,
  },
  { title: 'Tables', cell: ({ tables }) => (tables === null ? '' : formatCount(tables)), right: true },
  {
    title: 'Rows',
    cell: ({ tables, rows, uncounted }) => (tables === null ? '' : showRows(rows, uncounted)),
    right: true,
  },
  { title: 'Commit', cell: ({ commit }) => (commit === null ? '' : code(commit.slice(0, 7))) },
  {
    title: 'Reason',
    cell: ({ reason, pinned, partial }) =>
      escapeCell(reason, 40) +
      (partial === undefined ? '' : `, partial: ${escapeCell(partial, 100)}`) +
      (pinned === null ? '' : `, 📌 ${escapeCell(pinned, 100) || 'pinned'}`),
  },
];

const WHERE: Column<BackupFacts> = { title: 'Where', cell: ({ places }) => showPlaces(places) };

/** The catalogue, newest first; null when it is empty. */
export function backupTable(report: Report): string | null {
  if (report.backups.length === 0) return null;
  const [id, ...others] = CATALOGUE;
  const columns = report.s3 === null || id === undefined ? CATALOGUE : [id, WHERE, ...others];
  return `### Backups\n\n${table(columns, report.backups, BACKUP_ROWS)}`;
}

const CONTENTS: Column<TableRows>[] = [
  { title: 'Table', cell: ({ name }) => code(name, 100) },
  { title: 'Rows', cell: ({ rows }) => (rows === null ? 'not counted' : formatCount(rows)), right: true },
];

/** The tables in the backup, largest first; null when none were counted. */
export function databaseTables({
  tables,
  tablesLeftOut,
  foreignKeyViolations,
}: Pick<Report, 'tables' | 'tablesLeftOut' | 'foreignKeyViolations'>): string | null {
  if (tables.length === 0) return null;
  const largestFirst = [...tables].sort((a, b) => (b.rows ?? 0) - (a.rows ?? 0));
  const counts = tables.flatMap(({ rows }) => (rows === null ? [] : [rows]));
  const violations =
    foreignKeyViolations > 0
      ? `⚠️ Foreign keys: ${counted(foreignKeyViolations, 'row')} without the row they refer to. The live database has the same fault; the backup is a faithful copy.\n\n`
      : '';
  const shown = table(CONTENTS, largestFirst, { visible: 15, maxBytes: 25_000, noun: 'table' });
  const left =
    tablesLeftOut > 0
      ? `The manifest lists only the largest ${formatCount(tables.length)} tables, and the row count covers only these. All tables are in the backup.\n\n`
      : '';
  return `### Contents: ${counted(tables.length + tablesLeftOut, 'table')}, ${totalOf(counts, tables.length + tablesLeftOut)}\n\n${violations}${left}${shown}`;
}

/** Of all tables, as far as their rows are known. */
function totalOf(counts: number[], tables: number): string {
  const uncounted = tables - counts.length;
  const rows = uncounted > 0 && counts.length === 0 ? null : counts.reduce((sum, one) => sum + one, 0);
  if (rows === null) return 'rows not counted';
  const left = uncounted === 0 ? '' : ` (${counted(uncounted, 'table')} not counted)`;
  return `${showRows(rows, uncounted)} ${rows === 1 ? 'row' : 'rows'}${left}`;
}

const CHANGES: Column<TableChange>[] = [
  { title: 'Table', cell: ({ name }) => code(name, 100) },
  { title: 'Change', cell: ({ change }) => CHANGED[change] },
  { title: 'Rows before', cell: ({ before }) => (before === null ? '' : formatCount(before)), right: true },
  { title: 'Rows now', cell: ({ after }) => (after === null ? '' : formatCount(after)), right: true },
];
const CHANGED: Record<TableChange['change'], string> = {
  gone: '**gone**',
  fewer: 'fewer rows',
  more: 'more rows',
  new: 'new',
};

/** What is not as in the backup before; null when there was none to compare with, or nothing has changed. */
export function changesTable(changes: Report['changes']): string | null {
  if (changes === undefined || changes.tables.length === 0) return null;
  const shown = table(CHANGES, changes.tables, { visible: 15, maxBytes: 15_000, noun: 'table' });
  return `### Changed since the previous backup\n\nSince ${code(changes.since, 160)}:\n\n${shown}`;
}

/** A size that a narrow column does not break. */
function size(bytes: number | undefined): string {
  return bytes === undefined ? '' : formatBytes(bytes).replace(' ', '\u00a0');
}

/** `2026-11-20 10:15`, from an ISO time that is written anew rather than trusted. Neither hyphens nor blank break. */
function when(createdAt: string): string {
  const time = parseTime(createdAt);
  if (time === null) return escapeCell(createdAt, 40);
  return time.toISOString().slice(0, 16).replaceAll('-', '\u2011').replace('T', '\u00a0');
}
