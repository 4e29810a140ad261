import type { TableRows } from './manifest.js';

/** A table that is not as it was. Rows: null where they were not counted, or the table is not there. */
export interface TableChange {
  name: string;
  change: 'new' | 'gone' | 'more' | 'fewer';
  before: number | null;
  after: number | null;
}

/** Fewer rows are lost in the ordinary course of things. */
const ENOUGH_ROWS = 20;

/** What has changed between two backups: tables that went first, then by rows lost; what was not counted in one of them is not compared. */
export function compareTables(before: readonly TableRows[], after: readonly TableRows[]): TableChange[] {
  const was = new Map(before.map(({ name, rows }) => [name, rows]));
  const is = new Map(after.map(({ name, rows }) => [name, rows]));
  const changes: TableChange[] = [];
  for (const [name, rows] of was) {
    const now = is.get(name);
    if (now === undefined) changes.push({ name, change: 'gone', before: rows, after: null });
    else if (rows !== null && now !== null && now !== rows) {
      changes.push({ name, change: now < rows ? 'fewer' : 'more', before: rows, after: now });
    }
  }
  for (const [name, rows] of is) {
    if (!was.has(name)) changes.push({ name, change: 'new', before: null, after: rows });
  }
  return changes.sort((a, b) => ORDER[a.change] - ORDER[b.change] || lost(b) - lost(a) || (a.name < b.name ? -1 : 1));
}

const ORDER: Record<TableChange['change'], number> = { gone: 0, fewer: 1, more: 2, new: 3 };

const lost = ({ before, after }: TableChange): number => (before ?? 0) - (after ?? 0);

/** The tables of these that vanished with their rows, or lost more than this share of them (0.5 is half). */
export function rowLosses(changes: readonly TableChange[], limit: number): TableChange[] {
  return changes.filter(
    ({ change, before, after }) =>
      before !== null &&
      before >= ENOUGH_ROWS &&
      (change === 'gone' || (change === 'fewer' && (after ?? 0) < before * (1 - limit))),
  );
}
