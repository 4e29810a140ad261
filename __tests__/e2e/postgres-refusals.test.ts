import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { expectBackup } from '../helpers/failure.js';
import { backupsIn, nothingLeft } from '../helpers/outcome.js';
import { type Postgres, quoteIdentifier, startPostgres } from '../helpers/postgres.js';
import { rowsTold, startPostgresScene } from '../helpers/postgres-backups.js';
import { expectRefusal, type RefusalOf, sessionsLeft, temporaryOf } from '../helpers/postgres-refusal.js';
import { leftAfter, processesOfUser } from '../helpers/processes.js';
import { sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';
import { createUser, type TestUser } from '../helpers/users.js';

type Inputs = Record<string, string>;
const password = () => randomBytes(8).toString('hex');
/** Of each role, none of which may do more than log in. */
const PASSWORDS: Record<string, string> = { app: password(), 'The "App"': password(), owner: password() };
const SECRETS = [...Object.values(PASSWORDS), 'not-the-password'];

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres({
    settings: { max_connections: 20 },
    hba: ['host shop rejected 127.0.0.1/32 reject'],
  });
  await server.createDatabase('shop');
  scene = await startPostgresScene(server, 'shop', { transport: 'ssh' });
  for (const [role, secret] of Object.entries(PASSWORDS)) await server.createRole(role, secret);
  await server.sql(
    'shop',
    `CREATE TABLE customers AS SELECT i AS id FROM generate_series(1, 10) i;
     GRANT SELECT ON customers TO PUBLIC;
     ALTER TABLE customers OWNER TO owner;`,
  );
  // an older backup, which no failure may touch
  expectBackup(await scene.run({ database: as('app') }));
  expect(Object.keys(backupsIn(scene.directory))).toHaveLength(3);
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
});

/** The URL for one of the roles; `query` begins with "?". */
const as = (role: string, { database = 'shop', query = '', secret = PASSWORDS[role] ?? '' } = {}) =>
  `${server.uri({ user: role, password: secret, database })}${query}`;
const socket = (user: string) =>
  `postgresql://${user === '' ? '' : `${user}@`}/shop?host=${server.socketDirectory}&port=${server.port}`;

const refused = (inputs: Inputs, code: string, ...says: (string | RegExp)[]) =>
  refusedBy({ server, scene }, inputs, code, ...says);
const refusedBy = (where: RefusalOf, inputs: Inputs, code: string, ...says: (string | RegExp)[]) =>
  expectRefusal({ secrets: SECRETS, ...where }, () => where.scene.run(inputs), code, ...says);

/** What would be done is found out by asking the server. */
async function letsIn(inputs: Inputs): Promise<void> {
  const result = await scene.run({ ...inputs, 'dry-run': 'true' });
  expect({ errors: result.annotations, exit: result.code }).toEqual({ errors: [], exit: 0 });
}

/** What stands between back quotes in a message, and begins so. */
function advised(message: string, start: string): string {
  const found = [...message.matchAll(/`([^`]*)`/g)].map(([, text = '']) => text).find((text) => text.startsWith(start));
  if (found === undefined) throw new Error(`no \`${start}...\` in: ${message}`);
  return found;
}

describe('the server lets nobody in', () => {
  test('a wrong password, in the URL or by itself', async () => {
    const says = ['password authentication failed for user "app"', 'percent-encoded', '`database-password` takes it'];
    await refused({ database: as('app', { secret: 'not-the-password' }) }, 'E_AUTH', ...says);
    const database = `postgresql://app@127.0.0.1:${server.port}/shop`;
    await refused({ database, 'database-password': 'not-the-password' }, 'E_AUTH', ...says);
  });

  test('no password where one is needed', async () => {
    const database = `postgresql://app@127.0.0.1:${server.port}/shop`;
    await refused({ database }, 'E_AUTH', /did not let app in: .*no password supplied\. It asks for/, '~/.pgpass');
    await letsIn({ database, 'database-password': PASSWORDS.app ?? '' });
  });

  test('peer authentication as another user', async () => {
    await refused({ database: socket('app') }, 'E_AUTH', 'Peer authentication failed for user "app"', '`run-as: app`');
  });

  test('a role that does not exist, named or by the login user', async () => {
    const { name } = scene.user;
    const missing = `role "${name}" does not exist`;
    const message = await refused({ database: socket(name) }, 'E_AUTH', missing, 'Correct the user in `database`');
    await refused({ database: socket('') }, 'E_AUTH', `did not let ${name} in`, missing, '`database` names no user');
    await server.sql('postgres', advised(message, 'CREATE ROLE'));
    await letsIn({ database: socket('') });
    await server.sql('postgres', `DROP ROLE ${quoteIdentifier(name)}`);
    const password = 'password authentication failed for user "nobody"';
    await refused(
      { database: as('nobody', { secret: 'any' }) },
      'E_AUTH',
      password,
      'does not exist is refused in the',
    );
  });

  test('a role that may not log in', async () => {
    await server.sql('postgres', `ALTER ROLE app NOLOGIN`);
    const message = await refused({ database: as('app') }, 'E_AUTH', 'role "app" is not permitted to log in');
    await server.sql('postgres', advised(message, 'ALTER ROLE'));
    await letsIn({ database: as('app') });
  });

  test('no line of pg_hba.conf, and one that rejects', async () => {
    await server.createRole('rejected', 'any');
    await refused({ database: as('rejected', { secret: 'any' }) }, 'E_AUTH', 'pg_hba.conf rejects connection for');
    const file = join(server.dataDirectory, 'pg_hba.conf');
    const rules = readFileSync(file, 'utf8');
    await reload(file, rules.replace('host all,', 'host postgres,'));
    const message = await refused({ database: as('The "App"') }, 'E_AUTH', 'no pg_hba.conf entry for host "127.0.0.1"');
    const line = advised(message, 'host ');
    expect(line).toBe('host shop "The ""App""" 127.0.0.1/32 scram-sha-256');
    await reload(file, `${line}\n${rules.replace('host all,', 'host postgres,')}`);
    await letsIn({ database: as('The "App"') });
    await reload(file, rules);
  });

  async function reload(file: string, rules: string): Promise<void> {
    const loaded = () => server.sql('postgres', 'SELECT pg_conf_load_time()');
    const before = await loaded();
    writeFileSync(file, rules);
    await server.sql('postgres', 'SELECT pg_reload_conf()');
    while ((await loaded()) === before) await sleep(10);
  }
});

describe('there is no such server, or it takes no more', () => {
  const at = (place: string) => `postgresql://app@${place}`;

  test('nothing listens at the port', () =>
    refused(
      { database: at('127.0.0.1:1/shop') },
      'E_CONNECT',
      'Connection refused. The tools run on the host',
      'listen',
    ));

  test('the name of the host is not known there', () =>
    refused(
      { database: at('nowhere.invalid/shop') },
      'E_CONNECT',
      'could not be reached from the host: could not translate host name "nowhere.invalid"',
      'that name must be known there',
    ));

  test.each([
    ['that does not exist', 'host=/nowhere'],
    ['without a server', 'host=/tmp'],
  ])('a folder of the socket %s', (_, query) =>
    refused(
      { database: `postgresql://app@/shop?${query}` },
      'E_CONNECT',
      'No such file or directory. A host that begins with "/" is the folder of a socket there',
      'unix_socket_directories',
    ),
  );

  test('nobody answers at the port', async () => {
    const silent = createServer((client) => client.resume());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const database = at(`127.0.0.1:${port}/shop?connect_timeout=2`);
    await refused({ database }, 'E_CONNECT', 'timeout expired', 'Nothing answered within 2 s (connect_timeout)');
    await new Promise((resolve) => silent.close(resolve));
  });

  test('what answers there is no PostgreSQL', () =>
    refused(
      { database: at(`127.0.0.1:${scene.sshd.port}/shop`) },
      'E_CONNECT',
      'What answers there does not speak the protocol of PostgreSQL: check the port.',
    ));

  test('a database that does not exist', async () => {
    const message = await refused(
      { database: as('app', { database: 'Shop' }) },
      'E_SOURCE_MISSING',
      'there is no database "Shop" on the server: ',
      'Nothing was kept',
    );
    expect(message.split('does not exist')).toHaveLength(2);
    expect(await server.sql('postgres', "SELECT count(*) FROM pg_database WHERE datname ILIKE 'shop'")).toBe('1');
  });

  test.each([0, 1])('a limit of %i connections for the role', async (limit) => {
    await server.sql('postgres', `ALTER ROLE app CONNECTION LIMIT ${limit}`);
    const says = ['takes no more connections: ', 'too many connections for role "app"', 'needs two at the same time'];
    await refused({ database: as('app') }, 'E_CONNECT', ...says);
    await server.sql('postgres', 'ALTER ROLE app CONNECTION LIMIT -1');
  });

  test('too many connections of others', async () => {
    const names = Array.from({ length: 18 }, (_, index) => `session ${index}`);
    const all = Promise.allSettled(names.map(() => server.sql('postgres', 'SELECT pg_sleep(600)')));
    let sessions: number[] = [];
    while (sessions.length < names.length) sessions = await server.backendPids();
    await refusedBy(
      { server, scene, sessions },
      { database: as('app') },
      'E_CONNECT',
      'takes no more connections: ',
      'remaining connection slots are reserved',
      'Raise max_connections',
    );
    await server.sql('postgres', `SELECT pg_terminate_backend(pid) FROM unnest('{${sessions}}'::int[]) pid`);
    await all;
  });
});

describe('parameters of the URL', () => {
  test('sslmode=require, and the server has no TLS', () =>
    refused(
      { database: as('app', { query: '?sslmode=require' }) },
      'E_CONNECT',
      'speaks no TLS, and `database` asks for it: ',
      'server does not support SSL, but SSL was required',
    ));

  test('one that is newer than the client', () =>
    refused(
      { database: as('app', { query: '?require_auth=scram-sha-256' }) },
      'E_INPUT',
      /the client on the host, pg_dump \(PostgreSQL\) 1\d.*, does not know the parameter require_auth of `database`/,
      'Remove require_auth from `database`, or install a newer client',
    ));

  test.each([
    ['service=none', 'definition of service "none" not found'],
    ['keepalives_idle=soon', 'invalid integer value "soon" for connection option "keepalives_idle"'],
    ['gssencmode=soon', 'invalid gssencmode value: "soon"'],
  ])('%s', (query, said) =>
    refused({ database: as('app', { query: `?${query}` }) }, 'E_INPUT', said, 'Correct it after the "?"'),
  );
});

describe('a hot standby', () => {
  let standby: Postgres;
  beforeAll(async () => {
    standby = await server.standby();
  });
  afterAll(() => standby.remove());
  const there = (query = '', role = 'app') => as(role, { query }).replace(`:${server.port}/`, `:${standby.port}/`);

  test('is not meant', () =>
    refusedBy(
      { server: standby, scene },
      { database: there() },
      'E_SOURCE_INVALID',
      'is a hot standby: the latest commits may be missing',
      '`?target_session_attrs=standby`',
    ));

  test.each(sample(['standby', 'any'], 1))('is meant: target_session_attrs=%s', async (kind) => {
    const id = expectBackup(await scene.run({ database: there(`?target_session_attrs=${kind}`), name: kind }));
    expect(rowsTold(scene, id)).toEqual([['public.customers', 10]]);
    expect(scene.manifest(id).content).toMatchObject({ properties: [expect.stringMatching(/^CREATE DATABASE shop /)] });
    const { file } = scene.manifest(id);
    const script = `zstd -dc "$0" | ${join(server.clientDirectory, 'pg_restore')} -a -f -`;
    const rows = execFileSync('sh', ['-c', script, join(scene.directory, file)], { encoding: 'utf8' });
    expect(/(?<=FROM stdin;\n)[\d\n]*/.exec(rows)?.[0]).toBe('1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n');
    await nothingLeft(scene);
    expect(await sessionsLeft(standby)).toEqual([]);
  });

  test('has no rows of unlogged tables: they are left out, and told', async () => {
    await server.sql('shop', 'CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS i');
    while ((await standby.sql('shop', "SELECT to_regclass('fleeting')")) === '') await sleep(50);
    for (const format of sample(['custom', 'directory', 'plain'], 1)) {
      const inputs = {
        database: standby.uri({ database: 'shop', parameters: { target_session_attrs: 'any' } }),
        name: `unlogged-${format}`,
        'dump-format': format,
      };
      const result = await scene.run(inputs);
      expect(rowsTold(scene, expectBackup(result))).toEqual([['public.customers', 10]]);
      expect(result.annotations.map(({ message }) => message)).toEqual([
        expect.stringMatching(/^the rows of 1 unlogged table are not in this backup/),
      ]);
    }
    await server.sql('shop', 'DROP TABLE fleeting');
  });

  test('is not what was asked for', () =>
    refusedBy(
      { server: standby, scene },
      { database: there('?target_session_attrs=primary') },
      'E_CONNECT',
      'server is in hot standby mode',
    ));
});

describe('a role that may not see everything', () => {
  test.each<[string, string, string, string, string]>([
    ['a table', 'app', 'CREATE TABLE "Secret" AS SELECT 1', 'DROP TABLE "Secret"', 'table Secret'],
    ['a sequence', 'The "App"', 'CREATE SEQUENCE numbers', 'DROP SEQUENCE numbers', 'sequence numbers'],
    ['what sounds like a folder', 'app', 'CREATE TABLE directory ()', 'DROP TABLE directory', 'table directory'],
    ['a schema', 'app', 'CREATE SCHEMA s; CREATE TABLE s.one ()', 'DROP SCHEMA s CASCADE', 'schema s'],
  ])('%s', async (_, role, make, unmake, what) => {
    await server.sql('shop', make);
    const says = [`${role} may not read everything in `, `permission denied for ${what}`, '`exclude-table`'];
    const advice = advised(await refused({ database: as(role) }, 'E_PERM', ...says), 'GRANT');
    expect(advice).toBe(`GRANT pg_read_all_data TO ${role === 'app' ? 'app' : quoteIdentifier(role)}`);
    await server.sql('shop', advice);
    expectBackup(await scene.run({ database: as(role), name: 'granted' }));
    await server.sql('shop', `${advice.replace('GRANT', 'REVOKE').replace(' TO ', ' FROM ')}; ${unmake}`);
  });

  test.each(sample(['custom', 'directory'], 1))('a large object, in the format %s', async (format) => {
    await server.sql('shop', "SELECT lo_from_bytea(4711, 'large'), lo_from_bytea(4712, 'x')");
    const inputs = { database: as('The "App"'), 'dump-format': format };
    await server.sql('postgres', `GRANT pg_read_all_data TO "The ""App"""`);
    const said = /permission denied for large object 471[12]/;
    const message = await refused(inputs, 'E_PERM', said, 'pg_read_all_data does not cover them');
    await server.sql('postgres', advised(message, 'ALTER ROLE'));
    expectBackup(await scene.run({ ...inputs, name: 'granted' }));
    await server.sql('postgres', 'ALTER ROLE "The ""App""" RESET lo_compat_privileges');
    await refused(inputs, 'E_PERM', said);
    await server.sql('shop', advised(message, 'SELECT format('));
    const id = expectBackup(await scene.run({ ...inputs, name: 'granted' }));
    expect(scene.manifest(id).content).toMatchObject({ largeObjects: 2 });
    await server.sql('shop', `SELECT lo_unlink(4711), lo_unlink(4712); REVOKE pg_read_all_data FROM "The ""App"""`);
  });

  test('the database itself', async () => {
    await server.sql('shop', 'REVOKE CONNECT ON DATABASE shop FROM PUBLIC');
    const message = await refused({ database: as('app') }, 'E_PERM', 'permission denied for database "shop"');
    await server.sql('postgres', advised(message, 'GRANT CONNECT'));
    await letsIn({ database: as('app') });
    await server.sql('shop', 'GRANT CONNECT ON DATABASE shop TO PUBLIC; REVOKE CONNECT ON DATABASE shop FROM app');
  });

  test.each(sample(['DATABASE shop', 'ROLE app', 'ROLE app IN DATABASE shop'], 2))('by %s SET role', async (place) => {
    await server.createRole('lesser', null);
    await server.sql('shop', 'CREATE TABLE hidden AS SELECT 1; GRANT SELECT ON hidden TO app; GRANT lesser TO app');
    await server.sql('postgres', `ALTER ${place} SET role = 'lesser'`);
    const message = await refused({ database: as('app') }, 'E_PERM', 'lesser may not read everything in ', 'hidden');
    expect(advised(message, 'ALTER')).toBe(`ALTER ${place} RESET role`);
    await server.sql('postgres', advised(message, 'ALTER'));
    expectBackup(await scene.run({ database: as('app'), name: 'reset' }));
    await server.sql('shop', 'DROP TABLE hidden; DROP ROLE lesser');
  });

  test('row-level security', async () => {
    await server.sql(
      'shop',
      'ALTER TABLE customers ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON customers USING (id < 4)',
    );
    const said = 'affected by row-level security policy for table "customers"';
    const hides = 'row-level security hides rows from The "App", so the dump would not be complete: ';
    const database = as('The "App"');
    const message = await refused({ database }, 'E_PERM', hides, said);
    await server.sql('postgres', advised(message, 'ALTER ROLE'));
    const id = expectBackup(await scene.run({ database, name: 'rows' }));
    expect(rowsTold(scene, id)).toEqual([['public.customers', 10]]);
    expectBackup(await scene.run({ database: as('owner'), name: 'rows' }));
    await server.sql('shop', 'ALTER TABLE customers FORCE ROW LEVEL SECURITY');
    await refused({ database: as('owner') }, 'E_PERM', 'row-level security hides rows from owner');
    await server.sql('shop', 'DROP POLICY few ON customers; ALTER TABLE customers DISABLE ROW LEVEL SECURITY');
  });
});

describe('patterns', () => {
  test('a schema that is not there, beside one that is', () =>
    refused(
      { database: as('app'), schema: 'public\nnowhere' },
      'E_INPUT',
      '`schema` has a pattern that matches nothing: no matching schemas were found for pattern "nowhere"',
      'without it, every schema is in the backup',
    ));

  test.each(sample(['pg_*', '*'], 1))('schema: %s reaches those of the system', (schema) =>
    refused({ database: as('app'), schema }, 'E_INPUT', /the patterns of schema match pg_\w+, whose copy cannot be/),
  );

  test.each(sample(['schema', 'exclude-table', 'exclude-table-data'], 1))(
    '%s with a malformed regular expression',
    (input) =>
      refused(
        { database: as('app'), [input]: '*(' },
        'E_INPUT',
        `a pattern of \`${input}\` (*() is malformed: ERROR: invalid regular expression: parentheses () not balanced.`,
      ),
  );
});

describe('run-as', () => {
  let owner: TestUser;
  let sudoers: string;
  beforeAll(async () => {
    owner = await createUser();
    await server.sql('shop', `CREATE ROLE ${quoteIdentifier(owner.name)} LOGIN IN ROLE pg_read_all_data`);
    mkdirSync('/etc/sudoers.d', { recursive: true });
    sudoers = `/etc/sudoers.d/${scene.user.name}`;
  });
  afterAll(async () => {
    rmSync(sudoers, { force: true });
    await owner.remove();
  });

  test('sudo does not allow it, and then does by the line of the message', async () => {
    const inputs = { database: socket(''), 'run-as': owner.name };
    const message = await refused(inputs, 'E_PERM', /sudo does not allow \S+ to run `sh -s` as \S+: sudo: /);
    const [line = ''] = /\S+ ALL=\(.*?\/usr\/bin\/sh -s/.exec(message) ?? [];
    writeFileSync(sudoers, `${line}\n`, { mode: 0o440 });
    expectBackup(await scene.run({ ...inputs, name: 'peer' }));
    // what fails there is told as well, and leaves nothing
    await refused({ ...inputs, database: socket('app') }, 'E_AUTH', 'Peer authentication failed for user "app"');
    await server.sql(
      'shop',
      'CREATE SEQUENCE numbers; REVOKE pg_read_all_data FROM '.concat(quoteIdentifier(owner.name)),
    );
    await refused(
      inputs,
      'E_PERM',
      `${owner.name} may not read everything in `,
      'permission denied for sequence numbers',
    );
    expect(await leftAfter(() => processesOfUser(owner.uid), 15_000)).toEqual([]);
    expect(temporaryOf(owner.uid)).toEqual([]);
    await server.sql('shop', 'DROP SEQUENCE numbers');
  });
});

describe('a host without the client', () => {
  const nothing = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /usr/lib/postgresql && exec "$@"', 'no-client'];

  test.each<[string, string[]]>([
    ['of any kind', [...withoutCommands(['psql', 'pg_dump', 'pg_restore']), ...nothing]],
    ['behind the wrapper of Debian', nothing],
  ])('%s', async (_, wrapper) => {
    const bare = await startPostgresScene(server, 'shop', { sshd: { wrapper } });
    await refusedBy(
      { server, scene: bare },
      { database: as('app') },
      'E_TOOL_MISSING',
      /postgresql-client is not installed on .*\. On the host: sudo apt-get install -y postgresql-client\. Nothing/,
    );
    await bare.stop();
  });
});
