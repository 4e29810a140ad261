import { formatBytes, formatDuration, parseTime } from './format.js';
import { type Column, code, escapeCell, folded, table } from './markdown.js';
import type { HistoryEntry } from './run-history.js';

const HISTORY: Column<HistoryEntry>[] = [
  {
    title: 'Ended (UTC)',
    cell: ({ at }) => parseTime(at)?.toISOString().slice(0, 16).replace('T', ' ') ?? '',
  },
  { title: 'Command', cell: ({ command }) => escapeCell(command, 20) },
  { title: 'Result', cell: ({ result }) => (result === 'ok' ? '✅' : `❌ ${code(result, 40)}`) },
  { title: 'Backup', cell: ({ backup }) => (backup === null ? '' : code(backup, 160)) },
  { title: 'File', cell: ({ bytes }) => (bytes === null ? '' : formatBytes(bytes)), right: true },
  { title: 'Deleted', cell: ({ deleted }) => (deleted === 0 ? '' : String(deleted)), right: true },
  { title: 'Took', cell: ({ ms }) => formatDuration(ms), right: true },
  {
    title: 'By',
    cell: ({ by }) =>
      by === null ? '' : escapeCell([by.actor, by.event].filter((text) => text !== '').join(', '), 80),
  },
];

/** The latest runs that changed something, folded away; null when none is known. */
export function historySection(history: HistoryEntry[]): string | null {
  if (history.length === 0) return null;
  const shown = table(HISTORY, history, { visible: history.length, maxBytes: 20_000, noun: 'run' });
  return folded('The latest runs that changed something', shown);
}
