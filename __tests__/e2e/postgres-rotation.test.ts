import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newestFirst } from '../../src/backups/retention.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { backupsIn, nothingLeft } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { drop, recover, rowsTold, startPostgresScene } from '../helpers/postgres-backups.js';
import { bigTable } from '../helpers/postgres-sample.js';
import { sample } from '../helpers/sample.js';
import { reportOf, type Scene } from '../helpers/scene.js';
import { listing } from '../helpers/seed.js';

/** What a command that did its work must look like: green, and the gate closed all the same. */
const done = { code: 0, outputs: { 'error-code': '', 'backup-ok': 'false' }, legacyOutputs: [], fileErrors: [] };

let server: Postgres;
/** Another server with a database of the same name. */
let other: Postgres;
let scene: Scene;
beforeAll(async () => {
  [server, other] = await Promise.all([startPostgres(), startPostgres()]);
  for (const one of [server, other]) {
    await one.createDatabase('shop');
    await one.sql('shop', 'CREATE TABLE t AS SELECT 1 AS one');
  }
  scene = await startPostgresScene(server, 'shop');
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
  await other.remove();
});

const unit = (id: string, file: string) => [`${id}.json`, `${id}${file}`, `${id}${file}.sha256`];

const LEFT_ALONE =
  'here it is never counted and never deleted. If two databases share a directory, give each its own `name`.';

describe('a directory shared with a database of the same name on another server, and with a SQLite database', () => {
  const directory = 'shared';
  const path = () => join(scene.user.home, directory);
  const run = (inputs: Record<string, string>) => scene.run({ directory, ...inputs });
  const manifest = (id: string) => JSON.parse(readFileSync(join(path(), `${id}.json`), 'utf8'));
  let elsewhere: string;
  let sqlite: string;
  let own: string[];
  /** Newest first; which of two of the same second that is, the random ends of their names decide. */
  const foreign = () =>
    [sqlite, elsewhere]
      .map((id) => ({ id, createdAt: new Date(manifest(id).createdAt) }))
      .sort(newestFirst)
      .map(({ id }) => id);
  beforeAll(async () => {
    elsewhere = expectBackup(await run({ database: other.uri({ database: 'shop' }) }));
    sqlite = expectBackup(await run({ database: scene.database, name: 'shop' }));
    own = [expectBackup(await run({ keep: '2' })), expectBackup(await run({ keep: '2' }))];
  });

  test('the rotation counts and deletes those of this server alone', async () => {
    const result = await run({ keep: '2' });
    const id = expectBackup(result);
    expect(result.outputs).toMatchObject({ kept: '2', deleted: '1' });
    expect(result.visible).toContain(`delete ${own[0]}: no rule keeps it`);
    own = [own[1] ?? '', id];
    expect(Object.keys(backupsIn(path()))).toEqual(
      [
        ...unit(elsewhere, '.dump.zst'),
        ...unit(sqlite, '.sqlite.zst'),
        ...own.flatMap((one) => unit(one, '.dump.zst')),
      ].sort(),
    );
    const { systemIdentifier } = manifest(elsewhere).identity;
    expect(systemIdentifier).not.toBe(manifest(id).identity.systemIdentifier);
    const databases = {
      [sqlite]: `"${scene.database}"`,
      [elsewhere]: `"shop" of the server with the system identifier ${systemIdentifier}`,
    };
    expect(result.annotations.map(({ message }) => message)).toEqual(
      foreign().map((one) => `E_MANIFEST: ${one} belongs to another database, ${databases[one]}; ${LEFT_ALONE}`),
    );
  });

  test('list, pin, prune, unpin and delete need no server, and touch only what is of this one', async () => {
    await server.stop();
    const [older = '', newer = ''] = own;
    const list = await run({ command: 'list' });
    expect(list).toMatchObject(done);
    expect(reportOf(list).backups.map(({ id }) => id)).toEqual([newer, older]);
    expect(list.annotations.map(({ message }) => message)).toEqual(
      foreign().map((one) => expect.stringContaining(`${one} belongs to another database`)),
    );

    expect(await run({ command: 'pin', backup: older, pin: 'audit' })).toMatchObject(done);
    expect(manifest(older).pinned).toMatchObject({ reason: 'audit' });
    const prune = await run({ command: 'prune', keep: '1', 'keep-made-under': 'false' });
    expect(prune).toMatchObject({ ...done, outputs: { ...done.outputs, kept: '2', deleted: '0' } });
    expect(await run({ command: 'unpin', backup: older })).toMatchObject(done);
    expect(manifest(older).pinned).toBeNull();
    const again = await run({ command: 'prune', keep: '1', 'keep-made-under': 'false' });
    expect(again).toMatchObject({ ...done, outputs: { ...done.outputs, kept: '1', deleted: '1' } });

    expectFailure(await run({ command: 'delete', backup: elsewhere }), 'E_NOT_FOUND', elsewhere);
    expectFailure(await run({ command: 'delete', backup: newer }), 'E_POLICY', `${newer} is the last verified backup`);
    const young = await run({ 'skip-if-younger-than': '1h' });
    expect(expectBackup(young)).toBe(newer);
    expect(Object.keys(backupsIn(path()))).toEqual(
      [...unit(elsewhere, '.dump.zst'), ...unit(sqlite, '.sqlite.zst'), ...unit(newer, '.dump.zst')].sort(),
    );
    await server.start();

    const next = expectBackup(await run({}));
    const deleted = await run({ command: 'delete', backup: newer });
    expect(deleted).toMatchObject({ ...done, outputs: { ...done.outputs, kept: '1', deleted: '1' } });
    expect(Object.keys(backupsIn(path())).filter((name) => name.startsWith(newer))).toEqual([]);
    own = [next];
  });

  test('seen from the other server it is the other way round', async () => {
    const result = await run({ database: other.uri({ database: 'shop' }), keep: '1', 'keep-made-under': 'false' });
    const id = expectBackup(result);
    expect(result.visible).toContain(`deleted ${elsewhere}.json`);
    expect(Object.keys(backupsIn(path()))).toEqual(
      [
        ...unit(id, '.dump.zst'),
        ...unit(sqlite, '.sqlite.zst'),
        ...own.flatMap((one) => unit(one, '.dump.zst')),
      ].sort(),
    );
    await nothingLeft(scene);
  });
});

test('dry-run tells what would be, and writes nothing, neither there nor in the database', async () => {
  const before = listing(scene.user.home);
  const state = () => server.sql('shop', 'SELECT pg_current_wal_insert_lsn(), count(*) FROM pg_class');
  const look = () => scene.run({ 'dry-run': 'true', 'dump-format': 'directory', directory: 'not/there' });
  let was = await state();
  let result = await look();
  // the server itself may write something in between, now and then
  for (let left = 2; left > 0 && (await state()) !== was; left--) {
    was = await state();
    result = await look();
  }
  expect(result).toMatchObject(done);
  expect(result.visible).toMatch(
    /would copy the database shop of PostgreSQL \d+.* with pg_dump \(PostgreSQL\) \d+.*compress it with zstd, into \S+\/not\/there/,
  );
  expect(reportOf(result)).toMatchObject({ dryRun: true, ok: true, backup: null });
  expect(listing(scene.user.home)).toEqual(before);
  expect(await state()).toBe(was);
  await nothingLeft(scene);
});

test('a database that has lost most of what it held: E_SHRUNK, with everything kept', async () => {
  await server.createDatabase('big');
  await bigTable(server, 'big', 16);
  const inputs = { database: server.uri({ database: 'big' }), keep: '1', compression: 'none' };
  const first = expectBackup(await scene.run(inputs));
  await server.sql('big', 'TRUNCATE big');
  const result = await scene.run(inputs);
  expectFailure(result, 'E_SHRUNK', 'shrink-limit', 'The backup is marked as suspect', 'no good one was deleted');
  expect(scene.files()).toEqual(expect.arrayContaining([`${first}.json`, `${result.outputs['backup-id']}.json`]));
  expectBackup(await scene.run({ ...inputs, 'shrink-limit': 'none' }));
  expect(scene.files()).not.toContain(`${first}.json`);
});

describe('a database that holds nothing', () => {
  const inputs = () => ({ database: server.uri({ database: 'void' }) });
  beforeAll(() => server.createDatabase('void'));

  test.each(
    sample(
      [
        ['content', 'custom'],
        ['content', 'directory'],
        ['checksum', 'plain'],
      ],
      2,
    ),
  )('is E_EMPTY with verify: %s, %s, and leaves nothing', async (verify, format) => {
    const before = backupsIn(scene.directory);
    const result = await scene.run({ ...inputs(), verify, 'dump-format': format });
    expectFailure(result, 'E_EMPTY', 'of the database void to back up holds no table', 'Nothing was kept');
    expect(backupsIn(scene.directory)).toEqual(before);
    await nothingLeft(scene);
  });

  test('is none when its newest verified backup is known to be empty', async () => {
    await server.sql('void', 'CREATE TABLE t ()');
    const first = expectBackup(await scene.run(inputs()));
    await server.sql('void', 'DROP TABLE t');
    expectFailure(await scene.run(inputs()), 'E_EMPTY');
    // as of a version that took such a backup
    const file = join(scene.directory, `${first}.json`);
    const manifest = scene.manifest(first);
    writeFileSync(file, JSON.stringify({ ...manifest, content: { ...manifest.content, tables: [], objects: 0 } }));
    chownSync(file, scene.user.uid, scene.user.gid);
    const id = expectBackup(await scene.run(inputs()));
    expect(scene.manifest(id).content).toMatchObject({ objects: 0, tables: [], largeObjects: 0 });
    await recover(server, scene, id, 'copy');
    await drop(server, 'copy');
  });

  test('one large object, view or function alone is something', async () => {
    for (const make of [
      "SELECT lo_from_bytea(0, 'x')",
      'CREATE VIEW v AS SELECT 1',
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ]) {
      await server.sql('postgres', 'DROP DATABASE void');
      await server.createDatabase('void');
      await server.sql('void', make);
      const id = expectBackup(await scene.run({ ...inputs(), name: 'void-2' }));
      expect(scene.manifest(id).content).toMatchObject({ objects: 1 });
      expect(rowsTold(scene, id)).toEqual([]);
    }
  });
});

test('what pg_dump warns of becomes an annotation', async () => {
  await server.createRole('keeper', 'secret');
  await server.createDatabase('subscribed', 'OWNER keeper');
  await server.sql(
    'subscribed',
    `CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false);
     SET ROLE keeper; CREATE TABLE t AS SELECT 1 AS one`,
  );
  const database = server.uri({ user: 'keeper', password: 'secret', database: 'subscribed' });
  for (const format of sample(['custom', 'directory'], 1)) {
    const result = await scene.run({ database, 'dump-format': format, name: `subscribed-${format}` });
    expectBackup(result);
    expect(result.annotations).toEqual([
      expect.objectContaining({
        level: 'warning',
        message: expect.stringMatching(/pg_dump: warning: subscriptions not dumped because .* not a superuser/),
      }),
    ]);
    expect(reportOf(result).problems).toHaveLength(1);
  }
  await server.sql('subscribed', 'ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s');
});
