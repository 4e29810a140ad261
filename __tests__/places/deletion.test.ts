import { describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { manifestFile } from '../../src/backups/names.js';
import { deleteOne, objectionToDeleting } from '../../src/places/deletion.js';
import { everywhere } from '../../src/places/find.js';
import { idAt, manifestOf } from '../backups/sample-backups.js';
import type { Given } from '../settings/given-inputs.js';
import { fill, MemoryPlace } from './memory-place.js';
import { runForTests } from './run-for-tests.js';

// What one backup is deleted for, and what keeps it. The one of the first of March is meant.

const NOW = new Date('2026-03-20T12:00:00Z');
const id = (at: number): string => idAt(`2026-03-${String(at).padStart(2, '0')}T10:00:00Z`);
const at = (date: number, change: Partial<Manifest> = {}): Manifest => manifestOf(id(date), change);

const SUSPECT: Partial<Manifest> = { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'it shrank' } };
const PARTIAL: Partial<Manifest> = { coverage: { excludeTable: ['logs'], excludeTableData: [], schema: [] } };
const PIN: Partial<Manifest> = { pinned: { reason: 'audit', at: '2026-03-01T10:00:00Z' } };
const UNPROVEN: Partial<Manifest> = { verified: { level: 'none', at: '2026-03-01T10:00:00Z' } };

function placeOf(manifests: readonly Manifest[], kind: 'host' | 's3' = 'host'): MemoryPlace {
  const place = new MemoryPlace(new Map(), NOW, kind);
  for (const manifest of manifests) fill(place.files, manifest);
  return place;
}

const deleting = (inputs: Given = {}) => runForTests({ command: 'delete', backup: id(1), ...inputs }, NOW);

describe('may it go', () => {
  const [HOST, STORE] = ['', ' in s3://bucket/app/'];
  test.each<[string, Manifest[], Manifest[], Given, string | null]>([
    ['one of two', [at(1), at(2)], [], {}, null],
    ['the last one', [at(1)], [], {}, `${id(1)} is the last verified backup${HOST}`],
    [
      'one that keep-minimum asks for',
      [at(1), at(2), at(3)],
      [],
      { 'keep-minimum': '3' },
      `deleting ${id(1)} would leave 2 verified backups${HOST}, fewer than keep-minimum (3)`,
    ],
    ['one more than keep-minimum asks for', [at(1), at(2), at(3)], [], { 'keep-minimum': '2' }, null],
    ['the last one beside others that do not count', [at(1), at(2, UNPROVEN), at(3, SUSPECT)], [], {}, 'is the last'],
    ['one that does not count itself', [at(1, UNPROVEN)], [], {}, null],
    ['a suspect one', [at(1, SUSPECT), at(2)], [], { 'keep-minimum': '5' }, null],
    ['a whole one beside partial ones', [at(1), at(2, PARTIAL)], [], {}, 'is the last verified backup'],
    ['a partial one beside a whole one', [at(1, PARTIAL), at(2)], [], {}, null],
    ['the last one, which is partial', [at(1, PARTIAL)], [], {}, 'is the last verified backup'],
    ['a pinned one', [at(1, PIN), at(2)], [], {}, `${id(1)} is pinned: audit`],
    ['in both places', [at(1), at(2)], [at(1), at(2)], {}, null],
    ['the last one in the store', [at(1), at(2)], [at(1)], {}, `${id(1)} is the last verified backup${STORE}`],
    ['the last one on the host', [at(1)], [at(1), at(2)], {}, `${id(1)} is the last verified backup`],
    ['in the store alone', [], [at(1), at(2)], {}, null],
    ['the last one, in the store alone', [at(3)], [at(1)], {}, `is the last verified backup${STORE}`],
    ['pinned on the host, and not in the copy', [at(1, PIN), at(2)], [at(1), at(2)], {}, 'is pinned: audit'],
    ['pinned in the copy alone, so unpinned since', [at(1), at(2)], [at(1, PIN), at(2)], {}, null],
    ['pinned, in the store alone', [], [at(1, PIN), at(2)], {}, 'is pinned: audit'],
  ])('%s', async (_, onHost, inStore, inputs, message) => {
    const run = await deleting(inputs);
    const { backups } = await everywhere(run, id(1), [placeOf(onHost), placeOf(inStore, 's3')]);
    const objection = await objectionToDeleting(run, backups);
    if (message === null) expect(objection).toBeNull();
    else {
      expect(objection).toMatchObject({ code: 'E_POLICY', message: expect.stringContaining(message) });
    }
  });

  test('what another host made counts for nothing, and may go', async () => {
    const run = await deleting();
    const store = placeOf([at(1, { host: 'staging-1' }), at(2)], 's3');
    const host = await placeOf([]).catalogue();
    store.beside = { host, here: { host: 'db.example.org', identity: { path: '/srv/app/app.db' } } };
    const objectionTo = async (nth: number) => {
      const { backups } = await everywhere(run, id(nth), [store]);
      return (await objectionToDeleting(run, backups))?.message ?? null;
    };
    expect(await objectionTo(1)).toBeNull();
    expect(await objectionTo(2)).toBe(`${id(2)} is the last verified backup in s3://bucket/app/`);
  });

  test('what is locked stays', async () => {
    const run = await deleting();
    const [host, store] = [placeOf([at(1), at(2)]), placeOf([at(1), at(2)], 's3')];
    store.locked.set(id(1), 'under legal hold');
    const { backups } = await everywhere(run, id(1), [host, store]);
    expect(await objectionToDeleting(run, backups)).toMatchObject({
      ...{ code: 'E_POLICY', message: `${id(1)} is under legal hold in s3://bucket/app/` },
      hint: 'Run again after that has ended.',
    });
  });
});

describe('it goes', () => {
  const unit = { id: id(1), files: [manifestFile(id(1)), at(1).file] };
  const what = `the copy of ${id(1)} in s3://bucket/app/ could not be deleted`;

  test('whole, and alone', async () => {
    const place = placeOf([at(1), at(2)], 's3');
    await deleteOne(await deleting(), place, unit);
    const names = [...place.files.keys()];
    expect(names).not.toContain(manifestFile(id(1)));
    expect(names).not.toContain(at(1).file);
    expect(names).toContain(at(2).file);
  });

  test.each([
    [manifestFile(id(1)), 'Pull harder. Run again.'],
    [
      at(1).file,
      'Pull harder. Only part of it is left there, and that is no longer a backup. Run again to delete the rest.',
    ],
  ])('not where %s is stuck', async (file, hint) => {
    const place = placeOf([at(1), at(2)], 's3');
    place.stuck.add(file);
    await expect(deleteOne(await deleting(), place, unit)).rejects.toMatchObject({
      ...{ code: 'E_ROTATE', message: `${what}: ${file} is stuck` },
      hint,
    });
  });

  test('not where it turns out to be locked', async () => {
    const place = placeOf([at(1), at(2)], 's3');
    place.lockedInSilence.add(id(1));
    const message = `${what}: it is locked, says the place`;
    await expect(deleteOne(await deleting(), place, unit)).rejects.toMatchObject({ code: 'E_ROTATE', message });
    expect([...place.files.keys()]).toContain(manifestFile(id(1)));
  });
});
