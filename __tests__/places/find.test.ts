import { beforeAll, describe, expect, test } from '@jest/globals';
import { type Manifest, serializeManifest } from '../../src/backups/manifest.js';
import { manifestFile } from '../../src/backups/names.js';
import { BackupError } from '../../src/errors.js';
import { type Asked, checkAge } from '../../src/places/choice.js';
import { everywhere, find, named } from '../../src/places/find.js';
import { idAt, manifestOf } from '../backups/sample-backups.js';
import type { Given } from '../settings/given-inputs.js';
import { type Files, fill, MemoryPlace } from './memory-place.js';
import { runForTests, type ToldRun } from './run-for-tests.js';

// Which backup is meant, and where it is taken from.

const NOW = new Date('2026-03-20T12:00:00Z');
/** Of March. */
const day = (at: number): string => `2026-03-${String(at).padStart(2, '0')}T10:00:00Z`;
const id = (at: number): string => idAt(day(at));
const at = (date: number, change: Partial<Manifest> = {}): Manifest => manifestOf(id(date), change);

const SUSPECT: Partial<Manifest> = { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'it shrank' } };
const PARTIAL: Partial<Manifest> = { coverage: { excludeTable: ['logs'], excludeTableData: [], schema: [] } };
const UNPROVEN: Partial<Manifest> = { verified: { level: 'none', at: day(1) } };
const SAFETY: Partial<Manifest> = { reason: 'safety' };
const DAMAGED_COPY: Partial<Manifest> = {
  ...{ kind: 'tar', file: '', content: null, tools: {}, recovery: [] },
  verified: { level: 'none', at: day(1) },
};
const OTHER: Partial<Manifest> = { identity: { path: '/srv/other.db' } };
/** By a deploy of that commit. */
const by = (sha: string, change: Partial<Manifest> = {}): Partial<Manifest> => ({
  ...change,
  github: { ...manifestOf(id(1)).github, sha } as NonNullable<Manifest['github']>,
});

type Damage = (files: Files, manifest: Manifest) => void;
const torn: Damage = (files, { file }) => void files.set(file, { bytes: 7, text: '' });
const unread: Damage = (files, manifest) => void files.set(manifestFile(manifest.id), { bytes: 2, text: '{}' });
const lost: Damage = (files, manifest) => void files.delete(manifestFile(manifest.id));

/** Backups of which some are damaged after they were made. */
type Filling = (Manifest | [Manifest, Damage])[];

function placeOf(filling: Filling, kind: 'host' | 's3' = 'host'): MemoryPlace {
  const place = new MemoryPlace(new Map(), NOW, kind);
  for (const one of filling) {
    const [manifest, damage] = Array.isArray(one) ? one : [one, null];
    fill(place.files, manifest);
    damage?.(place.files, manifest);
  }
  return place;
}

const run = (command: 'restore' | 'verify' | 'delete' | 'pin', inputs: Given = {}): Promise<ToldRun> =>
  runForTests({ command, ...(command === 'restore' ? { confirm: 'app.db' } : {}), ...inputs }, NOW);
let restoring: ToldRun;
let proving: ToldRun;
beforeAll(async () => {
  restoring = await run('restore');
  proving = await run('verify', { 'max-age': 'none' });
});

const LATEST: Asked = { by: 'latest' };
const NEWEST: Asked = { by: 'newest' };
const deploy = (sha: string): Asked => ({ by: 'deploy', sha });
const byId = (nth: number): Asked => ({ by: 'id', id: id(nth) });
const toProve = (nth: number): Asked => ({ by: 'id', id: id(nth), toProve: true });

/** `host 3` or `s3 3`, for the one of that day; the code when there is none. */
async function found(asked: Asked, host: MemoryPlace, store: MemoryPlace | null = null): Promise<string> {
  const of = ['newest'].includes(asked.by) || ('toProve' in asked && asked.toProve) ? proving : restoring;
  try {
    const { backup, spare } = await find(of, asked, host, store);
    return `${spare === null ? 'host' : 's3'} ${backup.createdAt.getUTCDate()}`;
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    return error.code;
  }
}

describe('on the host alone', () => {
  test.each<[string, Asked, Filling, string]>([
    ['latest: the newest', LATEST, [at(1), at(2)], 'host 2'],
    ['latest: none', LATEST, [], 'E_NOT_FOUND'],
    ['latest: not a suspect one', LATEST, [at(1), at(2, SUSPECT)], 'host 1'],
    ['latest: no suspect one, where there is no other', LATEST, [at(2, SUSPECT)], 'E_NOT_FOUND'],
    ['latest: not one that was never verified', LATEST, [at(1), at(2, UNPROVEN)], 'host 1'],
    ['latest: not a partial one', LATEST, [at(1), at(2, PARTIAL)], 'host 1'],
    ['latest: no partial one, where there is no other', LATEST, [at(2, PARTIAL)], 'E_NOT_FOUND'],
    ['latest: not a safety backup', LATEST, [at(1), at(2, SAFETY)], 'host 1'],
    ['latest: not one from the future', LATEST, [at(1), at(25)], 'host 1'],
    ['latest: not one of another database', LATEST, [at(1), at(2, OTHER)], 'host 1'],
    ['latest: not one that is damaged', LATEST, [at(1), [at(2), torn]], 'host 1'],
    ['latest: not one without a manifest', LATEST, [at(1), [at(2), lost]], 'host 1'],

    ['a deploy: the one that it took', deploy('abc'), [at(1), at(2, by('abcdef')), at(3, by('123'))], 'host 2'],
    ['a deploy: the first of those', deploy('abc'), [at(2, by('abc1')), at(3, by('abc1'))], 'host 2'],
    [
      'a deploy: no safety backup, and none by night',
      deploy('abc'),
      [at(1, by('abc', SAFETY)), at(2, by('abc', { reason: 'scheduled' })), at(3, by('abc'))],
      'host 3',
    ],
    ['a deploy: no suspect one', deploy('abc'), [at(1, by('abc', SUSPECT)), at(2, by('abc'))], 'host 2'],
    ['a deploy: none', deploy('abc'), [at(1), at(2, by('def'))], 'E_NOT_FOUND'],
    ['a deploy: not by hand', deploy('abc'), [at(1, { github: null })], 'E_NOT_FOUND'],

    ['an id: that one', byId(1), [at(1), at(2)], 'host 1'],
    ['an id: also a suspect one', byId(2), [at(1), at(2, SUSPECT)], 'host 2'],
    ['an id: also a partial one', byId(2), [at(1), at(2, PARTIAL)], 'host 2'],
    ['an id: also a safety backup', byId(2), [at(1), at(2, SAFETY)], 'host 2'],
    ['an id: also one that was never verified', byId(2), [at(1), at(2, UNPROVEN)], 'host 2'],
    ['an id: of another database as well, for the caller to judge', byId(2), [at(1), at(2, OTHER)], 'host 2'],
    ['an id: none', byId(3), [at(1), at(2)], 'E_NOT_FOUND'],
    ['an id: one that is damaged', byId(2), [at(1), [at(2), torn]], 'E_CHECKSUM'],
    ['an id: one whose manifest is damaged', byId(2), [at(1), [at(2), unread]], 'E_MANIFEST'],
    ['an id: one without a manifest', byId(2), [at(1), [at(2), lost]], 'E_MANIFEST'],

    ['to prove: the newest', NEWEST, [at(1), at(2)], 'host 2'],
    ['to prove: none', NEWEST, [], 'E_STALE'],
    ['to prove: one that was never verified as well', NEWEST, [at(1), at(2, UNPROVEN)], 'host 2'],
    ['to prove: a safety backup as well', NEWEST, [at(1), at(2, SAFETY)], 'host 2'],
    ['to prove: one that is damaged as well, which shows', NEWEST, [at(1), [at(2), torn]], 'host 2'],
    ['to prove: not past one that can not be read', NEWEST, [at(1), [at(2), unread]], 'E_MANIFEST'],
    ['to prove: not past one without a manifest', NEWEST, [at(1), [at(2), lost]], 'E_MANIFEST'],
    ['to prove: what can not be read and is older does not matter', NEWEST, [[at(1), unread], at(2)], 'host 2'],
    ['to prove: not a suspect one', NEWEST, [at(1), at(2, SUSPECT)], 'host 1'],
    ['to prove: no suspect one, where there is no other', NEWEST, [at(2, SUSPECT)], 'E_STALE'],
    ['to prove: not a partial one', NEWEST, [at(1), at(2, PARTIAL)], 'host 1'],
    ['to prove: a partial one, where there is no other', NEWEST, [at(2, PARTIAL)], 'host 2'],
    ['to prove: not one from the future', NEWEST, [at(1), at(25)], 'host 1'],
    ['to prove, by its id: that one', toProve(1), [at(1), at(2)], 'host 1'],
    ['to prove, by its id: a suspect one', toProve(2), [at(1), at(2, SUSPECT)], 'host 2'],
    ['to prove, by its id: one that is damaged', toProve(2), [at(1), [at(2), torn]], 'host 2'],
    ['to prove, by its id: one whose manifest is damaged', toProve(2), [at(1), [at(2), unread]], 'E_MANIFEST'],
    ['to prove, by its id: not one of another database', toProve(2), [at(1), at(2, OTHER)], 'E_NOT_FOUND'],
    ['to prove, by its id: none', toProve(3), [at(1)], 'E_NOT_FOUND'],
  ])('%s', async (_, asked, filling, expected) => {
    expect(await found(asked, placeOf(filling))).toBe(expected);
  });

  test('the files of a damaged database are no backup to be proven', async () => {
    const copy = at(2, DAMAGED_COPY);
    copy.file = `${copy.id}.tar.zst`;
    expect(await found(NEWEST, placeOf([at(1), copy]))).toBe('host 1');
    expect(await found(LATEST, placeOf([copy]))).toBe('E_NOT_FOUND');
  });

  test('one of another name is found by its id', async () => {
    const staging = manifestOf(idAt(day(2), 'staging'), OTHER);
    const asked: Asked = { by: 'id', id: staging.id };
    expect(await found(asked, placeOf([at(1), staging]))).toBe('host 2');
    expect(await found({ ...asked, toProve: true }, placeOf([at(1), staging]))).toBe('E_NOT_FOUND');
  });
});

describe('with a store beside it', () => {
  test.each<[string, Asked, Filling, Filling, string]>([
    ['what the host has is not asked for there', LATEST, [at(2)], [at(3)], 'host 2'],
    ['latest: that of the store, where the host has none', LATEST, [], [at(1), at(2)], 's3 2'],
    ['latest: no suspect or partial one of the store', LATEST, [], [at(1), at(2, SUSPECT), at(3, PARTIAL)], 's3 1'],
    ['latest: no safety backup of the store', LATEST, [], [at(1), at(2, SAFETY)], 's3 1'],
    ['latest: a newer one that is damaged is taken from there', LATEST, [at(1), [at(2), torn]], [at(2)], 's3 2'],
    ['latest: a newer one without a manifest as well', LATEST, [at(1), [at(2), lost]], [at(2)], 's3 2'],
    ['latest: one that is older than the newest does not matter', LATEST, [[at(1), torn], at(2)], [at(1)], 'host 2'],
    ['latest: what it has lost, and the store has not', LATEST, [at(1), [at(2), torn]], [at(3)], 'host 1'],
    ['latest: what it has lost is damaged there as well', LATEST, [at(1), [at(2), torn]], [[at(2), torn]], 'host 1'],
    ['latest: what it has lost turns out to be suspect', LATEST, [at(1), [at(2), lost]], [at(2, SUSPECT)], 'host 1'],
    ['latest: nowhere', LATEST, [[at(2), torn]], [], 'E_NOT_FOUND'],
    [
      'latest: of two that are lost the one that is there',
      LATEST,
      [
        [at(2), torn],
        [at(3), lost],
      ],
      [at(2)],
      's3 2',
    ],

    ['a deploy: that of the store', deploy('abc'), [at(3)], [at(1, by('abc')), at(2, by('abc'))], 's3 1'],
    [
      'a deploy: an older one that the host has lost',
      deploy('abc'),
      [[at(1, by('abc')), torn], at(2, by('abc'))],
      [at(1, by('abc'))],
      's3 1',
    ],
    [
      'a deploy: what was lost is of another',
      deploy('abc'),
      [[at(1, by('def')), torn], at(2, by('abc'))],
      [at(1, by('def'))],
      'host 2',
    ],

    ['an id: where the host does not have it', byId(1), [at(2)], [at(1), at(2)], 's3 1'],
    ['an id: where it is damaged', byId(1), [[at(1), torn], at(2)], [at(1)], 's3 1'],
    ['an id: a suspect one', byId(1), [], [at(1, SUSPECT)], 's3 1'],
    ['an id: no other will do', byId(1), [at(2)], [at(3)], 'E_NOT_FOUND'],
    ['an id: damaged in both', byId(1), [[at(1), torn]], [[at(1), torn]], 'E_CHECKSUM'],
    ['an id: without a manifest on the host, and not there', byId(1), [[at(1), lost]], [], 'E_MANIFEST'],

    ['to prove: that of the store, where the host has none', NEWEST, [], [at(1), at(2)], 's3 2'],
    ['to prove: a whole one of the store', NEWEST, [], [at(1), at(2, PARTIAL), at(3, SUSPECT)], 's3 1'],
    ['to prove: a partial one of the store', NEWEST, [], [at(2, PARTIAL), at(3, SUSPECT)], 's3 2'],
    ['to prove: nowhere', NEWEST, [], [], 'E_STALE'],
    ['to prove: the newest, which is damaged', NEWEST, [at(1), [at(2), torn]], [at(2)], 's3 2'],
    ['to prove: the newest, damaged and not there, which shows', NEWEST, [at(1), [at(2), torn]], [at(3)], 'host 2'],
    ['to prove: the newest, without a manifest', NEWEST, [at(1), [at(2), lost]], [at(2)], 's3 2'],
    ['to prove: no other than the newest', NEWEST, [at(1), [at(2), lost]], [at(1), at(3)], 'E_MANIFEST'],
    ['to prove, by its id', toProve(1), [at(2)], [at(1)], 's3 1'],
    ['to prove, by its id, damaged', toProve(1), [[at(1), torn]], [at(1)], 's3 1'],
    ['to prove, by its id: no other will do', toProve(1), [at(2)], [at(3)], 'E_NOT_FOUND'],
  ])('%s', async (_, asked, host, store, expected) => {
    expect(await found(asked, placeOf(host), placeOf(store, 's3'))).toBe(expected);
  });

  test('that it is taken from there is told', async () => {
    const own = await run('restore');
    await find(own, LATEST, placeOf([at(1), [at(2), torn]]), placeOf([at(2)], 's3'));
    expect(own.told).toEqual([
      `${id(2)} in /srv/backups is damaged or without a manifest: ${id(2)}, made on db.example.org, is used from s3://bucket/app/${at(2).file} instead`,
    ]);
  });

  describe('that can not be asked', () => {
    const broken = (): MemoryPlace => {
      const place = placeOf([at(1)], 's3');
      place.failure = new BackupError('E_S3_AUTH', 'listing s3://bucket/app/ failed', 'Allow it.');
      return place;
    };

    test('what the host has is taken, and that is told', async () => {
      const own = await run('restore');
      const { backup } = await find(own, LATEST, placeOf([at(1), [at(2), torn]]), broken());
      expect(backup.id).toBe(id(1));
      expect(own.told).toEqual([
        `${id(2)} in /srv/backups is damaged or without a manifest; could not check if the store has it: listing s3://bucket/app/ failed`,
      ]);
    });

    test.each([
      [LATEST, 'E_S3_AUTH', 'there is no verified backup of app in /srv/backups'],
      [byId(3), 'E_S3_AUTH', `there is no backup ${id(3)} of /srv/app/app.db in /srv/backups`],
      [NEWEST, 'E_STALE', 'there is no backup of app in /srv/backups'],
      [toProve(3), 'E_NOT_FOUND', `there is no backup ${id(3)} of /srv/app/app.db in /srv/backups`],
    ])('where the host has nothing both are told: %j', async (asked, code, message) => {
      const said = `${message}; the store could not help: listing s3://bucket/app/ failed`;
      const own = asked.by === 'newest' ? proving : restoring;
      await expect(find(own, asked, placeOf([]), broken())).rejects.toMatchObject({ code, message: said });
    });

    test('it is not asked where nothing is lost that could be meant', async () => {
      const own = await run('restore');
      const { backup } = await find(own, LATEST, placeOf([[at(1), torn], at(2)]), broken());
      expect([backup.id, own.told]).toEqual([id(2), []]);
    });

    test('what is no failure of the store is thrown as it is', async () => {
      const place = placeOf([], 's3');
      place.failure = new BackupError('E_CANCELLED', 'the run was cancelled');
      await expect(find(restoring, LATEST, placeOf([]), place)).rejects.toBe(place.failure);
      await expect(find(restoring, LATEST, placeOf([at(1), [at(2), torn]]), place)).rejects.toBe(place.failure);
    });
  });
});

describe('what is said when there is none', () => {
  test.each<[string, Asked, Filling, Filling | null, string, string]>([
    [
      'of that id',
      byId(9),
      [at(1), at(2), at(3), at(4), at(5), at(6)],
      null,
      `there is no backup ${id(9)} of /srv/app/app.db in /srv/backups`,
      `The newest are ${[6, 5, 4, 3, 2].map(id).join(', ')}; \`command: list\` shows them all.`,
    ],
    [
      'of that id in either place',
      byId(9),
      [],
      [at(1)],
      `there is no backup ${id(9)} of /srv/app/app.db in /srv/backups, nor in s3://bucket/app/`,
      `The newest is ${id(1)}; \`command: list\` shows them all.`,
    ],
    [
      'where there is nothing',
      byId(9),
      [],
      [],
      `there is no backup ${id(9)} of /srv/app/app.db in /srv/backups, nor in s3://bucket/app/`,
      'There are no backups at all; `command: list` shows them all.',
    ],
    [
      'where those of this name are of another database',
      LATEST,
      [],
      [at(1, OTHER)],
      'there is no verified backup of app in /srv/backups, nor in s3://bucket/app/',
      'None of what is there can be used for this database; `command: list` says why.',
    ],
    [
      'that is good',
      LATEST,
      [at(1, PARTIAL), at(2, SUSPECT)],
      [],
      'there is no verified backup of app in /srv/backups, nor in s3://bucket/app/',
      `${id(1)} is partial, and is restored only if you give its id. ${id(2)} is suspect: if it is right, accept it with \`command: accept\`. The newest are ${id(2)}, ${id(1)}; \`command: list\` shows them all.`,
    ],
    [
      'of that deploy',
      deploy('abc'),
      [at(1)],
      null,
      'no deploy of the commit abc took a verified backup of app',
      `The newest is ${id(1)}; \`command: list\` shows them all.`,
    ],
    [
      'that is whole',
      byId(1),
      [[at(1), torn]],
      [],
      `${id(1)} is damaged: ${at(1).file} has 7 bytes, but the manifest says 4000, nor in s3://bucket/app/`,
      'Choose another backup: `command: list` shows them.',
    ],
  ])('%s', async (_, asked, host, store, message, hint) => {
    const finding = find(restoring, asked, placeOf(host), store === null ? null : placeOf(store, 's3'));
    await expect(finding).rejects.toMatchObject({ message, hint });
  });
});

test.each<[string[], string[], string]>([
  [['shop'], [], 'The directory has backups named shop: set `name: shop`.'],
  [
    ['a', 'b', 'c', 'd', 'e', 'f'],
    ['shop'],
    'The directory has backups named a, b, c, d, e: set `name` to the one that you mean. The bucket has backups named shop: set `name: shop`.',
  ],
])('where only other names are, they are told: %j, %j', async (host, store, hint) => {
  const places = [placeOf([]), placeOf([], 's3')] as const;
  for (const [at, names] of [host, store].entries()) Object.assign(places[at] ?? {}, { names });
  for (const asked of [LATEST, byId(9), deploy('abc')]) {
    await expect(find(restoring, asked, ...places)).rejects.toMatchObject({ code: 'E_NOT_FOUND', hint });
  }
  await expect(named(await run('pin', { backup: id(9), pin: 'why' }), places[0])).rejects.toMatchObject({
    hint: expect.stringContaining(`The directory has backups named ${host[0]}`),
  });
});

test.each<[string, number, string | null]>([
  ['max-age none', 1, null],
  ['20d', 1, null],
  ['18d', 1, 'the newest backup of app is 464 h; max-age is'],
])('the newest has to be young enough: %s', async (given, nth, message) => {
  const own = await run('verify', { 'max-age': given.replace('max-age ', '') });
  const checking = () => checkAge(own, new Date(day(nth)));
  if (message === null) expect(checking).not.toThrow();
  else expect(checking).toThrow(expect.objectContaining({ code: 'E_STALE' }));
});

describe('to be deleted or pinned', () => {
  const places = (host: Filling, store: Filling | null) => [
    placeOf(host),
    ...(store === null ? [] : [placeOf(store, 's3')]),
  ];
  test.each<[string, Filling, Filling | null, string]>([
    ['on the host', [at(1), at(2)], null, 'host'],
    ['in both', [at(1)], [at(1), at(2)], 'host s3'],
    ['in the store alone', [at(2)], [at(1)], 's3'],
    ['what has lost its manifest', [[at(1), lost], at(2)], null, 'host orphan'],
    ['what has lost its manifest in both', [[at(1), lost]], [[at(1), lost]], 'host orphan s3 orphan'],
    ['a backup, not what has lost its manifest elsewhere', [[at(1), lost]], [at(1)], 's3'],
    ['one that is damaged', [[at(1), torn]], null, 'host'],
    ['none', [at(2)], [at(2)], 'E_NOT_FOUND'],
    ['none of another database', [at(1, OTHER)], null, 'E_NOT_FOUND'],
    ['none whose manifest can not be read', [[at(1), unread]], null, 'E_NOT_FOUND'],
  ])('%s', async (_, host, store, expected) => {
    const deleting = await run('delete', { backup: id(1) });
    const all = await everywhere(deleting, id(1), places(host, store)).then(
      ({ backups, orphans }) =>
        [...backups.map(({ place }) => place.kind), ...orphans.map(({ place }) => `${place.kind} orphan`)].join(' '),
      (error: BackupError) => error.code,
    );
    expect(all).toBe(expected);
  });

  test('what there is not is told with what there is, each once', async () => {
    const pinning = await run('pin', { backup: id(9), pin: 'audit' });
    const there = places([at(1), at(2)], [at(2), at(3)]);
    await expect(everywhere(pinning, id(9), there)).rejects.toMatchObject({
      message: `there is no backup ${id(9)} of /srv/app/app.db in /srv/backups and s3://bucket/app/`,
      hint: `The newest are ${[3, 2, 1].map(id).join(', ')}; \`command: list\` shows them all.`,
    });
    for (const place of there.slice(0, 1)) {
      await expect(named(pinning, place)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    }
    const own = await run('pin', { backup: id(1), pin: 'audit' });
    expect(await named(own, placeOf([at(1)]))).toMatchObject({ id: id(1) });
  });
});

test('the samples are manifests', () => {
  for (const manifest of [at(1, SUSPECT), at(1, PARTIAL), at(1, by('abc'))]) {
    expect(() => serializeManifest(manifest)).not.toThrow();
  }
});
