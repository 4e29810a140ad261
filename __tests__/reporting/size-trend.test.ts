import { describe, expect, test } from '@jest/globals';
import { dateLabels, sizeTrend } from '../../src/reporting/size-trend.js';
import { sampleBackup } from './sample-report.js';

const GRAMMAR =
  /^---\n[\s\S]*\n---\nxychart-beta\n {2}title "[^"]+"\n {2}x-axis \[("[\w: -]+"(?:, "[\w: -]+")*)\]\n {2}y-axis "MB" 0 --> ([\d.]+)\n {2}bar \[([\d., ]+)\]\n {2}line \[([\d., ]+)\]$/;

function chart(backups: Parameters<typeof sizeTrend>[0]) {
  const [, labels = '', top = '', bars = '', line = ''] = GRAMMAR.exec(sizeTrend(backups) ?? '') ?? [];
  return { labels: labels.split(', '), top: Number(top), bars: bars.split(', '), line: line.split(', ') };
}

describe('sizeTrend', () => {
  test('runs from the oldest to the newest, in MB', () => {
    expect(chart([sampleBackup(0), sampleBackup(1)])).toEqual({
      labels: ['"11-19"', '"11-20"'],
      top: 332,
      bars: ['299', '302'],
      line: ['82.1', '83.0'],
    });
  });

  test('needs two', () => {
    expect(sizeTrend([])).toBeNull();
    expect(sizeTrend([sampleBackup(0)])).toBeNull();
    expect(sizeTrend([sampleBackup(0), sampleBackup(1, { state: 'damaged' })])).toBeNull();
  });

  test('shows the newest 20', () => {
    const { labels, bars } = chart(Array.from({ length: 50 }, (_, i) => sampleBackup(i)));
    expect([labels.length, bars.length]).toEqual([20, 20]);
    expect(labels.at(-1)).toBe('"11-20"');
  });

  test('shows fewer where longer labels would overlap', () => {
    const hourly = Array.from({ length: 20 }, (_, i) =>
      sampleBackup(0, { createdAt: `2026-11-${i < 10 ? '20' : '19'}T${String(23 - i).padStart(2, '0')}:00:00Z` }),
    );
    const { labels, bars, line } = chart(hourly);
    expect([labels.length, bars.length, line.length]).toEqual([13, 13, 13]);
    expect(labels.at(-1)).toBe('"20 23:00"');
  });

  test('small and huge sizes are plain decimals', () => {
    const { bars } = chart([
      sampleBackup(0, { databaseBytes: 1 }),
      sampleBackup(1, { databaseBytes: 9e17 }),
      sampleBackup(2, { databaseBytes: 0 }),
    ]);
    expect(bars).toEqual(['0.000000', '900000000000', '0.000001']);
  });

  test('leaves out what is no size and no date', () => {
    const odd = [
      sampleBackup(2, { createdAt: '"]\nclick x' }),
      sampleBackup(3, { databaseBytes: Number.NaN }),
      sampleBackup(4, { bytes: -1 }),
      sampleBackup(5, { createdAt: '+012026-01-01T00:00:00Z' }),
    ];
    expect(chart([sampleBackup(0), sampleBackup(1), ...odd]).labels).toEqual(['"11-19"', '"11-20"']);
  });
});

describe('dateLabels', () => {
  const labels = (...times: string[]) => dateLabels(times.map((time) => new Date(time)));
  test.each([
    [
      ['2026-11-19T10:00Z', '2026-11-20T10:00Z'],
      ['11-19', '11-20'],
    ],
    [
      ['2026-11-20T10:00Z', '2026-11-20T11:30Z'],
      ['10:00', '11:30'],
    ],
    [
      ['2026-11-19T22:00Z', '2026-11-20T10:00Z', '2026-11-20T11:30Z'],
      ['19 22:00', '20 10:00', '20 11:30'],
    ],
    [
      ['2025-11-20T10:00Z', '2026-11-20T11:00Z'],
      ['20 10:00', '20 11:00'],
    ],
    [
      ['2026-10-20T10:00Z', '2026-11-20T10:00Z', '2026-11-20T11:00Z'],
      ['10-20 10:00', '11-20 10:00', '11-20 11:00'],
    ],
    [
      ['2026-11-20T10:00:01Z', '2026-11-20T10:00:02Z'],
      ['10:00:01', '10:00:02'],
    ],
    [
      ['2026-11-20T10:00:01Z', '2026-11-20T10:00:01Z'],
      ['1: 11-20', '2: 11-20'],
    ],
  ])('%j are %j: no two are the same', (times, expected) => {
    expect(labels(...times)).toEqual(expected);
  });
});
