import { expect, test } from '@jest/globals';
import { escaped, type Known, metricsOf } from '../../src/reporting/metrics.js';
import { complaintsOfPromtool, promtoolProgram, samplesIn } from '../helpers/promtool.js';
import { HOSTILE } from './sample-report.js';

const AT = new Date('2026-11-20T10:16:00.900Z');
const KNOWN: Known = {
  backups: 6,
  newest: {
    createdAt: new Date('2026-11-20T10:15:00Z'),
    ...{ bytes: 83_000_000, databaseBytes: 302_000_000, durationMs: 12_400, rows: 1_304_710 },
  },
  proof: { at: '2026-11-19T03:00:00Z', ms: 4_200 },
};
const report = { name: 'app', ok: true, problems: [] };
const textOf = (known: Known | null = KNOWN, changes: Partial<Parameters<typeof metricsOf>[0]> = {}): string => {
  const { run, backups } = metricsOf({ ...report, ...changes }, 'sqlite', known, AT);
  return run + backups;
};
const of = (name: string, more = ''): string => `db_backup_${name}{target="app",engine="sqlite"${more}}`;

test('what a run and its backups are, in seconds and bytes', () => {
  const proof = ',level="restore"';
  expect(samplesIn(textOf())).toEqual({
    [of('last_run_timestamp_seconds')]: AT.getTime() / 1000 - 0.9,
    [of('healthy')]: 1,
    [of('backups')]: 6,
    [of('last_success_timestamp_seconds')]: Date.parse('2026-11-20T10:15:00Z') / 1000,
    [of('last_size_bytes')]: 83_000_000,
    [of('database_bytes')]: 302_000_000,
    [of('last_duration_seconds')]: 12.4,
    [of('rows')]: 1_304_710,
    [of('last_proof_timestamp_seconds', proof)]: Date.parse('2026-11-19T03:00:00Z') / 1000,
    [of('last_proof_duration_seconds', proof)]: 4.2,
  });
});

test('what is not known is not told', () => {
  const names = (text: string) => Object.keys(samplesIn(text)).map((name) => name.replace(/db_backup_|\{.*/g, ''));
  expect(names(textOf({ ...KNOWN, newest: null, proof: null }))).toEqual([
    ...['last_run_timestamp_seconds', 'healthy', 'backups'],
  ]);
  expect(names(textOf(null))).toEqual(['last_run_timestamp_seconds', 'healthy']);
  const some = names(
    textOf({
      ...KNOWN,
      newest: KNOWN.newest && { ...KNOWN.newest, rows: null },
      proof: { at: '2026-11-19T03:00:00Z', ms: null },
    }),
  );
  expect(some).not.toContain('rows');
  expect(some).not.toContain('last_proof_duration_seconds');
  expect(some).toContain('last_proof_timestamp_seconds');
});

test.each([
  [{ ok: false }, 0],
  [{ problems: [{ level: 'error', message: 'x' } as const] }, 0],
  [{ problems: [{ level: 'warning', message: 'x' } as const] }, 1],
])('%j: healthy is %i', (changes, healthy) => {
  expect(samplesIn(textOf(KNOWN, changes))[of('healthy')]).toBe(healthy);
});

test('a label can hold anything', () => {
  expect(escaped('a\\b"c\nd')).toBe('a\\\\b\\"c\\nd');
  for (const name of HOSTILE) expect(Object.keys(samplesIn(textOf(KNOWN, { name })))).toHaveLength(10);
});

const promtool = promtoolProgram();
if (promtool === null) test.skip('promtool, which is not on this machine: see scripts/promtool.sh', () => {});
else {
  test('promtool has nothing against any of them', () => {
    for (const text of [textOf(), textOf(null), textOf(KNOWN, { name: 'a\\b"c\nd' })]) {
      expect(complaintsOfPromtool(promtool, ['check', 'metrics'], text)).toBe('');
    }
    // it does look
    expect(complaintsOfPromtool(promtool, ['check', 'metrics'], textOf().replace(/# HELP .*\n/, ''))).toContain(
      'status 3',
    );
    expect(complaintsOfPromtool(promtool, ['check', 'metrics'], textOf().trimEnd())).toContain('status 1');
  });
}
