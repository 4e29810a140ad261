import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { rowsTold, startPostgresScene } from '../helpers/postgres-backups.js';
import { systemVersion } from '../helpers/postgres-programs.js';
import { expectRefusal } from '../helpers/postgres-refusal.js';
import { sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';

/** `newer` has no clients of its own: those of the system are the newest that there are. */
let server: Postgres;
let newer: Postgres;
beforeAll(async () => {
  [server, newer] = await Promise.all([startPostgres(), startPostgres({ version: '18' })]);
  for (const one of [server, newer]) {
    await one.createDatabase('shop');
    await one.sql('shop', 'CREATE TABLE customers AS SELECT 1 AS id');
  }
});
afterAll(async () => {
  await newer.remove();
  await server.remove();
});

describe('a server that is newer than the client', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await startPostgresScene(newer, 'shop');
  });
  afterAll(() => scene.stop());

  test.each(sample(['custom', 'directory'], 1))(
    'in the format %s: both versions, and what to install',
    async (format) => {
      expectBackup(await scene.run({ database: server.uri({ database: 'shop' }), name: 'older' }));
      const from = newer.log().length;
      await expectRefusal(
        { server: newer, scene, secrets: [newer.adminPassword] },
        () => scene.run({ 'dump-format': format }),
        'E_TOOL_VERSION',
        /the server is PostgreSQL 18\S*, but the newest client on the host is pg_dump \(PostgreSQL\) 1[0-7]\..*: pg_dump refuses/,
        'Install the client of PostgreSQL 18 on the host',
        'postgresql-client-18 on Debian and Ubuntu',
        'https://www.postgresql.org/download/',
        'Nothing was kept',
      );
      // one session looked, and none began to dump
      const said = newer.log().slice(from);
      expect(said.match(/connection authorized: user=admin/g)).toHaveLength(1);
    },
  );

  test('a dry run finds it too', async () => {
    await expectRefusal(
      { server: newer, scene },
      () => scene.run({ 'dry-run': 'true' }),
      'E_TOOL_VERSION',
      'the server is PostgreSQL 18',
    );
  });
});

/**
 * Each folder holds the clients of the system, of which pg_dump calls itself by another version: that tells in the manifest which ones
 * were taken, and nothing else differs.
 */
describe('a database of the newer server, as it was made', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await startPostgresScene(server, 'shop');
    expectBackup(await scene.run());
  });
  afterAll(() => scene.stop());

  test.each([
    ['rules of ICU', "LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' ICU_RULES '&a < g' LOCALE 'C.UTF-8'", 'i|de-AT|&a < g'],
    ['a locale of its own', "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'", 'b|C.UTF-8|'],
  ])('%s', async (_, clauses, told) => {
    const made = "SELECT datlocprovider, datlocale, daticurules FROM pg_database WHERE datname = 'odd'";
    await newer.createDatabase('odd', `TEMPLATE template0 ENCODING 'UTF8' ${clauses}`);
    expect(await newer.sql('postgres', made)).toBe(told);
    const oid = "SELECT oid FROM pg_database WHERE datname = 'odd'";
    const before = await newer.sql('postgres', oid);
    const result = await scene.run({
      command: 'restore',
      'restore-to': newer.uri({ database: 'odd' }),
      confirm: 'odd',
      'allow-other-target': 'true',
      'safety-backup': 'false',
    });
    expect(result.outputs).toMatchObject({ 'error-code': '', 'restore-outcome': 'restored' });
    expect(await newer.sql('odd', 'SELECT id FROM customers')).toBe('1');
    expect(await newer.sql('postgres', oid)).not.toBe(before);
    expect(await newer.sql('postgres', made)).toBe(told);
    await newer.sql('postgres', 'DROP DATABASE odd WITH (FORCE)');
  });
});

describe('of several clients the newest is taken', () => {
  let folder: string;
  const scenes: Scene[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dbb-clients-'));
    chmodSync(folder, 0o755);
  });
  afterAll(async () => {
    for (const scene of scenes) await scene.stop();
    rmSync(folder, { recursive: true });
  });

  /** Makes a folder of clients of that version. */
  function clients(version: string, tools = ['psql', 'pg_restore', 'pg_dumpall', 'pg_dump']): string {
    const place = mkdtempSync(join(folder, `${version}-`));
    chmodSync(place, 0o755);
    const real = (tool: string) => join(server.clientDirectory, tool);
    for (const tool of tools.filter((one) => one !== 'pg_dump')) symlinkSync(real(tool), join(place, tool));
    const script = `[ "$1" != --version ] || exec echo 'pg_dump (PostgreSQL) ${version}'\nexec ${real('pg_dump')} "$@"\n`;
    writeFileSync(join(place, 'pg_dump'), `#!/bin/sh\n${script}`, { mode: 0o755 });
    return place;
  }

  /** A host that has folders of clients at these places besides what is there, for that sshd alone. */
  async function startHost(places: Record<string, string>, path = ''): Promise<Scene> {
    const script = [
      'set -e',
      'mount -t tmpfs none /mnt; mkdir /mnt/upper /mnt/work',
      'mount -t overlay overlay -o lowerdir=/usr,upperdir=/mnt/upper,workdir=/mnt/work /usr',
      'while [ "$1" != -- ]; do mkdir -p "$(dirname "$1")"; ln -s "$2" "$1"; shift 2; done',
      'shift; exec "$@"',
    ].join('\n');
    const pairs = Object.entries(places).flat();
    const scene = await startPostgresScene(server, 'shop', {
      sshd: {
        wrapper: ['unshare', '-m', 'sh', '-c', script, 'clients', ...pairs, '--'],
        extraConfig: `SetEnv PATH=${path === '' ? '' : `${path}:`}/usr/local/bin:/usr/bin:/bin`,
      },
    });
    scenes.push(scene);
    return scene;
  }

  const SYSTEM = expect.stringMatching(new RegExp(`^pg_dump \\(PostgreSQL\\) ${systemVersion()}\\.`));

  test.each<[string, unknown, Record<string, string>, string]>([
    ['older ones beside it', SYSTEM, { '/usr/lib/postgresql/9.6': '9.6.24', '/usr/pgsql-14': '14.1' }, '13.2'],
    ["in Debian's place", '16.3', { '/usr/lib/postgresql/16': '16.3', '/usr/pgsql-9.6': '9.6.24' }, ''],
    ['in the place of Red Hat', '17.1', { '/usr/lib/postgresql/16': '16.3', '/usr/pgsql-17': '17.1' }, '16.4'],
    ['in the place of the source', '100.1', { '/usr/local/pgsql': '100.1', '/usr/pgsql-17': '17.1' }, '99.1'],
    ['in the PATH, a beta', '19beta1', { '/usr/lib/postgresql/18': '18.0' }, '19beta1'],
  ])('%s', async (_, version, others, inPath) => {
    const places = Object.entries(others).map(([place, other]) => [`${place}/bin`, clients(other)]);
    const scene = await startHost(Object.fromEntries(places), inPath === '' ? '' : clients(inPath));
    const id = expectBackup(await scene.run());
    expect(scene.manifest(id).tools).toMatchObject({
      pg_dump: typeof version === 'string' ? `pg_dump (PostgreSQL) ${version}` : version,
    });
    expect(rowsTold(scene, id)).toEqual([['public.customers', 1]]);
    await nothingLeft(scene);
  });

  test('one that is not whole, or does not start, is passed over', async () => {
    const broken = clients('22.1');
    writeFileSync(join(broken, 'pg_dump'), '#!/no/such/interpreter\n', { mode: 0o755 });
    const scene = await startHost({
      '/usr/lib/postgresql/20/bin': clients('20.1', ['psql', 'pg_dump']),
      '/usr/lib/postgresql/21/bin': clients('21.1', ['pg_restore', 'pg_dump']),
      '/usr/lib/postgresql/22/bin': broken,
      '/usr/pgsql-23/bin': '/nowhere',
    });
    expect(scene.manifest(expectBackup(await scene.run())).tools).toMatchObject({ pg_dump: SYSTEM });
  });

  test('the newest is told when it is too old', async () => {
    const scene = await startHost({ '/usr/lib/postgresql/17/bin': clients('17.1') });
    await expectRefusal(
      { server: newer, scene },
      () => scene.run({ database: newer.uri({ database: 'shop' }) }),
      'E_TOOL_VERSION',
      'the newest client on the host is pg_dump (PostgreSQL) 17.1: pg_dump refuses',
    );
  });
});
