import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { readPage } from './yaml-blocks.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sections = readPage('docs/security.md').split(/^## /m).slice(1);
/** Those about somebody or something that could do harm: all between the table and the last one. */
const threats = sections.slice(1, -1);
const testsOf = (section: string): string[] =>
  [...(/^\*Held by\* (.*)$/m.exec(section)?.[1]?.matchAll(/`([^`]+)`/g) ?? [])].map(([, path = '']) => path);

test('every threat has tests, which are there', () => {
  expect(threats.length).toBeGreaterThan(8);
  for (const section of threats) {
    const [title = ''] = section.split('\n');
    const tests = testsOf(section);
    expect({ title, tests: tests.length > 0 }).toEqual({ title, tests: true });
    expect({ title, missing: tests.filter((path) => !existsSync(join(root, '__tests__', path))) }).toEqual({
      title,
      missing: [],
    });
  }
});

test('the table at the top leads to each of them', () => {
  const [glance = ''] = sections;
  const linked = [...glance.matchAll(/^\| \[(.*?)\]\(#/gm)].map(([, who = '']) => who.toLowerCase());
  expect(linked).toEqual(threats.map((section) => section.split('\n')[0]?.toLowerCase()));
});
