import { expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { manifestFile } from '../../src/backups/names.js';
import { newestIn } from '../../src/places/in-store.js';
import { namesIn } from '../../src/places/store-listing.js';
import type { ObjectStore } from '../../src/stores/object-store.js';
import { idAt, manifestOf, PATH } from '../backups/sample-backups.js';
import { runForTests } from './run-for-tests.js';

/** What a store has of these backups. */
function storeOf(manifests: readonly Manifest[]): ObjectStore {
  const texts = new Map(manifests.map((one) => [`app/${manifestFile(one.id)}`, JSON.stringify(one)]));
  const payloads = new Map(manifests.map((one) => [`app/${one.file}`, one]));
  const store: Partial<ObjectStore> = {
    keyOf: (name, file) => `${name}/${file}`,
    uriOf: (key) => `s3://bucket/${key}`,
    list: async () => [
      ...[...texts].map(([key, text]) => ({ key, bytes: text.length })),
      ...[...payloads].map(([key, { bytes }]) => ({ key, bytes })),
    ],
    get: async (key) => texts.get(key) ?? null,
    head: async (key) => {
      const { bytes = 0, sha256 = null } = payloads.get(key) ?? {};
      return { bytes, sha256, etag: '', versionId: null, lock: null, legalHold: false };
    },
  };
  return store as ObjectStore;
}

test('the copies of another database are passed over with one warning, however many they are', async () => {
  const ids = Array.from({ length: 30 }, (_, at) => idAt(`2026-11-${String(at + 1).padStart(2, '0')}T10:00:00Z`));
  const manifests = ids.map((id, at) => manifestOf(id, at === 0 ? {} : { identity: { path: '/srv/other.db' } }));
  const run = await runForTests({}, new Date('2026-12-01T00:00:00Z'));
  const here = { host: 'db.example.org', identity: { path: PATH } };
  const found = await newestIn(run, storeOf(manifests), here, () => true);
  expect(found.map(({ backup }) => backup.id)).toEqual([ids[0]]);
  expect(run.told).toEqual([
    `in s3://bucket/app/: 29 backups (${ids.toReversed().slice(0, 5).join(', ')}, ...) belong to another database, "/srv/other.db"; here they are never counted and never deleted`,
  ]);
});

test('other names of the same prefix, as their files prove', async () => {
  const stamp = '20261120T101500Z-7f3a';
  const keys = [
    `p/app/app-${stamp}.json`,
    `p/shop/shop-${stamp}.json`,
    `p/shop/shop-${stamp}.sqlite.zst`,
    `p/other/app-${stamp}.json`,
    `p/deep/er/er-${stamp}.json`,
    'p/notes/readme.txt',
    `q/wiki/wiki-${stamp}.json`,
  ];
  const listed: string[] = [];
  const store = {
    keyOf: (name: string, file: string) => `p/${name}/${file}`,
    list: async (prefix: string) => {
      listed.push(prefix);
      return keys.map((key) => ({ key, bytes: 1 }));
    },
  } as Partial<ObjectStore> as ObjectStore;
  expect(await namesIn(store, 'app')).toEqual(['shop']);
  expect(listed).toEqual(['p/']);
});
