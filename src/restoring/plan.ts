import type { TableRows } from '../backups/manifest.js';
import type { Dump, TargetPlan } from '../engines/restoring.js';
import { formatAge, formatBytes, formatCount } from '../reporting/format.js';
import { quoteOutside } from '../reporting/neutralise.js';
import type { RestorePlan } from '../reporting/report.js';
import { warn } from '../run/connect.js';
import type { Run } from '../run/run.js';

const MOST = 40;

/** Puts what would be done, and what would be lost, into the report and the log. */
export function tellRestorePlan(run: Run, dump: Dump, found: TargetPlan): void {
  const { log, report, settings } = run;
  const { stopCommand, startCommand, afterCommand, checkCommand, safetyBackup } = settings.restore;
  const commands = Object.entries({
    'stop-command': stopCommand,
    'after-restore-command': afterCommand,
    'start-command': startCommand,
    'check-command': checkCommand,
  }).flatMap(([name, text]) => (text === null ? [] : [`${name}: ${quoteOutside(text, 200)}`]));
  const plan: RestorePlan = {
    state: found.state,
    way: found.way,
    liveBytes: found.bytes,
    tables: sideBySide(found.tables, found.dumpTables),
    differences: found.differences,
    users: found.users.map((user) => quoteOutside(user, 200)),
    neededBytes: found.neededBytes,
    freeBytes: found.freeBytes,
    commands,
  };
  if (report.restore !== null) report.restore.plan = plan;

  const made = dump.manifest;
  const age = made === null ? '' : `, ${formatAge(run.now().getTime() - Date.parse(made.createdAt))} old`;
  log.info(`backup: ${quoteOutside(report.restore?.from ?? dump.file, 300)}, ${formatBytes(dump.bytes)}${age}`);
  log.info(
    found.state === 'missing'
      ? 'live: does not exist, will be created'
      : `live: ${formatBytes(found.bytes)}${found.state === 'damaged' ? ', damaged' : ''}`,
  );
  log.info(found.wayInWords);
  for (const { name, live, backup } of plan.tables.filter((table) => table.live !== table.backup).slice(0, MOST)) {
    log.info(`  ${quoteOutside(name, 100)}: ${rows(live)} live, ${rows(backup)} in the backup`);
  }
  for (const line of plan.differences.slice(0, MOST)) log.info(`  ${line}`);
  for (const user of plan.users.slice(0, MOST)) log.info(`  in use by ${user}`);
  for (const command of commands) log.info(`  ${command}`);
  const free = found.freeBytes === null ? '' : `, ${formatBytes(found.freeBytes)} free`;
  log.info(`space needed: ${formatBytes(found.neededBytes)}${free}`);
  if (!safetyBackup && found.state !== 'missing') {
    warn(run, 'no safety backup is taken (safety-backup: false): what is in the live database now will be lost');
  }
  for (const remark of found.remarks) warn(run, remark);
}

const rows = (count: number | null): string => (count === null ? 'missing or not counted' : formatCount(count));

/** By name, those of which rows are lost first. */
function sideBySide(live: readonly TableRows[], backup: readonly TableRows[] | null): RestorePlan['tables'] {
  const tables = new Map<string, { live: number | null; backup: number | null }>();
  for (const { name, rows } of live) tables.set(name, { live: rows, backup: null });
  for (const { name, rows } of backup ?? []) tables.set(name, { live: tables.get(name)?.live ?? null, backup: rows });
  const lost = ({ live, backup }: { live: number | null; backup: number | null }) => (live ?? 0) - (backup ?? 0);
  return [...tables].map(([name, counts]) => ({ name, ...counts })).sort((a, b) => lost(b) - lost(a));
}
