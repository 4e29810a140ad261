import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { chown } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { HostFailure } from '../../src/host/session.js';
import { type Physical, startPhysical } from '../helpers/physical.js';
import { Steps } from '../helpers/physical-session.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { ownerOfServers } from '../helpers/postgres-programs.js';
import { unmount } from '../helpers/unmount.js';

const { uid, gid } = ownerOfServers();
/** Of the file system of one tablespace. */
const DISK_MB = 32;

let physical: Physical;
let steps: Steps;
let label: string;
/** Tablespaces of the set: one beside the data directory, and one that is a file system of its own. */
let space: string;
let disk: string;

beforeAll(async () => {
  physical = await startPhysical();
  steps = new Steps(physical);
  space = join(physical.directory, 'a space');
  disk = join(physical.directory, 'disk');
  for (const place of [space, disk]) {
    mkdirSync(place, { mode: 0o700 });
    await chown(place, uid, gid);
  }
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m,uid=${uid},gid=${gid},mode=700`, 'tmpfs', disk]);
  await physical.sql(`CREATE TABLESPACE space LOCATION '${space}'`);
  await physical.sql(`CREATE TABLESPACE disk LOCATION '${disk}'`);
  await physical.sql('CREATE TABLE near TABLESPACE space AS SELECT 1 AS n');
  await physical.sql(
    'CREATE TABLE far WITH (autovacuum_enabled = off) TABLESPACE disk AS SELECT generate_series(1, 200000) AS n',
  );
  await physical.backrest('backup');
  const [{ backup }] = JSON.parse(await physical.backrest('info', '--output=json'));
  label = backup.at(-1).label;
}, 60_000);
afterEach(() => steps?.close());
afterAll(async () => {
  if (physical?.postmaster() != null) await stopped('immediate');
  if (disk !== undefined) await unmount(disk);
  await physical?.remove();
});

const stopped = (mode: string): Promise<string> =>
  physical.asOwner(
    join(physical.server.clientDirectory, 'pg_ctl'),
    ...['stop', '-D', physical.dataDirectory, '-m', mode, '-s', '-w'],
  );

const left = (): string[] =>
  [physical.directory, space, disk].flatMap((place) => readdirSync(place)).filter((name) => name.includes('db_backup'));

const failureOf = async (name: string, how: Record<string, string>): Promise<HostFailure> => {
  const failure: unknown = await steps.send(name, { label, ...how }).then(
    () => null,
    (error: unknown) => error,
  );
  if (failure instanceof HostFailure) return failure;
  throw failure ?? new Error(`${name} did not fail`);
};

test('what goes to each file system is told by the list of files, and all of it is needed for a scratch restore', async () => {
  const { size } = statSync(join(disk, await physical.sql("SELECT substr(pg_relation_filepath('far'), 17)")));
  const look = await steps.send('look_restore_physical', { label });
  const rooms = look.all('room').map((room) => /^(\d+) (\d+) (\/.*)$/.exec(room)?.slice(1) ?? []);
  expect(rooms.map(([, , folder]) => folder)).toEqual([dirname(physical.dataDirectory), disk]);
  const [own = 0, far = 0] = rooms.map(([needed]) => Number(needed));
  const { bavail, bsize } = statfsSync(disk);
  expect([far, rooms[1]?.[1]]).toEqual([size / 1024, String((bavail * bsize) / 1024)]);
  const [{ backup }] = JSON.parse(await physical.backrest('info', '--output=json'));
  const all = backup.at(-1).info.size / 1024;
  expect(own + far).toBeGreaterThanOrEqual(all);
  expect(own + far).toBeLessThan(all * 1.2);

  const refused = await failureOf('verify_physical', {
    ...{ kind: 'full', proven: 'restore', packing: '', payload: 'x', bytes: '0', plain_bytes: '0', foreign: '' },
    ...{ scratch_database: 'postgres', verify: 'restore', min_free_kib: '1000000000000' },
  });
  expect([refused.code, refused.facts.get('needed_kib')]).toEqual([
    'E_NOSPACE',
    String(1_000_000_000_000 + 65_536 + own + far),
  ]);
});

test('a tablespace that does not fit on its own disk keeps the cluster from being loaded', async () => {
  const full = join(disk, 'full');
  await physical.asOwner('dd', 'if=/dev/zero', `of=${full}`, 'bs=1M', 'count=20', 'status=none');
  const refused = await failureOf('load_restore_physical', {});
  expect([refused.code, refused.facts.get('nospace')]).toEqual(['E_NOSPACE', disk]);
  expect(left()).toEqual([]);
  await physical.asOwner('rm', full);
});

test('a set whose list of files has another hash is not restored', async () => {
  const list = await physical.backrest('repo-get', `backup/${physical.stanza}/${label}/backup.manifest`);
  const hash = createHash('sha256').update(list).digest('hex');
  const wrong = 'f'.repeat(64);
  for (const step of ['look_restore_physical', 'load_restore_physical']) {
    const refused = await failureOf(step, { sha256: wrong });
    expect([refused.code, refused.text]).toEqual(['E_CHECKSUM', label]);
    expect([refused.facts.get('set_hash'), refused.facts.get('set_hash_wanted')]).toEqual([hash, wrong]);
  }
  expect(left()).toEqual([]);
  for (const right of [hash, '0'.repeat(64), '']) await steps.send('look_restore_physical', { label, sha256: right });
});

test('a tablespace whose place is no plain absolute path is not restored', async () => {
  const list = join(physical.repository, 'backup', physical.stanza, label, 'backup.manifest');
  const text = readFileSync(list, 'utf8');
  const odd = `${space}/../../etc`;
  writeFileSync(list, text.replace(`"path":"${space}"`, `"path":"${odd}"`));
  for (const step of ['look_restore_physical', 'load_restore_physical']) {
    const refused = await failureOf(step, {});
    expect([refused.code, refused.text, refused.facts.get('odd_space')]).toEqual(['E_RESTORE', label, odd]);
  }
  expect(left()).toEqual([]);
  writeFileSync(list, text);
});

test('what another cluster has in the place of a tablespace is left alone', async () => {
  await physical.sql('DROP TABLE near');
  await physical.sql('DROP TABLESPACE space');
  const other: Postgres = await startPostgres();
  try {
    await other.sql('postgres', `CREATE TABLESPACE theirs LOCATION '${space}'`);
    await other.sql('postgres', 'CREATE TABLE theirs TABLESPACE theirs AS SELECT 7 AS n');
    const [version = ''] = readdirSync(space);
    const refuses = async (cluster: string | null): Promise<void> => {
      for (const step of ['look_restore_physical', 'load_restore_physical']) {
        const { code, text, facts } = await failureOf(step, {});
        expect([code, text]).toEqual(['E_RESTORE', join(space, version)]);
        expect([facts.get('foreign_space'), facts.get('foreign_cluster')]).toEqual([space, cluster]);
      }
      expect(left()).toEqual([]);
    };
    await refuses(other.dataDirectory);
    // without a data directory that has links of its own, it is known by the other server
    await stopped('fast');
    renameSync(physical.dataDirectory, `${physical.dataDirectory}.lost`);
    await refuses(other.dataDirectory);
    renameSync(`${physical.dataDirectory}.lost`, physical.dataDirectory);
    expect(await other.sql('postgres', 'SELECT n FROM theirs')).toBe('7');
    await other.stop('fast');
    await refuses(null);
    expect(existsSync(join(space, version))).toBe(true);
  } finally {
    await other.remove();
  }
  // nobody is known to have it: it goes aside, and nothing of it is deleted
  renameSync(physical.dataDirectory, `${physical.dataDirectory}.lost`);
  await steps.send('load_restore_physical', { label });
  renameSync(`${physical.dataDirectory}.lost`, physical.dataDirectory);
  await steps.send('recover_restore_physical', {});
  expect(left()).toEqual([]);
}, 60_000);
