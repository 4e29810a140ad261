import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Backup, readCatalogue, toCandidates } from '../../src/backups/catalogue.js';
import {
  EMPTY,
  goneFrom,
  isSlow,
  type Ledger,
  likenessOf,
  likenessOfNewest,
  parseLedger,
  partialOf,
  type RunVerdict,
  remember,
  type Seen,
  serializeLedger,
  usualDuration,
} from '../../src/backups/ledger.js';
import type { Manifest } from '../../src/backups/manifest.js';
import { type KeepRules, planRetention } from '../../src/backups/retention.js';
import { type Dispute, dispute, disputeFindings, missedBy } from '../../src/backups/vanished.js';
import { idAt, listingOf, manifestOf, timesBack } from './sample-backups.js';

const NOW = new Date('2026-11-20T12:00:00Z');
const VERDICT: RunVerdict = { command: 'backup', ok: true, errorCode: '', at: NOW.toISOString(), ms: 1200 };
const KEEP: KeepRules = { last: 3 };

type Change = Partial<Manifest>;
const CONTENT = {
  ...{
    tables: [
      { name: 'secret-table', rows: 7 },
      { name: 'other', rows: null },
    ],
    objects: 3,
  },
  ...{ pageSize: 4096, pageCount: 10, foreignKeyViolations: 0 },
};

/** Backups a day apart, the newest today, made under KEEP. `change`: of each, by its age. */
function backupsOf(
  count: number,
  change: (age: number) => Change = () => ({}),
  newest = '2026-11-20T10:00:00Z',
): Backup[] {
  const manifests = timesBack(newest, count, 24).map((time, age) =>
    manifestOf(idAt(time), { keep: KEEP, sha256: String(age % 10).repeat(64), ...change(age) }),
  );
  return readCatalogue(listingOf(manifests), { name: 'app', identity: null }, NOW).backups;
}

const there = (backups: Backup[], unreadable: Seen['left']['unreadable'] = []) => ({ backups, unreadable });

/** What a run remembers that finds and leaves these. */
function remembering(
  ledger: Ledger,
  backups: Backup[],
  more: Partial<Seen> & { settled?: string; unpinned?: string; lost?: string } = {},
): Ledger {
  const { settled = null, unpinned = null, lost = null, ...seen } = more;
  const { vanished, doubtful } = dispute(ledger, null, there(backups), null, NOW);
  const sight = { store: null, left: there(backups), vanished, doubtful, ...seen };
  return remember(ledger, { seen: [sight], verdict: VERDICT, settled, unpinned, lost }, NOW);
}

const look = (ledger: Ledger, backups: Backup[], strict: KeepRules | null = null, now = NOW) =>
  dispute(ledger, null, there(backups), strict, now);
const ids = (backups: readonly { id: string }[]): string[] => backups.map(({ id }) => id);

describe('what is remembered', () => {
  test('has numbers and hashes alone, and comes back as it was saved', () => {
    const [made] = backupsOf(1, () => ({
      host: 'secret-host',
      bytes: 4000,
      content: CONTENT,
      coverage: { excludeTable: ['secret-pattern'], excludeTableData: [], schema: [] },
      pinned: { reason: 'secret-reason', at: '2026-11-20T10:15:00Z' },
      s3Keep: { daily: 7 },
      verified: { level: 'restore', at: '2026-11-20T10:15:00Z', ms: 900 },
      encryption: { method: 'age', recipients: ['secret-recipient'] },
      file: 'app-20261120T100000Z-0001.sqlite.zst.age',
    }));
    if (made === undefined) throw new Error('no backup');
    const ledger = remembering(EMPTY, [made]);
    const text = serializeLedger(ledger);
    expect(JSON.parse(text)).toEqual({
      schema: 1,
      backups: [
        {
          id: 'app-20261120T100000Z-0001',
          sha256: '0'.repeat(64),
          bytes: 4000,
          databaseBytes: 40_960,
          tables: 2,
          rows: 7,
          durationMs: 812,
          verified: { level: 'restore', at: '2026-11-20T10:15:00Z', ms: 900 },
          kind: 'sqlite',
          compression: 'zstd',
          encryption: 'age',
          partial: expect.stringMatching(/^[0-9a-f]{12}$/),
          state: 'ok',
          pinned: true,
          safety: false,
          keep: KEEP,
          s3Keep: { daily: 7 },
          onHost: true,
          inStore: null,
        },
      ],
      runs: [VERDICT],
    });
    expect(text).not.toMatch(/secret|srv|db\.example|org\/app|ada/);
    expect(parseLedger(text, 'app')).toEqual(ledger);
  });

  test('of a manifest that came shortened, what was known before stays', () => {
    const whole = remembering(EMPTY, backupsOf(1));
    const shortened = backupsOf(1).map((one) => ({
      ...one,
      manifest: { ...one.manifest, shortened: true as const, content: { tables: [], objects: 3 } },
    }));
    expect(remembering(whole, shortened).backups).toMatchObject([{ tables: 2, rows: 12 }]);
    expect(remembering(EMPTY, shortened).backups).toMatchObject([{ tables: null, rows: null }]);
  });

  test('nothing is taken from one that is unsigned or forged', () => {
    const distrusted = backupsOf(2).map((one, at) => ({ ...one, state: at === 0 ? 'forged' : 'unsigned' }) as Backup);
    expect(remembering(EMPTY, distrusted).backups).toEqual([]);
    const known = remembering(EMPTY, backupsOf(2));
    expect(remembering(known, distrusted).backups).toEqual(known.backups);
  });

  test('what is gone stays for its sizes: 400 days, and 400 with those that are there, these first', () => {
    const all = backupsOf(450);
    const gone = remembering(remembering(EMPTY, all), all.slice(440), { vanished: [], doubtful: [] });
    expect(gone.backups).toHaveLength(400);
    expect(ids(gone.backups).slice(-10)).toEqual(ids(all.slice(440)));
    expect(ids(goneFrom(gone, new Set(ids(all.slice(440)))))).toEqual(ids(all.slice(0, 390)));
    const old = backupsOf(3, () => ({}), '2025-10-01T10:00:00Z');
    const kept = remembering(remembering(EMPTY, old), old.slice(2), { vanished: [], doubtful: [] });
    expect(ids(kept.backups)).toEqual(ids(old.slice(2)));
  });

  test('of the verdicts the last of each command', () => {
    const failed = { ...VERDICT, ok: false, errorCode: 'E_CONNECT' };
    const verify = { ...VERDICT, command: 'verify' };
    const ledger = [failed, verify, VERDICT].reduce((so, verdict) => remember(so, { seen: [], verdict }, NOW), EMPTY);
    expect(ledger.runs).toEqual([VERDICT, verify]);
  });
});

describe('what is missed', () => {
  const ALL = backupsOf(5);
  const KNOWN = remembering(EMPTY, ALL);

  test('nothing, as long as all is there', () => {
    expect(look(KNOWN, ALL)).toEqual({ changed: [], weakened: [], vanished: [], doubtful: [], isBare: false });
    expect(disputeFindings(look(KNOWN, ALL), '/b')).toEqual([]);
  });

  test('one that its rules keep; not one that they do not', () => {
    for (const [at, backup] of ALL.entries()) {
      const left = ALL.filter((one) => one !== backup);
      expect([at, look(KNOWN, left).vanished]).toEqual([at, at < 3 ? [backup.id] : []]);
    }
  });

  test('it is missed until its rules would have deleted it, or a person says that it is right', () => {
    const left = ALL.filter((_, at) => at !== 1);
    const id = ALL[1]?.id ?? '';
    const next = remembering(KNOWN, left);
    expect(look(next, left).vanished).toEqual([id]);
    expect(look(remembering(next, left), left).vanished).toEqual([id]);
    expect(look(remembering(next, left, { settled: id }), left).vanished).toEqual([]);
    const newer = [...backupsOf(2, () => ({}), '2026-11-20T11:30:00Z').slice(0, 1), ...left];
    expect(look(next, newer).vanished).toEqual([id]);
    const newest = [...backupsOf(1, () => ({}), '2026-11-20T11:40:00Z'), ...newer];
    expect(look(next, newest).vanished).toEqual([]);
  });

  /** What is there after somebody has copied the newest under a newer id, with rules of his own. */
  const planted = (backups: Backup[], keep: KeepRules, newest = '2026-11-20T11:00:00Z') => [
    ...backupsOf(1, () => ({ keep, sha256: '0'.repeat(64) }), newest),
    ...backups,
  ];

  test('what a planted backup of other rules may have taken the place of is doubtful, for as long as it is missed', () => {
    const [newest] = ALL;
    if (newest === undefined) throw new Error('no backup');
    const left = planted([newest], { last: 1 });
    const gone = ids(ALL.slice(1, 2));
    expect(look(KNOWN, left)).toMatchObject({ vanished: [], doubtful: gone });
    const next = remembering(KNOWN, left);
    // though all that is there is known by now
    expect(look(next, left)).toMatchObject({ vanished: [], doubtful: gone });
    expect(look(remembering(next, left), left)).toMatchObject({ vanished: [], doubtful: gone });
    expect(look(next, left, { last: 1 })).toMatchObject({ vanished: [], doubtful: gone });
    const [id = ''] = gone;
    expect(look(remembering(next, left, { settled: id }), left)).toMatchObject({ vanished: [], doubtful: [] });
    // until the rules would have deleted it, and for what comes back
    const newer = planted(left, KEEP, '2026-11-20T11:30:00Z');
    expect(look(next, newer)).toMatchObject({ vanished: [], doubtful: [] });
    const back = remembering(next, [...left, ...ALL.slice(1, 2)]);
    expect(look(back, left)).toMatchObject({ vanished: gone, doubtful: [] });
    // one that is planted gives no reason to drop another kind
    const pinned = (age: number) => (age === 1 ? { pinned: { reason: 'r', at: '2026-11-20T10:15:00Z' } } : {});
    expect(look(remembering(EMPTY, backupsOf(5, pinned)), left)).toMatchObject({ vanished: gone, doubtful: [] });
  });

  test('what is missed for sure stays so, whatever came in between', () => {
    const left = ALL.filter((_, at) => at !== 1);
    const id = ALL[1]?.id ?? '';
    const next = remembering(KNOWN, left);
    expect(next.backups[1]).toMatchObject({ id, missed: 'surely' });
    const more = planted(left, { last: 7 });
    expect(look(next, more)).toMatchObject({ vanished: [id], doubtful: [] });
    expect(look(next, more, { last: 1 })).toMatchObject({ vanished: [id], doubtful: [] });
    const after = remembering(next, more);
    expect(look(after, more)).toMatchObject({ vanished: [id], doubtful: [] });
    // a manifest alone does not bring it back
    const [damaged] = backupsOf(2).slice(1);
    if (damaged === undefined) throw new Error('no backup');
    const half = remembering(after, [...more, { ...damaged, state: 'damaged' }]);
    expect(look(half, more)).toMatchObject({ vanished: [id], doubtful: [] });
    // nor do so many others that it would not be remembered
    const pinned = { pinned: { reason: 'r', at: '2025-01-01T10:15:00Z' } };
    const old = backupsOf(1, () => pinned, '2025-01-01T10:00:00Z');
    const crowded = remembering(remembering(EMPTY, old), backupsOf(400));
    expect(crowded.backups).toHaveLength(400);
    expect(look(crowded, backupsOf(400)).vanished).toEqual(ids(old));
    const settled = remembering(after, more, { settled: id });
    expect(look(settled, more).vanished).toEqual([]);
    expect(settled.backups.find((one) => one.id === id)).not.toHaveProperty('missed');
    expect(parseLedger(serializeLedger(after), 'app')).toEqual(after);
  });

  test('what is planted takes no place when it is not signed as it has to be, or can not be read', () => {
    const many = [1, 2, 3].flatMap((minute) => backupsOf(1, () => ({}), `2026-11-20T11:0${minute}:00Z`));
    const left = ALL.slice(1);
    const gone = [ALL[0]?.id];
    const whose = (state: Backup['state']) => [...many.map((one) => ({ ...one, state })), ...left];
    for (const state of ['unsigned', 'forged'] as const) {
      expect(look(KNOWN, whose(state))).toMatchObject({ vanished: gone, doubtful: [] });
    }
    expect(look(KNOWN, whose('ok'))).toMatchObject({ vanished: [], doubtful: [] });
    const unreadable = many.map(({ id, createdAt }) => ({ id, createdAt, why: 'lost' }));
    expect(dispute(KNOWN, null, there(left, unreadable), null, NOW)).toMatchObject({ vanished: gone, doubtful: [] });
  });

  test('nor does one that is known, of another kind than it was', () => {
    const coverage = { excludeTable: ['a'], excludeTableData: [], schema: [] };
    const known = remembering(
      EMPTY,
      backupsOf(6, (age) => (age < 3 ? { coverage } : {})),
    );
    const edited = backupsOf(6).filter((_, age) => age !== 3);
    expect(look(known, edited)).toMatchObject({ vanished: [ids(backupsOf(6))[3]], doubtful: [] });
  });

  test('the same of a store', () => {
    const store = 'aaaaaaaaaaaa';
    const copied = backupsOf(3, () => ({ s3Keep: { last: 3 } }));
    const seenIn = (ledger: Ledger, backups: Backup[]) => {
      const { vanished, doubtful } = dispute(ledger, store, there(backups), null, NOW);
      const host = { store: null, left: there(copied), vanished: [], doubtful: [] };
      return remember(
        ledger,
        { seen: [host, { store, left: there(backups), vanished, doubtful }], verdict: VERDICT },
        NOW,
      );
    };
    const [first, ...left] = copied;
    const known = seenIn(EMPTY, copied);
    const next = seenIn(seenIn(known, left), left);
    expect(next.backups.map(({ missed, missedInStore }) => [missed, missedInStore])).toEqual([
      [undefined, 'surely'],
      [undefined, undefined],
      [undefined, undefined],
    ]);
    expect(dispute(next, store, there(left), null, NOW)).toMatchObject({ vanished: [first?.id], doubtful: [] });
    expect(seenIn(next, copied)).toEqual(known);
    const settled = remembering(next, copied, { settled: first?.id ?? '' });
    expect(dispute(settled, store, there(left), null, NOW).vanished).toEqual([]);
  });

  test('what the host says makes nothing less than it was', () => {
    const pin = { reason: 'r', at: '2026-11-20T10:15:00Z' };
    const known = remembering(
      EMPTY,
      backupsOf(4, (age) => (age === 3 ? { pinned: pin } : {})),
    );
    const coverage = { excludeTable: ['a'], excludeTableData: [], schema: [] };
    const changes: Change[] = [
      { keep: { last: 1 } },
      { verified: { level: 'none', at: '2026-11-20T11:00:00Z' } },
      { reason: 'safety', coverage, state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'small' } },
      { pinned: null },
    ];
    const edited = backupsOf(4, (age) => changes[age] ?? {});
    expect(look(known, edited)).toMatchObject({ changed: [], weakened: [edited[0]?.id, edited[3]?.id], vanished: [] });
    const next = remembering(known, edited);
    expect(next.backups).toEqual(known.backups);
    for (const { id } of edited) {
      const left = edited.filter((one) => one.id !== id);
      expect(look(next, left).vanished).toEqual([id]);
    }
    // a person may: by name, or as it is now
    const unpinned = remembering(known, edited, { unpinned: edited[3]?.id ?? '' });
    expect(unpinned.backups.map(({ pinned }) => pinned)).toEqual([false, false, false, false]);
    expect(look(unpinned, edited).weakened).toEqual([edited[0]?.id]);
    const settled = remembering(known, edited, { settled: edited[0]?.id ?? '' });
    expect(settled.backups[0]).toMatchObject({ keep: { last: 1 } });
    expect(look(settled, edited).weakened).toEqual([edited[3]?.id]);
    // what is more, is taken
    const better = (age: number): Change =>
      age === 0 ? { pinned: pin, verified: { level: 'restore', at: '2026-11-20T11:00:00Z', ms: 9 } } : {};
    const [first] = remembering(known, backupsOf(4, better)).backups;
    expect(first).toMatchObject({ pinned: true, verified: { level: 'restore', ms: 9 } });
  });

  test('what a run has deleted since a manifest was edited is missed, unless a person has named it', () => {
    const pinned = (age: number) => (age === 4 ? { pinned: { reason: 'r', at: '2026-11-20T10:15:00Z' } } : {});
    const known = remembering(EMPTY, backupsOf(5, pinned));
    const id = ALL[4]?.id ?? '';
    const [before, after] = [look(known, ALL), look(known, ALL.slice(0, 3))];
    expect(missedBy(before, after, null)).toEqual({ vanished: [id], doubtful: [] });
    expect(missedBy(before, after, id)).toEqual({ vanished: [], doubtful: [] });
    // as it was made, it is the run's to delete
    const unchanged = look(known, backupsOf(5, pinned));
    expect(missedBy(unchanged, after, null)).toEqual({ vanished: [], doubtful: [] });
    expect(missedBy({ ...before, vanished: ['a'], doubtful: ['b'] }, { ...after, doubtful: [id, 'c'] }, null)).toEqual({
      vanished: ['a', id],
      doubtful: ['b', id],
    });
  });

  test('what the run itself has deleted is not missed by the next', () => {
    const left = ALL.slice(1);
    const next = remembering(KNOWN, left, { vanished: [], doubtful: [] });
    expect(look(next, left).vanished).toEqual([]);
    expect(ids(next.backups)).toEqual(ids(ALL));
    // of a deletion by name whose end nobody has seen
    const lost = remembering(KNOWN, ALL, { lost: ALL[0]?.id ?? '' });
    expect(look(lost, left).vanished).toEqual([]);
  });

  test('one that is pinned by a person, whatever the rules; not what pins by itself', () => {
    const pinned = (by?: 'row-loss') => (age: number) =>
      age === 4 ? { pinned: { reason: 'r', at: '2026-11-20T10:15:00Z', ...(by === undefined ? {} : { by }) } } : {};
    expect(look(remembering(EMPTY, backupsOf(5, pinned())), ALL.slice(0, 4)).vanished).toEqual([ALL[4]?.id]);
    expect(look(remembering(EMPTY, backupsOf(5, pinned('row-loss'))), ALL.slice(0, 4)).vanished).toEqual([]);
  });

  test('of the safety backups the newest three, which restores leave', () => {
    const safe = backupsOf(5, () => ({
      reason: 'safety',
      pinned: { reason: 'r', at: '2026-11-20T10:15:00Z', by: 'restore' },
    }));
    expect(look(remembering(EMPTY, safe), ALL.slice(0, 0)).vanished).toEqual(ids(safe.slice(0, 3)));
  });

  test('suspect ones as long as no good one is newer; what was damaged or unproven never', () => {
    const suspect = (age: number): Change =>
      age === 0 ? { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'small' } } : {};
    const known = remembering(EMPTY, backupsOf(2, suspect));
    expect(look(known, ALL.slice(1, 2)).vanished).toEqual([ALL[0]?.id]);
    const newer = backupsOf(1, () => ({}), '2026-11-20T11:30:00Z');
    expect(look(known, [...newer, ...ALL.slice(1, 2)]).vanished).toEqual([]);
    const unproven = (age: number): Change =>
      age === 0 ? { verified: { level: 'none', at: '2026-11-20T10:15:00Z' } } : {};
    expect(look(remembering(EMPTY, backupsOf(2, unproven)), ALL.slice(1, 2)).vanished).toEqual([]);
  });

  test('of each coverage by itself', () => {
    const coverage = { excludeTable: ['a'], excludeTableData: [], schema: [] };
    const mixed = backupsOf(6, (age) => (age === 5 ? { coverage } : {}));
    expect(look(remembering(EMPTY, mixed), mixed.slice(0, 5)).vanished).toEqual([mixed[5]?.id]);
    // nothing that is there is of another series because of how it is hashed
    const series = backupsOf(6, () => ({ coverage }));
    expect(look(remembering(EMPTY, series), series.slice(0, 3)).vanished).toEqual([]);
  });

  test('what earlier versions made says no rules, so nothing is sure', () => {
    const old = readCatalogue(
      listingOf([manifestOf(idAt('2026-11-20T10:00:00Z'))]),
      { name: 'app', identity: null },
      NOW,
    );
    expect(look(remembering(EMPTY, old.backups), []).vanished).toEqual([]);
  });

  test('with keep-made-under: false, what the rules of this run keep as well', () => {
    const left = ALL.filter((_, at) => at !== 2);
    expect(look(KNOWN, left, { last: 3 }).vanished).toEqual([ALL[2]?.id]);
    expect(look(KNOWN, left, { last: 2 }).vanished).toEqual([]);
  });

  test('what was pinned or found damaged since may have taken its place before', () => {
    const pinnedSince = backupsOf(3, (age) =>
      age === 0 ? { pinned: { reason: 'r', at: '2026-11-20T10:15:00Z' } } : {},
    );
    const damagedSince = backupsOf(3).map((one, at) => (at === 0 ? { ...one, state: 'damaged' as const } : one));
    expect(look(KNOWN, pinnedSince).vanished).toEqual([]);
    expect(look(KNOWN, damagedSince).vanished).toEqual([]);
  });

  test('one whose manifest can not be read is there', () => {
    const [first, ...rest] = ALL;
    const unreadable = [{ id: first?.id ?? '', createdAt: first?.createdAt ?? NOW, why: 'lost' }];
    expect(dispute(KNOWN, null, there(rest, unreadable), null, NOW).vanished).toEqual([]);
    expect(remembering(KNOWN, rest, { left: there(rest, unreadable) }).backups[0]).toMatchObject({
      id: first?.id,
      onHost: true,
    });
  });

  test('of a place only what was there', () => {
    const inStore = dispute(KNOWN, 'aaaaaaaaaaaa', there([]), null, NOW);
    expect(inStore.vanished).toEqual([]);
    const copied = backupsOf(5, () => ({ s3Keep: { last: 2 } }));
    const both = remember(
      EMPTY,
      {
        seen: [
          { store: null, left: there(copied), vanished: [], doubtful: [] },
          { store: 'aaaaaaaaaaaa', left: there(copied), vanished: [], doubtful: [] },
        ],
        verdict: VERDICT,
      },
      NOW,
    );
    expect(both.backups.map(({ inStore: store }) => store)).toEqual(copied.map(() => 'aaaaaaaaaaaa'));
    expect(dispute(both, 'aaaaaaaaaaaa', there([]), null, NOW).vanished).toEqual(ids(copied.slice(0, 2)));
    expect(dispute(both, 'bbbbbbbbbbbb', there([]), null, NOW).vanished).toEqual([]);
    const pinned = backupsOf(1, () => ({ pinned: { reason: 'r', at: '2026-11-20T10:15:00Z' } }));
    const byLifecycle = remember(
      EMPTY,
      {
        seen: [null, 'aaaaaaaaaaaa'].map((store) => ({ store, left: there(pinned), vanished: [], doubtful: [] })),
        verdict: VERDICT,
      },
      NOW,
    );
    expect(dispute(byLifecycle, 'aaaaaaaaaaaa', there([]), null, NOW).vanished).toEqual([]);
    expect(dispute(byLifecycle, null, there([]), null, NOW).vanished).toEqual(ids(pinned));
    // accepted where the store is not looked into
    const settled = remembering(both, copied, { settled: copied[0]?.id ?? '' });
    expect(dispute(settled, 'aaaaaaaaaaaa', there(copied.slice(1)), null, NOW).vanished).toEqual([]);
    expect(dispute(both, 'aaaaaaaaaaaa', there(copied.slice(1)), null, NOW).vanished).toEqual([copied[0]?.id]);
    // a store that was not looked at, and copies of another host, say nothing
    expect(remembering(both, copied).backups).toEqual(both.backups);
    const other = remember(
      EMPTY,
      { seen: [{ store: 'aaaaaaaaaaaa', left: there(copied), vanished: [], doubtful: [] }], verdict: VERDICT },
      NOW,
    );
    expect(other.backups).toEqual([]);
  });

  test('another hash', () => {
    const changed = backupsOf(5, (age) => (age === 1 ? { sha256: 'f'.repeat(64) } : {}));
    const id = ALL[1]?.id ?? '';
    expect(look(KNOWN, changed)).toMatchObject({ changed: [id], vanished: [], doubtful: [] });
    const next = remembering(KNOWN, changed);
    expect(look(next, changed).changed).toEqual([id]);
    expect(look(remembering(next, changed, { settled: id }), changed).changed).toEqual([]);
    // also of one that was rotated and put back, and of a copy
    expect(look(remembering(KNOWN, []), changed).changed).toEqual([id]);
    expect(dispute(KNOWN, 'aaaaaaaaaaaa', there(changed), null, NOW).changed).toEqual([id]);
  });

  test('is told in one finding a kind', () => {
    const finding = (given: Partial<Dispute>) =>
      disputeFindings({ changed: [], weakened: [], vanished: [], doubtful: [], isBare: false, ...given }, '/b').map(
        ({ level, code, message }) => [level, code, message],
      );
    expect(finding({ changed: ['a'], vanished: ['b'], doubtful: ['c', 'd'], weakened: ['e'] })).toEqual([
      [
        'error',
        'E_CHECKSUM',
        'a in /b has another SHA-256 than the ledger remembers: changed or replaced after the backup',
      ],
      ['error', 'E_NOT_FOUND', 'b has vanished from /b: the ledger remembers it, and no retention deleted it'],
      [
        'warning',
        'E_NOT_FOUND',
        'c, d are gone from /b: the ledger remembers them, and cannot tell if a run that it did not see deleted them',
      ],
      [
        'warning',
        'E_MANIFEST',
        'e in /b: no longer pinned or kept as the ledger remembers: a manifest was changed, or a run that the ledger did not see unpinned',
      ],
    ]);
    expect(finding({ vanished: ['a', 'b', 'c', 'd', 'e', 'f', 'g'], isBare: true })).toEqual([
      [
        'error',
        'E_NOT_FOUND',
        '/b has no backups any more: the ledger remembers 7 that no retention deleted (a, b, c, d, e and 2 more)',
      ],
    ]);
  });

  const rules = fc.record(
    {
      last: fc.integer({ min: 1, max: 4 }),
      daily: fc.integer({ min: 1, max: 5 }),
      weekly: fc.integer({ min: 1, max: 3 }),
    },
    { requiredKeys: ['last'] },
  );
  /** A step of a history that this ledger does not see: hours until it, and by which rules the run works. */
  const steps = fc.array(fc.record({ hours: fc.integer({ min: 1, max: 60 }), by: fc.nat(1) }), { maxLength: 25 });

  /** One more run: a backup under these rules, and its rotation. */
  function rotated(backups: readonly Backup[], keep: KeepRules, now: Date): Backup[] {
    const listing = listingOf([manifestOf(idAt(now.toISOString()), { keep })]);
    const all = [...readCatalogue(listing, { name: 'app', identity: null }, now).backups, ...backups];
    const policy = { rules: keep, madeUnder: true, keepMinimum: 1, maxDelete: null };
    const gone = planRetention(toCandidates(all), policy, now).decisions.filter((one) => !one.keep);
    return all.filter(({ id }) => !gone.some((one) => one.id === id));
  }

  test.each([
    ['one rule', (keeps: KeepRules[]) => [keeps[0], keeps[0]]],
    ['rules that it knows', (keeps: KeepRules[]) => keeps],
  ] as const)('never after rotations that the ledger did not see, of %s', (rule, given) => {
    fc.assert(
      fc.property(fc.tuple(rules, rules), steps, fc.nat(8), (keeps, history, unseen) => {
        let now = Date.parse('2026-01-01T00:00:00Z');
        let backups: Backup[] = [];
        let ledger = EMPTY;
        for (const [at, { hours, by }] of [{ hours: 1, by: 0 }, { hours: 1, by: 1 }, ...history].entries()) {
          now += hours * 3_600_000;
          backups = rotated(backups, given(keeps)[by] ?? KEEP, new Date(now));
          const { changed, weakened, vanished, doubtful } = look(ledger, backups, null, new Date(now));
          expect([changed, weakened, vanished]).toEqual([[], [], []]);
          if (rule === 'one rule') expect(doubtful).toEqual([]);
          if (at > 1 && at % (unseen + 1) > 0) continue;
          const sight = { store: null, left: there(backups), vanished, doubtful };
          ledger = remember(ledger, { seen: [sight], verdict: VERDICT }, new Date(now));
          expect(look(ledger, backups, null, new Date(now)).vanished).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('always, when every run was seen, by however many rules', () => {
    fc.assert(
      fc.property(fc.tuple(rules, rules), steps, fc.nat(), (keeps, history, pick) => {
        let now = Date.parse('2026-01-01T00:00:00Z');
        let backups: Backup[] = [];
        let ledger = EMPTY;
        for (const { hours, by } of history) {
          now += hours * 3_600_000;
          const { vanished, doubtful } = look(ledger, backups, null, new Date(now));
          expect([vanished, doubtful]).toEqual([[], []]);
          backups = rotated(backups, keeps[by] ?? KEEP, new Date(now));
          ledger = remember(
            ledger,
            { seen: [{ store: null, left: there(backups), vanished, doubtful }], verdict: VERDICT },
            new Date(now),
          );
        }
        const policy = { rules: {}, madeUnder: true, keepMinimum: 1, maxDelete: null };
        const plan = planRetention(toCandidates(backups), policy, new Date(now)).decisions;
        const [victim] = plan.filter((one) => one.keep).slice(pick % 4);
        if (victim === undefined) return;
        const left = backups.filter(({ id }) => id !== victim.id);
        expect(look(ledger, left, null, new Date(now)).vanished).toEqual([victim.id]);
      }),
      { numRuns: 150 },
    );
  });

  test('always when one is removed that the rules keep', () => {
    fc.assert(
      fc.property(
        rules,
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 60 }),
        fc.nat(),
        (keep, count, hours, pick) => {
          const manifests = timesBack('2026-11-20T10:00:00Z', count, hours).map((time) =>
            manifestOf(idAt(time), { keep }),
          );
          const all = readCatalogue(listingOf(manifests), { name: 'app', identity: null }, NOW).backups;
          const policy = { rules: keep, madeUnder: true, keepMinimum: 1, maxDelete: null };
          const kept = planRetention(toCandidates(all), policy, NOW).decisions.filter((one) => one.keep);
          const victim = kept[pick % kept.length]?.id ?? '';
          expect(
            look(
              remembering(EMPTY, all),
              all.filter(({ id }) => id !== victim),
            ).vanished,
          ).toEqual([victim]);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('a ledger that somebody else has written', () => {
  const good = remembering(EMPTY, backupsOf(3));

  test.each([
    '',
    'null',
    '[]',
    '"x"',
    '{"schema":2,"backups":[]}',
    '{"__proto__":{"schema":1}}',
    '{"schema":1,"backups":{"length":3},"runs":7}',
    '{"schema":1,"backups":[null,1,"x",[],{}],"runs":[null,{"command":"backup"}]}',
    `{"schema":1,"backups":[${'[],'.repeat(1 << 19)}1]}`,
  ])('is empty: %#', (text) => {
    expect(parseLedger(text, 'app')).toEqual(EMPTY);
  });

  test.each([
    [{ id: 'app-20261399T100000Z-0001' }],
    [{ id: 'other-20261120T100000Z-0001' }],
    [{ id: '::error::app-20261120T100000Z-0001' }],
    [{ sha256: 'F'.repeat(64) }],
    [{ bytes: -1 }],
    [{ bytes: 1e300 }],
    [{ durationMs: '7' }],
    [{ kind: '../x' }],
    [{ state: 'forged' }],
    [{ onHost: 1 }],
    [{ keep: {} }],
    [{ keep: { last: 0 } }],
    [{ inStore: 'my-bucket' }],
    [{ verified: { level: 'all', at: '2026-11-20T10:15:00Z' } }],
  ])('an entry that is not as it should be is left out, the others are not: %j', (change) => {
    const [first, ...others] = good.backups;
    const text = serializeLedger({ ...good, backups: [{ ...first, ...change } as never, ...others] });
    expect(ids(parseLedger(text, 'app').backups)).toEqual(ids(others));
  });

  test('has of each id one, and no more than it may', () => {
    const [first] = good.backups;
    if (first === undefined) throw new Error('no entry');
    expect(parseLedger(serializeLedger({ ...good, backups: [first, first, first] }), 'app').backups).toEqual([first]);
    const many = remembering(EMPTY, backupsOf(400)).backups;
    expect(parseLedger(serializeLedger({ ...good, backups: [...many, ...good.backups] }), 'app').backups).toEqual(many);
    expect(serializeLedger({ ...good, backups: many }).length).toBeLessThan((1 << 20) / 3);
    const runs = Array.from({ length: 50 }, () => VERDICT);
    expect(parseLedger(serializeLedger({ ...good, runs }), 'app').runs).toEqual([VERDICT]);
  });

  test('whatever it is, it is read, compared and written again', () => {
    const entry = fc.record(
      {
        ...{
          id: fc.constantFrom(...ids(backupsOf(4)), 'x', '__proto__'),
          sha256: fc.constantFrom('0'.repeat(64), 'x'),
        },
        ...{ bytes: fc.anything(), databaseBytes: fc.maxSafeNat(), tables: fc.constant(null), rows: fc.maxSafeNat() },
        ...{ durationMs: fc.maxSafeNat(), verified: fc.constant({ level: 'none', at: '2026-11-20T10:15:00Z' }) },
        ...{ kind: fc.constant('sqlite'), compression: fc.constant('zstd'), encryption: fc.constant('none') },
        ...{ partial: fc.constantFrom(null, '0'.repeat(12)), state: fc.constantFrom('ok', 'suspect', 'future', 'x') },
        ...{ pinned: fc.boolean(), safety: fc.boolean(), onHost: fc.boolean(), inStore: fc.constant(null) },
        missed: fc.constantFrom('surely', 'perhaps', 'x'),
        keep: fc.dictionary(fc.constantFrom('last', 'within', 'daily', '__proto__'), fc.maxSafeNat()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.array(entry), fc.anything()), fc.anything(), (backups, runs) => {
        const ledger = parseLedger(JSON.stringify({ schema: 1, backups, runs }) ?? '', 'app');
        const found = look(ledger, backupsOf(2), { last: 1 });
        disputeFindings(found, '/b');
        const next = remembering(ledger, backupsOf(2));
        expect(parseLedger(serializeLedger(next), 'app')).toEqual(next);
      }),
      { numRuns: 300 },
    );
  });
});

describe('how long a backup takes', () => {
  const [one] = backupsOf(1);
  if (one === undefined) throw new Error('no backup');

  test('the median of the last seven that were made alike, when there are three', () => {
    const times = [900, 100, 200, 300, 400, 500, 600, 9000, 9000];
    const ledger = remembering(
      EMPTY,
      backupsOf(9, (age) => ({ durationMs: times[age] ?? 0 })),
    );
    expect(usualDuration(ledger, likenessOf(one))).toBe(400);
    expect(usualDuration(remembering(EMPTY, backupsOf(2)), likenessOf(one))).toBeNull();
  });

  test.each([
    [100_000, 30_000, true],
    [90_000, 30_000, false],
    [12_000, 1_000, true],
    [11_000, 1_000, false],
    [400_000, 399_000, false],
  ])('%i ms where it is usually %i: worth a word %p', (ms, usual, expected) => {
    expect(isSlow(ms, usual)).toBe(expected);
  });

  test('others do not count', () => {
    const coverage = { excludeTable: ['a'], excludeTableData: [], schema: [] };
    const others: Change[] = [{ coverage }, { reason: 'safety' }, { durationMs: 0 }];
    const ledger = remembering(
      EMPTY,
      backupsOf(5, (age) => others[age] ?? {}),
    );
    expect(usualDuration(ledger, likenessOf(one))).toBeNull();
    expect(likenessOfNewest(ledger, null)).toMatchObject({ kind: 'sqlite', compression: 'zstd', partial: null });
    expect(likenessOfNewest(ledger, partialOf(coverage))).toMatchObject({ partial: partialOf(coverage) });
    expect(likenessOfNewest(EMPTY, null)).toBeNull();
  });
});
