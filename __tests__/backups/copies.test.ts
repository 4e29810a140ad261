import { describe, expect, test } from '@jest/globals';
import { type Backup, readCatalogue } from '../../src/backups/catalogue.js';
import { contradicting, copyCandidates, isFromElsewhere, placed } from '../../src/backups/copies.js';
import type { Manifest } from '../../src/backups/manifest.js';
import { checksumFile, payloadFile } from '../../src/backups/names.js';
import { altered, idAt, listingOf, manifestOf, PATH, without, worded } from './sample-backups.js';

const NOW = new Date('2026-11-20T12:00:00Z');
const IDS = ['2026-11-20T10:00:00Z', '2026-11-19T10:00:00Z', '2026-11-18T10:00:00Z'].map((time) => idAt(time));
const [NEW = '', MIDDLE = '', OLD = ''] = IDS;
const HERE = { host: 'db.example.org', identity: { path: PATH } };
const read = (...manifests: Manifest[]): Backup[] =>
  readCatalogue(listingOf(manifests), { name: 'app', identity: { path: PATH } }, NOW).backups;

describe('a catalogue of a store', () => {
  const NAMES = { name: 'app', identity: { path: PATH } };
  const file = payloadFile(NEW, 'sqlite', 'zstd');
  const copies = without(listingOf([manifestOf(NEW)]), checksumFile(file));

  test('has no checksum files', () => {
    const { backups, problems } = worded(readCatalogue(copies, NAMES, NOW, { checksums: false, rotates: true }));
    expect(problems).toEqual([]);
    expect(backups).toMatchObject([{ id: NEW, state: 'ok', files: [`${NEW}.json`, file] }]);
    expect(worded(readCatalogue(copies, NAMES, NOW)).problems).toEqual([expect.stringContaining('.sha256 is missing')]);
  });

  test('has nothing to sweep but what is empty, and nothing where nobody rotates; a payload is kept, and adopted by no bytes of its own', () => {
    const name = payloadFile(OLD, 'sqlite', 'zstd');
    const orphan = without(without(listingOf([manifestOf(OLD)]), `${OLD}.json`), checksumFile(name));
    for (const rotates of [true, false]) {
      const place = { checksums: false, rotates };
      const { orphans, problems } = worded(readCatalogue(orphan, NAMES, NOW, place));
      expect(orphans).toMatchObject([{ id: OLD, sweepable: false, payload: null }]);
      expect(problems[0]).toContain('it is kept, because it may be a good backup; to delete it, run `command: delete`');
      const empty = readCatalogue(altered(orphan, name, { bytes: 0 }), NAMES, NOW, place);
      expect(empty.orphans).toMatchObject([{ sweepable: rotates }]);
    }
  });
});

describe('places', () => {
  test('each backup once, newest first, described where it is sound', () => {
    const onHost = readCatalogue(
      altered(listingOf([manifestOf(NEW), manifestOf(MIDDLE)]), payloadFile(MIDDLE, 'sqlite', 'zstd'), { bytes: 1 }),
      { name: 'app', identity: { path: PATH } },
      NOW,
    ).backups;
    const all = placed(onHost, read(manifestOf(MIDDLE), manifestOf(OLD)));
    expect(all.map(({ backup, from, places }) => [backup.id, backup.state, from, places])).toEqual([
      [NEW, 'ok', 'host', ['host']],
      [MIDDLE, 'ok', 's3', ['host', 's3']],
      [OLD, 'ok', 's3', ['s3']],
    ]);
  });

  test('two manifests of one backup that name other bytes', () => {
    const onHost = read(manifestOf(NEW), manifestOf(MIDDLE));
    const copies = read(manifestOf(NEW, { sha256: '0b'.repeat(32) }), manifestOf(MIDDLE), manifestOf(OLD));
    expect(contradicting(onHost, copies)).toEqual([NEW]);
  });
});

describe('candidates', () => {
  const pinned = { pinned: { reason: 'audit', at: '2026-01-01T00:00:00Z' } };

  test('a pin in either place counts', () => {
    const copies = read(manifestOf(NEW), manifestOf(MIDDLE, pinned), manifestOf(OLD));
    const found = copyCandidates(
      copies,
      { backups: read(manifestOf(NEW, pinned), manifestOf(MIDDLE)), unreadable: [] },
      HERE,
    );
    expect(found.map(({ id, pinned, verified }) => [id, pinned, verified])).toEqual([
      [NEW, 'audit', true],
      [MIDDLE, 'audit', true],
      [OLD, null, true],
    ]);
  });

  test('a backup whose manifest on the host cannot be read may be pinned there', () => {
    const unreadable = [{ id: MIDDLE, createdAt: NOW, why: 'not JSON' }];
    const found = copyCandidates(read(manifestOf(NEW), manifestOf(MIDDLE)), { backups: [], unreadable }, HERE);
    expect(found.map(({ pinned }) => pinned)).toEqual([null, expect.stringContaining('cannot be read')]);
  });

  test('what was made on another host does not count', () => {
    const [candidate] = copyCandidates(
      read(manifestOf(NEW, { host: 'staging' })),
      { backups: [], unreadable: [] },
      HERE,
    );
    expect(candidate).toMatchObject({ verified: false, why: 'made on another host, staging' });
  });

  test.each([
    ['db.example.org', null, null, false],
    ['db.example.org', '1', '2', false],
    ['other', '1', '1', false],
    ['other', null, '1', true],
    ['other', null, null, true],
  ])('PostgreSQL: made on %s with the system identifiers %s and %s', (host, one, other, expected) => {
    const identity = (systemIdentifier: string | null) => ({ database: 'shop', systemIdentifier });
    const here = { host: 'db.example.org', identity: identity(other) };
    expect(isFromElsewhere({ host, identity: identity(one) }, here)).toBe(expected);
  });

  test('a clone of a managed server has its number, and another address', () => {
    const identity = { database: 'shop', systemIdentifier: '1' };
    const here = { host: 'app@db.example.org:5432', identity };
    expect(isFromElsewhere({ host: 'app@clone.example.org:5432', identity }, here)).toBe(true);
    expect(isFromElsewhere({ host: 'runner-1', identity }, here)).toBe(false);
    expect(isFromElsewhere({ host: 'app@db.example.org:5432', identity }, here)).toBe(false);
  });
});
