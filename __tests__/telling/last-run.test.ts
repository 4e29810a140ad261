import { expect, test } from '@jest/globals';
import { newReport } from '../../src/reporting/report.js';
import { reportJson } from '../../src/reporting/report-json.js';
import { lastRun } from '../../src/run/last-run.js';
import { failedReport, sampleReport } from '../reporting/sample-report.js';

const OWN = { command: 'backup', name: 'app' } as const;
/** What the host tells of it. */
const beginning = (report: object): string => reportJson({ ...newReport(new Date(0)), ...report }).slice(0, 200);

test('is told by the beginning of the status, as it is written', () => {
  expect(lastRun(beginning(sampleReport()), OWN)).toBe('ok');
  expect(lastRun(beginning(failedReport()), OWN)).toBe('failed');
  const longest = beginning(failedReport({ name: 'a'.repeat(64), command: 'restore' }));
  expect(lastRun(longest, { command: 'restore', name: 'a'.repeat(64) })).toBe('failed');
});

test.each([
  ['of another command', beginning(failedReport({ command: 'verify' }))],
  ['of another database', beginning(failedReport({ name: 'other' }))],
  ['nothing', ''],
  ['another schema', '{"schema":2,"command":"backup","name":"app","ok":false,'],
  ['another order', '{"schema":1,"ok":false,"command":"backup","name":"app",'],
  ['text before it', ' {"schema":1,"command":"backup","name":"app","ok":false,'],
])('is not known: %s', (_, status) => {
  expect(lastRun(status, OWN)).toBeNull();
});
