import { describe, expect, test } from '@jest/globals';
import { readSets } from '../../../src/engines/physical/sets.js';
import { INFO_2_45 } from './sample.js';
import { failureOf } from './thrown.js';

type Json = Record<string, unknown>;

/** The real text with one thing changed. */
function changed(
  edit: (stanza: Json & { backup: Json[]; db: Json[]; repo: Json[]; status: Json }, all: unknown[]) => void,
): string {
  const all = JSON.parse(INFO_2_45.replace(/("system-id":)\s*(\d+)/g, '$1"$2"'));
  edit(all[0], all);
  return JSON.stringify(all).replace(/("system-id":)"(\d+)"/g, '$1$2');
}
const inSet = (index: number, change: Json): string =>
  changed(({ backup }) => {
    Object.assign(backup[index] as Json, change);
  });
const refusal = (text: string): string => {
  const { code, message } = failureOf(() => readSets(text, 'main'));
  expect(code).toBe('E_MANIFEST');
  return message;
};

describe('what 2.45 prints', () => {
  const { sets, clusters, ...rest } = readSets(INFO_2_45, 'main');

  test('is read', () => {
    expect(rest).toEqual({ key: 1, exists: true });
    expect(sets.map(({ type }) => type)).toEqual(['full', 'incr', 'diff', 'incr', 'incr']);
    expect(sets[1]).toEqual({
      ...{ label: '20261201-024340F_20261201-024343I', type: 'incr', prior: '20261201-024340F' },
      ...{ startedAt: new Date('2026-12-01T02:43:43Z'), stoppedAt: new Date('2026-12-01T02:43:44Z') },
      ...{ startWal: '000000010000000000000006', stopWal: '000000010000000000000006', stopLsn: 0x60053f0n },
      ...{ clusterBytes: 23119119, newBytes: 8837, hasErrors: false, clusterId: 1, tool: '2.45' },
    });
  });

  test('the number of the cluster keeps all of its digits', () => {
    const [, digits] = /"system-id":\s*(\d+)/.exec(INFO_2_45) ?? [];
    expect(BigInt(digits ?? '0')).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER));
    expect(clusters).toEqual([{ id: 1, systemId: digits, version: '15', archive: '15-1' }]);
  });

  test('with what later versions add, and without what they leave out', () => {
    const text = changed(({ backup, status }) => {
      for (const set of backup) {
        set.info = { delta: 1, size: 2, repository: { delta: 3, 'delta-map': 4, 'size-map': 5 } };
        delete set.annotation;
        delete set.error;
        delete set.reference;
      }
      status.lock = { backup: { held: true, size: 9, 'size-cplt': 4 }, restore: { held: false } };
    });
    expect(readSets(text, 'main').sets[4]).toMatchObject({ newBytes: 3, hasErrors: false });
  });
});

test('the oldest comes first, in whatever order they are told', () => {
  const text = changed(({ backup }) => void backup.reverse());
  expect(readSets(text, 'main')).toEqual(readSets(INFO_2_45, 'main'));
});

test('those of another repository are left out', () => {
  const text = changed(({ backup, db, repo }) => {
    repo.push({ cipher: 'none', key: 2, status: { code: 0, message: 'ok' } });
    db.push({ ...(db[0] as Json), 'repo-key': 2 });
    backup.push({ ...(backup[0] as Json), database: { id: 1, 'repo-key': 2 } });
  });
  expect(readSets(text, 'main')).toEqual(readSets(INFO_2_45, 'main'));
});

test.each([
  ['nothing', '[]'],
  [
    'no path',
    changed(
      (one) =>
        void Object.assign(one, {
          backup: [],
          db: [],
          repo: [{ key: 1, status: { code: 1, message: 'missing stanza path' } }],
        }),
    ),
  ],
  [
    'a new first repository beside an older one',
    changed((one) => {
      const { backup, db } = one;
      for (const set of backup) Object.assign(set, { database: { id: 1, 'repo-key': 2 } });
      for (const cluster of db) Object.assign(cluster, { 'repo-key': 2 });
      one.repo = [
        { key: 1, status: { code: 1, message: 'missing stanza path' } },
        { key: 2, status: { code: 0, message: 'ok' } },
      ];
    }),
  ],
])('with %s there is no stanza, which is no failure', (_, text) => {
  expect(readSets(text, 'main')).toEqual({ key: 1, exists: false, clusters: [], sets: [] });
});

test.each([
  ['E_PERM', "unable to open '/var/lib/pgbackrest/backup.info': [13] Permission denied"],
  ['E_ARCHIVE', 'HTTP request failed with 403 (Forbidden)\n::error::\u0007\u202eboo'],
])('%s, although pgBackRest ends well', (code, message) => {
  const text = changed(
    (one) => void Object.assign(one, { backup: [], repo: [{ key: 1, status: { code: 99, message } }] }),
  );
  const failure = failureOf(() => readSets(text, 'main'));
  expect(failure.code).toBe(code);
  expect(failure.message).not.toMatch(/[^\P{C}\n]|^::/mu);
  expect(failure.hint).not.toBe('');
});

test.each<[string, string, RegExp]>([
  ['no JSON', 'x'.repeat(9999), /no list in JSON/],
  ['no list', '{}', /no list in JSON/],
  ['the stanza twice', changed((one, all) => void all.push(one)), /lists the stanza twice/],
  ['a set twice', changed(({ backup }) => void backup.push({ ...(backup[0] as Json) })), /lists a backup twice/],
  [
    'more sets than there can be',
    changed(({ backup }) => void backup.push(...Array(10_000).fill(backup[0]))),
    /at most 10000/,
  ],
  [
    'a number that is no cluster',
    changed(({ db }) => void Object.assign(db[0] as Json, { 'system-id': '1\u0007' })),
    /system-id: expected the number/,
  ],
  ['a set of no cluster', inSet(0, { database: { id: 9, 'repo-key': 1 } }), /of the cluster 9, which is not there/],
  ['a label that leads out', inSet(0, { label: '../20261201-024340F' }), /label: expected the label/],
  ['a label with more after it', inSet(0, { label: '20261201-024340F\n' }), /label: expected the label/],
  ['another type than its label', inSet(1, { type: 'diff' }), /I is called diff/],
  ['a full one that follows another', inSet(0, { prior: '20261201-024340F' }), /is full, but follows/],
  ['one that follows nothing', inSet(1, { prior: null }), /is incr, but follows nothing/],
  ['one that follows what is not there', changed(({ backup }) => void backup.shift()), /which is not there/],
  ['one that follows itself', inSet(1, { prior: '20261201-024340F_20261201-024343I' }), /of another chain/],
  ['a circle', inSet(1, { prior: '20261201-024340F_20261201-024348I' }), /of another chain/],
  ['a diff of no full one', inSet(2, { prior: '20261201-024340F_20261201-024343I' }), /diff, but follows/],
  ['files of what is not there', inSet(1, { reference: ['20261130-000000F'] }), /needs 20261130-000000F/],
  ['files of itself', inSet(1, { reference: ['20261201-024340F_20261201-024343I'] }), /needs 20261201/],
  ['an end before its begin', inSet(0, { timestamp: { start: 2, stop: 1 } }), /ended before it began/],
  ['a time of no calendar', inSet(0, { timestamp: { start: 1, stop: 1e15 } }), /timestamp.stop: expected a time/],
  ['half a second', inSet(0, { timestamp: { start: 1.5, stop: 2 } }), /timestamp.start/],
  ['a negative size', inSet(0, { info: { size: -1, delta: 0, repository: { delta: 0 } } }), /info.size/],
  ['no WAL', inSet(0, { archive: { start: null, stop: null } }), /without online backup/],
  [
    'WAL backwards',
    inSet(0, { archive: { start: '000000010000000000000004', stop: '000000010000000000000003' } }),
    /ends before it begins/,
  ],
  [
    'WAL of two timelines',
    inSet(0, { archive: { start: '000000010000000000000003', stop: '000000020000000000000003' } }),
    /ends before it begins/,
  ],
  ['an LSN that is none', inSet(0, { lsn: { start: '0/1', stop: '0/1; x' } }), /lsn.stop: expected an LSN/],
  ['a version that is none', inSet(0, { backrest: { version: '2.45\u001b[2J' } }), /version: expected a version/],
])('%s is refused', (_, text, message) => {
  expect(refusal(text)).toMatch(message);
});

test('damaged pages are told', () => {
  expect(readSets(inSet(1, { error: true }), 'main').sets.map(({ hasErrors }) => hasErrors)).toEqual([
    false,
    true,
    false,
    false,
    false,
  ]);
});
