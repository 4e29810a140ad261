import { describe, expect, test } from '@jest/globals';
import { ERRORS } from '../../src/error-codes.js';
import { declared } from '../../src/settings/declared-inputs.js';
import { parseTimer } from '../../src/settings/value-rules.js';
import { mappings, readPage, yamlBlocks } from './yaml-blocks.js';

// What docs/migrating.md says of its own blocks; that the action accepts them is in migrating.test.ts.

interface Job {
  uses?: string;
  needs?: string;
  if?: string;
  environment?: unknown;
  concurrency?: { group: string; queue?: string };
  outputs?: Record<string, string>;
  'timeout-minutes'?: number;
  steps?: { name?: string; if?: string; run?: string; uses?: string; with?: Record<string, unknown> }[];
}

const PAGE = 'docs/migrating.md';
const page = readPage(PAGE);
const blocks = yamlBlocks(PAGE);
const jobs = blocks.flatMap(({ place, value }) =>
  Object.entries((value as { jobs?: Record<string, Job> }).jobs ?? {}).map(([name, job]): [string, Job] => [
    `${place} ${name}`,
    job,
  ]),
);
const isOurs = ({ uses = '' }: { uses?: string }) => uses.startsWith('org/db-backup-action@');
const ours = jobs.filter(([, { steps = [] }]) => steps.some(isOurs));
const commands = ({ steps = [] }: Job): string[] =>
  steps.filter(isOurs).map(({ with: given }) => String(given?.command ?? 'backup'));

test('there are blocks for each of the five', () => {
  for (const letter of 'ABCDE') expect(page).toMatch(new RegExp(`^## ${letter}\\. `, 'm'));
  expect(ours.length).toBeGreaterThan(10);
});

describe.each(ours)('%s', (_, job) => {
  test('waits in a group in which no run is lost', () => {
    expect(job.concurrency).toMatchObject({ 'cancel-in-progress': false, queue: 'max' });
  });

  test('restores in a group of its own', () => {
    const restores = commands(job).includes('restore');
    expect(job.concurrency?.group.startsWith('db-restore-')).toBe(restores);
    const sharing = ours.filter(([, other]) => other !== job && other.concurrency?.group === job.concurrency?.group);
    if (restores) expect(sharing).toEqual([]);
  });

  test('ends by itself before the job is killed', () => {
    const limits = (job.steps ?? []).filter(isOurs).map(({ with: given }) => parseTimer(String(given?.timeout)));
    expect((job['timeout-minutes'] ?? 0) * 60_000 - Math.max(...limits)).toBeGreaterThanOrEqual(10 * 60_000);
  });

  test('records no deployment that is none', () => {
    if (job.environment !== undefined) expect(job.environment).toMatchObject({ deployment: false });
    if (commands(job).includes('restore')) expect(job.environment).toBeDefined();
  });
});

const deploys = jobs.filter(([, { needs }]) => needs === 'backup');

test('every deploy has its gate as a step, which fails where an `if:` would skip', () => {
  expect(deploys).toHaveLength(2);
  for (const [, { if: condition, steps = [] }] of deploys) {
    expect(condition).toBeUndefined();
    expect(steps[0]).toEqual({
      name: 'Deploy gate',
      if: "needs.backup.outputs.backup-ok != 'true' || needs.backup.outputs.run-attempt != github.run_attempt",
      run: 'echo "::error title=Deploy gate::No verified backup was taken in this attempt (a dry run takes none). Use \\"Re-run all jobs\\"."\nexit 1\n',
    });
  }
  const asked = jobs.filter(([, { outputs }]) => outputs !== undefined);
  expect(asked).toHaveLength(2);
  for (const [, { outputs }] of asked)
    expect(outputs).toMatchObject({ 'run-attempt': expect.stringMatching(/^\$\{\{ github\.run_attempt \}\}$/) });
});

test('what others have made is pinned, with its version beside it', () => {
  const lines = page.split('\n').filter((line) => /^\s*(- )?uses: /.test(line) && !/uses: (org\/|\.\/)/.test(line));
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});

test('each of the five keeps what its scripts kept', () => {
  const kept = (letter: string): unknown[] => {
    const [part = ''] = new RegExp(`^## ${letter}\\. [\\s\\S]*?(?=^## )`, 'm').exec(page) ?? [];
    return blocks
      .filter(({ text }) => part.includes(text))
      .flatMap(({ value }) => mappings(value))
      .flatMap(({ keep }) => (keep === undefined ? [] : [keep]));
  };
  expect(kept('A')).toEqual([]); // the default
  expect(declared.keep.default).toBe('5');
  expect(new Set(kept('B'))).toEqual(new Set(['within=30d']));
  for (const letter of 'CD') expect(new Set(kept(letter))).toEqual(new Set(['daily=7 weekly=4 monthly=12']));
  expect(new Set(kept('E'))).toEqual(new Set(['within=7d']));
});

test('each of the five is shown the way to what its scripts did besides', () => {
  for (const letter of 'ABCDE') {
    const [part = ''] = new RegExp(`^## ${letter}\\. [\\s\\S]*?(?=^## )`, 'm').exec(page) ?? [];
    expect(part).toMatch(/\*\*Without GitHub:\*\*/);
    for (const about of [
      /encrypt/i,
      /notify-urls|#what-your-scripts-did-besides/,
      /schedul/,
      /command-line|api\.md|scheduling/,
    ])
      expect(part).toMatch(about);
  }
  for (const linked of ['encryption', 'notifications', 'scheduling', 'api', 'command-line'])
    expect(page).toContain(`[${linked}.md](${linked}.md)`);
});

test('names only codes and inputs that there are', () => {
  for (const [code] of page.matchAll(/\bE_[A-Z_]+\b/g)) expect(Object.keys(ERRORS)).toContain(code);
  expect(declared['allow-unsafe-client'].usedBy).toEqual(expect.arrayContaining(['restore', 'verify']));
  expect(blocks.some(({ text }) => /allow-unsafe-client: \$\{\{ inputs\.allow-unsafe-client \}\}/.test(text))).toBe(
    true,
  );
});
