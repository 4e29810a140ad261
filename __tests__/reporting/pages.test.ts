import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { helpPages, pageUrl } from '../../src/reporting/pages.js';

const runner = {
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_ACTION_REPOSITORY: 'acme/db-backup-action',
  GITHUB_ACTION_REF: 'v1',
};
const { homepage } = JSON.parse(readFileSync('package.json', 'utf8')) as { homepage: string };
const newest = `${homepage.replace('#readme', '')}/blob/main/docs/restore.md`;

test('of the version that runs, as the runner names it; else of the newest one', () => {
  expect(pageUrl('restore.md', runner)).toBe('https://github.com/acme/db-backup-action/blob/v1/docs/restore.md');
  expect(pageUrl('restore.md', { ...runner, GITHUB_SERVER_URL: 'https://ghe.example.com:8443' })).toMatch(
    /^https:\/\/ghe\.example\.com:8443\/acme\//,
  );
  expect(pageUrl('restore.md', {})).toBe(newest);
});

test.each([
  ['GITHUB_SERVER_URL', 'javascript://x'],
  ['GITHUB_ACTION_REPOSITORY', 'acme'],
  ['GITHUB_ACTION_REPOSITORY', 'a/b) [c](d'],
  ['GITHUB_ACTION_REF', 'v1)\n::error::'],
])('%s of another form is not taken: %j', (name, text) => {
  expect(pageUrl('restore.md', { ...runner, [name]: text })).toBe(newest);
});

test('both pages are there', () => {
  const { error, restore } = helpPages('E_NOSPACE');
  expect([error, restore].map((url) => existsSync(url.replace(/.*\/blob\/main\//, '').replace(/#.*/, '')))).toEqual([
    true,
    true,
  ]);
  expect(error).toMatch(/errors\.md#e_nospace$/);
});
