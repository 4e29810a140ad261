import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Listing, leftovers, newestVerified, readCatalogue, toCandidates } from '../../src/backups/catalogue.js';
import type { Manifest } from '../../src/backups/manifest.js';
import { altered, idAt, listingOf, manifestOf, PATH, without, worded } from './sample-backups.js';

const NOW = new Date('2026-11-20T12:00:00Z');
const TIME = '2026-11-20T10:15:00Z';
const ID = idAt(TIME);
const PAYLOAD = `${ID}.sqlite.zst`;
const CHECKSUM = `${PAYLOAD}.sha256`;
const MANIFEST = `${ID}.json`;

function read(listing: Listing, now = NOW) {
  return worded(readCatalogue(listing, { name: 'app', identity: { path: PATH } }, now));
}

function one(change: Partial<Manifest> = {}): Listing {
  return listingOf([manifestOf(ID, change)]);
}

function sealed(): Listing {
  const files = [`${ID}.dump.age`, `${ID}.dump.age.sha256`].map((name) => ({ name, type: '-', bytes: 1 }));
  return { files, manifests: new Map() };
}

function twice(): Listing {
  const listing = without(one(), MANIFEST);
  return { ...listing, files: [...listing.files, { name: `${ID}.sqlite`, type: '-', bytes: 1 }] };
}

function beside(): Listing {
  const listing = without(one(), MANIFEST);
  const other = listingOf([manifestOf(idAt('2026-11-19T10:15:00Z'), { identity: { path: '/srv/other.db' } })]);
  return { files: [...other.files, ...listing.files], manifests: other.manifests };
}

describe('one unit', () => {
  test('a sound one is a backup; its manifest goes first and its checksum last', () => {
    expect(read(one())).toEqual({
      backups: [
        {
          id: ID,
          createdAt: new Date(TIME),
          manifest: manifestOf(ID),
          state: 'ok',
          detail: null,
          files: [MANIFEST, PAYLOAD, CHECKSUM],
        },
      ],
      orphans: [],
      unreadable: [],
      problems: [],
    });
  });

  test.each([
    ['the payload is missing', without(one(), PAYLOAD), `${PAYLOAD} is missing`, [MANIFEST, CHECKSUM]],
    ['the payload is empty', altered(one(), PAYLOAD, { bytes: 0 }), `${PAYLOAD} is empty`, null],
    ['both are empty', altered(one({ bytes: 0 }), PAYLOAD, { bytes: 0 }), `${PAYLOAD} is empty`, null],
    [
      'the payload is shorter',
      altered(one(), PAYLOAD, { bytes: 3999 }),
      `${PAYLOAD} has 3999 bytes, but the manifest says 4000`,
      null,
    ],
  ])('%s: damaged, reported and kept', (_, listing, detail, files) => {
    const { backups, problems, orphans } = read(listing);
    expect(backups).toMatchObject([{ state: 'damaged', detail, files: files ?? [MANIFEST, PAYLOAD, CHECKSUM] }]);
    expect(problems).toEqual([`${ID} is damaged: ${detail}; it was kept and does not count as a backup`]);
    expect(orphans).toEqual([]);
    expect(toCandidates(backups)).toMatchObject([{ verified: false, why: `damaged: ${detail}` }]);
  });

  test('without its checksum file it is still a backup', () => {
    const { backups, problems } = read(without(one(), CHECKSUM));
    expect(backups).toMatchObject([{ state: 'ok', files: [MANIFEST, PAYLOAD] }]);
    expect(problems).toEqual([`${CHECKSUM} is missing, but the manifest still has the SHA-256 of ${PAYLOAD}`]);
  });

  test('verified at no level, it does not count', () => {
    const { backups } = read(one({ verified: { level: 'none', at: TIME } }));
    expect(backups).toMatchObject([{ state: 'unverified', detail: 'not verified' }]);
    expect(toCandidates(backups)).toMatchObject([{ verified: false, why: 'not verified' }]);
  });

  test('more than 15 minutes ahead of the clock it is from the future', () => {
    expect(read(one(), new Date('2026-11-20T10:00:00Z'))).toMatchObject({ backups: [{ state: 'ok' }], problems: [] });
    const { backups, problems } = read(one(), new Date('2026-11-20T09:59:59.999Z'));
    expect(backups).toMatchObject([{ state: 'future', detail: 'dated in the future' }]);
    expect(problems).toEqual([
      `${ID} is dated in the future; it was kept and does not count until then. Check the clocks`,
    ]);
    expect(toCandidates(backups)).toMatchObject([{ verified: false, why: 'dated in the future' }]);
  });

  test('several things wrong with it are all reported', () => {
    const listing = without(altered(one(), PAYLOAD, { bytes: 1 }), CHECKSUM);
    listing.files.push({ name: `${ID}.sqlite`, type: '-', bytes: 1 });
    const { backups, problems } = read(listing, new Date('2026-11-01T00:00:00Z'));
    expect(backups).toMatchObject([{ state: 'damaged', files: [MANIFEST, PAYLOAD] }]);
    expect(problems).toEqual([
      `${ID} is damaged: ${PAYLOAD} has 1 byte, but the manifest says 4000; it was kept and does not count as a backup`,
      `${ID} is dated in the future; it was kept and does not count until then. Check the clocks`,
      `${CHECKSUM} is missing, but the manifest still has the SHA-256 of ${PAYLOAD}`,
      `${MANIFEST} does not list the file ${ID}.sqlite; it was left alone`,
    ]);
  });
});

describe('what is not ours to judge', () => {
  test('the backup of another database is invisible, and so is its whole unit', () => {
    const catalogue = read(one({ identity: { path: '/srv/other/app.db\n::error::x' } }));
    expect(catalogue).toEqual({
      backups: [],
      orphans: [],
      unreadable: [],
      problems: [
        `${ID} belongs to another database, "/srv/other/app.db\\n::error::x"; here it is never counted and never deleted`,
      ],
    });
  });

  test('those of another database are one warning, however many they are; each other database has its own', () => {
    const of = (path: string, count: number, first: number): Manifest[] =>
      Array.from({ length: count }, (_, at) => ({
        ...manifestOf(idAt(TIME, 'app', (first + at).toString(16).padStart(4, '0'))),
        identity: { path },
      }));
    const many = of('/srv/other.db', 10_000, 0);
    const listing = listingOf([...many, ...of('/srv/third.db', 1, 20_000), ...of(PATH, 2, 30_000)]);
    const { backups, problems } = read(listing);
    expect(backups).toHaveLength(2);
    const first = many.slice(0, 5).map(({ id }) => id);
    expect(problems).toEqual([
      `10000 backups (${first.join(', ')}, ...) belong to another database, "/srv/other.db"; here they are never counted and never deleted`,
      expect.stringMatching(/^app-.* belongs to another database, "\/srv\/third\.db"; here it is never counted/),
    ]);
  });

  test.each([
    ['malformed', '{}', `${MANIFEST}: schema: expected 1, got nothing`],
    ['cut', '{"schema": 1', `${MANIFEST}: text: expected JSON, got "{\\"schema\\": 1"`],
    ['of another id', JSON.stringify(manifestOf(idAt(TIME, 'app', '0002'))), `${MANIFEST}: id: expected "${ID}", got`],
    ['not readable', undefined, `${MANIFEST} could not be read`],
  ])('a manifest that is %s hides its unit, which is no orphan either', (_, text, problem) => {
    const listing = one();
    if (text === undefined) listing.manifests.delete(MANIFEST);
    else listing.manifests.set(MANIFEST, text);
    const { backups, orphans, unreadable, problems } = read(listing, new Date('2026-12-24T00:00:00Z'));
    expect([backups, orphans]).toEqual([[], []]);
    expect(unreadable).toEqual([{ id: ID, createdAt: new Date(TIME), why: expect.stringContaining(problem) }]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
    expect(problems[0]).toContain('; this backup is never counted and never deleted');
  });

  test('a manifest text without its file in the listing is ignored', () => {
    const listing = one();
    listing.files = [];
    expect(read(listing)).toEqual({ backups: [], orphans: [], unreadable: [], problems: [] });
  });

  test.each([
    ['l', 'a symbolic link'],
    ['d', 'a directory'],
    ['p', 'a fifo'],
    ['s', 'a socket'],
    ['b', 'not a regular file'],
    ['', 'not a regular file'],
  ])('type %j under a name of ours is reported and never touched', (type, words) => {
    const left = (name: string) => `${name} is ${words}, but a backup consists of regular files; it was left alone`;
    const payload = read(altered(one(), PAYLOAD, { type }));
    expect(payload.backups).toMatchObject([{ state: 'damaged', files: [MANIFEST, CHECKSUM] }]);
    expect(payload.problems[0]).toBe(left(PAYLOAD));
    expect(read(altered(one(), CHECKSUM, { type }))).toMatchObject({
      backups: [{ state: 'ok', files: [MANIFEST, PAYLOAD] }],
      problems: [left(CHECKSUM), expect.stringContaining('is missing')],
    });
    // Somebody has moved the manifest and left a link: its payload is not an orphan to be swept.
    const manifest = read(altered(one(), MANIFEST, { type }), new Date('2026-12-24T00:00:00Z'));
    const why = `${MANIFEST} is ${words}, but a backup consists of regular files`;
    expect(manifest).toEqual({
      backups: [],
      orphans: [],
      unreadable: [{ id: ID, createdAt: new Date(TIME), why }],
      problems: [left(MANIFEST)],
    });
  });
});

describe('orphans', () => {
  test('are payloads and checksums without a manifest: a payload is kept, and adopted when the checksum is beside it', () => {
    const listing = without(one(), MANIFEST);
    expect(read(listing, new Date('2027-11-21T10:15:00Z'))).toEqual({
      backups: [],
      orphans: [{ id: ID, createdAt: new Date(TIME), files: [PAYLOAD, CHECKSUM], sweepable: false, payload: PAYLOAD }],
      unreadable: [{ id: ID, createdAt: new Date(TIME), why: `${PAYLOAD} and ${CHECKSUM}: the manifest is missing` }],
      problems: [
        `${PAYLOAD} and ${CHECKSUM}: no manifest, so this is not a backup; it is kept, and the next backup or prune adopts it if its bytes match the checksum beside it`,
      ],
    });
  });

  const sealedOne = sealed();
  test.each([
    ['without its checksum', without(without(one(), MANIFEST), CHECKSUM)],
    ['encrypted', sealedOne],
    ['two payloads', twice()],
    ['beside a backup of another database by that name', beside()],
  ])('that can not prove what they are are kept as well: %s', (_, listing) => {
    const { orphans, problems } = read(listing, new Date('2027-11-21T10:15:00Z'));
    expect(orphans).toMatchObject([{ sweepable: false, payload: null }]);
    const why =
      listing === sealedOne
        ? ', and not adopted, because it is encrypted: you can `restore` it by its path, with its key or passphrase'
        : '';
    expect(problems.join()).toContain(
      `it is kept, because it may be a good backup${why}; to delete it, run \`command: delete\` with \`backup:`,
    );
  });

  test('with nothing in them are swept after more than a day', () => {
    for (const listing of [
      without(without(one(), MANIFEST), PAYLOAD),
      altered(without(one(), MANIFEST), PAYLOAD, { bytes: 0 }),
    ]) {
      expect(read(listing, new Date('2026-11-21T10:15:00Z')).orphans).toMatchObject([{ sweepable: false }]);
      const { orphans, problems } = read(listing, new Date('2026-11-21T10:15:01Z'));
      expect(orphans).toMatchObject([{ sweepable: true, payload: null }]);
      expect(problems).toEqual([expect.stringContaining('it has no content, and the next rotation removes it')]);
      expect(leftovers(orphans)).toMatchObject([{ id: ID, verified: false, leftover: true }]);
    }
  });

  test('from the future are neither swept nor adopted', () => {
    const listing = without(one(), MANIFEST);
    for (const now of [new Date('2026-01-01T00:00:00Z'), new Date(Number.NaN)]) {
      expect(read(listing, now).orphans).toMatchObject([{ sweepable: false, payload: null }]);
      expect(read(without(listing, PAYLOAD), now).orphans).toMatchObject([{ sweepable: false }]);
    }
  });

  test('name all their files, payloads first, encrypted ones too', () => {
    const files = [`${ID}.dump.age.sha256`, `${ID}.sql`, `${ID}.dump.age`].map((name) => ({
      name,
      type: '-',
      bytes: 1,
    }));
    expect(read({ files, manifests: new Map() }).orphans).toMatchObject([
      { files: [`${ID}.dump.age`, `${ID}.sql`, `${ID}.dump.age.sha256`] },
    ]);
  });
});

describe('the lists', () => {
  const times = ['2026-11-18T10:00:00Z', '2026-11-20T10:00:00Z', '2026-11-19T10:00:00Z'];

  test('are sorted newest first, ties by id', () => {
    const tied = [idAt(TIME, 'app', '00ff'), idAt(TIME, 'app', '000a')];
    const ids = [...times.map((time) => idAt(time)), ...tied];
    const listing = listingOf(ids.map((id) => manifestOf(id)));
    const sorted = [tied[1], tied[0], idAt(times[1] ?? ''), idAt(times[2] ?? ''), idAt(times[0] ?? '')];
    expect(read(listing).backups.map(({ id }) => id)).toEqual(sorted);
    const bare = { files: listing.files.filter(({ name }) => !name.endsWith('.json')), manifests: new Map() };
    expect(read(bare).orphans.map(({ id }) => id)).toEqual(sorted);
  });

  test('the newest verified one is not damaged, unverified or from the future; a safety backup is one', () => {
    const future = manifestOf(idAt('2026-11-25T10:00:00Z'));
    const damaged = manifestOf(idAt('2026-11-20T11:00:00Z'));
    const unverified = manifestOf(ID, { verified: { level: 'none', at: TIME } });
    const safety = manifestOf(idAt('2026-11-20T09:00:00Z'), { reason: 'safety' });
    const listing = altered(
      listingOf([manifestOf(idAt('2026-11-01T00:00:00Z')), safety, unverified, damaged, future]),
      damaged.file,
      {
        bytes: 5,
      },
    );
    const { backups } = read(listing);
    expect(backups.map(({ state }) => state)).toEqual(['future', 'damaged', 'unverified', 'ok', 'ok']);
    expect(newestVerified(backups)?.id).toBe(safety.id);
    expect(newestVerified([...backups].reverse())?.id).toBe(safety.id);
    expect(newestVerified(backups.slice(0, 3))).toBeNull();
    expect(newestVerified([])).toBeNull();
  });

  test('candidates carry the pin and say what is a safety backup', () => {
    const pinned = { reason: 'before the migration', at: TIME };
    expect(toCandidates(read(one({ pinned, reason: 'safety' })).backups)).toEqual([
      { id: ID, createdAt: new Date(TIME), verified: true, pinned: 'before the migration', safety: true },
    ]);
    expect(toCandidates(read(one()).backups)).toEqual([
      { id: ID, createdAt: new Date(TIME), verified: true, pinned: null, safety: false },
    ]);
  });
});

test('whatever is listed, only regular files of this name are ever in a list of files', () => {
  const endings = fc.constantFrom('.sqlite.zst', '.sqlite.zst.sha256', '.json', '.sqlite', '.tmp', '');
  const file = fc.record({
    id: fc.constantFrom(ID, idAt('2026-11-01T00:00:00Z'), idAt(TIME, 'app-staging'), idAt(TIME, 'ap')),
    ending: endings,
    type: fc.constantFrom('-', '-', '-', 'd', 'l', '?'),
    bytes: fc.constantFrom(0, 4000),
  });
  const sets = fc.uniqueArray(file, { selector: ({ id, ending }) => id + ending, maxLength: 20 });
  const sound = [ID, idAt('2026-11-01T00:00:00Z'), idAt(TIME, 'app-staging'), idAt(TIME, 'ap')].map((id) =>
    manifestOf(id),
  );
  const { manifests } = listingOf(sound);
  let seen = 0;
  fc.assert(
    fc.property(sets, (set) => {
      const files = set.map(({ id, ending, type, bytes }) => ({ name: id + ending, type, bytes }));
      const { backups, orphans } = read({ files, manifests });
      const regular = new Set(files.filter(({ type }) => type === '-').map(({ name }) => name));
      const touched = [...backups, ...orphans].flatMap((unit) => unit.files);
      seen += touched.length;
      expect(touched.filter((name) => !regular.has(name) || !/^app-2/.test(name) || name.endsWith('.tmp'))).toEqual([]);
      expect(new Set(touched).size).toBe(touched.length);
      for (const { files: order } of backups) expect(order[0]).toMatch(/\.json$/);
    }),
    { numRuns: 500 },
  );
  expect(seen).toBeGreaterThan(100);
});
