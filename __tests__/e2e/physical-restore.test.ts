import { spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { chown } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { until } from '../helpers/outcome.js';
import { type PhysicalScene, startPhysicalScene } from '../helpers/physical-scene.js';
import { ownerOfServers } from '../helpers/postgres-programs.js';
import { listProcesses } from '../helpers/processes.js';
import { reportOf } from '../helpers/scene.js';

let scene: PhysicalScene;
/** A tablespace that the first set has. */
let space: string;

beforeAll(async () => {
  scene = await startPhysicalScene({ section: { 'job-retry': '0' } });
  space = await makeTablespace('space');
  await scene.physical.sql('CREATE TABLE t (n integer PRIMARY KEY); CREATE TABLE far (n integer) TABLESPACE space');
  expectBackup(await scene.run());
}, 120_000);
afterAll(() => scene?.stop());

async function makeTablespace(name: string): Promise<string> {
  const { physical } = scene;
  const place = join(physical.directory, name);
  mkdirSync(place, { mode: 0o700 });
  await chown(place, ownerOfServers().uid, ownerOfServers().gid);
  await physical.sql(`CREATE TABLESPACE ${name} LOCATION '${place}'`);
  return place;
}

/** A row in each table, and the moment after it, at which it can be recovered. */
async function write(n: number): Promise<string> {
  await scene.physical.sql(`INSERT INTO t VALUES (${n}); INSERT INTO far VALUES (${n})`);
  const at = await scene.physical.sql(
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
  );
  // after the moment there has to be a commit
  await scene.physical.sql(
    'SELECT pg_sleep(0.01); CREATE TABLE IF NOT EXISTS later (n integer); INSERT INTO later VALUES (1)',
  );
  return at;
}

const rows = (table = 't'): Promise<string> =>
  scene.physical.sql(`SELECT string_agg(n::text, ',' ORDER BY n) FROM ${table}`);

/** What is beside the data directory and in the places of tablespaces, but for what a restore leaves on purpose. */
const beside = (...places: string[]): string[] =>
  [dirname(scene.physical.dataDirectory), ...places]
    .flatMap((place) => readdirSync(place))
    .filter((name) => name.includes('db_backup'));

const histories = async (): Promise<string[]> =>
  Object.keys(
    JSON.parse(
      await scene.physical.backrest('repo-ls', '--output=json', `archive/${scene.physical.stanza}/15-1`),
    ) as object,
  ).filter((name) => name.endsWith('.history'));

const restore = (inputs: Record<string, string>) =>
  scene.run({ command: 'restore', confirm: scene.physical.stanza, ...inputs });

test('a restore that a check rejects is taken back, with the tablespaces, and the repository knows nothing of it', async () => {
  const { physical } = scene;
  await sleep(1100); // one can recover from the second after the one in which the set ended
  const target = await write(1);
  await write(2);
  const known = await histories();
  // younger than the set: recovery comes to its creation, in a place where the live one is
  const young = await makeTablespace('young');
  await physical.sql('CREATE TABLE near (n integer) TABLESPACE young; INSERT INTO near VALUES (7)');
  const after = await write(3);
  await write(4);
  const versions = () =>
    [space, young].map((place) => readdirSync(place).filter((name) => name.startsWith('PG_')).length);

  for (const [moment, inThere] of [
    [target, 1],
    [after, 3],
  ] as const) {
    const seen = join(scene.user.home, 'seen');
    const result = await restore({
      'restore-time': moment,
      'check-command': `psql -XAt '${physical.server.uri()}' -c "SELECT count(*), pg_is_in_recovery(), current_setting('archive_command') FROM far" >${seen}; false`,
    });
    expect(readFileSync(seen, 'utf8')).toBe(`${inThere}|f|/bin/false db_backup_hold\n`);
    expectFailure(result, 'E_ROLLED_BACK', 'check-command');
    expect([await rows(), await rows('far'), await rows('near')]).toEqual(['1,2,3,4', '1,2,3,4', '7']);
    expect(reportOf(result).restore?.outcome).toBe('rolled-back');
    expect(await physical.sql('SHOW archive_command')).toContain(' archive-push ');
    expect(beside(space, young)).toEqual([]);
    expect(versions()).toEqual([1, 1]);
    expect(await histories()).toEqual(known);
  }

  // the timeline is still the old one, and what is committed now can be recovered later
  const later = await write(5);
  await write(6);
  const proof = await scene.run({ command: 'verify', verify: 'restore', 'restore-time': later });
  expectFailure(proof, 'E_RESTORE', young, 'younger than the set');
  expectBackup(await scene.run({ verify: 'restore' }));
  const restored = await restore({ 'restore-time': later });
  expect(restored.annotations.filter(({ level }) => level === 'error')).toEqual([]);
  expect([await rows(), await rows('far'), await rows('near')]).toEqual(['1,2,3,4,5', '1,2,3,4,5', '7']);
  const links = join(physical.dataDirectory, 'pg_tblspc');
  expect(
    readdirSync(links)
      .map((oid) => basename(readlinkSync(join(links, oid))))
      .sort(),
  ).toEqual(['space', 'young']);
  expect(await physical.sql('SHOW archive_command')).toContain(' archive-push ');
  expect(readFileSync(join(physical.dataDirectory, 'postgresql.auto.conf'), 'utf8')).not.toContain('db_backup_hold');
  expect(beside(space, young).filter((name) => !name.includes('_old_'))).toEqual([]);
}, 120_000);

test('a set that is not whole is not restored, and nothing is left of the attempt', async () => {
  const folder = join(scene.physical.repository, 'backup', scene.physical.stanza);
  const labels = readdirSync(folder).filter((name) => /^\d{8}-\d{6}F/.test(name));
  const without = async (file: string) => {
    const files = labels.map((label) => join(folder, label, file));
    for (const one of files) renameSync(one, `${one}.whole`);
    for (const one of files) writeFileSync(one, 'torn');
    const result = await restore({ 'restore-time': 'latest' });
    for (const one of files) renameSync(`${one}.whole`, one);
    return result;
  };
  expectFailure(await without('backup.manifest'), 'E_CHECKSUM', 'does not match its manifest');
  const result = await without(join('pg_data', 'global', 'pg_control.zst'));
  expectFailure(result, 'E_CHECKSUM', 'the repository is damaged', 'The live database is as it was.');
  expect(reportOf(result).restore?.outcome).toBe('unchanged');
  expect(beside(space).filter((name) => !name.includes('_old_'))).toEqual([]);
  // no journal: the next run has nothing to bring to an end
  expect(
    readdirSync(join(scene.inputs.directory ?? '', '.work')).filter((name) => name.startsWith('restore-')),
  ).toEqual([]);
}, 60_000);

test('where there is no room beside it, nothing is touched', async () => {
  const { physical } = scene;
  const before = physical.postmaster();
  const result = await restore({ 'restore-time': 'latest', 'min-free': '100TB' });
  expectFailure(result, 'E_NOSPACE', 'are needed for the restored cluster');
  expect(reportOf(result).restore?.outcome).toBe('unchanged');
  expect(physical.postmaster()).toBe(before);
  expect(beside(space).filter((name) => !name.includes('_old_'))).toEqual([]);
}, 60_000);

test('a restored server that does not come up: all is as it was', async () => {
  const { physical } = scene;
  const old = await rows();
  const options = readFileSync(join(physical.dataDirectory, 'postmaster.opts'), 'utf8').replace(/^\S+ /, '').trim();
  const control = (...args: string[]) =>
    physical.asOwner(
      join(physical.server.clientDirectory, 'pg_ctl'),
      ...args,
      '-D',
      physical.dataDirectory,
      '-s',
      '-w',
    );
  await control('stop', '-m', 'fast');
  // somebody has its socket
  const { uid, gid } = ownerOfServers();
  const somebody = spawn('sleep', ['60'], { uid, gid, stdio: 'ignore' });
  const lock = join(physical.server.socketDirectory, `.s.PGSQL.${physical.server.port}.lock`);
  writeFileSync(lock, `${somebody.pid}\n`);
  chownSync(lock, uid, gid);
  const inode = statSync(physical.dataDirectory).ino;
  const result = await restore({ 'restore-time': 'latest' });
  expectFailure(result, 'E_RESTORE', 'lock file');
  expect(reportOf(result).restore?.outcome).toBe('unchanged');
  expect(statSync(physical.dataDirectory).ino).toBe(inode);
  expect(beside(space).filter((name) => !name.includes('_old_'))).toEqual([]);
  somebody.kill();
  rmSync(lock);
  await control('start', '-l', '/dev/null', '-o', options);
  expect([await rows(), await rows('far')]).toEqual([old, old]);
}, 60_000);

test('a server that was killed, and one whose data directory is gone, come back with all that was archived', async () => {
  const { physical } = scene;
  // nobody sees how it was started, when the directory is gone
  await physical.sql(
    `ALTER SYSTEM SET port = ${physical.server.port}; ALTER SYSTEM SET unix_socket_directories = '${physical.server.socketDirectory}'`,
  );
  expectBackup(await scene.run());
  await physical.sql('CREATE TABLE kept (n integer); INSERT INTO kept VALUES (1), (2); SELECT pg_switch_wal()');
  await archived();
  const pid = physical.postmaster() ?? 0;
  expect(pid).toBeGreaterThan(1);
  process.kill(pid, 'SIGKILL');
  // until nobody has its number any more, other servers leave its socket alone
  await until(() => !existsSync(`/proc/${pid}`));
  await until(() => listProcesses().every(({ cwd }) => !cwd.startsWith(physical.dataDirectory)));
  const killed = await restore({ 'restore-time': 'latest' });
  expect(killed.annotations.filter(({ level }) => level === 'error')).toEqual([]);
  expect(killed.annotations.map(({ message }) => message)).toContainEqual(
    expect.stringContaining('the server does not run: what it has not archived yet'),
  );
  expect(await rows('kept')).toBe('1,2');

  await physical.sql('INSERT INTO kept VALUES (3); SELECT pg_switch_wal()');
  await archived();
  await physical.asOwner(
    join(physical.server.clientDirectory, 'pg_ctl'),
    'stop',
    '-D',
    physical.dataDirectory,
    '-m',
    'fast',
    '-w',
  );
  renameSync(physical.dataDirectory, `${physical.dataDirectory}.lost`);
  const lost = await restore({ 'restore-time': 'latest' });
  expect(lost.annotations.filter(({ level }) => level === 'error')).toEqual([]);
  expect([await rows('kept'), await rows('far')]).toEqual(['1,2,3', await rows()]);
  expect(beside(space).filter((name) => !name.includes('_old_'))).toEqual([]);
}, 120_000);

test('names with everything in them, of a database that the moment does not know', async () => {
  const { physical } = scene;
  const odd = ` it's "odd" \\ {x} %s$HOME `;
  const target = await write(20);
  await physical.server.createRole(odd, null, 'SUPERUSER');
  await physical.server.createDatabase(odd);
  await physical.sql('CREATE TABLE "a.b" (n integer); INSERT INTO "a.b" VALUES (1)', odd);
  await write(21);
  const database = `postgresql://postgres@/${encodeURIComponent(odd)}?host=${encodeURIComponent(physical.server.socketDirectory)}&port=${physical.server.port}`;
  const made = await scene.run({ database, verify: 'restore', assert: 'SELECT count(*) = 1 FROM "a.b"' });
  expectBackup(made);
  const restored = await restore({ database, 'restore-time': target });
  expect(restored.annotations.filter(({ level }) => level === 'error')).toEqual([]);
  expect(restored.visible).toContain('could not be asked how far it has come');
  expect(await physical.sql('SELECT count(*) FROM pg_database WHERE NOT datistemplate')).toBe('1');
  expect(await rows()).toMatch(/,20$/);
}, 120_000);

test('a segment that is missing is told, and a moment behind it is refused before anything is touched', async () => {
  const { physical } = scene;
  expectBackup(await scene.run({ 'backup-type': 'full' }));
  const first = await write(30);
  // when a segment was archived is known to the second
  await sleep(1100);
  await nextSegment();
  const missing = await nextSegment();
  const inside = await write(31);
  await nextSegment();
  const [file = ''] = findSegments(physical.repository, missing);
  expect(file).not.toBe('');
  rmSync(file);
  const listed = await scene.run({ command: 'list' });
  expect(listed.visible + listed.summary).toContain(missing);
  const before = physical.postmaster();
  const result = await restore({ 'restore-time': inside });
  expectFailure(result, 'E_NOT_FOUND', missing, /Choose any moment from .* to /);
  expect(reportOf(result).restore?.outcome).toBe('unchanged');
  expect([physical.postmaster(), await rows()]).toEqual([before, expect.stringMatching(/,31$/)]);
  const verified = await scene.run({ command: 'verify', verify: 'restore', 'restore-time': first });
  expect(verified.annotations.filter(({ level }) => level === 'error')).toEqual([]);
}, 120_000);

test('a segment that cannot be fetched is not taken for the end of the WAL', async () => {
  const { physical } = scene;
  expectBackup(await scene.run({ 'backup-type': 'full' }));
  await write(40);
  const torn = await nextSegment();
  await write(41);
  await nextSegment();
  const [file = ''] = findSegments(physical.repository, torn);
  writeFileSync(file, 'torn');
  const result = await restore({ 'restore-time': 'latest' });
  expectFailure(result, 'E_ROLLED_BACK', /the recovery ended too early, at .* could not be fetched/);
  expect(reportOf(result).restore?.outcome).toBe('rolled-back');
  expect(await rows()).toMatch(/,41$/);
}, 120_000);

/** Ends the present segment, with something in it, and waits until it is in the repository. */
async function nextSegment(): Promise<string> {
  await scene.physical.sql('INSERT INTO later VALUES (2)');
  const name = await scene.physical.sql('SELECT pg_walfile_name(pg_switch_wal())');
  await archived();
  return name;
}

const findSegments = (folder: string, name: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => basename(file).startsWith(`${name}-`))
    .map((file) => join(folder, file));

/** Waits until all segments but the present one are in the repository. */
async function archived(): Promise<void> {
  for (;;) {
    const all = await scene.physical.sql(`SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'`);
    if (all === '0') return;
    await sleep(50);
  }
}
