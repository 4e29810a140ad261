import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  checksumFile,
  formatId,
  isId,
  isName,
  manifestFile,
  parseFileName,
  parseId,
  payloadFile,
} from '../../src/backups/names.js';
import type { Compression } from '../../src/backups/packing.js';
import '../../src/engines/lookup.js';

const AT = new Date('2026-11-20T10:15:00Z');
const ID = 'app-20261120T101500Z-7f3a';

const names = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const suffixes = fc.stringMatching(/^[0-9a-f]{4}$/);
const instants = fc
  .date({ min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
  .map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000));
const kinds = fc.constantFrom('sqlite', 'dump', 'tar', 'sql');
const compressions = fc.constantFrom<Compression>('zstd', 'gzip', 'none');

describe('writing names', () => {
  test('are those of the contract', () => {
    expect(formatId('app', new Date('2026-11-20T10:15:00.999Z'), '7f3a')).toBe(ID);
    expect(payloadFile(ID, 'sqlite', 'zstd')).toBe(`${ID}.sqlite.zst`);
    expect(payloadFile(ID, 'dump', 'gzip')).toBe(`${ID}.dump.gz`);
    expect(payloadFile(ID, 'tar', 'none')).toBe(`${ID}.tar`);
    const age = { method: 'age' as const, recipients: [] };
    expect(payloadFile(ID, 'dump', 'zstd', age)).toBe(`${ID}.dump.zst.age`);
    expect(payloadFile(ID, 'sql', 'none', { ...age, method: 'gpg' })).toBe(`${ID}.sql.gpg`);
    expect(checksumFile(`${ID}.sqlite.zst`)).toBe(`${ID}.sqlite.zst.sha256`);
    expect(manifestFile(ID)).toBe(`${ID}.json`);
  });

  test.each([
    ['', AT, '7f3a'],
    ['-app', AT, '7f3a'],
    ['a/b', AT, '7f3a'],
    ['a'.repeat(65), AT, '7f3a'],
    ['app', AT, '7F3A'],
    ['app', AT, '7f3'],
    ['app', AT, '7f3aa'],
    ['app', new Date(Number.NaN), '7f3a'],
    ['app', new Date('+010000-01-01T00:00:00Z'), '7f3a'],
  ])('formatId refuses %j %p %j', (name, createdAt, suffix) => {
    expect(() => formatId(name, createdAt, suffix)).toThrow(RangeError);
  });
});

describe('reading names', () => {
  test('each part of a unit', () => {
    expect(parseFileName(`${ID}.sqlite.zst`)).toEqual({
      id: ID,
      name: 'app',
      createdAt: AT,
      part: 'payload',
      kind: 'sqlite',
      compression: 'zstd',
    });
    expect(parseFileName(`${ID}.sql.gz.sha256`)).toMatchObject({ part: 'checksum', kind: 'sql', compression: 'gzip' });
    expect(parseFileName(`${ID}.tar`)).toMatchObject({ part: 'payload', kind: 'tar', compression: 'none' });
    expect(parseFileName(`${ID}.json`)).toEqual({ id: ID, name: 'app', createdAt: AT, part: 'manifest' });
    expect(parseFileName(`${ID}.dump.zst.age`)).toMatchObject({ part: 'payload', encryption: 'age' });
    expect(parseFileName(`${ID}.dump.gpg.sha256`)).toMatchObject({ part: 'checksum', encryption: 'gpg' });
  });

  test.each([
    ['app-staging-20261120T101500Z-7f3a.json', 'app-staging'],
    ['app_2-20261120T101500Z-7f3a.json', 'app_2'],
    ['app.old-20261120T101500Z-7f3a.json', 'app.old'],
    ['app-20261120T101500Z-7f3a-20261120T101500Z-7f3b.json', 'app-20261120T101500Z-7f3a'],
    ['app-20261120T101500Z-7f3a.json-20261120T101500Z-7f3b.json', 'app-20261120T101500Z-7f3a.json'],
  ])('%s is of %s, parsed from the right', (file, name) => {
    expect(parseFileName(file)?.name).toBe(name);
  });

  test.each([
    '',
    ID,
    'status.json',
    'app.json',
    `${ID}.json.sha256`,
    `${ID}.json.zst`,
    `${ID}.sqlite.bz2`,
    `${ID}.sqlite.zst.tmp`,
    `${ID}.sqlite.zst.zst`,
    `${ID}.sqlite.age.zst`,
    `${ID}.sqlite.zst.sha256.sha256`,
    `${ID}.zst`,
    `${ID}.SQLITE`,
    `${ID}.json\n`,
    ` ${ID}.json`,
    `./${ID}.json`,
    `../${ID}.json`,
    `-${ID}.json`,
    `-20261120T101500Z-7f3a.json`,
    `${'a'.repeat(65)}-20261120T101500Z-7f3a.json`,
    'app-20261120T101500Z-7F3A.json',
    'app-20261120T101500Z-7f3.json',
    'app-20261120T101500-7f3a.json',
    'app-20261120t101500z-7f3a.json',
    'app_20261120T101500Z-7f3a.json',
    // No such day or hour, although Date would move some of them to the next.
    'app-20261340T101500Z-7f3a.json',
    'app-20260230T101500Z-7f3a.json',
    'app-20260229T101500Z-7f3a.json',
    'app-20260431T101500Z-7f3a.json',
    'app-20260001T101500Z-7f3a.json',
    'app-20261100T101500Z-7f3a.json',
    'app-20261120T240000Z-7f3a.json',
    'app-20261120T236000Z-7f3a.json',
    'app-20261120T235960Z-7f3a.json',
  ])('%j is not ours', (file) => {
    expect(parseFileName(file)).toBeNull();
  });

  test('a leap day exists in a leap year', () => {
    expect(parseFileName('app-20280229T000000Z-7f3a.json')?.createdAt).toEqual(new Date('2028-02-29T00:00:00Z'));
  });

  test('an id is of exactly one name', () => {
    expect(isId(ID, 'app')).toBe(true);
    expect(isId(ID, 'ap')).toBe(false);
    expect(isId(`app-staging-20261120T101500Z-7f3a`, 'app')).toBe(false);
    expect(isId(`${ID}.json`, 'app')).toBe(false);
    expect(isId(`../${ID}`, 'app')).toBe(false);
    expect(isId('latest', 'app')).toBe(false);
    expect(parseId(ID)).toEqual({ name: 'app', createdAt: AT });
    expect(parseId('app-20261340T101500Z-7f3a')).toBeNull();
  });

  test('whatever is written is read back as the same', () => {
    fc.assert(
      fc.property(names, instants, suffixes, kinds, compressions, (name, createdAt, suffix, kind, compression) => {
        const id = formatId(name, createdAt, suffix);
        const payload = payloadFile(id, kind, compression);
        const common = { id, name, createdAt };
        expect(isId(id, name)).toBe(true);
        expect(parseFileName(payload)).toEqual({ ...common, part: 'payload', kind, compression });
        expect(parseFileName(checksumFile(payload))).toEqual({ ...common, part: 'checksum', kind, compression });
        expect(parseFileName(manifestFile(id))).toEqual({ ...common, part: 'manifest' });
      }),
    );
  });

  test('whatever is read is what would be written', () => {
    const stamp = fc.stringMatching(/^20[0-3][0-9][01][0-9][0-3][0-9]T[0-2][0-9][0-6][0-9][0-6][0-9]Z$/);
    let read = 0;
    fc.assert(
      fc.property(names, stamp, suffixes, (name, time, suffix) => {
        const parsed = parseFileName(`${name}-${time}-${suffix}.json`);
        if (parsed === null) return;
        read += 1;
        expect(formatId(parsed.name, parsed.createdAt, suffix)).toBe(`${name}-${time}-${suffix}`);
      }),
      { numRuns: 500 },
    );
    expect(read).toBeGreaterThan(20);
  });
});

describe('the name of a database', () => {
  test.each(['a', 'app', 'App_2.old-x', '9', 'a'.repeat(64)])('%j may be one', (name) => {
    expect(isName(name)).toBe(true);
  });

  test.each(['', '.app', '-app', '_app', 'a b', 'a/b', 'a\n', 'ä', 'a'.repeat(65)])('%j may not', (name) => {
    expect(isName(name)).toBe(false);
  });
});
