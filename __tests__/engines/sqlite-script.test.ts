import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';

// sqlite-script.py, as the host runs it, with texts that were not written by `.dump`.

const program = readFileSync(
  fileURLToPath(new URL('../../src/engines/sqlite/programs/sqlite-script.py', import.meta.url)),
  'utf8',
);
const folder = mkdtempSync(join(tmpdir(), 'dbb-script-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
});

/** The status and the words of a load; what it makes is `new.db`. */
function load(text: string | Buffer, before = ''): [status: number | null, ...said: string[]] {
  rmSync(join(folder, 'new.db'), { force: true });
  writeFileSync(join(folder, 'script'), text);
  const shell = `${before}exec python3 -I -c "$0" script new.db`;
  const { status, stdout, stderr } = spawnSync('sh', ['-c', shell, program], { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  return [status, ...stdout.trim().split('\n')];
}
const ask = (sql: string): string =>
  execFileSync('sqlite3', [join(folder, 'new.db'), sql], { encoding: 'utf8' }).trim();
const script = (...lines: string[]): string =>
  `PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t (n);\n${lines.join('\n')}\nCOMMIT;\n`;
const inSchema = (sql: string): string =>
  `INSERT INTO sqlite_master VALUES ('trigger','bad','t',0,'${sql.replaceAll("'", "''")}');`;

test('what comes after COMMIT is not of a dump', () => {
  const whole = script('INSERT INTO t VALUES (1);');
  expect(load(`${whole}\n-- the end\n;\n`)[0]).toBe(0);
  expect(load(`${whole}DELETE FROM t;\n`)).toEqual([
    3,
    'failed',
    expect.stringMatching(/^line \d comes after COMMIT, where a dump ends$/),
  ]);
  expect(load(whole + whole.replace('TABLE t', 'TABLE u'))[1]).toBe('failed');
});

test('many blanks at the end are read in one go', () => {
  expect(load(`${script()}${' '.repeat(200_000)}x`)).toEqual([3, 'cut', 'its last statement has no end']);
});

describe('nothing reaches beyond the new file', () => {
  test.each<[string, string, string[], RegExp]>([
    ['a dot-command', 'failed', ['.shell touch pwned'], /^line 5: near "\."/],
    ['one that sqlite3 obeys with -safe', 'failed', ['.trace pwned', ';'], /^line 5: near "\."/],
    [
      'ATTACH',
      'outside',
      ["ATTACH 'pwned' AS a;", 'CREATE TABLE a.t (n);'],
      /^line 4 asks for ATTACH or VACUUM pwned$/,
    ],
    [
      'VACUUM INTO',
      'outside',
      ['COMMIT;', "VACUUM INTO 'pwned';", 'BEGIN;'],
      /^line 5 asks for ATTACH or VACUUM pwned$/,
    ],
    ['load_extension', 'outside', ["SELECT load_extension('./pwned');"], /the function load_extension$/],
    ['fts3_tokenizer', 'outside', ["SELECT fts3_tokenizer('simple');"], /the function fts3_tokenizer$/],
    ['writefile', 'failed', ["INSERT INTO t VALUES (writefile('pwned', 'x'));"], /no such function: writefile/],
    ['readfile', 'failed', ["INSERT INTO t VALUES (readfile('/etc/passwd'));"], /no such function: readfile/],
    ['fsdir', 'failed', ["INSERT INTO t SELECT data FROM fsdir('/etc/passwd');"], /no such table: fsdir/],
    ['edit', 'failed', ["SELECT edit('a', 'touch pwned');"], /no such function: edit/],
    ['zipfile', 'failed', ["CREATE VIRTUAL TABLE z USING zipfile('pwned');"], /no such module: zipfile/],
    ['a temporary table', 'outside', ['CREATE TEMP TABLE x (y);'], /something else x$/],
    ['a setting of the process', 'outside', ["PRAGMA temp_store_directory='/tmp';"], /PRAGMA temp_store_directory$/],
    [
      'a trigger',
      'outside',
      [
        "CREATE TRIGGER bad AFTER INSERT ON t BEGIN SELECT load_extension('./pwned'); END;",
        'INSERT INTO t VALUES (1);',
      ],
      /the function load_extension$/,
    ],
    [
      'what is behind texts that look like an end',
      'outside',
      [`INSERT INTO t VALUES ('a''; -- "'), (';'); /* ' */ ATTACH 'pwned' AS a; -- '`],
      /^line 4 asks for ATTACH/,
    ],
  ])('%s', (_, word, lines, said) => {
    expect(load(script(...lines))).toEqual([3, word, expect.stringMatching(said)]);
    expect(readdirSync(folder).filter((name) => !/^(script|new\.db(-journal)?)$/.test(name))).toEqual([]);
  });

  test('a trigger that is put into the schema itself is nothing but a row there', () => {
    const bad = "CREATE TRIGGER bad AFTER INSERT ON t BEGIN SELECT load_extension('./pwned'); END";
    expect(load(script('PRAGMA writable_schema=ON;', inSchema(bad), 'INSERT INTO t VALUES (1);'))[0]).toBe(0);
    expect(ask('SELECT count(*) FROM t')).toBe('1');
    expect(readdirSync(folder).sort()).toEqual(['new.db', 'script']);
  });
});

describe('is not loaded', () => {
  const filler = `-- ${'x'.repeat(70_000)}`;
  test.each<[string, string | Buffer, string, RegExp]>([
    ['with the end of sqlite3 that met damage', script('ROLLBACK; -- due to errors'), 'errors', /^line 4/],
    ['with a byte of zero', script(filler, "INSERT INTO t VALUES ('a\0b');"), 'bytes', /^line 5 has a byte of zero/],
    [
      'in another encoding',
      Buffer.from(script("INSERT INTO t VALUES ('café');"), 'latin1'),
      'bytes',
      /^line 4 is not UTF-8$/,
    ],
    ['without COMMIT', script().replace('COMMIT;\n', ''), 'cut', /COMMIT, is missing$/],
    ['without BEGIN', 'PRAGMA foreign_keys=OFF;\nCREATE TABLE t (n);\n', 'cut', /COMMIT, is missing$/],
    ['within a text', script("INSERT INTO t VALUES ('a"), 'cut', /no end$/],
    ['within a trigger', script('CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1;'), 'cut', /no end$/],
    ['within a comment', script('/* a'), 'cut', /no end$/],
    ['with more behind its end', `${script()}INSERT INTO t -- x`, 'cut', /no end$/],
    ['with no table', script('DROP TABLE t;'), 'hollow', /no table/],
    [
      'with a statement that fails',
      script('INSERT INTO nowhere VALUES (1);'),
      'failed',
      /^line 4: no such table: nowhere$/,
    ],
  ])('%s', (_, text, word, said) => {
    expect(load(text)).toEqual([3, word, expect.stringMatching(said)]);
  });

  test('where it has no room', () => {
    const text = script('INSERT INTO t VALUES (zeroblob(10000000));');
    expect(load(text, 'ulimit -f 2000; ')).toEqual([
      3,
      'room',
      expect.stringMatching(/^line \d: (disk I\/O error|database or disk is full)$/),
    ]);
  });
});

test('as iterdump before Python 3.10 wrote it: with the sequences before their tables', () => {
  const lines = [
    'BEGIN TRANSACTION;',
    'DELETE FROM "sqlite_sequence";',
    'INSERT INTO "sqlite_sequence" VALUES(\'t\',41);',
    'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT);',
    'INSERT INTO "t" VALUES(3);',
    'COMMIT;',
  ];
  expect(load(`${lines.join('\n')}\n`)).toEqual([0, '']);
  expect(ask('SELECT seq FROM sqlite_sequence; SELECT id FROM t').split('\n')).toEqual(['41', '3']);
  rmSync(join(folder, 'new.db'));
  const without = lines.map((line) => line.replace(' AUTOINCREMENT', ''));
  expect(load(without.join('\n'))).toEqual([3, 'failed', expect.stringContaining('no such table: sqlite_sequence')]);
});

test('a virtual table of iterdump, in its older form and its newer one', () => {
  const inSchema =
    "INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql)VALUES('table','f','f',0,'CREATE VIRTUAL TABLE f USING fts5(x)');";
  const forms = [
    ['CREATE VIRTUAL TABLE f USING fts5(x);', "CREATE TABLE 'f_data'(id INTEGER PRIMARY KEY, block BLOB);"],
    ['PRAGMA writable_schema=ON;', inSchema, `INSERT INTO "f" VALUES('a');`],
  ];
  for (const lines of forms) {
    expect(load(script(...lines))).toEqual([3, 'virtual', expect.stringMatching(/already exists|no such table: f/)]);
    rmSync(join(folder, 'new.db'));
  }
});

test('one row, several statements in a line, comments, settings, and names in every kind of quotes', () => {
  const lines = [
    'PRAGMA user_version=5;/* a; */PRAGMA application_id=6;',
    "CREATE TABLE [a;'b] (\"c;\"\"d\" DEFAULT ';', `e;``f` -- it's; \"\n);INSERT INTO [a;'b] (`e;``f`) VALUES ('x;\n;y');",
    'CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; END; CREATE VIEW v AS SELECT 1;',
    '-- the end',
  ];
  expect(load(`${script(...lines)}-- truly; 'the end`)).toEqual([0, '']);
  expect(ask('PRAGMA user_version; PRAGMA application_id; SELECT count(*) FROM sqlite_master').split('\n')).toEqual([
    '5',
    '6',
    '4',
  ]);
  expect(ask('SELECT quote("c;""d") || quote(`e;``f`) FROM [a;\'b]')).toBe("';''x;\n;y'");
});
