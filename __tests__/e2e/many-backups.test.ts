import { readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { SeededDirectory } from '../helpers/seed.js';
import { Sessions, SHELLS } from '../helpers/shell-host.js';

// Ten thousand backups of one database are thirty thousand files: more names than one program takes as arguments.

const COUNT = 10_000;
/** Quadratic work takes minutes; this leaves room for a machine that is ten times slower than ours, and busy. */
const BOUND_MS = 120_000;

let scene: Scene;
let dir: SeededDirectory;
let ids: string[];
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
  dir = new SeededDirectory(scene);
  const newest = Math.floor(Date.now() / 3_600_000) * 3_600_000;
  ids = Array.from({ length: COUNT }, (_, hours) => dir.backup(new Date(newest - (hours + 1) * 3_600_000)));
  // names that could pass for others where they are listed
  dir.write(`${ids[0]}.json\n-rw------- 1 0 0 9 Jan  1 00:00 ${ids[1]}.sqlite.zst.age`, '');
}, 300_000);
afterAll(() => scene.stop());

const sessions = new Sessions();
afterEach(() => sessions.close());

describe.each(SHELLS)('%s', (_, command) => {
  test(
    'tells them all',
    async () => {
      const { session } = await sessions.open(command);
      const uid = scene.user.uid;
      const facts = await session.send(
        // as root, who does not own it
        ['request', 'eval', [`cd '${dir.path}' && directory=$PWD && [ "$(ls -nd . | cut -d ' ' -f 3)" = ${uid} ]`]],
        ['job', 'look', ['app', '']],
      );
      const lines = facts.all('files').flatMap((text) => text.split('\n'));
      expect(lines).toHaveLength(3 * COUNT);
      const texts = new Map(facts.entries.filter(([key]) => key.startsWith('manifest ')));
      expect(texts.size).toBe(COUNT);
      expect(ids.filter((id) => !texts.get(`manifest ${id}.json`)?.includes(`"id": "${id}"`))).toEqual([]);
      expect(facts.get('untold')).toBeNull();

      // as many as are asked for at once when they have to be whole; one that is gone, or is a link, is not told
      const asked = ids.slice(0, 2_000).map((id) => `${id}.json`);
      symlinkSync(`${ids[1]}.json`, join(dir.path, 'link.json'));
      const whole = await session.send(['job', 'put_manifests', [...asked, 'gone.json', 'link.json']]);
      rmSync(join(dir.path, 'link.json'));
      const told = whole.entries.filter(([key]) => key.startsWith('manifest '));
      expect(told.map(([key]) => key.slice('manifest '.length)).sort()).toEqual([...asked].sort());
      expect(told.map(([, text]) => JSON.parse(text) as { id: string })).toEqual(
        expect.arrayContaining([dir.manifest(ids[0] ?? ''), dir.manifest(ids[1_999] ?? '')]),
      );
    },
    BOUND_MS,
  );
});

test(
  'list, back up, prune: in the time of a few',
  async () => {
    const list = await scene.run({ command: 'list' });
    expect(list.code).toBe(0);
    expect(list.annotations).toEqual([]);
    const told = new Set(list.visible.match(/^app-\d{8}T\d{6}Z-[0-9a-f]{4}(?= {2})/gm));
    expect(ids.filter((id) => !told.has(id))).toEqual([]);
    expect(list.outputs.kept).toBe(String(COUNT));
    expect(Buffer.byteLength(list.outputs.report ?? '')).toBeLessThan(120_001);
    expect(list.summary.length).toBeLessThan(200_000);

    // with a key none of them is signed, and that is one line
    const unsigned = await scene.run({ command: 'list', 'signing-key': 'a key of sixteen' });
    expect(unsigned.code).toBe(0);
    expect(unsigned.annotations).toMatchObject([
      { level: 'warning', message: expect.stringContaining(`${COUNT} backups are unsigned (${ids[0]}, `) },
    ]);
    expect(unsigned.annotations[0]?.message.length).toBeLessThan(400);

    const id = expectBackup(await scene.run({ keep: '100000' }));
    const pruned = await scene.run({ command: 'prune', keep: '9000', 'max-delete': '20000' });
    expect(pruned.code).toBe(0);
    expect(pruned.outputs).toMatchObject({ kept: '9000', deleted: String(COUNT + 1 - 9000) });
    const left = [id, ...ids.slice(0, 8999)];
    const shown = reportOf(pruned).backups.map((backup) => backup.id);
    expect(shown.length).toBeGreaterThan(50);
    expect(shown).toEqual(left.slice(0, shown.length));
    const names = readdirSync(dir.path).filter((name) => /^app-\S+$/.test(name) && !name.includes('\n'));
    expect(names.sort()).toEqual(
      left.flatMap((one) => ['.json', '.sqlite.zst', '.sqlite.zst.sha256'].map((end) => one + end)).sort(),
    );
    rmSync(join(dir.path, 'status.json'));
  },
  3 * BOUND_MS,
);
