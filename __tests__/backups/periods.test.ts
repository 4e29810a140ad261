import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { transformSync } from '@swc/core';
import { PERIODS } from '../../src/backups/periods.js';

const AT = new Date('2026-11-20T10:15:00Z');

test('a time lies in one period of each kind', () => {
  const labels = Object.fromEntries(Object.entries(PERIODS).map(([rule, label]) => [rule, label(AT)]));
  expect(labels).toEqual({
    hourly: '2026-11-20T10',
    daily: '2026-11-20',
    weekly: '2026-W47',
    monthly: '2026-11',
    yearly: '2026',
  });
});

// Taken from `date -u -d <day> +%G-W%V`.
test.each([
  ['2026-11-15T23:59:59Z', '2026-W46'],
  ['2026-11-16T00:00:00Z', '2026-W47'],
  ['2026-12-27T23:59:59Z', '2026-W52'],
  ['2026-12-28T00:00:00Z', '2026-W53'],
  ['2027-01-01T00:00:00Z', '2026-W53'],
  ['2027-01-03T23:59:59Z', '2026-W53'],
  ['2027-01-04T00:00:00Z', '2027-W01'],
  ['2024-12-30T00:00:00Z', '2025-W01'],
  ['2025-12-29T12:00:00Z', '2026-W01'],
  ['2023-01-01T00:00:00Z', '2022-W52'],
  ['2020-12-31T00:00:00Z', '2020-W53'],
  ['2028-02-29T00:00:00Z', '2028-W09'],
  ['1969-12-31T23:00:00Z', '1970-W01'],
])('%s is in week %s', (time, week) => {
  expect(PERIODS.weekly(new Date(time))).toBe(week);
});

// In another process: the zone of this one can not be changed, and in UTC a local hour looks right.
test.each(['America/New_York', 'Europe/Berlin', 'Pacific/Kiritimati', 'Asia/Kathmandu'])(
  'is the same with TZ=%s',
  (zone) => {
    const source = readFileSync(join(import.meta.dirname, '../../src/backups/periods.ts'), 'utf8');
    const { code } = transformSync(source, { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } });
    const times = ['2026-10-25T00:30:00Z', '2026-11-01T05:30:00Z', '2026-03-29T01:00:00Z', '2027-01-03T23:30:00Z'];
    const ask = `
    console.log(JSON.stringify([
      new Date(0).getTimezoneOffset() !== 0,
      ${JSON.stringify(times)}.map((time) => Object.values(PERIODS).map((label) => label(new Date(time)))),
    ]));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module'], {
      input: code + ask,
      env: { ...process.env, NODE_OPTIONS: '', TZ: zone },
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    const here = times.map((time) => Object.values(PERIODS).map((label) => label(new Date(time))));
    expect(JSON.parse(stdout)).toEqual([true, here]);
    expect(here[0]).toEqual(['2026-10-25T00', '2026-10-25', '2026-W43', '2026-10', '2026']);
  },
);
