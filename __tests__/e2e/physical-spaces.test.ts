import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type PhysicalScene, startPhysicalScene } from '../helpers/physical-scene.js';
import { startPostgres } from '../helpers/postgres.js';
import { ownerOfServers } from '../helpers/postgres-programs.js';
import { reportOf } from '../helpers/scene.js';
import { unmount } from '../helpers/unmount.js';

let scene: PhysicalScene;
/** A tablespace of the set, on a disk of its own. */
let space: string;

beforeAll(async () => {
  scene = await startPhysicalScene();
  const { physical } = scene;
  space = join(physical.directory, 'space');
  mkdirSync(space, { mode: 0o700 });
  const { uid, gid } = ownerOfServers();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=32m,uid=${uid},gid=${gid},mode=700`, 'tmpfs', space]);
  await physical.sql(`CREATE TABLESPACE space LOCATION '${space}'`);
  await physical.sql('CREATE TABLE far TABLESPACE space AS SELECT 1 AS n');
  // a file that lies elsewhere is restored as a file
  const file = join(physical.dataDirectory, 'pg_ident.conf');
  renameSync(file, join(physical.directory, 'pg_ident.conf'));
  symlinkSync(join(physical.directory, 'pg_ident.conf'), file);
  expectBackup(await scene.run());
}, 120_000);
afterAll(async () => {
  if (scene === undefined) return;
  const { physical } = scene;
  if (physical.postmaster() !== null) {
    const control = join(physical.server.clientDirectory, 'pg_ctl');
    await physical.asOwner(control, 'stop', '-D', physical.dataDirectory, '-m', 'immediate', '-s', '-w');
  }
  await unmount(space);
  await scene.stop();
});

const restore = (inputs: Record<string, string>) =>
  scene.run({ command: 'restore', confirm: scene.physical.stanza, 'restore-time': 'latest', ...inputs });

test('the plan knows what goes to the disk of a tablespace, and that it does not fit', async () => {
  const planned = await restore({ 'dry-run': 'true' });
  expect(planned.visible).toMatch(new RegExp(`Its tablespaces need \\S+ k?B in ${space}, where \\S+ MB are free`));
  const full = join(space, 'full');
  await scene.physical.asOwner('sh', '-c', `cat /dev/zero >${full} 2>/dev/null || :`);
  expectFailure(await restore({ 'dry-run': 'true' }), 'E_NOSPACE', `not enough space in ${space}:`);
  rmSync(full);
}, 60_000);

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
