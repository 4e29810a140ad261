import { describe, expect, test } from '@jest/globals';
import type { InputName } from '../../src/settings/declared-inputs.js';
import { accepted, type Given, makeKey, problems, reading } from './given-inputs.js';

const SQLITE: Given = { transport: 'local', database: '/srv/app.db' };
const SSH: Given = {
  transport: 'ssh',
  host: 'db.example.com',
  username: 'deploy',
  key: makeKey(),
  'known-hosts': 'db.example.com ssh-ed25519 AAAA',
};
const POSTGRES: Given = { transport: 'local', database: 'postgresql://app@db.internal/shop' };

test('what a PostgreSQL URL comes to', async () => {
  const { settings, warnings } = await accepted({
    ...POSTGRES,
    database: 'postgresql+psycopg://app:p%40ss@db:5433/Shop%20%C3%A4?sslmode=require&schema=public',
  });
  expect(warnings).toEqual([]);
  expect(settings.name).toBe('Shop');
  expect(settings.database).toEqual({
    engine: 'postgres',
    database: 'Shop ä',
    parameters: [
      ['host', 'db'],
      ['port', '5433'],
      ['user', 'app'],
      ['sslmode', 'require'],
    ],
    password: 'p@ss',
    given: 'postgresql://app@db:5433/Shop%20%C3%A4?sslmode=require',
  });
});

describe('the password', () => {
  test('is masked in each form, also when something else is wrong', async () => {
    const { error, masks } = await reading({
      ...POSTGRES,
      database: 'postgres://app:p%40ss%2f1@db/shop',
      jobs: 'many',
      'dump-format': 'directory',
    });
    expect(error?.code).toBe('E_INPUT');
    expect(masks).toEqual(['p@ss/1', 'p%40ss%2f1', 'p%40ss%2F1']);
  });

  test('may be given apart, and also twice when it is the same', async () => {
    for (const database of ['postgres://app@db/shop', 'postgres://app:p%40ss@db/shop']) {
      const { settings } = await accepted({ ...POSTGRES, database, 'database-password': 'p@ss' });
      expect(settings.database).toMatchObject({ password: 'p@ss', given: 'postgresql://app@db/shop' });
    }
  });

  test('twice and different is refused without being shown', async () => {
    const given = { ...POSTGRES, database: 'postgres://app:hunter2@db/shop', 'database-password': 'hunter3' };
    expect(await problems(given)).toEqual([
      'database-password: expected nothing, or the same password as in database: they differ',
    ]);
  });
});

describe('restore-to', () => {
  const RESTORE: Given = { ...POSTGRES, verify: 'restore' };

  test('is a URL as database is one, with its password masked', async () => {
    const { result, masks } = await reading({ ...RESTORE, 'restore-to': 'postgres://ci:p%40ss@spare:5433/postgres' });
    expect(result?.settings.restoreTo).toEqual({
      engine: 'postgres',
      database: 'postgres',
      parameters: [
        ['host', 'spare'],
        ['port', '5433'],
        ['user', 'ci'],
      ],
      password: 'p@ss',
      given: 'postgresql://ci@spare:5433/postgres',
    });
    expect(masks).toEqual(expect.arrayContaining(['p@ss', 'p%40ss']));
  });

  test('is not the live database, with whatever password', async () => {
    const live =
      'restore-to: expected a database other than the live one, for example the database postgres of that server';
    const same = ['app@db.internal', 'app:hunter2@db.internal', 'ci@DB.internal:5432', 'db.internal'];
    for (const authority of same) {
      expect(await problems({ ...RESTORE, 'restore-to': `postgresql://${authority}/shop?sslmode=require` })).toEqual([
        live,
      ]);
    }
    for (const other of ['app@db.internal/postgres', 'app@db.internal:5433/shop', 'app@spare/shop']) {
      expect((await accepted({ ...RESTORE, 'restore-to': `postgresql://${other}` })).warnings).toEqual([]);
    }
  });

  test('is required where the proof is made on the runner', async () => {
    const RUNNER: Given = { ...RESTORE, ...SSH, command: 'verify', 'verify-on': 'runner' };
    expect((await problems(RUNNER)).join()).toMatch(/^restore-to: required with verify-on runner and verify restore/);
    for (const given of [
      { ...RUNNER, 'restore-to': 'postgresql://postgres@localhost/postgres' },
      { ...RUNNER, verify: 'content' },
      { ...RUNNER, 'verify-on': 'host' },
    ]) {
      expect((await accepted(given)).warnings).toEqual([]);
    }
  });

  test('verify-on has no effect where the host is the runner', async () => {
    const { settings, warnings } = await accepted({ ...RESTORE, command: 'verify', 'verify-on': 'runner' });
    expect(settings.verifyOn).toBe('host');
    expect(warnings).toEqual(['verify-on: it has no effect with transport local: the host is the runner']);
  });

  test('is no path', async () => {
    const told = await problems({ ...RESTORE, 'restore-to': '/srv/app.db' });
    expect(told.join()).toMatch(/^restore-to: expected a postgresql:\/\/ URL, because database is one/);
  });

  test('has no effect with a SQLite database', async () => {
    const { settings, warnings } = await accepted({ ...SQLITE, verify: 'restore', 'restore-to': 'postgresql://a@b/c' });
    expect(settings.restoreTo).toBeNull();
    expect(warnings).toEqual([
      'restore-to: it has no effect with a SQLite database, which is restored into a temporary file',
    ]);
  });
});

const CONTAINER =
  'expected the name of a container (letters, digits, "_", "." or "-", starting with a letter or digit), or compose:PROJECT/SERVICE, or swarm:SERVICE';

test.each(['shop-db-1', 'compose:shop/db', 'compose:my_shop-2/data.base', 'swarm:shop_db'])(
  'the container %s',
  async (container) => {
    expect((await accepted({ ...POSTGRES, container })).settings.container).toBe(container);
  },
);

describe('what is refused', () => {
  const rules: [InputName, string, string][] = [
    ['dump-format', 'tar', 'expected one of custom, directory, plain, got "tar"'],
    ...[
      ...['a b', '-it', 'compose:shop', 'compose:/db', 'compose:shop/', 'compose:shop/a/b', 'compose:a.b/db'],
      ...['compose:shop/d b', 'compose:shop/$(id)', 'Compose:shop/db', 'compose:shop/-db', 'swarm:', 'swarm:a/b'],
      ...['swarm:-a', 'swarm:a,b', 'swarm:a=b', 'docker:a', 'shop/db'],
    ].map((text): [InputName, string, string] => ['container', text, `${CONTAINER}, got "${text}"`]),
    [
      'exclude-table',
      'a\n"b',
      'a double quote is not closed; write a double quote inside a quoted name twice, got "a\\n\\"b"',
    ],
    [
      'exclude-table-data',
      'a.b.c',
      'expected table or schema.table; put a name with a dot in it in double quotes, got "a.b.c"',
    ],
    ['schema', 'a.b', 'expected the name of a schema alone; put a name with a dot in it in double quotes, got "a.b"'],
    ['database-password', 'a\nb', 'expected one line'],
  ];
  test.each(rules)('%s: %j', async (name, value, rule) => {
    expect(await problems({ ...POSTGRES, [name]: value })).toEqual([`${name}: ${rule}`]);
  });

  test.each(['0', '65', 'all'])('jobs: %j', async (jobs) => {
    expect(await problems({ ...POSTGRES, 'dump-format': 'directory', jobs })).toEqual([
      `jobs: expected a whole number from 1 to 64, got "${jobs}"`,
    ]);
  });

  test('a container with a SQLite database', async () => {
    expect(await problems({ ...SQLITE, container: 'db' })).toEqual([
      'container: expected nothing with a SQLite database: give its path in the volume on the host, and run-as, got "db"',
    ]);
  });
});

describe('what has no effect is a warning', () => {
  test.each([
    ['database-password', 'x'],
    ['dump-format', 'plain'],
    ['jobs', '2'],
    ['exclude-table', 'a'],
    ['exclude-table-data', 'a'],
    ['schema', 'a'],
  ] satisfies [InputName, string][])('%s with a SQLite database', async (name, value) => {
    const { settings, warnings } = await accepted({ ...SQLITE, [name]: value });
    expect(warnings).toEqual([`${name}: it has no effect with a SQLite database`]);
    expect(settings).toEqual((await accepted(SQLITE)).settings);
  });

  test.each(['custom', 'plain'])('jobs with the format %s', async (format) => {
    const { warnings } = await accepted({ ...POSTGRES, 'dump-format': format, jobs: '2' });
    expect(warnings).toEqual([`jobs: it has no effect with dump-format ${format}`]);
  });

  test('a pooler is named', async () => {
    const { warnings } = await accepted({ ...POSTGRES, database: 'postgresql://app@db/shop?pgbouncer=true' });
    expect(warnings).toEqual([
      'database: it leads to PgBouncer, which may end a dump halfway; name the server itself instead, with its own port',
    ]);
  });
});
