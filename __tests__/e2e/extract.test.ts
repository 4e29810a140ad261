import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { AtTerminal, byHand, type HandOptions, type HandResult } from '../helpers/by-hand.js';
import { ageKey } from '../helpers/encryption-keys.js';
import { expectFailure } from '../helpers/failure.js';
import { sqlite3 } from '../helpers/outcome.js';
import { withSh } from '../helpers/posix-sh.js';
import { runAction } from '../helpers/run-action.js';
import { BUCKET, startS3Double } from '../helpers/s3-double.js';
import { sample } from '../helpers/sample.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { unmount } from '../helpers/unmount.js';

type Inputs = Record<string, string>;

let folder: string;
let temporary: string;
let live: string;
let inputs: Inputs;
let number = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-extract-'));
  temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  live = join(folder, 'app.db');
  inputs = { transport: 'local', database: live, directory: join(folder, 'backups') };
});
afterEach(() => {
  expect(readdirSync(temporary)).toEqual([]); // nothing is left of the copy that was read
  rmSync(folder, { recursive: true, force: true });
});

const make = (...statements: string[]): void => void sqlite3(live, ...statements);
async function backUp(more: Inputs = {}): Promise<string> {
  const made = await byHand(['backup', '--quiet'], { ...inputs, ...more });
  expect({ code: made.code, stderr: made.stderr }).toMatchObject({ code: 0 });
  const newest = await byHand(['latest', '--quiet'], { ...inputs, ...more });
  return newest.stdout.toString().trim();
}
const extract = (args: string[], more: Inputs = {}, path = '', options: HandOptions = {}): Promise<HandResult> =>
  byHand(
    ['extract', 'latest', ...args],
    { ...inputs, ...more },
    { ...options, env: { TMPDIR: temporary, ...(path === '' ? {} : { PATH: `${path}:${process.env.PATH}` }) } },
  );
const text = ({ stdout }: HandResult): string => stdout.toString();
/** Nothing of a backup that is not sound is printed. */
function expectRefused(result: HandResult, code: number, says: string): void {
  expect({ code: result.code, stdout: text(result), stderr: result.stderr }).toEqual({
    code,
    stdout: '',
    stderr: expect.stringContaining(says),
  });
}

/** Loads a script into a new database, as anybody would. */
function loaded(script: Buffer, before: string[] = []): string {
  const path = join(folder, `again${++number}.db`);
  if (before.length > 0) sqlite3(path, ...before);
  execFileSync('sqlite3', ['-bail', path], { input: script });
  return path;
}

test('each kind of value comes out as it is, and loads again', async () => {
  make(
    'CREATE TABLE v (id INTEGER PRIMARY KEY, "a ""b"", c", r REAL, blob BLOB)',
    `INSERT INTO v VALUES (1, NULL, 0.1, X''), (2, '', -1e300, X'00ff'), (3, 'it''s' || char(10) || '.shell touch /tmp/x' || char(13, 10), 1e-320, zeroblob(3)),
     (4, 'zero' || char(0) || 'byte', 9e999, NULL), (5, char(1, 27, 127, 155, 9) || '[31m', -9e999, 'a text'), (6, 'é😀"', 3.0, 7), (7, 9223372036854775807, 123456789.123456789, 1.5),
     (9, 'a' || char(13) || 'b\\r', 0, 0), (8, CAST(X'ff80' AS TEXT), 2.2250738585072014e-308, X'27')`,
    'CREATE TABLE none (a)',
  );
  await backUp();
  const all = await extract(['--table', 'V', '--quiet']);
  expect({ code: all.code, stderr: all.stderr }).toEqual({ code: 0, stderr: '' });
  const names = ['id', '"a ""b"", c"', 'r', 'blob'];
  const everything = `SELECT group_concat(x, '|') FROM (SELECT ${names.map((one) => `typeof(${one}) || quote(${one}) || hex(${one})`).join(` || ',' || `)} AS x FROM v ORDER BY id)`;
  expect(sqlite3(loaded(all.stdout), everything)).toBe(sqlite3(live, everything));
  const rows = await extract(['--table', 'v', '--data-only', '--quiet']);
  expect(text(rows)).toMatch(/^BEGIN TRANSACTION;\nINSERT INTO "v" VALUES\(1,NULL,/);
  expect(
    sqlite3(loaded(rows.stdout, [sqlite3(live, "SELECT sql FROM sqlite_master WHERE name = 'v'")]), everything),
  ).toBe(sqlite3(live, everything));
  expect(text(await extract(['--table', 'none', '--quiet']))).toMatch(/CREATE TABLE none \(a\);\nCOMMIT;\n$/);

  const csv = await extract(['--table', 'v', '--format', 'csv', '--quiet']);
  expect(text(csv).split('\n').slice(0, 3)).toEqual([`id,"a ""b"", c",r,blob`, `1,,0.1,X''`, `2,"",-1.0e+300,X'00FF'`]);
  expect(text(csv)).toContain(`\n4,X'7A65726F0062797465',9e999,\n`);
});

test('a database in UTF-16 as well', async () => {
  make(
    "PRAGMA encoding = 'UTF-16le'",
    'CREATE TABLE "Tä€" ("ö")',
    `INSERT INTO "Tä€" VALUES ('é' || char(13, 10) || '😀'), ('a' || char(0) || 'b'), (char(65279) || 'a')`,
    // halves of pairs, and what is no character
    ...['3DD84100', '41003DD8', '00DE4100', '00DE3DD8', 'FFFF0D00', 'FEFF'].map(
      (hex) => `INSERT INTO "Tä€" VALUES (CAST(X'${hex}' AS TEXT))`,
    ),
  );
  await backUp();
  const all = await extract(['--table', 'Tä€', '--quiet']);
  const values = 'SELECT hex("ö"), quote("ö") FROM "Tä€"';
  expect({ code: all.code, values: sqlite3(loaded(all.stdout), values) }).toEqual({
    code: 0,
    values: sqlite3(live, values),
  });
  expect(sqlite3(live, values)).toContain('00DE3DD8');
  const csv = text(await extract(['--table', 'Tä€', '--format', 'csv', '--quiet']));
  expect(csv).toContain(`"é\r\n😀"\n`);
  expect(csv).toContain(`\nX'3DD84100'\n`);
});

test.each(['UTF-8', 'UTF-16be'])('names begin with whatever they do, in %s', async (encoding) => {
  make(`PRAGMA encoding = '${encoding}'`, 'CREATE TABLE "\uFEFFt" ("\uFEFFa")', `INSERT INTO "\uFEFFt" VALUES (1)`);
  await backUp();
  const all = await extract(['--table', '\uFEFFt', '--quiet']);
  expect({ code: all.code, stderr: all.stderr }).toEqual({ code: 0, stderr: '' });
  expect(sqlite3(loaded(all.stdout), 'SELECT "\uFEFFa" FROM "\uFEFFt"').trim()).toBe('1');
});

describe('over SSH', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await startScene();
  });
  afterAll(() => scene.stop());

  test('200 000 rows come out exactly, and a reader may leave', async () => {
    const statements = [
      'CREATE TABLE big (id INTEGER PRIMARY KEY, t TEXT, b BLOB)',
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) INSERT INTO big SELECT i, 'row ' || i || char(10) || 'é', randomblob(16) FROM n",
    ];
    execFileSync('su', [
      '-s',
      '/bin/sh',
      scene.user.name,
      '-c',
      `sqlite3 '${scene.database}' "${statements.join(';')}"`,
    ]);
    inputs = scene.inputs;
    await backUp();
    const all = await extract(['--table', 'big', '--quiet']);
    expect({ code: all.code, stderr: all.stderr }).toEqual({ code: 0, stderr: '' });
    const dump = 'SELECT id, quote(t), hex(b) FROM big ORDER BY id';
    const asked = { encoding: 'buffer', maxBuffer: 1 << 28 } as const;
    const there = execFileSync('sqlite3', [scene.database, dump], asked);
    expect(execFileSync('sqlite3', [loaded(all.stdout), dump], asked).equals(there)).toBe(true);

    const file = join(folder, 'rows.sql');
    const kept = await extract(['--table', 'big', '--quiet', '--output', file]);
    expect({ ...kept, stdout: text(kept) }).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(file).equals(all.stdout)).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expectRefused(
      await extract(['--table', 'big', '--output', file]),
      2,
      'E_INPUT: output: expected a file that does not exist yet',
    );

    const reader = (stdout: Readable) => void stdout.once('data', () => stdout.destroy());
    const head = await extract(['--table', 'big'], {}, '', { reader });
    expect({ code: head.code, stderr: head.stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('the reader stopped early'),
    });
    expect(scene.leftovers()).toEqual([]);
  });
});

test('tools that are others give the same bytes', async () => {
  make(
    'CREATE TABLE t (a, b)',
    "INSERT INTO t VALUES (char(1, 27, 9, 10), 0.1), (NULL, X'00')",
    "INSERT INTO t VALUES ('x' || char(0), 1e-7)",
  );
  await backUp();
  const usual = await extract(['--table', 't', '--quiet']);
  expect(usual.code).toBe(0);
  const real = execFileSync('which', ['sqlite3'], { encoding: 'utf8' }).trim();
  const tool = (name: string, lines: string): string => {
    const path = join(folder, name);
    mkdirSync(path);
    writeFileSync(join(path, 'sqlite3'), `#!/bin/sh\n${lines}\n`);
    chmodSync(join(path, 'sqlite3'), 0o755);
    return path;
  };
  // since 3.50 control characters are written as ^A, unless one asks
  const newer = tool(
    'newer',
    `escape=1 first=1
for word; do
  [ -z "$first" ] || set --
  first=
  case $word in '.mode list --escape off') escape= word='.mode list' ;; esac
  set -- "$@" "$word"
done
if [ -n "$escape" ]; then exec ${real} "$@" | tr '\\001\\033' '^^'; else exec ${real} "$@"; fi`,
  );
  expect((await extract(['--table', 't', '--quiet'], {}, newer)).stdout.equals(usual.stdout)).toBe(true);
  // Python instead of a tool that is none
  const none = await extract(['--table', 't', '--quiet'], {}, tool('none', 'exit 1'));
  expect({ code: none.code, stderr: none.stderr }).toEqual({ code: 0, stderr: '' });
  expect(none.stdout.equals(usual.stdout)).toBe(true);
});

test.each(sample(['dash', 'bash', 'busybox', 'mksh', 'ksh93'] as const, 2))('where sh is %s', async (shell) => {
  make('CREATE TABLE t (a)', "INSERT INTO t VALUES ('it''s \\n %s' || char(10, 13))");
  await backUp();
  const usual = await extract(['--table', 't', '--quiet']);
  const other = await extract(['--table', 't', '--quiet'], {}, '', { wrapper: withSh(shell) });
  expect({ code: other.code, stdout: text(other), stderr: other.stderr }).toEqual({
    code: 0,
    stdout: text(usual),
    stderr: '',
  });
});

test('nothing is written where the backups are, and no lock is waited for', async () => {
  make('CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
  await backUp();
  rmSync(join(inputs.directory ?? '', '.work'), { recursive: true });
  const before = readdirSync(inputs.directory ?? '');
  expect((await extract(['--table', 't'])).code).toBe(0);
  expect(readdirSync(inputs.directory ?? '')).toEqual(before);

  mkdirSync(join(inputs.directory ?? '', '.work'), { mode: 0o700 });
  const lock = join(inputs.directory ?? '', '.work', 'lock');
  const holder = spawn('sh', ['-c', 'exec 9>>"$0" && flock 9 && echo held && exec sleep 60', lock], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  try {
    expect((await extract(['--table', 't'])).code).toBe(0);
  } finally {
    holder.kill();
  }
});

test('a backup that is not sound is not read', async () => {
  make('CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
  const id = await backUp({ 'signing-key': 'a key of sixteen and more' });
  const payload = join(
    inputs.directory ?? '',
    readdirSync(inputs.directory ?? '').find((name) => /\.zst$/.test(name)) ?? '',
  );
  const good = readFileSync(payload);
  expectRefused(await extract(['--table', 't'], { 'signing-key': 'another key of sixteen' }), 1, 'forged');
  const bad = Buffer.from(good);
  bad[bad.length - 5] = (bad[bad.length - 5] ?? 0) ^ 1;
  writeFileSync(payload, bad);
  expectRefused(await extract(['--table', 't']), 1, 'E_CHECKSUM');
  expect(id).toMatch(/^app-/);
});

test('what stands in a schema is carried out neither here nor by whoever loads it', async () => {
  const trap = join(folder, 'trap');
  const call = `edit('x', 'touch ${trap}; true')`;
  make(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a)',
    "INSERT INTO t (a) VALUES ('x')",
    `CREATE VIEW seen AS SELECT a FROM t WHERE ${call} IS NOT NULL`,
    ...['table_xinfo', 'encoding'].map(
      (name) =>
        `CREATE VIEW pragma_${name} AS SELECT 0 AS hidden, 'x' AS name, 0 AS cid, 'x' AS encoding WHERE ${call} IS NOT NULL`,
    ),
    'CREATE TABLE checked (a, CONSTRAINT c CHECK (a <> 0))',
    'INSERT INTO checked VALUES (1)',
    'CREATE TABLE defaulted (a, b, c)',
    'INSERT INTO defaulted VALUES (1, 2, 3)',
    'CREATE TABLE more (a)',
    'INSERT INTO more VALUES (1)',
    'CREATE VIRTUAL TABLE found USING fts5 (a)',
    `CREATE TABLE go(system, CHECK (1 +\ngo\n.system /*$(touch ${trap})*/\n IS NOT NULL))`,
    'INSERT INTO go VALUES (1)',
    `CREATE TABLE lines(id,\ngo\n, "\n/\n.shell touch ${trap}\n" -- the last\n)`,
    `INSERT INTO lines VALUES (1, 2, char(10) || 'go' || char(10) || '.shell touch ${trap}' || char(10))`,
    'CREATE TABLE remark (a)',
    'INSERT INTO remark VALUES (1)',
    'CREATE TABLE opened (a)',
    `INSERT INTO opened VALUES ('*/;' || char(10) || '.shell touch ${trap}' || char(10))`,
    'PRAGMA writable_schema = on',
    "UPDATE sqlite_master SET sql = sql || ' -- x' WHERE name = 'remark'",
    "UPDATE sqlite_master SET sql = sql || ' /* x' WHERE name = 'opened'",
    `UPDATE sqlite_master SET sql = replace(sql, 'a <> 0', '${call.replaceAll("'", "''")} IS NOT NULL') WHERE name = 'checked'`,
    `UPDATE sqlite_master SET sql = 'CREATE TABLE defaulted (a, b, c DEFAULT (${call.replaceAll("'", "''")}))' WHERE name = 'defaulted'`,
    `UPDATE sqlite_master SET sql = 'CREATE TABLE more (a);' || char(10) || '.shell touch ${trap}' WHERE name = 'more'`,
  );
  await backUp();
  for (const table of ['t', 'checked', 'defaulted', 'go', 'lines', 'remark']) {
    const all = await extract(['--table', table, '--quiet']);
    expect({ code: all.code, stderr: all.stderr }).toMatchObject({ code: 0 });
    expect(sqlite3(loaded(all.stdout), `SELECT count(*) FROM ${table}`).trim()).toBe('1');
  }
  for (const table of ['more', 'opened']) {
    expectRefused(
      await extract(['--table', table]),
      1,
      'E_MANIFEST: the definition of the table is more than one statement',
    );
  }
  expect(text(await extract(['--table', 'more', '--data-only', '--quiet']))).toBe(
    'BEGIN TRANSACTION;\nINSERT INTO "more" VALUES(1);\nCOMMIT;\n',
  );
  for (const table of ['seen', 'found', "t' OR 1=1 --", '$(touch x)', 'found_content']) {
    const other = await extract(['--table', table]);
    if (table === 'found_content')
      expect(other.code).toBe(0); // a real one
    else expectRefused(other, 1, 'E_NOT_FOUND: the backup has no table');
  }
  expect(existsSync(trap)).toBe(false);
});

test('rows do not speak to a terminal', async () => {
  make(
    'CREATE TABLE t (a)',
    "INSERT INTO t VALUES ('é' || char(27) || ']0;owned' || char(7) || char(27) || '[2J' || char(8238, 10, 9) || 'z')",
  );
  await backUp();
  const args = ['extract', 'latest', '--table', 't', '--format', 'csv', '--quiet'];
  const person = new AtTerminal(args, inputs, folder, { TMPDIR: temporary });
  expect(await person.end()).toBe(0);
  expect(person.raw.replaceAll('\r', '')).toBe('a\n"é\uFFFD]0;owned\uFFFD\uFFFD[2J\uFFFD\n\tz"\n');
});

test('one that is encrypted needs its key', async () => {
  make('CREATE TABLE t (a)', "INSERT INTO t VALUES ('plain')");
  const key = ageKey();
  await backUp({ encrypt: 'age', 'encryption-recipients': key.recipient });
  const opened = await extract(['--table', 't', '--quiet', '--format', 'csv'], { 'decryption-key': key.identity });
  expect({ code: opened.code, stdout: text(opened), stderr: opened.stderr }).toEqual({
    code: 0,
    stdout: 'a\n"plain"\n',
    stderr: '',
  });
  expectRefused(await extract(['--table', 't']), 1, 'E_DECRYPT');
});

test('one that only the store has, or that is named by its place there', async () => {
  make('CREATE TABLE t (a)', 'INSERT INTO t VALUES (42)');
  const s3 = await startS3Double();
  try {
    const id = await backUp(s3.inputs);
    const payload = readdirSync(inputs.directory ?? '').find((name) => /\.zst$/.test(name)) ?? '';
    rmSync(inputs.directory ?? '', { recursive: true });
    const args = ['--table', 't', '--quiet', '--format', 'csv'];
    for (const backup of [id, `s3://${BUCKET}/app/${payload}`]) {
      const out = await byHand(
        ['extract', backup, ...args],
        { ...inputs, ...s3.inputs },
        { env: { TMPDIR: temporary } },
      );
      expect({ code: out.code, stdout: text(out), stderr: out.stderr }).toMatchObject({ code: 0, stdout: 'a\n42\n' });
    }
    expect(existsSync(inputs.directory ?? '')).toBe(false);
  } finally {
    await s3.stop();
  }
});

test('a disk that is full is named as what it is', async () => {
  make('CREATE TABLE t (a)', 'INSERT INTO t VALUES (zeroblob(3000000))');
  await backUp();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m,mode=755', 'tmpfs', temporary]);
  try {
    const usual = await extract(['--table', 't', '--data-only'], { 'min-free': '1MiB' });
    expectRefused(usual, 1, `E_NOSPACE: the file system of ${temporary}`);
    expect(usual.stderr).toContain('the rows could not be written');
    expect(usual.stderr).not.toContain('killed');
    const tools = join(folder, 'none');
    mkdirSync(tools);
    writeFileSync(join(tools, 'sqlite3'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const python = await extract(['--table', 't', '--data-only'], { 'min-free': '1MiB' }, tools);
    expectRefused(python, 1, `E_NOSPACE: the file system of ${temporary}`);
    expect(python.stderr).not.toMatch(/killed|Traceback/);
    expect(readdirSync(temporary)).toEqual([]);
  } finally {
    await unmount(temporary);
  }
});

test.each(['latest', 'show', 'extract'])('%s is no command of a job', async (command) => {
  const result = await runAction({ ...inputs, command });
  expectFailure(result, 'E_INPUT', `command: ${command} is only a command of the command line`);
});
