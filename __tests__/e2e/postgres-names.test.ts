import { chmodSync, chownSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { expectBackup } from '../helpers/failure.js';
import { nothingLeft } from '../helpers/outcome.js';
import { type Postgres, quoteIdentifier, quoteLiteral, startPostgres } from '../helpers/postgres.js';
import { drop, recover, rowsTold, startPostgresScene } from '../helpers/postgres-backups.js';
import type { Scene } from '../helpers/scene.js';
import { shOverSsh } from '../helpers/sshd.js';

const NAMES = [
  'x=y',
  '-x',
  'postgresql://other/db',
  "dbname='decoy'",
  'a\'b"c',
  ' with blanks ',
  'schön-漢字',
  'back\\slash\\',
  '$(touch pwned)',
  '%41%2F?&#@:',
  'n'.repeat(63),
];

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  scene = await startPostgresScene(server, 'decoy');
  // what a name could lead to by mistake
  for (const name of ['decoy', 'admin', 'y', 'db', 'other', 'A/?&#@:', 'upper', 'n'.repeat(62)])
    await make(name, 'wrong');
  await server.sql('postgres', 'CREATE TABLE marker AS SELECT 1 AS wrong');
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
});

async function make(database: string, marker: string): Promise<void> {
  await server.createDatabase(database);
  await server.sql(database, `CREATE TABLE marker AS SELECT ${quoteLiteral(marker)} AS says`);
}

const markerIn = (database: string) => server.sql(database, 'SELECT says FROM marker');

describe.each([['custom'], ['directory'], ['plain']])('in the format %s', (format) => {
  test.each(format === 'custom' ? NAMES : NAMES.slice(3, 5))(
    'the backup of the database %j holds that one, and restores into it by the lines as they are',
    async (database) => {
      await make(database, `I am ${database}`);
      const inputs = {
        database: server.uri({ database }),
        name: `odd-${format}-${NAMES.indexOf(database)}`,
        'dump-format': format,
      };
      const result = await scene.run(inputs);
      const id = expectBackup(result);
      expect(result.annotations).toEqual([]);
      const manifest = scene.manifest(id);
      expect(manifest.identity).toMatchObject({ database });
      expect(manifest.content).toMatchObject({ roles: expect.arrayContaining(['CREATE ROLE admin;']) });
      expect(manifest.content).toMatchObject({
        properties: [expect.stringContaining(`CREATE DATABASE ${await shown(database)} `)],
      });
      expect(rowsTold(scene, id)).toEqual([['public.marker', 1]]);
      await drop(server, database);
      await recover(server, scene, id, database);
      expect(await markerIn(database)).toBe(`I am ${database}`);
      await drop(server, database);
      for (const folder of [scene.user.home, scene.directory, '/'])
        expect(existsSync(join(folder, 'pwned'))).toBe(false);
    },
  );
});

/** As the server itself quotes it, which is only where it must. */
const shown = (name: string) => server.sql('postgres', `SELECT quote_ident(${quoteLiteral(name)})`);

test.each(['it\'s "a" $(touch pwned) role', '-d decoy=\\', '漢字'])('the role %j', async (role) => {
  await make('of role', 'here');
  await server.createRole(role, "its 'own' password", 'CREATEDB');
  await server.sql('of role', `ALTER TABLE marker OWNER TO ${quoteIdentifier(role)}`);
  const database = server.uri({ user: role, password: "its 'own' password", database: 'of role' });
  const id = expectBackup(await scene.run({ database }));
  expect(scene.manifest(id).database).toContain(`//${encodeURIComponent(role)}@`);
  await recover(server, scene, id, 'copy', "its 'own' password");
  expect(await markerIn('copy')).toBe('here');
  expect(await server.sql('copy', "SELECT tableowner FROM pg_tables WHERE tablename = 'marker'")).toBe(role);
  await drop(server, 'copy');
  await drop(server, 'of role');
  await server.sql('postgres', `DROP ROLE ${quoteIdentifier(role)}`);
  await nothingLeft(scene);
});

describe('the database in the forms that applications write it', () => {
  const PASSWORD = 'p@ss/w:rd\\ %41';
  const raw = encodeURIComponent(PASSWORD);
  let place: string;
  let roles: string[];
  beforeAll(async () => {
    place = `127.0.0.1:${server.port}`;
    roles = ['app', scene.user.name];
    await make('shop', 'the shop');
    await server.createRole('app', PASSWORD);
    await server.createRole(scene.user.name, null);
    for (const role of roles) await server.sql('shop', `GRANT SELECT ON marker TO ${quoteIdentifier(role)}`);
  });

  /** Takes a backup and expects the shop in it, and nobody but this role at the server meanwhile. */
  async function expectShop(inputs: Record<string, string>, role: string, from = scene): Promise<void> {
    const seen = server.log().length;
    const id = expectBackup(await from.run({ name: 'shop', ...inputs }));
    const said = server.log().slice(seen);
    expect(new Set(said.match(/(?<=connection authorized: user=)\S+ database=\S+/g))).toEqual(
      new Set([`${role} database=shop`]),
    );
    expect(said).not.toContain('FATAL');
    expect(from.manifest(id)).toMatchObject({ name: 'shop', identity: { database: 'shop' } });
    expect(rowsTold(from, id)).toEqual([['public.marker', 1]]);
  }

  test.each<[string, () => string]>([
    ['postgres:', () => `postgres://app:${raw}@${place}/shop`],
    ['SQLAlchemy', () => `postgresql+psycopg://app:${raw}@${place}/shop`],
    ['JDBC', () => `jdbc:postgresql://${place}/shop?user=app&password=${raw}&ApplicationName=shop`],
    ['Prisma', () => `postgresql://app:${raw}@${place}/shop?schema=public&connection_limit=5&pgbouncer=true`],
    ['several hosts', () => `postgresql://app:${raw}@127.0.0.1:1,${place}/shop?target_session_attrs=read-write`],
  ])('%s', (_, database) => expectShop({ database: database() }, 'app'));

  test.each<[string, () => string]>([
    ['in the query', () => `postgresql:///shop?host=${server.socketDirectory}&port=${server.port}`],
    [
      'in the place of the host',
      () => `postgresql://${scene.user.name}@${encodeURIComponent(server.socketDirectory)}:${server.port}/shop`,
    ],
  ])('the folder of the socket %s, by peer authentication', (_, database) =>
    expectShop({ database: database() }, scene.user.name),
  );

  test('database-password', () =>
    expectShop({ database: `postgresql://app@${place}/shop`, 'database-password': PASSWORD }, 'app'));

  /** A file of the login user's, for as long as the work lasts. */
  async function withFile(name: string, text: string, work: () => Promise<void>, of = scene.user): Promise<void> {
    const file = join(of.home, name);
    writeFileSync(file, text);
    chmodSync(file, 0o600);
    chownSync(file, of.uid, of.gid);
    await work();
    rmSync(file);
  }

  test('the password in ~/.pgpass', () =>
    withFile('.pgpass', `127.0.0.1:${server.port}:shop:app:${PASSWORD.replace(/[\\:]/g, '\\$&')}\n`, () =>
      expectShop({ database: `postgresql://app@${place}/shop` }, 'app'),
    ));

  test('a service in ~/.pg_service.conf, of which the name of the database does not count', () =>
    withFile(
      '.pg_service.conf',
      `[live]\nhost=127.0.0.1\nport=${server.port}\nuser=app\npassword=${PASSWORD}\ndbname=decoy\n`,
      () => expectShop({ database: 'postgresql:///shop?service=live' }, 'app'),
    ));

  test('nothing in the environment of the login user leads elsewhere', async () => {
    const environment = {
      PGHOST: 'nowhere.invalid',
      PGHOSTADDR: '192.0.2.1',
      PGPORT: '1',
      PGDATABASE: 'decoy',
      PGUSER: 'postgres',
      PGPASSWORD: 'wrong',
      PGSERVICE: 'decoy',
      PGOPTIONS: '-c search_path=decoy -c statement_timeout=1 -c default_transaction_read_only=off',
      PGCLIENTENCODING: 'LATIN1',
      PGTZ: 'Asia/Kathmandu',
      PGDATESTYLE: 'German',
      PGAPPNAME: 'decoy',
      PGTARGETSESSIONATTRS: 'standby',
      PGREQUIREPEER: 'nobody',
      PG_COLOR: 'always',
    };
    await server.createDatabase('plain');
    await server.sql('plain', `CREATE TABLE "Zähler" AS SELECT 'äöü €' AS text, timestamptz '2026-02-03 04:05Z' AS at`);
    const hostile = await startPostgresScene(server, 'plain', { shell: '/bin/bash' });
    const lines = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`);
    await withFile(
      '.psqlrc',
      '\\echo from psqlrc\n\\c decoy\n',
      () =>
        withFile(
          '.bashrc',
          lines.join(''),
          async () => {
            expect(shOverSsh(hostile.sshd, hostile.user.name, 'echo $PGDATABASE $PGTZ')).toBe('decoy Asia/Kathmandu\n');
            for (const format of ['custom', 'directory']) {
              const result = await hostile.run({ 'dump-format': format });
              const id = expectBackup(result);
              expect(result.annotations).toEqual([]);
              expect(rowsTold(hostile, id)).toEqual([['public.Zähler', 1]]);
              await recover(server, hostile, id, 'copy');
              expect(await server.sql('copy', 'SELECT text, at AT TIME ZONE \'UTC\' FROM "Zähler"')).toBe(
                'äöü €|2026-02-03 04:05:00',
              );
              await drop(server, 'copy');
            }
            const socket = `postgresql:///shop?host=${server.socketDirectory}&port=${server.port}`;
            await server.createRole(hostile.user.name, null, 'SUPERUSER');
            await expectShop({ database: socket }, hostile.user.name, hostile);
          },
          hostile.user,
        ),
      hostile.user,
    );
    await nothingLeft(hostile);
    await hostile.stop();
  });
});
