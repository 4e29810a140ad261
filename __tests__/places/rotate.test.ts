import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { manifestFile } from '../../src/backups/names.js';
import type { Candidate, KeepRules } from '../../src/backups/retention.js';
import { carryOut, objectionTo, planRotation, refusalOf, tellRotation } from '../../src/places/rotate.js';
import { outlived } from '../../src/restoring/safety-backup.js';
import { candidateAt, idAt, manifestOf } from '../backups/sample-backups.js';
import type { Given } from '../settings/given-inputs.js';
import { fill, MemoryPlace } from './memory-place.js';
import { runForTests, type ToldRun } from './run-for-tests.js';

// Which backups of a place go, which stay and why, and when none goes. What each rule keeps is in __tests__/backups/retention.test.ts.

const NOW = new Date('2026-03-20T12:00:00Z');
/** Of March. */
const day = (at: number): string => `2026-03-${String(at).padStart(2, '0')}T10:00:00Z`;
const id = (at: number): string => idAt(day(at));
const at = (date: number, change: Partial<Manifest> = {}): Manifest => manifestOf(id(date), change);

const SUSPECT: Partial<Manifest> = { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'it shrank' } };
const PARTIAL: Partial<Manifest> = { coverage: { excludeTable: ['logs'], excludeTableData: [], schema: [] } };
const PIN: Partial<Manifest> = { pinned: { reason: 'audit', at: day(1) } };
const UNPROVEN: Partial<Manifest> = { verified: { level: 'none', at: day(1) } };
const SAFETY: Partial<Manifest> = { reason: 'safety' };

function placeOf(manifests: readonly Manifest[], rules: KeepRules | null = { last: 2 }, kind: 'host' | 's3' = 'host') {
  const place = new MemoryPlace(new Map(), NOW, kind, rules);
  for (const manifest of manifests) fill(place.files, manifest);
  return place;
}

const run = (inputs: Given = {}): Promise<ToldRun> => runForTests({ command: 'prune', ...inputs }, NOW);
let plain: ToldRun;
beforeAll(async () => {
  plain = await run();
});

type Options = Parameters<typeof planRotation>[2];

/** By day of March: the reasons, or `gone`. */
async function decided(place: MemoryPlace, options: Options = {}, of: ToldRun = plain) {
  const rotation = await planRotation(of, place, options);
  const { decisions } = rotation.retention;
  const removed = new Set(rotation.remove.map((unit) => unit.id));
  if (rotation.retention.refusal === null) {
    expect(decisions.filter(({ keep }) => !keep).map((one) => one.id)).toEqual([...removed]);
  } else expect([...removed]).toEqual([]);
  return decisions.map((one) => [one.id, one.keep ? one.reasons.join(', ') : 'gone']);
}

const LAST = (nth: number, of = 2) => `last ${nth} of ${of}`;

test.each<[string, Manifest[], [number, string][]]>([
  ['none', [], []],
  [
    'what no rule keeps goes, the oldest ones',
    [at(1), at(2), at(3), at(4)],
    [
      [4, LAST(1)],
      [3, LAST(2)],
      [2, 'gone'],
      [1, 'gone'],
    ],
  ],
  [
    'a pinned one stays, and fills no place of another',
    [at(1, PIN), at(2), at(3, PIN), at(4), at(5)],
    [
      [5, LAST(1)],
      [4, LAST(2)],
      [3, 'pinned: audit'],
      [2, 'gone'],
      [1, 'pinned: audit'],
    ],
  ],
  [
    'a safety backup is not for the rotation',
    [at(1, SAFETY), at(2), at(3), at(4, SAFETY)],
    [
      [4, 'safety backup'],
      [3, LAST(1)],
      [2, LAST(2)],
      [1, 'safety backup'],
    ],
  ],
  [
    'what was never verified stays, and counts for nothing',
    [at(1), at(2), at(3), at(4, UNPROVEN)],
    [
      [4, 'not verified'],
      [3, LAST(1)],
      [2, LAST(2)],
      [1, 'gone'],
    ],
  ],
  [
    'what is dated in the future stays, and counts for nothing',
    [at(1), at(2), at(3), at(25)],
    [
      [25, expect.stringContaining('dated in the future') as unknown as string],
      [3, LAST(1)],
      [2, LAST(2)],
      [1, 'gone'],
    ],
  ],
  [
    'of the suspect ones that are newer than every good one three stay, and every good one that a rule keeps',
    [at(1), at(2), at(3), at(4, SUSPECT), at(5, SUSPECT), at(6, SUSPECT), at(7, SUSPECT)],
    [
      [7, 'suspect: it shrank'],
      [6, 'suspect: it shrank'],
      [5, 'suspect: it shrank'],
      [4, 'gone'],
      [3, LAST(1)],
      [2, LAST(2)],
      [1, 'gone'],
    ],
  ],
  [
    'a suspect one goes when a good one is newer',
    [at(1), at(2, SUSPECT), at(3)],
    [
      [3, LAST(1)],
      [2, 'gone'],
      [1, LAST(2)],
    ],
  ],
  [
    'a suspect one that is pinned stays',
    [at(1, { ...SUSPECT, ...PIN }), at(2)],
    [
      [2, LAST(1)],
      [1, 'pinned: audit'],
    ],
  ],
  [
    'partial ones are a series of their own',
    [at(1), at(2, PARTIAL), at(3, PARTIAL), at(4, PARTIAL), at(5)],
    [
      [5, LAST(1)],
      [4, `${LAST(1)}, among those without the table "logs"`],
      [3, `${LAST(2)}, among those without the table "logs"`],
      [2, 'gone'],
      [1, LAST(2)],
    ],
  ],
  [
    'a backup stays by the rules that it was made under',
    [at(1, { keep: { last: 4 } }), at(2, { keep: { last: 4 } }), at(3), at(4)],
    [
      [4, LAST(1)],
      [3, LAST(2)],
      [2, `${LAST(3, 4)}, by the rules it was made under`],
      [1, `${LAST(4, 4)}, by the rules it was made under`],
    ],
  ],
])('%s', async (_, manifests, expected) => {
  expect(await decided(placeOf(manifests))).toEqual(expected.map(([nth, why]) => [id(nth), why]));
});

test('keep-made-under: false: the rules of this run alone', async () => {
  const made = [1, 2, 3].map((nth) => at(nth, { keep: { last: 4 } }));
  const alone = await run({ 'keep-made-under': 'false' });
  expect((await decided(placeOf(made), {}, alone)).at(-1)).toEqual([id(1), 'gone']);
});

describe('what is no backup', () => {
  test('damaged ones stay, and count for nothing', async () => {
    const place = placeOf([at(1), at(2), at(3), at(4)]);
    place.files.set(at(4).file, { bytes: 7, text: '' });
    place.files.delete(at(3).file);
    expect(await decided(place)).toEqual([
      [id(4), expect.stringMatching(/^damaged: .* has 7 bytes, but the manifest says 4000$/)],
      [id(3), expect.stringMatching(/^damaged: .* is missing$/)],
      [id(2), LAST(1)],
      [id(1), LAST(2)],
    ]);
  });

  test('what has lost its manifest is swept when there is nothing in it, and is old', async () => {
    const place = placeOf([at(5)]);
    fill(place.files, at(1), ['manifest', 'payload']);
    place.files.set(`${at(1).file}.sha256`, { bytes: 100, text: '' });
    fill(place.files, at(2), ['manifest']);
    place.files.set(`${manifestOf(idAt('2026-03-20T11:00:00Z')).file}.sha256`, { bytes: 100, text: '' });
    expect(await decided(place)).toEqual([
      [id(5), LAST(1)],
      [id(1), 'gone'],
    ]);
    await carryOut(plain, await planRotation(plain, place));
    expect([...place.files.keys()]).not.toContain(`${at(1).file}.sha256`);
    expect([...place.files.keys()]).toContain(at(2).file);
  });

  test('those of another database, of another name and with a manifest that can not be read are not seen', async () => {
    const place = placeOf([
      ...[at(4), at(5), at(6)],
      at(3, { identity: { path: '/srv/other.db' } }),
      manifestOf(idAt(day(2), 'app-staging')),
    ]);
    place.files.set(manifestFile(id(1)), { bytes: 2, text: '{}' });
    expect((await decided(place)).map(([one]) => one)).toEqual([id(6), id(5), id(4)]);
  });
});

describe('the backup of this run', () => {
  const made = (change: Partial<Candidate> = {}) => candidateAt(day(19), change);
  const five = [at(1), at(2), at(3)];

  test('counts before it is there, and once when it is', async () => {
    const expected = [
      [id(19), LAST(1)],
      [id(3), LAST(2)],
      [id(2), 'gone'],
      [id(1), 'gone'],
    ];
    expect(await decided(placeOf(five), { made: made() })).toEqual(expected);
    expect(await decided(placeOf([...five, at(19)]), { made: made() })).toEqual(expected);
  });

  test('lets no good one go while it is suspect, whatever the rules say; other suspect ones go', async () => {
    const suspects = [15, 16, 17].map((nth) => at(nth, SUSPECT));
    const doubt = { suspect: true, verified: false, why: 'it shrank' };
    expect(await decided(placeOf([...five, ...suspects]), { made: made(doubt) })).toEqual([
      ...[19, 17, 16].map((nth) => [id(nth), 'suspect: it shrank']),
      [id(15), 'gone'],
      [id(3), LAST(1)],
      [id(2), LAST(2)],
      [id(1), 'the newest backup is suspect, so no good one is deleted'],
    ]);
  });

  test('what was adopted in this run stays', async () => {
    const kept = new Map([[id(1), 'it was adopted']]);
    expect(await decided(placeOf(five), { made: made(), kept })).toEqual([
      [id(19), LAST(1)],
      [id(3), LAST(2)],
      [id(2), 'gone'],
      [id(1), 'it was adopted'],
    ]);
  });
});

describe('a place that locks', () => {
  test('what is locked stays, and is no deletion that a limit refuses', async () => {
    const place = placeOf([at(1), at(2), at(3), at(4)], { last: 1 });
    place.locked.set(id(1), 'locked until 2027-01-01 00:00 UTC').set(id(2), 'under legal hold');
    const strict = await run({ 'max-delete': '1' });
    expect(await decided(place, {}, strict)).toEqual([
      [id(4), LAST(1, 1)],
      [id(3), 'gone'],
      [id(2), 'under legal hold'],
      [id(1), 'locked until 2027-01-01 00:00 UTC'],
    ]);
  });

  test('what turns out to be locked stays, and the plan says so', async () => {
    const place = placeOf([at(1), at(2), at(3)], { last: 1 }, 's3');
    place.lockedInSilence.add(id(2));
    const own = await run();
    const rotation = await planRotation(own, place);
    await carryOut(own, rotation);
    expect(rotation.retention.decisions.map(({ id, keep }) => [id, keep])).toEqual([
      [id(3), true],
      [id(2), true],
      [id(1), false],
    ]);
    expect(own.told).toContain(`keep s3://bucket/app/${id(2)}: locked, says the place`);
    expect([...place.files.keys()]).toEqual(expect.arrayContaining([at(2).file, manifestFile(id(2))]));
    expect([...place.files.keys()]).not.toContain(at(1).file);
  });
});

describe('a place of copies', () => {
  const here = { host: 'db.example.org', identity: { path: '/srv/app/app.db' } };
  const beside = async (...manifests: Manifest[]) => ({ host: await placeOf(manifests).catalogue(), here });

  test('those that another host made are kept, and do not count', async () => {
    const place = placeOf(
      [at(1), at(2), at(3, { host: 'staging-1' }), at(4, { host: 'staging-1' }), at(5)],
      { last: 1 },
      's3',
    );
    place.beside = await beside();
    expect(await decided(place)).toEqual([
      [id(5), LAST(1, 1)],
      [id(4), 'made on another host, staging-1'],
      [id(3), 'made on another host, staging-1'],
      [id(2), 'gone'],
      [id(1), 'gone'],
    ]);
  });

  test('one that is pinned on the host stays, and so does one of which that can not be known', async () => {
    const place = placeOf([at(1), at(2), at(3, PIN), at(4)], { last: 1 }, 's3');
    const host = placeOf([at(1, PIN), at(3)]);
    host.files.set(manifestFile(id(2)), { bytes: 2, text: '{}' });
    place.beside = { host: await host.catalogue(), here };
    expect(await decided(place)).toEqual([
      [id(4), LAST(1, 1)],
      [id(3), 'pinned: audit'],
      [id(2), 'pinned: perhaps: its manifest on the host cannot be read'],
      [id(1), 'pinned: audit'],
    ]);
  });

  test('has rules of its own; none leaves it to the bucket, and nobody asks what is there', async () => {
    const place = placeOf([at(1), at(2)], null, 's3');
    place.failure = new Error('it was asked');
    const own = await run();
    const rotation = await planRotation(own, place);
    expect(rotation).toMatchObject({ retention: { decisions: [], refusal: null }, remove: [] });
    await carryOut(own, rotation);
    expect(own.told).toEqual(["the bucket's lifecycle rotates the off-site copies (s3-keep: none)"]);
  });
});

describe('a plan that is refused deletes nothing', () => {
  const four = [at(1), at(2), at(3), at(4)];
  test.each<[string, Manifest[], KeepRules, Given, string | null]>([
    [
      'fewer than keep-minimum would remain',
      four,
      { last: 1 },
      { 'keep-minimum': '3' },
      'keep-minimum: 3 verified backups must remain, but the rules leave 1 of 4, not counting pinned and safety backups',
    ],
    ['exactly keep-minimum remain', four, { last: 3 }, { 'keep-minimum': '3' }, null],
    [
      'more than max-delete would go',
      four,
      { last: 1 },
      { 'max-delete': '2' },
      'max-delete: at most 2 deletions allowed, but the plan deletes 3 of 4 backups',
    ],
    ['exactly max-delete go', four, { last: 1 }, { 'max-delete': '3' }, null],
    [
      'more than half of many would go',
      Array.from({ length: 19 }, (_, nth) => at(nth + 1)),
      { last: 8 },
      {},
      'max-delete: at most 10 deletions allowed, but the plan deletes 11 of 19 backups',
    ],
    ['no rule is set', four, {}, {}, 'keep: no rule is set, so 4 of 4 backups would be deleted'],
    [
      'pinned and safety backups are no reserve',
      [at(1, PIN), at(2, SAFETY), at(3), at(4)],
      { last: 1 },
      { 'keep-minimum': '2' },
      'keep-minimum: 2 verified backups must remain, but the rules leave 1 of 2, not counting pinned and safety backups',
    ],
    [
      'a whole one is no reserve of the partial ones',
      [at(1, PARTIAL), at(2, PARTIAL), at(3), at(4)],
      { last: 1 },
      { 'keep-minimum': '2' },
      expect.stringContaining('the rules leave 1 of 2 without the table "logs"') as unknown as string,
    ],
    ['suspect ones may go without a good one', [1, 2, 3, 4].map((nth) => at(nth, SUSPECT)), { last: 1 }, {}, null],
  ])('%s', async (_, manifests, rules, inputs, refusal) => {
    const own = await run(inputs);
    for (const kind of ['host', 's3'] as const) {
      const place = placeOf(manifests, rules, kind);
      const before = [...place.files.keys()];
      const rotation = await planRotation(own, place);
      const objection = objectionTo(rotation);
      expect(rotation.retention.refusal).toEqual(refusal);
      if (objection === null) continue;
      expect(objection).toMatchObject({ code: 'E_POLICY', message: refusalOf(rotation) });
      expect(objection.message.startsWith('in s3://bucket/app/: ')).toBe(kind === 's3');
      expect(objection.hint).toContain(`Check the plan`);
      expect(objection.hint).toContain(kind === 's3' ? '`s3-keep`' : '`keep`');
      await carryOut(own, rotation);
      expect([...place.files.keys()]).toEqual(before);
    }
  });
});

test.each([
  ['host' as const, ''],
  ['s3' as const, 's3://bucket/app/'],
])('the plan is told: %s', async (kind, where) => {
  const own = await run();
  const rotation = await planRotation(own, placeOf([at(1), at(2)], { last: 1 }, kind));
  own.report.s3 = { uri: '', backups: 0, backupsBytes: 0, retention: [], deleted: 0, hidden: false };
  tellRotation(own, rotation, false);
  tellRotation(own, rotation, true);
  expect(own.told).toEqual([
    `keep ${where}${id(2)}: last 1 of 1`,
    `delete ${where}${id(1)}: no rule keeps it`,
    `would keep ${where}${id(2)}: last 1 of 1`,
    `would delete ${where}${id(1)}: no rule keeps it`,
  ]);
  const [there, elsewhere] = kind === 'host' ? [own.report, own.report.s3] : [own.report.s3, own.report];
  expect([there.retention.length, elsewhere.retention.length]).toEqual([2, 0]);
});

test('what could not be deleted ends it in E_ROTATE', async () => {
  const place = placeOf([at(1), at(2), at(3)], { last: 1 });
  place.stuck.add(manifestFile(id(2)));
  const rotation = await planRotation(plain, place);
  await expect(carryOut(plain, rotation)).rejects.toMatchObject({
    code: 'E_ROTATE',
    message: `something could not be deleted: ${manifestFile(id(2))} is stuck`,
    hint: 'Pull harder. `prune` tries again.',
  });
});

test('that the run was cancelled is another story: what it did not delete is a side note', async () => {
  const place = placeOf([at(1), at(2)], { last: 1 });
  const own = await run();
  const reason = new Error('cancelled');
  place.remove = async () => ({ deleted: [], held: [], failure: { what: 'one was left', error: reason, todo: '' } });
  const rotation = await planRotation(own, place);
  await expect(carryOut(own, rotation)).rejects.toBe(reason);
  expect(own.report.problems).toEqual([{ level: 'warning', message: 'one was left' }]);
});

describe('safety backups', () => {
  const OURS: Partial<Manifest> = {
    ...SAFETY,
    pinned: { reason: 'safety backup before the restore of app-1', at: day(1), by: 'restore' },
  };
  const gone = async (...manifests: Manifest[]) =>
    outlived((await placeOf(manifests).catalogue()).backups).map((one) => one.id);

  test.each<[string, Manifest[], number[]]>([
    ['none is there', [], []],
    ['two stay, since with the new one that is three', [at(1, OURS), at(2, OURS)], []],
    ['the older ones go', [at(1, OURS), at(2, OURS), at(3, OURS), at(4, OURS)], [2, 1]],
    ['one that was unpinned goes as well', [at(1, SAFETY), at(2, OURS), at(3, OURS)], [1]],
    [
      'one that somebody pinned stays, and counts for nothing',
      [at(1, OURS), at(2, OURS), at(3, { ...OURS, ...PIN })],
      [],
    ],
    ['others are no safety backups', [at(1), at(2), at(3, OURS), at(4, PIN), at(5, OURS)], []],
  ])('beyond the last three: %s', async (_, manifests, expected) => {
    expect(await gone(...manifests)).toEqual(expected.map(id));
  });
});
