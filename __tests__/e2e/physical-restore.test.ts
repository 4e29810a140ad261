import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type PhysicalScene, startPhysicalScene } from '../helpers/physical-scene.js';
import { ownerOfServers } from '../helpers/postgres-programs.js';
import { reportOf } from '../helpers/scene.js';

let scene: PhysicalScene;
/** A tablespace that the first set has. */
let space: string;

beforeAll(async () => {
  scene = await startPhysicalScene();
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
