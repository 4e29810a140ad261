import { chmodSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { withoutCommands } from '../helpers/chroot.js';
import { backupsIn, nothingLeft, refused, succeeded } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { sample } from '../helpers/sample.js';
import type { Scene } from '../helpers/scene.js';

// A backup is green only when its bytes have been proven, whatever the tools that made them say of themselves.

let server: Postgres;
/** Comes first in the PATH of the hosts; its pg_dump tells a version above all others, so that it is taken. */
let tools: string;
let scene: Scene;
/** A host where pg_dump itself compresses. */
let bare: Scene;

beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.sql(
    'shop',
    `CREATE TABLE orders (id integer PRIMARY KEY, note text);
     INSERT INTO orders SELECT i, 'order number ' || i FROM generate_series(1, 20000) i;
     CREATE TABLE customers AS SELECT i AS id, 'customer ' || i AS name FROM generate_series(1, 100) i;`,
  );
  await server.createDatabase('views');
  await server.sql('views', 'CREATE VIEW one AS SELECT 1 AS one');
  // with the very object ids of the original
  await server.createDatabase('staging', 'TEMPLATE shop');
  tools = mkdtempSync(join(tmpdir(), 'dbb-tools-'));
  chmodSync(tools, 0o755);
  reset();
  const extraConfig = `SetEnv PATH=${tools}:/usr/local/bin:/usr/bin:/bin`;
  scene = await startPostgresScene(server, 'shop', { sshd: { extraConfig } });
  bare = await startPostgresScene(server, 'shop', {
    sshd: { extraConfig, wrapper: withoutCommands(['zstd', 'pigz']) },
  });
  for (const one of [scene, bare]) succeeded(await one.run());
});
afterEach(() => reset());
afterAll(async () => {
  await scene?.stop();
  await bare?.stop();
  await server?.remove();
  rmSync(tools, { recursive: true, force: true });
});

/** The tools are the real ones. */
function reset(): void {
  for (const name of readdirSync(tools)) rmSync(join(tools, name));
  for (const tool of ['psql', 'pg_restore', 'pg_dumpall']) {
    symlinkSync(join(server.clientDirectory, tool), join(tools, tool));
  }
  pgDump('exec "$real" "$@"');
}

/** From now on pg_dump is this shell script, in which `$real` is the real one. */
function pgDump(script: string): void {
  put('pg_dump', `if [ "$1" = --version ]; then echo 'pg_dump (PostgreSQL) 99.1'; exit; fi\n${script}`);
}

function put(tool: string, script: string): void {
  rmSync(join(tools, tool), { force: true });
  writeFileSync(join(tools, tool), `#!/bin/sh\nreal=${join(server.clientDirectory, tool)}\n${script}\n`, {
    mode: 0o755,
  });
}

/** Expects that the run fails, and that it leaves neither a backup nor anything else. Returns the message. */
async function expectRejected(
  inputs: Record<string, string>,
  code: string,
  says: RegExp,
  host = scene,
): Promise<string> {
  const before = backupsIn(host.directory);
  const message = refused(await host.run(inputs), code, says);
  expect(message).not.toContain(server.adminPassword);
  expect(backupsIn(host.directory)).toEqual(before);
  await nothingLeft(host);
  expect(await sessionsLeft()).toEqual([]);
  return message;
}

async function sessionsLeft(): Promise<number[]> {
  let left: number[] = [];
  for (const end = Date.now() + 15_000; Date.now() < end; ) {
    left = await server.backendPids();
    if (left.length === 0) break;
  }
  return left;
}

const CUSTOM = {};
const DIRECTORY = { 'dump-format': 'directory', jobs: '2' };
const PLAIN = { 'dump-format': 'plain' };

test.each(sample([CUSTOM, DIRECTORY, PLAIN], 1))(
  'the tools of the tests are those that are taken, and a database without tables is whole: %j',
  async (inputs) => {
    const database = server.uri({ database: 'views' });
    const { tools, content } = scene.manifest(succeeded(await scene.run({ ...inputs, database })));
    expect(tools).toMatchObject({ pg_dump: 'pg_dump (PostgreSQL) 99.1' });
    expect(content).toMatchObject({ objects: 1, tables: [] });
  },
);

describe('pg_dump leaves something out and says that all is well', () => {
  test.each([
    ['custom', CUSTOM],
    ['directory', DIRECTORY],
    ['plain', PLAIN],
  ])('the rows of a table: %s', async (_, inputs) => {
    pgDump('exec "$real" "$@" --exclude-table-data=public.customers');
    const says =
      inputs === PLAIN
        ? /holds the data of 1 table, but the server listed 2 in the same snapshot/
        : /lacks the data of 1 table .*: public\.customers/;
    await expectRejected(inputs, 'E_DUMP_FAILED', says);
  });

  test.each(
    sample(
      [
        ['the last byte', CUSTOM, '| head -c -1'],
        ['the second half', CUSTOM, '| head -c 200000'],
        ['everything', CUSTOM, '| head -c 0'],
        ['the table of contents', DIRECTORY, '&& rm dump/toc.dat'],
        ['the files of tables', DIRECTORY, '&& rm dump/[0-9]*.dat'],
        ['the last rows of a table', DIRECTORY, '&& for file in dump/[0-9]*.dat; do truncate -s -30 $file; done'],
        ['the last line', PLAIN, `| grep -v 'PostgreSQL database dump complete'`],
        ['the second half', PLAIN, '| head -c 200000'],
      ],
      5,
    ),
  )('%s: %j', async (_, inputs, cut) => {
    pgDump(`"$real" "$@" ${cut}; exit 0`);
    const says =
      inputs === PLAIN
        ? /"PostgreSQL database dump complete" is missing at its end/
        : /pg_restore: error: |the end is missing in 2 of the files/;
    expect(await expectRejected(inputs, 'E_DUMP_FAILED', says)).toContain(
      'the output of the tool is not complete, although it reported no error (is it a wrapper?)',
    );
  });
});

describe('pg_dump writes something else and says that all is well', () => {
  test.each([
    ['another database', CUSTOM, 'postgres', /lacks the data of 2 tables|made from the database "postgres"/],
    ['a copy with the same tables', CUSTOM, 'staging', /made from the database "staging", not from "shop"/],
    ['a copy with the same tables', DIRECTORY, 'staging', /made from the database "staging", not from "shop"/],
  ])('%s: %j', async (_, inputs, database, says) => {
    // a snapshot is good for its own database alone
    pgDump(`
      for argument; do
        shift
        case $argument in
          --snapshot=*) ;;
          dbname=*) set -- "$@" "dbname='${database}' \${argument#* }" ;;
          *) set -- "$@" "$argument" ;;
        esac
      done
      exec "$real" "$@"`);
    await expectRejected(inputs, 'E_DUMP_FAILED', says);
  });

  const flip = (at: string) => `perl -0777 -pe '${at} ^= "\\x01"'`;

  test('a byte of the table of contents', async () => {
    pgDump(`"$real" "$@" | ${flip('substr($_, 60, 1)')}`);
    await expectRejected(CUSTOM, 'E_DUMP_FAILED', /the output of the tool is not complete.*pg_restore/);
  });

  test('a byte of the rows, where pg_dump compresses', async () => {
    pgDump(`"$real" "$@" | ${flip('substr($_, length($_) / 2, 1)')}`);
    await expectRejected(CUSTOM, 'E_DUMP_FAILED', /the output of the tool is not complete.*pg_restore: error: /, bare);
  });

  test('all that is right, and then an error', async () => {
    pgDump(`"$real" "$@"; echo 'pg_dump: error: out of luck' >&2; exit 1`);
    for (const inputs of sample([CUSTOM, DIRECTORY, PLAIN], 1)) {
      await expectRejected(inputs, 'E_DUMP_FAILED', /no proven dump of .*pg_dump: error: out of luck \(status 1\)/);
    }
  });
});

describe('the file changes between its writing and its reading', () => {
  // what syncs the file to the disk is the disk here
  const disk = (damage: string) => put('sync', `case $1 in */payload) set -- x "$1"; ${damage} ;; esac`);

  test.each(
    sample<[string, Record<string, string>]>(
      [
        ['custom', CUSTOM],
        ['directory', DIRECTORY],
        ['plain', PLAIN],
        ['not compressed', { compression: 'none' }],
        ['only its hash is asked for', { verify: 'checksum' }],
      ],
      3,
    ),
  )('a byte: %s', async (_, inputs) => {
    disk(
      `perl -e 'open(F, "+<", $ARGV[0]); seek(F, (-s F) / 2, 0); read(F, $c, 1); seek(F, -1, 1); print F chr(ord($c) ^ 1)' "$2"`,
    );
    await expectRejected(inputs, 'E_CHECKSUM', /reading the backup back failed|is not what was written/);
  });

  test('it is another archive of the same size', async () => {
    disk('cp "$2" "$2.x"; perl -pi -e "s/order number 7/order number 8/" "$2.x"; cat "$2.x" >"$2"; rm "$2.x"');
    await expectRejected({ compression: 'none' }, 'E_CHECKSUM', /is not what was written/);
  });

  test('it is shorter', async () => {
    disk('truncate -s -1 "$2"');
    await expectRejected(CUSTOM, 'E_DUMP_FAILED', /the file has \d+ bytes, but the stream had \d+/);
  });

  test('and the next run works', async () => {
    succeeded(await scene.run({ keep: '50' }));
  });
});
