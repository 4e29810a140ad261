import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { until } from '../helpers/outcome.js';
import { type Physical, startPhysical } from '../helpers/physical.js';
import { Steps } from '../helpers/physical-session.js';
import { SWEEP } from '../helpers/sample.js';

let physical: Physical;
let steps: Steps;
let label: string;
let space: string;
/** Of each row when it was committed, as the server tells it. */
let committed: string[];

beforeAll(async () => {
  physical = await startPhysical();
  steps = new Steps(physical);
  space = join(physical.directory, 'space');
  await physical.asOwner('mkdir', space);
  await physical.sql(`CREATE TABLESPACE aside LOCATION '${space}'`);
  await physical.sql('CREATE TABLE numbered (n int) TABLESPACE aside');
  await physical.backrest('backup');
  const [{ backup }] = JSON.parse(await physical.backrest('info', '--output=json'));
  label = backup.at(-1).label;
  for (let n = 1; n <= 40; n += 1) await physical.sql(`INSERT INTO numbered VALUES (${n})`);
  const times = await physical.sql(
    "SELECT to_char(pg_xact_commit_timestamp(xmin) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' FROM numbered ORDER BY n",
  );
  committed = times.split('\n');
}, 60_000);
afterEach(() => steps?.close());
afterAll(() => physical?.remove());

const rows = async (): Promise<number> => Number(await physical.sql('SELECT count(*) FROM numbered'));
const left = (): string[] =>
  [...readdirSync(physical.directory), ...readdirSync(space)].filter((name) => name.includes('db_backup'));
const histories = (): string[] =>
  readdirSync(join(physical.repository, 'archive', physical.stanza), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.history'),
  );
/** The moment at which a row was committed. */
const to = (row: number) => ({ label, type: 'time', target: committed[row - 1] ?? '' });

/** The n-th step of a swap that changes something on the disk, or starts the server, is the end of whoever does it. */
const killedAt =
  (n: number) =>
  (text: string): string =>
    text
      .replace(
        "\nnew='\\'''\\'' old=",
        (whole) =>
          `\npassed=0\npoint() { passed=$((passed + 1)); if [ $passed = ${n} ]; then kill -KILL $$; fi; command "$@"; }${whole}`,
      )
      .replace(
        /(\n {2,}(?:if .*then |.*\|\| )?)(mv|mkdir -m 700|ln -sfn|rmdir) (?="\$(?:cluster|new|old|1|waiting|aside|version|{place))/g,
        '$1point $2 ',
      )
      .replace('  attend begin_server', '  point true; attend begin_server; point true')
      .replace(/ {2}check_recovered\n/, '  point true; check_recovered; point true\n');

test('recovered to a commit, with the archive held, and back without a trace in the repository', async () => {
  await steps.send('load_restore_physical', to(20));
  expect(await rows()).toBe(40);
  const swapped = await steps.send('swap_restore_physical', to(20));
  expect([swapped.get('state'), swapped.get('recovered_timeline'), swapped.get('holds_archive')]).toEqual([
    'restored',
    '2',
    'true',
  ]);
  expect(await rows()).toBe(20);
  await physical.sql('INSERT INTO numbered VALUES (0)');
  await physical.sql('SELECT pg_switch_wal()');
  const back = await steps.send('back_restore_physical', {});
  expect(back.get('state')).toBe('unchanged');
  expect(await rows()).toBe(40);
  expect(left()).toEqual([]);
  expect(histories()).toEqual([]);
});

test('killed at any point of the swap, the next run finds the one or the other', async () => {
  const seen: string[] = [];
  for (let n = 1; n < 40; n += SWEEP ? 1 : 4) {
    await steps.send('load_restore_physical', to(10));
    const ended = await steps.send('swap_restore_physical', to(10), killedAt(n)).catch(() => null);
    await steps.close();
    if (ended !== null) break;
    const recovered = await steps.send('recover_restore_physical', {});
    const state = recovered.get('state') ?? '';
    seen.push(state);
    expect([n, state, await rows()]).toEqual([n, state, state === 'restored' ? 10 : 40]);
    if (state === 'restored') await steps.send('back_restore_physical', {});
    expect([n, ...left()]).toEqual([n]);
    expect(await rows()).toBe(40);
  }
  expect(seen.length).toBeGreaterThan(SWEEP ? 8 : 2);
  expect(seen).toContain('unchanged');
  await steps.send('back_restore_physical', {});
  expect(await rows()).toBe(40);
}, 240_000);

test('a tablespace that was made after the set is no obstacle, and one that the set has comes back', async () => {
  const [later, before] = [join(physical.directory, 'later'), await rows()];
  await physical.asOwner('mkdir', later);
  await physical.sql(`CREATE TABLESPACE later LOCATION '${later}'`);
  await physical.sql('CREATE TABLE more TABLESPACE later AS SELECT 1 AS n');
  await physical.sql('ALTER TABLE numbered SET TABLESPACE pg_default');
  await physical.sql('DROP TABLESPACE aside');
  await steps.send('load_restore_physical', to(30));
  expect((await steps.send('swap_restore_physical', to(30))).get('state')).toBe('restored');
  expect(await rows()).toBe(30);
  expect(await physical.sql('SELECT spcname FROM pg_tablespace ORDER BY 1')).toBe('aside\npg_default\npg_global');
  expect((await steps.send('back_restore_physical', {})).get('state')).toBe('unchanged');
  expect([await rows(), await physical.sql('SELECT n FROM more')]).toEqual([before, '1']);
  expect(left()).toEqual([]);
  expect(readdirSync(space)).toEqual([]);
}, 60_000);

test('a tablespace that comes again with the WAL does not get at the one of the old directory', async () => {
  await physical.sql('INSERT INTO more VALUES (2)');
  const latest = { label, type: 'default' };
  await steps.send('load_restore_physical', latest);
  expect((await steps.send('swap_restore_physical', latest)).get('state')).toBe('restored');
  expect(await physical.sql('SELECT n FROM more ORDER BY 1')).toBe('1\n2');
  await physical.sql('UPDATE more SET n = n + 10; CHECKPOINT');
  expect((await steps.send('back_restore_physical', {})).get('state')).toBe('unchanged');
  expect(await physical.sql('SELECT n FROM more ORDER BY 1')).toBe('1\n2');
  expect(left()).toEqual([]);
}, 60_000);

test('a server that cannot recover to the moment is no loss: the old one is back in the same step', async () => {
  const future = { ...to(1), target: '2099-01-01 00:00:00.000000+00' };
  await steps.send('load_restore_physical', future);
  const swapped = steps.send('swap_restore_physical', future);
  await expect(swapped).rejects.toMatchObject({
    code: 'E_RESTORE',
    text: expect.stringContaining('recovery ended before configured recovery target was reached'),
  });
  // it is told at once, and put right after that
  await until(() => physical.postmaster() !== null && left().length === 0, 20_000);
  expect(await rows()).toBe(40);
}, 60_000);

test('a scratch restore leaves nothing, and touches nothing of the live cluster', async () => {
  // one that is younger than the set keeps it from being restored beside the live one
  await physical.sql('DROP TABLE more');
  await physical.sql('DROP TABLESPACE later');
  const pidFile = join(physical.dataDirectory, 'external.pid');
  await physical.asOwner('sh', '-c', `echo live >${pidFile}`);
  await physical.sql(`ALTER SYSTEM SET external_pid_file = '${pidFile}'`);
  const before = await physical.sql('SELECT pg_postmaster_start_time()');
  const facts = await steps.send('verify_physical', {
    ...{
      ...to(25),
      kind: 'full',
      proven: 'restore',
      packing: '',
      payload: 'x',
      sha256: '',
      bytes: '0',
      plain_bytes: '0',
    },
    ...{ foreign: '', scratch_database: 'postgres', asserts: 'SELECT max(n) = 25 FROM numbered' },
  });
  const counted = facts.restored.find(({ name }) => name.toString().endsWith('public.numbered'));
  expect([counted?.rows, facts.get('assert_1')]).toEqual([25, 't']);
  expect(await physical.sql('SELECT pg_postmaster_start_time()')).toBe(before);
  expect(readFileSync(pidFile, 'utf8')).toBe('live\n');
  expect(readdirSync(physical.directory).filter((name) => name.includes('db_backup'))).toEqual([]);
  expect(histories()).toEqual([]);
}, 60_000);
