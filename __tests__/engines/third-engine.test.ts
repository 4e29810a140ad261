import { execFile } from 'node:child_process';
import { chownSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runAction } from '../helpers/run-action.js';
import { reportOf, type Scene, startScene } from '../helpers/scene.js';

// The proof that a third engine is one folder and one line: the sources with just these two are built, and the bundle does with a database
// of that engine what it does with every other one.

const repository = fileURLToPath(new URL('../..', import.meta.url));
const LINE = "export { copied } from './copied/index.js';\n";

let house: string;
let scene: Scene;
let file: string;

beforeAll(async () => {
  house = mkdtempSync(join(tmpdir(), 'dbb-third-'));
  for (const name of ['package.json', 'tsconfig.json', 'action.yml', 'src', 'scripts']) {
    cpSync(join(repository, name), join(house, name), { recursive: true });
  }
  symlinkSync(join(repository, 'node_modules'), join(house, 'node_modules'));
  const folder = join(house, 'src/engines/copied');
  cpSync(fileURLToPath(new URL('./third-engine', import.meta.url)), folder, { recursive: true });
  // they lie elsewhere in the tests than in the house
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
    const text = readFileSync(join(folder, name), 'utf8');
    writeFileSync(join(folder, name), text.replaceAll("'../../../src/", "'../../"));
  }
  writeFileSync(join(house, 'src/engines/registry.ts'), LINE, { flag: 'a' });
  await promisify(execFile)(process.execPath, ['scripts/build.mjs'], { cwd: house });
  scene = await startScene();
  file = join(scene.user.home, 'app.txt');
}, 300_000);
afterAll(async () => {
  await scene?.stop();
  rmSync(house, { recursive: true, force: true });
});

function write(text: string, name = file): void {
  writeFileSync(name, text);
  chownSync(name, scene.user.uid, scene.user.gid);
}

async function run(command: string, inputs: Record<string, string> = {}) {
  const result = await runAction(
    { ...scene.inputs, database: `copied:${file}`, command, ...inputs },
    { dir: house, env: { GITHUB_EVENT_NAME: 'workflow_dispatch' } },
  );
  return { ...result, report: reportOf(result) };
}

test('it backs up, lists, rotates, verifies and restores', async () => {
  write('one\n');
  const first = await run('backup', { keep: '2', verify: 'restore', schema: 'public' });
  expect(first.visible).toContain('schema: it has no effect with a copied database');
  expect(first.outputs['backup-ok']).toBe('true');
  expect(scene.manifest(first.outputs['backup-id'] ?? '')).toMatchObject({
    engine: 'copied',
    kind: 'copied',
    name: 'app.txt',
    identity: { file },
    content: { lines: 1 },
    verified: { level: 'restore' },
  });

  for (const text of ['one\ntwo\n', 'one\ntwo\nthree\n']) {
    write(text);
    expect((await run('backup', { keep: '2' })).code).toBe(0);
  }
  expect(scene.files().filter((name) => name.endsWith('.json') && name !== 'status.json')).toHaveLength(2);
  expect(scene.files().join()).not.toContain(first.outputs['backup-id']);

  const listed = await run('list');
  expect(listed.report.backups).toHaveLength(2);
  const verified = await run('verify', { verify: 'restore' });
  expect(verified.report).toMatchObject({ ok: true, backup: { engine: 'copied', verifiedLevel: 'restore' } });
  const onRunner = await run('verify', { verify: 'restore', 'verify-on': 'runner' });
  expect(onRunner.report.ok).toBe(true);

  write('lost\n');
  const planned = await run('restore', { 'dry-run': 'true' });
  expect(planned.report.restore).toMatchObject({ outcome: 'unchanged', plan: { way: 'replace' } });
  const restored = await run('restore', { confirm: 'app.txt' });
  expect(restored.report.restore?.outcome).toBe('restored');
  expect(readFileSync(file, 'utf8')).toBe('one\ntwo\nthree\n');
  expect(scene.leftovers()).toEqual([]);
}, 60_000);

test('a restore that does not pass its check is undone', async () => {
  write('mine\n');
  const { report } = await run('restore', { confirm: 'app.txt', 'check-command': 'false' });
  expect(report).toMatchObject({ errorCode: 'E_ROLLED_BACK', restore: { outcome: 'rolled-back' } });
  expect(readFileSync(file, 'utf8')).toBe('mine\n');
}, 30_000);

test('its files are known as dumps, also of those that another one would restore', async () => {
  const dump = join(scene.user.home, 'somebody.txt');
  write('copied 1\n', dump);
  expect((await run('restore', { backup: dump, confirm: 'app.txt' })).report.restore?.outcome).toBe('restored');
  expect(readFileSync(file, 'utf8')).toBe('copied 1\n');
  const refused = await run('restore', { backup: scene.database, confirm: 'app.txt' });
  expect(refused.report.error?.message).toContain(
    'is a SQLite database, but it would be restored into a database of copied',
  );
}, 30_000);

test('the others are as they were, and none takes a backup of another one for its own', async () => {
  const other = await run('backup', { database: scene.database, name: 'app.txt' });
  expect(other.outputs['backup-ok']).toBe('true');
  expect(other.visible).toMatch(
    /5 backups \(.*\) belong to another database, ".*app\.txt"; here they are never counted/,
  );
  const mixed = await run('verify', { verify: 'restore', 'restore-to': scene.database, 'verify-on': 'host' });
  expect(mixed.visible).toContain('restore-to: it has no effect with a copied database');
  const wrong = await run('restore', { 'restore-to': scene.database, confirm: 'app.txt' });
  expect(wrong.visible).toContain('restore-to: expected copied:PATH, because database is one');
}, 30_000);
