import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { expectFailure } from '../helpers/failure.js';
import { nothingLeft, sqlite3 } from '../helpers/outcome.js';
import type { ActionResult } from '../helpers/run-action.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

// What the old scripts of a team have left, restored by its path.

let scene: Scene;
/** A database with the rows 1, 2, 3, as `sqlite3 .backup` copied it. */
let copy: Buffer;
beforeAll(async () => {
  scene = await startScene({ transport: 'local', mb: 0.1, wal: false });
  const path = join(scene.user.home, 'old.db');
  asOwner(`sqlite3 '${path}' 'CREATE TABLE t (n)' 'INSERT INTO t VALUES (1), (2), (3)'`);
  asOwner(`sqlite3 '${path}' ".backup copy.db" && rm '${path}'`);
  copy = readFileSync(file('copy.db'));
});
afterAll(() => scene?.stop());
beforeEach(() => {
  asOwner(`rm -rf '${scene.database}' '${scene.directory}'`);
  asOwner(`sqlite3 '${scene.database}' 'CREATE TABLE t (n)' 'INSERT INTO t VALUES (9)'`);
});
afterEach(() => nothingLeft(scene));

const file = (name: string): string => join(scene.user.home, name);
const asOwner = (command: string): string =>
  execFileSync('su', ['-s', '/bin/sh', scene.user.name, '-c', `cd '${scene.user.home}' && ${command}`], {
    encoding: 'utf8',
  });
const put = (name: string, content: Buffer | string): string => {
  writeFileSync(file(name), content);
  return name;
};
const content = (): string => sqlite3(scene.database, 'SELECT group_concat(n) FROM t').trim();
const restore = (backup: string, more: Record<string, string> = {}): Promise<ActionResult> =>
  scene.run({ command: 'restore', confirm: 'app.db', backup, ...more });

describe('a SQLite database', () => {
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['not packed', (bytes) => bytes],
    ['packed by gzip', (bytes) => gzipSync(bytes)],
    ['packed by zstd', (bytes) => zstdCompressSync(bytes)],
  ])('%s is put in the place of the live one', async (_, pack) => {
    const result = await restore(put('backup.sql.bz2', pack(copy)));
    expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'error-code': '' });
    expect(content()).toBe('1,2,3');
    expect(reportOf(result).restore).toMatchObject({ outcome: 'restored', from: file('backup.sql.bz2') });
  });

  test('by its absolute path; a dry run tells and changes nothing', async () => {
    put('a b.db', copy);
    const result = await restore(file('a b.db'), { 'dry-run': 'true', confirm: '' });
    expect(result.code).toBe(0);
    expect(content()).toBe('9');
    expect((await restore(file('a b.db'))).code).toBe(0);
    expect(content()).toBe('1,2,3');
  });
});

describe('is refused, and the live database is as it was', () => {
  afterEach(() => expect(content()).toBe('9'));

  test('what is not there', async () => {
    expectFailure(await restore('./nowhere.db'), 'E_NOT_FOUND', file('nowhere.db'), 'Nothing was restored');
  });

  test('what is not what the checksum beside it says', async () => {
    put('sum.db', copy);
    put('sum.db.sha256', `${'0'.repeat(64)}  sum.db\n`);
    expectFailure(await restore('./sum.db'), 'E_CHECKSUM', '0'.repeat(64), 'Nothing was restored');
  });

  test('a dump of another engine, SQL for SQLite that is no dump, and what is no dump at all', async () => {
    put('pg.sql', '--\n-- PostgreSQL database dump\n--\n\nSET a = 1;\n--\n-- PostgreSQL database dump complete\n--\n');
    expectFailure(
      await restore('./pg.sql'),
      'E_SOURCE_INVALID',
      /pg\.sql is a dump of PostgreSQL, .* a database of SQLite/,
    );
    put('lite.sql', 'PRAGMA foreign_keys = ON;\nCREATE TABLE t (n);\n');
    expectFailure(await restore('./lite.sql'), 'E_SOURCE_INVALID', /SQL for SQLite/);
    put('notes.txt', 'nothing to see\n');
    expectFailure(await restore('./notes.txt'), 'E_SOURCE_INVALID', /not a dump that this action knows/);
  });

  test('what is damaged beyond its first bytes', async () => {
    const big = Buffer.concat([copy, Buffer.alloc(200_000)]);
    const packed = gzipSync(big, { level: 0 });
    packed.writeUInt8(7, packed.length - 100_000);
    for (const [name, bytes] of [
      ['damaged.gz', packed],
      ['cut.db', copy.subarray(0, -1000)],
    ] as const) {
      const result = await restore(`./${put(name, bytes)}`);
      expect(result.outputs['error-code']).toMatch(/^E_(RESTORE|CHECKSUM|SOURCE_INVALID)$/);
      expectFailure(result, result.outputs['error-code'] ?? '');
    }
  });
});

test('a name in a tar is a name, and no option of tar', async () => {
  const name = "--use-compress-program=sh -c 'cd; touch pwned' ";
  asOwner(
    `mkdir odd && cd odd && mkdir -- "${name}" && echo PGDMP > "./${name}/toc.dat" && tar -cf ../odd.tar -- "${name}" && cd .. && rm -r odd`,
  );
  const result = await restore('./odd.tar', { 'dry-run': 'true' });
  expect(result.code).toBe(1);
  expect(existsSync(file('pwned'))).toBe(false);
});
