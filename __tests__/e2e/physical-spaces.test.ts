import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type PhysicalScene, startPhysicalScene } from '../helpers/physical-scene.js';
import { startPostgres } from '../helpers/postgres.js';
import { ownerOfServers } from '../helpers/postgres-programs.js';
import { reportOf } from '../helpers/scene.js';

let scene: PhysicalScene;
/** A tablespace of the set. */
let space: string;

beforeAll(async () => {
  scene = await startPhysicalScene();
  const { physical } = scene;
  space = join(physical.directory, 'space');
  mkdirSync(space, { mode: 0o700 });
  await chown(space, ownerOfServers().uid, ownerOfServers().gid);
  await physical.sql(`CREATE TABLESPACE space LOCATION '${space}'`);
  await physical.sql('CREATE TABLE far TABLESPACE space AS SELECT 1 AS n');
  // a file that lies elsewhere is restored as a file
  const file = join(physical.dataDirectory, 'pg_ident.conf');
  renameSync(file, join(physical.directory, 'pg_ident.conf'));
  symlinkSync(join(physical.directory, 'pg_ident.conf'), file);
  expectBackup(await scene.run());
}, 120_000);
afterAll(() => scene?.stop());

const restore = (inputs: Record<string, string>) =>
  scene.run({ command: 'restore', confirm: scene.physical.stanza, 'restore-time': 'latest', ...inputs });

test('what pgBackRest warned of while it restored is told', async () => {
  const result = await restore({});
  expect(result.annotations.filter(({ level }) => level === 'error')).toEqual([]);
  expect(result.annotations.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/pgBackRest warned: WARN: .*pg_ident\.conf/),
  );
}, 60_000);

test('a set with another list of files than its manifest knows is refused in the plan', async () => {
  const { repository, stanza } = scene.physical;
  const sets = join(repository, 'backup', stanza);
  const [label = ''] = readdirSync(sets).filter((name) => name.endsWith('F'));
  const list = join(sets, label, 'backup.manifest');
  const text = readFileSync(list, 'utf8');
  writeFileSync(list, text.replace('backup-type="full"', 'backup-type="full" '));
  const result = await restore({ 'dry-run': 'true' });
  expectFailure(result, 'E_CHECKSUM', `the list of files of ${label} does not match its manifest`);
  writeFileSync(list, text);
}, 60_000);

test('a tablespace of another cluster is refused in the plan, and named', async () => {
  const { physical } = scene;
  await physical.sql('DROP TABLE far');
  await physical.sql('DROP TABLESPACE space');
  const other = await startPostgres();
  try {
    await other.sql('postgres', `CREATE TABLESPACE theirs LOCATION '${space}'`);
    const result = await restore({ 'dry-run': 'true' });
    expectFailure(result, 'E_RESTORE', `the cluster in ${other.dataDirectory} uses ${space}`);
    expect(reportOf(result).restore?.outcome).not.toBe('restored');
    await other.stop('fast');
    expectFailure(await restore({}), 'E_RESTORE', space, 'another cluster may use it');
  } finally {
    await other.remove();
  }
}, 60_000);

test('a tablespace that is younger than the set is told once', async () => {
  const { physical } = scene;
  const young = join(physical.directory, 'young');
  mkdirSync(young, { mode: 0o700 });
  await chown(young, ownerOfServers().uid, ownerOfServers().gid);
  await physical.sql(`CREATE TABLESPACE young LOCATION '${young}'`);
  const result = await scene.run({ command: 'verify', verify: 'restore', 'restore-time': 'latest' });
  const message = expectFailure(result, 'E_RESTORE', 'no scratch restore was made');
  expect(message.match(/younger than|live files/g)).toEqual(['younger than', 'live files']);
}, 60_000);
