import { code, escapeCell, fenced, prose } from './markdown.js';
import type { Checked, Problem, Report, SetUp } from './report.js';

const ICONS = { ok: '✅', skipped: '➖', warning: '⚠️', error: '❌' } as const;

/** Every precondition with what was found, and what to do. */
export function checksTable(checked: readonly Checked[]): string {
  const rows = checked.map(({ what, found, level = 'ok', code: errorCode, todo }) => {
    const label = errorCode === undefined ? '' : `${code(errorCode, 40)} `;
    const advice = todo === undefined ? '' : escapeCell(todo, 900);
    return `| ${ICONS[level]} | ${escapeCell(what, 60)} | ${label}${escapeCell(found, 600)} | ${advice} |`;
  });
  return ['### Checked', ['| | What | Found | What to do |', '| :--- | :--- | :--- | :--- |', ...rows].join('\n')].join(
    '\n\n',
  );
}

/** A problem that stands in the table already. */
export const isInTable = ({ message }: Problem, { checked }: Pick<Report, 'checked'>): boolean =>
  checked.some(({ what, found }) => message === `${what}: ${found}`);

const MOST_SET_UP = 20;

/** The set-up by least privilege, folded. */
export function setUpSection(setUp: readonly SetUp[]): string | null {
  if (setUp.length === 0) return null;
  const parts = setUp
    .slice(0, MOST_SET_UP)
    .map(({ title, why, language, text }) =>
      [`#### ${prose(title, 200)}`, prose(why, 500), fenced(language, text)].join('\n\n'),
    );
  return [
    '<details><summary>The least-privilege set-up for exactly this host and database</summary>',
    ...parts,
    '</details>',
  ].join('\n\n');
}
