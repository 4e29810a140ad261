import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Engine } from '../../src/engines/engine.js';
import { programsOf } from '../../src/engines/lookup.js';
import { postgres } from '../../src/engines/postgres/index.js';
import { sqlite } from '../../src/engines/sqlite/index.js';
import { quote } from '../../src/host/quoting.js';
import type { Session } from '../../src/host/session.js';
import { Sessions } from '../helpers/shell-host.js';

// What a tool said, and the code that its engine's program makes of it: the tables in postgres-failures.sh and sqlite.sh, row by row.

const sessions = new Sessions();
afterAll(() => sessions.close());

function sessionOf(engine: Engine): () => Session {
  let session: Session | undefined;
  beforeAll(async () => {
    ({ session } = await sessions.open(['dash'], { engine: programsOf(engine) }));
  });
  return () => session as Session;
}

describe('psql and pg_dump', () => {
  const session = sessionOf(postgres);
  const code = async (status: number, said: string, code: string, sqlstate: string | null = null): Promise<void> => {
    const script = `pg_version='pg_dump 16'; printf '%s\n' ${quote(said)} >said; postgres_failed ${status} said`;
    const failure = await session()
      .send(['job', 'eval', [script]])
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect((failure as { facts: Map<string, string> }).facts.get('sqlstate')).toBe(sqlstate);
  };
  const psql = (state: string, text: string): string =>
    `psql:look.sql:3: FEHLER:  ${state}: ${text}\nLOCATION:  somewhere, file.c:1`;

  test.each([
    ['28P01', 'E_AUTH'],
    ['28000', 'E_AUTH'],
    ['3D000', 'E_SOURCE_MISSING'],
    ['42501', 'E_PERM'],
    ['55P03', 'E_BUSY'],
    ['57014', 'E_BUSY'],
    ['40001', 'E_BUSY'],
    ['40P01', 'E_BUSY'],
    ['53100', 'E_NOSPACE'],
    ['53300', 'E_CONNECT'],
    ['57P03', 'E_CONNECT'],
    ['08006', 'E_CONNECT'],
    ['2201B', 'E_INPUT'],
    ['XX001', 'E_SOURCE_CORRUPT'],
    ['XX002', 'E_SOURCE_CORRUPT'],
    ['58030', 'E_SOURCE_CORRUPT'],
    ['42P01', 'E_DUMP_FAILED'],
  ])('the SQLSTATE %s in any language: %s', async (state, expected) => {
    await code(3, psql(state, 'was auch immer'), expected, state);
  });

  test.each([
    [1, 'pg_dump: error: query would be affected by row-level security policy for table "docs"', 'E_PERM'],
    [
      2,
      'connection to server at "db" (10.0.0.1), port 5432 failed: FATAL:  database "shop" does not exist',
      'E_SOURCE_MISSING',
    ],
    [2, 'connection to server failed: FATAL:  password authentication failed for user "app"', 'E_AUTH'],
    [2, 'connection to server failed: fe_sendauth: no password supplied', 'E_AUTH'],
    [2, 'connection to server failed: FATAL:  no pg_hba.conf entry for host "10.0.0.2", user "app"', 'E_AUTH'],
    [2, 'connection to server failed: FATAL:  role "app" does not exist', 'E_AUTH'],
    [2, 'connection to server failed: FATAL:  role "app" is not permitted to log in', 'E_AUTH'],
    [2, 'server closed the connection unexpectedly', 'E_CONNECT'],
    [1, 'pg_dump: error: query failed: server closed the connection unexpectedly', 'E_DUMP_FAILED'],
    [1, 'pg_dump: error: query failed: ERROR:  canceling statement due to lock timeout', 'E_BUSY'],
    [1, 'pg_dump: error: could not obtain lock on relation "public.docs"', 'E_BUSY'],
    [1, 'ERROR:  canceling statement due to conflict with recovery', 'E_BUSY'],
    [1, 'pg_dump: error: aborting because of server version mismatch', 'E_TOOL_VERSION'],
    [1, 'pg_dump: error: query failed: ERROR:  permission denied for table docs', 'E_PERM'],
    [1, 'pg_dump: error: no matching schemas were found', 'E_INPUT'],
    [1, 'ERROR:  invalid regular expression: parentheses () not balanced', 'E_INPUT'],
    [2, 'psql: error: invalid connection option "channel_bindings"', 'E_INPUT'],
    [2, 'psql: error: invalid sslmode value: "never"', 'E_INPUT'],
    [2, 'psql: error: definition of service "shop" not found', 'E_INPUT'],
    [2, 'connection to server failed: FATAL:  sorry, too many clients already', 'E_CONNECT'],
    [2, 'connection to server failed: FATAL:  remaining connection slots are reserved', 'E_CONNECT'],
    [2, 'connection to server failed: FATAL:  the database system is starting up', 'E_CONNECT'],
    [2, 'connection to server at "db", port 5432 failed: Connection refused', 'E_CONNECT'],
    [1, 'ERROR:  invalid page in block 3 of relation base/5/16384', 'E_SOURCE_CORRUPT'],
    [1, 'ERROR:  could not read block 3 in file "base/5/16384"', 'E_SOURCE_CORRUPT'],
    [1, 'ERROR:  missing chunk number 0 for toast value 16390', 'E_SOURCE_CORRUPT'],
    [1, 'pg_dump: error: could not write to output file: No space left on device', 'E_NOSPACE'],
    [137, '', 'E_DUMP_FAILED'],
    [1, 'pg_dump: error: out of luck', 'E_DUMP_FAILED'],
  ])('status %d, %j: %s', (status, said, expected) => code(status, said, expected));

  test('a broken pipe is not told: who reads has failed, and says why', async () => {
    const pipe = `echo 'pg_dump: error: could not write: Broken pipe' >said; (postgres_failed 1 said); put ended $?`;
    expect((await session().send(['job', 'eval', [pipe]])).entries).toEqual([['ended', '141']]);
  });
});

describe('sqlite3', () => {
  const session = sessionOf(sqlite);
  test.each([
    [5, 'Error: database is locked', 'E_BUSY'],
    [6, 'Error: database table is locked', 'E_BUSY'],
    [1, 'Error: in prepare, database is locked (5)', 'E_BUSY'],
    [11, 'Error: database disk image is malformed', 'E_SOURCE_CORRUPT'],
    [26, 'Error: file is not a database', 'E_SOURCE_CORRUPT'],
    [1, 'Parse error near line 1: database disk image is malformed (11)', 'E_SOURCE_CORRUPT'],
    [13, 'Error: database or disk is full', 'E_NOSPACE'],
    [1, 'Error: near line 3: database or disk is full', 'E_NOSPACE'],
    [8, 'Error: attempt to write a readonly database', 'E_PERM'],
    [14, 'Error: unable to open database file', 'E_PERM'],
    [1, 'Error: unable to open database "/srv/app.db"', 'E_PERM'],
    [137, '', 'E_DUMP_FAILED'],
    [1, 'Error: no such function: icu_load_collation', 'E_DUMP_FAILED'],
  ])('status %d, %j: %s', async (status, said, expected) => {
    const script = `sqlite_tool=sqlite3; sqlite_failed ${status} ${quote(said)}`;
    await expect(session().send(['job', 'eval', [script]])).rejects.toMatchObject({ code: expected });
  });

  test.each(['E_CHECKSUM', 'E_RESTORE'])(
    'what damage is called is for the one who reads it to say: %s',
    async (name) => {
      const script = `sqlite_tool=sqlite3 corrupt=${name} unproven=E_RESTORE; sqlite_failed 11 malformed`;
      await expect(session().send(['job', 'eval', [script]])).rejects.toMatchObject({ code: name });
    },
  );
});
