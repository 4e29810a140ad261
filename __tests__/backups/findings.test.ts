import { describe, expect, test } from '@jest/globals';
import { type Backup, readCatalogue } from '../../src/backups/catalogue.js';
import type { Finding } from '../../src/backups/finding.js';
import {
  jumps,
  lastRestored,
  leftBehind,
  newestGood,
  outOfStep,
  skewed,
  space,
  tooFew,
  tooOld,
  unanswered,
  unproven,
} from '../../src/backups/findings.js';
import type { Manifest } from '../../src/backups/manifest.js';
import { parseKeep } from '../../src/settings/keep-rules.js';
import { idAt, listingOf, manifestOf, PATH } from './sample-backups.js';

const now = new Date('2026-11-20T12:00:00Z');
const HOUR = 3_600_000;
const FRESH = { now, maxAgeMs: 26 * HOUR, name: 'app', where: '/backups' };
const quote = (text: string): string => `<${text}>`;
const SUSPECT: Partial<Manifest> = { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'it is small' } };
const NOT_VERIFIED: Partial<Manifest> = { verified: { level: 'none', at: '2026-11-20T11:00:00Z' } };

/** Backups as a directory has them, of `[time, what is not as usual]`. */
function backups(...made: (string | [time: string, change: Partial<Manifest>])[]): Backup[] {
  const manifests = made.map((one) => {
    const [time, change] = typeof one === 'string' ? [one, {}] : one;
    return manifestOf(idAt(time), change);
  });
  const catalogue = readCatalogue(listingOf(manifests), { name: 'app', identity: { path: PATH } }, now);
  expect(catalogue.backups).toHaveLength(made.length);
  return catalogue.backups;
}

/** `count` times, one every `hours`, the newest an hour ago. */
const every = (hours: number, count: number): string[] =>
  Array.from({ length: count }, (_, nth) => new Date(now.getTime() - HOUR - nth * hours * HOUR).toISOString());

const codes = (found: Finding[]): string[] => found.map(({ level, code }) => `${level} ${code}`);

describe('the age of the newest', () => {
  test.each([
    ['2026-11-19T10:00:00Z', 26 * HOUR, null],
    ['2026-11-19T09:59:59Z', 26 * HOUR, 'the newest backup of app is 26 h old; max-age is 26 h'],
    ['2020-11-19T09:59:59Z', null, null],
  ])('taken at %s, at most %s ms: %s', (time, maxAgeMs, message) => {
    const found = tooOld(new Date(time), { ...FRESH, maxAgeMs });
    expect(found?.message ?? null).toBe(message);
    if (found !== null) expect(found).toMatchObject({ level: 'error', code: 'E_STALE' });
  });

  test('none at all is an error, also where none is too old', () => {
    expect(tooOld(null, FRESH)).toMatchObject({ level: 'error', code: 'E_STALE' });
    expect(tooOld(null, { ...FRESH, maxAgeMs: null })?.message).toBe('there is no backup of app in /backups');
  });

  test('is that of the newest that counts: no suspect or unverified one', () => {
    const all = backups(
      '2026-11-18T10:00:00Z',
      ['2026-11-19T10:00:00Z', SUSPECT],
      ['2026-11-20T10:00:00Z', NOT_VERIFIED],
    );
    expect(newestGood(all)?.id).toBe(idAt('2026-11-18T10:00:00Z'));
    expect(newestGood([])).toBeNull();
  });
});

describe('suspect and unverified ones', () => {
  test('a suspect one newer than every good one', () => {
    const all = backups('2026-11-18T10:00:00Z', ['2026-11-19T10:00:00Z', SUSPECT]);
    const found = unanswered(all, quote);
    expect(found).toMatchObject({ level: 'warning', code: 'E_SHRUNK' });
    expect(found?.message).toContain(`${idAt('2026-11-19T10:00:00Z')} is newer and suspect (<`);
    expect(found?.todo).toContain(`\`backup: ${idAt('2026-11-19T10:00:00Z')}\``);
  });

  test('not once a good one is newer', () => {
    expect(unanswered(backups(['2026-11-19T10:00:00Z', SUSPECT], '2026-11-20T10:00:00Z'), quote)).toBeNull();
    expect(unanswered([], quote)).toBeNull();
  });

  test('several are one finding', () => {
    const all = backups('2026-11-17T10:00:00Z', ['2026-11-18T10:00:00Z', SUSPECT], ['2026-11-19T10:00:00Z', SUSPECT]);
    expect(unanswered(all, quote)?.message).toMatch(/^2 backups, the newest .*20261119.* are newer and suspect/);
  });

  test('the newest that is proven by nothing', () => {
    const all = backups('2026-11-18T10:00:00Z', ['2026-11-19T10:00:00Z', NOT_VERIFIED]);
    expect(unproven(all, now)).toMatchObject({ level: 'error', code: 'E_CHECKSUM' });
    expect(unproven(backups(['2026-11-18T10:00:00Z', NOT_VERIFIED], '2026-11-19T10:00:00Z'), now)).toBeNull();
    expect(unproven([], now)).toBeNull();
  });
});

describe('fewer than the rules should hold', () => {
  const few = (rules: string, made: (string | [string, Partial<Manifest>])[]) =>
    tooFew(backups(...made), parseKeep(rules), now, '/backups').map(({ message }) => message);

  test.each([
    ['5', every(24, 2)],
    ['daily=7', []],
    ['daily=7', every(24, 1)],
    ['daily=7', every(24, 7)],
    ['daily=7', every(24, 40)],
    ['daily=7', every(24, 3)], // they began three days ago
    ['hourly=24', every(1, 24)],
    ['hourly=24\ndaily=7\nweekly=4\nmonthly=12\nyearly=3', every(1, 24 * 30)],
    ['weekly=4', every(24 * 7, 4)],
    ['monthly=12', every(24 * 28, 13)],
  ])('%j: enough', (rules, made) => {
    expect(few(rules, made)).toEqual([]);
  });

  test('that of today may still come', () => {
    expect(few('daily=3', every(24, 4).slice(1))).toEqual([]);
  });

  test.each([
    [
      'daily=7',
      [...every(24, 2), ...every(24, 9).slice(-1)],
      'daily=7: 3 backups in /backups, but the rule should have kept 7',
    ],
    [
      'weekly=6\nhourly=5',
      [...every(24 * 7, 3).slice(0, 2), ...every(24 * 7, 6).slice(-1)],
      'weekly=6: 3 backups in /backups, but the rule should have kept 6',
    ],
  ])('%j: too few', (rules, made, message) => {
    const found = few(rules, made);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
    expect(tooFew(backups(...made), parseKeep(rules), now, '/backups')).toMatchObject([
      { level: 'warning', code: 'E_TOO_FEW' },
    ]);
  });

  // nobody would look at it any more
  test.each([
    ['nightly backups, and a rule of hours', 'hourly=24', every(24, 6)],
    ['no backups on weekends', 'daily=30', every(24, 30).filter((at) => ![0, 6].includes(new Date(at).getUTCDay()))],
    ['deploys now and then', 'daily=7', every(24 * 9, 4)],
    ['two backups alone', 'daily=3', every(24 * 30, 2)],
  ])('%s are no finding', (_, rules, made) => {
    expect(few(rules, made)).toEqual([]);
  });

  test('one that is pinned for years does not say since when there are backups', () => {
    const pinned: [string, Partial<Manifest>] = [
      '2020-01-01T00:00:00Z',
      { pinned: { reason: 'before the move', at: '2020-01-01T00:00:00Z' } },
    ];
    expect(few('daily=7', [...every(24, 2), pinned])).toEqual([]);
  });

  test('suspect ones and safety backups fill no rule', () => {
    const all = every(24, 8);
    const odd = all.map((at, nth): string | [string, Partial<Manifest>] =>
      nth < 3 || nth === 7 ? at : [at, nth < 5 ? SUSPECT : { reason: 'safety' }],
    );
    expect(few('daily=8', all)).toEqual([]);
    expect(few('daily=8', odd)[0]).toContain('4 backups in /backups, but the rule should have kept 8');
  });
});

describe('the live database against its backups', () => {
  const LIMITS = { shrink: 0.5, growth: 1, growthBytes: null, rowLoss: 0.5 };
  const MB = 1_000_000;
  const all = backups(
    ['2026-11-19T10:00:00Z', { databaseBytes: 10 * MB }],
    ['2026-11-18T10:00:00Z', { databaseBytes: 10 * MB }],
  );
  const before = [
    { name: 'users', rows: 100 },
    { name: 'orders', rows: 100 },
  ];
  const live = (bytes: number, users: number) => ({ bytes, tables: [{ name: 'users', rows: users }] });

  test.each([
    [10 * MB, 100, []],
    [4 * MB, 100, ['error E_SHRUNK']],
    [21 * MB, 100, ['error E_SHRUNK']],
  ])('%d bytes, %d rows', (bytes, users, found) => {
    const tables = [...live(bytes, users).tables, { name: 'orders', rows: 100 }];
    expect(codes(jumps({ bytes, tables }, all, before, LIMITS, quote))).toEqual(found);
  });

  test('rows and tables that are gone are named, quoted', () => {
    const [found, ...more] = jumps(live(10 * MB, 10), all, before, LIMITS, quote);
    expect(more).toEqual([]);
    expect(found?.message).toContain('the table <"users"> has 10 rows, down from 100');
    expect(found?.message).toContain('the table <"orders"> with 100 rows is gone');
    expect(found?.todo).toContain(all[0]?.id);
  });

  test('estimates, a limit of none, and no history are compared with nothing', () => {
    expect(jumps(live(10 * MB, 1), all, null, LIMITS, quote)).toEqual([]);
    expect(jumps(live(10 * MB, 1), all, before, { ...LIMITS, rowLoss: null }, quote)).toEqual([]);
    expect(jumps(live(1, 1), [], before, LIMITS, quote)).toEqual([]);
  });
});

test.each([
  [{ free: 10, needed: 10 }, { free: 10, needed: 10 }, []],
  [{ free: null, needed: 10 }, { free: 10, needed: null }, []],
  [{ free: 9, needed: 10 }, { free: 9, needed: 9 }, ['error E_NOSPACE']],
  [{ free: 9, needed: 9 }, { free: 9, needed: 10 }, ['warning E_NOSPACE']],
  [{ free: 9, needed: 10 }, { free: 9, needed: 10 }, ['error E_NOSPACE', 'warning E_NOSPACE']],
])('room for a backup %j and a restore %j', (backup, restore, found) => {
  expect(codes(space(backup, restore, '/backups'))).toEqual(found);
});

test('what runs that were cut off have left', () => {
  expect(leftBehind({ folders: [], journals: [], hooks: [] }, '/backups')).toEqual([]);
  const found = leftBehind(
    { folders: ['a', 'b', 'c', 'd', 'e', 'f'], journals: ['restore-app'], hooks: ['hook.app'] },
    '/backups',
  );
  expect(codes(found)).toEqual(['error E_UNFINISHED', 'error E_HOOK', 'warning E_REMOTE_LOST']);
  expect(found[2]?.message).toBe('6 runs were cut off and left a, b, c, d, e, ... in /backups/.work');
});

test.each([
  [null, null],
  [59_000, null],
  [-60_000, null],
  [90_000, 'the clock of db is 1 min 30 s ahead of the clock of the runner'],
  [-90_000, 'the clock of db is 1 min 30 s behind the clock of the runner'],
])('a clock that is %s ms ahead', (ahead, message) => {
  expect(skewed('db', ahead)?.message ?? null).toBe(message);
});

describe('the copies', () => {
  const hour = every(1, 1);
  test.each([
    ['as on the host', every(24, 3), every(24, 3), []],
    ['more than on the host', hour, every(24, 3), []],
    ['none', every(24, 3), [], ['error E_STALE']],
    ['too old', every(24, 3), every(24, 3).slice(2), ['error E_STALE']],
    ['without the newest, young enough', every(24, 3), every(24, 3).slice(1), ['warning E_S3_VERIFY']],
    ['neither here nor there', [], [], ['error E_STALE']],
  ])('%s', (_, onHost, copies, found) => {
    expect(codes(outOfStep(backups(...onHost), backups(...copies), FRESH))).toEqual(found);
  });
});

test('the last proof by a restore, and how long it took', () => {
  const [newest = '', older = '', oldest = ''] = every(24, 3);
  const restored = (at: string, ms?: number): Partial<Manifest> => ({
    verified: { level: 'restore', at, ...(ms === undefined ? {} : { ms }) },
  });
  const all = backups(
    newest,
    [older, restored('2026-11-19T13:00:00Z')],
    [oldest, restored('2026-11-20T09:00:00Z', 812)],
  );
  expect(lastRestored(all)).toEqual({ id: idAt(oldest), at: '2026-11-20T09:00:00Z', ms: 812 });
  expect(lastRestored(backups(newest))).toBeNull();
});
