import { expect, test } from '@jest/globals';
import type { Report } from '../../src/reporting/report.js';
import { type HistoryEntry, historyLine, readHistory } from '../../src/reporting/run-history.js';
import { renderSummary } from '../../src/reporting/summary.js';
import { failedReport, HOSTILE, sampleBackup, sampleReport, sampleRestore } from './sample-report.js';

const GITHUB = {
  ...{ repository: 'org/app', sha: 'c0ffee', ref: 'refs/heads/main', runId: '42' },
  ...{ runUrl: 'https://github.com/org/app/actions/runs/42', actor: 'ada', event: 'push' },
};
const AT = new Date('2026-11-20T10:16:00.123Z');
const line = (report: Report, github: typeof GITHUB | null = GITHUB): string => historyLine(report, github, AT);
const backup = sampleBackup();
const ENTRY: HistoryEntry = {
  at: '2026-11-20T10:16:00.123Z',
  name: 'app',
  command: 'backup',
  result: 'ok',
  ms: 14_300,
  backup: backup.id,
  bytes: 83_000_000,
  databaseBytes: 302_000_000,
  verified: 'content',
  deleted: 1,
  deletedIds: [sampleBackup(6).id],
  restore: null,
  by: { actor: 'ada', event: 'push', url: 'https://github.com/org/app/actions/runs/42' },
};

test('a line tells what a run did, and is read as it was written', () => {
  expect(JSON.parse(line(sampleReport()))).toEqual(ENTRY);
  expect(readHistory([line(sampleReport())], 'app')).toEqual([ENTRY]);
  const failed = line(failedReport(), null);
  expect(readHistory([failed], 'app')).toMatchObject([{ result: 'E_NOSPACE', backup: null, bytes: null, by: null }]);
  // of a message nothing, which may hold anything of the host
  expect(failed).not.toContain('120 MB');
  const restore = sampleReport({ command: 'restore', restore: sampleRestore() });
  expect(readHistory([line(restore)], 'app')).toMatchObject([
    { command: 'restore', restore: { outcome: 'restored', safety: 'app-20261120T101700Z-00ff' } },
  ]);
});

test('no line has more than 2000 bytes, or more than one line, whatever is in it', () => {
  const deletedIds = Array.from({ length: 5_000 }, (_, age) => `${'n'.repeat(60)}${sampleBackup(age).id}`);
  for (const text of [...HOSTILE, 'x'.repeat(5_000), '\u0007'.repeat(5_000), '😀'.repeat(5_000)]) {
    const github = { ...GITHUB, actor: text, event: text, runUrl: text };
    const one = line(sampleReport({ name: 'n'.repeat(64), deleted: 5_000, deletedIds }), github);
    expect(Buffer.byteLength(one)).toBeLessThanOrEqual(2_000);
    expect(one).not.toMatch(/[\n\r\u2028]|##\[/);
    expect(readHistory([one], 'n'.repeat(64))).toMatchObject([{ deleted: 5_000 }]);
  }
});

test('what is no line of ours is left out, and of the others the last twenty are told, the newest first', () => {
  const good = (ms: number) => JSON.stringify({ ...ENTRY, ms });
  const bad = [
    ...['', '{', 'null', '[]', '{}', '1', '"x"', good(1).slice(0, -5), `${good(1)}${good(2)}`],
    ...[
      { at: 'yesterday' },
      { result: 'fine' },
      { ms: -1 },
      { ms: '1' },
      { backup: '../../etc/passwd' },
      { bytes: 1.5 },
    ],
    ...[{ command: '<b>' }, { verified: 'all' }, { deletedIds: ['x'] }, { by: 'me' }, { by: { actor: 'a' } }],
    ...[{ by: { ...ENTRY.by, actor: 'a'.repeat(101) } }, { restore: { outcome: 'maybe', safety: null } }],
    { more: 'x'.repeat(2_000) },
  ].map((one) => (typeof one === 'string' ? one : JSON.stringify({ ...ENTRY, ...one })));
  expect(readHistory([bad.join('\n')], 'app')).toEqual([]);
  const others = JSON.stringify({ ...ENTRY, name: 'shop' });
  const lines = Array.from({ length: 30 }, (_, ms) => good(ms));
  const known = readHistory([lines.slice(0, 3).join('\n'), [...bad, ...lines.slice(3), others].join('\n')], 'app');
  expect(known.map(({ ms }) => ms)).toEqual(Array.from({ length: 20 }, (_, at) => 29 - at));
  // what this version does not know is not told
  expect(readHistory([JSON.stringify({ ...ENTRY, extra: 'x' })], 'app')).toEqual([ENTRY]);
});

test('the summary of a list has them in a folded table', () => {
  const history = readHistory(
    HOSTILE.map((text) =>
      JSON.stringify({ ...ENTRY, by: { actor: text.slice(0, 100), event: text.slice(0, 60), url: text } }),
    ),
    'app',
  );
  expect(history).toHaveLength(20);
  const text = renderSummary(sampleReport({ command: 'list', retention: [], history }));
  const [, section = ''] =
    /<summary>The latest runs that changed something<\/summary>\n\n([\s\S]*?)\n\n<\/details>/.exec(text) ?? [];
  const rows = section.split('\n');
  expect(rows).toHaveLength(22);
  for (const row of rows) expect(row).toMatch(/^\|(?: [^|]* \|){8}$/);
  expect(rows[2]).toContain(`| 2026-11-20 10:16 | backup | ✅ | \`${backup.id}\` | 83 MB | 1 | 14 s |`);
  for (const raw of ['<img', '<script', '](java', '##[']) expect(section).not.toContain(raw);
  expect(renderSummary(sampleReport({ command: 'list' }))).not.toContain('The latest runs');
});
