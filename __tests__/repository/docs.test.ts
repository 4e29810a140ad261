import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { ERRORS } from '../../src/error-codes.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('the generated pages are those of action.yml and of the code', () => {
  // throws with what the script said when they are not
  const node24 = join(root, 'node_modules', '.bin', 'node');
  expect(
    execFileSync(
      node24,
      [
        '--experimental-transform-types',
        '--disable-warning=ExperimentalWarning',
        '--import',
        './scripts/typescript.mjs',
        'scripts/docs.mjs',
        '--check',
      ],
      {
        cwd: root,
        encoding: 'utf8',
      },
    ),
  ).toBe('');
});

test('every error code that the code can give is in the table, and the other way round', () => {
  const sources = ['src'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|sh)$/.test(name) && name !== 'error-codes.ts')
      .map((name) => readFileSync(join(root, folder, name), 'utf8')),
  );
  const used = new Set(sources.flatMap((text) => text.match(/\bE_[A-Z0-9]+(?:_[A-Z0-9]+)*\b/g) ?? []));
  expect([...used].sort()).toEqual(Object.keys(ERRORS).sort());
});
