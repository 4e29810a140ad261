import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isName } from '../../src/backups/names.js';
import { parseSource } from '../../src/engines/lookup.js';
import { sqlite } from '../../src/engines/sqlite/index.js';
import type { SqliteSource } from '../../src/engines/sqlite/url.js';

const FORMS = 'expected postgresql://USER@HOST/NAME, or the path of a SQLite file, file:PATH or sqlite:PATH';
const MEMORY = 'it names a database in memory, so there is no file to back up';
const FOLDER = 'expected the path of a file, not of a folder: it ends with "/"';
const DOTS = 'expected a path without ".." segments';
const ONE_LINE = 'expected one line without control characters';
const AMBIGUOUS = '"%" and "#" mean different things to different programs in a sqlite: form; give the plain path';
const PERCENT = 'expected "%" only before two hexadecimal digits of UTF-8, as in %20; write %25 for "%" itself';
const HOST =
  'expected file:/absolute/path, file:///absolute/path or file:relative/path: what follows "file://" is a host';

const parseDatabase = (text: string) => parseSource(text).source as SqliteSource;

describe('a URL', () => {
  test.each([
    // plain
    ['/srv/app/app.db', '/srv/app/app.db'],
    ['app.db', 'app.db'],
    ['./data/app.db', 'data/app.db'],
    ['~/data/app.db', 'data/app.db'],
    ['/srv//app/./app.db', '/srv/app/app.db'],
    ["/srv/it's 100%/a?b#c&d.db", "/srv/it's 100%/a?b#c&d.db"],
    ['/srv/a:b.db', '/srv/a:b.db'],
    ['./a:b.db', 'a:b.db'],
    ['-app.db', '-app.db'],
    // SQLite and Prisma
    ['file:app.db', 'app.db'],
    ['file:./dev.db?connection_limit=1', 'dev.db'],
    ['file:/srv/app.db', '/srv/app.db'],
    ['file:///srv/app.db', '/srv/app.db'],
    ['file://localhost/srv/app.db', '/srv/app.db'],
    ['FILE://LOCALHOST/srv/app.db', '/srv/app.db'],
    ['file:///srv/a%20b%3Fc%23d.db?mode=ro#x', '/srv/a b?c#d.db'],
    ['file:/srv/gr%C3%B6%C3%9Fe.db', '/srv/größe.db'],
    ['file:/srv/app.db#fragment?mode=memory', '/srv/app.db'],
    ['file:~/app.db', 'app.db'],
    // SQLAlchemy, also with a driver
    ['sqlite:///app.db', 'app.db'],
    ['sqlite:///./app.db', 'app.db'],
    ['sqlite:////srv/app.db', '/srv/app.db'],
    ['sqlite:////srv/app.db?timeout=5', '/srv/app.db'],
    ['sqlite+aiosqlite:////srv/app.db', '/srv/app.db'],
    ['sqlite+pysqlite:///data/app.db', 'data/app.db'],
    ['sqlite:///file:data/app.db?mode=ro&uri=true', 'data/app.db'],
    ['sqlite:///file:/srv/app.db?uri=true', '/srv/app.db'],
    // sqlx, PDO, Rails
    ['sqlite:app.db', 'app.db'],
    ['sqlite:/srv/app.db', '/srv/app.db'],
    ['sqlite3:db/production.sqlite3', 'db/production.sqlite3'],
    ['sqlite3:/srv/app.db', '/srv/app.db'],
    ['sqlite3:////srv/app.db', '/srv/app.db'],
    ['SQLite:/srv/app.db', '/srv/app.db'],
    // JDBC
    ['jdbc:sqlite:/srv/app.db', '/srv/app.db'],
    ['jdbc:sqlite:app.db', 'app.db'],
    ['jdbc:sqlite:///srv/app.db', '/srv/app.db'],
    ['jdbc:sqlite:file:/srv/app.db?mode=ro', '/srv/app.db'],
    ['jdbc:sqlite:/srv/100%.db', '/srv/100%.db'],
  ])('%s', (text, path) => {
    expect(parseDatabase(text)).toMatchObject({ engine: 'sqlite', path });
  });

  test.each([
    'file:app.db',
    'file:./a%20b.db',
    'file:data/%C3%BC%3F%23%25.db?mode=rwc',
    'file:app.db#fragment',
    'file:HOME/app.db',
    'file://HOME/app.db',
    'file://localhostHOME/a%27b.db?cache=private#x',
  ])('%s is the file that SQLite opens', (form) => {
    const home = mkdtempSync(join(tmpdir(), 'database-url-'));
    try {
      execFileSync('mkdir', ['data'], { cwd: home });
      const text = form.replace('HOME', home);
      execFileSync('sqlite3', [text, 'CREATE TABLE t(x)'], { cwd: home });
      expect(existsSync(resolve(home, parseDatabase(text).path))).toBe(true);
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  test.each([
    ['/srv/a?b#c.db', '/srv/a?b#c.db'],
    ['file:./dev.db?connection_limit=1&key=hunter2', 'file:./dev.db'],
    ['file:/srv/a.db#hunter2', 'file:/srv/a.db'],
    ['sqlite:////srv/app.db?password=hunter2', 'sqlite:////srv/app.db'],
    ['sqlite:///file:app.db?hexkey=hunter2&uri=true', 'sqlite:///file:app.db'],
    ['jdbc:sqlite:/srv/a#b.db', 'jdbc:sqlite:/srv/a#b.db'],
    ['jdbc:sqlite:/srv/app.db?cipher=x&key=hunter2', 'jdbc:sqlite:/srv/app.db'],
  ])('keeps of %s what holds no key', (text, given) => {
    expect(parseDatabase(text).given).toBe(given);
  });

  test.each([
    ['', FORMS],
    [':memory:', MEMORY],
    ['file:', MEMORY],
    ['file::memory:', MEMORY],
    ['file::memory:?cache=shared', MEMORY],
    ['file:app?mode=memory&cache=shared', MEMORY],
    ['file://', MEMORY],
    ['file:?mode=ro', MEMORY],
    ['sqlite:', MEMORY],
    ['sqlite://', MEMORY],
    ['sqlite:///', MEMORY],
    ['sqlite::memory:', MEMORY],
    ['sqlite:///:memory:', MEMORY],
    ['sqlite:///file:x?mode=memory&uri=true', MEMORY],
    ['sqlite+aiosqlite://', MEMORY],
    ['sqlite3::memory:', MEMORY],
    ['jdbc:sqlite:', MEMORY],
    ['jdbc:sqlite::memory:', MEMORY],
    ['jdbc:sqlite::resource:org/app.db', MEMORY],
    ['/srv/app/', FOLDER],
    ['/', FOLDER],
    ['app/.', FOLDER],
    ['file:///srv/', FOLDER],
    ['sqlite:////srv/', FOLDER],
    ['..', DOTS],
    ['../app.db', DOTS],
    ['/srv/../app.db', DOTS],
    ['file:../dev.db', DOTS],
    ['file:%2e%2e/dev.db', DOTS],
    ['sqlite:///../app.db', DOTS],
    ['.', 'expected a path below "/" or below the home of the login user'],
    ['~', 'expected a path below "/" or below the home of the login user'],
    ['~app/app.db', 'expected a path without "~user": write an absolute path, or "~/" for your own home'],
    ['/srv/app\n.db', ONE_LINE],
    ['/srv/app\r.db', ONE_LINE],
    ['/srv/app\0.db', ONE_LINE],
    ['file:/srv/app%00.db', ONE_LINE],
    ['file:/srv/app%0A.db', ONE_LINE],
    ['file:/srv/100%.db', PERCENT],
    ['file:/srv/%FF.db', PERCENT],
    ['file://srv/app.db', HOST],
    ['file://app.db', HOST],
    ['file://user:hunter2@nas/app.db', HOST],
    ['sqlite:///a%20b.db', AMBIGUOUS],
    ['sqlite:///a#b.db', AMBIGUOUS],
    [
      'sqlite://app.db',
      'after "sqlite://" comes a host, which SQLite has not; write sqlite:relative/path or sqlite:/absolute/path',
    ],
    ['sqlite3:///app.db', '"sqlite3:///" is absolute to some programs and relative to others; give the plain path'],
    [
      'mysql:host=h;x=hunter2',
      `it names a mysql database, but this version only backs up PostgreSQL and SQLite; ${FORMS}`,
    ],
    [
      'jdbc:mysql://h/db?user=u',
      `it names a mysql database, but this version only backs up PostgreSQL and SQLite; ${FORMS}`,
    ],
    [
      'libsql://hunter2.turso.io',
      `it names a libsql database, but this version only backs up PostgreSQL and SQLite; ${FORMS}`,
    ],
    ['https://hunter2@x', `${FORMS}; a relative path with a colon in its first segment starts with "./"`],
    ['"postgres://u:hunter2@h/d"', `${FORMS}; the bare value, without quotes or NAME= around it`],
    ['DATABASE_URL=postgres://u:hunter2@h/d', `${FORMS}; the bare value, without quotes or NAME= around it`],
    ['hunter2:x', `${FORMS}; a relative path with a colon in its first segment starts with "./"`],
    ['C:\\app.db', `${FORMS}; a relative path with a colon in its first segment starts with "./"`],
    ['file+x:/srv/app.db', `${FORMS}; a relative path with a colon in its first segment starts with "./"`],
    ['jdbc:file:/srv/app.db', `${FORMS}; a relative path with a colon in its first segment starts with "./"`],
    ['Data Source=app.db;Password=hunter2', `${FORMS}, not a connection string of keywords`],
    ['host=db password=hunter2', `${FORMS}, not a connection string of keywords`],
    ['Server=h;Pwd = hunter2', `${FORMS}, not a connection string of keywords`],
  ])('refuses %j without repeating it', (text, message) => {
    expect(message).not.toContain('hunter2');
    expect(() => parseDatabase(text)).toThrow(new Error(message));
  });
});

describe('the default name', () => {
  const nameOf = (path: string) => sqlite.nameOf({ engine: 'sqlite', path, given: path });

  test.each([
    ['/srv/app/app.db', 'app'],
    ['app.sqlite', 'app'],
    ['./data/prod.SQLITE3', 'prod'],
    ['/srv/my app (1).db', 'my-app--1'],
    ['/srv/app.v2', 'app.v2'],
    ['/srv/app.prod.db', 'app.prod'],
    ['/srv/app.db.sqlite', 'app.db'],
    ['/srv/.hidden.db', 'hidden'],
    ['/srv/caf\u00e9.db', 'caf'],
    ['/srv/\u{1F600}x.db', 'x'],
    ['noextension', 'noextension'],
    [`/srv/${'a'.repeat(100)}.db`, 'a'.repeat(64)],
    ['', null],
    ['/', null],
    ['/srv/app/', null],
    ['/srv/.db', null],
    ['..', null],
    ['/srv/\u6570\u636e.db', null],
  ])('from the path %j: %j', (path, name) => {
    expect(nameOf(path)).toBe(name);
  });

  test('from any path is valid or null', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (path) => {
        const name = nameOf(path);
        expect(name === null || isName(name)).toBe(true);
      }),
    );
  });
});
