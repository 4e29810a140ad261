import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { holesOf } from '../../src/engines/postgres/client-holes.js';
import { byHand } from '../helpers/by-hand.js';
import { type PostgresContainer, startPostgresContainer } from '../helpers/container.js';
import { makeKeys, PASSPHRASE } from '../helpers/encryption-keys.js';
import { backupsIn, nothingLeft, refused, succeeded } from '../helpers/outcome.js';
import { sampleArgv } from '../helpers/processes.js';
import { sample } from '../helpers/sample.js';
import { type Scene, startScene } from '../helpers/scene.js';

let container: PostgresContainer;
let scene: Scene;

beforeAll(async () => {
  container = await startPostgresContainer();
  scene = await startScene({
    sshd: { extraConfig: `SetEnv PATH=${container.binDirectory}:/usr/local/bin:/usr/bin:/bin` },
  });
  await container.sql('postgres', 'CREATE DATABASE shop');
  await container.sql(
    'shop',
    `CREATE TABLE items (id int PRIMARY KEY, note text);
     INSERT INTO items SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 20000) i;
     SELECT lo_from_bytea(0, 'large');
     CREATE ROLE app LOGIN PASSWORD 'p@ss/w''rd'; GRANT pg_read_all_data TO app;
     SELECT format('GRANT SELECT ON LARGE OBJECT %s TO app', oid) FROM pg_largeobject_metadata \\gexec`,
  );
});
afterAll(async () => {
  await scene?.stop();
  await container?.stop();
});

const inputs = (more: Record<string, string> = {}) => ({
  container: container.name,
  database: 'postgresql:///shop?host=/run/postgresql',
  'run-as': 'postgres',
  name: 'shop',
  ...more,
});

/** Unpacks a payload into a command inside the container. */
function into(file: string, ...command: string[]): void {
  const docker = join(container.binDirectory, 'docker');
  execFileSync('sh', [
    '-c',
    'zstd -dc "$0" | "$@"',
    join(scene.directory, file),
    docker,
    'exec',
    '-i',
    container.name,
    ...command,
  ]);
}

async function quiet(): Promise<void> {
  await nothingLeft(scene);
  for (const end = Date.now() + 15_000; ; await sleep(50)) {
    const sessions = await container.sql(
      'postgres',
      "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
    const folders = await container.exec([
      'sh',
      '-c',
      'ls -d /var/tmp/db-backup.* /tmp/db-backup.* 2>/dev/null || true',
    ]);
    if (sessions === '0' && folders === '') return;
    if (Date.now() > end) throw new Error(`sessions: ${sessions}, folders: ${folders}`);
  }
}

/** Waits until the server has a session of which the condition holds. */
async function someSession(condition: string): Promise<void> {
  const query = `SELECT count(*) FROM pg_stat_activity WHERE ${condition}`;
  for (const end = Date.now() + 30_000; (await container.sql('postgres', query)) === '0'; await sleep(50)) {
    if (Date.now() > end) throw new Error(`no session: ${condition}`);
  }
}

describe('a database in a container', () => {
  beforeEach(() => quiet());

  test.each([
    ['custom', 'dump'],
    ['directory', 'tar'],
    ['plain', 'sql'],
  ])('in the format %s: its own tools dump it, and the payload restores it', async (format, kind) => {
    const id = succeeded(await scene.run(inputs({ 'dump-format': format })));
    const manifest = scene.manifest(id);
    expect(manifest).toMatchObject({
      engine: 'postgres',
      kind,
      content: { tables: [{ name: 'public.items', rows: 20_000 }], largeObjects: 1, roles: expect.any(Array) },
    });
    await container.sql('postgres', 'DROP DATABASE IF EXISTS again');
    await container.sql('postgres', 'CREATE DATABASE again');
    const asAdmin = ['-U', 'postgres', '-d', 'again'];
    if (format === 'custom') into(manifest.file, 'pg_restore', '-e', ...asAdmin);
    else if (format === 'plain') into(manifest.file, 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', ...asAdmin);
    else {
      const script = 'd=$(mktemp -d); tar -xf - -C "$d"; pg_restore -e -j 2 "$@" "$d/dump"; rm -rf "$d"';
      into(manifest.file, 'sh', '-ec', script, 'sh', ...asAdmin);
    }
    const sum = 'SELECT count(*), sum(hashtext(note)) FROM items';
    expect(await container.sql('again', sum)).toBe(await container.sql('shop', sum));
  });

  test('with a password, which nobody sees on a command line', async () => {
    const sampler = sampleArgv(2);
    const result = await scene.run(
      inputs({ 'run-as': '', database: 'postgresql://app:p%40ss%2Fw%27rd@127.0.0.1/shop' }),
    );
    const seen = sampler.stop();
    succeeded(result);
    expect(seen.some((argv) => /pg_dump.*dbname='shop'/.test(argv))).toBe(true);
    const text = [
      ...seen,
      result.log.replaceAll(/^::add-mask::.*$/gm, ''),
      JSON.stringify(result.outputs),
      result.summary,
    ].join('\n');
    for (const form of ["p@ss/w'rd", 'p%40ss%2Fw%27rd', "p@ss/w'\\''rd"]) expect(text).not.toContain(form);
  });

  test('without zstd inside: it compresses on the host', async () => {
    const bare = await startPostgresContainer({ without: ['zstd'] });
    try {
      await bare.sql('postgres', 'CREATE TABLE t (a int)');
      const there = await startScene({ sshd: { extraConfig: `SetEnv PATH=${bare.binDirectory}:/usr/bin:/bin` } });
      try {
        const result = await there.run({
          ...inputs({ container: bare.name }),
          database: 'postgresql:///postgres?host=/run/postgresql',
        });
        expect(there.manifest(succeeded(result)).compression).toBe('zstd');
      } finally {
        await there.stop();
      }
    } finally {
      await bare.stop();
    }
  });
});

describe('what fails, and leaves nothing', () => {
  beforeEach(() => quiet());

  test('a container that is not there', async () => {
    const before = backupsIn(scene.directory);
    const message = refused(await scene.run(inputs({ container: 'nosuch' })), 'E_SOURCE_MISSING', 'nosuch', ' ps`');
    expect(message).toMatch(/there is no running container nosuch/);
    expect(backupsIn(scene.directory)).toEqual(before);
  });

  test('a database that is not there', async () => {
    refused(
      await scene.run(inputs({ database: 'postgresql:///nosuch?host=/run/postgresql' })),
      'E_SOURCE_MISSING',
      'nosuch',
    );
  });

  test('a SQLite database, which is reached in its volume', async () => {
    refused(
      await scene.run({ container: container.name }),
      'E_INPUT',
      'container: expected nothing with a SQLite database',
    );
  });

  test.each(sample(['custom', 'directory'], 1))(
    'the run cancelled in the middle of a dump, in the format %s',
    async (format) => {
      const before = backupsIn(scene.directory);
      // a lock inside the database holds the dump in its middle
      const locked = container
        .sql('shop', 'BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60);')
        .catch((error: Error) => error);
      await someSession("wait_event = 'PgSleep'");
      const running = scene.start(inputs({ 'dump-format': format }));
      await someSession("wait_event_type = 'Lock' AND application_name = 'db-backup'");
      running.kill('SIGINT');
      refused(await running.result(), 'E_CANCELLED');
      await container.sql(
        'postgres',
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
      );
      expect(await locked).toBeInstanceOf(Error);
      await quiet();
      expect(backupsIn(scene.directory)).toEqual(before);
    },
  );
});

test('encrypted on the host, outside of the container, and opened there', async () => {
  const keys = makeKeys();
  try {
    const count = () => container.sql('shop', 'SELECT count(*) FROM items');
    const before = await count();
    const ways: [encrypt: Record<string, string>, decrypt: Record<string, string>][] = [
      [{ encrypt: 'age', 'encryption-recipients': keys.age.recipient }, { 'decryption-key': keys.age.identity }],
      [
        { encrypt: 'gpg', 'encryption-passphrase': PASSPHRASE, 'dump-format': 'directory' },
        { 'decryption-passphrase': PASSPHRASE },
      ],
    ];
    for (const [encrypt, decrypt] of ways) {
      const id = succeeded(await scene.run(inputs(encrypt)));
      expect(scene.manifest(id).content?.tables.length).toBeGreaterThan(0);
      const proof = await scene.run(inputs({ command: 'verify', backup: id, verify: 'restore', ...decrypt }));
      expect({ code: proof.code, ...proof.outputs }).toMatchObject({ code: 0, 'verified-level': 'restore' });
      await container.sql('shop', 'DELETE FROM items');
      const back = { command: 'restore', backup: id, confirm: 'shop', ...encrypt, ...decrypt };
      const restored = await scene.run(inputs(back));
      expect(restored.outputs).toMatchObject({ 'error-code': '', 'restore-outcome': 'restored' });
      expect(await count()).toBe(before);
    }
    await quiet();
  } finally {
    keys.remove();
  }
});

test('one table is taken out by the tools of the container', async () => {
  succeeded(await scene.run(inputs()));
  const out = await byHand(['extract', 'latest', '--table', 'items', '--quiet'], { ...scene.inputs, ...inputs() });
  expect({ code: out.code, stderr: out.stderr.includes('ERROR') }).toEqual({ code: 0, stderr: false });
  await container.sql('postgres', 'DROP DATABASE IF EXISTS again');
  await container.sql('postgres', 'CREATE DATABASE again');
  await container.exec(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-U', 'postgres', 'again'], out.stdout.toString());
  const sum = 'SELECT count(*), sum(id), md5(string_agg(note, $$,$$ ORDER BY id)) FROM items';
  expect(await container.sql('again', sum)).toBe(await container.sql('shop', sum));
  await quiet();
});

test('a dump that others made is verified by the tools of the container, after these were judged', async () => {
  const dumped = await container.exec(['pg_dump', '-U', 'postgres', 'shop']);
  const file = join(scene.user.home, 'old.sql');
  writeFileSync(file, dumped.endsWith('\n') ? dumped : `${dumped}\n`);
  const verify = { command: 'verify', backup: file, verify: 'restore', assert: 'SELECT count(*) = 20000 FROM items' };
  const version = (
    await container.exec(['sh', '-c', '/usr/lib/postgresql/*/bin/pg_dump --version || pg_dump --version'])
  ).trim();
  if (holesOf({ version, fixes: new Set() }, 'sql').length > 0) {
    const said = refused(await scene.run(inputs(verify)), 'E_TOOL_UNSAFE');
    expect(said).toContain(`Replace the image of ${container.name} with one of PostgreSQL`);
    expect(said).toContain(`in the container ${container.name}, and a crafted dump`);
  }
  const result = await scene.run(inputs({ ...verify, 'allow-unsafe-client': 'true' }));
  expect({ code: result.code, ...result.outputs }).toMatchObject({ code: 0, 'verified-level': 'restore' });
  await quiet();
});
