import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { metricsOf } from '../../src/reporting/metrics.js';
import { complaintsOfPromtool, promtoolProgram } from '../helpers/promtool.js';

const docs = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), 'utf8');
const page = docs('monitoring.md');
const dashboard = docs('grafana-dashboard.json');
const rules = /```yaml\n(groups:\n[\s\S]*?)```/.exec(page)?.[1] ?? '';

const at = '2026-11-20T10:15:00Z';
const newest = { createdAt: new Date(at), bytes: 1, databaseBytes: 1, durationMs: 1, rows: 1 };
const { run, backups } = metricsOf(
  { name: 'app', ok: true, problems: [] },
  'sqlite',
  { backups: 1, newest, proof: { at, ms: 1 } },
  new Date(at),
);
const metrics = [...`${run}${backups}`.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? '');

const named = (text: string): string[] => [
  ...new Set([...text.matchAll(/\bdb_backup_[a-z_]+\b/g)].map(([name]) => name)),
];

test('the page has every metric, and no page names one that there is not', () => {
  const told = [...page.matchAll(/^\| `(db_backup_[a-z_]+)` \|/gm)].map(([, name]) => name ?? '');
  expect(told.toSorted()).toEqual(metrics.toSorted());
  expect(named(page + dashboard).filter((name) => !metrics.includes(name))).toEqual([]);
  expect(metrics.filter((name) => !named(dashboard).includes(name))).toEqual([]);
});

interface Panel {
  id: number;
  gridPos: { h: number; w: number; x: number; y: number };
  targets: { expr: string }[];
}

test('the dashboard is what Grafana imports: panels with ids of their own, side by side', () => {
  const { panels, uid, schemaVersion } = JSON.parse(dashboard) as {
    panels: Panel[];
    uid: string;
    schemaVersion: number;
  };
  expect([uid, schemaVersion]).toEqual(['db-backup', 39]);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const taken = new Set<string>();
  for (const { gridPos } of panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken).not.toContain(`${x},${y}`);
        taken.add(`${x},${y}`);
      }
    }
  }
});

const promtool = promtoolProgram();
if (promtool === null) test.skip('promtool, which is not on this machine: see scripts/promtool.sh', () => {});
else {
  const inFolder = (files: Record<string, string>, args: string[]): string => {
    const folder = mkdtempSync(join(tmpdir(), 'dbb-rules-'));
    try {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      return complaintsOfPromtool(promtool, args, '', folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test('the queries of the dashboard are queries', () => {
    const { panels } = JSON.parse(dashboard) as { panels: Panel[] };
    const all = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll('$target', '.*')));
    const rules = all.map((expr, nth) => ({ record: `panel_${nth}`, expr }));
    const asRules = stringify({ groups: [{ name: 'dashboard', rules }] });
    expect(all.length).toBeGreaterThan(6);
    expect(inFolder({ 'r.yml': asRules }, ['check', 'rules', '--lint-fatal', 'r.yml'])).toBe('');
    expect(inFolder({ 'r.yml': asRules.replace('time()', 'time(') }, ['check', 'rules', 'r.yml'])).not.toBe('');
  });

  /** What is told at a time of a series that has a value each `interval`. */
  const alert = (
    interval: '1m' | '1h',
    input: string[],
    at: string,
    alerts: [name: string, labels: Record<string, string>, summary: string][],
  ) => ({
    interval,
    input_series: input.map((one) => {
      const [, series = '', values = ''] = /^(.*\}) (.*)$/.exec(one) ?? [];
      return { series, values };
    }),
    alert_rule_test: (parse(rules) as { groups: { rules: { alert: string }[] }[] }).groups[0]?.rules.map(
      ({ alert: alertname }) => ({
        eval_time: at,
        alertname,
        exp_alerts: alerts
          .filter(([name]) => name === alertname)
          .map(([, exp_labels, summary]) => ({ exp_labels, exp_annotations: { summary } })),
      }),
    ),
  });
  const success = (value: string) => `db_backup_last_success_timestamp_seconds{target="app"} ${value}`;

  test('the alert rules say what is wrong, and nothing while all is well', () => {
    const tests = [
      // the newest backup is of the time 0
      alert('1m', [success('0x1700')], '25h', []),
      alert('1m', [success('0x1700')], '27h', [
        ['DbBackupTooOld', { severity: 'critical', target: 'app' }, 'No good backup of app for 1d 3h 0m 0s'],
      ]),
      alert('1m', [], '20m', [['DbBackupAbsent', { severity: 'critical' }, 'No backup of any database is known']]),
      alert('1m', [success('0x60'), 'db_backup_healthy{target="app"} 1x20 0x30'], '40m', [
        [
          'DbBackupUnhealthy',
          { severity: 'warning', target: 'app' },
          'The last run for app failed or found an error: see its log, or status.json on the host',
        ],
      ]),
      alert('1m', [success('0x60'), 'db_backup_rows{target="app"} 100x20 51x30'], '40m', []),
      alert('1m', [success('0x60'), 'db_backup_rows{target="app"} 100x20 49x30'], '40m', [
        [
          'DbBackupRowsFell',
          { severity: 'warning', target: 'app' },
          'The newest backup of app has less than half the rows of a week ago',
        ],
      ]),
    ];
    const days = [
      alert(
        '1h',
        [`${success('0+3600x850')}`, 'db_backup_last_proof_timestamp_seconds{target="app",level="restore"} 0x850'],
        '840h',
        [],
      ),
      alert(
        '1h',
        [`${success('0+3600x850')}`, 'db_backup_last_proof_timestamp_seconds{target="app",level="restore"} 0x850'],
        '841h',
        [
          [
            'DbBackupUnproven',
            { severity: 'warning', target: 'app', level: 'restore' },
            'No backup of app has passed a scratch restore for 35d 1h 0m 0s',
          ],
        ],
      ),
    ];
    const of = (evaluation_interval: string, tests: unknown[]) =>
      stringify({ rule_files: ['rules.yml'], evaluation_interval, tests });
    const files = { 'rules.yml': rules, 'tests.yml': of('1m', tests), 'days.yml': of('1h', days) };
    expect(inFolder(files, ['check', 'rules', 'rules.yml'])).toBe('');
    expect(inFolder(files, ['test', 'rules', 'tests.yml', 'days.yml'])).toBe('');
    const blind = { ...files, 'rules.yml': rules.replaceAll(' > ', ' > 1e9 * ') };
    expect(inFolder(blind, ['test', 'rules', 'days.yml'])).not.toBe('');
  });
}
