import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { backupOk, outputsOf, writeOutputs } from '../../src/reporting/outputs.js';
import type { Report } from '../../src/reporting/report.js';
import { MAX_REPORT_BYTES } from '../../src/reporting/report-json.js';
import { COMMANDS } from '../../src/settings/settings.js';
import { failedReport, HOSTILE, sampleBackup, sampleReport } from './sample-report.js';

const NAMES = [
  'error-code',
  'backup-id',
  'backup-path',
  'sha256',
  'bytes',
  'database-bytes',
  'created-at',
  'duration-ms',
  'verified-level',
  'kept',
  'deleted',
  's3-uri',
  's3-version-id',
  'restore-outcome',
  'restore-ms',
  'safety-backup-id',
  'newest-age-seconds',
  'healthy',
  'report',
  'backup-ok',
];

function reportOf(report: Report): Report {
  return JSON.parse(Object.fromEntries(outputsOf(report)).report ?? '');
}

describe('outputsOf', () => {
  test('a good backup', () => {
    const outputs = outputsOf(sampleReport());
    expect(outputs.map(([name]) => name)).toEqual(NAMES);
    const { report, ...values } = Object.fromEntries(outputs);
    expect(values).toEqual({
      'error-code': '',
      'backup-id': 'app-20261120T101500Z-7f3a',
      'backup-path': '/home/deploy/db-backups/app-20261120T101500Z-7f3a.sqlite.zst',
      sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      bytes: '83000000',
      'database-bytes': '302000000',
      'created-at': '2026-11-20T10:15:00Z',
      'duration-ms': '12400',
      'verified-level': 'content',
      kept: '6',
      deleted: '1',
      's3-uri': '',
      's3-version-id': '',
      'restore-outcome': '',
      'restore-ms': '',
      'safety-backup-id': '',
      'newest-age-seconds': '2',
      healthy: '',
      'backup-ok': 'true',
    });
    expect(JSON.parse(report ?? '')).toEqual(sampleReport());
  });

  test('a failure without a backup: the same names, empty values', () => {
    const outputs = outputsOf(failedReport({ newestAgeSeconds: null, retention: [] }));
    expect(outputs.map(([name]) => name)).toEqual(NAMES);
    const { report: _, ...values } = Object.fromEntries(outputs);
    expect(values).toEqual({
      'error-code': 'E_NOSPACE',
      'backup-id': '',
      'backup-path': '',
      sha256: '',
      bytes: '',
      'database-bytes': '',
      'created-at': '',
      'duration-ms': '',
      'verified-level': 'none',
      kept: '7',
      deleted: '0',
      's3-uri': '',
      's3-version-id': '',
      'restore-outcome': '',
      'restore-ms': '',
      'safety-backup-id': '',
      'newest-age-seconds': '',
      healthy: '',
      'backup-ok': 'false',
    });
  });

  test('names and paths from outside can not command the runner when a workflow prints them', () => {
    for (const text of HOSTILE) {
      const outputs = outputsOf(
        sampleReport({ host: text, backup: sampleBackup(0, { id: text, path: text, sha256: text }) }),
      );
      for (const [, value] of outputs) {
        expect(value).not.toContain('##[');
        expect(value).not.toMatch(/^\s*::|\n/);
      }
    }
  });
});

describe('backupOk', () => {
  test.each(COMMANDS)('%s that is well', (command) => {
    expect(backupOk(sampleReport({ command }))).toBe(['backup', 'verify'].includes(command));
  });

  test.each<[string, Partial<Report>, boolean]>([
    ['skipped, one is young enough', { skipped: 'one is 5 minutes old' }, true],
    ['dry run', { dryRun: true }, false],
    ['not ok', { ok: false }, false],
    ['good, but rotation failed', { ok: false, errorCode: 'E_ROTATE' }, false],
    ['contradiction: ok with a code', { errorCode: 'E_ROTATE' }, false],
    ['contradiction: ok without a backup', { backup: null }, false],
  ])('%s', (_, changes, expected) => {
    expect(backupOk(sampleReport(changes))).toBe(expected);
    expect(outputsOf(sampleReport(changes)).at(-1)).toEqual(['backup-ok', String(expected)]);
  });
});

describe('the report output', () => {
  test('hostile text is in it as it was', () => {
    const report = sampleReport({ host: HOSTILE.slice(0, -1).join('') });
    expect(reportOf(report)).toEqual(report);
  });

  test('a message that is a little too long loses only its end', () => {
    const message = '"quoted" '.repeat(100);
    const { problems } = reportOf(sampleReport({ problems: [{ level: 'warning', message }] }));
    expect(problems[0]?.message).toContain('the end of long texts');
    expect(problems[1]?.message.length).toBeGreaterThan(400);
  });

  test('lists are capped, and problems say so', () => {
    const tiny = {
      bytes: 0,
      databaseBytes: 0,
      tables: 0,
      rows: 0,
      commit: null,
      durationMs: 0,
      engine: '',
      places: [],
      id: '',
      path: '',
      createdAt: '',
      sha256: '',
      reason: '',
    };
    const kept = reportOf(
      sampleReport({
        backups: [],
        retention: Array.from({ length: 503 }, () => ({ id: 'x', keep: true, reasons: [] })),
        tables: Array.from({ length: 1001 }, () => ({ name: 't', rows: 1 })),
      }),
    );
    expect([kept.retention.length, kept.tables.length]).toEqual([500, 1000]);
    expect(kept.problems[0]?.message).toBe(
      'report: too large for an output, left out: 1 table of 1001; 3 retention decisions of 503',
    );
    const retention = Array.from({ length: 501 }, () => ({ id: 'x', keep: true, reasons: [] }));
    const s3 = { uri: 's3://b/app/', backups: 1, backupsBytes: 1, retention, deleted: 0, hidden: false };
    const inStore = reportOf(sampleReport({ s3 }));
    expect(inStore.s3).toEqual({ ...s3, retention: retention.slice(1) });
    expect(inStore.problems[0]?.message).toContain('1 retention decision in S3 of 501');
    const backups = Array.from({ length: 501 }, (_, i) => sampleBackup(i, tiny));
    expect(reportOf(sampleReport({ backups, retention: [], tables: [] })).backups).toHaveLength(400);
  });

  test('tables go first, then the oldest backups', () => {
    const backups = Array.from({ length: 100 }, (_, i) => sampleBackup(i));
    const tables = Array.from({ length: 1000 }, (_, i) => ({ name: `t${i}${'x'.repeat(100)}`, rows: i }));
    const someTables = reportOf(sampleReport({ backups, tables }));
    expect(someTables.backups).toEqual(backups);
    expect(someTables.tables.length).toBeGreaterThan(100);
    expect(someTables.tables).toEqual(tables.slice(0, someTables.tables.length));

    const many = Array.from({ length: 500 }, (_, i) => sampleBackup(i));
    const someBackups = reportOf(sampleReport({ backups: many, tables }));
    expect(someBackups.tables.length).toBeLessThan(5);
    expect(someBackups.backups.length).toBeGreaterThan(200);
    expect(someBackups.backups).toEqual(many.slice(0, someBackups.backups.length));
    expect(someBackups.problems[0]?.message).toMatch(/backups of 500/);
  });

  test('recovery commands are never cut in the middle', () => {
    const kept = reportOf(sampleReport({ recovery: ['cd /', `rm -f /tmp/${'x'.repeat(10_000)}/copy`] }));
    expect(kept.recovery).toEqual([]);
    expect(kept.problems[0]?.message).toContain('the recovery commands');
  });

  test.each(['x', '\u0007', '\ufeff', '##[', '日'])(
    'stays in bounds with 5000 of everything and texts of 1 MB of %j',
    (unit) => {
      const huge = unit.repeat(1_000_000 / unit.length);
      const backup = sampleBackup(0, {
        id: huge,
        path: huge,
        createdAt: huge,
        sha256: huge,
        pinned: huge,
        reason: huge,
      });
      const many = <T>(one: T): T[] => Array.from({ length: 5000 }, () => one);
      const report = failedReport({
        error: { message: huge, hint: huge, left: 'nothing-kept' },
        startedAt: huge,
        skipped: huge,
        host: huge,
        database: huge,
        name: huge,
        directory: huge,
        backup,
        recovery: many(huge),
        backups: many(backup),
        retention: many({ id: huge, keep: true, reasons: many(huge) }),
        tables: many({ name: huge, rows: 1 }),
        stages: many({ name: huge, ms: 1 }),
        problems: many({ level: 'warning', message: huge }),
        offsite: { uri: huge, versionId: huge, via: 'host', lockedUntil: null },
        s3: {
          ...{ uri: huge, backups: 1, backupsBytes: 1, deleted: 0, hidden: false },
          retention: many({ id: huge, keep: true, reasons: many(huge) }),
        },
      });
      const json = Object.fromEntries(outputsOf(report)).report ?? '';
      expect(Buffer.byteLength(json)).toBeLessThanOrEqual(MAX_REPORT_BYTES);
      expect(Buffer.byteLength(json)).toBeGreaterThan(MAX_REPORT_BYTES / 2);
      expect(JSON.parse(json).problems[0].message).toContain('left out');
    },
  );
});

test('writeOutputs writes the runner file, each name once, backup-ok last', () => {
  const folder = mkdtempSync(join(tmpdir(), 'outputs-'));
  const before = process.env.GITHUB_OUTPUT;
  try {
    process.env.GITHUB_ACTIONS = 'true';
    process.env.GITHUB_OUTPUT = join(folder, 'output');
    writeFileSync(process.env.GITHUB_OUTPUT, '');
    writeOutputs(sampleReport());
    const written = readFileSync(process.env.GITHUB_OUTPUT, 'utf8');
    const entries = [...written.matchAll(/^([a-z0-9-]+)<<(ghadelimiter_\S+)\n([\s\S]*?)\n\2\n/gm)];
    expect(entries.map((entry) => entry[1])).toEqual(NAMES);
    expect(entries.at(-1)?.[3]).toBe('true');
  } finally {
    if (before === undefined) delete process.env.GITHUB_OUTPUT;
    else process.env.GITHUB_OUTPUT = before;
    rmSync(folder, { recursive: true });
  }
});
