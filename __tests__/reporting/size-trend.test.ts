import { describe, expect, test } from '@jest/globals';
import { dateLabels, sizeTrend } from '../../src/reporting/size-trend.js';
import { sampleBackup } from './sample-report.js';

const GRAMMAR =
  /^---\n[\s\S]*\n---\nxychart-beta\n {2}title "([^"]+)"\n {2}x-axis \[("[\w: -]+"(?:, "[\w: -]+")*)\]\n {2}y-axis "MB" 0 --> ([\d.]+)\n {2}bar \[([\d., ]+)\](?:\n {2}bar \[([\d., ]+)\])?$/;

function charts(...given: Parameters<typeof sizeTrend>) {
  return sizeTrend(...given).map((chart) => {
    const [, title = '', labels = '', top = '', bars = '', grey] = GRAMMAR.exec(chart) ?? [];
    const palette = /plotColorPalette: "([^"]+)"/.exec(chart)?.[1];
    return {
      ...{ title, palette, labels: labels.split(', '), top: Number(top), bars: bars.split(', ') },
      ...(grey === undefined ? {} : { grey: grey.split(', ') }),
    };
  });
}

/** That of the database, and the bars of its backup. */
function chart(...given: Parameters<typeof sizeTrend>) {
  const [database, backup] = charts(...given);
  return { labels: database?.labels ?? [], bars: database?.bars ?? [], backup: backup?.bars ?? [] };
}

describe('sizeTrend', () => {
  test('runs from the oldest to the newest, in MB, with a scale for each size', () => {
    const labels = ['"11-19"', '"11-20"'];
    expect(charts([sampleBackup(0), sampleBackup(1)])).toEqual([
      { title: 'Size of the database', palette: '#3b82f6', labels, top: 332, bars: ['299', '302'] },
      { title: 'Size of the backup', palette: '#f59e0b', labels, top: 91.3, bars: ['82.1', '83.0'] },
    ]);
  });

  test('what is no longer kept is grey', () => {
    const [database, backup] = charts([sampleBackup(1)], [sampleBackup(0), sampleBackup(2)]);
    expect(database).toEqual({
      title: 'Size of the database (grey: no longer kept)',
      palette: '#3b82f6, #9ca3af',
      labels: ['"11-18"', '"11-19"', '"11-20"'],
      top: 332,
      bars: ['0', '299', '0'],
      grey: ['296', '0', '302'],
    });
    expect(backup).toMatchObject({ bars: ['0', '82.1', '0'], grey: ['81.2', '0', '83.0'] });
    expect(charts([], [sampleBackup(0), sampleBackup(1)])[0]).toMatchObject({ grey: ['299', '302'] });
  });

  test('needs two', () => {
    expect(sizeTrend([])).toEqual([]);
    expect(sizeTrend([sampleBackup(0)])).toEqual([]);
    expect(sizeTrend([sampleBackup(0), sampleBackup(1, { state: 'damaged' })])).toEqual([]);
  });

  test('shows the newest 20', () => {
    const all = Array.from({ length: 50 }, (_, i) => sampleBackup(i));
    for (const kept of [50, 5]) {
      const { labels, bars } = chart(all.slice(0, kept), all.slice(kept));
      expect([labels.length, bars.length]).toEqual([20, 20]);
      expect(labels.at(-1)).toBe('"11-20"');
    }
  });

  test('shows fewer where longer labels would overlap', () => {
    const hourly = Array.from({ length: 20 }, (_, i) =>
      sampleBackup(0, { createdAt: `2026-11-${i < 10 ? '20' : '19'}T${String(23 - i).padStart(2, '0')}:00:00Z` }),
    );
    const { labels, bars, backup } = chart(hourly);
    expect([labels.length, bars.length, backup.length]).toEqual([13, 13, 13]);
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
    expect(chart([sampleBackup(0), sampleBackup(1), ...odd], odd).labels).toEqual(['"11-19"', '"11-20"']);
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
