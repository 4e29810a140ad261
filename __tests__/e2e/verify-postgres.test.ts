import { createHash } from 'node:crypto';
import { chownSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../src/backups/manifest.js';

import { type PostgresContainer, startPostgresContainer } from '../helpers/container.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft, temporaryFolders } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { bigTable, fillSample } from '../helpers/postgres-sample.js';
import { comesTrue } from '../helpers/postgres-waiting.js';
import { type ProcessInfo, processesOfUser, sampleArgv } from '../helpers/processes.js';
import { startProxy } from '../helpers/proxy.js';
import type { ActionResult } from '../helpers/run-action.js';
import { inTurn, sample } from '../helpers/sample.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

type Inputs = Record<string, string>;
const FORMATS = ['custom', 'directory', 'plain'] as const;
type Format = (typeof FORMATS)[number];
const LEVELS = ['checksum', 'content', 'restore'] as const;
const done = { code: 0, outputs: { 'error-code': '', 'backup-ok': 'true' }, legacyOutputs: [], fileErrors: [] };

let server: Postgres;
/** Another one, where the rehearsal may be as well. */
let spare: Postgres;
let scene: Scene;
/** A good backup of the database `shop` in each format: directory and id. */
const good = {} as Record<Format, { directory: string; id: string }>;

beforeAll(async () => {
  [server, spare] = await Promise.all([startPostgres(), startPostgres()]);
  await fillSample(server, 'shop', 'postgres');
  scene = await startPostgresScene(server, 'shop', { transport: 'ssh' });
  for (const format of FORMATS) {
    const directory = join(scene.user.home, format);
    const result = await scene.run({ directory, 'dump-format': format, verify: 'restore' });
    good[format] = { directory, id: expectBackup(result) };
    expect(result.outputs['verified-level']).toBe('restore');
    expect(manifestIn(directory).verified.level).toBe('restore');
  }
});
afterAll(async () => {
  await scene?.stop();
  await Promise.all([server?.remove(), spare?.remove()]);
});
afterEach(() => nothingOfTheRehearsal());

function manifestIn(directory: string): Manifest {
  const [name = ''] = readdirSync(directory).filter((one) => one.endsWith('.json') && one !== 'status.json');
  return JSON.parse(readFileSync(join(directory, name), 'utf8')) as Manifest;
}

describe('of more than 64 MiB, which several jobs load from a file', () => {
  beforeAll(async () => {
    await server.createDatabase('large');
    await bigTable(server, 'large', 80, { rows: 'same' });
  });

  test.each(sample(FORMATS, 1))('in the format %s: proven at once, and later', async (format) => {
    const inputs = { database: server.uri({ database: 'large' }), name: 'large', 'idle-timeout': '60s', jobs: '2' };
    const result = await scene.run({ ...inputs, 'dump-format': format, verify: 'restore' });
    expect(scene.manifest(expectBackup(result)).verified.level).toBe('restore');
    expect(result.outputs['database-bytes']).toMatch(/^\d{8,}$/);
    expect(Number(result.outputs['database-bytes'])).toBeGreaterThan(64 << 20);
    expect(await scene.run({ ...inputs, command: 'verify', verify: 'restore' })).toMatchObject(done);
  });
});

/** A copy of the good backup of that format, in a directory of its own. */
let copies = 0;
function stored(format: Format): string {
  const directory = join(scene.user.home, `stored-${++copies}`);
  cpSync(good[format].directory, directory, { recursive: true, preserveTimestamps: true });
  own(directory);
  return directory;
}

function own(path: string): void {
  const { uid, gid } = scene.user;
  // of the folder and all in it, as the login user has it
  for (const name of ['', ...(readdirSync(path, { recursive: true }) as string[])])
    chownSync(join(path, name), uid, gid);
}

/** Changes the payload and everything that tells of its bytes. */
function replace(directory: string, payload: Buffer, change: Partial<Manifest> = {}): void {
  const sha256 = createHash('sha256').update(payload).digest('hex');
  const manifest = { ...manifestIn(directory), bytes: payload.length, sha256, ...change };
  writeFileSync(join(directory, manifest.file), payload);
  writeFileSync(join(directory, `${manifest.file}.sha256`), `${sha256}  ${manifest.file}\n`);
  writeFileSync(join(directory, `${manifest.id}.json`), JSON.stringify(manifest));
}

const verify = (directory: string, inputs: Inputs = {}): Promise<ActionResult> =>
  scene.run({ command: 'verify', verify: 'restore', directory, ...inputs });

const scratches = (on: Postgres) =>
  on.sql('postgres', "SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE 'db_backup_check%'");

/** Waits until neither a database nor a session nor a process nor a folder of a rehearsal is left. */
async function nothingOfTheRehearsal(): Promise<void> {
  await nothingLeft(scene);
  for (const end = Date.now() + 20_000; ; await sleep(200)) {
    const left: Record<string, unknown> = { folders: temporaryFolders(scene.user.uid) };
    for (const [name, one] of Object.entries({ server, spare })) {
      left[name] = [await scratches(one), ...(await one.backendPids())];
    }
    const none = { folders: [], server: [''], spare: [''] };
    if (JSON.stringify(left) === JSON.stringify(none)) return;
    if (Date.now() > end) expect(left).toEqual(none);
  }
}

describe.each(FORMATS)('a backup in the format %s', (format) => {
  const test = inTurn(FORMATS, format);

  test.each(LEVELS)('passes %s, which its manifest tells', async (level) => {
    const directory = stored(format);
    const manifest = manifestIn(directory);
    replace(directory, readFileSync(join(directory, manifest.file)), {
      verified: { level: 'checksum', at: '2026-11-01T00:00:00Z' },
    });
    const result = await verify(directory, { verify: level, assert: level === 'restore' ? 'SELECT true, 0' : '' });
    expect(result).toMatchObject(done);
    expect(result.annotations).toEqual([]);
    expect(result.outputs).toMatchObject({ 'backup-id': good[format].id, 'verified-level': level });
    const { verified, ...rest } = manifestIn(directory);
    expect(verified).toMatchObject({ level, at: expect.any(String) });
    expect(verified.ms !== undefined).toBe(level === 'restore');
    expect(manifest).toMatchObject(rest);
    const list = await scene.run({ command: 'list', directory });
    expect(reportOf(list).backups).toMatchObject([{ state: 'ok', verifiedLevel: level }]);
  });

  test('each assertion is asked in the restored copy', async () => {
    const directory = stored(format);
    const before = manifestIn(directory);
    const assert = [
      'SELECT count(*) = 200, 7 FROM shop.customers',
      'SELECT count(*) FROM shop.orders',
      "SELECT current_database() LIKE 'db_backup_check_%'",
      'SELECT false',
      'SELECT NULL',
      'SELECT 1 FROM nowhere',
    ];
    const message = expectFailure(await verify(directory, { assert: assert.join('\n') }), 'E_ASSERT');
    expect(message).toMatch(
      /3 of 6 .*: SELECT false returned f; SELECT NULL returned \(nothing\); SELECT 1 FROM nowhere failed: .*"nowhere" does not exist/,
    );
    expect(manifestIn(directory)).toEqual(before);
  });

  test('the bytes are looked at first, at each level', async () => {
    for (const level of LEVELS) {
      const directory = stored(format);
      const file = join(directory, manifestIn(directory).file);
      const bytes = readFileSync(file);
      const at = Math.floor(Math.random() * bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(file, bytes);
      expectFailure(
        await verify(directory, { verify: level }),
        'E_CHECKSUM',
        /the SHA-256 of .* but the manifest says/,
      );
      expect(manifestIn(directory).verified.level).toBe('none');
      writeFileSync(file, bytes.subarray(0, at));
      expectFailure(await verify(directory, { verify: level }), 'E_CHECKSUM', /bytes, but the manifest says/);
    }
  });

  test('of an empty database, where all checksums fit: E_MANIFEST', async () => {
    await server.createDatabase(`empty_${format}`);
    await server.sql(`empty_${format}`, 'CREATE VIEW v AS SELECT 1');
    const from = join(scene.user.home, `empty-${format}`);
    const database = server.uri({ database: `empty_${format}` });
    expectBackup(await scene.run({ directory: from, database, 'dump-format': format }));
    const payload = readFileSync(join(from, manifestIn(from).file));
    for (const level of ['content', 'restore']) {
      const directory = stored(format);
      replace(directory, payload);
      const message = expectFailure(await verify(directory, { verify: level }), 'E_MANIFEST');
      expect(message).toMatch(/holds the data of 0 tables, but the manifest names \d+/);
      expect(manifestIn(directory).verified.level).toBe('none');
    }
  });

  test('with other rows than its manifest has: E_MANIFEST', async () => {
    const directory = stored(format);
    const { content, file } = manifestIn(directory);
    for (const table of content?.tables ?? []) if (table.name === 'shop.customers') table.rows = 199;
    replace(directory, readFileSync(join(directory, file)), { content });
    const message = expectFailure(await verify(directory), 'E_MANIFEST');
    expect(message).toContain('the restored copy differs from the manifest: shop.customers has 200 rows, not 199');
  });

  test('needs no server at the level content', async () => {
    const database = 'postgresql://nobody@127.0.0.1:1/shop';
    expect(await verify(good[format].directory, { database, verify: 'content' })).toMatchObject(done);
    expectFailure(await verify(good[format].directory, { database }), 'E_CONNECT');
  });

  test('can be restored on another server, whose password nobody sees', async () => {
    const directory = stored(format);
    const seen = spare.log().length;
    const roles = format === 'plain' ? ['"sample owner"', '"Sample-Reader"'] : [];
    if (roles.length > 0) {
      const message = expectFailure(await verify(directory, { 'restore-to': spare.uri() }), 'E_RESTORE');
      expect(message).toMatch(/role "Sample-Reader" does not exist.*`content\.roles` in the manifest/);
    }
    for (const role of roles) await spare.sql('postgres', `CREATE ROLE ${role}`);
    const argv = sampleArgv(3);
    const result = await verify(directory, { 'restore-to': spare.uri() });
    const lines = argv.stop();
    expect(result).toMatchObject(done);
    expect(lines.some((line) => line.includes('db_backup_check_'))).toBe(true);
    for (const text of [...lines, result.visible, result.summary, JSON.stringify(manifestIn(directory))]) {
      expect(text).not.toContain(spare.adminPassword);
    }
    expect(spare.log().slice(seen)).toContain('db_backup_check_');
    for (const role of roles) await spare.sql('postgres', `DROP ROLE ${role}`);
  });
});

// binary archives can not be written by hand
test('an extension that the server lacks: E_RESTORE, and what to do', async () => {
  const directory = stored('plain');
  const script = 'CREATE EXTENSION not_there;\n\n-- PostgreSQL database dump complete\n';
  replace(directory, zstdCompressSync(script), { content: null });
  const message = expectFailure(await verify(directory), 'E_RESTORE', /extension "not_there" is not available/);
  expect(message).toContain('Install the package of that extension on that server');
  expect(manifestIn(directory).verified.level).toBe('restore');
});

describe('the server of the rehearsal', () => {
  test.each(['same', 'other user'])('is not the live database: E_INPUT, %s', async (which) => {
    const url = server.uri({
      database: 'shop',
      ...(which === 'same' ? {} : { user: 'somebody', password: 'other-secret' }),
    });
    const message = expectFailure(await verify(good.custom.directory, { 'restore-to': url }), 'E_INPUT');
    expect(message).toContain('restore-to: expected a database other than the live one');
  });

  test('does not let a role without CREATEDB make a database', async () => {
    await server.createRole('reader', 'pw', 'IN ROLE pg_read_all_data');
    const database = server.uri({ user: 'reader', password: 'pw', database: 'shop' });
    const message = expectFailure(await verify(good.custom.directory, { database }), 'E_RESTORE');
    expect(message).toMatch(/permission denied to create database.*`ALTER ROLE reader CREATEDB`/);
    const inputs = { 'restore-to': spare.uri({ database: 'postgres' }) };
    expect(await verify(good.custom.directory, { database, ...inputs })).toMatchObject(done);
  });

  test('names what is wrong with restore-to', async () => {
    const wrong = spare.uri({ user: 'admin', password: 'wrong' });
    const message = expectFailure(await verify(good.custom.directory, { 'restore-to': wrong }), 'E_AUTH');
    expect(message).toContain('in `restore-to` special characters of a password are percent-encoded');
    expect(message).not.toContain('`database');
    const nowhere = spare.uri({ database: 'nowhere' });
    expectFailure(await verify(good.custom.directory, { 'restore-to': nowhere }), 'E_SOURCE_MISSING', '`restore-to`');
  });

  test('is swept of what a killed run has left, once it is old enough', async () => {
    const ago = (seconds: number) => `db_backup_check_${Math.floor(Date.now() / 1000) - seconds}_0123abcd`;
    const [old, young, busy] = [ago(700), ago(60), ago(800)];
    for (const name of [old, young, busy, 'db_backup_check_x']) await server.createDatabase(name);
    const held = server.sql(busy, 'SELECT pg_sleep(600)').catch(() => 'ended');
    await comesTrue(server, 'postgres', `EXISTS (SELECT FROM pg_stat_activity WHERE datname = '${busy}')`);
    expect(await verify(good.custom.directory)).toMatchObject(done);
    const left = (await scratches(server)).split(' ').sort();
    await server.sql('postgres', `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${busy}'`);
    await held;
    for (const name of left) await server.sql('postgres', `DROP DATABASE ${name} WITH (FORCE)`);
    expect(left).toEqual([busy, young, 'db_backup_check_x'].sort());
  });
});

describe('command backup with verify restore', () => {
  test.each(['plain'] as const)(
    'in the format %s publishes nothing when an assertion does not hold',
    async (format) => {
      const directory = join(scene.user.home, `unpublished-${format}`);
      const inputs = { directory, 'dump-format': format, verify: 'restore', assert: 'SELECT count(*) > 9 FROM "-x"' };
      expectFailure(await scene.run(inputs), 'E_ASSERT', 'SELECT count(*) > 9 FROM "-x" returned f');
      expect(readdirSync(directory).sort()).toEqual(['.work', 'history.jsonl', 'status.json']);
    },
  );

  test('publishes nothing when the copy can not be restored', async () => {
    const directory = join(scene.user.home, 'unrestored');
    await server.createRole('owner', 'pw');
    await server.createDatabase('owned', 'OWNER owner');
    const database = server.uri({ user: 'owner', password: 'pw', database: 'owned' });
    await server.sql('owned', 'SET SESSION AUTHORIZATION owner; CREATE SCHEMA s; CREATE TABLE s.t ()');
    const message = expectFailure(await scene.run({ directory, database, verify: 'restore' }), 'E_RESTORE');
    expect(message).toMatch(/`ALTER ROLE owner CREATEDB`.*Nothing was kept/);
    expect(readdirSync(directory).sort()).toEqual(['.work', 'history.jsonl', 'status.json']);
    const elsewhere = { 'restore-to': spare.uri() };
    expectBackup(await scene.run({ directory, database, verify: 'restore', ...elsewhere }));
  });
});

describe('a rehearsal that does not come to its end drops its database', () => {
  /** Backups of a database that takes ten minutes to restore: an index calls a function that waits, but only in a copy. */
  const slow = {} as Record<Format, string>;
  let inputs: Inputs;
  beforeAll(async () => {
    await server.createDatabase('slow');
    await server.sql(
      'slow',
      `CREATE FUNCTION public.waits(i integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN
         IF current_database() LIKE 'db_backup_check%' THEN PERFORM pg_sleep(600); END IF;
         RETURN i;
       END $f$;
       CREATE TABLE t AS SELECT 1 AS i;
       CREATE INDEX ON t (public.waits(i));`,
    );
    inputs = { database: server.uri({ database: 'slow' }) };
    for (const format of FORMATS) {
      slow[format] = join(scene.user.home, `slow-${format}`);
      expectBackup(await scene.run({ ...inputs, directory: slow[format], 'dump-format': format }));
    }
  });

  /** Starts it; resolves in the middle of the restore. */
  async function middle(format: Format, more: Inputs = {}) {
    const running = scene.start({ command: 'verify', verify: 'restore', directory: slow[format], ...inputs, ...more });
    const waiting =
      "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname LIKE 'db_backup_check%')";
    await comesTrue(server, 'postgres', waiting).catch(async () => {
      running.kill('SIGKILL');
      throw new Error(`the restore did not begin: ${(await running.result()).log}`);
    });
    return running;
  }

  const tool = (name: RegExp): ProcessInfo[] => scene.processes().filter(({ command }) => name.test(command));

  test.each(['custom', 'plain'] as const)('%s: the tool is killed', async (format) => {
    const running = await middle(format);
    const tools = tool(format === 'plain' ? /^\S*psql .*db_backup_check/ : /^\S*pg_restore .*db_backup_check/);
    expect(tools).not.toEqual([]);
    for (const { pid } of tools) process.kill(pid, 'SIGKILL');
    expectFailure(await running.result(), 'E_RESTORE', /killed by signal 9|status 1/i);
    expect(manifestIn(slow[format]).verified.level).toBe('content');
  });

  test.each(['directory'] as const)('%s: the server ends its session', async (format) => {
    const running = await middle(format);
    await server.sql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    const message = expectFailure(await running.result(), 'E_RESTORE', /terminating connection|server closed/);
    expect(message).toContain('check its log');
  });

  test.each(['custom'] as const)('%s: the run is cancelled', async (format) => {
    const running = await middle(format);
    running.kill('SIGINT');
    expectFailure(await running.result(), 'E_CANCELLED');
    await nothingOfTheRehearsal();
    expect(manifestIn(slow[format]).verified.level).toBe('content');
  });

  test('the connection is cut', async () => {
    const proxy = await startProxy(scene.sshd.port);
    const lines = Object.values(scene.sshd.hostKeys).map((line) => `[127.0.0.1]:${proxy.port} ${line}`);
    const running = await middle('custom', { port: String(proxy.port), 'known-hosts': lines.join('\n') });
    proxy.cut();
    expectFailure(await running.result(), 'E_REMOTE_LOST');
    await proxy.stop();
    await nothingOfTheRehearsal();
  });

  test('the shell of the job is killed', async () => {
    const running = await middle('directory');
    const shells = processesOfUser(scene.user.uid).filter(({ command }) => /^sh( -c sh)? -s$/.test(command));
    const job = shells.find(
      ({ ppid, pid }) => shells.some((one) => one.pid === ppid) && shells.some((one) => one.ppid === pid),
    );
    process.kill(job?.pid ?? 0, 'SIGKILL');
    const result = await running.result();
    expect(result.code).toBe(1);
    await nothingOfTheRehearsal();
  });
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

  test.each(['directory'] as const)('%s: the data goes through the shell of sudo', async (format) => {
    const database = `postgresql:///shop?host=${server.socketDirectory}&port=${server.port}`;
    const inputs = { database, 'run-as': 'postgres', assert: 'SELECT count(*) = 200 FROM shop.customers' };
    const directory = stored(format);
    for (const level of ['content', 'restore']) {
      expect(await verify(directory, { ...inputs, verify: level })).toMatchObject(done);
    }
    const made = join(scene.user.home, `as-postgres-${format}`);
    const backup = { ...inputs, directory: made, verify: 'restore', 'dump-format': format };
    expectBackup(await scene.run(backup));
    const failing = { ...inputs, assert: 'SELECT false' };
    expectFailure(await verify(directory, failing), 'E_ASSERT');
  });
});

describe('in a container', () => {
  let container: PostgresContainer;
  let host: Scene;
  beforeAll(async () => {
    container = await startPostgresContainer();
    await container.sql('postgres', 'CREATE DATABASE shop');
    // with a function that finds its table by the search_path alone, so that it is loaded twice
    await container.sql(
      'shop',
      `CREATE TABLE items AS SELECT i FROM generate_series(1, 3000) i;
       CREATE FUNCTION total() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(i) FROM items';
       CREATE MATERIALIZED VIEW totals AS SELECT total()`,
    );
    // nothing of PostgreSQL is on the host itself
    const extraConfig = `SetEnv PATH=${container.binDirectory}:/usr/local/bin:/usr/bin:/bin`;
    host = await startScene({ sshd: { extraConfig } });
  });
  afterAll(async () => {
    await host?.stop();
    await container?.stop();
  });

  test.each(['custom'] as const)('%s: made, restored and dropped there', async (format) => {
    const database = 'postgresql:///shop?host=/run/postgresql';
    const directory = join(host.user.home, format);
    const inputs = { container: container.name, database, 'run-as': 'postgres', name: 'shop', directory };
    const restore = { verify: 'restore', assert: 'SELECT count(*) = 3000 FROM items' };
    const id = expectBackup(await host.run({ ...inputs, ...restore, 'dump-format': format }));
    for (const level of ['content', 'restore']) {
      const result = await host.run({ ...inputs, ...restore, command: 'verify', verify: level });
      expect(result).toMatchObject(done);
      expect(result.outputs).toMatchObject({ 'backup-id': id, 'verified-level': 'restore' });
    }
    const assert = 'SELECT count(*) = 2999 FROM items';
    expectFailure(await host.run({ ...inputs, ...restore, command: 'verify', assert }), 'E_ASSERT');
    await nothingLeft(host);
    const databases = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate";
    expect(await container.sql('postgres', databases)).toBe('postgres shop');
    const folders = 'ls -d /var/tmp/db-backup.* /tmp/db-backup.* 2>/dev/null || true';
    expect(await container.exec(['sh', '-c', folders])).toBe('');
  });
});
