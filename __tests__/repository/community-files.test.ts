import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');
const form = (name: string) => parse(textOf(`.github/ISSUE_TEMPLATE/${name}.yml`));

interface Field {
  id?: string;
  type: string;
  attributes: { label?: string; options?: { required?: boolean }[] };
  validations?: { required?: boolean };
}

test('the form of a bug asks for the error code and the report, and for secrets to be removed', () => {
  const fields: Field[] = form('bug').body;
  const field = (id: string) => fields.find((one) => one.id === id);
  expect(field('error-code')?.validations?.required).toBe(true);
  expect(field('report')).toBeDefined();
  expect(field('secrets')?.attributes.options).toEqual([expect.objectContaining({ required: true })]);
  expect(fields[0]?.type).toBe('markdown');
  expect(JSON.stringify(fields[0])).toContain('Remove secrets first');
});

test.each(['bug', 'feature'])(
  '%s.yml has what GitHub asks of a form: ids that differ, and a label for each field',
  (name) => {
    const { name: title, description, body } = form(name) as { name: string; description: string; body: Field[] };
    expect([typeof title, typeof description]).toEqual(['string', 'string']);
    const fields = body.filter(({ type }) => type !== 'markdown');
    expect(fields.every(({ attributes }) => attributes.label !== undefined)).toBe(true);
    expect(new Set(fields.map(({ id }) => id)).size).toBe(fields.length);
  },
);

test('what the forms link to in this repository is there', () => {
  const text = ['bug', 'feature', 'config'].map((name) => textOf(`.github/ISSUE_TEMPLATE/${name}.yml`)).join('\n');
  const paths = [...text.matchAll(/\/blob\/main\/([\w./-]+\.md)/g)].map(([, path = '']) => path);
  expect(paths.length).toBeGreaterThan(1);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('every path of CODEOWNERS is there, and has an owner', () => {
  const lines = textOf('.github/CODEOWNERS')
    .split('\n')
    .filter((line) => /^[^#]/.test(line));
  expect(lines.length).toBeGreaterThan(3);
  for (const line of lines) {
    const [path = '', ...owners] = line.split(' ');
    expect(owners).toEqual([expect.stringMatching(/^@[\w-]+(?:\/[\w-]+)?$/)]);
    if (path !== '*') expect([path, globSync(path.slice(1), { cwd: root }).length > 0]).toEqual([path, true]);
  }
});
