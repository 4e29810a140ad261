import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { type EncryptionKeys, encryptByHand, makeKeys, PASSPHRASE } from '../helpers/encryption-keys.js';
import { expectFailure } from '../helpers/failure.js';
import { nothingLeft, sqlite3 } from '../helpers/outcome.js';
import { withSh } from '../helpers/posix-sh.js';
import type { ActionResult } from '../helpers/run-action.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

// The text that `.dump` of sqlite3 and Python's iterdump write, restored by its path.

const ITERDUMP = `
import sqlite3, sys
with open(sys.argv[2], 'w', encoding='utf-8', newline='') as file:
    for line in sqlite3.connect(sys.argv[1]).iterdump():
        file.write(line + '\\n')
`;

let scene: Scene;
let keys: EncryptionKeys;
beforeAll(async () => {
  keys = makeKeys();
  scene = await startScene({ transport: 'local', mb: 0.1, wal: false });
});
afterAll(async () => {
  keys?.remove();
  await scene?.stop();
});
beforeEach(() => {
  asOwner(`rm -rf '${scene.database}' '${scene.directory}'`);
  asOwner(`sqlite3 '${scene.database}' 'PRAGMA user_version = 7' 'CREATE TABLE t (n)' 'INSERT INTO t VALUES (9)'`);
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
const ask = (sql: string): string => sqlite3(scene.database, sql).trim();
const restore = (backup: string, more: Record<string, string> = {}): Promise<ActionResult> =>
  scene.run({ command: 'restore', confirm: 'app.db', backup, ...more });

/** A database of these statements, in a new file, and its text by one of the two. */
function textOf(by: '.dump' | 'iterdump', ...statements: string[]): Buffer {
  const source = file('source.db');
  execFileSync('rm', ['-f', source]);
  execFileSync('sqlite3', [source], { input: statements.join(';\n') });
  if (by === '.dump') return execFileSync('sqlite3', [source, '.dump'], { maxBuffer: 500_000_000 });
  execFileSync('python3', ['-c', ITERDUMP, source, file('text')]);
  return readFileSync(file('text'));
}

const EVERYTHING = [
  'CREATE TABLE t (n INTEGER PRIMARY KEY AUTOINCREMENT, s TEXT, b BLOB, twice GENERATED ALWAYS AS (n * 2), CHECK (n > 0))',
  `INSERT INTO t (s, b) VALUES ('it''s; -- no comment', x'00ff27'), ('first
.shell touch pwned
#; last /* é', NULL), ('a "quote", a [bracket', zeroblob(3)), (NULL, 'x')`,
  'CREATE TABLE gone (id INTEGER PRIMARY KEY AUTOINCREMENT)',
  'INSERT INTO gone VALUES (41)',
  'DELETE FROM gone',
  'CREATE INDEX by_s ON t (s)',
  `CREATE TRIGGER kept AFTER INSERT ON gone BEGIN UPDATE t SET s = 'a; b' WHERE n = -1; SELECT CASE WHEN 1 THEN 2 END; END`,
  'CREATE VIEW v AS SELECT s FROM t WHERE n > 1',
  'ANALYZE',
];
const CONTENT = `SELECT group_concat(quote(n) || quote(s) || quote(b) || twice, '|') || (SELECT seq FROM sqlite_sequence WHERE name = 'gone')
  || (SELECT count(*) FROM sqlite_stat1) || (SELECT count(*) FROM v) || (SELECT count(*) FROM sqlite_master) FROM t`;

describe.each(['.dump', 'iterdump'] as const)('the text of %s', (by) => {
  test('is restored: texts, blobs, triggers, generated columns, sequences, statistics', async () => {
    const text = textOf(by, ...EVERYTHING);
    const before = execFileSync('sqlite3', [file('source.db'), CONTENT], { encoding: 'utf8' }).trim();
    const result = await restore(`./${put('old.sql', text)}`);
    expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'error-code': '' });
    expect(ask(CONTENT)).toBe(before);
    expect(ask('PRAGMA integrity_check')).toBe('ok');
    expect(reportOf(result).restore).toMatchObject({ outcome: 'restored', from: file('old.sql') });
    expect(existsSync(file('pwned'))).toBe(false);
  });

  test('that was cut, wherever that is, is refused', async () => {
    const text = textOf(by, ...EVERYTHING).toString();
    const cuts = [
      text.indexOf('CREATE TABLE t') + 30, // within a statement
      text.indexOf("it''s") + 3, // within a text
      text.lastIndexOf('COMMIT;'),
      text.lastIndexOf('MIT;'),
    ];
    for (const at of cuts) {
      const result = await restore(`./${put('cut.sql', text.slice(0, at))}`);
      expectFailure(result, 'E_SOURCE_INVALID', 'is not complete', 'Nothing was restored');
      expect(ask('SELECT n FROM t')).toBe('9');
    }
  });
});

test.each<[string, (text: Buffer) => Buffer, Record<string, string>]>([
  ['gzip', gzipSync, {}],
  ['zstd', zstdCompressSync, {}],
  ['gzip and age', (text) => encryptByHand('age', gzipSync(text), keys), { 'decryption-key': 'age' }],
  ['gpg', (text) => encryptByHand('gpg-symmetric', text, keys), { 'decryption-passphrase': PASSPHRASE }],
])('packed by %s', async (_, pack, given) => {
  const packed = pack(textOf('.dump', 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1), (2)'));
  const inputs = 'decryption-key' in given ? { 'decryption-key': keys.age.identity } : given;
  const result = await restore(`./${put('backup.gz', packed)}`, inputs);
  expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'error-code': '' });
  expect(ask('SELECT group_concat(n) FROM t')).toBe('1,2');
});

test('a full-text index of .dump is restored; one of iterdump, which nothing can load, is refused', async () => {
  const statements = ['CREATE VIRTUAL TABLE found USING fts5(x)', "INSERT INTO found VALUES ('hello world')"];
  expect((await restore(`./${put('fts.sql', textOf('.dump', ...statements))}`)).code).toBe(0);
  expect(ask("SELECT x FROM found WHERE found MATCH 'world'")).toBe('hello world');
  const other = await restore(`./${put('fts-python.sql', textOf('iterdump', ...statements))}`);
  expectFailure(other, 'E_SOURCE_INVALID', 'virtual table', '.backup');
  expect(ask('SELECT count(*) FROM found')).toBe('1');
});

test('a large one, and a dry run of it that changes nothing', async () => {
  const rows = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)';
  const text = textOf(
    '.dump',
    'CREATE TABLE t (n INTEGER PRIMARY KEY, s)',
    `INSERT INTO t ${rows} SELECT i, hex(randomblob(400)) FROM n`,
    "INSERT INTO t VALUES (70000, hex(zeroblob(3000000)) || ''';')",
  );
  expect(text.length).toBeGreaterThan(50_000_000);
  put('large.sql.zst', zstdCompressSync(text));
  const planned = await restore('./large.sql.zst', { 'dry-run': 'true', confirm: '' });
  expect(planned.code).toBe(0);
  expect(reportOf(planned).restore?.plan?.tables).toEqual([{ name: 't', live: 1, backup: 60001 }]);
  expect(ask('SELECT n FROM t')).toBe('9');
  expect((await restore('./large.sql.zst')).code).toBe(0);
  expect(ask('SELECT count(*), sum(n), sum(length(s)) FROM t')).toBe('60001|1800100000|54000002');
});

test('what the text does not hold is told', async () => {
  const text = textOf('.dump', 'PRAGMA user_version = 3', 'CREATE TABLE t (n)');
  const result = await restore(`./${put('old.sql', text)}`, { 'dry-run': 'true' });
  expect(
    reportOf(result)
      .problems.map(({ message }) => message)
      .join('\n'),
  ).toMatch(/user_version of .* is 7.*and 0/);
});

describe('is refused, and the live database is as it was', () => {
  afterEach(() => {
    expect(ask('SELECT n FROM t')).toBe('9');
    expect(readdirSync(scene.user.home).filter((name) => name.startsWith('pwned'))).toEqual([]);
  });
  const script = (...lines: string[]): string =>
    `PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t (n);\n${lines.join('\n')}\nCOMMIT;\n`;

  // every other one: engines/sqlite-script.test.ts
  test.each<[string, string[], RegExp]>([
    ['a dot-command', ['.shell touch pwned'], /SQLite cannot run it: line 5: near "\."/],
    [
      'VACUUM INTO',
      ['COMMIT;', "VACUUM INTO 'pwned';", 'BEGIN;'],
      /asks for something that no dump needs .*VACUUM pwned/,
    ],
    ['what sqlite3 met errors with', ['ROLLBACK; -- due to errors'], /ends with ROLLBACK: .*rows may be missing/],
    ['what makes nothing', ['DROP TABLE t;'], /creates nothing: there is no table in it/],
  ])('%s', async (_, lines, said) => {
    put('bad.sql', script(...lines));
    expectFailure(await restore('./bad.sql'), 'E_SOURCE_INVALID', said, 'Nothing was restored');
  });

  test('what only a newer SQLite can read', async () => {
    // as 3.50 and newer write control characters
    put('newer.sql', script("INSERT INTO t VALUES (unistr('a\\u000ab'));", 'SELECT no_such_function();'));
    const python = asOwner("python3 -c 'import sqlite3; print(sqlite3.sqlite_version)'").trim();
    const knows = python.localeCompare('3.50', 'en', { numeric: true }) >= 0;
    const result = await restore('./newer.sql');
    if (knows) expectFailure(result, 'E_SOURCE_INVALID', /no_such_function/);
    else expectFailure(result, 'E_TOOL_VERSION', /newer SQLite .*unistr/, /3\.50/, 'Nothing was restored');
  });

  test('SQL of another form, and text that has been through Windows', async () => {
    put('hand.sql', 'PRAGMA foreign_keys=ON;\nCREATE TABLE t (n);\n');
    expectFailure(await restore('./hand.sql'), 'E_SOURCE_INVALID', /does not begin as/);
    put('crlf.sql', script().replaceAll('\n', '\r\n'));
    expectFailure(await restore('./crlf.sql'), 'E_SOURCE_INVALID', /lines that end in CRLF/);
    put('bom.sql', `\ufeff${script()}`);
    expectFailure(await restore('./bom.sql'), 'E_SOURCE_INVALID', /byte order mark/);
    put('utf16.sql', Buffer.from(`\ufeff${script()}`, 'utf16le'));
    expectFailure(await restore('./utf16.sql'), 'E_SOURCE_INVALID', /text in UTF-16/);
  });
});

describe('verify takes an old dump', () => {
  const verify = (backup: string, more: Record<string, string> = {}): Promise<ActionResult> =>
    scene.run({ command: 'verify', backup, ...more });
  afterEach(() => {
    expect(ask('SELECT n FROM t')).toBe('9');
    expect(existsSync(scene.directory)).toBe(false);
  });

  test('loads its text, counts, and asks; nothing is kept or recorded, and no gate opens', async () => {
    put('old.sql.gz', gzipSync(textOf('.dump', 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1), (2)')));
    const assert = 'SELECT count(*) = 2 FROM t';
    const result = await verify('./old.sql.gz', { verify: 'restore', assert });
    expect({ code: result.code, ...result.outputs }).toMatchObject({
      ...{ code: 0, 'error-code': '', 'verified-level': 'restore', 'backup-path': file('old.sql.gz') },
      ...{ healthy: 'true', 'backup-id': '', 'backup-ok': 'false' },
    });
    expect(reportOf(result)).toMatchObject({ backup: null, backups: [], tables: [{ name: 't', rows: 2 }] });
    expect(result.summary).toMatch(/## ✅ Dump `.*old\.sql\.gz` is intact: restore verified/);
    expect(result.summary).toMatch(/restored into a throw-away database.*no `\.sha256` file beside it.*no manifest/);
    expectFailure(await verify('./old.sql.gz', { verify: 'restore', assert: 'SELECT 0' }), 'E_ASSERT');
  });

  test('of a database file as well, at every level, and compares what lies beside it', async () => {
    put('old.db', readFileSync(scene.database));
    execFileSync('sh', ['-c', 'sha256sum old.db > old.db.sha256'], { cwd: scene.user.home });
    for (const level of ['checksum', 'content']) {
      const result = await verify('./old.db', { verify: level });
      expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'verified-level': level });
      expect(result.summary).toContain('its bytes match the `.sha256` file beside it');
    }
    put('old.db.sha256', `${'0'.repeat(64)}  old.db\n`);
    expectFailure(await verify('./old.db'), 'E_CHECKSUM', '0'.repeat(64));
  });

  test('a damaged, a cut and a missing one fail; a dry run only looks', async () => {
    const text = textOf('.dump', 'CREATE TABLE t (n)').toString();
    put('cut.sql', text.replace('COMMIT;', ''));
    expectFailure(await verify('./cut.sql'), 'E_SOURCE_INVALID', 'is not complete');
    put('damaged.db', readFileSync(scene.database).subarray(0, -1000));
    expectFailure(await verify('./damaged.db'), 'E_CHECKSUM');
    expectFailure(await verify('./nowhere.db'), 'E_NOT_FOUND');
    const planned = await verify('./cut.sql', { 'dry-run': 'true' });
    expect({ code: planned.code, level: planned.outputs['verified-level'] }).toEqual({ code: 0, level: 'none' });
  });

  test('at the level checksum with nothing beside it says that this proves nothing', async () => {
    put('alone.db', readFileSync(scene.database));
    const result = await verify('./alone.db', { verify: 'checksum' });
    expect(result.code).toBe(0);
    expect(reportOf(result).problems.map(({ message }) => message)).toEqual([expect.stringMatching(/proves nothing/)]);
  });
});

test.each(['bash', 'busybox', 'mksh', 'ksh93'] as const)('where sh is %s', async (shell) => {
  const other = await startScene({ sshd: { wrapper: withSh(shell) }, mb: 0.1 });
  try {
    const text = textOf('.dump', 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1), (2)');
    const given = join(other.user.home, 'old.sql.gz');
    writeFileSync(given, gzipSync(text));
    const verified = await other.run({ command: 'verify', backup: given, verify: 'restore' });
    expect({ code: verified.code, ...verified.outputs }).toMatchObject({ code: 0, 'verified-level': 'restore' });
    writeFileSync(given, gzipSync(text.subarray(0, -9)));
    expectFailure(await other.run({ command: 'verify', backup: given }), 'E_SOURCE_INVALID', 'is not complete');
    writeFileSync(given, gzipSync(text));
    expect((await other.run({ command: 'restore', confirm: 'app.db', backup: given })).code).toBe(0);
    expect(sqlite3(other.database, 'SELECT group_concat(n) FROM t').trim()).toBe('1,2');
    await nothingLeft(other);
  } finally {
    await other.stop();
  }
});

test('a host without Python says what to install', async () => {
  const other = await startScene({ sshd: { wrapper: withoutCommands(['python3']) }, mb: 0.1 });
  try {
    writeFileSync(join(other.user.home, 'old.sql'), textOf('.dump', 'CREATE TABLE t (n)'));
    const result = await other.run({ command: 'restore', confirm: 'app.db', backup: './old.sql' });
    expectFailure(result, 'E_TOOL_MISSING', /Python 3/, /Install python3/, 'Nothing was restored');
  } finally {
    await other.stop();
  }
});
