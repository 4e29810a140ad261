import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SHOWN = ['README.md', '.github/workflows/released.yml', 'docs', 'examples'];

let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'dbb-pin-'));
  for (const name of [...SHOWN, 'scripts/pin.mjs']) cpSync(join(root, name), join(copy, name), { recursive: true });
  git('init', '-q');
  git('add', '.');
  git('commit', '-q', '-m', 'one');
  git('tag', '-a', 'v9.8.7', '-m', 'a tag with a message is an object of its own');
});
afterAll(() => rmSync(copy, { recursive: true }));

function git(...args: string[]): string {
  const given = ['-c', 'user.name=test', '-c', 'user.email=test@example.com', '-C', copy, ...args];
  return execFileSync('git', given, { encoding: 'utf8', env: { PATH: process.env.PATH, HOME: copy } }).trim();
}
const pin = (...args: string[]) =>
  execFileSync('node', [join(copy, 'scripts/pin.mjs'), ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
    env: { PATH: process.env.PATH, HOME: copy },
  });

/** What follows each mention of our action in a `uses:`, of all that is shown. */
function pins(): string[] {
  const files = SHOWN.flatMap((name) =>
    /\.\w+$/.test(name) ? [name] : readdirSync(join(copy, name)).map((file) => `${name}/${file}`),
  ).filter((name) => /\.(md|yml)$/.test(name));
  const text = files.map((name) => readFileSync(join(copy, name), 'utf8')).join('\n');
  return [...text.matchAll(/uses: org\/db-backup-action(?:\/[\w./-]+)?@(.*)$/gm)].map(([, rest = '']) => rest);
}

test('writes the commit of the tag and the version into everything that shows how to use the action', () => {
  pin('v9.8.7');
  const commit = git('rev-parse', 'HEAD');
  expect(pins().length).toBeGreaterThan(25);
  expect(new Set(pins())).toEqual(new Set([`${commit} # v9.8.7`]));
  const released = readFileSync(join(copy, '.github/workflows/released.yml'), 'utf8');
  expect(new Set(released.match(/[0-9a-f]{40}/g))).toEqual(new Set([commit]));
  expect(pin('v9.8.7')).toBe('');
});

test('takes a commit that has no tag yet, and refuses what is no version or not there', () => {
  git('commit', '-q', '--allow-empty', '-m', 'two');
  pin('v9.8.8', 'HEAD');
  expect(new Set(pins())).toEqual(new Set([`${git('rev-parse', 'HEAD')} # v9.8.8`]));
  for (const wrong of [['main'], ['v1'], ['v9.9.9']]) expect(() => pin(...wrong)).toThrow();
});
