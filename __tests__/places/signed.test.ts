import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { SigningKeys } from '../../src/backups/signature.js';
import { BackupError } from '../../src/errors.js';
import type { Asked } from '../../src/places/choice.js';
import { everywhere, find, named } from '../../src/places/find.js';
import { planRotation } from '../../src/places/rotate.js';
import { demandRewritable, mayRewrite, rewrittenText } from '../../src/places/signed.js';
import { idAt, manifestOf } from '../backups/sample-backups.js';
import { fill, MemoryPlace } from './memory-place.js';
import { runForTests, type ToldRun } from './run-for-tests.js';

// What becomes of backups that are not signed as they have to be, wherever one is looked for.

const NOW = new Date('2026-03-20T12:00:00Z');
const KEY = 'a key of sixteen';
const keys = new SigningKeys([KEY]);
const id = (day: number): string => idAt(`2026-03-${String(day).padStart(2, '0')}T10:00:00Z`);
const unsigned = (day: number, change: Partial<Manifest> = {}): Manifest => manifestOf(id(day), change);
const signed = (day: number, change: Partial<Manifest> = {}): Manifest => keys.sign(unsigned(day, change));
const forged = (day: number): Manifest => ({ ...signed(day), durationMs: 1 });

function placeOf(manifests: readonly Manifest[], kind: 'host' | 's3' = 'host'): MemoryPlace {
  const place = new MemoryPlace(new Map(), NOW, kind, { last: 1 });
  place.keys = keys;
  for (const manifest of manifests) fill(place.files, manifest);
  return place;
}

let withKey: ToldRun;
let withoutKey: ToldRun;
beforeAll(async () => {
  withKey = await runForTests({ command: 'verify', 'max-age': 'none', 'signing-key': KEY }, NOW);
  withoutKey = await runForTests({ command: 'verify', 'max-age': 'none' }, NOW);
});

const codeOf = async (action: () => unknown): Promise<string> => {
  try {
    await action();
    return '';
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    return error.code;
  }
};

const LATEST: Asked = { by: 'latest' };
const NEWEST: Asked = { by: 'newest' };
const byId: Asked = { by: 'id', id: id(2) };
const toProve: Asked = { by: 'id', id: id(2), toProve: true };

/** `host 3` or `s3 3`, for the one of that day; the code when there is none. */
async function found(asked: Asked, host: Manifest[], store: Manifest[] | null): Promise<string> {
  let taken = '';
  const code = await codeOf(async () => {
    const spare = store === null ? null : placeOf(store, 's3');
    const one = await find(withKey, asked, placeOf(host), spare);
    taken = `${one.spare === null ? 'host' : 's3'} ${one.backup.createdAt.getUTCDate()}`;
  });
  return code || taken;
}

test.each<[string, Asked, Manifest[], Manifest[] | null, string]>([
  ['latest: the newest that is signed', LATEST, [signed(1), unsigned(2), forged(3)], null, 'host 1'],
  ['latest: none', LATEST, [unsigned(2), forged(3)], null, 'E_NOT_FOUND'],
  ['latest: a signed copy of one that is forged', LATEST, [signed(1), forged(2)], [signed(2)], 's3 2'],
  ['latest: no forged copy of one that is forged', LATEST, [signed(1), forged(2)], [forged(2)], 'host 1'],
  ['latest: the newest signed copy, where the host has none', LATEST, [], [signed(1), unsigned(2)], 's3 1'],
  ['latest: no copy that is not signed', LATEST, [], [unsigned(2), forged(1)], 'E_NOT_FOUND'],
  ['the newest: of those that are signed', NEWEST, [signed(1), unsigned(2), forged(3)], null, 'host 1'],
  ['the newest: none', NEWEST, [unsigned(2), forged(3)], null, 'E_STALE'],
  ['the newest: no copy that is not signed', NEWEST, [], [unsigned(2)], 'E_STALE'],
  ['an id: that is signed', byId, [signed(2)], null, 'host 2'],
  ['an id: that is unsigned', byId, [unsigned(2)], null, 'E_SIGNATURE'],
  ['an id: that is forged', byId, [forged(2)], null, 'E_SIGNATURE'],
  ['an id: whose copy is signed', byId, [forged(2)], [signed(2)], 's3 2'],
  ['an id: whose copy is forged', byId, [], [forged(2)], 'E_SIGNATURE'],
  ['an id: both are forged', byId, [forged(2)], [forged(2)], 'E_SIGNATURE'],
  ['an id to be proven: that is unsigned', toProve, [unsigned(2)], null, 'E_SIGNATURE'],
  ['an id to be proven: whose copy is forged', toProve, [], [forged(2)], 'E_SIGNATURE'],
])('%s', async (_, asked, host, store, expected) => {
  expect(await found(asked, host, store)).toBe(expected);
});

test('an id of another database is refused as well', async () => {
  const other = manifestOf(idAt('2026-03-02T10:00:00Z', 'other'));
  const asked: Asked = { by: 'id', id: other.id };
  expect(await found(asked, [other], null)).toBe('E_SIGNATURE');
  expect(await found(asked, [keys.sign(other)], null)).toBe('host 2');
});

test('to be deleted, a backup is signed wherever it is', async () => {
  const delete_ = (host: Manifest[], store: Manifest[]) =>
    codeOf(() => everywhere(withKey, id(2), [placeOf(host), placeOf(store, 's3')]));
  expect(await delete_([signed(2)], [signed(2)])).toBe('');
  expect(await delete_([signed(2)], [forged(2)])).toBe('E_SIGNATURE');
  expect(await delete_([unsigned(2)], [])).toBe('E_SIGNATURE');
});

describe('to be written anew', () => {
  const one = async (run: ToldRun, manifest: Manifest, accepting = false) => {
    const { settings } = run;
    const place = placeOf([manifest]);
    place.keys = settings.signing;
    return named({ ...run, settings: { ...settings, backup: manifest.id } }, place, accepting);
  };

  test.each<[string, Manifest, boolean, string, string]>([
    ['signed', signed(2), false, '', 'E_SIGNATURE'],
    ['unsigned', unsigned(2), false, 'E_SIGNATURE', ''],
    ['unsigned, and accepted', unsigned(2), true, '', ''],
    ['forged, and accepted', forged(2), true, 'E_SIGNATURE', 'E_SIGNATURE'],
  ])('%s: with a key, and without', async (_, manifest, accepting, with_, without) => {
    expect(await codeOf(() => one(withKey, manifest, accepting))).toBe(with_);
    expect(await codeOf(() => one(withoutKey, manifest, accepting))).toBe(without);
  });

  test('its signature is made anew', async () => {
    const old = await one(withKey, signed(2));
    const rewrite = { ...old, manifest: { ...old.manifest, pinned: { reason: 'audit', at: '2026-03-20T12:00:00Z' } } };
    const written = JSON.parse(rewrittenText(withKey, rewrite)) as Manifest;
    expect(keys.verdict(written)).toBe('signed');
    expect(written.mac).not.toBe(old.manifest.mac);
    expect(mayRewrite(withoutKey, rewrite)).toBe(false);
    expect(() => rewrittenText(withoutKey, rewrite)).toThrow('would lose the signature');
  });

  test('nothing gets one that nobody has vouched for', async () => {
    const old = await one(withKey, unsigned(2), true);
    expect(() => demandRewritable(withKey, old)).toThrow('is unsigned');
    expect(() => rewrittenText(withKey, old)).toThrow('is unsigned');
  });
});

test('no rotation deletes what is not signed, nor counts on it', async () => {
  const place = placeOf([signed(1), unsigned(2), forged(3), signed(4), forged(5), unsigned(6)]);
  const { remove } = await planRotation(withKey, place);
  expect(remove.map((unit) => unit.id)).toEqual([id(1)]);
});
