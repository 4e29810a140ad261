import { describe, expect, test } from '@jest/globals';
import { readCatalogue } from '../../src/backups/catalogue.js';
import { type Identity, sameDatabase } from '../../src/backups/identity.js';
import { type Manifest, parseManifest, serializeManifest } from '../../src/backups/manifest.js';
import { manifestFile, payloadFile } from '../../src/backups/names.js';
import type { PostgresContent } from '../../src/engines/postgres/format.js';
import { idAt, listingOf, manifestOf, worded } from './sample-backups.js';

const NOW = new Date('2026-11-20T12:00:00Z');
const ID = idAt('2026-11-20T10:15:00Z', 'shop');
const SYSTEM = '7710583359567408065';
const OTHER_SYSTEM = '7700000000000000001';

const CONTENT: PostgresContent = {
  tables: [
    { name: 'public.users', rows: 12 },
    { name: 'public.orders', rows: null },
  ],
  objects: 3,
  largeObjects: 1,
  properties: ['CREATE DATABASE shop;'],
  roles: ['CREATE ROLE app;'],
};

function postgresManifest(id: string, change: Partial<Manifest> = {}): Manifest {
  return manifestOf(id, {
    engine: 'postgres',
    kind: 'dump',
    file: payloadFile(id, 'dump', 'zstd'),
    database: 'postgresql://app@db/shop',
    identity: { database: 'shop', systemIdentifier: SYSTEM },
    content: CONTENT,
    ...change,
  });
}

describe('the manifest', () => {
  test.each(['dump', 'tar', 'sql'] as const)('of kind %s is read as it was written', (kind) => {
    const manifest = postgresManifest(ID, { kind, file: payloadFile(ID, kind, 'zstd') });
    expect(parseManifest(serializeManifest(manifest), ID)).toEqual(manifest);
  });

  test('without roles, system identifier or content', () => {
    for (const change of [
      { content: { ...CONTENT, roles: null } },
      { identity: { database: 'x=y', systemIdentifier: null } },
      { content: null },
      { content: { ...CONTENT, extensions: ['citext', 'postgis'], pathFunctions: 2 } },
    ]) {
      const manifest = postgresManifest(ID, change);
      expect(parseManifest(serializeManifest(manifest), ID)).toEqual(manifest);
    }
  });

  const wrong: [string, unknown][] = [
    ['kind', 'sqlite'],
    ['identity', { path: '/srv/app.db' }],
    ['identity', { database: '', systemIdentifier: null }],
    ['identity', { database: 'shop', systemIdentifier: 7 }],
    ['identity', { database: 'shop', systemIdentifier: "1' OR true" }],
    ['content', { ...CONTENT, largeObjects: -1 }],
    ['content', { ...CONTENT, objects: '3' }],
    ['content', { ...CONTENT, extensions: 'citext' }],
    ['content', { ...CONTENT, extensions: [7] }],
    ['content', { ...CONTENT, pathFunctions: -1 }],
    ['content', { ...CONTENT, roles: 'CREATE ROLE app;' }],
    ['content', { ...CONTENT, roles: [null] }],
    ['content', { ...CONTENT, properties: null }],
    ['content', { ...CONTENT, tables: [{ name: 'a', rows: -1 }] }],
    ['content', { ...CONTENT, tables: [{ name: 'a' }] }],
  ];
  test.each(wrong)('with a wrong %s is refused: %j', (field, value) => {
    const text = JSON.stringify({ ...postgresManifest(ID), [field]: value });
    expect(() => parseManifest(text, ID)).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
  });
});

test('one database is one file, or one name on one server as far as that is known', () => {
  const shop = { database: 'shop', systemIdentifier: SYSTEM };
  const cases: [Identity, Identity, boolean][] = [
    [{ path: '/a' }, { path: '/a' }, true],
    [{ path: '/a' }, { path: '/b' }, false],
    [{ path: 'shop' }, shop, false],
    [shop, { ...shop }, true],
    [shop, { ...shop, systemIdentifier: OTHER_SYSTEM }, false],
    [shop, { ...shop, systemIdentifier: null }, true],
    [shop, { database: 'Shop', systemIdentifier: null }, false],
  ];
  for (const [one, other, same] of cases) {
    expect([sameDatabase(one, other), sameDatabase(other, one)]).toEqual([same, same]);
  }
});

describe('a directory in which two servers have a database of the same name', () => {
  const mine = ['2026-11-20T10:00:00Z', '2026-11-18T10:00:00Z'].map((time) => postgresManifest(idAt(time, 'shop')));
  const theirs = postgresManifest(idAt('2026-11-19T10:00:00Z', 'shop'), {
    identity: { database: 'shop', systemIdentifier: OTHER_SYSTEM },
  });
  const listing = listingOf([...mine, theirs]);
  const ids = (systemIdentifier: string | null, from = listing): string[] =>
    readCatalogue(from, { name: 'shop', identity: { database: 'shop', systemIdentifier } }, NOW).backups.map(
      ({ id }) => id,
    );

  test('those of the server are seen, the others reported', () => {
    expect(ids(SYSTEM)).toEqual(mine.map(({ id }) => id));
    expect(ids(OTHER_SYSTEM)).toEqual([theirs.id]);
    const { problems } = worded(
      readCatalogue(listing, { name: 'shop', identity: { database: 'shop', systemIdentifier: SYSTEM } }, NOW),
    );
    expect(problems).toEqual([
      `${theirs.id} belongs to another database, "shop" of the server with the system identifier ${OTHER_SYSTEM}; here it is never counted and never deleted`,
    ]);
  });

  test('where nobody has asked the server, it is that of the newest backup', () => {
    expect(ids(null)).toEqual(mine.map(({ id }) => id));
  });

  test('a newest one that can not be read, or that does not know its server, decides nothing', () => {
    const newest = postgresManifest(idAt('2026-11-20T11:00:00Z', 'shop'), {
      identity: { database: 'shop', systemIdentifier: null },
    });
    const more = listingOf([newest, ...mine, theirs]);
    expect(ids(null, more)).toEqual([newest.id, ...mine.map(({ id }) => id)]);
    const damaged = listingOf([theirs, ...mine]);
    damaged.manifests.set(manifestFile(mine[0]?.id ?? ''), '{');
    expect(ids(null, damaged)).toEqual([theirs.id]);
  });
});
