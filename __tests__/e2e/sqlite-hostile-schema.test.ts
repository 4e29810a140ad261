import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { nothingLeft, refused, sqlite3, succeeded } from '../helpers/outcome.js';
import { withSh } from '../helpers/posix-sh.js';
import { inTurn } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

// The schema of a database is its owner's, who may be an attacker: nothing that stands in it is carried out, whatever is done with it.

const PRAGMAS = [
  ...['page_size', 'page_count', 'user_version', 'application_id', 'encoding', 'schema_version', 'freelist_count'],
  ...['foreign_key_check', 'foreign_key_list', 'table_info', 'table_xinfo', 'table_list', 'index_list', 'journal_mode'],
  ...['integrity_check', 'quick_check', 'trusted_schema', 'database_list', 'function_list', 'compile_options'],
];

/** A database with a call of `edit()`, which makes the file `trap`, in every place that a schema has for one. */
function plant(path: string, trap: string): void {
  const call = `edit('x', 'touch ${trap}; true')`;
  sqlite3(
    path,
    'CREATE TABLE rows (id INTEGER PRIMARY KEY, x)',
    "INSERT INTO rows (x) VALUES ('a'), ('b'), ('c')",
    'CREATE TABLE parent (id INTEGER PRIMARY KEY)',
    'CREATE TABLE child (p REFERENCES parent (id))',
    'INSERT INTO child VALUES (1), (2)',
    `CREATE VIEW seen AS SELECT x FROM rows WHERE ${call} IS NOT NULL`,
    ...PRAGMAS.map((name) => `CREATE VIEW pragma_${name} AS SELECT 512 AS ${name} WHERE ${call} IS NOT NULL`),
    'CREATE TABLE checked (a, CONSTRAINT c CHECK (a <> 0))',
    'INSERT INTO checked VALUES (1), (2)',
    'CREATE TABLE defaulted (a, b)',
    'INSERT INTO defaulted VALUES (1, 2)',
    ...['INSERT', 'UPDATE', 'DELETE'].map(
      (event) => `CREATE TRIGGER on_${event} AFTER ${event} ON rows BEGIN SELECT ${call}; END`,
    ),
    `CREATE TRIGGER on_view INSTEAD OF INSERT ON seen WHEN ${call} IS NOT NULL BEGIN SELECT 1; END`,
    `CREATE VIEW alone AS SELECT 1 AS x WHERE ${call} IS NOT NULL`,
    "CREATE VIRTUAL TABLE found USING fts5 (x, content = 'alone')",
    "CREATE VIRTUAL TABLE disguised USING fts5 (x, content = 'alone')",
    'PRAGMA writable_schema = on',
    `UPDATE sqlite_master SET sql = replace(sql, 'a <> 0', ${quoted(`${call} IS NOT NULL`)}) WHERE name = 'checked'`,
    `UPDATE sqlite_master SET sql = 'CREATE TABLE defaulted (a, b DEFAULT (' || ${quoted(call)} || '))' WHERE name = 'defaulted'`,
    // bash carries out what is in the subscript of a number that it calculates with
    `UPDATE sqlite_master SET rootpage = '0' || char(0) || char(10) || 'page_size +0*events[$(touch ${trap}; echo 0)]' || char(10) WHERE name = 'seen'`,
    "UPDATE sqlite_master SET rootpage = 2, sql = replace(sql, 'CREATE VIRTUAL', 'CREATE/**/VIRTUAL') WHERE name = 'disguised'",
  );
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const TABLES = { rows: 3, parent: 0, child: 2, checked: 2, defaulted: 1 };

let folder: string;
let trap: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbb-trap-'));
  chmodSync(folder, 0o777);
  trap = join(folder, 'touched');
});
afterEach(() => expect(existsSync(trap)).toBe(false));
afterAll(() => rmSync(folder, { recursive: true }));

test('the trap is one: the tool that is asked without care makes the file', () => {
  const path = join(folder, 'app.db');
  plant(path, trap);
  for (const sql of [
    'SELECT page_size FROM pragma_page_size',
    'PRAGMA quick_check',
    'SELECT count(*) FROM disguised',
  ]) {
    sqlite3(path, sql);
    expect([sql, existsSync(trap)]).toEqual([sql, true]);
    rmSync(trap);
  }
});

const READERS: [name: string, without: string[]][] = [
  ['the sqlite3 tool', []],
  ['the module of Python', ['sqlite3']],
];

describe.each(READERS)('%s', (reader, without) => {
  const test = inTurn(
    READERS.map(([name]) => name),
    reader,
  );
  let scene: Scene;
  let database: string;
  let dump: string;
  beforeAll(async () => {
    scene = await startScene({
      shell: '/bin/bash',
      sshd: { wrapper: [...withSh('bash'), ...(without.length === 0 ? [] : withoutCommands(without))] },
    });
    database = join(dirname(scene.database), 'hostile.db');
    dump = join(scene.user.home, 'foreign.db');
    plant(database, trap);
    copyFileSync(database, dump);
    for (const file of [database, dump]) chownSync(file, scene.user.uid, scene.user.gid);
  });
  afterAll(() => scene.stop());

  const run = (inputs: Record<string, string>) => scene.run({ database, name: 'hostile', ...inputs });
  const tablesOf = (id: string) =>
    Object.fromEntries(
      (scene.manifest(id).content?.tables ?? [])
        .filter(({ name }) => !/^(found|disguised)/.test(name))
        .map(({ name, rows }) => [name, rows]),
    );

  test.each(['checksum', 'content', 'restore'])('backup, verify: %s', async (verify) => {
    const id = succeeded(await run({ verify, assert: verify === 'restore' ? 'SELECT count(*) = 3 FROM rows' : '' }));
    if (verify === 'checksum') return;
    // what SQLite itself says, and not a view of that name
    expect(scene.manifest(id).content).toMatchObject({ pageSize: 4096, foreignKeyViolations: 2 });
    expect(tablesOf(id)).toEqual(TABLES);
  });

  test('an assert that asks such a view fails', async () => {
    const message = refused(await run({ verify: 'restore', assert: 'SELECT count(*) FROM seen' }), 'E_ASSERT');
    expect(message).toMatch(without.length === 0 ? /unsafe use of edit\(\)/ : /edit/);
  });

  test('a library is not loaded, whatever names its function', async () => {
    const made = join(dirname(scene.database), 'library.db');
    sqlite3(
      made,
      'CREATE TABLE t (x)',
      'CREATE VIRTUAL TABLE f USING fts4 (a, compress=lower, uncompress=load_extension)',
    );
    sqlite3(made, `INSERT INTO f_content (docid, c0a) VALUES (1, '${join(folder, 'library')}')`);
    chownSync(made, scene.user.uid, scene.user.gid);
    const inputs = { database: made, name: 'library', verify: 'restore', assert: 'SELECT a FROM f' };
    expect(refused(await scene.run(inputs), 'E_ASSERT')).toMatch(/not authorized|SQL logic error/);
  });

  test('dry-run, list', async () => {
    for (const inputs of [{ 'dry-run': 'true' }, { command: 'list' }]) {
      expect(await run(inputs)).toMatchObject({ code: 0, outputs: { 'error-code': '' } });
    }
  });

  test.each([
    ['content', 'host'],
    ['restore', 'host'],
    ['content', 'runner'],
    ['restore', 'runner'],
  ])('verify: %s on the %s', async (verify, on) => {
    succeeded(await run({ command: 'verify', verify, 'verify-on': on }));
  });

  test('the lines for people', async () => {
    const { recovery } = reportOf(await run({ command: 'verify' }));
    expect(recovery).toEqual([]);
    const id = succeeded(await run({}));
    const lines = scene.manifest(id).recovery.join('\n');
    expect(execFileSync('sh', ['-e', '-c', lines], { encoding: 'utf8' })).toMatch(/\bok\n/);
  });

  test.each([['latest'], ['a dump of others']])('restore: %s', async (what) => {
    const inputs = { command: 'restore', backup: what === 'latest' ? what : dump };
    expect(await run({ ...inputs, 'dry-run': 'true' })).toMatchObject({ code: 0 });
    sqlite3(database, 'DELETE FROM defaulted');
    const result = await run({ ...inputs, confirm: 'hostile.db' });
    expect(result).toMatchObject({ code: 0, outputs: { 'restore-outcome': 'restored', 'error-code': '' } });
    expect(sqlite3(database, 'SELECT count(*) FROM defaulted')).toBe('1\n');
  });

  test('restore in the place of a damaged one, and of none', async () => {
    for (const damage of [() => writeFileSync(database, 'damaged'), () => rmSync(database)]) {
      damage();
      if (existsSync(database)) chownSync(database, scene.user.uid, scene.user.gid);
      const result = await run({ command: 'restore', confirm: 'hostile.db' });
      expect(result).toMatchObject({ code: 0, outputs: { 'restore-outcome': 'restored', 'error-code': '' } });
    }
    await nothingLeft(scene);
  });
});

describe('a tool that can not be kept from it', () => {
  /** As sqlite3 of before 3.31: it does not know the pragma, and says nothing of it. */
  const OLD = `#!/bin/sh
case " $* " in *' -version '*) echo '3.26.0 2018-12-01 12:34:55'; exit ;; esac
for word do shift; case $word in 'PRAGMA trusted_schema') ;; *) set -- "$@" "$word" ;; esac; done
exec /usr/bin/sqlite3 "$@"
`;
  let tools: string;
  let scene: Scene;
  beforeAll(async () => {
    tools = mkdtempSync(join(tmpdir(), 'dbb-tools-'));
    chmodSync(tools, 0o755);
    writeFileSync(join(tools, 'sqlite3'), OLD, { mode: 0o755 });
    scene = await startScene({ sshd: { extraConfig: `SetEnv PATH=${tools}:/usr/local/bin:/usr/bin:/bin` } });
  });
  afterAll(async () => {
    await scene.stop();
    rmSync(tools, { recursive: true });
  });

  test('is left alone where there is Python', async () => {
    const id = succeeded(await scene.run());
    expect(Object.keys(scene.manifest(id).tools)).toContain('sqlite3 (python3 module)');
  });

  test('is refused where there is none: E_TOOL_VERSION', async () => {
    writeFileSync(join(tools, 'python3'), '#!/bin/sh\nexit 127\n', { mode: 0o755 });
    const message = refused(await scene.run(), 'E_TOOL_VERSION');
    expect(message).toMatch(
      /sqlite3 3\.26\.0 .* on the host cannot be kept from .*Install sqlite3 3\.31 or newer, or Python 3\.7/,
    );
    await nothingLeft(scene);
  });
});
