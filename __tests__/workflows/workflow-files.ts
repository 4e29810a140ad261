import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

export interface Step {
  id?: string;
  name?: string;
  if?: string;
  uses?: string;
  run?: string;
  with?: Record<string, string>;
}

export interface Job {
  uses?: string;
  if?: string;
  needs?: string | string[];
  with?: Record<string, unknown>;
  secrets?: Record<string, string>;
  permissions?: unknown;
  concurrency?: Record<string, unknown>;
  environment?: string | { name: string; deployment?: boolean };
  'runs-on'?: string;
  'timeout-minutes'?: unknown;
  outputs?: Record<string, string>;
  steps?: Step[];
}

export interface Workflow {
  on: {
    schedule?: { cron: string; timezone?: string }[];
    workflow_call?: {
      inputs: Record<string, { type: string; default?: unknown; required?: boolean }>;
      secrets: Record<string, { required?: boolean }>;
      outputs: Record<string, { value: string }>;
    };
  };
  permissions?: unknown;
  concurrency?: Record<string, unknown>;
  jobs: Record<string, Job>;
}

/** The workflows that others call; each has one job, of the same name. */
export const CALLED = ['backup', 'restore', 'verify', 'health'] as const;

export const textOf = (path: string): string => readFileSync(join(repository, path), 'utf8');
export const workflow = (path: string): Workflow => parse(textOf(path)) as Workflow;
export const called = (name: string): Workflow => workflow(`.github/workflows/${name}.yml`);
export const EXAMPLES = readdirSync(join(repository, 'examples')).filter((name) => name.endsWith('.yml'));

/** How the examples use our action, or one of its workflows: by commit, with the version beside it. */
export const PINNED = /^org\/db-backup-action(?:\/\.github\/workflows\/(\w+)\.yml)?@[0-9a-f]{40}$/;

export const action = parse(textOf('action.yml')) as {
  inputs: Record<string, { default: string }>;
  outputs: Record<string, unknown>;
};
