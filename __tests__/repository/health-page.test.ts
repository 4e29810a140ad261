import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { healthIn } from '../../src/engines/physical/health.js';
import { postgresHealth } from '../../src/engines/postgres/health.js';
import { sqliteHealth } from '../../src/engines/sqlite/health.js';
import { ERRORS } from '../../src/errors.js';
import { Facts } from '../../src/host/facts.js';
import { newReport } from '../../src/reporting/report.js';

const page = readFileSync(new URL('../../docs/health.md', import.meta.url), 'utf8');
/** The names in the first column of the table below such a heading row. */
const firstColumn = (head: string): string[] => {
  const [, table = ''] = page.split(`${head}\n`);
  const rows = table.split('\n\n')[0]?.split('\n').slice(1) ?? [];
  return rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''));
};

const facts = new Facts();
for (const [key, text] of [
  ['source', '/srv/app.db'],
  ['source_bytes', '1'],
] as const)
  facts.add(key, text);

test('every figure of an engine is explained, and no other', () => {
  expect(firstColumn('| figure | SQLite |').sort()).toEqual(Object.keys(sqliteHealth(facts, []).figures).sort());
  expect(firstColumn('| figure | PostgreSQL with `method: physical` |').sort()).toEqual(
    Object.keys(healthIn(facts, new Date(0)).figures).sort(),
  );
  expect(firstColumn('| figure | PostgreSQL |').sort()).toEqual(Object.keys(postgresHealth(facts).figures).sort());
});

test('every key is one of the report', () => {
  const keys = firstColumn('| key | meaning |').map((key) => key.replace('[]', ''));
  const known: object = newReport(new Date(0));
  for (const key of keys) expect(known).toHaveProperty(key.split('.')[0] ?? '');
  expect(keys.filter((key) => key.startsWith('health.'))).toEqual(
    ['lastRestored', 'encryption', 'clocks', 'room', 'database'].map((key) => `health.${key}`),
  );
});

test('every code is one that there is', () => {
  const codes = [...page.matchAll(/`(E_\w+)`/g)].map(([, code]) => code ?? '');
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((code) => !(code in ERRORS))).toEqual([]);
});
