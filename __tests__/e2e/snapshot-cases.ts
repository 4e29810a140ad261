import { chownSync, closeSync, copyFileSync, openSync, statSync, truncateSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { EXCLUSIVE, holdLock } from '../helpers/lock-holder.js';
import { backupsIn, committedState, nothingLeft, refused, sqlite3, stateOf, succeeded } from '../helpers/outcome.js';
import type { Scene } from '../helpers/scene.js';
import { createDatabase, startWriters } from '../helpers/sqlite.js';

/** What a copy must be like whichever tool makes it. */
export function snapshotCases(given: () => Scene, tool: string, { rounds, mb }: { rounds: number; mb: number }): void {
  let scene: Scene;
  beforeAll(() => {
    scene = given();
  });
  const path = (name: string) => join(dirname(scene.database), name);
  const own = (file: string) => chownSync(file, scene.user.uid, scene.user.gid);

  describe('constant writers', () => {
    test.each([true, false])('WAL %s: one committed state each time, and nobody is starved', async (wal) => {
      const database = path(`busy-${wal}.db`);
      await createDatabase(database, { mb, wal, owner: scene.user.name });
      const writers = await startWriters(database, { count: 4 });
      const ids: string[] = [];
      try {
        for (let round = 0; round < rounds; round += 1) ids.push(succeeded(await scene.run({ database })));
      } finally {
        // A writer that waited for a minute has failed, and this throws.
        const all = await writers.stop();
        const seen = await Promise.all(ids.map((id) => committedState(scene, id)));
        expect(seen.map(({ commits }) => commits)).toEqual(
          seen.map(({ commits }) => commits).sort((one, other) => one - other),
        );
        expect(seen[0]?.commits).toBeGreaterThan(0);
        expect(all).toBeGreaterThan(seen.at(-1)?.commits ?? 0);
      }
      const manifest = scene.manifest(ids[0] ?? '');
      expect(Object.keys(manifest.tools)).toContain(tool);
      await nothingLeft(scene);
    });
  });

  describe('a database that somebody holds', () => {
    test.each([
      ['BEGIN EXCLUSIVE in rollback mode', false, EXCLUSIVE],
      ['locking_mode EXCLUSIVE in rollback mode', false, 'PRAGMA locking_mode=EXCLUSIVE; UPDATE blobs SET ver = ver;'],
      ['locking_mode EXCLUSIVE in WAL mode', true, 'PRAGMA locking_mode=EXCLUSIVE; UPDATE blobs SET ver = ver;'],
    ])('%s: E_BUSY', async (what, wal, statements) => {
      const database = path(`${what.replaceAll(' ', '-')}.db`);
      await createDatabase(database, { wal, owner: scene.user.name });
      await using lock = await holdLock(database, statements);
      const before = stateOf(database);
      const message = refused(await scene.run({ database, 'lock-wait': '2s' }), 'E_BUSY');
      expect(message).toContain(`${database} stayed locked for 2 s (lock-wait)`);
      expect(message).toMatch(/fuser -v .*Nothing was kept, nothing was rotated/);
      expect(stateOf(database)).toEqual(before);
      await nothingLeft(scene);
      await lock.release();
      await committedState(scene, succeeded(await scene.run({ database })));
    });

    test('an open write transaction is no obstacle, and is not in the backup', async () => {
      const database = path('writing.db');
      await createDatabase(database, { wal: false, owner: scene.user.name });
      await using _ = await holdLock(database, 'BEGIN IMMEDIATE; INSERT INTO a (v) VALUES (1);');
      const id = succeeded(await scene.run({ database, 'lock-wait': '2s' }));
      expect((await committedState(scene, id)).commits).toBe(0);
    });
  });

  describe('an application that crashed', () => {
    test('in rollback mode: the hot journal is rolled back, with a warning', async () => {
      const database = path('hot.db');
      await createDatabase(database, { mb: 4, wal: false, owner: scene.user.name });
      const writer = await holdLock(
        database,
        'PRAGMA cache_size = 10; PRAGMA cache_spill = 10; BEGIN; UPDATE blobs SET ver = 1, data = randomblob(4000);',
      );
      process.kill(writer.pid, 'SIGKILL');
      await writer.release();
      expect(statSync(`${database}-journal`).size).toBeGreaterThan(0);
      const result = await scene.run({ database });
      expect(await committedState(scene, succeeded(result))).toMatchObject({ sum: 0 });
      const warnings = result.annotations.filter(({ level }) => level === 'warning').map(({ message }) => message);
      expect(warnings).toEqual([expect.stringMatching(/hot journal of a crashed writer/)]);
      expect(stateOf(database)).toMatchObject({ beside: [], owner: `${scene.user.uid}:${scene.user.gid}` });
    });

    test('in WAL mode: what only the -wal holds is in the backup', async () => {
      const database = path('stale.db');
      await createDatabase(database, { wal: true, owner: scene.user.name });
      const writer = await holdLock(
        database,
        'BEGIN; INSERT INTO a (v) VALUES (5); UPDATE blobs SET ver = 5 WHERE id = 1; INSERT INTO b (v) VALUES (5); COMMIT;',
      );
      process.kill(writer.pid, 'SIGKILL');
      await writer.release();
      const before = stateOf(database);
      expect(before.beside).toContain('stale.db-wal');
      const id = succeeded(await scene.run({ database }));
      expect(await committedState(scene, id)).toMatchObject({ commits: 1, sum: 5 });
      expect(stateOf(database)).toEqual(before);
    });
  });

  describe('a damaged source', () => {
    const DAMAGE: [what: string, damage: (file: string) => void][] = [
      ['pages', (file) => overwrite(file, 40 * 4096, 20 * 4096)],
      ['the schema page', (file) => overwrite(file, 100, 400)],
      ['truncated', (file) => truncateSync(file, 500 * 4096)],
    ];
    test.each(DAMAGE)('%s: E_SOURCE_CORRUPT, nothing kept, nothing deleted', async (what, damage) => {
      const database = path(`damaged-${what.replaceAll(' ', '-')}.db`);
      copyFileSync(path('sound.db'), database);
      own(database);
      // Two good backups, of which a third would push one out.
      const inputs = { database, name: 'damaged', keep: '2' };
      if (!scene.files().some((name) => name.startsWith('damaged-'))) {
        succeeded(await scene.run(inputs));
        succeeded(await scene.run(inputs));
      }
      damage(database);
      const [before, backups] = [stateOf(database), backupsIn(scene.directory)];
      const message = refused(await scene.run(inputs), 'E_SOURCE_CORRUPT');
      expect(message).toContain(`SQLite found damage in ${database}`);
      expect(message).toMatch(/\.recover.*Nothing was kept, nothing was rotated/);
      expect(stateOf(database)).toEqual(before);
      expect(backupsIn(scene.directory)).toEqual(backups);
      await nothingLeft(scene);
    });
    beforeAll(async () => {
      await createDatabase(path('sound.db'), { mb: 4, wal: false, owner: scene.user.name });
      sqlite3(path('sound.db'), 'PRAGMA user_version = 3');
    });
  });
}

function overwrite(file: string, from: number, bytes: number): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.alloc(bytes, 0xa5), 0, bytes, from);
  closeSync(descriptor);
}
