import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { readPage } from './yaml-blocks.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = ['.', 'docs'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

/** The page without its blocks and spans of code, in which nothing is a link. */
function prose(page: string): string {
  return readPage(page)
    .replace(/^( *)(`{3,})[\s\S]*?^ *\2$/gm, '')
    .replace(/`[^`\n]*`/g, 'code');
}

/** As GitHub makes them: `## What `backup-ok: true` promises` is `#what-backup-ok-true-promises`. */
function anchors(page: string): string[] {
  const text = readPage(page).replace(/^( *)(`{3,})[\s\S]*?^ *\2$/gm, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('there are pages', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'SECURITY.md', 'docs/migrating.md']));
});

test.each(pages)('every link of %s to a file or a heading here leads somewhere', (page) => {
  const found = [...prose(page).matchAll(/\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"/g)];
  const local = found.map(([, link, attribute]) => link ?? attribute ?? '').filter((link) => !/^https?:/.test(link));
  const dead = local.filter((link) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchors(target).includes(anchor);
  });
  expect(dead).toEqual([]);
});
