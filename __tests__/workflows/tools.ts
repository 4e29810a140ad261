import { spawnSync } from 'node:child_process';
import { test } from '@jest/globals';
import { repository } from './workflow-files.js';

export interface Outcome {
  status: number | null;
  said: string;
}

/** Runs one of scripts/, of this repository or of a copy; what it prints and its exit status. */
export function script(name: string, args: string[], root = repository): Outcome {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { error, status, stdout, stderr } = spawnSync('sh', [`scripts/${name}`, ...args], {
    cwd: root,
    env,
    encoding: 'utf8',
    maxBuffer: 64 * 1_048_576,
  });
  if (error) throw error;
  return { status, said: `${stdout}${stderr}`.trim() };
}

/** A test that can not be run here: jest counts it as skipped, its name says why, and so does a line among the results. */
export function notRun(name: string, why: string): void {
  const line = `NOT RUN: ${name} (${why.split('\n').at(-1)})`;
  process.stderr.write(`${line}\n`);
  test.skip(line, () => {});
}
