import { expect, test } from '@jest/globals';
import { newReport, type Report } from '../../src/reporting/report.js';
import { sparkline, textSummary } from '../../src/reporting/text-summary.js';

const report = (more: Partial<Report>): Report => ({
  ...newReport(new Date('2026-11-30T00:00:00Z')),
  durationMs: 1234,
  ...more,
});
const backup = (i: number, bytes: number, more = {}): NonNullable<Report['backup']> => ({
  ...{ id: `app-${i}`, path: `/b/app-${i}`, engine: 'sqlite', places: [], createdAt: `2026-11-${10 + i}T00:00:00Z` },
  ...{ sha256: 'x', bytes, databaseBytes: bytes * 2, tables: 3, rows: 256, commit: null, compression: 'zstd' as const },
  ...{
    verifiedLevel: 'content' as const,
    durationMs: 1,
    pinned: null,
    reason: 'manual',
    signed: false,
    state: 'ok' as const,
  },
  ...more,
});

test('what a backup rests on, and the sizes of the last ones, oldest first', () => {
  const backups = [backup(3, 4e6), backup(2, 2e6), backup(1, 1e6)];
  expect(
    textSummary(
      report({
        ...{ database: '/srv/app.db', backup: backups[0] ?? null, backups },
        remembered: [{ createdAt: '2026-11-10T00:00:00Z', bytes: 500e3, databaseBytes: 1 }],
        storage: { ...newReport(new Date()).storage, backups: 3, backupsBytes: 7e6, freeBytes: 9e9 },
      }),
    ),
  ).toBe(
    [
      '  database  /srv/app.db',
      '  backup    app-3',
      '  size      4 MB of 8 MB, 3 tables, rows: 256',
      '  verified  content',
      '  file      /b/app-3',
      '  kept      3 backups, 7 MB, 9 GB free',
      '  sizes     ▂▃▅█  4 MB is the newest',
      '  time      1.2 s',
    ].join('\n'),
  );
});

test('nothing, where there is nothing to tell', () => {
  expect(textSummary(report({}))).toBe('');
});

test('what is not as it should be is not hidden', () => {
  expect(textSummary(report({ backup: backup(1, 1e6, { state: 'suspect' }) }))).toContain(
    'verified  content, but it is suspect',
  );
});

test('text from outside stays in its line, and moves no cursor', () => {
  const text = textSummary(report({ database: `a\n✅ forged\u001b[2J\u202e${'x'.repeat(1000)}` }));
  expect(text.split('\n')).toHaveLength(2);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be there
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\u202e]/);
  expect(text.length).toBeLessThan(400);
});

test.each([
  [[1, 2, 4, 8], '▂▃▅█'],
  [[5], '█'],
  [[0, 0], '▁▁'],
  [[100, 100, 1], '██▁'],
])('of %j the chart is %s', (sizes, expected) => {
  expect(sparkline(sizes)).toBe(expected);
});
