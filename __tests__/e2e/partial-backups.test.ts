import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectBackup, expectFailure } from '../helpers/failure.js';
import { type Postgres, startPostgres } from '../helpers/postgres.js';
import { startPostgresScene } from '../helpers/postgres-backups.js';
import { reportOf, type Scene } from '../helpers/scene.js';

// A backup that leaves something out, or is proven less than asked, does not pass for one that is whole and proven.

let server: Postgres;
let scene: Scene;
beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.sql('shop', 'CREATE TABLE orders AS SELECT 1 AS id; CREATE TABLE logs AS SELECT 1 AS id');
  scene = await startPostgresScene(server, 'shop');
});
afterAll(async () => {
  await scene.stop();
  await server.remove();
});

const WITHOUT = { 'exclude-table': 'logs' };
const YOUNG = { 'skip-if-younger-than': '1h' };
const DRY = { 'dry-run': 'true' };
/** The id of the backup that a run made, or found young enough. */
async function take(inputs: Record<string, string>): Promise<{ id: string; isNew: boolean }> {
  const result = await scene.run({ keep: '1', ...inputs });
  return { id: expectBackup(result), isNew: reportOf(result).skipped === null };
}

test('a partial one is of a series of its own', async () => {
  const partial = await take(WITHOUT);
  expect(scene.manifest(partial.id).coverage).toEqual({ excludeTable: ['logs'], excludeTableData: [], schema: [] });

  // there is no whole one yet: nothing to restore but by its id, and the watchdog says what it has looked at
  const latest = { command: 'restore', ...DRY };
  expectFailure(
    await scene.run(latest),
    'E_NOT_FOUND',
    `${partial.id} is partial, and is restored only if you give its id`,
  );
  const verify = await scene.run({ command: 'verify', ...DRY });
  expect(verify.visible).toContain(`would verify ${partial.id}`);
  expect(verify.visible).toContain('does not cover everything');

  // young, and not what is wanted
  const whole = await take(YOUNG);
  expect(whole.isNew).toBe(true);
  expect(scene.files()).toContain(`${partial.id}.json`);
  // a whole one has what a partial one has
  expect(await take({ ...WITHOUT, ...YOUNG })).toEqual({ id: whole.id, isNew: false });

  // keep: 1 is one of each
  const result = await scene.run({ keep: '1', ...WITHOUT });
  const next = expectBackup(result);
  expect(reportOf(result).retention).toEqual([
    { id: next, keep: true, reasons: ['last 1 of 1, among those without the table "logs"'] },
    { id: whole.id, keep: true, reasons: ['last 1 of 1'] },
    { id: partial.id, keep: false, reasons: ['no rule keeps it'] },
  ]);
  expect(await take(YOUNG)).toEqual({ id: whole.id, isNew: false });
  expect(reportOf(await scene.run(latest)).restore?.from).toBe(whole.id);
  expect(reportOf(await scene.run({ ...latest, backup: next })).restore?.from).toBe(next);
  expect((await scene.run({ command: 'verify', ...DRY })).visible).toContain(`would verify ${whole.id}`);

  const list = await scene.run({ command: 'list' });
  expect(list.visible).toMatch(new RegExp(`${next} .*partial: without the table "logs"`));
  expect(list.summary).toContain('partial: without the table');
  expect(reportOf(list).backups).toMatchObject([{ partial: 'without the table "logs"' }, { id: whole.id }]);
  expect(reportOf(list).backups[1]).not.toHaveProperty('partial');

  expectFailure(await scene.run({ command: 'delete', backup: whole.id }), 'E_POLICY', 'the last verified backup');
  expect((await scene.run({ command: 'delete', backup: next })).code).toBe(0);
});

test('of one whose manifest was lost nobody knows what it covers', async () => {
  const name = { name: 'lost' };
  const lost = await take(name);
  rmSync(join(scene.directory, `${lost.id}.json`));
  const next = await take(name);
  expect(scene.manifest(lost.id)).toMatchObject({ adopted: {}, coverage: { unknown: true } });
  const list = await scene.run({ command: 'list', ...name });
  expect(reportOf(list).backups).toMatchObject([{ id: next.id }, { id: lost.id, partial: 'of unknown coverage' }]);
  const proof = await scene.run({ command: 'verify', ...name, backup: lost.id, verify: 'restore' });
  expect(expectBackup(proof)).toBe(lost.id);
});

test('a level below the one that is asked for is not enough', async () => {
  const name = { name: 'levels' };
  const checksum = await take({ ...name, verify: 'checksum' });
  expect(await take({ ...name, ...YOUNG, verify: 'checksum' })).toEqual({ id: checksum.id, isNew: false });
  const content = await take({ ...name, ...YOUNG });
  expect(content.isNew).toBe(true);
  expect(await take({ ...name, ...YOUNG, verify: 'checksum' })).toEqual({ id: content.id, isNew: false });
  const restored = await take({ ...name, ...YOUNG, verify: 'restore' });
  expect(restored.isNew).toBe(true);
  expect(await take({ ...name, ...YOUNG, verify: 'restore' })).toEqual({ id: restored.id, isNew: false });
});
