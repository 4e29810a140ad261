import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { expectBackup } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import {
  type BankBooks,
  booksOf,
  closeBank,
  definitionsOf,
  drop,
  recover,
  rowsOf,
  rowsTold,
  startBank,
  startPostgresScene,
} from '../helpers/postgres-backups.js';
import { bigTable, type Contents, contentsOf, fillSample } from '../helpers/postgres-sample.js';
import { sample } from '../helpers/sample.js';
import { reportOf, type Scene } from '../helpers/scene.js';

let server: Postgres;
let scene: Scene;
let bare: Scene;
/** Of what nobody writes. */
let contents: Contents;
beforeAll(async () => {
  server = await startPostgres();
  await fillSample(server, 'shop');
  await bigTable(server, 'shop', 4);
  contents = await contentsOf(server, 'shop');
  scene = await startPostgresScene(server, 'shop');
  bare = await startPostgresScene(server, 'shop', { sshd: { wrapper: withoutCommands(['zstd', 'pigz']) } });
});
afterAll(async () => {
  await scene.stop();
  await bare.stop();
  await server.remove();
});

/** The restored copy has all that the source had in the snapshot of the backup, and the manifest says so. */
async function expectRestored(from: Scene, id: string): Promise<BankBooks | null> {
  const copy = `restored ${id}`;
  expect(await recover(server, from, id, copy)).toContain(`${from.manifest(id).file}: OK`);
  expect(await rowsOf(server, copy)).toEqual(rowsTold(from, id));
  const restored = await contentsOf(server, copy);
  expect(restored.sequences).toEqual(contents.sequences);
  expect(restored.tables).toMatchObject(contents.tables);
  expect(restored.largeObjects).toMatchObject(contents.largeObjects);
  expect(await definitionsOf(server, copy)).toBe(await definitionsOf(server, 'shop'));
  const content = from.manifest(id).content;
  expect(content).toMatchObject({ largeObjects: Object.keys(restored.largeObjects).length });
  const books = restored.tables['bank.transfers'] === undefined ? null : await booksOf(server, copy);
  await drop(server, copy);
  return books;
}

const FORMATS: [inputs: Record<string, string>, ending: string][] = [
  [{ 'dump-format': 'custom' }, '.dump.zst'],
  [{ 'dump-format': 'directory', jobs: '1' }, '.tar.zst'],
  [{ 'dump-format': 'directory', jobs: '3' }, '.tar.zst'],
  [{ 'dump-format': 'directory', jobs: 'auto' }, '.tar.zst'],
  [{ 'dump-format': 'plain' }, '.sql.zst'],
];

test.each(sample(FORMATS, 3))(
  '%j: one snapshot of a database that is being written to, proven and told',
  async (inputs, ending) => {
    const bank = await startBank(server, 'shop');
    const before = await bank.committed();
    // each time it begins anew with fewer transfers
    const result = await scene.run({ ...inputs, 'row-loss-limit': 'none' });
    const after = await bank.committed();
    await bank.stop();
    const id = expectBackup(result);
    expect(result.annotations).toEqual([]);

    const file = `${id}${ending}`;
    const manifest = scene.manifest(id);
    expect(scene.files().filter((name) => name.startsWith(id))).toEqual([`${id}.json`, file, `${file}.sha256`].sort());
    execFileSync('sha256sum', ['-c', '--strict', `${file}.sha256`], { cwd: scene.directory });
    expect(manifest).toMatchObject({ file, kind: ending.split('.')[1], compression: 'zstd' });

    const books = await expectRestored(scene, id);
    expect(books).toMatchObject({ money: 100_000, moved: books?.gained, found: books?.receipts });
    expect(books?.transfers).toBeGreaterThanOrEqual(before);
    expect(books?.transfers).toBeLessThanOrEqual(after);
    expect(after).toBeGreaterThan(before);
    await closeBank(server, 'shop');
    await nothingLeft(scene);
  },
);

test('the manifest says what it is, of which server, and made by what', async () => {
  const result = await scene.run();
  const id = expectBackup(result);
  const manifest = scene.manifest(id);
  const control = systemIdentifierOf(server);
  const [version, bytes] = (
    await server.sql('shop', "SELECT current_setting('server_version'), pg_database_size('shop')")
  ).split('|');
  const file = `${id}.dump.zst`;
  expect(manifest).toMatchObject({
    engine: 'postgres',
    name: 'shop',
    host: hostname(),
    database: `postgresql://admin@127.0.0.1:${server.port}/shop`,
    identity: { database: 'shop', systemIdentifier: control },
    bytes: statSync(join(scene.directory, file)).size,
    sha256: execFileSync('sha256sum', [join(scene.directory, file)], { encoding: 'utf8' }).slice(0, 64),
    tools: {
      PostgreSQL: version,
      pg_dump: expect.stringMatching(/^pg_dump \(PostgreSQL\) \d+/),
      zstd: expect.stringContaining('v1.'),
    },
    verified: { level: 'content' },
  });
  // the catalogue grows a little by what is read there
  expect(Math.abs(manifest.databaseBytes - Number(bytes))).toBeLessThan(1_000_000);
  expect(result.outputs).toMatchObject({
    'backup-path': join(scene.directory, file),
    sha256: manifest.sha256,
    bytes: String(manifest.bytes),
    'database-bytes': String(manifest.databaseBytes),
    'created-at': manifest.createdAt,
    'duration-ms': String(manifest.durationMs),
    'verified-level': 'content',
  });
  const report = reportOf(result);
  expect(report).toMatchObject({ ok: true, recovery: manifest.recovery, tables: manifest.content?.tables });
  for (const line of manifest.recovery) expect(result.summary).toContain(line);
  expect(readFileSync(join(scene.directory, `${file}.sha256`), 'utf8')).toBe(`${manifest.sha256}  ${file}\n`);
  expect(JSON.parse(readFileSync(join(scene.directory, 'status.json'), 'utf8'))).toMatchObject({
    ok: true,
    backup: { id },
  });
});

describe('compression', () => {
  const first = (file: string) => readFileSync(file).subarray(0, 5).toString('latin1');

  test.each(
    sample(
      [
        ['custom', 'gzip', '.dump.gz'],
        ['custom', 'none', '.dump'],
        ['directory', 'gzip', '.tar.gz'],
        ['directory', 'none', '.tar'],
        ['plain', 'gzip', '.sql.gz'],
        ['plain', 'none', '.sql'],
      ],
      3,
    ),
  )('%s with %s', async (format, compression, ending) => {
    const id = expectBackup(await scene.run({ 'dump-format': format, compression }));
    expect(scene.manifest(id)).toMatchObject({ file: `${id}${ending}`, compression });
    expect(Object.keys(scene.manifest(id).tools)).toEqual(
      expect.arrayContaining(compression === 'gzip' ? ['pigz'] : []),
    );
    await expectRestored(scene, id);
  });

  test.each([
    // compressed inside, so that pg_restore reads it as it is
    [{}, '.dump', 'none', 'PGDMP'],
    [{ compression: 'gzip' }, '.dump.gz', 'gzip', '\x1f\x8b'],
    [{ 'dump-format': 'directory' }, '.tar.gz', 'gzip', '\x1f\x8b'],
    [{ 'dump-format': 'plain' }, '.sql.gz', 'gzip', '\x1f\x8b'],
  ])('on a host that has neither zstd nor pigz: %j', async (inputs, ending, compression, begins) => {
    const id = expectBackup(await bare.run(inputs));
    const manifest = bare.manifest(id);
    const file = join(bare.directory, manifest.file);
    expect(manifest).toMatchObject({ file: `${id}${ending}`, compression });
    expect(first(file).slice(0, begins.length)).toBe(begins);
    if (ending === '.dump') {
      const listed = execFileSync(join(server.clientDirectory, 'pg_restore'), ['-l', file], { encoding: 'utf8' });
      expect(listed).toMatch(/; {5}Compression: (?:gzip|[1-9])/);
      expect(manifest.bytes).toBeLessThan(manifest.databaseBytes / 2);
    } else expect(manifest.tools).toHaveProperty('gzip');
    await expectRestored(bare, id);
    await nothingLeft(bare);
  });
});

function systemIdentifierOf({ binDirectory, dataDirectory }: Postgres): string | undefined {
  const said = execFileSync(join(binDirectory, 'pg_controldata'), [dataDirectory], {
    encoding: 'utf8',
    env: { LC_ALL: 'C' },
  });
  return /system identifier: +(\d+)/.exec(said)?.[1];
}

test.each(['custom', 'plain', 'directory'])(
  'in the format %s the commands around the dump are run around it',
  async (format) => {
    await server.createDatabase('hooked');
    await server.sql('hooked', 'CREATE TABLE hooked (word text)');
    const database = server.uri({ database: 'hooked' });
    const add = (word: string) => `psql -qX '${database}' -c "INSERT INTO hooked VALUES ('${word}')"`;
    const hooks = {
      'before-command': add('before'),
      'after-command': `${add('after')}; ls db-backups | grep -c hooked || true`,
    };
    const result = await scene.run({ database, 'dump-format': format, ...hooks });
    const id = expectBackup(result);
    expect(scene.manifest(id).content?.tables).toEqual([{ name: 'public.hooked', rows: 1 }]);
    expect(await server.sql('hooked', 'SELECT word FROM hooked')).toBe('before\nafter');
    expect(result.visible).toMatch(/\nrunning after-command\n(.*\n)* {2}0\n/);
    for (const name of scene.files().filter((one) => one.startsWith('hooked-'))) rmSync(join(scene.directory, name));
    await server.sql('postgres', 'DROP DATABASE hooked');
    await nothingLeft(scene);
  },
);
