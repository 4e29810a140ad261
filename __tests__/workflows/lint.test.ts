import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { notRun, script } from './tools.js';
import { repository } from './workflow-files.js';

/** Each finds what is planted into this file; else its silence about the real ones would prove nothing. */
const TOOLS = [
  ['actionlint', '.github/workflows/verify.yml', "if: inputs.aws-role-to-assume != ''", 'if: inputs.no-such-input'],
  [
    'zizmor',
    'examples/backup-before-deploy.yml',
    'run: ./deploy.sh',
    `run: echo \${{ github.event.head_commit.message }}`,
  ],
] as const;

describe.each(TOOLS)('%s', (tool, file, good, bad) => {
  const installed = script('workflow-tools.sh', tool);
  // Anything but "can not be had here" is an error of the script, and shows in the tests.
  if (installed.status === 3) {
    notRun(`${tool} on the workflows`, installed.said);
    return;
  }

  test('has nothing to say about the workflows and the examples', () => {
    const { status, said } = script('lint-workflows.sh', tool);
    expect({ status, said: status === 0 ? '' : said }).toEqual({ status: 0, said: '' });
  });

  test(`would have: ${bad}`, () => {
    const copy = mkdtempSync(join(tmpdir(), 'dbb-lint-'));
    try {
      for (const name of ['.github', 'examples', 'scripts', 'action.yml']) {
        cpSync(join(repository, name), join(copy, name), { recursive: true });
      }
      mkdirSync(join(copy, '.git'));
      const text = readFileSync(join(copy, file), 'utf8');
      expect(text).toContain(good);
      writeFileSync(join(copy, file), text.replace(good, bad));
      const env = { ...process.env, NODE_OPTIONS: '' };
      const lint = () => execFileSync('sh', ['scripts/lint-workflows.sh', tool], { cwd: copy, env, stdio: 'pipe' });
      expect(lint).toThrow(/Command failed/);
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });
});
