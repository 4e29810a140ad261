import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { succeeded } from '../helpers/outcome.js';
import { type PhysicalScene, startPhysicalScene } from '../helpers/physical-scene.js';
import { reportOf } from '../helpers/scene.js';

// A workload of numbered rows, each a transaction of its own, recovered to moments of it: exactly the rows that were committed until then.

let scene: PhysicalScene;
/** When each row was committed, by its number, as the server tells it. */
let commits: [number: number, at: string][];

beforeAll(async () => {
  scene = await startPhysicalScene();
  const { physical } = scene;
  await physical.sql('CREATE TABLE t (n serial PRIMARY KEY)');
  const write = (rows: number) => physical.sql('INSERT INTO t DEFAULT VALUES;\n'.repeat(rows));
  await write(5);
  // two chains, with rows before, between and while a set is made
  for (const type of ['full', 'incr', 'full', 'diff']) {
    const [made] = await Promise.all([scene.run({ 'backup-type': type, verify: 'checksum' }), write(150)]);
    succeeded(made);
    await write(100);
  }
  await physical.sql('SELECT pg_switch_wal()');
  const rows = await physical.sql(
    `SELECT n, to_char(pg_xact_commit_timestamp(xmin) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM t ORDER BY 2`,
  );
  commits = rows
    .trim()
    .split('\n')
    .map((line): [number, string] => [Number(line.split('|')[0]), line.split('|')[1] ?? '']);
}, 180_000);
afterAll(() => scene?.stop());

const MOMENTS = 20;

test(`${MOMENTS} random moments, each the very one of a commit`, async () => {
  const list = reportOf(await scene.run({ command: 'list' }));
  const from = list.window?.spans[0]?.from ?? '';
  expect(list.window?.gaps).toEqual([]);
  const within = commits.filter(([, at]) => at > from.replace('.000Z', '.000000Z'));
  expect(within.length).toBeGreaterThan(300);
  for (let moment = 0; moment < MOMENTS; moment++) {
    const [, at] = within[randomInt(within.length)] ?? [0, ''];
    const there = commits.filter(([, other]) => other <= at).map(([n]) => n);
    const result = await scene.run({
      ...{ command: 'verify', verify: 'restore', 'restore-time': at, 'max-age': 'none' },
      assert: `SELECT count(*) = ${there.length} AND sum(n) = ${there.reduce((sum, n) => sum + n, 0)} FROM t`,
    });
    expect([at, result.code, reportOf(result).error]).toEqual([at, 0, null]);
    expect(reportOf(result).tables).toContainEqual({ name: 'postgres.public.t', rows: there.length });
  }
}, 200_000);

test('restored for good to one of them, then to an earlier one, across the fork, and then to a later one, which only the timeline that was given up has', async () => {
  const { physical } = scene;
  const start =
    reportOf(await scene.run({ command: 'list' })).window?.spans[0]?.from.replace('.000Z', '.000000Z') ?? '';
  const within = commits.filter(([, at]) => at > start);
  for (const share of [1 / 2, 1 / 4, 3 / 4]) {
    const [, at] = within[Math.floor(within.length * share)] ?? [0, ''];
    const there = commits.filter(([, other]) => other <= at).map(([n]) => n);
    const result = await scene.run({ command: 'restore', confirm: physical.stanza, 'restore-time': at });
    const report = reportOf(result);
    const [, atLeast, lost] = /of work, (at least )?(\d+) transactions?/.exec(result.visible) ?? [];
    // besides what others commit, such as autovacuum
    expect([at, atLeast !== undefined || Number(lost) >= commits.length - there.length]).toEqual([at, true]);
    expect([at, report.error, report.restore?.outcome]).toEqual([at, null, 'restored']);
    expect(result.visible).toMatch(
      /recovered to LSN [0-9A-F]+\/[0-9A-F]+, where timeline \d begins; the last transaction/,
    );
    expect((await physical.sql('SELECT n FROM t ORDER BY n')).trim().split('\n').map(Number)).toEqual(
      there.toSorted((a, b) => a - b),
    );
    expect((await physical.sql('SHOW archive_command')).trim()).toBe(
      `pgbackrest --stanza=${physical.stanza} archive-push %p`,
    );
  }
  // it goes on from there
  succeeded(await scene.run({ 'backup-type': 'full', verify: 'restore' }));
}, 120_000);

test('a moment to which one cannot go back is refused, with those that work', async () => {
  const before = await scene.physical.sql('SELECT count(*) FROM t');
  for (const time of ['2020-01-01T00:00:00Z', '2090-01-01T00:00:00Z']) {
    const result = await scene.run({ command: 'restore', confirm: scene.physical.stanza, 'restore-time': time });
    const report = reportOf(result);
    expect(report.errorCode).toBe('E_NOT_FOUND');
    expect(report.error?.hint).toMatch(/Choose any moment from \d{4}-\d\d-\d\d \d\d:\d\d:\d\d to/);
    expect(report.restore?.outcome).toBe('unchanged');
  }
  expect(await scene.physical.sql('SELECT count(*) FROM t')).toBe(before);
});
