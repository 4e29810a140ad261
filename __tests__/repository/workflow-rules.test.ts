import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { declared } from '../../src/settings/declared-inputs.js';
import { parseDuration } from '../../src/settings/units.js';
import type { Job, Step, Workflow } from '../workflows/workflow-files.js';
import { mappings, PAGES, yamlBlocks } from './yaml-blocks.js';

/** What holds of every workflow that somebody runs or copies: ours, the examples, and the blocks of the documentation. */

interface Text {
  place: string;
  text: string;
  value: unknown;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');
const yamlIn = (folder: string): Text[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.yml'))
    .map((name) => ({
      place: `${folder}/${name}`,
      text: textOf(`${folder}/${name}`),
      value: parse(textOf(`${folder}/${name}`)),
    }));

const COPIED: Text[] = [...yamlIn('examples'), ...PAGES.flatMap(yamlBlocks)];
const OWN: Text[] = yamlIn('.github/workflows');
const ALL: Text[] = [...OWN, ...COPIED];

const jobsOf = (value: unknown): [string, Job][] => Object.entries((value as Partial<Workflow> | null)?.jobs ?? {});
const OURS = /^(?:org\/db-backup-action(?:@|\/\.github\/workflows\/)|\$\/step$)/;
const isOurs = ({ uses = '' }: Step | Job) => OURS.test(uses);

test('there is something to look at, of each kind', () => {
  for (const folder of ['.github/workflows/', 'examples/', 'docs/']) {
    expect(ALL.filter(({ place }) => place.startsWith(folder)).length).toBeGreaterThan(5);
  }
  expect(COPIED.flatMap(({ value }) => jobsOf(value)).length).toBeGreaterThan(15);
});

describe.each(ALL)('$place', ({ text, value }) => {
  test('who waits in a group waits in a queue, or is replaced at once', () => {
    // a third would cancel the second, and no run would be red
    const groups = mappings(value).filter((one) => typeof one.group === 'string');
    expect(groups.filter((one) => one.queue !== 'max' && one['cancel-in-progress'] !== true)).toEqual([]);
    expect(mappings(value).filter(({ concurrency }) => typeof concurrency === 'string')).toEqual([]);
  });

  test('every action is pinned to a commit, with its version beside it', () => {
    const uses = [...text.matchAll(/^[ -]*uses: *(\S+)(.*)$/gm)].map(([, what = '', rest = '']) => `${what}${rest}`);
    const own = /^(?:\$\/step|\.\/\.github\/workflows\/\w+\.yml)$/;
    const pinned = /^[\w.-]+\/[\w.-]+(?:\/[\w./-]+)?@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
    expect(uses.filter((one) => !own.test(one) && !pinned.test(one))).toEqual([]);
  });

  test('every job that runs something says for how long', () => {
    const open = jobsOf(value).filter(([, job]) => job.steps !== undefined && job['timeout-minutes'] === undefined);
    expect(open.map(([id]) => id)).toEqual([]);
  });

  test('a gate fails its job; no condition skips it', () => {
    for (const [id, job] of jobsOf(value)) {
      expect([id, job.if ?? '']).toEqual([id, expect.not.stringContaining('backup-ok')]);
      const gates = (job.steps ?? []).filter(({ name }) => name === 'Deploy gate');
      for (const gate of gates) {
        expect(gate.if).toMatch(/^(?:needs|steps)\.[\w-]+\.outputs\.backup-ok != 'true'/);
        expect(gate.run).toMatch(/^echo "::error title=Deploy gate::No verified backup was taken.*"\nexit 1\n$/);
        // what is asked of another job may be of an earlier attempt
        if (gate.if?.startsWith('needs.')) {
          expect(gate.if).toMatch(/ \|\| needs\.[\w-]+\.outputs\.run-attempt != github\.run_attempt$/);
          expect(gate.run).toContain('Use \\"Re-run all jobs\\".');
          expect(job.steps?.[0]).toBe(gate);
        }
      }
    }
  });
});

describe.each(COPIED)('$place', ({ value }) => {
  test('the job outlives the action, which ends in good order', () => {
    for (const [id, job] of jobsOf(value)) {
      const minutes = (given: unknown) => parseDuration(String(given ?? declared.timeout.default)) / 60_000;
      const action = isOurs(job) ? [job] : (job.steps ?? []).filter(isOurs);
      const limit = isOurs(job) ? (job.with?.['timeout-minutes'] ?? 150) : job['timeout-minutes'];
      for (const step of action) {
        const timeout = minutes(step.with?.timeout);
        expect({ id, timeout, limit: Number(limit) > timeout }).toEqual({ id, timeout, limit: true });
      }
    }
  });

  test('a job that uses an environment for a backup or a restore records no deployment', () => {
    const named = jobsOf(value).filter(([, { environment }]) => environment !== undefined);
    for (const [id, { environment }] of named) {
      expect([id, environment]).toEqual([id, { name: expect.any(String), deployment: false }]);
    }
  });
});

/** The action of each `uses:` in it, and commit and version. */
const actionsIn = (text: string) =>
  [...text.matchAll(/uses: *([\w.-]+\/[\w.-]+)[\w./-]*@([0-9a-f]{40} # v[\d.]+)/g)].map(
    ([, action = '', version = '']) => ({ action, version }),
  );

test('there is one version of each action, and none in what is copied that our workflows do not use', () => {
  const versions = new Map<string, Set<string>>();
  for (const { action, version } of ALL.flatMap(({ text }) => actionsIn(text))) {
    versions.set(action, (versions.get(action) ?? new Set()).add(version));
  }
  expect(versions.size).toBeGreaterThan(3);
  expect([...versions].filter(([, all]) => all.size > 1)).toEqual([]);
  // those of our workflows are looked up at GitHub (scripts/lint-workflows.sh)
  const own = new Set(OWN.flatMap(({ text }) => actionsIn(text)).map(({ action }) => action));
  const copied = COPIED.flatMap(({ text }) => actionsIn(text)).map(({ action }) => action);
  expect(copied.filter((action) => !own.has(action))).toEqual([]);
});

test('the job `done` of ci.yml needs every other job', () => {
  const { jobs } = parse(textOf('.github/workflows/ci.yml')) as Workflow;
  const { done, ...others } = jobs;
  expect([done?.needs].flat().sort()).toEqual(Object.keys(others).sort());
});

test('`$/` has a path wherever it stands', () => {
  const texts = [...ALL.map(({ text }) => text), ...PAGES.map(textOf)];
  expect(texts.filter((text) => /uses: *\$\/(?:\s|`|$)/.test(text))).toEqual([]);
});
