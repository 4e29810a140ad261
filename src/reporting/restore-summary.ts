import { formatBytes, formatCount, formatDuration } from './format.js';
import { type Column, code, escapeCell, fenced, linesWithin, longCode, table } from './markdown.js';
import type { RestorePlan, RestoreReport } from './report.js';

const OUTCOMES: Record<RestoreReport['outcome'], string> = {
  '': 'unknown',
  restored: '**restored**',
  unchanged: '**unchanged**: nothing was replaced',
  'rolled-back': '**rolled back** to its state before the restore',
  'rollback-failed': '**rollback failed**: it needs manual repair',
};
const STATES: Record<RestorePlan['state'], string> = {
  sound: '',
  damaged: ', **damaged**',
  missing: 'does not exist, would be created',
};

/** What a restore met, did and left. */
export function restoreSection(restore: RestoreReport): string {
  const rows: [string, string][] = [
    ['Live database', OUTCOMES[restore.outcome]],
    ['Target', longCode(restore.target)],
    ['Restored from', longCode(restore.from)],
  ];
  if (restore.safetyBackupId !== null) rows.push(['Safety backup', `${code(restore.safetyBackupId, 160)}, pinned`]);
  if (restore.ms !== null) rows.push(['Loaded and swapped in', formatDuration(restore.ms)]);
  const { plan } = restore;
  if (plan !== null) {
    const size = plan.state === 'missing' ? '' : formatBytes(plan.liveBytes);
    rows.push(['Before', `${size}${STATES[plan.state]}`], ['Restore way', escapeCell(plan.way, 40)]);
    const free = plan.freeBytes === null ? '' : `, ${formatBytes(plan.freeBytes)} free`;
    rows.push(['Space needed', `${formatBytes(plan.neededBytes)}${free}`]);
  }
  const [head, ...body] = rows.map(([name, value]) => `| ${name} | ${value} |`);
  const facts = [head, '| :--- | :--- |', ...body].join('\n');
  return ['### Restore', facts, ...(plan === null ? [] : details(plan))].filter((part) => part !== '').join('\n\n');
}

/** Inputs, one a line, as a workflow has them. */
export function inputLines(inputs: Readonly<Record<string, string>> | null): string[] {
  // what is JSON is YAML as well
  return Object.entries(inputs ?? {}).map(([name, value]) => {
    const isWord = /^(true|false|null|yes|no|on|off|y|n)$/i.test(value) && name !== 'dry-run';
    return `${name}: ${/^[a-z][a-z0-9._-]*$/i.test(value) && !isWord ? value : JSON.stringify(value)}`;
  });
}

/** What to type after a plan; null when it was none. */
export const nextSection = ({ next }: RestoreReport): string | null =>
  formSection('What to do next', 'To restore exactly this backup', next);

/** How to undo it; null when there is no way. */
export function undoSection({ undo, undoNote }: RestoreReport): string | null {
  const section = formSection('How to undo this restore', 'To bring back the state from before this restore', undo);
  return section === null || undoNote === null ? section : `${section}\n\n${undoNote}`;
}

/** `command` is no field of a form, and is not among `inputs`. */
function formSection(title: string, aim: string, inputs: Record<string, string> | null): string | null {
  const lines = inputLines(inputs);
  if (lines.length === 0) return null;
  return `### ${title}\n\n${aim}, start your restore workflow again (Run workflow), type these values into its form, and leave the rest as it is. Without a form, set them as inputs with \`command: restore\`:\n\n${fenced('yaml', lines.join('\n'))}`;
}

function details(plan: RestorePlan): string[] {
  return [
    plan.tables.length === 0 ? '' : table(TABLES, plan.tables, { visible: 15, maxBytes: 25_000, noun: 'table' }),
    list('Differences between the live database and the backup:', plan.differences),
    list('In use by:', plan.users),
    list('Commands:', plan.commands),
  ];
}

const TABLES: Column<RestorePlan['tables'][number]>[] = [
  { title: 'Table', cell: ({ name }) => code(name, 100) },
  { title: 'Live rows before', cell: ({ live }) => rows(live), right: true },
  { title: 'Rows in the backup', cell: ({ backup }) => rows(backup), right: true },
];

const rows = (count: number | null): string => (count === null ? '' : formatCount(count));

function list(title: string, lines: string[]): string {
  if (lines.length === 0) return '';
  const items = linesWithin(lines, 8_000, (line) => `- ${escapeCell(line, 300)}`);
  const left = lines.length - items.length;
  return [title, '', ...items, ...(left > 0 ? [`- and ${formatCount(left)} more`] : [])].join('\n');
}
