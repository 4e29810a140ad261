import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Manifest, serializeManifest } from '../../src/backups/manifest.js';
import { checksumFile, manifestFile } from '../../src/backups/names.js';
import { SigningKeys } from '../../src/backups/signature.js';
import { HostPlace } from '../../src/places/host.js';
import type { Place } from '../../src/places/place.js';
import { withStorePlace } from '../../src/places/with-store.js';
import { inSession } from '../../src/run/connect.js';
import type { Run } from '../../src/run/run.js';
import { idAt, manifestOf } from '../backups/sample-backups.js';
import { TOLD } from '../helpers/invariants.js';
import { type S3Double, startS3Double } from '../helpers/s3-double.js';
import { shellHost } from '../helpers/shell-host.js';
import { unmount } from '../helpers/unmount.js';
import type { Given } from '../settings/given-inputs.js';
import { type Files, MemoryPlace } from './memory-place.js';
import { runForTests } from './run-for-tests.js';

// What every place does, and a new kind of place has to do: the same sentences for the directory on the host, for an object store, and for
// the one in memory that the unit tests of find and rotate stand on.

interface Kind {
  start(): Promise<void>;
  stop(): Promise<void>;
  clear(): void;
  put(name: string, bytes: string): void;
  names(): string[];
  /** Opens it, which reads it anew; with `inputs` of the run besides. */
  open<T>(work: (place: Place) => Promise<T>, inputs?: Given): Promise<T>;
  /** While `work` runs, this file can not be deleted. */
  stuck<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** From now on this backup must not be deleted; null where nothing is ever locked. */
  lock: ((manifest: Manifest) => void) | null;
  /** A checksum file belongs to each payload. */
  hasChecksums: boolean;
}

/** Hands the directory to `work`, in a session of a shell of its own. */
async function onHost<T>(run: Run, work: (place: HostPlace) => Promise<T>): Promise<T> {
  const shell = shellHost(['dash']);
  try {
    return await inSession(run, shell, async (connection) => work(await HostPlace.open(run, connection, 'change')));
  } finally {
    shell.remove();
  }
}

function host(): Kind {
  let directory = '';
  const path = (name: string) => join(directory, name);
  return {
    hasChecksums: true,
    lock: null,
    start: async () => {
      directory = mkdtempSync(join(tmpdir(), 'dbb-place-'));
    },
    stop: async () => rmSync(directory, { recursive: true }),
    clear: () => {
      for (const name of readdirSync(directory)) rmSync(path(name), { recursive: true });
    },
    put: (name, bytes) => writeFileSync(path(name), bytes, { mode: 0o600 }),
    names: () => readdirSync(directory).filter((name) => !TOLD.includes(name)),
    open: async (work, inputs = {}) => onHost(await runForTests({ ...inputs, directory }), work),
    stuck: async (name, work) => {
      // while it is mounted on itself, no process here can delete it
      execFileSync('mount', ['--bind', path(name), path(name)]);
      return work().finally(() => unmount(path(name)));
    },
  };
}

function store(): Kind {
  let s3: S3Double;
  let directory = '';
  const put = (name: string, bytes: string, headers: Record<string, string> = {}) => {
    const body = Buffer.from(bytes);
    s3.bucket.put(`prod/app/${name}`, { body, bytes: body.length, md5: '' }, 'etag', headers);
  };
  const content = (name: string) => s3.bucket.need(`prod/app/${name}`, null).body.toString();
  return {
    hasChecksums: false,
    lock: ({ id, file }) => {
      const until = {
        'x-amz-object-lock-mode': 'COMPLIANCE',
        'x-amz-object-lock-retain-until-date': '2100-01-01T00:00:00Z',
      };
      for (const name of [manifestFile(id), file]) put(name, content(name), until);
    },
    start: async () => {
      s3 = await startS3Double({ page: 3 });
      directory = mkdtempSync(join(tmpdir(), 'dbb-place-'));
    },
    stop: async () => {
      await s3.stop();
      rmSync(directory, { recursive: true });
    },
    clear: () => s3.clear(),
    put: (name, bytes) => put(name, bytes),
    names: () => s3.keys().map((key) => key.slice('prod/app/'.length)),
    open: async (work, inputs = {}) => {
      const run = await runForTests({ ...inputs, ...s3.inputs, 's3-prefix': 'prod', directory });
      return onHost(run, (beside) =>
        withStorePlace(run, beside, (place) => {
          if (place === null) throw new Error('there is no store');
          return work(place);
        }),
      );
    },
    stuck: async (name, work) => {
      s3.fail(({ method, key }) => method === 'DELETE' && key.endsWith(name), { status: 403, code: 'AccessDenied' });
      return work().finally(() => s3.heal());
    },
  };
}

function memory(): Kind {
  const files: Files = new Map();
  const locked: string[] = [];
  let isStuck = '';
  return {
    hasChecksums: true,
    lock: ({ id }) => void locked.push(id),
    start: async () => {},
    stop: async () => {},
    clear: () => {
      files.clear();
      locked.splice(0);
    },
    put: (name, text) => void files.set(name, { bytes: text.length, text }),
    names: () => [...files.keys()],
    open: (work, inputs = {}) => {
      const place = new MemoryPlace(files, new Date());
      if (inputs['signing-key']) place.keys = new SigningKeys([inputs['signing-key']]);
      for (const id of locked) place.locked.set(id, 'locked until 2100-01-01 00:00 UTC');
      if (isStuck !== '') place.stuck.add(isStuck);
      return work(place);
    },
    stuck: (name, work) => {
      isStuck = name;
      return work().finally(() => {
        isStuck = '';
      });
    },
  };
}

describe.each([
  ['the directory on the host', host()],
  ['an object store', store()],
  ['the place in memory', memory()],
])('%s', (_name, kind) => {
  beforeAll(() => kind.start());
  beforeEach(() => kind.clear());
  afterAll(() => kind.stop());

  /** Of this host, with bytes that are as many as it says. */
  const backup = (time: string, change: Partial<Manifest> = {}): Manifest => {
    const id = idAt(time, change.name ?? 'app');
    const manifest = manifestOf(id, { host: hostname(), bytes: 20, ...change });
    kind.put(manifest.file, 'x'.repeat(20));
    if (kind.hasChecksums) kind.put(checksumFile(manifest.file), `${manifest.sha256}  ${manifest.file}\n`);
    kind.put(manifestFile(id), serializeManifest(manifest));
    return manifest;
  };
  const filesOf = ({ id, file }: Manifest) => [
    ...[manifestFile(id), file],
    ...(kind.hasChecksums ? [checksumFile(file)] : []),
  ];
  const [OLD, MIDDLE, NEW] = ['2026-03-01T10:00:00Z', '2026-03-02T10:00:00Z', '2026-03-03T10:00:00Z'];
  const unitsOf = async (place: Place, ...manifests: Manifest[]) => {
    const { backups, orphans } = await place.catalogue();
    return [...backups, ...orphans].filter(({ id }) => manifests.some((manifest) => manifest.id === id));
  };

  test('that is empty has nothing', async () => {
    await kind.open(async (place) => {
      expect(await place.catalogue()).toEqual({ backups: [], orphans: [], unreadable: [], problems: [] });
      expect(await place.candidates()).toEqual([]);
      expect(await place.newest(() => true)).toEqual([]);
      expect(await place.one(idAt(OLD))).toBeNull();
      expect(await place.held([])).toEqual([]);
      expect(await place.remove([])).toEqual({ deleted: [], held: [], failure: null });
    });
  });

  test('tells its backups, newest first, and what retention has to know of each', async () => {
    const old = backup(OLD, { pinned: { reason: 'audit', at: OLD } });
    const suspect = backup(NEW, { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'it shrank' } });
    const safety = backup(MIDDLE, { reason: 'safety' });
    await kind.open(async (place) => {
      const { backups } = await place.catalogue();
      expect(backups.map(({ id, files, state }) => [id, files, state])).toEqual([
        [suspect.id, filesOf(suspect), 'suspect'],
        [safety.id, filesOf(safety), 'ok'],
        [old.id, filesOf(old), 'ok'],
      ]);
      expect(await place.candidates()).toMatchObject([
        { id: suspect.id, suspect: true, verified: false, pinned: null },
        { id: safety.id, verified: true, safety: true },
        { id: old.id, verified: true, safety: false, pinned: 'audit' },
      ]);
      expect((await place.newest(() => false)).map(({ backup: { id } }) => id)).toEqual(backups.map(({ id }) => id));
      expect(await place.one(old.id)).toMatchObject({ backup: { id: old.id, state: 'ok' } });
      expect((await place.one(old.id))?.uri).toContain(old.file);
      expect((await place.newest(() => true))[0]).toMatchObject({ backup: { id: suspect.id } });
    });
  });

  test('sees only names of ours, and counts only what is of this database', async () => {
    const own = backup(OLD);
    backup(MIDDLE, { name: 'app-staging' });
    const other = backup(NEW, { identity: { path: '/srv/other.db' } });
    for (const name of ['notes.txt', `${own.id}.json~`, `${own.file}.bak`, 'app-20260230T000000Z-0001.json']) {
      kind.put(name, 'not ours');
    }
    await kind.open(async (place) => {
      const { backups, orphans, problems } = await place.catalogue();
      expect([backups.map(({ id }) => id), orphans]).toEqual([[own.id], []]);
      expect(problems.map(({ message }) => message).join()).toContain(`${other.id} belongs to another database`);
      expect((await place.newest(() => false)).map((found) => found.backup.id)).toEqual([own.id]);
      // who names it means it
      expect(await place.one(other.id)).toMatchObject({ backup: { id: other.id } });
    });
  });

  test('with a key, takes nothing for a backup that is not signed with it', async () => {
    const key = 'a key of sixteen';
    const keys = new SigningKeys([key]);
    const [signed, unsigned, forged] = [backup(OLD), backup(MIDDLE), backup(NEW)];
    kind.put(manifestFile(signed.id), serializeManifest(keys.sign(signed)));
    kind.put(manifestFile(forged.id), serializeManifest({ ...keys.sign(forged), host: 'elsewhere' }));
    const states = async (place: Place) => (await place.catalogue()).backups.map(({ id, state }) => [id, state]);
    await kind.open(
      async (place) => {
        expect(await states(place)).toEqual([
          [forged.id, 'forged'],
          [unsigned.id, 'unsigned'],
          [signed.id, 'ok'],
        ]);
        expect((await place.candidates()).map(({ verified }) => verified)).toEqual([false, false, true]);
        expect((await place.newest(() => false)).map((found) => found.backup.id)).toEqual([signed.id]);
        // who names one is told what it is
        for (const [{ id }, state] of [
          [signed, 'ok'],
          [unsigned, 'unsigned'],
          [forged, 'forged'],
        ] as const) {
          expect(await place.one(id)).toMatchObject({ backup: { id, state } });
        }
        const { problems } = await place.catalogue();
        expect(problems.filter(({ message }) => message.includes(unsigned.id))).toHaveLength(1);
        expect(problems.filter(({ message }) => message.includes(forged.id))).toHaveLength(1);
      },
      { 'signing-key': key },
    );
    await kind.open(async (place) => {
      expect((await states(place)).map(([, state]) => state)).toEqual(['ok', 'ok', 'ok']);
    });
    // however many of them are newer
    for (let day = 10; day < 20; day++) backup(`2026-03-${day}T10:00:00Z`);
    await kind.open(
      async (place) => {
        expect((await place.newest(() => true)).map((found) => found.backup.id)).toEqual([signed.id]);
      },
      { 'signing-key': key },
    );
  });

  test('takes nothing for a backup that is not whole', async () => {
    const torn = backup(OLD, { bytes: 21 });
    const lost = backup(MIDDLE);
    const broken = backup(NEW);
    kind.put(manifestFile(broken.id), '{"schema": 1,');
    await kind.open(async (place) => {
      await place.remove([{ id: lost.id, files: [manifestFile(lost.id)] }]);
    });
    await kind.open(async (place) => {
      const { backups, orphans, unreadable } = await place.catalogue();
      expect(backups).toMatchObject([{ id: torn.id, state: 'damaged' }]);
      expect(orphans).toMatchObject([{ id: lost.id, files: filesOf(lost).slice(1), sweepable: false }]);
      expect(unreadable.map(({ id }) => id)).toEqual([broken.id, lost.id]);
      expect(await place.candidates()).toMatchObject([{ id: torn.id, verified: false }]);
      expect(await place.newest(() => false)).toEqual([]);
      for (const { id } of [torn, lost]) expect(await place.one(id)).toBeNull();
    });
  });

  test('removes the files of a unit and no others, and knows that they are gone', async () => {
    const [old, middle, fresh] = [backup(OLD), backup(MIDDLE), backup(NEW)];
    kind.put('notes.txt', 'not ours');
    await kind.open(async (place) => {
      const removal = await place.remove(await unitsOf(place, old, fresh));
      expect({ ...removal, deleted: removal.deleted.sort() }).toEqual({
        deleted: [...filesOf(old), ...filesOf(fresh)].sort(),
        ...{ held: [], failure: null },
      });
      expect((await place.catalogue()).backups.map(({ id }) => id)).toEqual([middle.id]);
    });
    expect(kind.names().sort()).toEqual([...filesOf(middle), 'notes.txt'].sort());
  });

  test('removes what has lost its manifest, and what is gone already is no failure', async () => {
    const [old, lost] = [backup(OLD), backup(MIDDLE)];
    await kind.open((place) => place.remove([{ id: lost.id, files: [manifestFile(lost.id)] }]));
    await kind.open(async (place) => {
      const units = await unitsOf(place, lost);
      expect((await place.remove(units)).failure).toBeNull();
      expect((await place.catalogue()).orphans).toEqual([]);
    });
    await kind.open(async (place) => {
      expect((await place.remove([{ id: lost.id, files: filesOf(lost) }])).failure).toBeNull();
    });
    expect(kind.names().sort()).toEqual(filesOf(old).sort());
  });

  test('never leaves a manifest without its payload', async () => {
    const [old, middle] = [backup(OLD), backup(MIDDLE)];
    await kind.stuck(manifestFile(old.id), () =>
      kind.open(async (place) => {
        const { failure } = await place.remove(await unitsOf(place, old));
        expect(failure?.what).toMatch(/could not be deleted/);
        expect((await place.catalogue()).backups.map(({ id }) => id)).toEqual([middle.id, old.id]);
      }),
    );
    expect(kind.names()).toEqual(expect.arrayContaining([...filesOf(old), ...filesOf(middle)]));
    await kind.stuck(middle.file, () =>
      kind.open(async (place) => {
        const { failure, deleted } = await place.remove(await unitsOf(place, middle));
        expect(failure?.error).toMatchObject({ code: expect.stringMatching(/^E_/) });
        expect(deleted).toEqual([manifestFile(middle.id)]);
        expect((await place.catalogue()).backups.map(({ id }) => id)).toEqual([old.id]);
      }),
    );
    expect(kind.names()).toContain(middle.file);
    expect(kind.names()).not.toContain(manifestFile(middle.id));
  });

  if (kind.lock === null) return;
  test('holds what is locked', async () => {
    const [old, middle] = [backup(OLD), backup(MIDDLE)];
    kind.lock?.(old);
    await kind.open(async (place) => {
      expect(await place.held(await unitsOf(place, old, middle))).toEqual([
        { id: old.id, why: 'locked until 2100-01-01 00:00 UTC' },
      ]);
    });
  });
});
