import { describe, expect, test } from '@jest/globals';
import { checkRows } from '../../src/engines/common.js';
import { BackupError } from '../../src/errors.js';

type Rows = { name: string; rows: number };

/** What is wrong, or null. */
function wrong(told: { name: string; rows: number | null }[], restored: Rows[]): string | null {
  try {
    checkRows({ tables: told }, restored);
    return null;
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'E_MANIFEST') throw error;
    expect(error.hint).toContain('Do not rely on this backup');
    return error.message.replace(/^the restored copy differs from the manifest: /, '');
  }
}

describe('the rows of a restored copy', () => {
  test('are those of the manifest, in whatever order', () => {
    const told = [
      { name: 'a', rows: 3 },
      { name: '', rows: 0 },
    ];
    expect(wrong(told, told.toReversed())).toBeNull();
    expect(wrong([], [])).toBeNull();
  });

  test('which was not counted may be any', () => {
    expect(wrong([{ name: 'a', rows: null }], [{ name: 'a', rows: 7 }])).toBeNull();
  });

  test('of a table whose data was left out are none', () => {
    expect(wrong([], [{ name: 'audit', rows: 0 }])).toBeNull();
    expect(wrong([], [{ name: 'audit', rows: 1 }])).toBe('audit has 1 row, and is not in the manifest');
  });

  test.each([
    [[{ name: 'a', rows: 3 }], [{ name: 'a', rows: 2 }], 'a has 2 rows, not 3'],
    [[{ name: 'a', rows: 0 }], [{ name: 'a', rows: 1 }], 'a has 1 row, not 0'],
    [[{ name: 'a', rows: 0 }], [], 'a is missing'],
    [[{ name: 'a', rows: null }], [], 'a is missing'],
    [[{ name: 'a', rows: 1 }], [{ name: 'A', rows: 1 }], 'a is missing; A has 1 row, and is not in the manifest'],
  ])('%j is not %j', (told, restored, message) => {
    expect(wrong(told, restored)).toBe(message);
  });

  test('five differences are named, the others counted', () => {
    const told = Array.from({ length: 7 }, (_, i) => ({ name: `t${i}`, rows: 1 }));
    expect(wrong(told, [])).toBe(
      't0 is missing; t1 is missing; t2 is missing; t3 is missing; t4 is missing; and 2 more',
    );
  });

  test('a name that the runner would take for a command is defused', () => {
    expect(wrong([{ name: 'x\n::error::y', rows: 1 }], [])).not.toMatch(/^::/m);
  });
});
