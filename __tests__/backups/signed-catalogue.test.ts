import { describe, expect, test } from '@jest/globals';
import { alarmsIn, type Backup, newestVerified, readCatalogue, toCandidates } from '../../src/backups/catalogue.js';
import { asJudgedSince, copyCandidates, placed } from '../../src/backups/copies.js';
import { acceptedIn, historyOf } from '../../src/backups/history.js';
import type { Manifest } from '../../src/backups/manifest.js';
import { checksumFile, manifestFile, payloadFile } from '../../src/backups/names.js';
import { planRetention } from '../../src/backups/retention.js';
import { SigningKeys } from '../../src/backups/signature.js';
import { outlived } from '../../src/restoring/safety-backup.js';
import { altered, idAt, listingOf, manifestOf, PATH, without } from './sample-backups.js';

const NOW = new Date('2026-03-20T12:00:00Z');
const keys = new SigningKeys(['a key of sixteen']);
const others = new SigningKeys(['another key of sixteen']);
const owner = { name: 'app', identity: { path: PATH }, keys };

const id = (day: number): string => idAt(`2026-03-${String(day).padStart(2, '0')}T10:00:00Z`);
const unsigned = (day: number, change: Partial<Manifest> = {}): Manifest => manifestOf(id(day), change);
const signed = (day: number, change: Partial<Manifest> = {}): Manifest => keys.sign(unsigned(day, change));
const forged = (day: number, change: Partial<Manifest> = {}): Manifest => ({
  ...keys.sign(unsigned(day, { durationMs: 813 })),
  durationMs: 812,
  ...change,
});
const read = (...manifests: Manifest[]): Backup[] => readCatalogue(listingOf(manifests), owner, NOW).backups;
const states = (backups: readonly Backup[]) => backups.map((backup) => [backup.createdAt.getUTCDate(), backup.state]);

const SUSPECT: Partial<Manifest> = { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'it shrank' } };
const ACCEPTED: Partial<Manifest> = {
  suspicion: { limit: 'shrink-limit', why: 'it shrank' },
  accepted: { by: 'command: accept', at: '2026-03-02T10:00:00Z' },
};

test('what a backup is, by its signature', () => {
  const listed = read(signed(1), unsigned(2), forged(3), others.sign(unsigned(4)), signed(5, SUSPECT));
  expect(states(listed)).toEqual([
    [5, 'suspect'],
    [4, 'forged'],
    [3, 'forged'],
    [2, 'unsigned'],
    [1, 'ok'],
  ]);
  expect(listed.map(({ detail }) => detail)).toMatchObject([
    'it shrank',
    expect.stringContaining('with another key'),
    expect.stringContaining('was changed after it was signed'),
    'its manifest has no signature',
    null,
  ]);
});

test('without a key signatures mean nothing', () => {
  const { backups } = readCatalogue(listingOf([signed(1), unsigned(2), forged(3)]), { ...owner, keys: null }, NOW);
  expect(states(backups)).toEqual([
    [3, 'ok'],
    [2, 'ok'],
    [1, 'ok'],
  ]);
});

test('one sentence for all of a kind, before all others, however many there are', () => {
  const many = Array.from({ length: 10_000 }, (_, hours) =>
    manifestOf(idAt(new Date(NOW.getTime() - hours * 3_600_000).toISOString(), 'app', '00ff')),
  );
  const listing = listingOf([forged(1), ...many, signed(2)]);
  listing.files.push({ name: `${id(2)}.sqlite.gz`, type: 'd', bytes: 1 });
  const { problems } = readCatalogue(listing, owner, NOW);
  expect(problems).toHaveLength(3);
  expect(problems[0]?.message).toBe(
    `1 backup is forged (${id(1)}): never counted, and never deleted; find out who can write there`,
  );
  expect(problems[1]?.message).toContain(`10000 backups are unsigned (${many[0]?.id}, ${many[1]?.id}, `);
  expect(problems[1]?.message.length).toBeLessThan(400);
});

test('an unsigned one keeps in mind what it would count for', () => {
  const torn = unsigned(3);
  const listing = altered(listingOf([unsigned(1), unsigned(2, SUSPECT), torn, unsigned(25)]), torn.file, { bytes: 1 });
  const { backups, problems } = readCatalogue(listing, owner, NOW);
  expect(backups.map(({ state, ifSigned }) => [state, ifSigned?.state])).toEqual([
    ['unsigned', 'future'],
    ['unsigned', 'damaged'],
    ['unsigned', 'suspect'],
    ['unsigned', 'ok'],
  ]);
  expect(problems).toHaveLength(1);
});

test('what is of another database is so, signed or not', () => {
  const other = { identity: { path: '/srv/other.db' } };
  const { backups, problems } = readCatalogue(listingOf([unsigned(1, other), signed(2, other)]), owner, NOW);
  expect(backups).toEqual([]);
  expect(problems.map(({ message }) => message)).toEqual([
    `2 backups (${id(2)}, ${id(1)}) belong to another database, "/srv/other.db"; here they are never counted and never deleted`,
  ]);
});

test('which server it is, no forged manifest tells', () => {
  const of = (day: number, systemIdentifier: string): Manifest =>
    unsigned(day, {
      ...{ engine: 'postgres', kind: 'dump', file: payloadFile(id(day), 'dump', 'zstd'), content: null },
      identity: { database: 'shop', systemIdentifier },
    });
  const listing = listingOf([keys.sign(of(1, '7000000000000000001')), of(2, '7000000000000000002')]);
  const vague = { database: 'shop', systemIdentifier: null };
  expect(states(readCatalogue(listing, { ...owner, identity: vague }, NOW).backups)).toEqual([
    [2, 'unsigned'],
    [1, 'ok'],
  ]);
});

describe('what is unsigned or forged counts for nothing', () => {
  const bad: [string, typeof forged][] = [
    ['unsigned', unsigned],
    ['forged', forged],
  ];

  test.each(bad)('%s: it is not the newest, and no history', (_, make) => {
    const listed = read(signed(1), make(2, ACCEPTED), make(3, SUSPECT));
    expect(newestVerified(listed)?.id).toBe(id(1));
    expect(historyOf(listed).map((backup) => backup.id)).toEqual([id(1)]);
    expect(acceptedIn(listed)).toEqual([]);
    expect(alarmsIn(listed)).toEqual([]);
  });

  test.each(bad)('%s: it fills no rule, is not deleted, and does not delete', (state, make) => {
    const rules = { rules: { last: 2 }, keepMinimum: 1, maxDelete: null };
    const listed = read(signed(1), make(2), signed(3), make(4, { keep: { last: 1 } }), signed(5), make(6, SUSPECT));
    const plan = planRetention(toCandidates(listed), rules, NOW);
    expect(plan.refusal).toBeNull();
    expect(plan.decisions.map(({ keep, reasons }) => (keep ? reasons[0] : 'gone'))).toEqual([
      expect.stringMatching(`^${state}: its manifest`),
      'last 1 of 2',
      expect.stringMatching(`^${state}: its manifest`),
      'last 2 of 2',
      expect.stringMatching(`^${state}: its manifest`),
      'gone',
    ]);
  });

  test.each(bad)('%s: it is none of the safety backups that a restore may delete', (_, make) => {
    const safety: Partial<Manifest> = { reason: 'safety', pinned: null };
    const listed = read(signed(1, safety), make(2, safety), make(3, safety), make(4, safety), signed(5, safety));
    expect(outlived(listed)).toEqual([]);
    expect(outlived(read(...listed.map(({ manifest }) => manifest), signed(6, safety))).map((one) => one.id)).toEqual([
      id(1),
    ]);
  });

  test.each(bad)('%s: a copy is shown in its stead, and is not judged by it', (state, make) => {
    const host = read(make(1, { ...SUSPECT, pinned: null }));
    const copies = asJudgedSince(read(signed(1)), host);
    expect(states(copies)).toEqual([[1, 'ok']]);
    expect(placed(host, copies)).toMatchObject([{ from: 's3', backup: { state: 'ok' }, places: ['host', 's3'] }]);
    // whether it is pinned there is not known
    const [copy] = copyCandidates(
      copies,
      { backups: host, unreadable: [] },
      { host: 'db.example.org', identity: { path: PATH } },
    );
    expect(copy?.pinned).toBe(`perhaps: its manifest on the host is ${state}`);
  });
});

test('with a key a payload without manifest is not adopted, and that is said', () => {
  const lost = without(listingOf([unsigned(1)]), manifestFile(id(1)));
  const withKey = readCatalogue(lost, owner, NOW);
  expect(withKey.orphans).toMatchObject([{ id: id(1), payload: null, sweepable: false }]);
  expect(withKey.problems[0]?.message).toContain(
    'not adopted, because with `signing-key` an unsigned file is not trusted',
  );
  const file = unsigned(1).file;
  expect(lost.files.map(({ name }) => name)).toContain(checksumFile(file));
  expect(readCatalogue(lost, { ...owner, keys: null }, NOW).orphans).toMatchObject([{ payload: file }]);
});
