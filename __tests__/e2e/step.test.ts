import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { expectBackup } from '../helpers/failure.js';
import { runAction } from '../helpers/run-action.js';
import { createDatabase } from '../helpers/sqlite.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const actionIn = (folder: string) => parse(readFileSync(join(folder, 'action.yml'), 'utf8'));
const step = join(root, 'step');

test('`$/step` has the inputs and outputs of the action, and starts the same files', () => {
  const { branding: _, runs, ...same } = actionIn(root);
  const { runs: own, ...rest } = actionIn(step);
  expect(rest).toEqual(same);
  expect(own.using).toBe(runs.using);
  for (const kind of ['main', 'post']) {
    expect(join(step, own[kind])).toBe(join(root, runs[kind]));
    expect(existsSync(join(step, own[kind]))).toBe(true);
  }
});

test('started from there as the runner starts it, it finds its programs, and takes a backup', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dbb-step-'));
  try {
    const database = join(folder, 'app.db');
    await createDatabase(database, { mb: 0.1 });
    const result = await runAction(
      { transport: 'local', database, directory: join(folder, 'backups') },
      { dir: step, post: 'always' },
    );
    expectBackup(result);
    expect(result.steps.post).toEqual({ code: 0, signal: null });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
