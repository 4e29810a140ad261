import { expect, test } from '@jest/globals';
import { catalogueLines } from '../../src/command-line/catalogue.js';
import { sampleBackup } from '../reporting/sample-report.js';

const now = new Date('2026-11-20T13:15:00Z');
const one = sampleBackup(0, {
  id: 'app-20261120T101500Z-7f3a',
  createdAt: '2026-11-20T10:15:00Z',
  bytes: 12_000_000,
  commit: '0123456789ab',
  verifiedLevel: 'content',
  largest: [
    { name: 'orders', rows: 1_284_551 },
    { name: 'users', rows: 20 },
  ],
});

test('a line for each, in columns, with what is special about it below', () => {
  const other = sampleBackup(0, {
    ...{ id: 'app-20261119T101500Z-0001', createdAt: '2026-11-19T10:15:00Z', bytes: 900, commit: null, largest: [] },
    ...{
      state: 'suspect',
      detail: 'the database has 1 kB, the median is 12 MB',
      pinned: 'before the move',
      reason: 'safety',
    },
    ...{ partial: 'without the table logs', encryption: { method: 'age', recipients: ['age1abc'] } },
  });
  expect(catalogueLines([one, other], 9, now)).toEqual([
    '   #  backup                     age      size   proof    commit   rows of the largest tables',
    '   9  app-20261120T101500Z-7f3a  3 hours  12 MB  content  0123456  orders 1\u00a0284\u00a0551, users 20',
    '  10  app-20261119T101500Z-0001  1 day    900 B  suspect  -        -',
    '      suspect: the database has 1 kB, the median is 12 MB',
    '      partial: without the table logs',
    '      the state before a restore',
    '      pinned: before the move',
    '      encrypted with age for age1abc',
  ]);
});

test('a text from outside stays in its line, is cut, and moves nothing', () => {
  const hostile = `a\nb\u001b[2J\u001b]0;x\u0007\r\u202e${'long '.repeat(100)}`;
  const lines = catalogueLines([{ ...one, pinned: hostile, largest: [{ name: hostile, rows: 1 }] }], 1, now);
  expect(lines).toHaveLength(3);
  for (const line of lines) {
    expect(line.length).toBeLessThan(250);
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
});
