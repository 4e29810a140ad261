import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';
import { type PostgresContainer, startPostgresContainer } from '../helpers/container.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type Postgres, quoteIdentifier, startPostgres } from '../helpers/postgres.js';
import { definitionsOf, drop, startPostgresScene } from '../helpers/postgres-backups.js';
import { holdSession } from '../helpers/postgres-faults.js';
import { expectNothingLeft, expectRestored, propertiesOf } from '../helpers/postgres-restores.js';
import { bigTable, contentsOf, fillSample } from '../helpers/postgres-sample.js';
import { sampleArgv } from '../helpers/processes.js';
import type { ActionResult } from '../helpers/run-action.js';
import { inTurn, SWEEP, sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

type Inputs = Record<string, string>;
const FORMATS = ['custom', 'directory', 'plain'] as const;

let server: Postgres;
let scene: Scene;
/** What the backups of `shop` hold. */
let good: { contents: unknown; definitions: string; properties: unknown };

beforeAll(async () => {
  server = await startPostgres();
  await fillSample(server, 'shop');
  await server.sql(
    'postgres',
    `ALTER DATABASE shop CONNECTION LIMIT 90; REVOKE TEMPORARY ON DATABASE shop FROM PUBLIC`,
  );
  good = await stateOf('shop');
  scene = await startPostgresScene(server, 'shop');
  for (const format of FORMATS) expectBackup(await scene.run({ directory: backups(format), 'dump-format': format }));
});
afterAll(async () => {
  await scene?.stop();
  await server?.remove();
});

const backups = (format: string): string => join(scene.user.home, format);
const restore = (inputs: Inputs = {}): Promise<ActionResult> =>
  scene.run({ command: 'restore', confirm: 'shop', 'safety-backup': 'false', directory: backups('custom'), ...inputs });

async function stateOf(database: string): Promise<typeof good> {
  const [contents, definitions, properties] = await Promise.all([
    contentsOf(server, database),
    definitionsOf(server, database),
    propertiesOf(server, database),
  ]);
  return { contents, definitions, properties };
}

/** As an application does: each second try of one of them may fail, and it comes again. */
function startClients(database: string) {
  let [failed, done, going] = [0, 0, true];
  const one = async (): Promise<void> => {
    while (going) {
      await server.sql(database, "UPDATE shop.customers SET name = name || '+' WHERE id = 100").then(
        () => done++,
        () => failed++,
      );
    }
  };
  const clients = Promise.all([one(), one()]);
  return {
    async stop() {
      going = false;
      await clients;
      return { failed, done };
    },
  };
}

describe.each(FORMATS)('a backup in the format %s', (format) => {
  // the format directory is restored through sudo, below
  const test = inTurn(['custom', 'plain'], format);

  test('takes the place of the live database, while clients are connected and write', async () => {
    await server.sql(
      'shop',
      `CREATE TABLE shop.newer (id integer REFERENCES shop.customers);
       ALTER TABLE shop.customers ADD COLUMN newer text DEFAULT 'x';
       DELETE FROM shop.orders; SELECT lo_unlink(4711); SELECT nextval('shop.receipts'); DROP VIEW shop.paid CASCADE;
       CREATE SCHEMA newer; CREATE EXTENSION hstore SCHEMA newer;`,
    );
    const clients = startClients('shop');
    await using idle = await holdSession(server, 'shop', 'INSERT INTO shop.newer VALUES (NULL)');
    const argv = sampleArgv(5);
    const result = await restore({ directory: backups(format), 'dump-format': format, 'safety-backup': 'true' });
    const { done } = await clients.stop();
    await expectRestored(scene, server, result, backups(format));
    expect(done).toBeGreaterThan(2);
    const ours = argv.stop().filter((line) => /dbname=/.test(line));
    expect(ours).not.toEqual([]);
    for (const line of ours) expect(line).not.toContain(server.adminPassword);
    // what they write after the swap is there
    await server.sql('shop', "UPDATE shop.customers SET name = rtrim(name, '+') WHERE id = 100");
    await server.sql('shop', `DELETE FROM shop.changes WHERE id > 101`);
    const { contents, definitions, properties } = await stateOf('shop');
    expect(properties).toEqual(good.properties);
    expect(definitions).toBe(good.definitions);
    const [tables, all] = [contents, good.contents].map((one) => (one as { tables: Record<string, unknown> }).tables);
    expect(Object.keys(tables ?? {})).toEqual(Object.keys(all ?? {}));
    const { plan, outcome } = reportOf(result).restore ?? {};
    expect(outcome).toBe('restored');
    expect(plan).toMatchObject({ state: 'sound', way: 'swap' });
    expect(plan?.users.join()).toMatch(/admin from 127\.0\.0\.1, psql, idle in transaction/);
    expect(plan?.differences).toEqual(['shop.newer is not in the backup, and will be gone']);
    await idle.release();
  });

  test('makes a database that is not there, with owner, grants, settings and comment', async () => {
    await drop(server, 'shop');
    const result = await restore({ directory: backups(format), 'safety-backup': 'true' });
    await expectRestored(scene, server, result, backups(format));
    expect(await stateOf('shop')).toEqual(good);
    expect(result.outputs['safety-backup-id']).toBe('');
    expect(reportOf(result).restore?.plan).toMatchObject({ state: 'missing', way: 'create' });
  });
});

test('after a check that fails all is as it was, and clients may connect', async () => {
  await server.sql('shop', 'CREATE TABLE shop.newer AS SELECT 7 AS i');
  const before = await stateOf('shop');
  const result = await restore({ 'check-command': 'echo no; false' });
  expect(result.outputs).toMatchObject({ 'error-code': 'E_ROLLED_BACK', 'restore-outcome': 'rolled-back' });
  expect(await stateOf('shop')).toEqual(before);
  await server.sql('shop', 'DROP TABLE shop.newer');
  await expectNothingLeft(scene, server, backups('custom'));
});

describe('names of databases', () => {
  test.each(sample(['-we"ird \'na\\\\me äöü 漢字', 'x=y', 'postgres'], 2))('%s', async (name) => {
    const to = { 'restore-to': server.uri({ database: name }), confirm: name, 'allow-other-target': 'true' };
    if (name !== 'postgres') {
      await expectRestored(scene, server, await restore(to), backups('custom'));
      expect(await contentsOf(server, name)).toEqual(good.contents);
    }
    const wanted = name === 'postgres' ? 'template1' : 'postgres';
    await server.sql(name, 'CREATE TABLE newer ()');
    await expectRestored(scene, server, await restore(to), backups('custom'));
    expect((await contentsOf(server, name)).tables).toEqual((good.contents as { tables: unknown }).tables);
    await server.sql(wanted, `DROP DATABASE ${quoteIdentifier(name)} WITH (FORCE)`);
    if (name === 'postgres') await server.sql('template1', 'CREATE DATABASE postgres TEMPLATE template0');
  });

  test('encoding, locale and tablespace are those of the live database', async () => {
    const folder = join(server.dataDirectory, '../space');
    mkdirSync(folder);
    execFileSync('chown', ['postgres', folder]);
    await server.sql('postgres', `CREATE TABLESPACE odd LOCATION '${folder}'`);
    for (const [name, clauses] of Object.entries({
      latin: "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' TABLESPACE odd",
      icu: "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' LOCALE 'C.UTF-8'",
    })) {
      await server.createDatabase(name, clauses);
      await server.sql(name, "CREATE TABLE t AS SELECT 'ä' AS t");
      const [database, directory] = [server.uri({ database: name }), join(scene.user.home, name)];
      expectBackup(await scene.run({ database, directory, name }));
      const before = await stateOf(name);
      await server.sql(name, 'DELETE FROM t');
      await expectRestored(scene, server, await restore({ database, directory, name, confirm: name }), directory);
      expect(await stateOf(name)).toEqual(before);
      await drop(server, name);
    }
    await server.sql('postgres', 'DROP TABLESPACE odd');
  });
});

describe('what can not be restored changes nothing', () => {
  let before: typeof good;
  beforeAll(async () => {
    before = await stateOf('shop');
  });
  afterEach(async () => {
    expect(await stateOf('shop')).toEqual(before);
    await expectNothingLeft(scene, server, backups('custom'));
  });

  /** A backup whose payload is this, in a directory of its own. */
  function forged(format: string, change: (payload: Buffer) => Buffer, told: Partial<Manifest> | null = {}): Inputs {
    const directory = join(scene.user.home, `forged-${Math.random()}`);
    const from = backups(format);
    execFileSync('cp', ['-a', from, directory]);
    const name = execFileSync('sh', ['-c', `ls ${directory}/*.json | grep -v status | head -n 1`], {
      encoding: 'utf8',
    });
    const manifest = JSON.parse(readFileSync(name.trim(), 'utf8')) as Manifest;
    const file = join(directory, manifest.file);
    const payload = change(readFileSync(file));
    writeFileSync(file, payload);
    if (told !== null) {
      const sha256 = createHash('sha256').update(payload).digest('hex');
      writeFileSync(`${file}.sha256`, `${sha256}  ${manifest.file}\n`);
      writeFileSync(name.trim(), JSON.stringify({ ...manifest, bytes: payload.length, sha256, ...told }));
    }
    return { directory, backup: manifest.id };
  }
  const script = (change: (text: string) => string) => (payload: Buffer) =>
    zstdCompressSync(change(zstdDecompressSync(payload).toString('utf8')));

  test('a byte that is another one is found before any tool reads the file', async () => {
    const seen = server.log().length;
    const inputs = forged('custom', (payload) => Buffer.concat([payload.subarray(0, -1), Buffer.from([7])]), null);
    expectFailure(await restore(inputs), 'E_CHECKSUM', /the SHA-256 of .* the manifest says/);
    expect(server.log().slice(seen)).not.toContain('db-backup');
    expect(server.log().slice(seen)).not.toMatch(/user=admin|connection authorized: user=admin/);
  });

  test('a role that is not on the server is named', async () => {
    await server.sql('postgres', 'CREATE ROLE "gone role"; CREATE DATABASE gone');
    await server.sql('gone', 'CREATE TABLE t (); ALTER TABLE t OWNER TO "gone role"');
    const [database, directory] = [server.uri({ database: 'gone' }), join(scene.user.home, 'gone')];
    expectBackup(await scene.run({ database, directory }));
    await server.sql('gone', 'ALTER TABLE t OWNER TO postgres; DROP ROLE "gone role"');
    const message = expectFailure(await restore({ database, directory, confirm: 'gone' }), 'E_RESTORE');
    expect(message).toMatch(
      /role "gone role" does not exist.*`content\.roles` in the manifest.*The live database is as it was/s,
    );
    await drop(server, 'gone');
  });

  test('a plain dump can not run commands of psql', async () => {
    const file = join(scene.user.home, 'pwned');
    for (const [nth, line] of [`\\! touch ${file}`, '\\connect postgres', `SELECT 1 \\! touch ${file}`].entries()) {
      const befores = ['', '\\restrict x\n\\unrestrict x\n'];
      for (const before of SWEEP ? befores : befores.slice(nth % 2, (nth % 2) + 1)) {
        const inputs = forged(
          'plain',
          script((text) => text.replace(/^SET statement_timeout/m, `${before}${line}\nSET statement_timeout`)),
        );
        const message = expectFailure(
          await restore(inputs),
          'E_RESTORE',
          /backslash commands are restricted|unrestrict: wrong key/,
        );
        expect(message).toContain('The script contains psql commands');
      }
    }
    expect(existsSync(file)).toBe(false);
  });

  test('a plain dump that ends too early', async () => {
    const cut = (text: string) => text.slice(0, text.lastIndexOf('\nCREATE INDEX'));
    expectFailure(await restore(forged('plain', script(cut))), 'E_RESTORE', /missing at its end.*cut off/);
  });

  test('other rows than the manifest has', async () => {
    const less = (text: string) =>
      text.replace(/^User1@example\.com/m, 'x').replace(/^(COPY shop\.changes .*)\n.*\n/m, '$1\n');
    const inputs = forged('plain', script(less));
    expectFailure(await restore(inputs), 'E_MANIFEST', /shop\.changes has 100 rows, not 101/);
  });

  test('a hot standby', async () => {
    const standby = await server.standby();
    const to = { 'restore-to': standby.uri({ database: 'shop' }), 'allow-other-target': 'true' };
    expectFailure(await restore(to), 'E_SOURCE_INVALID', 'hot standby, which cannot be written');
    await standby.remove();
  });

  test('sessions that the role may not end', async () => {
    await server.createRole('maker', 'pw', 'CREATEDB');
    await server.createDatabase('made', 'OWNER maker');
    await server.sql('made', 'CREATE TABLE t (); ALTER TABLE t OWNER TO maker');
    const directory = join(scene.user.home, 'made');
    const inputs = {
      database: server.uri({ user: 'maker', password: 'pw', database: 'made' }),
      directory,
      'lock-wait': '1s',
    };
    expectBackup(await scene.run(inputs));
    await using busy = await holdSession(server, 'made', 'SELECT 1');
    const message = expectFailure(
      await restore({ ...inputs, confirm: 'made' }),
      'E_TARGET_BUSY',
      /may not end: admin, psql/,
    );
    expect(message).toContain('pg_signal_backend');
    const stopped = { confirm: 'made', 'stop-command': 'true', 'start-command': 'true' };
    expectFailure(await restore({ ...inputs, ...stopped }), 'E_TARGET_BUSY', /stays in use.*admin, psql/);
    expect(await server.sql('made', 'SELECT count(*) FROM t')).toBe('0');
    await busy.release();
    // nobody but its owner is left
    await expectRestored(scene, server, await restore({ ...inputs, confirm: 'made' }), directory);
  });
});

test('a large archive is loaded by several jobs', async () => {
  await server.createDatabase('large');
  await bigTable(server, 'large', 80, { rows: 'same' });
  const [database, directory] = [server.uri({ database: 'large' }), join(scene.user.home, 'large')];
  expectBackup(await scene.run({ database, directory }));
  const before = await contentsOf(server, 'large');
  await server.sql('large', 'TRUNCATE big');
  const argv = sampleArgv(5);
  const result = await restore({ database, directory, confirm: 'large', jobs: '3' });
  expect(argv.stop().some((line) => /pg_restore .*-j 3 .*unpacked/.test(line))).toBe(true);
  await expectRestored(scene, server, result, directory);
  expect(await contentsOf(server, 'large')).toEqual(before);
  await drop(server, 'large');
});

describe('run-as postgres, who is let in by peer authentication', () => {
  let sudoers: string;
  beforeAll(() => {
    sudoers = `/etc/sudoers.d/${scene.user.name}`;
    mkdirSync('/etc/sudoers.d', { recursive: true });
    const rule = `${scene.user.name} ALL=(postgres) NOPASSWD: /bin/sh -s, /usr/bin/sh -s`;
    writeFileSync(sudoers, `Defaults:${scene.user.name} !use_pty\n${rule}\n`, { mode: 0o440 });
  });
  afterAll(() => rmSync(sudoers, { force: true }));

  test.each(['directory'])('%s', async (format) => {
    await server.sql('shop', 'CREATE TABLE shop.newer ()');
    const database = `postgresql:///shop?host=${server.socketDirectory}&port=${server.port}`;
    const result = await restore({ database, 'run-as': 'postgres', directory: backups(format) });
    await expectRestored(scene, server, result, backups(format));
    expect(await stateOf('shop')).toEqual(good);
  });
});

describe('in a container', () => {
  let container: PostgresContainer;
  let host: Scene;
  beforeAll(async () => {
    container = await startPostgresContainer();
    await container.sql('postgres', 'CREATE DATABASE shop');
    await container.sql('shop', 'CREATE TABLE items AS SELECT i FROM generate_series(1, 3000) i');
    const extraConfig = `SetEnv PATH=${container.binDirectory}:/usr/local/bin:/usr/bin:/bin`;
    host = await startScene({ sshd: { extraConfig } });
  });
  afterAll(async () => {
    await host?.stop();
    await container?.stop();
  });

  test.each(['custom'])('%s', async (format) => {
    const database = 'postgresql:///shop?host=/run/postgresql';
    const directory = join(host.user.home, format);
    const inputs = { container: container.name, database, 'run-as': 'postgres', name: 'shop', directory };
    expectBackup(await host.run({ ...inputs, 'dump-format': format }));
    await container.sql('shop', 'DELETE FROM items WHERE i % 2 = 0; CREATE TABLE newer ()');
    const result = await host.run({ ...inputs, command: 'restore', confirm: 'shop', 'dump-format': format });
    expect(result.annotations.filter(({ level }) => level === 'error')).toEqual([]);
    expect(result.outputs['restore-outcome']).toBe('restored');
    expect(await container.sql('shop', 'SELECT count(*) FROM items')).toBe('3000');
    const databases = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate";
    expect(await container.sql('postgres', databases)).toBe('postgres shop');
  });
});
