import { describe, expect, test } from '@jest/globals';
import { parseRestoreTime } from '../../src/settings/restore-time.js';
import { accepted, type Given, problems } from './given-inputs.js';

const POSTGRES: Given = { transport: 'local', database: 'postgresql://app@db.internal/shop' };
const PHYSICAL: Given = { ...POSTGRES, method: 'physical', stanza: 'main' };

test('the cluster of a stanza, by a database of it', async () => {
  const { settings, warnings } = await accepted(PHYSICAL);
  expect(settings.database).toMatchObject({
    engine: 'pgbackrest',
    stanza: 'main',
    given: 'postgresql://app@db.internal/shop',
    postgres: { engine: 'postgres', database: 'shop' },
  });
  expect(settings.name).toBe('main');
  expect(warnings).toEqual([]);
});

test('its password comes in the same ways', async () => {
  const { settings } = await accepted({ ...PHYSICAL, 'database-password': 'x y' });
  expect(settings.database).toMatchObject({ postgres: { password: 'x y' } });
});

test.each<[string, Given, RegExp]>([
  ['no stanza', { ...PHYSICAL, stanza: '' }, /^stanza: required with method physical/m],
  ['a stanza that would be an option', { ...PHYSICAL, stanza: '--x' }, /^stanza: expected the name of a stanza/m],
  ['a stanza that leads out of the repository', { ...PHYSICAL, stanza: '../x' }, /^stanza: expected/m],
  ['a SQLite database', { ...PHYSICAL, database: '/srv/app.db' }, /^method: expected logical with a SQLite database/m],
  ['a container', { ...PHYSICAL, container: 'db' }, /^container: expected nothing with a PostgreSQL cluster/m],
  ['an off-site copy', { ...PHYSICAL, 's3-bucket': 'b.c' }, /^s3-bucket: expected nothing with method physical/m],
  [
    'encryption',
    { ...PHYSICAL, encrypt: 'gpg', 'encryption-passphrase': 'twelve or more' },
    /^encrypt: expected none/m,
  ],
  ['the runner', { ...PHYSICAL, command: 'verify', 'verify-on': 'runner' }, /^verify-on: expected host/m],
  [
    'another target',
    { ...PHYSICAL, command: 'restore', 'restore-to': 'postgresql://a@b/c' },
    /^restore-to: expected nothing/m,
  ],
  ['days', { ...PHYSICAL, keep: 'daily=7' }, /^keep: expected only last= and within=, not daily=: .*every moment/m],
  ['another type', { ...PHYSICAL, 'backup-type': 'delta' }, /^backup-type: expected/m],
])('%s is refused', async (_, given, message) => {
  expect((await problems(given)).join('\n')).toMatch(message);
});

test('without the method its inputs mean nothing', async () => {
  const { warnings } = await accepted({ ...POSTGRES, stanza: 'main', 'full-every': '2d' });
  expect(warnings).toEqual([
    'stanza: it has no effect without `method: physical`',
    'full-every: it has no effect without `method: physical`',
  ]);
});

test('what only a dump has means nothing with it', async () => {
  const { warnings } = await accepted({ ...PHYSICAL, 'dump-format': 'plain', schema: 'public' });
  expect(warnings).toEqual([
    'dump-format: it has no effect with a PostgreSQL cluster database',
    'schema: it has no effect with a PostgreSQL cluster database',
  ]);
});

describe('restore-time', () => {
  test.each([
    ['2026-11-29T18:19:40Z', '2026-11-29 18:19:40.000000+00'],
    ['2026-11-29 18:19:40.1z', '2026-11-29 18:19:40.100000+00'],
    ['2026-11-29T19:19:40.123456+01:00', '2026-11-29 18:19:40.123456+00'],
    ['2026-11-29T00:19:40.000001+0530', '2026-11-28 18:49:40.000001+00'],
    ['2026-12-31T23:59:59-05', '2027-01-01 04:59:59.000000+00'],
    ['2028-02-29T00:00:00Z', '2028-02-29 00:00:00.000000+00'],
  ])('%s is %s', (given, text) => {
    const read = parseRestoreTime(given);
    expect(read).toMatchObject({ text });
    expect(read !== 'latest' && read.at.toISOString().slice(0, 19).replace('T', ' ')).toBe(text.slice(0, 19));
  });

  test('latest', () => expect(parseRestoreTime('latest')).toBe('latest'));

  test.each(['2026-11-29T18:19:40', '2026-11-29 18:19:40.5'])('%s lacks its offset', (given) => {
    expect(() => parseRestoreTime(given)).toThrow(/with its offset from UTC.*nobody can tell/);
  });

  test.each([
    ...['now', '', '1795976084', '2026-11-29', '2026-11-29T18:19Z', '2026-11-29T18:19:40 UTC'],
    ...['2026-02-30T00:00:00Z', '2026-13-01T00:00:00Z', '2026-11-29T24:00:00Z', '2026-11-29T18:60:00Z'],
    ...['2026-11-29T18:19:40.1234567Z', '2026-11-29T18:19:40+16:00', '2026-11-29T18:19:40+01:60'],
    ...["2026-11-29T18:19:40Z' --x", '2026-11-29T18:19:40Z\n'],
  ])('%j is none', (given) => {
    expect(() => parseRestoreTime(given)).toThrow(/^expected/);
  });
});
