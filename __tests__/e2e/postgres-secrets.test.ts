import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { quote } from '../../src/host/quoting.js';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { nothingLeft, until } from '../helpers/outcome.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { lockTable, startPostgresScene } from '../helpers/postgres-backups.js';
import { leftAfter, listProcesses, processesOfUser, sampleArgv } from '../helpers/processes.js';
import type { ActionResult } from '../helpers/run-action.js';
import type { Scene } from '../helpers/scene.js';
import { createUser, type TestUser } from '../helpers/users.js';

const DEBUG = { ACTIONS_STEP_DEBUG: 'true', RUNNER_DEBUG: '1' };
const ODD = `p@ss/w%rd:1'"$x`;
const LONG = `${'long-äöü %25\\'.repeat(12)}end`;

let server: Postgres;
let scene: Scene;
let other: TestUser;
let sudoers: string;
beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.sql('shop', 'CREATE TABLE t AS SELECT 1 AS one');
  [scene, other] = [await startPostgresScene(server, 'shop', { transport: 'ssh' }), await createUser()];
  await server.createRole('odd', ODD, 'SUPERUSER');
  await server.createRole('long', LONG, 'SUPERUSER');
  sudoers = `/etc/sudoers.d/${scene.user.name}`;
  mkdirSync('/etc/sudoers.d', { recursive: true });
  writeFileSync(sudoers, `${scene.user.name} ALL=(${other.name}) NOPASSWD: ALL\n`, { mode: 0o440 });
});
afterAll(async () => {
  rmSync(sudoers, { force: true });
  await scene.stop();
  await other.remove();
  await server.remove();
});

/** The password as it is, as URLs, shells, libpq, .pgpass, JSON and HTML have it; and the beginning that most of these share. */
function formsOf(password: string): string[] {
  const encoded = encodeURIComponent(password);
  return [
    password,
    encoded,
    encodeURI(password),
    new URLSearchParams({ password }).toString().slice('password='.length),
    quote(password).slice(1, -1),
    password.replace(/[\\']/g, '\\$&'),
    password.replace(/[\\:]/g, '\\$&'),
    JSON.stringify(password).slice(1, -1),
    password.replaceAll('"', '&quot;').replaceAll("'", '&#39;'),
    Buffer.from(password).toString('base64').slice(0, 16),
    password.slice(0, 11),
    encoded.slice(0, 11),
  ];
}

const holds = (text: string, password: string) => formsOf(password).some((form) => text.includes(form));

/** Every file of the users of the host, as text, by its path. */
function filesOfUsers(): Record<string, string> {
  const uids = [scene.user.uid, other.uid];
  const found: Record<string, string> = {};
  const look = (folder: string) => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      try {
        const stat = statSync(path);
        if (!uids.includes(stat.uid)) continue;
        if (stat.isDirectory()) look(path);
        else if (stat.isFile()) found[path] = readFileSync(path, 'utf8');
      } catch {
        // It is gone, as what other tests make here may be.
      }
    }
  };
  for (const folder of ['/tmp', '/var/tmp', '/dev/shm', scene.user.home, other.home]) look(folder);
  return found;
}

/** Names of the places where a password turns up in one of its forms. */
function leaks(password: string, result: ActionResult, argv: string[], during: Record<string, string>): string[] {
  // The runner takes the masks out of the log itself; nothing else may hold a secret, masked or not.
  const log = result.log.split('\n').filter((line) => !line.startsWith('::add-mask::'));
  const places: Record<string, string> = {
    log: log.join('\n'),
    visible: result.visible,
    outputs: JSON.stringify(result.outputs),
    report: result.outputs.report ?? '',
    state: JSON.stringify(result.state),
    summary: result.summary,
    annotations: JSON.stringify(result.annotations),
    argv: argv.join('\n'),
    'sshd log': scene.sshd.log(),
    ...during,
    ...filesOfUsers(),
  };
  return Object.keys(places).filter((place) => holds(places[place] ?? '', password));
}

const FORMATS = ['custom', 'directory', 'plain'];
const RUNS: [what: string, password: string, inputs: () => Record<string, string>][] = [
  ...FORMATS.map((format): (typeof RUNS)[number] => [
    `${format}, in the URL`,
    ODD,
    () => ({ database: server.uri({ user: 'odd', password: ODD, database: 'shop' }), 'dump-format': format }),
  ]),
  [
    'database-password',
    LONG,
    () => ({ database: server.uri({ user: 'long', database: 'shop' }), 'database-password': LONG }),
  ],
  [
    'a raw "@" in the URL',
    ODD,
    () => ({ database: `postgres://odd:${encodeURI(ODD).replace('/', '%2F')}@127.0.0.1:${server.port}/shop` }),
  ],
  ...FORMATS.map((format): (typeof RUNS)[number] => [
    `${format}, run-as`,
    format === 'custom' ? ODD : LONG,
    () => ({
      database: server.uri(
        format === 'custom'
          ? { user: 'odd', password: ODD, database: 'shop' }
          : { user: 'long', password: LONG, database: 'shop' },
      ),
      'dump-format': format,
      'run-as': other.name,
    }),
  ]),
];

test.each(RUNS)('the password is told nowhere, also with debugging on: %s', async (_, password, inputs) => {
  const sampler = sampleArgv();
  const release = await lockTable(server, 'shop', 't');
  const running = scene.run(inputs(), DEBUG);
  // pg_dump waits for the table, so that nothing of it can be missed
  const ours = `dbname='shop' host='127.0.0.1' port='${server.port}'`;
  const dumping = () => listProcesses().filter(({ command }) => /\/pg_dump /.test(command) && command.includes(ours));
  await until(() => dumping().length > 0, 10_000).catch(async (error: Error) => {
    await release();
    throw new Error(`${error.message}: ${(await running).visible}`);
  });
  const owners = new Set(dumping().map(({ uid }) => uid));
  const during = filesOfUsers();
  await release();
  const result = await running;
  const argv = sampler.stop();
  const id = expectBackup(result);
  expect(leaks(password, result, argv, during)).toEqual([]);

  // The looking saw what there was to see.
  expect(owners).toEqual(new Set([inputs()['run-as'] === undefined ? scene.user.uid : other.uid]));
  for (const tool of ['/psql ', '/pg_dump ']) {
    expect(argv.some((line) => line.includes(tool) && line.includes(ours))).toBe(true);
  }
  expect(Object.keys(during).some((path) => path.endsWith('/snapshot.facts'))).toBe(true);
  expect(Object.keys(filesOfUsers())).toEqual(
    expect.arrayContaining([join(scene.directory, 'status.json'), join(scene.directory, `${id}.json`)]),
  );

  // It is masked before anything else is said about it.
  expect(result.masks).toEqual(expect.arrayContaining([password, encodeURIComponent(password)]));
  const lines = result.log.split('\n');
  expect(lines.findIndex((line) => !line.startsWith('::add-mask::'))).toBeGreaterThan(
    lines.findLastIndex((line) => line.startsWith('::add-mask::') && holds(decoded(line), password)),
  );
  await nothingLeft(scene);
  // a sleep of the shell there outlives it by two seconds at most
  const left = () => processesOfUser(other.uid).filter(({ command }) => command !== 'sleep 2');
  expect(await leftAfter(left, 15_000)).toEqual([]);
});

/** As the runner reads the data of a command. */
const decoded = (line: string) => line.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%25', '%');

test.each([
  ['a port that is none', () => `postgres://odd:${encodeURIComponent(ODD)}@127.0.0.1:x/shop`],
  ['no name of a database', () => `postgres://odd:${encodeURIComponent(ODD)}@127.0.0.1/`],
  ['a password that is not encoded', () => `postgres://odd:${ODD}@127.0.0.1/shop`],
])('nor where the URL is wrong: %s', async (_, database) => {
  const result = await scene.run({ database: database() }, DEBUG);
  expectFailure(result, 'E_INPUT');
  expect(leaks(ODD, result, [], {})).toEqual([]);
});
