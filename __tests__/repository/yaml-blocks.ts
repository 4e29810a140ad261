import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A block of YAML in the documentation. */
export interface YamlBlock {
  /** `docs/migrating.md:57` */
  place: string;
  /** `.github/workflows/backup.yml`, when the paragraph before it begins with that; else empty. */
  file: string;
  text: string;
  /** What it says, and what the parser has against it. */
  value: unknown;
  complaints: string[];
}

/** README.md and the pages of docs. */
export const PAGES = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter(isPage)
    .map((name) => `docs/${name}`),
];

export function readPage(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

/** Every block of a page that is marked as YAML, also within lists. */
export function yamlBlocks(page: string): YamlBlock[] {
  const markdown = readPage(page);
  return [...markdown.matchAll(/^( *)(`{3,})ya?ml\n([\s\S]*?)^ *\2$/gm)].map((found) => {
    const [, indent = '', , body = ''] = found;
    const text = body.replace(new RegExp(`^${indent}`, 'gm'), '');
    const paragraphs = markdown.slice(0, found.index).trimEnd().split(/\n\n+/);
    const document = parseDocument(text);
    return {
      file: /^`(\.github\/workflows\/[\w-]+\.yml)`/.exec(paragraphs.at(-1) ?? '')?.[1] ?? '',
      place: `${page}:${markdown.slice(0, found.index).split('\n').length}`,
      text,
      value: document.toJS(),
      complaints: [...document.errors, ...document.warnings].map(({ message }) => message),
    };
  });
}

/** Every mapping in a value, the outermost first. */
export function mappings(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(mappings);
  if (typeof value !== 'object' || value === null) return [];
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(mappings)];
}

function isPage(name: string): boolean {
  return name.endsWith('.md');
}
