import { expect, test } from '@jest/globals';
import { Secrets } from '../../src/platform/secrets.js';
import { neutralise } from '../../src/reporting/neutralise.js';
import type { Report } from '../../src/reporting/report.js';
import { bodyOf, factLines, lastLines, type Message, messageOf } from '../../src/telling/message.js';
import { isTold, type Level, levelOf } from '../../src/telling/when.js';
import { failedReport, sampleBackup, sampleReport, sampleRestore } from '../reporting/sample-report.js';

const from = (report: Report, level: Level, clean = neutralise, log: string[] = []): Message =>
  messageOf({ report, github: null, level, log, now: new Date(0), clean });

test('of a good run: the verdict, and what it has made', () => {
  const offsite = { uri: 's3://bucket/app/x', versionId: null, via: 'host' as const, lockedUntil: null };
  const message = from(sampleReport({ offsite, newestAgeSeconds: null }), 'ok');
  expect(message.title).toBe('✅ Backup of app is good: content verified');
  expect(bodyOf(message)).toBe('');
  expect(factLines(message).split('\n')).toEqual([
    'Database: app',
    'Host: db.example.org',
    `Backup: ${sampleBackup().id}`,
    'Database size: 302 MB',
    'Backup size: 83 MB',
    'Duration: 14 s',
    `SHA-256: ${sampleBackup().sha256}`,
    'Retention: 6 kept, 1 deleted',
    'Off-site copy: s3://bucket/app/x',
  ]);
  expect(message.link).toBeNull();
});

test('of a recovery: that it is one', () => {
  expect(from(sampleReport(), 'recovered').title).toBe('✅ Recovered: Backup of app is good: content verified');
});

test('of a failure: the code, what happened, its usual cause, what to do, what was left as it was', () => {
  const message = from(failedReport(), 'failed');
  expect(message.title).toBe('❌ Backup of app failed: E_NOSPACE');
  expect(message.sections.map(({ heading }) => heading)).toEqual([
    'What happened',
    'Usual cause',
    'What to do',
    'Left as it was',
  ]);
  expect(bodyOf(message)).toContain('E_NOSPACE: /home/deploy/db-backups: 120 MB free');
  expect(bodyOf(message)).toContain('Nothing was kept, nothing was rotated');
  expect(factLines(message)).not.toContain('Retention');
});

test('of a restore: from what, and what would undo it', () => {
  const report = sampleReport({ command: 'restore', restore: sampleRestore() });
  expect(factLines(from(report, 'ok'))).toContain('Safety backup: app-20261120T101700Z-00ff');
});

test('problems are told, some of them', () => {
  const problems = Array.from({ length: 7 }, (_, i) => ({
    level: 'warning' as const,
    message: `odd ${i}`,
    todo: 'Look.',
  }));
  const { sections } = from(sampleReport({ problems }), 'ok');
  expect(sections).toEqual([
    { heading: 'Problems', text: `${[0, 1, 2, 3, 4].map((i) => `- odd ${i}. Look.`).join('\n')}\n- and 2 more` },
  ]);
});

test('every text is without secrets, and each fact and line of the log is one line', () => {
  const secrets = new Secrets();
  secrets.add('hunter2');
  const clean = (text: string) => secrets.hidden(neutralise(text));
  const report = failedReport({
    name: 'hunter2',
    host: 'a\nhunter2',
    error: { message: 'hunter2', hint: 'hunt\u200ber2', left: 'nothing-kept' },
    problems: [{ level: 'warning', message: 'hunter2' }],
  });
  const message = from(report, 'failed', clean, ['hunter2\nx']);
  expect(JSON.stringify(message)).not.toContain('hunter2');
  expect(message.facts).toContainEqual(['Host', 'a ***']);
  expect(message.log).toEqual(['*** x']);
});

test('the last lines that fit; the last one always', () => {
  const message = { ...from(sampleReport(), 'ok'), log: ['one', 'two', 'three'] };
  expect(lastLines(message, 100)).toBe('one\ntwo\nthree');
  expect(lastLines(message, 10)).toBe('two\nthree');
  expect(lastLines(message, 9)).toBe('three');
  expect(lastLines(message, 1)).toBe('three');
  expect(lastLines({ ...message, log: [] }, 10)).toBe('');
});

test.each([
  [true, null, null, 'ok'],
  [true, null, 'ok', 'ok'],
  [true, null, 'failed', 'recovered'],
  [true, 'one is young enough', 'failed', 'ok'],
  [false, null, 'failed', 'failed'],
  [false, null, 'ok', 'failed'],
] as const)('ok %p, skipped %p, before it %p: %s', (ok, skipped, previous, level) => {
  expect(levelOf({ ok, skipped }, previous)).toBe(level);
});

test('who is told of what', () => {
  const levels: Level[] = ['ok', 'recovered', 'failed'];
  const told = (when: 'failure' | 'always' | 'never') => levels.filter((level) => isTold(when, level));
  expect(told('failure')).toEqual(['recovered', 'failed']);
  expect(told('always')).toEqual(levels);
  expect(told('never')).toEqual([]);
});
