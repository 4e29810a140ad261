import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type PhysicalScene, startPhysicalScene } from '../helpers/physical-scene.js';
import { reportOf } from '../helpers/scene.js';

let scene: PhysicalScene;
beforeAll(async () => {
  scene = await startPhysicalScene();
}, 120_000);
afterAll(() => scene?.stop());

/** Rows by their number, each with the moment at which it was committed, in UTC with microseconds. */
async function write(from: number, to: number): Promise<Map<number, string>> {
  const { physical } = scene;
  await physical.sql('CREATE TABLE IF NOT EXISTS t (n integer PRIMARY KEY)');
  await physical.sql(
    `${Array.from({ length: to - from }, (_, i) => `INSERT INTO t VALUES (${from + i});`).join('\n')}`,
  );
  const rows = await physical.sql(
    `SELECT n, to_char(pg_xact_commit_timestamp(xmin) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM t WHERE n >= ${from} ORDER BY n`,
  );
  return new Map(
    rows
      .trim()
      .split('\n')
      .map((line) => line.split('|'))
      .map(([n = '', at = '']) => [Number(n), at]),
  );
}

test('a full backup, proven by a restore; then to a moment, and back', async () => {
  const first = await scene.run({ verify: 'restore' });
  console.log(first.visible.slice(0, 4000));
  const at = await write(1, 200);
  const second = await scene.run({});
  console.log(second.visible.slice(0, 2000));
  const more = await write(200, 400);
  await scene.physical.sql('SELECT pg_switch_wal()');
  const target = more.get(277) ?? '';
  const proof = await scene.run({
    command: 'verify',
    verify: 'restore',
    'restore-time': target,
    assert: 'SELECT count(*) = 277 AND max(n) = 277 FROM t',
  });
  console.log(proof.visible.slice(0, 4000), at.size);
  const plan = await scene.run({ command: 'restore', 'dry-run': 'true', 'restore-time': target });
  console.log(plan.visible.slice(0, 4000));
  console.log(plan.summary);
  const restored = await scene.run({ command: 'restore', confirm: scene.physical.stanza, 'restore-time': target });
  console.log(restored.visible.slice(0, 6000));
  console.log(restored.summary);
  console.log(
    await scene.physical.sql('SELECT count(*), max(n) FROM t'),
    await scene.physical.sql('SHOW archive_command'),
  );
  expect(reportOf(restored).ok).toBe(true);
}, 120_000);
