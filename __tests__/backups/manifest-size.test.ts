import { describe, expect, test } from '@jest/globals';
import { parseManifest, serializeManifest, type TableRows } from '../../src/backups/manifest.js';
import { MAX_WRITTEN_BYTES, shorten, withinLimit } from '../../src/backups/manifest-size.js';
import { idAt, manifestOf } from './sample-backups.js';

const ID = idAt('2026-11-20T10:15:00Z');
const content = (tables: TableRows[]) => ({
  ...{ tables, pageSize: 4096, pageCount: 10, objects: tables.length, foreignKeyViolations: 0 },
});
const named = (count: number, length: number): TableRows[] =>
  Array.from({ length: count }, (_, i) => ({ name: `t${i}`.padEnd(length, 'é'), rows: i }));
const bytes = (manifest: ReturnType<typeof manifestOf>) => Buffer.byteLength(serializeManifest(manifest));

describe('a manifest within the limit', () => {
  test('stays what it is', () => {
    for (const manifest of [
      manifestOf(ID),
      manifestOf(ID, { content: null }),
      manifestOf(ID, { content: content(named(30_000, 8)) }),
    ]) {
      expect(withinLimit(manifest)).toBe(manifest);
    }
  });
});

describe('one that would be larger', () => {
  test.each([
    ['of bytes', named(10_000, 300), 4_500, 4_700],
    ['of a list', named(100_500, 1).map(({ rows }) => ({ name: '', rows })), 50_000, 60_000],
  ])('has the largest tables that there is room for, in their order: %s', (_what, tables, least, most) => {
    const manifest = withinLimit(manifestOf(ID, { content: content(tables) }));
    const listed = manifest.content?.tables ?? [];
    expect(listed.length).toBeGreaterThan(least);
    expect(listed.length).toBeLessThan(most);
    expect(manifest.content?.tablesLeftOut).toBe(tables.length - listed.length);
    expect(listed).toEqual(tables.slice(-listed.length));
    // as near to it as one table
    expect(bytes(manifest)).toBeLessThanOrEqual(MAX_WRITTEN_BYTES);
    expect(bytes(manifest)).toBeGreaterThan(MAX_WRITTEN_BYTES - 1000);
    expect(parseManifest(serializeManifest(manifest), ID)).toEqual(manifest);
  });

  test('has those first that were not counted, which are the largest', () => {
    const tables = [{ name: 'huge', rows: null }, ...named(10_000, 300)];
    expect(withinLimit(manifestOf(ID, { content: content(tables) })).content?.tables[0]).toEqual(tables[0]);
  });
});

describe('a shortened one', () => {
  test('has all but the long lists, and is never written', () => {
    const manifest = manifestOf(ID);
    const short = parseManifest(shorten(serializeManifest(manifest)), ID);
    expect(short).toEqual({
      ...manifest,
      shortened: true,
      recovery: [],
      content: { ...manifest.content, tables: [] },
    });
    expect(() => serializeManifest(short)).toThrow('half of the manifest');
  });

  test('of what is no manifest is the text itself', () => {
    for (const text of ['', '{', 'null', '[]', '{"content":3}']) expect(typeof shorten(text)).toBe('string');
    expect(shorten('{')).toBe('{');
  });
});
