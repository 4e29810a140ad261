import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { declared, type InputName } from '../../src/settings/declared-inputs.js';
import { COMMANDS } from '../../src/settings/settings.js';
import { ageKey, PASSPHRASE } from '../helpers/encryption-keys.js';
import { type Given, makeKey, reading } from '../settings/given-inputs.js';
import { mappings, PAGES, yamlBlocks } from './yaml-blocks.js';

/** What people copy out of the documentation has to be right: README.md and every page of docs. */

interface Step {
  id?: string;
  uses?: string;
  with?: Record<string, unknown>;
}
interface Job extends Step {
  needs?: string | string[];
  outputs?: Record<string, string>;
  steps?: Step[];
}
interface Called {
  inputs?: Record<string, unknown>;
  secrets?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
}
interface Workflow {
  /** A block may begin with its jobs. */
  on?: { workflow_call?: Called; workflow_dispatch?: { inputs?: Record<string, { options?: string[] }> } };
  jobs: Record<string, Job>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const OURS = 'org/db-backup-action';
const action = parse(readFileSync(join(root, 'action.yml'), 'utf8')) as { inputs: object; outputs: object };
const blocks = PAGES.flatMap(yamlBlocks);

const backupKey = ageKey();

/** What secrets, variables and forms hold, where a block has only an expression. */
const SAMPLES: Given = {
  host: 'db.example.com',
  username: 'deploy',
  key: makeKey(),
  'known-hosts': 'db.example.com ssh-ed25519 AAAA',
  database: 'postgresql://shop:p%40ss@localhost/shop',
  'restore-to': 'postgresql://shop:p%40ss@localhost/shop_staging',
  confirm: 'shop',
  'dry-run': 'true',
  'allow-unsafe-client': 'false',
  name: 'shop',
  'run-as': 'postgres',
  's3-bucket': 'shop-backups',
  'notify-urls': 'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXX',
  'ping-url': 'https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278',
  's3-access-key-id': 'AKIDEXAMPLE',
  's3-secret-access-key': 'wJalr/XUtn+FEMI',
  'encryption-recipients': backupKey.recipient,
  'encryption-passphrase': PASSPHRASE,
  'decryption-key': backupKey.identity,
  'decryption-passphrase': PASSPHRASE,
};

/** What a block that is but a part says by "as before". */
const { host, username, key, 'known-hosts': knownHosts, database } = SAMPLES;
const AS_BEFORE = { host, username, key, 'known-hosts': knownHosts, database } as Given;

test('the pages that tell how to use it have blocks to check', () => {
  for (const page of ['README.md', 'docs/migrating.md', 'docs/off-site.md', 'docs/encryption.md']) {
    expect(blocks.filter(({ place }) => place.startsWith(`${page}:`))).not.toEqual([]);
  }
});

describe.each(blocks)('$place', ({ place, text, value, complaints }) => {
  const steps = mappings(value).filter(isOurStep);

  test('is YAML', () => {
    expect(complaints).toEqual([]);
    expect(value).not.toBeNull();
  });

  test('names this action as the README does, and only inputs that it has', () => {
    for (const { uses } of mappings(value) as Step[]) {
      if (uses?.includes('db-backup-action'))
        expect(uses).toMatch(/^org\/db-backup-action(\/\.github\/workflows\/\w+\.yml)?@[0-9a-f]{40}$/);
    }
    for (const step of steps)
      for (const name of Object.keys(step.with ?? {})) expect(action.inputs).toHaveProperty([name]);
  });

  test('asks for outputs that are there', () => {
    const jobs = isWorkflow(value) ? value.jobs : {};
    for (const [, kind = '', id = '', output = ''] of text.matchAll(
      /\b(steps|needs|jobs)\.([\w-]+)\.outputs\.([\w-]+)/g,
    )) {
      if (kind !== 'steps') expect(Object.keys(outputsOfJob(jobs[id], id, place))).toContain(output);
      else if (steps.some((step) => step.id === id)) expect(action.outputs).toHaveProperty([output]);
      else expect(mappings(value).map((step) => step.id)).toContain(id);
    }
    for (const [name, { needs = [] }] of Object.entries(jobs)) {
      for (const needed of [needs].flat())
        expect([name, Object.keys(jobs)]).toEqual([name, expect.arrayContaining([needed])]);
    }
  });

  test('gives a reusable workflow what that takes', () => {
    for (const job of Object.values(isWorkflow(value) ? value.jobs : {})) {
      const called = calledBy(job);
      for (const input of called === null ? [] : Object.keys(job.with ?? {}))
        expect(called?.inputs).toHaveProperty([input]);
    }
  });

  const given = steps.flatMap((step) => ways(step, value));
  if (given.length === 0) return;
  test.each(given)('the action accepts the inputs: $what', async ({ inputs, unused }) => {
    const { error, result } = await reading(inputs);
    expect(error?.message ?? '').toBe('');
    expect(result?.warnings.filter((warning) => !unused.some((one) => warning.startsWith(`${one}: `)))).toEqual([]);
  });
});

/** One way in which a step can be run: with the command that stands there, or each that the form offers. */
interface Way {
  what: string;
  inputs: Given;
  /** Inputs that only other commands of the form use. */
  unused: InputName[];
}

function ways(step: Step, block: unknown): Way[] {
  const form = (isWorkflow(block) && block.on?.workflow_dispatch?.inputs) || {};
  const stated = String(step.with?.command ?? 'backup');
  const asked = /inputs\.command\b/.test(stated);
  const commands = asked ? (form.command?.options ?? []) : [stated];
  expect(commands).not.toEqual([]);
  return commands.map((name) => {
    const command = COMMANDS.find((one) => one === name);
    if (command === undefined) return { what: `${name} is no command`, inputs: { command: name }, unused: [] };
    const names = Object.keys(step.with ?? {}).filter((input): input is InputName => Object.hasOwn(declared, input));
    const unused = asked ? names.filter((input) => !declared[input].usedBy.includes(command)) : [];
    const inputs: Given = isWorkflow(block) ? {} : { ...AS_BEFORE };
    for (const input of names) if (input !== 'command') inputs[input] = sample(input, String(step.with?.[input]), step);
    return { what: command, inputs: { ...inputs, command }, unused };
  });
}

function sample(input: InputName, text: string, step: Step): string {
  if (!text.includes('${{')) return text;
  if (input === 'backup') return `${nameIn(step)}-20261120T101500Z-7f3a`;
  const whole = /^\$\{\{(?:(?!\}\})[\s\S])*\}\}$/.test(text.trim());
  if (whole && SAMPLES[input] !== undefined) return SAMPLES[input];
  if (whole) throw new Error(`${step.id ?? step.uses}: there is no sample of ${input}`);
  return text.replace(/\$\{\{[\s\S]*?\}\}/g, 'shop');
}

/** What the backups of this step are called. */
function nameIn({ with: inputs = {} }: Step): string {
  const file = /([\w-]+)\.db$/.exec(String(inputs.database))?.[1] ?? 'shop';
  return String(inputs.name ?? file).replace(/^\$\{\{.*$/, 'shop');
}

function isOurStep(mapping: Record<string, unknown>): mapping is Record<string, unknown> & Step {
  return typeof mapping.uses === 'string' && mapping.uses.startsWith(`${OURS}@`);
}

function isWorkflow(value: unknown): value is Workflow {
  const [outermost = {}] = mappings(value);
  return outermost === value && 'jobs' in outermost;
}

/** The reusable workflow that a job calls, when it is in this repository; a caller's own is another block. */
function calledBy({ uses }: Job): Called | null {
  const [, file] = new RegExp(`^${OURS}/(\\.github/workflows/\\w+\\.yml)@`).exec(uses ?? '') ?? [];
  if (file === undefined) return null;
  if (!existsSync(join(root, file))) throw new Error(`there is no ${file}`);
  return (parse(readFileSync(join(root, file), 'utf8')) as Workflow).on?.workflow_call ?? {};
}

function outputsOfJob(job: Job | undefined, id: string, place: string): object {
  if (job === undefined) throw new Error(`there is no job ${id}`);
  if (job.uses?.startsWith('./')) return sibling(job.uses, place).on?.workflow_call?.outputs ?? {};
  return calledBy(job)?.outputs ?? job.outputs ?? {};
}

/** The workflow of the caller's own repository that this block calls: the last one before it on the page that is said to be that file. */
function sibling(uses: string, place: string): Workflow {
  const page = place.split(':')[0];
  const before = blocks.slice(
    0,
    blocks.findIndex((block) => block.place === place),
  );
  const found = before.findLast((block) => block.place.startsWith(`${page}:`) && `./${block.file}` === uses);
  if (found === undefined) throw new Error(`no block before ${place} is ${uses}`);
  return found.value as Workflow;
}
