import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Manifest, TableRows } from '../../src/backups/manifest.js';
import { MAX_WRITTEN_BYTES } from '../../src/backups/manifest-size.js';
import { expectBackup } from '../helpers/failure.js';
import { sqlite3 } from '../helpers/outcome.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, SeededDirectory } from '../helpers/seed.js';

// Hundreds of megabytes are read here, on a machine that may be busy.
jest.setTimeout(600_000);

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ transport: 'local' });
});
afterAll(() => scene.stop());

const size = (directory: string, id: string) => statSync(join(directory, `${id}.json`)).size;
const read = (directory: string, id: string): Manifest =>
  JSON.parse(readFileSync(join(directory, `${id}.json`), 'utf8')) as Manifest;
const rowsOf = (text: string) => text.match(/^.*table.*$/gm) ?? [];

describe('a database of which the manifest would be too large', () => {
  // JSON writes six characters for each of these
  const TABLES = 760;
  const nameOf = (n: number) => `${n}`.padStart(690, '\u0001');
  let id: string;
  let whole: Manifest;

  test('is backed up, and what is not listed is told', async () => {
    const create = Array.from({ length: TABLES }, (_, n) => `CREATE TABLE "${nameOf(n)}" (x)`);
    const fill = Array.from({ length: 3 }, () => `INSERT INTO "${nameOf(7)}" VALUES (1)`);
    writeFileSync(`${scene.database}.sql`, `BEGIN;\n${[...create, ...fill].join(';\n')};\nCOMMIT;\n`);
    sqlite3(scene.database, `.read ${scene.database}.sql`);
    const result = await scene.run({ verify: 'restore' });
    id = expectBackup(result);
    const { tables = [], tablesLeftOut = 0 } = read(scene.directory, id).content ?? {};
    expect(size(scene.directory, id)).toBeLessThanOrEqual(MAX_WRITTEN_BYTES);
    expect(tables.length + tablesLeftOut).toBe(TABLES + 3);
    expect(tablesLeftOut).toBeGreaterThan(20);
    expect(tables.find(({ name }) => name === nameOf(7))?.rows).toBe(3);
    const told = 'the manifest has no room for all 763 tables';
    // so it is, and nobody can do anything about it: a note
    expect(result.annotations).toEqual([]);
    expect(result.visible).toContain(`note: ${told}`);
    expect(result.summary).toContain(told);
    expect(result.summary).toContain('is good: restore verified\n');
    expect(rowsOf(result.summary).join('\n')).toMatch(
      /Contents: 763 tables, at least \d+ rows \(\d+ tables not counted\)/,
    );
  });

  test('is listed, proven and restored by what is', async () => {
    const list = await scene.run({ command: 'list' });
    expect(list.code).toBe(0);
    expect(reportOf(list).backups.map((backup) => backup.id)).toEqual([id]);
    expect(await scene.run({ command: 'verify', verify: 'restore' })).toMatchObject({ code: 0 });
    sqlite3(scene.database, `DELETE FROM "${nameOf(7)}"`);
    const restored = await scene.run({ command: 'restore', backup: id, confirm: 'app.db' });
    expect([restored.code, restored.outputs['restore-outcome']]).toEqual([0, 'restored']);
    expect(sqlite3(scene.database, `SELECT count(*) FROM "${nameOf(7)}"`)).toContain('3');
  });

  test('and what an earlier version wrote of it is a backup like any other', async () => {
    whole = read(scene.directory, id);
    const listed = new Set(whole.content?.tables.map(({ name }) => name));
    const others = ['a', 'b', ...Array.from({ length: TABLES }, (_, n) => nameOf(n))].map((name) => ({
      name,
      rows: 0,
    }));
    const tables = [...(whole.content?.tables ?? []), ...others.filter(({ name }) => !listed.has(name))];
    const { tablesLeftOut: _, ...content } = { tablesLeftOut: 0, ...whole.content };
    const text = JSON.stringify({ ...whole, content: { ...content, tables } }, null, 2);
    expect(text.length).toBeGreaterThan(3 << 20);
    writeFileSync(join(scene.directory, `${id}.json`), text);
    expect(await scene.run({ command: 'verify', verify: 'restore', backup: id })).toMatchObject({ code: 0 });
    expect(read(scene.directory, id).content?.tables).toHaveLength(TABLES + 3);
    const restored = await scene.run({ command: 'restore', backup: id, confirm: 'app.db' });
    expect([restored.code, restored.outputs['restore-outcome']]).toEqual([0, 'restored']);
  });
});

describe('more than 128 MiB of manifests', () => {
  const COUNT = 38;
  const TABLES: TableRows[] = Array.from({ length: 5_000 }, (_, rows) => ({ name: `${rows}`.padEnd(700, 'x'), rows }));
  let dir: SeededDirectory;
  let ids: string[];
  const run = (inputs: Record<string, string>) => scene.run({ directory: dir.path, ...inputs });

  beforeAll(() => {
    dir = new SeededDirectory(scene, join(scene.user.home, 'large'));
    const content = { tables: TABLES, pageSize: 4096, pageCount: 9, objects: 1, foreignKeyViolations: 0 };
    ids = Array.from({ length: COUNT }, (_, days) => dir.backup(daysAgo(days + 1), { manifest: { content } }));
    expect(size(dir.path, ids[0] ?? '') * COUNT).toBeGreaterThan(128 << 20);
  });

  test('are listed', async () => {
    const list = await run({ command: 'list' });
    expect(list.code).toBe(0);
    expect(list.annotations).toEqual([]);
    expect(reportOf(list).backups.map((backup) => [backup.id, backup.state])).toEqual(ids.map((id) => [id, 'ok']));
  });

  test('the oldest is pinned and proven, and its manifest loses nothing', async () => {
    const id = ids.at(-1) ?? '';
    const before = read(dir.path, id);
    expect((await run({ command: 'pin', backup: id, pin: 'the first' })).code).toBe(0);
    expect((await run({ command: 'verify', verify: 'checksum', backup: id })).code).toBe(0);
    const { pinned, ...after } = read(dir.path, id);
    expect(pinned?.reason).toBe('the first');
    expect({ ...after, verified: 0, pinned: null }).toEqual({ ...before, verified: 0 });
  });

  test('are shrunk', async () => {
    const pruned = await run({ command: 'prune', keep: '3', 'max-delete': '100' });
    expect(pruned.outputs).toMatchObject({ 'error-code': '', kept: '4', deleted: String(COUNT - 4) });
    expectBackup(await run({ 'shrink-limit': 'none' }));
  });
});
